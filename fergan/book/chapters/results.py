"""The pages across all experiments: the paper's numbers beside ours, and what became of each claim."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from markupsafe import Markup

from fergan.book.chapters.networks import training_curves
from fergan.book.plots import EVERY_PROTOCOL, WIDTH, score_dots, show_faces
from fergan.book.show import escape, interval, mean_between, rounded, say, signed, table_of
from fergan.cache import current
from fergan.claims import LEVEL, NOT_DECIDED, WORDS, Results, Trained, Verdict
from fergan.data.faces import FaceSet
from fergan.experiments.action_units import AUResult
from fergan.experiments.cross_validation import AS_PUBLISHED, SUBJECT_INDEPENDENT
from fergan.experiments.emotions import EmotionResult
from fergan.experiments.intervals import Score, side
from fergan.experiments.label_efficiency import LabelEfficiencyResult
from fergan.experiments.scores import FEATURES, ExperimentResult, triple
from fergan.experiments.transfer import TransferResult
from fergan.files import ROOT, read_json
from fergan.gan.runs import Run
from fergan.gan.sampling import sample
from fergan.human_study.answers import load_results
from fergan.paper import papers_scores, read_table
from fergan.quality.judge import load_scores

#: Kind of result -> what opens one.
_OPEN = {
    "emotions": EmotionResult.load, "action_units": AUResult.load, "label_efficiency": LabelEfficiencyResult.load,
    "transfer": TransferResult.load, "single_unit": AUResult.load, "human_study": load_results,
    "quality": lambda folder: load_scores(folder).set_index("score"),
    "mode_collapse": lambda folder: read_json(folder / "variety.json"),
}

#: Kind of experiment -> the score that stands for it.
_SCORES = {"emotions": "accuracy", "units": "auc"}


def read_results(artifacts: str, homes: Sequence[str], models: Mapping[str, Sequence[str]], *, rendered: bool,
                 replaced: Sequence[str]) -> Results:
    """Read the results of a book, see `Results`.

    In the folders `homes` there may be none, where a set is too small. For each generator `models` has its face set, and the
    Action Unit whose faces it learnt (None for all).
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
                                   len(run.finished["alarms"]), **more)
    raters = {name: studies["pair"].pooled for name, studies in found["human_study"].items() if "pair" in studies}
    return Results(
        rendered, frozenset(replaced), emotions, units, found["label_efficiency"],
        next(iter(found["transfer"].values()), None), generators, found["single_unit"],
        {name: pooled for name, pooled in raters.items() if pooled})


def repeats(artifacts: str, kind: str, numbers: Iterable[int], seeds: Sequence[int]) -> dict[int, list[Any]]:
    """Return the results of experiments on "emotions" or "action_units" on networks that were trained from further seeds."""
    return {n: [_OPEN[kind](current(f"{artifacts}/{kind}/experiment-{n}-seed-{seed}")) for seed in seeds] for n in numbers}


def over_seeds(result: ExperimentResult, others: Sequence[ExperimentResult], score: str, label: str = "all", *,
               features: str = FEATURES, minus: float = 0.0, protocol: str = SUBJECT_INDEPENDENT,
               write: Callable = rounded) -> dict[str, Markup]:
    """Return a column on how a score varies from training to training, see `mean_between`; no column where there is one."""
    values = [one.score(score, label, features, protocol)[0] - minus for one in (result, *others)]
    return {f"{len(values)} seeds": mean_between(values, write=write)} if others else {}


# ---- the paper's numbers beside ours

def overview_figure(artifacts: str, faces: Mapping[str, FaceSet], emotions: Mapping[int, EmotionResult],
                    learnt: Mapping[str, ExperimentResult]) -> plt.Figure:
    """Draw up to three sets' faces and samples, experiments beside opponents, and what was learnt (`learnt_by_training`)."""
    runs = {name: Run.load(current(f"{artifacts}/models/{name}")) for name in faces
            if (ROOT / artifacts / "models" / name / "current.json").is_file()}
    shown = list(runs)[:: max(1, len(runs) // 3)][:3]
    heights = [0.85 * len(shown)] + [0.8 + 0.52 * len(emotions)] * bool(emotions) + [2.2] * bool(learnt)
    rows = [["faces"] * 2] + [["scores"] * 2] * bool(emotions) + [["left", "right"]] * bool(learnt)
    figure, axes = plt.subplot_mosaic(rows, figsize=(WIDTH, sum(heights)), height_ratios=heights)
    images = [images for name in shown for images in (
        faces[name].images[np.linspace(0, len(faces[name]) - 1, 16).astype(int)], sample(runs[name], 16))]
    show_faces(axes["faces"], np.concatenate(images), n_columns=16)
    if emotions:
        score_dots(opponents(emotions), "experiment", "series", "accuracy on people never seen", ax=axes["scores"])
    if learnt:
        training_curves(learnt, runs, (axes["left"], axes["right"]))
    return figure


def learnt_by_training(artifacts: str, datasets: Sequence[str]) -> dict[str, ExperimentResult]:
    """Return the accuracies at the snapshots of the networks of those sets whose snapshots were scored."""
    homes = {name: f"{artifacts}/snapshots/{name}" for name in datasets}
    return {name: ExperimentResult.load(current(home)) for name, home in homes.items()
            if (ROOT / home / "current.json").is_file()}


#: Features -> their series in the overview.
_OPPONENTS = {"discriminator": "this book", "untrained": "untrained", "hog": "HOG", "none": "guessing"}


def opponents(emotions: Mapping[int, EmotionResult]) -> pd.DataFrame:
    """Return the paper's accuracy of each experiment, ours, and that of what learnt nothing, as `score_dots` draws them."""
    rows = []
    for number, result in emotions.items():
        found = {"the paper": (papers_score("emotions", number, result.settings), np.nan, np.nan)}
        found |= {words: result.score("majority_accuracy" if name == "none" else "accuracy", features=name)
                  for name, words in _OPPONENTS.items()}
        rows += [(f"{number}: {faces_of(result.settings)}", words, *ends) for words, ends in found.items()]
    return pd.DataFrame(rows, columns=["experiment", "series", "value", "low", "high"]).dropna(subset="value")


def faces_of(settings: Mapping[str, Any]) -> str:
    """Return whose faces an experiment is on: "sfew", or "enhanced-ck → rafd-frontal" from one set to another."""
    return " → ".join(dict.fromkeys(settings[key] for key in ("train", "test", "target") if key in settings))


def named(number: int, settings: Mapping[str, Any]) -> str:
    """Return how tables call an experiment: "2: celeba on rafd-frontal", the network on the faces; "7: kdef" on its own."""
    return f"{number}: {' on '.join(dict.fromkeys((settings['pretrained'], faces_of(settings))))}"


def titled(results: Mapping[int, ExperimentResult]) -> dict[str, ExperimentResult]:
    """Return the results of experiments by "number: faces"."""
    return {f"{number}: {faces_of(result.settings)}": result for number, result in results.items()}


def all_scores(results: Mapping[str, ExperimentResult], name: str) -> pd.DataFrame:
    """Return a score of every experiment, protocol and kind of features, as `score_dots` draws it."""
    table = pd.concat([result.scores.assign(experiment=words) for words, result in results.items()])
    return table.query("score == @name and label == 'all' and features != 'none'").replace({"protocol": EVERY_PROTOCOL})


def papers_score(kind: str, number: int, settings: Mapping[str, Any]) -> float:
    """Return the paper's accuracy ("emotions") or mean area ("units") of an experiment; NaN where it has no such one."""
    return papers_scores(kind, number, settings).get("accuracy" if kind == "emotions" else "all", np.nan)


def beside_the_paper(results: Mapping[str, Mapping[int, ExperimentResult]],
                     left_out: Mapping[str, Sequence[Mapping]] | None = None,
                     others: Mapping[str, Mapping] | None = None) -> pd.DataFrame:
    """Return one row per experiment of each kind: the paper's score and, if not `left_out`, ours by protocol and seeds."""
    rows = []
    for kind, of in results.items():
        known = {number: (result.settings, result) for number, result in of.items()}
        known |= {settings["experiment"]: (settings, None) for settings in (left_out or {}).get(kind, ())}
        words = {"emotions": "emotions, accuracy", "units": "AUs, mean AUC"}[kind]
        for number, (settings, result) in sorted(known.items()):
            ours = result and {title: result.score(_SCORES[kind], protocol=name) for name, title in EVERY_PROTOCOL.items()}
            rows.append({"kind": words} if len(results) > 1 else {})
            rows[-1] |= {"experiment": named(number, settings), "paper": papers_score(kind, number, settings)}
            rows[-1] |= {title: None if np.isnan(score[0]) else interval(score) for title, score in (ours or {}).items()}
            rows[-1] |= over_seeds(result, others[kind][number], _SCORES[kind]) if result and others else {}
    return table_of(rows).dropna(axis=1, how="all")


def rivals_of(kind: str, result: ExperimentResult) -> dict[str, Score]:
    """Return ours minus that of each other kind of features on people never seen, face by face."""
    names = result.settings["features"][1:] if kind == "emotions" else result.settings["baselines"]
    return {name: result.score(f"{_SCORES[kind]}_difference", features=name) for name in names}


def beside_rivals(kind: str, results: Mapping[int, ExperimentResult], others: Mapping | None = None) -> pd.DataFrame:
    """Return one row per experiment: ours minus each rival's (untrained: `over_seeds` too), that of guessing, labels."""
    rows = []
    for number, result in results.items():
        rivals = {f"minus {name}": signed(difference) for name, difference in rivals_of(kind, result).items()}
        guessing = result.score("majority_accuracy", features="none")[0] if kind == "emotions" else np.nan
        of_seeds = over_seeds(result, (others or {}).get(number, ()), _SCORES[kind], write=signed,
                              minus=result.score(_SCORES[kind], features="untrained")[0])
        rivals |= {f"minus untrained, {title}": cell for title, cell in of_seeds.items() if "minus untrained" in rivals}
        rows.append({"experiment": named(number, result.settings), **rivals, "commonest emotion": guessing,
                     "labels": int(result.row(_SCORES[kind])["n_labels"])})
    return table_of(rows).dropna(axis=1, how="all")


def rivals_reading(kind: str, results: Mapping[int, ExperimentResult]) -> dict[str, dict[str, Any]]:
    """Return for each rival over how many experiments it was compared (``n``), and in how many who is clearly better."""
    rows = pd.DataFrame([(name, difference[0], side(difference)) for result in results.values()
                         for name, difference in rivals_of(kind, result).items()], columns=["rival", "value", "side"])
    return {rival: {"n": len(of), "better": int((of["side"] == 1).sum()), "worse": int((of["side"] == -1).sum()),
                    "mean": of["value"].mean()} for rival, of in rows.groupby("rival", sort=False)}


def mean_scores(results: Mapping[int, ExperimentResult], kind: str) -> dict[str, float]:
    """Return means over experiments: as published, never seen, of HOG there; over those of the paper, its own and ours."""
    name = _SCORES[kind]
    table = pd.DataFrame({n: {
        "published": result.score(name, protocol=AS_PUBLISHED)[0], "honest": result.score(name)[0],
        "hog": result.score(name, features="hog")[0], "papers": papers_score(kind, n, result.settings),
    } for n, result in results.items()}, index=["published", "honest", "hog", "papers"], dtype=float).T
    own = table.dropna(subset="papers")
    means, own_means = (of.mean(skipna=False).to_dict() for of in (table, own))
    return means | {"n": len(table), "n_papers": len(own), "papers": own_means["papers"],
                    "published_of_papers": own_means["published"], "honest_of_papers": own_means["honest"]}


def protocol_gaps(emotions: Mapping[int, EmotionResult]) -> dict[str, dict[int, float]]:
    """Return in which experiments the published protocol scores clearly ``higher`` or ``lower``, and by how much."""
    gaps = {n: result.score("protocol_gap", protocol=AS_PUBLISHED) for n, result in emotions.items()}
    return {words: {n: sign * gap[0] for n, gap in gaps.items() if side(gap) == sign}
            for words, sign in (("higher", 1), ("lower", -1))}


def threshold_labels(result: EmotionResult | AUResult) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return, for each label that some faces show and others do not, who shows it and the decision values; never seen."""
    table = result.select()
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
    return table_of({"verdict": word, "claims": words.count(word), "meaning": say("claims", "meaning", word=word)}
                    for word in WORDS)


def claims_table(verdicts: Mapping[str, Verdict], unnamed: Sequence[str] = ()) -> pd.DataFrame:
    """Return one row per claim: its place, verdict, what we found, a link, what it rests on (photographs in `unnamed`)."""
    rows, claims = [], read_table("claims").set_index("id")
    for claim, verdict in verdicts.items():
        role = "numref" if verdict.shown_by.startswith(("fig-", "tab-")) else "ref"
        link = f" ({{{role}}}`{verdict.shown_by}`)" if verdict.shown_by else ""
        row = {"claim": Markup(f"**{claim}** {escape(claims.loc[claim, 'claim'])}"), "where": claims.loc[claim, "where"],
               "verdict": Markup(f"**{verdict.word}**"), "what we found": Markup(f"{sentence(claim, verdict)}{link}")}
        if verdict.people or verdict.trainings > 1:
            row["rests on"] = say("claims", "strength", people=verdict.people, unnamed=unnamed, trainings=verdict.trainings)
        rows.append(row)
    return table_of(rows)
