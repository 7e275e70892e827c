"""The prose: its examples and solutions run, and say what they print."""

import doctest
import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parent.parent / "book"


@pytest.mark.parametrize("page", ["code", "exercises"])
def test_examples_say_what_they_print(page, unlearnt_run):
    text = re.sub("^```.*$", "", (BOOK / f"{page}.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    examples = doctest.DocTestParser().get_doctest(text, {"run": str(unlearnt_run)}, page, f"{page}.md", 0)
    said = []
    failed, tried = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples, out=said.append)
    assert tried > 8 and not failed, "".join(said)


def test_no_template_fills_in_the_space_between_words():
    """What is filled in is put on one line, without the spaces at its ends: "a" and "b" would become "aandb"."""
    for template in (BOOK.parent / "fergan" / "book" / "templates").glob("*.md.j2"):
        for filled in re.findall(r"\{\{.*?\}\}", template.read_text(encoding="utf-8"), flags=re.DOTALL):
            first = re.findall(r'(?:\{\{|else|if)\s*"([^"]*)"', filled)
            assert all(word == word.strip() for word in first), f"{template.name}: {filled}"
