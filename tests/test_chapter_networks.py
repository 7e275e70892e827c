"""The chapters on generators, features and layers: what is said follows the numbers, whichever way they point."""

from functools import partial
from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest

from fergan.book.chapters import networks as chapter
from fergan.book.show import say
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.gan import TrainConfig

matplotlib.use("agg")
HOSTILE = "{{ 7*7 }}|<b>x</b>"


def run(first, last, alarms=(), best=100, **changes):
    snapshots = pd.DataFrame({"step": [0, 100], "frechet": [first, last], "diversity_ratio": [0.2, 0.4 if "collapse" in alarms else 0.9],
                              "score_real": 0.995, "score_generated": 0.001, "alarm": ["", *alarms] if alarms else ["", ""]})
    finished = {"steps": 100, "best_step": best, "best_frechet": min(first, last), "alarms": list(alarms), "n_faces": 40, "seconds": 60.0}
    return SimpleNamespace(snapshots=snapshots, finished=finished, config=TrainConfig(preset="demo", batch_size=32, **changes))


@pytest.mark.parametrize(("one", "words"), [
    (run(30.0, 10.0), ["learns to draw", "30.0 to 10.0", "none of 2"]), (run(10.0, 30.0), ["does not learn"]),
    (run(30.0, 10.0, ["collapse"]), ["with alarms", "1 of 2"]),
])
def test_a_page_says_how_its_training_went(one, words):
    text = say("generator", "answer", r=chapter.run_summary(one)).lower()
    assert all(word in text for word in words), text


def test_an_alarm_is_named_and_the_best_snapshot():
    collapse, certain, none = (say("generator", "watched", r=chapter.run_summary(run(30.0, 10.0, alarms, best)))
                               for alarms, best in ((["collapse"], 100), (["certain"], 50), ([], 100)))
    assert "0.40 times as varied" in collapse and "0.995" in certain and "0.001" in certain and "No snapshot" in none
    assert "shorter training" in certain and "last weights are the best" in collapse


def test_the_chapter_counts_sets_and_alarms():
    datasets = {"a": "a", HOSTILE: HOSTILE, "a-2": "a"}
    runs = {"a": run(40.0, 10.0), HOSTILE: run(40.0, 20.0), "a-2": run(40.0, 60.0, ["collapse"], best=50, seed=1)}
    found = chapter.runs_summary(runs, datasets)
    assert (found["n"], found["n_own"], found["n_nearer"], found["alarmed"], found["early"]) == (3, 2, 2, ["a-2"], ["a-2"])
    text = say("generators", "answer", r=found)
    assert "every set" in text and "50 %" in text and "75 % (a)" in text and "1 of 3" in text and "{{" not in text and "<b>" not in text
    assert "a-2" in say("generators", "found", r=found)
    mixed = chapter.runs_summary(runs | {HOSTILE: run(10.0, 20.0)}, datasets)
    assert "1 of 2 sets" in say("generators", "answer", r=mixed) and "-" not in say("generators", "answer", r=mixed).split("falls by")[1][:5]
    worse = chapter.runs_summary({"a": run(10.0, 20.0)}, datasets)
    assert "none of 1" in say("generators", "answer", r=worse).lower()


def test_tables_say_what_each_training_changed():
    runs = {"a": run(40.0, 10.0), "a-2": run(40.0, 60.0, seed=1, beta1=0.9)}
    table = chapter.training_runs(runs, {"a": "a", "a-2": "a"})
    assert table["differs in"].tolist() == ["–", "beta1 0.9, seed 1"] and table["minutes"].tolist() == [1.0, 1.0]


def test_every_departure_from_the_source_is_declared():
    """The source is Radford et al.'s code, not this package's preset of their name."""
    table = chapter.against_source({"here": TrainConfig(), "paper": TrainConfig(preset="paper")}).set_index("part")
    assert table.loc["kernels"].tolist() == ["4×4", "4×4", "5×5"] and table.loc["noise", "Radford et al."] == "uniform in −1..1"
    assert {"width", "generator_width", "epochs", "beta1"} <= set(table.index) and "batch_size" not in table.index
    assert table.loc["width"].tolist() == ["64", "64", "128"] and table.loc["beta1"].tolist() == ["0.5", "0.9", "0.5"]
    names = set(chapter._SOURCE["parameters"])
    assert names == set(TrainConfig.model_fields) - {"preset", "precision", "seed"}


def test_the_film_shows_its_ends_and_curves_are_shares_of_their_floors():
    film = chapter.filmstrip(np.arange(0, 1300, 100), np.zeros((13, 16, 64, 64, 3), np.uint8))
    assert [label.get_text() for label in film.axes[0].get_xticklabels()][::8] == ["0", "1,200"]
    one = run(40.0, 10.0)
    one.snapshots = one.snapshots.assign(recall=[0.1, 0.3], recall_floor=0.6)
    for runs in ({"a": one}, {"a": one, "b": one}):  # a panel for each score of one, and for each of several
        frechet, recall, *_ = (line.get_ydata() for ax in chapter.snapshot_curves(runs, ["frechet", "recall"]).axes[:2]
                               for line in ax.lines if len(line.get_ydata()) > 1 and line.get_label()[0] != "_")
        assert frechet.tolist() == [40, 10] and recall == pytest.approx([1 / 6, 0.5])
    matplotlib.pyplot.close("all")


# ---- features

def test_directions_that_matter_have_their_closed_form():
    rng = np.random.default_rng(0)
    line = rng.normal(size=(400, 1)) * np.ones(8)
    table = chapter.features_table({("a", "b"): line, ("a", "c"): rng.normal(size=(400, 8))})
    assert table["effective dimensions"].tolist() == [pytest.approx(1), pytest.approx(8, rel=0.1)]
    assert table[["network of", "faces of", "features"]].values.tolist() == [["a", "b", 8], ["a", "c", 8]]
    text = say("features", "answer", sizes=[8, 8], directions=table["effective dimensions"].tolist(), r=None)
    assert "8 numbers" in text and "between 1 and 8" in text and "hidden layer" not in text


def result(accuracies, low):
    """Layers 1 and 4, and all of them; the interval of the last difference starts at low."""
    layers, last = ["1", "4", "all"], accuracies[1]
    rows = [dict(features=f, score="accuracy", value=a, low=0.0, high=1.0) for f, a in zip(layers, accuracies, strict=True)]
    rows += [dict(features=f, score="minus_last", value=a - last, low=left, high=right)
             for f, a, left, right in zip(layers, accuracies, (-0.1, 0, low), (0.1, 0, low + 0.05), strict=True)]
    return ExperimentResult(score_table(row | dict(label="all", protocol=SUBJECT_INDEPENDENT) for row in rows), None, None)


def test_the_best_layer_is_counted_and_differences_judged_with_their_sign():
    planted = {"a": result([0.5, 0.6, 0.7], 0.05), "<b>": result([0.5, 0.4, 0.45], -0.1), "c": result([0.3, 0.4, 0.41], -0.01)}
    found = chapter.layers_summary(planted)
    assert found == dict(n=3, best=["a", "c"], others=["<b>"], higher=["a", "<b>", "c"], better=["a"], worse=["<b>"])
    said = partial(say, "features", "answer", sizes=[8], directions=[1, 2])
    text = said(r=found)
    assert "2 of 3 sets" in text and "clearly better than it on a" in text and "<b>" not in text
    assert "every set" in said(r=found | {"others": []})
    assert "1 of 3" in say("features", "found", r=found) and "none of 3" in say("features", "found", r=found | {"better": []})


@pytest.mark.parametrize(("gain", "words"), [
    ((0.1, 0.05, 0.15), "it helps"), ((-0.1, -0.15, -0.05), "it harms"), ((0.01, -0.1, 0.1), "contains 0"),
    ((0.01, np.nan, np.nan), "too few people"),
])
def test_what_training_buys_is_said_with_its_sign(gain, words):
    row = dict(zip(("value", "low", "high"), gain, strict=True)) | {"features": "9", "score": "minus_untrained"}
    table = pd.DataFrame([row | {"features": "0", "value": 0.0}, row, row | {"score": "accuracy"}])
    gains = chapter.training_gains({"<b>": SimpleNamespace(scores=table)})
    text = say("features", "training", gains=gains)
    assert words in text and f"{gain[0]:+.3f}".replace("-", "−") in text and "<b>" not in text
