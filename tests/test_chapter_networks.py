"""The chapters on generators, features and layers: what is said follows the numbers, whichever way they point."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from planted import HOSTILE

from fergan.book.chapters import networks as chapter
from fergan.book.show import say
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.gan import TrainConfig


def run(first, last, alarms=(), best=100, **changes):
    snapshots = pd.DataFrame({"step": [0, 100], "frechet": [first, last], "diversity_ratio": [0.2, 0.4 if "collapse" in alarms else 0.9],
                              "score_real": 0.995, "score_generated": 0.001, "alarm": ["", *alarms] if alarms else ["", ""]})
    finished = {"steps": 100, "best_step": best, "best_frechet": min(first, last), "alarms": list(alarms), "n_faces": 40, "seconds": 60.0}
    return SimpleNamespace(snapshots=snapshots, finished=finished, config=TrainConfig(preset="demo", batch_size=32, **changes))


def test_a_page_says_how_its_training_went_and_which_alarm_was_given():
    well, badly, collapse, certain = (chapter.run_summary(run(*of)) for of in (
        (30.0, 10.0), (10.0, 30.0), (30.0, 10.0, ["collapse"]), (30.0, 10.0, ["certain"], 50)))
    answers = [say("generator", "answer", r=one) for one in (well, badly, collapse)]
    assert "30.0 to 10.0" in answers[0] and "does not" in answers[1] and "1 of 2" in answers[2]
    watched = [say("generator", "watched", r=one) for one in (well, collapse, certain)]
    assert "No snapshot" in watched[0] and "0.40 times" in watched[1] and "0.995" in watched[2] and "0.001" in watched[2]


def test_the_chapter_counts_sets_and_alarms():
    datasets = {"a": "a", HOSTILE: HOSTILE, "a-2": "a"}
    runs = {"a": run(40.0, 10.0), HOSTILE: run(40.0, 20.0), "a-2": run(40.0, 60.0, ["collapse"], best=50, seed=1)}
    found = chapter.runs_summary(runs, datasets)
    assert (found["n"], found["n_own"], found["n_nearer"], found["alarmed"], found["early"]) == (3, 2, 2, ["a-2"], ["a-2"])
    text = say("generators", "answer", r=found)
    assert "50 %" in text and "75 % (a)" in text and "1 of 3" in text and "{{" not in text and "<b>" not in text
    mixed = chapter.runs_summary(runs | {HOSTILE: run(10.0, 20.0)}, datasets)
    assert "1 of 2 sets" in say("generators", "answer", r=mixed) and "-" not in say("generators", "answer", r=mixed).split("falls by")[1][:5]
    table = chapter.training_runs({"a": runs["a"], "a-2": run(40.0, 60.0, seed=1, beta1=0.9)}, datasets)
    assert table["differs in"].tolist() == ["–", "beta1 0.9, seed 1"] and "over seeds" not in table
    seeded = {"a": runs["a"], "a-3": run(40.0, 20.0, seed=3), "a-4": run(40.0, 60.0, seed=4, width=4), HOSTILE: run(40.0, 5.0, seed=1)}
    table = chapter.training_runs(seeded, datasets | {"a-3": "a", "a-4": "a"})
    assert table["over seeds"].dropna().to_dict() == {0: "15.0 (10.0\u00a0to\u00a020.0), 2"}, "of one width and set"


def test_every_departure_from_the_source_is_declared():
    """The source is Radford et al.'s code, not this package's preset of their name."""
    table = chapter.against_source({"here": TrainConfig(), "paper": TrainConfig(preset="paper")}).set_index("part")
    assert table.loc["width"].tolist() == ["64", "64", "128"] and table.loc["beta1"].tolist() == ["0.5", "0.9", "0.5"]
    assert "batch_size" not in table.index
    assert set(chapter._SOURCE["parameters"]) == set(TrainConfig.model_fields) - {"preset", "precision", "seed"}


def test_curves_are_shares_of_their_floors():
    one = run(40.0, 10.0)
    one.snapshots = one.snapshots.assign(recall=[0.1, 0.3], recall_floor=0.6)
    for runs in ({"a": one}, {"a": one, "b": one}):  # a panel for each score of one, and for each of several
        frechet, recall, *_ = (line.get_ydata() for ax in chapter.snapshot_curves(runs, ["frechet", "recall"]).axes[:2]
                               for line in ax.lines if len(line.get_ydata()) > 1 and line.get_label()[0] != "_")
        assert frechet.tolist() == [40, 10] and recall == pytest.approx([1 / 6, 0.5])


def test_directions_have_their_closed_form_and_the_best_layer_is_counted_with_its_sign():
    rng = np.random.default_rng(0)
    line = rng.normal(size=(400, 1)) * np.ones(8)
    table = chapter.features_table({("a", "b"): line, ("a", "c"): rng.normal(size=(400, 8))})
    assert table["effective dimensions"].tolist() == [pytest.approx(1), pytest.approx(8, rel=0.1)]
    assert table[["network of", "faces of", "features"]].values.tolist() == [["a", "b", 8], ["a", "c", 8]]
    planted = {"a": result([0.5, 0.6, 0.7], 0.05), "<b>": result([0.5, 0.4, 0.45], -0.1), "c": result([0.3, 0.4, 0.41], -0.01)}
    found = chapter.layers_summary(planted)
    assert found == dict(n=3, best=["a", "c"], others=["<b>"], higher=["a", "<b>", "c"], better=["a"], worse=["<b>"])
    text = say("features", "answer", sizes=[8], directions=[1, 2], r=found)
    assert "2 of 3 sets" in text and "clearly better than it on a" in text and "<b>" not in text


def result(accuracies, low):
    """Layers 1 and 4, and all of them; the interval of the last difference starts at low."""
    layers, last = ["1", "4", "all"], accuracies[1]
    rows = [dict(features=f, score="accuracy", value=a, low=0.0, high=1.0) for f, a in zip(layers, accuracies, strict=True)]
    rows += [dict(features=f, score="minus_last", value=a - last, low=left, high=right)
             for f, a, left, right in zip(layers, accuracies, (-0.1, 0, low), (0.1, 0, low + 0.05), strict=True)]
    return ExperimentResult(score_table(row | dict(label="all", protocol=SUBJECT_INDEPENDENT) for row in rows), None, None)


@pytest.mark.parametrize(("gain", "words"), [
    ((0.1, 0.05, 0.15), "it helps"), ((-0.1, -0.15, -0.05), "it harms"), ((0.01, np.nan, np.nan), "too few people"),
])
def test_what_training_buys_is_said_with_its_sign(gain, words):
    row = dict(zip(("value", "low", "high"), gain, strict=True)) | {"features": "9", "score": "minus_untrained"}
    table = pd.DataFrame([row | {"features": "0", "value": 0.0}, row, row | {"score": "accuracy"}])
    gains = chapter.training_gains({"<b>": SimpleNamespace(scores=table)})
    text = say("features", "training", gains=gains)
    assert words in text and f"{gain[0]:+.3f}".replace("-", "−") in text and "<b>" not in text
