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
from fergan.claims.rules import papers_accuracy
from fergan.claims.verdict import WORDS, Results, Trained, Unjudged, Verdict, score, side, triple
from fergan.data.faces import FaceSet
from fergan.experiments.action_units import AUResult, papers_units
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult, accuracy_difference
from fergan.experiments.intervals import Difference
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

_HATCHES = ("", "xx", "..", "//", "\\\\", "", "")  # so that the bars can be told apart without colours


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
    """Draw real and generated faces of up to three sets, and the accuracy of each emotion experiment."""
    homes = {name: project_path(f"{artifacts}/models/{name}") for name in faces}
    names = [name for name, home in homes.items() if (home / "current.json").is_file()]
    figure, axes = plt.subplots(1, 2 if emotions else 1, figsize=(9.0, 3.4), squeeze=False)
    rows = [images for name in names[:: max(1, len(names) // 3)][:3] for images in (
        faces[name].images[np.linspace(0, len(faces[name]) - 1, 8).astype(int)], sample(Run.load(current(homes[name])), 8))]
    show_faces(axes[0, 0], np.concatenate(rows), n_columns=8)
    axes[0, 0].set_title("real (odd rows), drawn (below each)", loc="left")
    if emotions:
        named = {f"{n}: {result.settings['target']}": result for n, result in emotions.items()}
        score_dots(protocol_scores(named, "accuracy"), "experiment", "protocol", "accuracy", ax=axes[0, 1])
    return figure


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
            paper, faces = papers_score(kind, number, settings), [settings.get(key) for key in ("train", "test", "target")]
            ours = {words: score(result, name, protocol=protocol) if result else (np.nan,) * 3
                    for protocol, words in TWO_PROTOCOLS.items()}
            rows.append({"kind": "emotions, accuracy" if kind == "emotions" else "AUs, mean AUC", "experiment": number,
                         "network of": settings["pretrained"], "faces": " → ".join(filter(None, faces)), "paper": paper,
                         **{words: interval(found) for words, found in ours.items()},
                         "difference": ours["as published"][0] - paper})
    return pd.DataFrame(rows, dtype=object).astype({"paper": float, "difference": float}) if rows else pd.DataFrame()


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
    """Compare the order of the paper's experiments that this book has run with the order here, on people never seen."""
    results, rows = Results(emotions=emotions, units=units), []
    for row in read_table("orderings").itertuples():
        with suppress(Unjudged):
            pair = {number: results.experiment(row.kind, number) for number in (row.better, row.worse)}
            difference, paired = (accuracy_difference(*pair.values()) if row.kind == "emotions" else
                                  (Difference.of_scores(*(score(result, "auc") for result in pair.values())), False))
            better, worse = (papers_score(row.kind, number, result.settings) for number, result in pair.items())
            rows.append({"kind": "emotions" if row.kind == "emotions" else "AUs", "the paper says": row.claim,
                         "experiments": f"{row.better} over {row.worse}", "paper": better - worse,
                         "here": signed((difference.value, difference.low, difference.high)),
                         "same faces": "yes" if paired else "no",
                         "here it": {1: "holds", -1: "fails"}.get(difference.sign, "not decided")})
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
        return say("claims", f"{claim}_{verdict.reason}", v=verdict.values)
    except AttributeError:
        return say("claims", verdict.reason, v=verdict.values)


def claims_with(verdicts: Mapping[str, Verdict]) -> pd.DataFrame:
    """Return one row per claim: ``id, where, claim, test, verdict, finding, shown_by``."""
    rows = {claim: {"verdict": verdict.word, "finding": sentence(claim, verdict), "shown_by": verdict.shown_by}
            for claim, verdict in verdicts.items()}
    return read_table("claims").join(pd.DataFrame.from_dict(rows, "index", dtype=object), on="id", how="inner")


def verdict_counts(judged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per word of a verdict: how many claims have it, and what it means."""
    counts = judged["verdict"].value_counts().reindex(WORDS, fill_value=0).rename_axis("verdict").reset_index(name="claims")
    return counts.assign(meaning=pd.Series([say("claims", "meaning", word=word) for word in WORDS], dtype=object))


def claims_table(judged: pd.DataFrame) -> pd.DataFrame:
    """Return one row per claim as the page shows it: claim, where, verdict, finding, and a link to what shows it."""
    rows = []
    for row in judged.itertuples():
        role = "numref" if row.shown_by.startswith(("fig-", "tab-")) else "ref"
        link = f" ({{{role}}}`{row.shown_by}`)" if row.shown_by else ""
        rows.append({"claim": Markup(f"**{row.id}** {escape(row.claim)}"), "where": row.where,
                     "verdict": Markup(f"**{row.verdict}**"), "what we found": Markup(f"{row.finding}{link}")})
    return pd.DataFrame(rows, dtype=object)


def verdict_bars(judged: pd.DataFrame) -> Figure:
    """Draw how many claims of each part of the paper have which verdict."""
    counts = pd.crosstab(judged["id"].str[0].map(_PARTS), judged["verdict"])
    counts = counts.reindex(index=_PARTS.values(), columns=WORDS, fill_value=0)
    figure, ax = plt.subplots(figsize=(WIDTH, 4.2))
    colours = [*sns.color_palette("colorblind", 5), "0.75", "0.92"]
    counts.plot.barh(stacked=True, width=0.8, color=colours, edgecolor="white", legend=False, ax=ax)
    for bars, hatch in zip(ax.containers, _HATCHES, strict=True):
        for bar in bars:
            bar.set_hatch(hatch)
    ax.invert_yaxis()
    ax.set(xlabel="claims", ylabel="")
    ax.grid(False, axis="y")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure
