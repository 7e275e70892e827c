"""Which Action Units transfer from one set to another, and what of the paper's claims about them holds here.

Every number is computed, the paper's from its Table IV by the same rule as ours.
"""

from collections.abc import Callable, Iterable, Mapping

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from fergan.book.report import with_interval
from fergan.book.tables.action_units import papers_of
from fergan.book.tables.scores import protocol_words, row_of, score_of
from fergan.book.tables.single_unit import PAPERS_AREAS
from fergan.experiments.action_units import AUResult
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.facs import ACTION_UNITS
from fergan.paper import read_table

__all__ = ["areas_of", "claims_table", "rank_agreement", "table_four", "transfer_table"]

#: The paper's experiments by kind. It calls 2, 3 and 6 cross-dataset too; each trains and tests on one set.
WITHIN, ACROSS = (1, 2, 3, 6), (4, 5, 7, 8)

#: As alike as rounding to one digit: how the claim that two Action Units behave alike is read.
_ALIKE = 0.05

_HONEST = (SUBJECT_INDEPENDENT, "discriminator")

Areas = Mapping[int, Mapping[str, float]]  # experiment -> Action Unit, or "all" -> area under the curve


def areas_of(results: Mapping[int, AUResult]) -> dict[int, dict[str, float]]:
    """Return the areas under the curve on people never seen: experiment -> Action Unit, or "all" -> area.

    Under "low" is the lower end of the mean's interval.
    """
    def of(result: AUResult) -> dict[str, float]:
        areas = {label: score_of(result, *_HONEST, "auc", label) for label in (*ACTION_UNITS, "all")}
        return areas | {"low": row_of(result.scores, *_HONEST, "auc").get("low", np.nan)}

    return {number: of(result) for number, result in results.items()}


def _papers_areas() -> dict[int, dict[str, float]]:
    table = read_table("table4_au_auc").set_index("au")
    return {int(name.removeprefix("exp")): table[name].rename({"Average": "all"}).to_dict() for name in table}


def table_four(results: Mapping[int, AUResult]) -> pd.DataFrame:
    """Return Table IV with both protocols: up to three rows per Action Unit (and the mean), one column per experiment.

    Rows without any area are left out.
    """
    rows = []
    for label in (*ACTION_UNITS, "all"):
        kinds = {"paper": None} | {words: protocol for protocol, words in protocol_words.items()}
        for words, protocol in kinds.items():
            row: dict[str, object] = {"AU": "mean" if label == "all" else label, "": words}
            for number, result in results.items():
                scores = papers_of(number, result) if protocol is None else result.scores
                found = {} if scores is None else row_of(scores, protocol or "paper", "discriminator", "auc", label)
                row[f"{number}"] = found.get("value", np.nan)
            rows.append(row)
    return pd.DataFrame(rows).dropna(how="all", subset=[str(number) for number in results]).reset_index(drop=True)


def transfer_table(results: Mapping[int, AUResult]) -> pd.DataFrame:
    """Return one row per Action Unit that is scored from one set to another: ours, the paper's, and whether it transfers.

    "Yes" where the interval lies above chance in every experiment from one set to another, "no" where it does in none.
    """
    across = {n: r for n, r in results.items() if r.settings["train"] != r.settings["test"]}
    rows = []
    for label in ACTION_UNITS:
        found = {n: row_of(r.scores, *_HONEST, "auc", label) for n, r in across.items()}
        found = {n: row for n, row in found.items() if len(row) and not np.isnan(row["value"])}
        if not found:
            continue
        papers = {n: papers_of(n, across[n]) for n in found}
        theirs = [row_of(p, "paper", "discriminator", "auc", label)["value"] for p in papers.values() if p is not None]
        above = [row["low"] > 0.5 for row in found.values()]
        words = {f"{n}": with_interval(row["value"], row["low"], row["high"], 2) for n, row in found.items()}
        rows.append({"AU": label} | {f"experiment {n}": words.get(f"{n}", "–") for n in across} | {
            "mean": float(np.mean([row["value"] for row in found.values()])),
            "paper's mean": float(np.mean(theirs)) if theirs else np.nan,
            "above chance": "in all" if all(above) else f"in {sum(above)} of {len(above)}",
        })
    return pd.DataFrame(rows)


def rank_agreement(table: pd.DataFrame) -> tuple[float, int]:
    """Return Spearman's correlation of our mean areas with the paper's in a `transfer_table`, and over how many units."""
    known = table.dropna(subset=["mean", "paper's mean"]) if len(table) else table
    if len(known) < 3:
        return float("nan"), len(known)
    return float(spearmanr(known["mean"], known["paper's mean"]).statistic), len(known)


#: What a rule returns where the areas that it needs are not there.
_NOT_SCORED: tuple[str, bool | None] = ("not scored", None)


def _mean(areas: Areas, experiments: Iterable[int]) -> float:
    return float(np.mean([areas[n]["all"] for n in experiments]))


def _known(areas: Areas, *experiments: int) -> list[str]:
    """Return the Action Units that every one of these experiments scores."""
    return [unit for unit in ACTION_UNITS if all(not np.isnan(areas[n][unit]) for n in experiments)]


def _carry_information(areas: Areas) -> tuple[str, bool | None]:
    if np.isnan(areas[1]["all"]):
        return _NOT_SCORED
    # The paper gives no interval.
    low = areas[1].get("low", areas[1]["all"])
    return f"mean area {areas[1]['all']:.3f} in experiment 1", bool(low > 0.5)


def _relabelled_better(areas: Areas) -> tuple[str, bool | None]:
    units = _known(areas, 1, 2)
    if not units:
        return _NOT_SCORED
    fallen = [unit for unit in units if areas[2][unit] < areas[1][unit]]
    names = f": {', '.join(fallen)}" if fallen else ""
    return f"means {areas[1]['all']:.3f} and {areas[2]['all']:.3f}; {len(fallen)} of {len(units)} fall{names}", not fallen


def _satisfactory(areas: Areas) -> tuple[str, bool | None]:
    within, across = _mean(areas, (2, 3, 6)), _mean(areas, ACROSS)
    if np.isnan([within, across]).any():
        return _NOT_SCORED
    return f"mean {within:.3f} in 2, 3, 6, within one set each; {across:.3f} in 4, 5, 7, 8, across", None


def _transfer_well(areas: Areas) -> tuple[str, bool | None]:
    named = [unit for unit in ("AU01", "AU23", "AU24", "AU25") if unit in _known(areas, *ACROSS)]
    if not named:
        return _NOT_SCORED
    least = min((areas[n][unit], unit, n) for unit in named for n in ACROSS)
    above = all(areas[n][unit] >= areas[n]["all"] for unit in named for n in ACROSS)
    words = "all" if above else "not all"
    return f"lowest {least[0]:.3f} ({least[1]}, experiment {least[2]}); {words} above their experiment's mean", above


def _alike(areas: Areas) -> tuple[str, bool | None]:
    gaps = [(abs(areas[n]["AU02"] - areas[n]["AU17"]), n) for n in (4, 5, 6, 8)]
    gaps = [gap for gap in gaps if not np.isnan(gap[0])]
    if not gaps:
        return _NOT_SCORED
    return f"apart by up to {max(gaps)[0]:.3f} (experiment {max(gaps)[1]})", max(gaps)[0] <= _ALIKE


def _worst(areas: Areas) -> tuple[str, bool | None]:
    if not all("AU04" in _known(areas, n) for n in (4, 7)):
        return _NOT_SCORED
    lowest = {n: min(_known(areas, n), key=lambda unit, n=n: areas[n][unit]) for n in (4, 7)}
    words = "; ".join(f"experiment {n}: {unit} lowest at {areas[n][unit]:.3f}, AU04 {areas[n]['AU04']:.3f}"
                      for n, unit in lowest.items())
    return words, set(lowest.values()) == {"AU04"}


def _best(areas: Areas) -> tuple[str, bool | None]:
    order = sorted((n for n in areas if not np.isnan(areas[n]["all"])), key=lambda n: -areas[n]["all"])
    if len(order) < 2:
        return _NOT_SCORED
    words = ", ".join(f"{n} ({areas[n]['all']:.3f})" for n in order[:2])
    return f"highest means in experiments {words}; both within one set" if set(order[:2]) <= set(WITHIN) else (
        f"highest means in experiments {words}"), set(order[:2]) == {2, 6}


def _identical(areas: Areas) -> tuple[str, bool | None]:
    found = [areas[2][unit] for unit in ("AU07", "AU23", "AU24")]
    if np.isnan(found).any():
        return _NOT_SCORED
    return ", ".join(f"{area:.3f}" for area in found), bool(np.ptp(found) > 0)


#: Identifier, the claim, the experiments it needs, and a rule that returns a finding in words and whether it bears it out
#: (None where it is a matter of words).
_CLAIMS: tuple[tuple[str, str, tuple[int, ...], Callable[[Areas], tuple[str, bool | None]]], ...] = (
    ("U1", "the features carry information on Action Units", (1,), _carry_information),
    ("U2", "relabelled RaFD improves all Action Units", (1, 2), _relabelled_better),
    ("U5", "across sets it is satisfactory in experiments 2, 3 and 6", (2, 3, 6, *ACROSS), _satisfactory),
    ("U6", "AU1, 23, 24 and 25 transfer well in all experiments", ACROSS, _transfer_well),
    ("U7", f"AU2 and AU17 behave alike in 4, 5, 6 and 8 (here: within {_ALIKE:g})", (4, 5, 6, 8), _alike),
    ("U8", "AU4 transfers worst", (4, 7), _worst),
    ("U9", "it generalises best in experiments 2 and 6", (*WITHIN, *ACROSS), _best),
    ("U11", "AU7, AU23 and AU24 differ on RaFD", (2,), _identical),
)

_VERDICTS = {True: "yes", False: "no", None: "–"}


def claims_table(
    experiments: Mapping[int, Mapping[str, AUResult]], single_unit: Mapping[str, float | None] | None = None
) -> pd.DataFrame:
    """Return one row per claim of the paper on Action Units: what its own table says of it, and what came out here.

    Parameters
    ----------
    experiments : mapping
        Number -> variants, see `fergan.experiments.action_units`. Claims on experiments that were not run on the paper's sets are left
        out.
    single_unit : mapping, optional
        ``train`` and ``test``: the areas of the experiment on AU7; None where it could not be learnt.
    """
    papers = {n: results[""] for n, results in experiments.items() if papers_of(n, results[""]) is not None}
    ours, theirs, rows = areas_of(papers), _papers_areas(), []
    for name, claim, needed, rule in _CLAIMS:
        if set(needed) <= set(papers):
            (said, by_paper), (found, here) = rule({n: theirs[n] for n in papers}), rule(ours)
            rows.append((name, claim, said, _VERDICTS[by_paper], found, _VERDICTS[here]))
    rows += _mapping_claims({n: experiments[n] for n in papers})
    if single_unit:
        areas = [np.nan if single_unit[part] is None else single_unit[part] for part in ("train", "test")]
        rows.append(_single_unit_claim(*areas))
    columns = ["claim", "the paper says", "in its own table", "so", "here, people never seen", "so here"]
    return pd.DataFrame(sorted(rows, key=lambda row: int(row[0][1:])), columns=columns)


def _single_unit_claim(train: float, test: float) -> tuple[str, ...]:
    def words(train: float, test: float) -> str:
        return "not scored" if np.isnan([train, test]).any() else f"{train:.3f} in training, {test:.3f} in test"

    claim = "a network of faces with AU7 alone separates AU7 worse in test than in training"
    return ("U10", claim, words(PAPERS_AREAS["train"], PAPERS_AREAS["test"]), "yes", words(train, test),
            "–" if np.isnan([train, test]).any() else _VERDICTS[bool(train > test)])


def _mapping_claims(experiments: Mapping[int, Mapping[str, AUResult]]) -> list[tuple[str, ...]]:
    """Return the rows of the claims that are about the mapping, from experiment 2 and its other mapping."""
    results = experiments.get(2, {})
    if "emfacs" not in results:
        return []
    derived, other = (score_of(results[name], *_HONEST, "auc") for name in ("", "emfacs"))
    table = results[""].select(*_HONEST).pivot(index="face", columns="label", values=["occurrence", "predicted"])
    shown, said = table["occurrence"], table["predicted"]
    # In Table VI contempt alone shows AU12 without AU6.
    contempt = (shown["AU12"] == 1) & (shown["AU06"] == 0)
    found = ", ".join(f"{unit} on {100 * said.loc[contempt, unit].mean():.0f} %" for unit in ("AU12", "AU09", "AU07"))
    return [
        ("U3", "AU10, 11, 14, 20, 22 and 26 are missing from the mapping", "none of them is in Table VI", "–",
         f"they are in neither mapping; mean area {derived:.3f} by Table VI, {other:.3f} by EMFACS", "–"),
        ("U4", "contempt is a mix of disgust and anger; Table VI gives it AU12", "AU12 alone, as EMFACS on one side", "no",
         f"of contemptuous faces {found} (AU9: disgust, AU7: anger)" if contempt.any() else "no contemptuous face", "–"),
    ]
