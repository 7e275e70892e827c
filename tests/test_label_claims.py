"""Verdicts on the paper's claims about labels, transfer and size: each word follows from planted results."""

import numpy as np
import pandas as pd
import pytest

from fergan.book.figures.experiments import difference_curves, learning_curves, transfer_map
from fergan.book.tables import label_claims, label_efficiency, transfer
from fergan.book.tables.label_claims import CANNOT_BE_TESTED, NOT_DECIDED, NOT_REPRODUCED, REPRODUCED
from fergan.experiments.label_efficiency import LabelEfficiencyResult, label_scores
from fergan.experiments.scores import ExperimentResult, score_table
from fergan.experiments.transfer import TransferResult, transfer_scores
from fergan.files import write_json

N = 120  # faces of a planted set, each of a person of its own


def curves(shares, networks=("supervised CNN",), name=""):
    """A result whose methods name planted shares of the faces rightly, with 1 and with 50 and with 100 labelled faces."""
    sizes, y = (1, 50, 100), np.arange(N) % 2
    order = np.random.default_rng(len(name)).permutation(N)
    subjects = np.array([f"p{i}" for i in range(N)])
    right = {m: {n: np.isin(np.arange(N), order[: round(N * s)])[None].astype(float) for n, s in zip(sizes, of, strict=True)}
             for m, of in shares.items()}
    rows = label_scores(right, y, subjects, n_resamples=100, seed=0)
    words = np.array(["happy", "sad"])
    parts = [pd.DataFrame(dict(protocol="labelled_people", features=m, split=0, draw=0, n_people=n, face=np.arange(N), subject=subjects,
                               true=words[y], predicted=words[np.where(hit[0] == 1, y, 1 - y)]))
             for m, of in right.items() for n, hit in of.items()]
    fits = pd.DataFrame([dict(features=m, split=0, draw=0, n_people=n, n_train_people=n, n_train_faces=n, n_emotions=2,
                              searched=n > 1, steps=40, train_accuracy=1.0) for m in right for n in sizes])
    settings = dict(features=list(right), networks=[m for m in networks if m in right], sizes=list(sizes), n_resamples=100)
    return LabelEfficiencyResult(score_table(rows), pd.concat(parts), fits, settings)


def rivals(cnn, hog=(0.5, 0.6, 0.7)):
    return {"r": curves({"network of a": (0.6, 0.7, 0.8), "network of b": (0.9, 0.9, 0.9), "hog": hog, "supervised CNN": cnn})}


@pytest.mark.parametrize(("cnn", "verdict", "value"), [
    ((0.4, 0.5, 0.6), REPRODUCED, 0.1),  # the strongest rival is hog; another network is no rival
    ((0.8, 0.9, 1.0), NOT_REPRODUCED, -0.2),
    ((0.6, 0.7, 0.8), NOT_DECIDED, 0.0),
])
def test_few_labels(cnn, verdict, value):
    found = label_claims.few_labels_verdict(rivals(cnn))
    assert (found.claim, found.verdict) == ("A1", verdict)
    assert found.value == pytest.approx(value) and found.low <= found.value <= found.high


def test_few_labels_need_a_network_trained_with_labels():
    result = {"r": curves({"network of a": (0.6, 0.7, 0.8), "hog": (0.5, 0.6, 0.7)})}
    assert label_claims.few_labels_verdict(result).verdict == CANNOT_BE_TESTED
    assert label_claims.few_labels_verdict({}).verdict == CANNOT_BE_TESTED


def of_sizes(small, large, small_faces=1.0):
    """SFEW with so small a share of the labels, and RAF-DB."""
    results = {name: curves({f"network of {name}": of}, name=name) for name, of in (("sfew", small), ("raf-db", large))}
    results["sfew"].searches["n_train_faces"] = (results["sfew"].searches["n_people"] * small_faces).clip(lower=1)
    return results


@pytest.mark.parametrize(("small", "large", "verdict"), [
    ((0.3, 0.4, 0.4), (0.3, 0.4, 0.8), REPRODUCED),  # at 50 labels RAF-DB is no better than SFEW, which has no more
    ((0.3, 0.4, 0.4), (0.3, 0.7, 0.8), NOT_REPRODUCED),
    ((0.3, 0.6, 0.7), (0.3, 0.4, 0.5), NOT_REPRODUCED),  # SFEW is not the worse one
    ((0.3, 0.4, 0.5), (0.3, 0.5, 0.55), NOT_DECIDED),
])
def test_a_small_set(small, large, verdict):
    found = label_claims.size_verdict(of_sizes(small, large, 0.5))
    assert (found.claim, found.verdict) == ("E7", verdict), found
    assert found.value == pytest.approx(large[1] - small[2], abs=0.01) and "at 50 labelled faces each" in found.because


def test_sets_of_one_size_are_compared_at_that_size():
    row = label_claims.size_differences(of_sizes((0.3, 0.4, 0.4), (0.3, 0.4, 0.8)))["raf-db"]
    assert row["size"] == 100 and row["matched"] == row["full"] and row["shrinking"]["value"] == 0
    assert label_claims.size_verdict({}).verdict == CANNOT_BE_TESTED
    assert label_claims.size_verdict({"sfew": of_sizes((0.3, 0.4, 0.4), (0.3, 0.4, 0.8))["sfew"]}).verdict == CANNOT_BE_TESTED


def matrix(shares, sizes=None):
    """A transfer matrix with planted accuracies: target -> network or hog -> share."""
    names = list(next(iter(shares.values())))
    tables = []
    for target, of_target in shares.items():
        true = np.array(["happy", "sad"])[np.arange(N) % 2]
        wrong = np.array(["sad", "happy"])[np.arange(N) % 2]
        base = dict(target=target, face=np.arange(N), subject=[f"p{i}" for i in range(N)], fold=0, true=true)
        order = np.random.default_rng(1).permutation(N)
        tables += [pd.DataFrame(base | dict(predicted=np.where(np.isin(np.arange(N), order[: round(N * s)]), true, wrong), features=n))
                  for n, s in of_target.items()]
    networks = {name: 100 * (i + 1) for i, name in enumerate(names) if name != "hog"}
    networks = networks if sizes is None else sizes
    settings = dict(networks=list(networks), targets=list(shares), baselines=["hog"], pretraining_faces=networks, n_resamples=100, seed=0)
    result = TransferResult(score_table([]), pd.concat(tables), pd.DataFrame(), settings)
    result.scores = score_table(transfer_scores(result))
    return result


def units(train, test, value, half=0.02):
    row = dict(protocol="subject_independent", features="discriminator", score="auc", label="all", value=value, low=value - half, high=value + half)
    return ExperimentResult(score_table([row]), pd.DataFrame(), pd.DataFrame(), dict(train=train, test=test))


EVEN = {"a": {"a": 0.7, "b": 0.7, "c": 0.7, "hog": 0.6}, "b": {"a": 0.6, "b": 0.6, "c": 0.6, "hog": 0.6}}
WORSE_ON_B = {"a": {"a": 0.7, "b": 0.75, "c": 0.75, "hog": 0.6}, "b": {"a": 0.3, "b": 0.6, "c": 0.3, "hog": 0.6}}


def test_generalisation_and_its_consistency():
    within, across = units("a", "a", 0.9), units("b", "a", 0.88)
    for results in ([], [within, across]):
        assert label_claims.generalisation_verdict(matrix(EVEN), results).verdict == REPRODUCED
        assert label_claims.consistency_verdict(matrix(EVEN), results).verdict == REPRODUCED
    bad = label_claims.generalisation_verdict(matrix(WORSE_ON_B), [])
    assert bad.verdict == NOT_REPRODUCED and bad.value == pytest.approx((0.05 - 0.3) / 2)
    worst = label_claims.consistency_verdict(matrix(WORSE_ON_B), [])
    assert worst.verdict == NOT_REPRODUCED and worst.value == pytest.approx(-0.3) and "faces of b" in worst.measure
    assert label_claims.consistency_verdict(matrix(EVEN), [within, units("b", "a", 0.6)]).verdict == NOT_REPRODUCED
    assert label_claims.generalisation_verdict(matrix(EVEN), [units("b", "a", 0.4)]).verdict == NOT_REPRODUCED
    assert label_claims.generalisation_verdict(matrix(EVEN), [units("b", "a", 0.51)]).verdict == NOT_DECIDED
    alone = matrix({"x": {"a": 0.7, "hog": 0.6}})
    for judge in (label_claims.generalisation_verdict, label_claims.consistency_verdict):
        assert judge(None, []).verdict == judge(alone, []).verdict == CANNOT_BE_TESTED


def test_many_examples_and_frontal_faces():
    names = ["a", "b", "c", "d", "e", "f"]
    rising = matrix({"x": {n: 0.4 + 0.08 * i for i, n in enumerate(names)} | {"hog": 0.5}})
    found = label_claims.pretraining_verdict(rising)
    assert found.verdict == REPRODUCED and found.value == pytest.approx(1)
    falling = matrix({"x": {n: 0.8 - 0.08 * i for i, n in enumerate(names)} | {"hog": 0.5}})
    assert label_claims.pretraining_verdict(falling).verdict == NOT_REPRODUCED
    frontal = {"rafd-multiview": 0.5, "rafd-frontal": 0.8}
    assert "+0.300" in label_claims.pretraining_verdict(matrix({"x": frontal | {"c": 0.9, "hog": 0.5}})).because
    assert label_claims.pretraining_verdict(matrix({"x": frontal | {"c": 0.9, "hog": 0.5}})).verdict == NOT_DECIDED, "three networks"
    assert label_claims.pretraining_verdict(matrix({"x": {"a": 0.5, "b": 0.6, "hog": 0.5}})).verdict == CANNOT_BE_TESTED


def test_verdicts_are_read_from_disk_and_need_nothing_to_be_there(tmp_path):
    found = label_claims.verdicts(tmp_path)
    assert list(found) == ["A1", "A3", "Q3", "C3", "E7"] and {v.verdict for v in found.values()} == {CANNOT_BE_TESTED}
    assert all(v.because for v in found.values())
    home = tmp_path / "results"
    rivals((0.4, 0.5, 0.6))["r"].save(home / "label_efficiency" / "r")
    matrix(EVEN).save(home / "transfer" / "matrix")
    units("b", "a", 0.88).save(home / "action_units" / "experiment-1")
    found = label_claims.verdicts(tmp_path)
    assert [found[claim].verdict for claim in ("A1", "A3", "Q3", "E7")] == [REPRODUCED] * 3 + [CANNOT_BE_TESTED]
    write_json(home / "label_efficiency" / "broken" / "scores.json", {})
    with pytest.raises(KeyError):
        label_claims.verdicts(tmp_path)


def test_tables_of_label_efficiency():
    result = rivals((0.4, 0.5, 0.6))["r"]
    assert label_efficiency.counted_in(result) == "faces"
    table = label_efficiency.accuracy_table(result)
    assert list(table) == ["labelled faces", *result.methods] and table["labelled faces"].tolist() == [1, 50, 100]
    assert table["hog"][0].startswith("0.50 [")
    said = label_efficiency.what_it_shows(result).splitlines()
    assert len(said) == 3 and said[0].startswith("- **network of b**: network of a is worse with 1, 50, 100 labelled faces")
    assert said[2].startswith("- **supervised CNN**: network of a is better with 1, 50, 100 labelled faces; over the whole curve it lies 0.200 above")
    needed = label_efficiency.people_table(result).set_index("accuracy")
    assert needed.loc["80%", "hog"] == "> 100" and needed.loc["60%", "network of b"] == "1.0"
    assert needed.loc["70%", "network of a"].startswith("50.0 [")
    fits = label_efficiency.fits_table(result)
    assert fits["SVMs searched"].tolist() == ["0%", "100%", "100%"] and fits["supervised CNN: steps"].tolist() == [40] * 3
    assert label_efficiency.efficiency_summary({"r": result}).shape == (4, 6)
    assert label_efficiency.draws_table(result)["hog"].tolist() == ["0.50", "0.60", "0.70"]
    even = label_efficiency.what_it_shows(rivals((0.6, 0.7, 0.8))["r"]).splitlines()[2]
    assert "never clearly better or worse" in even


def test_tables_of_transfer():
    result = matrix(WORSE_ON_B)
    cells = transfer.cell_table(result).set_index("features")
    assert cells.loc["network of a", "b"].startswith("0.300 [") and cells.loc["n faces", "a"] == str(N)
    own = transfer.own_table(result).set_index("faces of")
    assert own.loc["b", "these minus own"].startswith("-0.300 [") and own.loc["mean over sets", "own network"] == "–"
    assert transfer.pretraining_table(result)["faces learnt"].tolist() == [300, 200, 100]
    assert transfer.marks_of("1 a b;2 b b") == {("a", "b"): "1", ("b", "b"): "2"} and transfer.marks_of("") == {}
    assert "too few networks" in transfer.size_correlation(matrix({"x": {"a": 0.5, "b": 0.6, "hog": 0.5}}))
    assert transfer.skipped_words({"x": "it is empty"}) == "x has no column: it is empty."


def test_figures_show_every_method_and_mark_cells():
    result = rivals((0.4, 0.5, 0.6))["r"]
    figure = learning_curves(label_efficiency.curve_tables(result), "labelled faces", 0.5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == result.methods
    assert figure.axes[0].get_xlabel() == "labelled faces"
    panels = difference_curves(label_efficiency.difference_tables(result), "labelled faces", result.methods[0])
    assert [ax.get_title() for ax in panels.axes] == ["minus network of b", "minus hog", "minus supervised CNN"]
    drawn = transfer_map(matrix(WORSE_ON_B).matrix(), 3, {("a", "b"): "7", ("z", "b"): "8"})
    words = [text.get_text() for text in drawn.axes[0].texts]
    assert words.count("7") == 1 and "8" not in words and words.count("own") == 2 and "0.30" in words
