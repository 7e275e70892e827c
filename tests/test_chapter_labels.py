"""The chapters on label efficiency and transfer: tables and sentences follow from planted results."""

import matplotlib
from planted import curves, matrix

from fergan.book.chapters import labels
from fergan.book.show import say
from fergan.claims import Results
from fergan.claims.rules import judge

matplotlib.use("agg")


def rivals(cnn, network="network of a"):
    return curves({network: (0.6, 0.7, 0.8), "network of b": (0.9, 0.9, 0.9), "hog": (0.3, 0.4, 0.45), "supervised CNN": cnn})


def test_tables_of_label_efficiency():
    result = rivals((0.4, 0.5, 0.6))
    summary = labels.label_summary({"r": result}).set_index("method")["first method minus this"]
    assert summary["network of a"] == "–" and summary["supervised CNN"].startswith("+0.200 [") and summary["network of b"].startswith("−0.2")


def test_half_of_the_faces_is_reached_or_not_and_names_are_text():
    half = labels.half(rivals((0.2, 0.3, 0.4), network="network of <b>{{ 7*7 }}"))
    assert half["never"] == ["hog", "supervised CNN"] and list(half["needed"]) == ["network of <b>{{ 7*7 }}", "network of b"]
    text = say("label_efficiency_set", "answer", half=half)
    assert "are too few for hog and supervised CNN" in text and "<b>" not in text and "49" not in text
    none = labels.half(curves({"network of a": (0.1, 0.2, 0.3), "hog": (0.1, 0.2, 0.4)}))
    assert "best method, hog, reaches 0.400 [" in say("label_efficiency_set", "answer", half=none)


def test_the_claims_of_labels_are_told():
    few = judge("A1", Results(labels={"r": rivals((0.4, 0.5, 0.6))}))
    assert "strongest rival" in say("label_efficiency", "few", few=few)
    size = judge("E7", Results(labels={"sfew": curves({"n": (0.3, 0.4, 0.4)}), "raf-db": curves({"n": (0.3, 0.4, 0.8)})}))
    assert "raf-db minus sfew is +0.400 [" in say("label_efficiency", "size", size=size)
    assert "minus" not in say("label_efficiency", "size", size=judge("E7", Results(labels={"r": rivals((0, 0, 0))})))


def test_transfer_is_told_by_signs():
    result = matrix({"a": {"a": 0.7, "b": 0.75, "c": 0.75, "hog": 0.6}, "b": {"a": 0.3, "b": 0.6, "c": 0.25, "hog": 0.6}})
    own = labels.own_table(result).set_index("faces of")
    assert own.loc["b", "these minus own"].startswith("−0.325 [") and own.loc["mean over sets", "own network"] == "–"
    assert labels.pretraining_table(result)["faces learnt"].tolist() == [300, 200, 100]
    assert [row["sign"] for row in labels.beside_others(result)] == [-1, -1]
    assert "clearly worse than" in say("transfer", "answer", compared=labels.beside_others(result))
    assert "No set" in say("transfer", "answer", compared=[])
    verdicts = [judge(claim, Results(transfer=result)) for claim in ("Q3", "C3")]
    assert "the difference is lowest on" in say("transfer", "own", consistent=verdicts[0], margin=0.02)
    assert "over 3 networks" in say("transfer", "size", verdict=verdicts[1])
    remarks = say("transfer", "remarks", skipped={"<b>": "too few"}, collections=["u", "v"])
    assert "<b>" not in remarks and "u and v share people" in remarks and say("transfer", "remarks", skipped={}, collections=[]) == ""


def test_figures_show_every_method_and_mark_cells():
    result = rivals((0.4, 0.5, 0.6))
    figure = labels.learning_curves(labels.method_curves(result), "labelled faces", 0.5)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["commonest emotion", *result.methods]
    assert list(labels.sizes_of({"r": result})) == ["r (commonest emotion 0.33)"]
    shares = {"a": {"a": 0.7, "b": 0.7, "hog": 0.6}, "b": {"a": 0.3, "b": 0.6, "hog": 0.6}}
    words = [text.get_text() for text in labels.transfer_map(matrix(shares), {("a", "b"): 7, ("z", "b"): 8}).axes[0].texts]
    assert words[:6] == ["0.70\nown", "0.30\nno. 7", "0.70", "0.60\nown", "0.60", "0.60"] and len(words) == 8, "and guessing"
    matplotlib.pyplot.close("all")
