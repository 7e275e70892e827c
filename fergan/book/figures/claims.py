"""The figure of the page on claims."""

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from fergan.book.figures.style import WIDTH
from fergan.book.tables.claims import parts_of_the_paper
from fergan.claims.verdict import WORDS

# One hatch each, so that the bars can be told apart without colours.
_HATCHES = ("", "xx", "..", "//", "\\\\", "", "")


def verdict_bars(judged: pd.DataFrame) -> Figure:
    """Draw how many claims of each part have which verdict.

    Parameters
    ----------
    judged : DataFrame
        What `fergan.book.tables.claims.judged_claims` returns.
    """
    parts = parts_of_the_paper()
    counts = pd.crosstab(judged["id"].str[0].map(parts), judged["verdict"]).reindex(index=parts.values(), columns=WORDS, fill_value=0)
    colours = [*sns.color_palette("colorblind", 5), "0.75", "0.92"]
    figure, ax = plt.subplots(figsize=(WIDTH, 4.2))
    left = pd.Series(0, counts.index)
    for word, colour, hatch in zip(counts, colours, _HATCHES, strict=True):
        ax.barh(counts.index, counts[word], left=left, color=colour, hatch=hatch, edgecolor="white", label=word)
        left += counts[word]
    ax.invert_yaxis()
    ax.set_xlabel("claims")
    ax.grid(False, axis="y")
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    return figure
