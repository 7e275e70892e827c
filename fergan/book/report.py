"""What notebooks put on a page: numbered tables, figures with captions, and numbers that the prose cites."""

import sys
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import Markdown
from matplotlib.figure import Figure
from myst_nb import glue

__all__ = ["numbered_figure", "numbered_table", "paste", "rounded", "with_interval"]


# The first glue imports nbformat and with it jsonschema, which spends a second of every page on a grammar for web
# addresses that no notebook needs; it does without where the grammar is not installed.
sys.modules.setdefault("rfc3987_syntax", None)


def paste(**values: Any) -> None:
    """Give figures and numbers a name by which this page's text, and others, can show them.

    A figure is displayed as well, so that a notebook run by hand shows it; the published page shows it where the text
    asks for it, with its caption.
    """
    for name, value in values.items():
        if isinstance(value, np.generic):
            value = value.item()
        glue(name, value, display=isinstance(value, Figure))
        if isinstance(value, Figure):
            plt.close(value)  # or the notebook would show it a second time


def rounded(value: float, decimals: int = 3) -> str:
    """Write a number with so many decimals; what rounds to zero has no sign."""
    return f"{round(float(value), decimals) + 0.0:.{decimals}f}"


def _cell(value: Any, number: Callable[[float], str]) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return "–"
    if isinstance(value, float):
        return number(value)
    return str(value).replace("|", "\\|")


def numbered_table(table: pd.DataFrame, name: str, caption: str, decimals: int = 3, sentences: bool = False) -> Markdown:
    """Return a table with a number, a caption and a label that other pages can cite.

    Parameters
    ----------
    table : DataFrame
        Its columns become the header; the index is not shown. Missing values are shown as a dash.
    name : str
        The label, unique in the book.
    caption : str
        What it shows, n, seed and interval; MyST.
    decimals : int
        Of floating-point cells.
    sentences : bool
        Whether cells hold sentences, which wrap.
    """
    def number(value: float) -> str:
        return rounded(value, decimals)

    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cells) + " |"

    align = [":--" if not pd.api.types.is_numeric_dtype(table[column]) else "--:" for column in table]
    rows = [line([_cell(value, number) for value in row]) for row in table.itertuples(index=False, name=None)]
    body = "\n".join([line([str(column) for column in table]), line(align), *rows])
    # Cells with intervals do not wrap; the page lets the table scroll.
    kind = ":class: text\n" if sentences else ":class: wide\n" if "[" in body else ""
    # A fence of tildes: behind one of backticks a caption could hold none, and with them no reference.
    return Markdown(f"~~~{{table}} {caption}\n:name: {name}\n{kind}\n{body}\n~~~")


def numbered_figure(pasted: str, name: str, alt: str, caption: str) -> Markdown:
    """Return a pasted figure with a number, a caption and a label: for a page that has it only in some cases.

    Parameters
    ----------
    pasted : str
        The name under which `paste` was given the figure.
    name : str
        The label, unique in the book.
    alt : str
        What a reader who does not see it needs to know.
    caption : str
        What it shows, n, seed and interval; MyST.
    """
    return Markdown(f"```{{glue:figure}} {pasted}\n:name: {name}\n:alt: {alt}\n\n{caption}\n```")


def with_interval(value: float, low: float, high: float, decimals: int = 3) -> str:
    """Write a score with its interval, for example ``.751 [.720, .781]``; a dash where it is undefined."""
    if pd.isna(value):
        return "–"
    short = [rounded(number, decimals) for number in (value, low, high)]
    return f"{short[0]} [{short[1]}, {short[2]}]" if not pd.isna(low) else short[0]
