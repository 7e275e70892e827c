"""Tables and figures of the chapters on few labels and on transfer."""

from test_claims import WORSE_ON_B, N, curves, matrix

from fergan.book.figures.experiments import difference_curves, learning_curves, transfer_map
from fergan.book.tables import label_efficiency, transfer


def rivals(cnn, hog=(0.5, 0.6, 0.7)):
    return {"r": curves({"network of a": (0.6, 0.7, 0.8), "network of b": (0.9, 0.9, 0.9), "hog": hog, "supervised CNN": cnn})}


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
