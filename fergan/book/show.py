"""What notebooks put on a page: sentences from templates, numbered tables, figures with captions.

A chapter's sentences are the macros of ``templates/<chapter>.md.j2``. Everything that a template fills in is escaped, so
that what comes from a reader's data (names of files, people, labels) is text: it never becomes Markdown, HTML or code. Run
by hand, a notebook shows the same as plain text and tables; in the book tables and figures get numbers, captions and labels.
"""

import io
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>$|#~&@%])")


def in_book() -> bool:
    """Say whether this process makes a page of the book, not a notebook that is run by hand."""
    return os.environ.get("FERGAN_BOOK") == "1"


def escape(value: Any) -> Markup:
    """Return a value as Markdown that shows just its text, on one line; what is Markdown already (Markup) stays."""
    if isinstance(value, Markup):
        return value
    text = " ".join(str(value).split())
    return Markup(_SPECIAL.sub(r"\\\1", text))


# ---- numbers in words: the filters of the templates

def rounded(value: float, decimals: int = 3) -> Markup:
    """Write a number with so many decimals; what rounds to zero has no sign, and a dash stands for NaN."""
    return Markup("–") if pd.isna(value) else Markup(f"{round(float(value), decimals) + 0.0:,.{decimals}f}")


def _with_interval(row: Any, write: Callable[[float], str]) -> Markup:
    """Write value, low and high: of a tuple, a mapping or a row with these names, or of a number alone."""
    if not isinstance(row, (tuple, list)):
        row = [row.get(key) for key in ("value", "low", "high")] if hasattr(row, "get") else [row, None, None]
    value, low, high = row
    if pd.isna(value):
        return Markup("–")
    return Markup(write(value) if pd.isna(low) else f"{write(value)} [{write(low)}, {write(high)}]")


def interval(row: Any, decimals: int = 3) -> Markup:
    """Write a score with its interval, "0.751 [0.720, 0.781]"; `row` is (value, low, high) or has these names."""
    return _with_interval(row, lambda number: rounded(number, decimals))


def signed(difference: Any, decimals: int = 3) -> Markup:
    """Write a difference with its sign and interval, "−0.021 [−0.083, +0.060]"; see `interval`, or a number alone."""
    return _with_interval(difference, lambda number: f"{number:+.{decimals}f}".replace("-", "−"))


def mean_between(values: Sequence[float], decimals: int = 3, write: Callable = rounded) -> Markup:
    """Write the mean of what several trainings reach, their lowest and highest, "0.612 (0.590 to 0.633)"."""
    mean, low, high = (write(of(values), decimals) for of in (np.mean, np.min, np.max))
    return Markup("–" if np.isnan(values).any() else f"{mean} ({low}\u00a0to\u00a0{high})")


def percent(value: float, decimals: int = 0) -> Markup:
    """Write a share as "61 %"."""
    return Markup("–") if pd.isna(value) else Markup(f"{100 * value:.{decimals}f} %")


def thousands(value: int) -> Markup:
    """Write a count as "1,608"."""
    return Markup(f"{int(value):,}")


def listed(words: Iterable[Any], last: str = "and") -> Markup:
    """Write "a", "a and b", "a, b and c"; "none" without any."""
    words = [escape(word) for word in words]
    if len(words) < 2:
        return words[0] if words else Markup("none")
    return Markup(f"{', '.join(words[:-1])} {last} {words[-1]}")


def counted(part: int, whole: int | None = None) -> Markup:
    """Write "3 of 8", or "3"; "none" instead of 0."""
    return Markup(("none" if not part else f"{part:,}") + ("" if whole is None else f" of {whole:,}"))


def ranged(ends: Sequence[float], decimals: int = 3) -> Markup:
    """Write "between .2 and .4", or, where both ends are written alike, the one number."""
    low, high = (rounded(value, decimals) for value in (min(ends), max(ends)))
    return low if low == high else Markup(f"between {low} and {high}")


FILTERS = {write.__name__: write for write in (rounded, interval, signed, percent, thousands, listed, counted, ranged)}


# ---- sentences

@cache
def _environment() -> jinja2.Environment:
    """Return the templates; a name that is not given is an error, and what is filled in is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, finalize=escape,
        trim_blocks=True, lstrip_blocks=True,
    )
    environment.filters.update(FILTERS)
    return environment


def say(template: str, passage: str, **values: Any) -> Markup:
    """Return a passage, a macro of ``templates/<template>.md.j2``, as Markdown; it chooses its words by the values."""
    macro = getattr(_environment().get_template(f"{template}.md.j2").module, passage)
    return Markup(str(macro(**values)).strip())


def plain(text: str) -> str:
    """Return Markdown without the roles and boxes that only the book understands: for notebooks that are run by hand."""
    text = re.sub(r"\{[a-z:]+\}`(?:([^`<]+?)\s*<[^`>]*>|([^`]*))`", lambda found: found[1] or found[2], text)
    text = re.sub(r"^:::+\s*\{[^}]*\}\s*(.*)$", r"**\1**\n", text, flags=re.MULTILINE)
    return re.sub(r"^:(?:::+|[a-z-]+:.*)$\n?", "", text, flags=re.MULTILINE).replace("****", "")


def speak(template: str, passage: str, **values: Any) -> None:
    """Show a passage of a template, if it says anything; one whose name begins with ``answer`` opens its page. See `say`."""
    if text := say(template, passage, **values):
        _show_markdown(text, {"passage": f"{template}-{passage}"})


def _show_markdown(text: str, record: dict[str, str]) -> None:
    from IPython.display import Markdown, display  # slow to import, as matplotlib below

    display(Markdown(text if in_book() else plain(text)), metadata={"fergan": record})


# ---- tables and figures

def _cell(value: Any, decimals: int) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return "–"
    return rounded(value, decimals) if isinstance(value, float) else escape(value)


def table_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows as a table whose text may hold Markup, see `show_table`; columns of numbers alone are numeric."""
    table = pd.DataFrame(list(rows), dtype=object)
    numbers = [name for name in table if all(isinstance(value, (int, float, np.number)) for value in table[name])]
    return table.assign(**{name: pd.to_numeric(table[name]) for name in numbers})


def markdown_table(table: pd.DataFrame, decimals: int = 3) -> str:
    """Return a table as Markdown: its columns are the header, its index is not shown, missing values are dashes."""
    align = ["--:" if pd.api.types.is_numeric_dtype(table[column]) else ":--" for column in table]
    rows = [[_cell(value, decimals) for value in row] for row in table.itertuples(index=False, name=None)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (map(escape, table), align, *rows))


def show_table(table: pd.DataFrame, label: str, caption: str, *, decimals: int = 3, sentences: bool = False) -> None:
    """Show a table with a number, a caption and a label that other pages can cite; nothing where it has no row.

    The table's columns become the header; text is escaped, unless it is Markup in a column of dtype object (pandas makes
    plain strings of those in any other). The label is unique in the book, ``tab-...``. The caption, a passage of the
    chapter's template, says what it shows, n, seed and interval. Decimals are those of floating-point cells; `sentences`
    wrap.
    """
    if table.empty:
        return
    body, caption = markdown_table(table, decimals), " ".join(caption.split())  # a caption ends with its line
    body = re.sub(r"\[([^][\s]+), (?=[^][\s]+\])", "[\\1,\u00a0", body)  # intervals break before their bracket only
    kind = ":class: text\n" if sentences else ":class: wide\n" if "[" in body.replace("\\[", "") else ""
    # A fence of tildes: behind one of backticks a caption could hold none, and with them no reference.
    text = f"~~~{{table}} {caption}\n:name: {label}\n{kind}\n{body}\n~~~" if in_book() else f"**{caption}**\n\n{body}"
    _show_markdown(text, {"table": label})


def show_figure(figure: Any, label: str, caption: str, alt: str) -> None:
    """Show a matplotlib figure with a number, a caption and a label that other pages can cite, and close it.

    The picture is drawn here, so that no setting of matplotlib or IPython changes what a page shows: as a transparent PNG,
    which keeps lines, or as JPEG on white where that is less than half as large, as it is of faces. Label and caption are as
    in `show_table`, but for ``fig-...``; `alt` is one sentence without markup for a reader who does not see it.
    """
    import matplotlib.pyplot as plt
    import PIL.Image
    from IPython.display import Image, display

    png, jpeg = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", bbox_inches="tight", transparent=in_book())  # JupyterLab may be dark
    plt.close(figure)
    drawn = PIL.Image.open(png)
    opaque = PIL.Image.alpha_composite(PIL.Image.new("RGBA", drawn.size, "white"), drawn)
    opaque.convert("RGB").save(jpeg, "JPEG", quality=88)
    content, kind = (jpeg, "jpeg") if 2 * len(jpeg.getvalue()) < len(png.getvalue()) else (png, "png")
    record = {"figure": label, "caption": str(caption), "alt": alt}
    display(Image(content.getvalue(), format=kind), metadata={"fergan": record})
    if not in_book():
        _show_markdown(f"*{plain(caption)}*", {})
