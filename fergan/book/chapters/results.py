"""The pages across all experiments: the paper's numbers beside ours, and what became of each claim."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from markupsafe import Markup
from matplotlib.figure import Figure

from fergan.book.plots import EVERY_PROTOCOL, TWO_PROTOCOLS, WIDTH, score_dots, show_faces
from fergan.book.show import escape, interval, say, signed
from fergan.cache import current, project_path
from fergan.claims import LEVEL, NOT_DECIDED, WORDS, Results, Trained, Unjudged, Verdict, score, side, triple
from fergan.claims.rules import emotion_difference, papers_accuracy
from fergan.data.faces import FaceSet
from fergan.experiments.action_units import AUResult, area_difference, papers_units
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.label_efficiency import LabelEfficiencyResult
from fergan.experiments.scores import ExperimentResult
from fergan.experiments.transfer import TransferResult
from fergan.files import read_json
from fergan.gan.runs import Run
from fergan.gan.sampling import sample
from fergan.human_study.answers import load_results
from fergan.paper import papers_own, read_table
from fergan.quality.judge import SampleScores

#: Kind of result -> what opens one.
_OPEN = {
    "emotions": EmotionResult.load, "action_units": AUResult.load, "label_efficiency": LabelEfficiencyResult.load,
    "transfer": TransferResult.load, "single_unit": AUResult.load, "human_study": load_results,
    "quality": lambda folder: SampleScores.load(folder).scores.set_index("score"),
    "mode_collapse": lambda folder: read_json(folder / "variety.json"),
}

#: First letter of a claim -> what it is about.
_PARTS = {"A": "abstract", "Q": "questions", "C": "contributions", "M": "method", "E": "emotions", "U": "Action Units",
          "G": "generators", "F": "conclusion, future", "R": "figures, references"}


def experiments(artifacts: str, kind: str, numbers: Iterable[int]) -> dict[int, Any]:
    """Open the results of experiments, "emotions" or "action_units"."""
    return {number: _OPEN[kind](current(f"{artifacts}/{kind}/experiment-{number}")) for number in numbers}


def read_results(
    artifacts: str, homes: Sequence[str], models: Mapping[str, Sequence[str]], *, rendered: bool, replaced: Sequence[str]
) -> Results:
    """Read the results of a book, see `Results`.

    Args:
        homes: Folders of its results; where nothing could be found out (a set too small) there may be none.
        models: Generator -> its face set, and the Action Unit whose faces it learnt (None for all).
    """
    found: dict[str, dict[str, Any]] = defaultdict(dict)
    for kind, name in (home.split("/") for home in homes):
        with suppress(FileNotFoundError):
            found[kind][name] = current(f"{artifacts}/{kind}/{name}")
    found.update({kind: {name: _OPEN[kind](folder) for name, folder in of.items()} for kind, of in found.items()})
    emotions, units = ({int(name.removeprefix("experiment-")): result for name, result in found[kind].items()}
                       for kind in ("emotions", "action_units"))
    generators = {}
    for name, (dataset, only) in models.items():
        run, more = Run.load(current(f"{artifacts}/models/{name}")), {}
        if name in found["quality"]:
            more["faces_found"] = triple(found["quality"][name].loc["faces_found"])
        if judged := found["mode_collapse"].get(name):
            more |= {"variety": judged["verdict"], "coverage": judged["found"]["coverage"],
                     "coverage_floor": judged["floor"]["coverage"]}
        generators[name] = Trained(run.config.model_dump(), dataset, only or "", run.finished["n_faces"],
                                   len(run.finished["alarms"]), run.finished["frechet"], **more)
    raters = {name: studies["pair"].pooled for name, studies in found["human_study"].items() if "pair" in studies}
    return Results(
        rendered, frozenset(replaced), emotions, units, found["label_efficiency"],
        next(iter(found["transfer"].values()), None), generators, found["single_unit"],
        {name: pooled for name, pooled in raters.items() if pooled})


# ---- the paper's numbers beside ours

def overview_figure(artifacts: str, faces: Mapping[str, FaceSet], emotions: Mapping[int, EmotionResult]) -> Figure:
    """Draw real and generated faces of up to three sets, and below them each emotion experiment beside its opponents."""
    homes = {name: project_path(f"{artifacts}/models/{name}") for name in faces}
    names = [name for name, home in homes.items() if (home / "current.json").is_file()]
    shown = names[:: max(1, len(names) // 3)][:3]
    heights = [0.85 * len(shown), 0.8 + 0.52 * len(emotions)] if emotions else [0.85 * len(shown)]
    figure, axes = plt.subplots(len(heights), 1, figsize=(WIDTH, sum(heights)), squeeze=False, height_ratios=heights)
    rows = [images for name in shown for images in (
        faces[name].images[np.linspace(0, len(faces[name]) - 1, 16).astype(int)],
        sample(Run.load(current(homes[name])), 16))]
    show_faces(axes[0, 0], np.concatenate(rows), n_columns=16)
    if emotions:
        score_dots(opponents(emotions), "experiment", "series", "accuracy on people never seen", ax=axes[1, 0])
    return figure


#: Series of `opponents` -> the features and the score that it shows.
_OPPONENTS = {"this book": ("discriminator", "accuracy"), "untrained": ("untrained", "accuracy"), "HOG": ("hog", "accuracy"),
              "guessing": ("none", "majority_accuracy")}


def opponents(emotions: Mapping[int, EmotionResult]) -> pd.DataFrame:
    """Return the paper's accuracy of each experiment, ours, and that of what learnt nothing, as `score_dots` draws them."""
    rows = []
    for number, result in emotions.items():
        found = {"the paper": (papers_score("emotions", number, result.settings), np.nan, np.nan)}
        found |= {series: score(result, name, features=features) for series, (features, name) in _OPPONENTS.items()}
        rows += [(f"{number}: {result.settings['target']}", series, *ends) for series, ends in found.items()]
    return pd.DataFrame(rows, columns=["experiment", "series", "value", "low", "high"]).dropna(subset="value")


def protocol_scores(results: Mapping[str, ExperimentResult], name: str) -> pd.DataFrame:
    """Return a score of every experiment under every protocol, discriminator features, as `score_dots` draws it."""
    table = pd.concat([result.scores.assign(experiment=words) for words, result in results.items()])
    chosen = (table["features"] == "discriminator") & (table["label"] == "all") & (table["score"] == name)
    return table[chosen].replace({"protocol": EVERY_PROTOCOL})


def papers_score(kind: str, number: int, settings: Mapping[str, Any]) -> float:
    """Return the paper's accuracy ("emotions") or mean area ("units") of an experiment; NaN where it has no such one."""
    if not papers_own(kind, number, settings):
        return np.nan
    return papers_accuracy(number) if kind == "emotions" else papers_units(number, settings)["all"]


def paper_and_ours(
    emotions: Mapping[int, EmotionResult], units: Mapping[int, AUResult],
    left_out: Mapping[str, Sequence[Mapping]] | None = None,
) -> pd.DataFrame:
    """Return one row per experiment of either kind; one that was `left_out` (kind -> settings) has a row without scores."""
    rows = []
    for kind, results, name in (("emotions", emotions, "accuracy"), ("units", units, "auc")):
        known = {number: (result.settings, result) for number, result in results.items()}
        known |= {settings["experiment"]: (settings, None) for settings in (left_out or {}).get(kind, ())}
        for number, (settings, result) in sorted(known.items()):
            faces = [settings.get(key) for key in ("train", "test", "target")]
            ours = {words: score(result, name, protocol=protocol) if result else (np.nan,) * 3
                    for protocol, words in TWO_PROTOCOLS.items()}
            rows.append({"kind": "emotions, accuracy" if kind == "emotions" else "AUs, mean AUC", "experiment": number,
                         "network of": settings["pretrained"], "faces": " → ".join(filter(None, faces)),
                         "paper": papers_score(kind, number, settings),
                         **{words: interval(found) for words, found in ours.items()}})
    return pd.DataFrame(rows, dtype=object).astype({"paper": float}).dropna(axis=1, how="all") if rows else pd.DataFrame()


def mean_scores(results: Mapping[int, ExperimentResult], kind: str) -> dict[str, float]:
    """Return means over experiments: as published, never seen, of HOG there; over those of the paper, its own and ours."""
    name = "accuracy" if kind == "emotions" else "auc"
    table = pd.DataFrame({n: {
        "published": score(result, name, protocol=AS_PUBLISHED)[0], "honest": score(result, name)[0],
        "hog": score(result, name, features="hog")[0], "papers": papers_score(kind, n, result.settings),
    } for n, result in results.items()}, index=["published", "honest", "hog", "papers"], dtype=float).T
    own = table.dropna(subset="papers")
    means, own_means = (of.mean(skipna=False).to_dict() for of in (table, own))
    return means | {"n": len(table), "n_papers": len(own), "papers": own_means["papers"],
                    "published_of_papers": own_means["published"], "honest_of_papers": own_means["honest"]}


def protocol_gaps(emotions: Mapping[int, EmotionResult]) -> dict[str, dict[int, float]]:
    """Return in which experiments the published protocol scores clearly ``higher`` or ``lower``, and by how much."""
    gaps = {n: score(result, "protocol_gap", protocol=AS_PUBLISHED) for n, result in emotions.items()}
    return {words: {n: sign * gap[0] for n, gap in gaps.items() if side(gap) == sign}
            for words, sign in (("higher", 1), ("lower", -1))}


def orderings(emotions: Mapping[int, EmotionResult], units: Mapping[int, AUResult]) -> pd.DataFrame:
    """Return the orders that the paper reports of experiments that this book has, and our differences on people never seen.

    Differences are `emotion_difference`, or of mean areas on the same faces. Verdicts on them are those of the claims.
    """
    results, rows = Results(emotions=emotions, units=units), []
    for row in read_table("orderings").itertuples():
        with suppress(Unjudged):
            pair = {number: results.experiment(row.kind, number) for number in (row.better, row.worse)}
            here, paired = emotion_difference(*pair.values()) if row.kind == "emotions" else (
                triple(area_difference(*pair.values())), True)
            better, worse = (papers_score(row.kind, number, result.settings) for number, result in pair.items())
            rows.append({"kind": "emotions" if row.kind == "emotions" else "AUs", "the paper says": row.claim,
                         "experiments": f"{row.better} over {row.worse}", "paper": better - worse, "here": signed(here),
                         "same people": "yes" if paired else "no, balanced accuracy"})
    return pd.DataFrame(rows, dtype=object).astype({"paper": float}) if rows else pd.DataFrame()


def threshold_labels(result: EmotionResult | AUResult) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return, for each label that some faces show and others do not, who shows it and the decision values; never seen."""
    table = result.select(SUBJECT_INDEPENDENT, "discriminator")
    if isinstance(result, EmotionResult):
        labels = {e: ((table["true"] == e).to_numpy(), table[f"value_{e}"].to_numpy()) for e in result.emotions}
    else:
        groups = table.dropna(subset=["occurrence", "value"]).groupby("label", sort=False)
        labels = {unit: ((rows["occurrence"] == 1).to_numpy(), rows["value"].to_numpy()) for unit, rows in groups}
    return {label: arrays for label, arrays in labels.items() if arrays[0].any() and not arrays[0].all()}


# ---- what became of each claim

def sentence(claim: str, verdict: Verdict) -> Markup:
    """Return what the template says of a verdict: its passage of the claim and the reason, or else of the reason alone."""
    try:
        found = say("claims", f"{claim}_{verdict.reason}", v=verdict.values)
    except AttributeError:
        found = say("claims", verdict.reason, v=verdict.values)
    return Markup(f"{found} {say('claims', 'by_chance')}") if by_chance(verdict) else found


def by_chance(verdict: Verdict) -> bool:
    """Return whether a claim would be decided if it were the only one."""
    return verdict.p <= LEVEL and verdict.word == NOT_DECIDED


def chance_reading(verdicts: Mapping[str, Verdict]) -> dict[str, Any]:
    """Return how many claims scores decide, how many chance would, and which the correction for their number leaves open."""
    tested = {claim: verdict for claim, verdict in verdicts.items() if np.isfinite(verdict.p)}
    return {"tested": len(tested), "expected": LEVEL * len(tested),
            "decided": sum(verdict.word != NOT_DECIDED for verdict in tested.values()),
            "lost": [claim for claim, verdict in tested.items() if by_chance(verdict)]}


def verdict_counts(verdicts: Mapping[str, Verdict]) -> pd.DataFrame:
    """Return one row per word of a verdict: how many claims have it, and what it means."""
    words = [verdict.word for verdict in verdicts.values()]
    rows = [{"verdict": word, "claims": words.count(word), "meaning": say("claims", "meaning", word=word)} for word in WORDS]
    return pd.DataFrame(rows, dtype=object).astype({"claims": int})


def claims_table(verdicts: Mapping[str, Verdict]) -> pd.DataFrame:
    """Return one row per claim: where it stands, its verdict, what we found, a link to that, and what it rests on."""
    rows, claims = [], read_table("claims").set_index("id")
    for claim, verdict in verdicts.items():
        role = "numref" if verdict.shown_by.startswith(("fig-", "tab-")) else "ref"
        link = f" ({{{role}}}`{verdict.shown_by}`)" if verdict.shown_by else ""
        row = {"claim": Markup(f"**{claim}** {escape(claims.loc[claim, 'claim'])}"), "where": claims.loc[claim, "where"],
               "verdict": Markup(f"**{verdict.word}**"), "what we found": Markup(f"{sentence(claim, verdict)}{link}")}
        if verdict.people or verdict.trainings > 1:
            row["rests on"] = say("claims", "strength", people=verdict.people, trainings=verdict.trainings)
        rows.append(row)
    return pd.DataFrame(rows, dtype=object)


def verdict_cells(verdicts: Mapping[str, Verdict]) -> Figure:
    """Draw how many claims of each part of the paper have which verdict."""
    parts, words = pd.Series([_PARTS[claim[0]] for claim in verdicts]), pd.Series([one.word for one in verdicts.values()])
    counts = pd.crosstab(parts, words).reindex(index=_PARTS.values(), columns=WORDS, fill_value=0)
    figure, ax = plt.subplots(figsize=(WIDTH, 3.8))
    words = counts.astype(str).replace("0", "")
    sns.heatmap(counts, annot=words, fmt="", cmap="Blues", vmax=12, cbar=False, linewidths=1, linecolor="0.9", ax=ax)
    ax.set(xlabel="", ylabel="")
    ax.set_xticklabels([word.replace(" on this", "\non this") for word in WORDS], rotation=30, ha="right")
    return figure
