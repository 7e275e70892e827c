"""Which Action Units transfer: the paper's own numbers, read by our rules, give what its table says."""

import numpy as np
import pandas as pd
import pytest

from fergan.book.tables.action_units import difference_of, papers_of, table_of_means
from fergan.book.tables.au_transfer import rank_agreement, table_four, transfer_table
from fergan.experiments.action_units import AUResult, paper_au_scores
from fergan.experiments.cross_validation import PROTOCOLS
from fergan.experiments.scores import score_table
from fergan.facs import ACTION_UNITS
from fergan.paper import read_table


def as_result(number, half=0.01, shift=0.0, **changes):
    """A result with the paper's own areas, as if they had come out here."""
    pretrained, train, test = read_table("table5_au_experiments").set_index("experiment").loc[number]
    theirs = paper_au_scores(number)
    rows = [
        dict(protocol=protocol, features="discriminator", score="auc", label=row.label, value=row.value + shift,
             low=row.value + shift - half, high=row.value + shift + half, n_faces=100, n_subjects=10, n_labels=row.n_labels)
        for protocol in PROTOCOLS for row in theirs.itertuples()
    ]
    settings = dict(pretrained=pretrained, train=train, test=test) | changes
    return AUResult(score_table(rows), pd.DataFrame(), pd.DataFrame(), settings)


@pytest.fixture(scope="module")
def results():
    return {number: as_result(number) for number in range(1, 9)}


def test_transfer_is_above_chance_only_where_intervals_are(results):
    table = transfer_table(results).set_index("AU")
    assert list(table.index) == list(ACTION_UNITS)
    assert list(table.columns) == ["experiment 4", "experiment 5", "experiment 7", "experiment 8", "mean", "paper's mean", "above chance"]
    assert table.loc["AU01", "above chance"] == "in all"
    assert table.loc["AU04", "above chance"] == "in all" and table.loc["AU04", "experiment 4"] == "0.52 [0.51, 0.53]"
    wide = transfer_table({n: as_result(n, half=0.03) for n in range(1, 9)}).set_index("AU")
    assert wide.loc["AU04", "above chance"] == "in 2 of 4"
    assert rank_agreement(transfer_table(results))[0] == pytest.approx(1)
    upside_down = transfer_table(results).assign(mean=lambda t: -t["mean"])
    assert rank_agreement(upside_down) == (pytest.approx(-1), 14)
    assert transfer_table({1: results[1]}).empty and np.isnan(rank_agreement(transfer_table({1: results[1]}))[0])


def test_table_four_has_the_paper_and_both_protocols(results):
    table = table_four(results | {11: as_result(1, train="mine", test="mine")})
    assert len(table) == 45 and list(table.columns) == ["AU", "", *(str(n) for n in range(1, 9)), "11"]
    row = table[(table["AU"] == "AU15") & (table[""] == "paper")].iloc[0]
    assert row["4"] == pytest.approx(0.510) and np.isnan(row["11"])
    mine = table_four({11: as_result(1, train="mine", test="mine")})
    assert len(mine) == 30 and "paper" not in set(mine[""])
    assert table[table["AU"] == "mean"]["2"].tolist() == [pytest.approx(0.993)] * 3


def test_a_difference_has_our_interval():
    result = as_result(2, half=0.02, shift=-0.1)
    assert difference_of(result, papers_of(2, result)) == "-0.100 [-0.120, -0.080]"
    assert difference_of(result, papers_of(1, result)) == "–"
    table = table_of_means({2: result, 12: result})
    assert table["difference"].tolist() == ["-0.100 [-0.120, -0.080]", "–"]
