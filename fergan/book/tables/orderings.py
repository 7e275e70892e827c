"""Which experiment comes out above which, in the paper and here."""

from collections.abc import Mapping
from contextlib import suppress

import pandas as pd

from fergan.claims.printed import papers_areas
from fergan.claims.recognition import papers_accuracy
from fergan.claims.verdict import Results, Unjudged, score
from fergan.experiments.action_units import AUResult
from fergan.experiments.emotions import EmotionResult, accuracy_difference
from fergan.experiments.intervals import Difference
from fergan.paper import read_table


def orderings(emotions: Mapping[int, EmotionResult], units: Mapping[int, AUResult]) -> pd.DataFrame:
    """Compare the order of the paper's experiments with the order here, on people never seen.

    Rows whose experiments this book has not run as the paper did are left out. "Holds" and "fails" are said only where the
    interval of the difference does not contain 0. Areas of Action Units are compared as independent scores: their faces or
    their labels differ.
    """
    results, areas, rows = Results(emotions=emotions, units=units), papers_areas().loc["mean"], []
    for row in read_table("orderings").itertuples():
        pair = row.better, row.worse
        with suppress(Unjudged):
            if row.kind == "emotions":
                difference, paired = accuracy_difference(*map(results.emotion_experiment, pair))
                theirs = papers_accuracy(row.better) - papers_accuracy(row.worse)
            else:
                difference, paired = Difference.of_scores(*(score(results.unit_experiment(n), "auc") for n in pair)), False
                theirs = areas[row.better] - areas[row.worse]
            rows.append({"kind": "emotions" if row.kind == "emotions" else "AUs", "the paper says": row.claim,
                         "experiments": f"{row.better} over {row.worse}", "paper": theirs, "here": str(difference),
                         "same faces": "yes" if paired else "no",
                         "here it": {1: "holds", -1: "fails"}.get(difference.sign, "not decided")})
    columns = ["kind", "the paper says", "experiments", "paper", "here", "same faces", "here it"]
    return pd.DataFrame(rows or [dict.fromkeys(columns, "–")], columns=columns)
