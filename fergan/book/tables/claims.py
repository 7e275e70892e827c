"""Tables and sentences of the page that judges the paper's claims."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd

from fergan.book.tables.words import listed, percent
from fergan.claims import judge, judge_all
from fergan.claims.printed import our_areas, papers_areas, unit_readings
from fergan.claims.verdict import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    STATED,
    WORDS,
    Generator,
    Results,
    Score,
    Verdict,
    score,
    triple,
)
from fergan.experiments.action_units import AUResult
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.label_efficiency import LabelEfficiencyResult
from fergan.experiments.scores import score_table
from fergan.experiments.transfer import TransferResult
from fergan.files import read_json
from fergan.gan.runs import Run
from fergan.paper import AU7_ALONE, read_table
from fergan.provenance import read_stamp


def read_results(
    home: Path, chapters: list[str], *, rendered: bool, replaced: list[str], emotions: list[int], units: list[int]
) -> Results:
    """Read the results of a book's chapters."""
    def folders(kind: str, chapter: str) -> list[Path]:
        return sorted(path.parent for path in (home / "results" / kind).glob("*/scores.json")) if chapter in chapters else []

    matrix = folders("transfer", "04c_transfer")
    raters = {folder.name: (read_json(folder / "scores.json").get("pair") or {}).get("pooled")
              for folder in folders("human_study", "06c_human_study")}
    return Results(
        rendered, frozenset(replaced),
        {n: EmotionResult.load(home / "results" / "emotions" / f"experiment-{n}") for n in emotions},
        {n: AUResult.load(home / "results" / "action_units" / f"experiment-{n}") for n in units},
        {folder.name: LabelEfficiencyResult.load(folder) for folder in folders("label_efficiency", "04b_label_efficiency")},
        TransferResult.load(matrix[0]) if matrix else None,
        _generators(home, folders("quality", "06_quality"), folders("mode_collapse", "06b_mode_collapse")),
        read_single_units(folders("single_unit", "05b_single_unit")),
        {name: pooled for name, pooled in raters.items() if pooled})


def read_single_units(folders: list[Path]) -> dict[str, pd.DataFrame]:
    """Read the scores of each generator of one unit's faces."""
    found = {folder.name: read_json(folder / "scores.json") for folder in folders}
    found = {page: rows["scores"] if isinstance(rows, dict) else rows for page, rows in found.items()}
    return {page: score_table({key: np.nan if value is None else value for key, value in row.items()} for row in rows)
            for page, rows in found.items()}


def _generators(home: Path, quality: list[Path], collapse: list[Path]) -> dict[str, Generator]:
    scores = {folder.name: read_json(folder / "scores.json")["scores"] for folder in quality}
    judged = {model: record for folder in collapse for model, record in read_json(folder / "scores.json").items()}
    found, trained = {}, sorted(path.parent.name for path in (home / "models").glob("*/run.json"))
    for model in dict.fromkeys([*judged, *trained]):
        stamp = read_stamp(home / "models" / model / "run.json")
        run = Run.load(home / "models" / model / stamp["folder"])
        record, finished = judged.get(model), run.finished
        seen = {} if record is None else {"variety": record["verdict"], "coverage": record["found"]["coverage"],
                                          "coverage_floor": record["floor"]["coverage"]}
        share = next((triple(row) for row in scores.get(model, []) if row["name"] == "faces_found"), None)
        found[model] = Generator(vars(run.config), stamp["dataset"], stamp["only"], finished["n_faces"],
                                 len(finished["alarms"]), finished["frechet"], faces_found=share, **seen)
    return found


@cache
def _sentences() -> Any:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined)
    environment.filters |= {"number": _number, "interval": _interval, "signed": _signed, "percent": percent,
                            "listed": lambda names: listed([str(name) for name in names])}
    template = resources.files("fergan.book") / "templates" / "claims.md.j2"
    return environment.from_string(template.read_text(encoding="utf-8")).module


def _number(value: float, decimals: int = 3) -> str:
    return f"{value:.{decimals}f}"


def _interval(of: Score) -> str:
    value, low, high = of
    return f"{value:.3f}" if np.isnan(low) else f"{value:.3f} [{low:.3f}, {high:.3f}]"


def _signed(of: Score | float, decimals: int = 3) -> str:
    numbers = [f"{number:+.{decimals}f}".replace("-", "−") for number in np.atleast_1d(of)]
    known = len(numbers) > 1 and not np.isnan(of[1])
    return f"{numbers[0]} [{numbers[1]}, {numbers[2]}]" if known else numbers[0]


def sentence(claim: str, verdict: Verdict) -> str:
    """Return what the template says of a verdict."""
    sentences = _sentences()
    macro = getattr(sentences, f"{claim}_{verdict.reason}", None) or getattr(sentences, verdict.reason)
    return str(macro(verdict.values)).strip()


def judged_claims(results: Results) -> pd.DataFrame:
    """Return one row per claim: ``id, where, claim, test, verdict, finding, shown_by``."""
    claims, verdicts = read_table("claims"), judge_all(results)
    findings = [sentence(name, verdict) for name, verdict in verdicts.items()]
    return claims.assign(verdict=[v.word for v in verdicts.values()], finding=findings,
                         shown_by=[v.shown_by for v in verdicts.values()])


def verdict_counts(judged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per word of a verdict: what it means, and how many claims have it."""
    counts, meanings = judged["verdict"].value_counts(), _sentences().meanings
    return pd.DataFrame([{"verdict": word, "claims": int(counts.get(word, 0)), "meaning": meanings[word]} for word in WORDS])


def parts_of_the_paper() -> Mapping[str, str]:
    """Return what the first letter of a claim says of where it stands."""
    return _sentences().parts


def claims_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per claim as the page shows it: claim, where, verdict, finding, and a link to what shows it."""
    return pd.DataFrame({
        "claim": [f"**{row.id}** {row.claim}" for row in judged.itertuples()],
        "where": judged["where"],
        "verdict": [f"**{verdict}**" for verdict in judged["verdict"]],
        "what we found": [f"{row.finding} {_link(row.shown_by)}".strip() for row in judged.itertuples()],
    })


def unit_claims_table(results: Results, emfacs: AUResult | None = None) -> pd.DataFrame:
    """Return one row per claim on Action Units: what the paper's own numbers say of it by one rule, and what ours say.

    Parameters
    ----------
    results : Results
        With ``units``, and ``single_units`` if there are some. Claims on experiments that are not the paper's are left out.
    emfacs : AUResult, optional
        Experiment 2 with the labels of the other mapping.
    """
    theirs, ours = unit_readings(papers_areas()), unit_readings(our_areas(results))
    theirs |= {"U1": Verdict(REPRODUCED, "reading", {"area": papers_areas().loc["mean", 1]}), "U3": judge("U3", results),
               "U4": replace(judge("U4", results), word=NOT_REPRODUCED),
               "U10": Verdict(REPRODUCED, "reading", {"learnt": AU7_ALONE["train"], "unseen": AU7_ALONE["test"]})}
    judged = {claim: judge(claim, results) for claim in ("U1", "U10")}
    ours |= {claim: verdict for claim, verdict in judged.items() if verdict.word != NOT_RUN}
    if emfacs is not None and 2 in our_areas(results):
        ours |= _on_the_mapping(results.units[2], emfacs)
    words, claims = {REPRODUCED: "yes", NOT_REPRODUCED: "no"}, read_table("claims").set_index("id")["claim"]
    rows = [{"claim": claim, "the paper says": claims[claim],
             "by its own numbers": sentence(claim, theirs[claim]), "so": words.get(theirs[claim].word, "–"),
             "here, people never seen": sentence(claim, ours[claim]), "so here": words.get(ours[claim].word, "–")}
            for claim in sorted(ours, key=lambda name: int(name[1:]))]
    return pd.DataFrame(rows)


def _on_the_mapping(paper: AUResult, emfacs: AUResult) -> dict[str, Verdict]:
    """Say what detectors of either mapping reach, and what they see on contemptuous faces: AU12 without AU6 by Table VI."""
    table = paper.select(SUBJECT_INDEPENDENT, "discriminator")
    table = table.pivot(index="face", columns="label", values=["occurrence", "predicted"])
    contempt = (table["occurrence"]["AU12"] == 1) & (table["occurrence"]["AU06"] == 0)
    shown = {unit: table["predicted"].loc[contempt, unit].mean() for unit in ("AU12", "AU09", "AU07") if contempt.any()}
    return {"U3": Verdict(STATED, "reading", {"paper": score(paper, "auc")[0], "emfacs": score(emfacs, "auc")[0]}),
            "U4": Verdict(STATED, "reading", {"shown": shown})}


def _link(label: str) -> str:
    if not label:
        return ""
    return f"({{numref}}`{label}`)" if label.startswith(("fig-", "tab-")) else f"({{ref}}`{label}`)"
