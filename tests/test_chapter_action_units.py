"""The chapters on Action Units: the paper's own numbers give what its table says; templates choose by what was found."""

import numpy as np
import pandas as pd
import pytest
from planted import HOSTILE

from fergan.book.chapters import action_units as chapter
from fergan.book.chapters.results import beside_rivals, beside_the_paper, rivals_reading
from fergan.book.show import say
from fergan.experiments.action_units import FEATURES, MAIN, AUResult
from fergan.experiments.cross_validation import PROTOCOLS, SUBJECT_INDEPENDENT
from fergan.experiments.scores import score_table
from fergan.facs import ACTION_UNITS
from fergan.paper import papers_scores, read_table

NOWHERE = {"n": 0, "inside": []}
SPANS = {"within": [0.6, 0.7], "across": []}


def as_result(number, half=0.01, shift=0.0, **changes):
    """A result with the paper's own areas, as if they had come out here."""
    settings = read_table("table5_au_experiments").set_index("experiment").loc[number].to_dict()
    rows = [dict(protocol=protocol, features="discriminator", score="auc", label=label, value=area + shift, low=area + shift - half,
                 high=area + shift + half, n_faces=100, n_subjects=10, n_labels=14)
            for protocol in PROTOCOLS for label, area in papers_scores("units", number, settings).items()]
    beside = {"hog": (-0.2, -0.3, -0.1), "untrained": (0.1, -0.1, 0.3)}
    rows += [dict(protocol=SUBJECT_INDEPENDENT, features=name, score="auc_difference", label="all", value=of[0], low=of[1], high=of[2])
             for name, of in beside.items()]
    settings |= dict(relabel_train=None, relabel_test=None, baselines=list(beside)) | changes
    return AUResult(score_table(rows), pd.DataFrame(), pd.DataFrame(), settings)


@pytest.fixture(scope="module")
def results():
    return {number: as_result(number) for number in range(1, 9)}


def test_tables_have_the_paper_where_the_sets_are_its_own_and_no_empty_rows(results):
    table = chapter.transfer_table({n: as_result(n, half=0.03) for n in results}).set_index("AU")
    assert list(table.index) == list(ACTION_UNITS) and table.loc["AU04", "above chance"] == "2 of 4"
    further = {n: [as_result(n, shift=-0.1), as_result(n, shift=0.2)] for n in results}
    seeds = chapter.transfer_table(results, further).set_index("AU")
    value = table.loc["AU04", "mean"]
    assert seeds.loc["AU04", "3 seeds"] == f"{value + 0.1 / 3:.3f} ({value - 0.1:.3f}\u00a0to\u00a0{value + 0.2:.3f})"
    assert chapter.transfer_table({1: results[1]}).empty and list(chapter.area_cells(results)) == ["1", "2", "3", "4×", "5×", "6", "7×", "8×"]
    two = {2: as_result(2, half=0.02, shift=-0.1), 12: as_result(2, train="mine")}
    means = beside_the_paper({"units": two})
    assert means["people never seen"][0] == "0.893 [0.873, 0.913]" and np.isnan(means["paper"][1])
    assert beside_rivals("units", two)["labels"][0] == 14 and "commonest emotion" not in beside_rivals("units", two)
    mine = as_result(1, train="mine")
    mine.scores = mine.scores[mine.scores["label"].isin(["AU12", "all"])]
    table = chapter.au_table(mine, 1)
    assert table["AU"].tolist() == ["AU12", "mean"] and not table.isna().all().any() and "paper" not in table
    table = chapter.au_table(as_result(1), 1, [as_result(1, shift=-0.1)]).set_index("AU")
    spread = "0.863 (0.813\u00a0to\u00a00.913)"
    assert len(table) == 15 and table.loc["mean", "2 seeds"] == spread and table["2 seeds"].nunique() > 1
    first, again = ({MAIN: as_result(1, shift=shift, relabel_test="paper")} for shift in (0, -0.1))
    assert chapter.variants_table(first, [again]).iloc[-1].tolist() == ["mean, 2 seeds", spread]
    assert chapter.variants_table(first).iloc[-1]["AU"] == "mean"


def test_rivals_are_counted_by_their_intervals_and_saliency_says_how_many(results):
    reading = rivals_reading("units", results)
    assert reading["hog"] == {"n": 8, "better": 0, "worse": 8, "mean": pytest.approx(-0.2)} and reading["untrained"]["better"] == 0
    assert rivals_reading("units", {1: as_result(1, baselines=[])}) == {}
    checks = pd.DataFrame({"AU": ["AU12", "AU01"], "share": [0.5, 0.1], "inside": [True, False]})
    reading = chapter.region_reading(checks)
    said = say("action_units", "answer", spans=SPANS, reading=None, rivals={}, alone=[], looks=reading)
    assert reading == {"n": 2, "inside": ["AU12"]}
    assert "1 of 2 detectors" in said and chapter.region_reading(checks[:0]) == NOWHERE
    table = chapter.region_table(checks, [checks.assign(share=[0.7, 0.3], inside=True), checks[:1]])  # the third knows no AU01
    assert table.iloc[:, -2:].to_numpy().tolist() == [["0.567 (0.500\u00a0to\u00a00.700)", 3], ["–", 1]]
    assert chapter.region_table(checks).shape[1] == 3
    caption = say("action_units_experiment", "scores_caption", train=HOSTILE, test="b", n=1234, seed=0, mapping=None)
    assert not any(live in caption for live in ("\n", "<b>", "{{"))


def sides(**means):
    names = dict(zip(("true", "learnt", "derived", "oracle", "within", "learnt_within"), chapter._SIDES, strict=True))
    rows = [("experiment 1", *names[name], value) for name, value in means.items()]
    return pd.DataFrame(rows, columns=["experiment", "pairs", "detector", "value"])


def test_what_goes_with_the_emotion():
    reading = chapter.reading_of(sides(derived=0.9, true=0.8, oracle=0.7, within=0.6))
    assert reading["lost"] == pytest.approx(2 / 3) and np.isnan(reading["learnt_within"])
    words = say("action_units", "answer", spans=SPANS, reading=reading, rivals={}, alone=[], looks=NOWHERE)
    assert "67 %" in words and "between 0.600 and 0.700 within one set;" in words
    assert chapter.reading_of(sides(true=0.4, within=0.45))["lost"] != 0 and chapter.reading_of(sides()) is None
    never = say("action_units_experiment", "answer", never=(0.7, 0.6, 0.8), published=(0.9, 0.8, 1), n=3, paper=np.nan,
                reading=None, rivals={"hog": (0.1, 0, 0.2)})
    assert "0.700 [0.600, 0.800]" in never and "+0.100 [+0.000, +0.200]" in never and "paper" not in never


def single(difference, only=0.6, dataset="enhanced-ck"):
    base = dict(protocol=SUBJECT_INDEPENDENT, label="AU07")
    rows = [base | dict(features=name, score=score, value=value) for name, score, value in
            ((FEATURES, "auc", only), (FEATURES, "auc_train", 0.9), (FEATURES, "auc_train_gap", 0.9 - only), ("all", "auc", 0.7),
             ("all", "auc_train", 0.8), ("all", "auc_train_gap", 0.1))]
    rows.append(base | dict(features="all", score="auc_difference", value=-0.1, low=difference[0], high=difference[1]))
    return AUResult(score_table(rows), pd.DataFrame(), pd.DataFrame(), dict(unit="AU07", dataset=dataset))


@pytest.mark.parametrize(("result", "verdict", "word"), [
    (single((-0.2, -0.05)), "worse", "clearly worse"), (single((0.01, 0.2)), "better", "clearly better"), (single((-0.2, 0.1)), "open", "not clearly"),
    (single((np.nan, np.nan), np.nan), "not learnt", "too few"),
])
def test_a_network_of_one_unit_is_compared_by_the_interval(result, verdict, word):
    reading = chapter.single_unit_reading(result)
    said = say("action_units", "answer", spans=SPANS, reading=None, rivals={}, alone=[("AU07", reading)], looks=NOWHERE)
    assert reading["verdict"] == verdict and word in said and "look where" not in said
    assert chapter.single_unit_table(result).iloc[0].tolist()[2:] == ["0.842", "0.580"]
    assert "the paper" not in chapter.single_unit_table(single((0, 0), dataset="mine"))["protocol"].tolist()
