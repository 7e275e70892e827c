"""The chapter on generators: what is said follows the numbers, whichever way they point; hostile names are text."""

from types import SimpleNamespace

import matplotlib
import numpy as np
import pandas as pd
import pytest

from fergan.book.chapters import generators as chapter
from fergan.book.show import markdown_table, say
from fergan.gan.networks import discriminator_layers, generator_layers
from fergan.gan.runs import TrainConfig

matplotlib.use("agg")
HOSTILE = "{{ 7*7 }}|<b>x</b>"


def run(first, last, alarms=(), best=100, **changes):
    snapshots = pd.DataFrame({"step": [0, 100], "frechet": [first, last], "diversity_ratio": [0.2, 0.4 if "collapse" in alarms else 0.9],
                              "score_real": 0.995, "score_generated": 0.001, "alarm": ["", *alarms] if alarms else ["", ""]})
    finished = {"steps": 100, "best_step": best, "best_frechet": min(first, last), "alarms": list(alarms), "n_faces": 40, "seconds": 60.0}
    return SimpleNamespace(snapshots=snapshots, finished=finished, config=TrainConfig(preset="demo", batch_size=32, **changes))


@pytest.mark.parametrize(("one", "words"), [
    (run(30.0, 10.0), ["learns to draw", "30.0 to 10.0", "none of 2"]), (run(10.0, 30.0), ["does not learn"]),
    (run(30.0, 10.0, ["collapse"]), ["near a collapse", "1 of 2"]),
])
def test_a_page_says_how_its_training_went(one, words):
    text = say("generator", "answer", r=chapter.run_summary(one)).lower()
    assert all(word in text for word in words), text


def test_an_alarm_is_named_and_the_best_snapshot():
    collapse, certain, none = (say("generator", "watched", r=chapter.run_summary(run(30.0, 10.0, alarms, best)))
                               for alarms, best in ((["collapse"], 100), (["certain"], 50), ([], 100)))
    assert "0.40 times as varied" in collapse and "0.995" in certain and "0.001" in certain and "No snapshot" in none
    assert "kept beside" in certain and "last weights are the best" in collapse


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
    datasets = {"a": "a", "a-2": "a"}
    assert chapter.compared_runs(runs, datasets)["differs in"].tolist() == ["–", "beta1 0.9, seed 1"]
    assert chapter.compared_runs({"a": runs["a"]}, datasets).empty
    assert chapter.common_changes(runs) == ["batch_size 32"]
    assert chapter.training_runs(runs)["minutes"].tolist() == [1.0, 1.0]
    assert set(chapter.changes_table(runs["a-2"].config)["value"]) >= {"beta1", "width"}
    presets = chapter.presets_table().set_index("preset")
    assert presets.loc["radford2015", "differs in"] == "–" and "generator_width 128 (there 64)" in presets.loc["matconvnet", "differs in"]
    assert "49" not in markdown_table(pd.DataFrame({"generator": [HOSTILE]})).replace("7\\*7", "")


def test_layers_have_totals_and_the_paper_beside():
    alone, both = (chapter.layer_table(discriminator_layers(32), *paper) for paper in ((), (discriminator_layers(64),)))
    assert alone.iloc[4]["output"] == "256×4×4" and alone["MFLOP"].iloc[-1] == pytest.approx(discriminator_layers(32)["flops"].sum() / 1e6)
    assert list(both)[-1] == "paper: MFLOP" and len(alone.columns) == 4


def test_the_features_stand_out_of_the_drawing_and_the_film_shows_its_ends():
    networks = {"generator": generator_layers(100, 32), "discriminator": discriminator_layers(32)}
    reference = {"generator": generator_layers(100, 64), "discriminator": discriminator_layers(64)}
    top, bottom = chapter.network_drawing(networks, reference).axes
    assert {"4×4\n× 256", "\n\n× 512", "features"} <= {text.get_text() for text in bottom.texts}
    colours = [patch.get_facecolor() for patch in bottom.patches]
    assert len(top.patches) == len(bottom.patches) == 6 * 3 and colours.count(colours[3 * 4]) == 1
    film = chapter.filmstrip(np.arange(0, 1300, 100), np.zeros((13, 16, 64, 64, 3), np.uint8))
    assert [label.get_text() for label in film.axes[0].get_xticklabels()][::8] == ["0", "1,200"]
    matplotlib.pyplot.close("all")
