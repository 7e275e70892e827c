"""Tables and sentences of the chapter on label efficiency."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from fergan.book.report import with_interval
from fergan.book.tables.scores import row_of
from fergan.book.tables.words import listed
from fergan.experiments.label_efficiency import LabelEfficiencyResult

__all__ = [
    "accuracy_table", "answer_of_labels", "counted_in", "curve_tables", "difference_tables", "draws_table",
    "efficiency_summary", "fits_table", "people_table", "size_tables", "what_it_shows",
]


def _row(result: LabelEfficiencyResult, method: str, score: str, label: str = "all") -> Mapping:
    return row_of(result.scores, "labelled_people", method, score, label)


def _words(row: Mapping, decimals: int = 2) -> str:
    return with_interval(row["value"], row["low"], row["high"], decimals) if len(row) else "–"


def counted_in(result: LabelEfficiencyResult) -> str:
    """Return "people", or "faces" where no person has two faces."""
    counts = result.predictions.groupby("subject")["face"].nunique()
    return "people" if counts.max() > 1 else "faces"


def curve_tables(result: LabelEfficiencyResult) -> dict[str, pd.DataFrame]:
    """Return for each method ``size, value, low, high, lowest, highest``, as `fergan.book.figures.experiments` draws them."""
    tables = {}
    for method in result.methods:
        ends = {end: result.curve(method, f"{end}_draw")["value"] for end in ("lowest", "highest")}
        tables[method] = result.curve(method).rename(columns={"n_people": "size"}).assign(**ends)
    return tables


def difference_tables(result: LabelEfficiencyResult) -> dict[str, pd.DataFrame]:
    """Return ``size, value, low, high`` of the first method's accuracy minus that of each other one."""
    return {method: result.curve(method, "accuracy_difference").rename(columns={"n_people": "size"})
            for method in result.methods[1:]}


def accuracy_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per number of labels: the accuracy of each method with its interval."""
    counted, faces, rows = counted_in(result), result.train_faces(), []
    for n in result.sizes:
        labelled = {f"labelled {counted}": n} | ({"their faces": round(faces[n])} if counted == "people" else {})
        rows.append(labelled | {method: _words(_row(result, method, "accuracy", str(n))) for method in result.methods})
    return pd.DataFrame(rows)


def draws_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per number of labels: how far the draws of labelled people lie apart, for each method."""
    rows = []
    for n in result.sizes:
        cells = {}
        for method in result.methods:
            low, high = (_row(result, method, score, str(n))["value"] for score in ("lowest_draw", "highest_draw"))
            cells[method] = f"{low:.2f} to {high:.2f}" if high > low else f"{low:.2f}"
        rows.append({f"labelled {counted_in(result)}": n} | cells)
    return pd.DataFrame(rows)


def people_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per accuracy: how many labelled people each method needs to reach it, with the interval."""
    scores = result.scores[result.scores["score"] == "people_needed"]
    rows = [{"accuracy": f"{float(level):.0%}"} | {m: _needed(_row(result, m, "people_needed", level), result.sizes[-1])
            for m in result.methods} for level in sorted(set(scores["label"]), key=float)]
    return pd.DataFrame(rows or [{"accuracy": "–"} | dict.fromkeys(result.methods, "–")])


def _needed(row: Mapping, n_all: int) -> str:
    """Write how many people are needed; what is not reached is more than all."""
    value, low, high = (f"> {n_all}" if np.isnan(row[key]) else f"{row[key]:.1f}" for key in ("value", "low", "high"))
    return value if value == low == high else f"{value} [{low}, {high}]"


def what_it_shows(result: LabelEfficiencyResult) -> str:
    """Return one sentence for each other method, as a list in Markdown: where the first is better, where worse."""
    first, counted, lines = result.methods[0], counted_in(result), []
    for method in result.methods[1:]:
        curve = result.curve(method, "accuracy_difference")
        better, worse = (", ".join(map(str, curve.loc[clear, "n_people"]))
                         for clear in (curve["low"] > 0, curve["high"] < 0))
        found = [f"better with {better}"] * bool(better) + [f"worse with {worse}"] * bool(worse)
        mean = _row(result, method, "curve_mean_difference")
        sign = "above" if mean["value"] > 0 else "below"
        said = " and ".join(found) + f" labelled {counted}" if found else "never clearly better or worse"
        lines.append(f"- **{method}**: {first} is {said}; over the whole curve it lies {abs(mean['value']):.3f} {sign} (95 %"
                     f" interval of the difference {mean['low']:+.3f} to {mean['high']:+.3f}).")
    return "\n".join(lines)


def efficiency_summary(results: Mapping[str, LabelEfficiencyResult]) -> pd.DataFrame:
    """Return one row per set and method: the mean of its curve, and the first method's advantage over it."""
    rows = []
    for target, result in results.items():
        for method in result.methods:
            ends = [_words(_row(result, method, "accuracy", str(n))) for n in (result.sizes[0], result.sizes[-1])]
            rows.append({"faces of": target, "method": method, "one labelled": ends[0], "all labelled": ends[1],
                         "mean of the curve": _words(_row(result, method, "curve_mean")),
                         "first method minus this": _words(_row(result, method, "curve_mean_difference"))})
    return pd.DataFrame(rows)


def size_tables(results: Mapping[str, LabelEfficiencyResult]) -> dict[str, pd.DataFrame]:
    """Return the first method's curve of each set over the number of labelled faces: ``size, value, low, high``.

    Sets are named together with the share of their commonest emotion, which lies under every accuracy.
    """
    tables = {}
    for target, result in results.items():
        curve = result.curve(result.methods[0])
        words = f"{target} (commonest emotion {_row(result, 'none', 'majority_accuracy')['value']:.2f})"
        tables[words] = curve.assign(size=curve["n_people"].map(result.train_faces()))[["size", "value", "low", "high"]]
    return tables


def fits_table(result: LabelEfficiencyResult) -> pd.DataFrame:
    """Return one row per number of labels: what the models learnt from, and how."""
    counted, fits = counted_in(result), result.searches
    rows = []
    for n, of_size in fits.groupby("n_people"):
        n_faces = round(of_size["n_train_faces"].mean())
        row = {f"labelled {counted}": n, "faces": n_faces, "emotions": of_size["n_emotions"].mean()}
        searched = of_size[~of_size["features"].isin(result.settings["networks"])]["searched"].astype(bool)
        row["SVMs searched"] = f"{searched.mean():.0%}"
        for network in result.settings["networks"]:
            of_network = of_size[of_size["features"] == network]
            row[f"{network}: steps"] = round(of_network["steps"].mean())
            row[f"{network} on its faces"] = of_network["train_accuracy"].mean()
        rows.append(row)
    return pd.DataFrame(rows)


def answer_of_labels(result: LabelEfficiencyResult, target: str, level: str = "0.5") -> str:
    """Say how many labelled people each method needs until half of the test faces are named rightly, fewest first."""
    rows = {method: _row(result, method, "people_needed", level) for method in result.methods}
    known = {method: row["value"] for method, row in rows.items() if len(row) and not np.isnan(row["value"])}
    counted, n_all = counted_in(result), result.sizes[-1]
    if not known:
        best = max(result.methods, key=lambda method: _row(result, method, "accuracy", str(n_all))["value"])
        return (f"All {n_all} labelled {counted} of {target} do not suffice to name half of the faces of people never seen "
                f"rightly; the best method, {best}, reaches {_words(_row(result, best, 'accuracy', str(n_all)), 3)}.")
    words = [f"{method} {_needed(rows[method], n_all)}" for method in sorted(known, key=known.get)]
    never = [method for method in result.methods if method not in known]
    short = f" All {n_all} do not suffice for {listed(never)}." if never else ""
    return (f"To name half of the faces of people never seen rightly on {target}, so many labelled {counted} are needed, "
            f"read off the curves: {'; '.join(words)}.{short}")
