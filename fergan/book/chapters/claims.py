"""The page on the paper's claims: the results that decide them, what became of each, and how many have which verdict."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from markupsafe import Markup
from matplotlib.figure import Figure

from fergan.book.plots import WIDTH
from fergan.book.show import escape, say
from fergan.cache import current
from fergan.claims.printed import our_areas, papers_areas, unit_readings
from fergan.claims.verdict import WORDS, Results, Trained, Verdict, triple
from fergan.experiments.action_units import AUResult, load_single_unit
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.label_efficiency import LabelEfficiencyResult
from fergan.experiments.transfer import TransferResult
from fergan.files import read_json
from fergan.gan.runs import Run
from fergan.human_study.answers import load_results
from fergan.paper import read_table
from fergan.quality.judge import SampleScores

#: First letter of a claim -> what it is about.
PARTS = {"A": "abstract", "Q": "questions", "C": "contributions", "M": "method", "E": "emotions", "U": "Action Units",
         "G": "generators", "F": "conclusion, future", "R": "figures, references"}

_HATCHES = ("", "xx", "..", "//", "\\\\", "", "")  # so that the bars can be told apart without colours


def read_results(
    artifacts: str, homes: Sequence[str], models: Mapping[str, Sequence[str]], *, rendered: bool, replaced: Sequence[str]
) -> Results:
    """Read the results of a book, see `Results`.

    Parameters
    ----------
    homes : folders of the results that this book has; where nothing could be found out (a set too small) there may be none
    models : generator -> its face set, and the Action Unit whose faces it learnt (None for all)
    """
    folders: dict[str, dict[str, Path]] = {}
    for kind, name in (home.split("/") for home in homes):
        with suppress(FileNotFoundError):
            folders.setdefault(kind, {})[name] = current(f"{artifacts}/{kind}/{name}")

    def numbered(kind: str, cls: type) -> dict[int, Any]:
        return {int(name.removeprefix("experiment-")): cls.load(folder) for name, folder in folders.get(kind, {}).items()}

    generators = {}
    for name, (dataset, only) in models.items():
        run = Run.load(current(f"{artifacts}/models/{name}"))
        finished, more = run.finished, {}
        if name in folders.get("quality", {}):
            scores = SampleScores.load(folders["quality"][name]).scores.set_index("score")
            more["faces_found"] = triple(scores.loc["faces_found"])
        if name in folders.get("mode_collapse", {}):
            record = read_json(folders["mode_collapse"][name] / "variety.json")
            more |= {"variety": record["verdict"], "coverage": record["found"]["coverage"],
                     "coverage_floor": record["floor"]["coverage"]}
        generators[name] = Trained(run.config.model_dump(), dataset, only or "", finished["n_faces"],
                                     len(finished["alarms"]), finished["frechet"], **more)
    raters = {name: load_results(folder).get("pair") for name, folder in folders.get("human_study", {}).items()}
    transfer = [TransferResult.load(folder) for folder in folders.get("transfer", {}).values()]
    return Results(
        rendered, frozenset(replaced), numbered("emotions", EmotionResult), numbered("action_units", AUResult),
        {name: LabelEfficiencyResult.load(folder) for name, folder in folders.get("label_efficiency", {}).items()},
        transfer[0] if transfer else None, generators,
        {name: load_single_unit(folder)[1] for name, folder in folders.get("single_unit", {}).items()},
        {name: found.pooled for name, found in raters.items() if found is not None and found.pooled})


# ---- what became of each claim

def sentence(claim: str, verdict: Verdict) -> Markup:
    """Return what the template says of a verdict: its passage of the claim and the reason, or else of the reason alone."""
    try:
        return say("claims", f"{claim}_{verdict.reason}", v=verdict.values)
    except AttributeError:
        return say("claims", verdict.reason, v=verdict.values)


def claims_with(verdicts: Mapping[str, Verdict]) -> pd.DataFrame:
    """Return one row per claim: ``id, where, claim, test, verdict, finding, shown_by``."""
    rows = [{"id": claim, "verdict": verdict.word, "finding": sentence(claim, verdict), "shown_by": verdict.shown_by}
            for claim, verdict in verdicts.items()]
    return read_table("claims").merge(pd.DataFrame(rows, dtype=object), on="id")


def verdict_counts(judged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per word of a verdict: how many claims have it, and what it means."""
    counts = judged["verdict"].value_counts()
    return pd.DataFrame({"verdict": WORDS, "claims": [int(counts.get(word, 0)) for word in WORDS],
                         "meaning": pd.Series([say("claims", "meaning", word=word) for word in WORDS], dtype=object)})


def claims_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per claim as the page shows it: claim, where, verdict, finding, and a link to what shows it."""
    rows = [{"claim": Markup(f"**{row.id}** {escape(row.claim)}"), "where": row.where,
             "verdict": Markup(f"**{row.verdict}**"),
             "what we found": Markup(f"{row.finding} {_link(row.shown_by)}".strip())}
            for row in judged.itertuples()]
    return pd.DataFrame(rows, dtype=object)


def _link(label: str) -> str:
    if not label:
        return ""
    return f"({{numref}}`{label}`)" if label.startswith(("fig-", "tab-")) else f"({{ref}}`{label}`)"


def verdict_bars(judged: pd.DataFrame) -> Figure:
    """Draw how many claims of each part of the paper have which verdict."""
    counts = pd.crosstab(judged["id"].str[0].map(PARTS), judged["verdict"])
    counts = counts.reindex(index=PARTS.values(), columns=WORDS, fill_value=0)
    colours = [*sns.color_palette("colorblind", 5), "0.75", "0.92"]
    figure, ax = plt.subplots(figsize=(WIDTH, 4.2))
    left = pd.Series(0, counts.index)
    for word, colour, hatch in zip(counts, colours, _HATCHES, strict=True):
        ax.barh(counts.index, counts[word], left=left, color=colour, hatch=hatch, edgecolor="white", label=word)
        left += counts[word]
    ax.invert_yaxis()
    ax.set_xlabel("claims")
    ax.grid(False, axis="y")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure


def unit_claims_table(units: Mapping[int, AUResult]) -> pd.DataFrame:
    """Return one row per claim on Table IV: what the paper's areas say of it by one rule, and what ours say.

    Claims on experiments that are not the paper's are left out.
    """
    theirs, ours = unit_readings(papers_areas()), unit_readings(our_areas(Results(units=units)))
    words, claims = {True: "yes", False: "no", None: None}, read_table("claims").set_index("id")["claim"]
    rows = [{"claim": claim, "the paper says": claims[claim],
             "in its Table IV": say("claims", f"{claim}_reading", v=theirs[claim][1]), "so": words[theirs[claim][0]],
             "here, people never seen": say("claims", f"{claim}_reading", v=values), "so here": words[holds]}
            for claim, (holds, values) in ours.items()]
    return pd.DataFrame(rows, dtype=object)
