"""Which emotion experiment comes out above which, in the paper and here."""

from collections.abc import Mapping

import pandas as pd

from fergan.book.tables.emotions import papers_emotions
from fergan.book.tables.scores import score_of_table
from fergan.experiments.emotions import EmotionResult, accuracy_difference

__all__ = ["EMOTION_ORDERINGS", "emotion_orderings"]

#: What the paper says of the order of its emotion experiments: (claim, the better one, the worse one).
EMOTION_ORDERINGS = (
    ("a network of enhanced CK does best on frontal faces", 1, 5),
    ("a network of CelebA improves on it", 2, 1),
    ("frontal faces are easier than multi-view ones", 1, 3),
    ("pretraining on the multi-view faces themselves is worse still", 3, 4),
    ("posed faces are easier than faces in the wild", 5, 6),
    ("film-like SFEW is harder than RAF-DB", 6, 8),
)


def emotion_orderings(results: Mapping[int, EmotionResult]) -> pd.DataFrame:
    """Compare the order of the paper's experiments with the order here, on people never seen.

    Rows whose experiments this book has not run as the paper did are left out. "Holds" and "fails" are said only where the
    interval of the difference does not contain 0.
    """
    rows = []
    for claim, better, worse in EMOTION_ORDERINGS:
        papers = [_paper(results, number) for number in (better, worse)]
        if any(paper is None for paper in papers):
            continue
        difference, paired = accuracy_difference(results[better], results[worse])
        verdict = {1: "holds", -1: "fails"}.get(difference.sign, "not decided")
        theirs = [score_of_table(paper, "paper", "accuracy") for paper in papers]
        rows.append({"the paper says": claim, "experiments": f"{better} over {worse}", "paper": theirs[0] - theirs[1],
                     "here": str(difference), "same faces": "yes" if paired else "no", "here it": verdict})
    columns = ["the paper says", "experiments", "paper", "here", "same faces", "here it"]
    return pd.DataFrame(rows or [dict.fromkeys(columns, "–")], columns=columns)


def _paper(results: Mapping[int, EmotionResult], number: int) -> pd.DataFrame | None:
    if number not in results:
        return None
    settings = results[number].settings
    return papers_emotions(number, settings["pretrained"], settings["target"])
