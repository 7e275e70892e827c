"""Verdicts on the paper's claims about labels, transfer and size, from the results of those chapters on disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fergan.book.tables.label_efficiency import size_tables
from fergan.book.tables.scores import row_of
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.intervals import bootstrap_interval, resampled_mean
from fergan.experiments.label_efficiency import LabelEfficiencyResult, curve_at
from fergan.experiments.scores import ExperimentResult
from fergan.experiments.transfer import OTHERS, TransferResult, rank_correlation

__all__ = [
    "CANNOT_BE_TESTED", "MARGIN", "NOT_DECIDED", "NOT_REPRODUCED", "REPRODUCED", "Verdict", "consistency_verdict",
    "few_labels_verdict", "generalisation_verdict", "label_results", "pretraining_verdict", "size_curves",
    "size_differences", "size_verdict", "verdicts",
]

REPRODUCED, NOT_REPRODUCED = "reproduced", "not reproduced"
NOT_DECIDED, CANNOT_BE_TESTED = "not decided", "cannot be tested on this data"

#: So much accuracy less still counts as "as well": two faces of a hundred. Chosen, not derived.
MARGIN = 0.02

_SMALL_SET, _LARGE_SETS = "sfew", ("raf-db", "kdef")  # of the paper's section 4-A


@dataclass(frozen=True)
class Verdict:
    """What became of a claim.

    Attributes
    ----------
    claim : str
        Its name in ``fergan/paper/claims.csv``.
    verdict : str
        "reproduced", "not reproduced", "not decided" or "cannot be tested on this data".
    value, low, high : float
        The number that decided, with its 95 % interval; NaN where there is none.
    measure : str
        What that number is.
    because : str
        How the verdict follows, a sentence.
    """

    claim: str
    verdict: str
    value: float = np.nan
    low: float = np.nan
    high: float = np.nan
    measure: str = ""
    because: str = ""


def label_results(home: str | Path, targets: list[str] | None = None) -> dict[str, LabelEfficiencyResult]:
    """Load results of label efficiency, those of the given sets or all that are there."""
    folder = Path(home) / "results" / "label_efficiency"
    found = sorted(path.parent.name for path in folder.glob("*/scores.json"))
    return {name: LabelEfficiencyResult.load(folder / name) for name in (found if targets is None else targets)}


def verdicts(home: str | Path) -> dict[str, Verdict]:
    """Return the verdicts on the claims A1, A3, Q3, C3 and E7 from a profile's artifacts, as far as these are there."""
    home = Path(home)
    labels = label_results(home)
    folder = home / "results" / "transfer" / "matrix"
    matrix = TransferResult.load(folder) if (folder / "scores.json").is_file() else None
    stamps = sorted((home / "results" / "action_units").glob("*/scores.json"))
    units = [ExperimentResult.load(stamp.parent) for stamp in stamps]
    found = [few_labels_verdict(labels), generalisation_verdict(matrix, units), consistency_verdict(matrix, units),
             pretraining_verdict(matrix), size_verdict(labels)]
    return {verdict.claim: verdict for verdict in found}


def few_labels_verdict(results: Mapping[str, LabelEfficiencyResult]) -> Verdict:
    """Judge A1: with features learnt without labels, a smaller labelled set suffices.

    The first network's features are set against every other method that learnt no faces without labels, over the whole
    curve, on each set where a network was trained with labels. Reproduced where all differences are clearly above 0,
    not reproduced where one is clearly below.
    """
    rows = []
    for target, result in results.items():
        if not result.settings["networks"]:
            continue
        rivals = [m for m in result.methods[1:] if not m.startswith("network of ") and m != "fine-tuned discriminator"]
        rows += [(target, m, row_of(result.scores, "labelled_people", m, "curve_mean_difference")) for m in rivals]
    if not rows:
        return Verdict("A1", CANNOT_BE_TESTED, because="no set has curves of features and of a network trained with labels")
    target, rival, row = min(rows, key=lambda found: found[2]["value"])
    low, high = np.array([[r["low"], r["high"]] for _, _, r in rows]).T
    verdict = NOT_REPRODUCED if (high < 0).any() else REPRODUCED if (low > 0).all() else NOT_DECIDED
    n_better, n_worse = int((low > 0).sum()), int((high < 0).sum())
    network = results[target].methods[0]
    measure = f"mean accuracy over the curve, features of the {network} minus {rival}, the strongest rival; {target}"
    where = ", ".join(dict.fromkeys(name for name, _, _ in rows))
    because = (f"of {len(rows)} comparisons on {where} with methods without pretraining, {n_better} are clearly in favour "
               f"of these features and {n_worse} clearly against{_best_network(results[target], rival)}")
    return Verdict("A1", verdict, row["value"], row["low"], row["high"], measure, because)


def _best_network(result: LabelEfficiencyResult, rival: str) -> str:
    """Say how another network of faces does that is better over the curve than the first one; empty where none is."""
    means = {m: row_of(result.scores, "labelled_people", m, "curve_mean")["value"] for m in result.methods}
    networks = [m for m in result.methods if m.startswith("network of ")]
    best = max(networks, key=means.get)
    if best == networks[0]:
        return ""
    return f"; the {best} does better, with {means[best]:.3f} over the curve, where {rival} has {means[rival]:.3f}"


def _unit_rows(units: list[ExperimentResult]) -> tuple[list[Mapping], dict[str, Mapping]]:
    """Return the mean areas of experiments from one set to another, and of those within a set by its name."""
    across, within = [], {}
    for result in units:
        train, test = result.settings.get("train"), result.settings.get("test")
        row = row_of(result.scores, SUBJECT_INDEPENDENT, "discriminator", "auc")
        if not len(row) or not np.isfinite(row["value"]):
            continue
        if train == test:
            within[test] = max(within.get(test, row), row, key=lambda r: r["value"])
        else:
            across.append({"test": test, "value": row["value"], "low": row["low"], "high": row["high"]})
    return across, within


def _both(parts: list[bool | None]) -> str:
    """Join parts of a claim: it holds where all do, and fails where one does; None is undecided."""
    return NOT_REPRODUCED if False in parts else NOT_DECIDED if None in parts else REPRODUCED


def _as_well(row: Mapping) -> bool | None:
    """Say whether a difference is above minus `MARGIN`, with its whole interval; None where the interval holds it."""
    return True if row["low"] > -MARGIN else False if row["high"] < -MARGIN else None


def generalisation_verdict(matrix: TransferResult | None, units: list[ExperimentResult]) -> Verdict:
    """Judge A3: features and classifiers generalise from one set to another.

    Reproduced where networks of other faces do as well as the set's own within `MARGIN`, on average over the sets, and
    every Action Unit experiment from one set to another is clearly above chance; not reproduced where one of the
    two clearly fails.
    """
    row = {} if matrix is None else row_of(matrix.scores, SUBJECT_INDEPENDENT, OTHERS, "minus_own")
    across, _ = _unit_rows(units)
    if not len(row):
        return Verdict("A3", CANNOT_BE_TESTED, because="no set has its own network and one of other faces")
    parts, baseline = [_as_well(row)], matrix.settings["baselines"][0]
    beside = row_of(matrix.scores, SUBJECT_INDEPENDENT, OTHERS, f"minus_{baseline}")["value"]
    because = (f"networks of other faces differ from the set's own by {row['value']:+.3f} in accuracy, where {MARGIN} less "
               f"still counts as equal, and from {baseline} by {beside:+.3f}")
    if across:
        clear = [cell["low"] > 0.5 for cell in across]
        parts.append(True if all(clear) else False if any(cell["high"] <= 0.5 for cell in across) else None)
        because += f"; {sum(clear)} of {len(across)} Action Unit experiments across sets are clearly above chance"
    return Verdict("A3", _both(parts), row["value"], row["low"], row["high"],
                   "accuracy of networks of other faces minus that of the set's own network, mean over sets", because)


def consistency_verdict(matrix: TransferResult | None, units: list[ExperimentResult]) -> Verdict:
    """Judge Q3: the generalisation is consistent across sets.

    Reproduced where networks of other faces do as well as the own one within `MARGIN` on every set, and no Action Unit
    experiment from one set to another lies clearly below the one within its test set; not reproduced where one does.
    """
    rows = [] if matrix is None else [
        row for row in matrix.scores.to_dict("records")
        if row["features"] == OTHERS and row["score"] == "minus_own" and row["label"] != "all"
    ]
    if len(rows) < 2:
        return Verdict("Q3", CANNOT_BE_TESTED, because="fewer than two sets have their own network and one of other faces")
    across, within = _unit_rows(units)
    worst = min(rows, key=lambda r: r["value"])
    parts = [_as_well(row) for row in rows]
    because = (f"on {parts.count(True)} of {len(rows)} sets networks of other faces do as well as the own one, on "
               f"{parts.count(False)} they are worse by more than the margin of {MARGIN}, whole interval")
    known = [cell for cell in across if cell["test"] in within]
    if known:
        below = [cell["high"] < within[cell["test"]]["low"] for cell in known]
        parts.append(not any(below))
        because += f"; {sum(below)} of {len(known)} Action Unit experiments across sets lie clearly below the one within"
    measure = f"accuracy of networks of other faces minus the own network's, faces of {worst['label']}: the worst set"
    return Verdict("Q3", _both(parts), worst["value"], worst["low"], worst["high"], measure, because)


def pretraining_verdict(matrix: TransferResult | None) -> Verdict:
    """Judge C3: frontal faces and many examples give better features.

    Many examples: Spearman's correlation of the number of faces a network learnt with its advantage over the networks of
    other faces; frontal: the network of frontal RaFD minus that of multi-view RaFD on the other sets, face by face.
    """
    if matrix is None:
        return Verdict("C3", CANNOT_BE_TESTED, because="there is no transfer matrix")
    table = matrix.scores[matrix.scores["score"] == "advantage"].set_index("features")["value"]
    sizes = np.array([matrix.settings["pretraining_faces"][name] for name in table.index], dtype=float)
    rho, p_value = rank_correlation(sizes, table.to_numpy())
    if np.isnan(rho):
        return Verdict("C3", CANNOT_BE_TESTED, because="fewer than three networks learnt from different numbers of faces")
    parts = [None if p_value >= 0.05 else rho > 0]
    because = (f"size of the pretraining set and advantage of its network: rank correlation {rho:+.2f} over {len(sizes)} "
               f"networks, p = {p_value:.2f}")
    row = {"value": rho}
    if {"rafd-frontal", "rafd-multiview"} <= set(matrix.settings["networks"]):
        faces = matrix.faces()
        difference = faces.right["rafd-frontal"].to_numpy() - faces.right["rafd-multiview"].to_numpy()
        elsewhere = ~np.isin(faces.target, ["rafd-frontal", "rafd-multiview"])
        frontal = faces.interval(np.where(elsewhere, difference, np.nan))
        if frontal["n_faces"]:
            parts.append(True if frontal["low"] > 0 else False if frontal["high"] < 0 else None)
            because += (f"; the network of frontal faces differs from that of multi-view ones by {frontal['value']:+.3f} "
                        f"[{frontal['low']:+.3f}, {frontal['high']:+.3f}] on the other sets")
    return Verdict("C3", _both(parts), row["value"], measure="Spearman's correlation of pretraining size and advantage",
                   because=because)


def size_differences(results: Mapping[str, LabelEfficiencyResult]) -> dict[str, dict[str, dict[str, float]]]:
    """Compare the small set with each larger one at the same number of labelled faces.

    Returns
    -------
    dict
        Larger set -> ``full``: its accuracy with all labels minus the small set's; ``matched``: at ``size``, the largest
        number of labelled faces that both have; ``shrinking``: what it loses by being cut down to that. Each has
        ``value, low, high``; the first two are from independent bootstraps of both sets' people.
    """
    if _SMALL_SET not in results:
        return {}
    curves = {name: _resampled_curve(results[name]) for name in (_SMALL_SET, *_LARGE_SETS) if name in results}
    small_sizes, small = curves[_SMALL_SET]
    found = {}
    for name in curves:
        if name == _SMALL_SET:
            continue
        sizes, large = curves[name]
        size = min(sizes[-1], small_sizes[-1])
        of_small, of_large = curve_at(small_sizes, small, size), curve_at(sizes, large, size)
        values = {"full": large[:, -1] - small[:, -1], "matched": of_large - of_small, "shrinking": large[:, -1] - of_large}
        found[name] = {key: _interval(of_resamples) for key, of_resamples in values.items()} | {"size": float(size)}
    return found


def _resampled_curve(result: LabelEfficiencyResult) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of labelled faces and the first method's accuracies: as measured, then one row for each resample."""
    right = result.right(result.methods[0])
    subjects = result.predictions.drop_duplicates("face").set_index("face")["subject"].loc[right.index].to_numpy(dtype=str)
    drawn = []

    def statistic(counts: np.ndarray, codes: np.ndarray) -> np.ndarray:
        drawn.append(np.stack([resampled_mean(right[n].to_numpy(), counts, codes) for n in right], axis=1))
        return drawn[-1]

    seed = int.from_bytes(result.methods[0].encode()) % 2**31  # sets are resampled independently of one another
    bootstrap_interval(statistic, subjects, result.settings["n_resamples"], seed)
    sizes = right.columns.map(result.train_faces()).to_numpy(dtype=float)
    return sizes, np.vstack([right.mean().to_numpy(), drawn[0]])


def _interval(values: np.ndarray) -> dict[str, float]:
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return dict(value=float(values[0]), low=float(low), high=float(high))


def size_verdict(results: Mapping[str, LabelEfficiencyResult]) -> Verdict:
    """Judge E7: SFEW suffers most because it is small.

    Each larger set is cut down to as many labelled faces as SFEW has. Reproduced where it is clearly better than SFEW with
    all its labels, clearly worse for being cut down, and then no longer clearly better; not reproduced where it is
    clearly better even so, or not better to begin with. The networks are those of the whole sets: only labels are cut.
    """
    found = size_differences(results)
    if not found:
        return Verdict("E7", CANNOT_BE_TESTED, because=f"needs curves of {_SMALL_SET} and of {' or '.join(_LARGE_SETS)}")
    parts, because = [], []
    for name, row in found.items():
        full, matched, shrinking = row["full"], row["matched"], row["shrinking"]
        explains = full["low"] > 0 and shrinking["low"] > 0 and matched["low"] <= 0
        parts.append(False if matched["low"] > 0 or full["high"] < 0 else True if explains else None)
        because.append(f"{name} minus {_SMALL_SET}: {full['value']:+.3f} with all labels, {matched['value']:+.3f} "
                       f"[{matched['low']:+.3f}, {matched['high']:+.3f}] at {row['size']:.0f} labelled faces each")
    name, row = max(found.items(), key=lambda item: item[1]["matched"]["value"])
    return Verdict("E7", _both(parts), **row["matched"], because="; ".join(because),
                   measure=f"accuracy on {name} minus that on {_SMALL_SET}, with the same number of labelled faces")


def size_curves(results: Mapping[str, LabelEfficiencyResult]) -> dict:
    """Return the curves of the sets that E7 speaks of, as `fergan.book.figures.experiments.learning_curves` draws them."""
    return size_tables({name: results[name] for name in (_SMALL_SET, *_LARGE_SETS) if name in results})
