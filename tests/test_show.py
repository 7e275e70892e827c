"""What notebooks show: data is text, numbers are numbers, tables and figures carry their captions."""

import io
import re
from html import unescape

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import Markup

from fergan.book import show

HOSTILE = ["{{ 7*7 }}.jpg", "<b>x</b>.jpg", "a_$5_$6.jpg", "[1](2).jpg", "{include}`x`", "a\nb|c", "```{eval-rst}", "*a* `b`", "% c"]


@pytest.fixture
def shown(monkeypatch):
    """What cells display: (data by kind, metadata)."""
    found = []

    def display(thing, metadata=None):
        kind = "image/png" if hasattr(thing, "format") else "text/markdown"
        found.append(({kind: thing.data}, metadata))

    monkeypatch.setattr("IPython.display.display", display)
    return found


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from([*HOSTILE, "{{ 7*7 }}", "<b>", "$5_$6", "[1](2)", "`", "\\", "|", "&lt;", "**", "~~~", "{ref}`x`"])
                | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=6), max_size=4).map("".join))
def test_any_name_comes_out_as_itself(name):
    text = unescape(" ".join(name.split()))
    assert _as_html(f"It is {show.escape(name)}.") == f"It is {text}."
    assert text in _as_html(show.markdown_table(pd.DataFrame({"a": [name]})))


def _as_html(text):
    """Return the text that a reader of Markdown sees; nothing of it may have become markup."""
    from markdown_it import MarkdownIt
    from mdit_py_plugins.dollarmath import dollarmath_plugin
    from mdit_py_plugins.myst_role import myst_role_plugin
    from mdit_py_plugins.substitution import substitution_plugin

    parser = MarkdownIt("commonmark").enable("table").use(dollarmath_plugin).use(myst_role_plugin).use(substitution_plugin)
    tokens = [child for token in parser.parse(str(text)) for child in token.children or []]
    assert {token.type for token in tokens} <= {"text", "text_special", "softbreak"}, [token.type for token in tokens]
    return unescape("".join(token.content for token in tokens))


def test_macros_call_each_other_what_comes_from_data_is_text_and_a_missing_field_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "x.md.j2").write_text("{% macro _named(n) %}**{{ n }}**{% endmacro %}"
                                      "{% macro field(r) %}{{ r.value }}{% endmacro %}"
                                      "{% macro answer(n) %}See {numref}`tab-a`, {{ _named(n) }}.{% endmacro %}")
    monkeypatch.setattr(show, "TEMPLATES", tmp_path)
    show._environment.cache_clear()
    assert show.say("x", "answer", n="a_b") == "See {numref}`tab-a`, **a\\_b**."
    for name in HOSTILE:
        assert _as_html(show.say("x", "field", r={"value": name})) == " ".join(name.split())
    with pytest.raises(TypeError):
        show.say("x", "answer", m=1)
    with pytest.raises(Exception, match="value"):
        show.say("x", "field", r={"low": 1})
    show._environment.cache_clear()


@pytest.mark.parametrize(("said", "words"), [
    (show.rounded(-0.0004), "0.000"), (show.rounded(1234.5, 1), "1,234.5"), (show.rounded(np.nan), "–"),
    (show.interval((0.7, 0.6, 0.8), 2), "0.70 [0.60, 0.80]"), (show.interval((0.7, np.nan, np.nan)), "0.700"),
    (show.interval((np.nan, np.nan, np.nan)), "–"), (show.interval(pd.Series(dtype=float)), "–"),
    (show.interval({"value": 0.5, "low": 0.4, "high": 0.6}), "0.500 [0.400, 0.600]"),
    (show.signed(-0.0214), "−0.021"), (show.signed((0.2, -0.1, 0.5), 1), "+0.2 [−0.1, +0.5]"), (show.signed(np.nan), "–"),
    (show.signed(pd.Series({"value": 0.1, "low": 0.0, "high": 0.2}), 1), "+0.1 [+0.0, +0.2]"),
    (show.percent(0.614), "61 %"), (show.percent(np.nan), "–"), (show.thousands(1608), "1,608"),
    (show.listed(["a"]), "a"), (show.listed(["a", "b", "c_d"]), "a, b and c\\_d"), (show.listed([]), "none"),
    (show.counted(3, 8), "3 of 8"), (show.counted(0, 8), "none of 8"), (show.ranged([0.4, 0.2], 1), "between 0.2 and 0.4"),
    (show.ranged([0.2001, 0.2], 2), "0.20"),
])
def test_numbers_in_words(said, words):
    assert said == words and isinstance(said, Markup)


def test_a_table_has_dashes_for_what_is_missing_and_by_hand_there_are_no_directives(monkeypatch, shown):
    table = pd.DataFrame({"a|b": ["x", None], "n": [0.5, np.nan], "k": [1, 2], "m": pd.Series([Markup("{numref}`tab-x`"), "{numref}`tab-x`"], dtype=object)})
    assert show.markdown_table(table, 1).splitlines() == [
        "| a\\|b | n | k | m |", "| :-- | --: | --: | :-- |", "| x | 0.5 | 1 | {numref}`tab-x` |",
        "| – | – | 2 | \\{numref\\}\\`tab-x\\` |"]
    text = ":::{admonition} In short\n:class: in-short\nIt holds ({numref}`tab-x`, {cite}`b2014`, {ref}`here <x-y>`).\n:::"
    assert show.plain(text).split() == ["**In", "short**", "It", "holds", "(tab-x,", "b2014,", "here)."]
    monkeypatch.delenv("FERGAN_BOOK", raising=False)
    show.show_table(pd.DataFrame({"a": [1]}), "tab-a", "What it *is*.")
    text = shown[0][0]["text/markdown"]
    assert "{table}" not in text and "What it *is*." in text and "| 1 |" in text


def test_on_a_page_tables_and_figures_have_labels_whatever_the_users_settings(monkeypatch, shown):
    monkeypatch.setenv("FERGAN_BOOK", "1")
    plt.switch_backend("svg")
    figure, ax = plt.subplots()
    ax.plot([1, 2])
    show.show_table(pd.DataFrame({"a": ["[.1]", "0.5 [0.4, 0.6]"]}), "tab-a", "What it is.")
    show.show_table(pd.DataFrame({"a": []}), "tab-b", "Nothing.")
    show.speak("claims", "chance", chance={"tested": 0})
    show.show_figure(figure, "fig-a", "A line.", "One line that rises.")
    plt.switch_backend("agg")
    faces, ax = plt.subplots()
    ax.imshow(np.random.default_rng(0).random((400, 400, 3)))
    show.show_figure(faces, "fig-b", "Many colours.", "Noise.")
    (table, _), (picture, record), (photograph, _) = shown
    assert photograph["image/png"].startswith(b"\xff\xd8")  # a JPEG
    assert table["text/markdown"].startswith("~~~{table} What it is.\n:name: tab-a\n")
    assert record["fergan"] == {"figure": "fig-a", "caption": "A line.", "alt": "One line that rises."}
    assert picture["image/png"].startswith(b"\x89PNG") and not plt.fignum_exists(figure.number)
    corners = [PIL.Image.open(io.BytesIO(data["image/png"])).getpixel((0, 0)) for data in (picture, photograph)]
    assert corners[0][3] == 0 and min(corners[1]) > 240  # transparent, but where that is black


def test_every_template_can_be_read_and_captions_are_short():
    """At most 40 words; a value that is filled in counts as one, and so does a reference."""
    macro = re.compile(r"{%-? macro (\w*caption)\(.*?%}(.*?){%-? endmacro", re.S)
    long = {}
    for path in show.TEMPLATES.glob("*.md.j2"):
        assert show._environment().get_template(path.name).module is not None
        for name, body in macro.findall(path.read_text(encoding="utf-8")):
            words = re.sub(r"{{.*?}}|\{\w+\}`.*?`", "x", re.sub(r"{%.*?%}", "", body, flags=re.S), flags=re.S).split()
            long |= {f"{path.name}: {name}": len(words)} if len(words) > 40 else {}
    assert not long
