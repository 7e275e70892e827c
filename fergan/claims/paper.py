"""Claims that the paper's own tables decide: each is computed from them, not from this book's results."""

from contextlib import suppress

import numpy as np
import pandas as pd

from fergan.claims.base import CONTRADICTION, STATED, CannotTest, NotRun, Verdict, claim
from fergan.claims.evidence import Evidence, words
from fergan.experiments.cross_validation import SUBJECT_INDEPENDENT
from fergan.facs import EMOTION_MAPPINGS, action_units_of, identical_action_units
from fergan.paper import read_table

_ALL_EMOTIONS = ("angry", "contemptuous", "disgusted", "fearful", "happy", "neutral", "sad", "surprised")
_CONTRADICTIONS = "where-the-paper-contradicts-itself"


def _against(evidence: Evidence, contradicted: bool, finding: str, shown_by: str = _CONTRADICTIONS) -> Verdict:
    return Verdict(CONTRADICTION if contradicted else STATED, finding, shown_by)


def _areas() -> pd.DataFrame:
    table = read_table("table4_au_auc").set_index("au")
    table.columns = [int(name.removeprefix("exp")) for name in table]
    return table


def _counts(experiment: int) -> pd.DataFrame:
    """Return the counts of Fig. 6, rows by true emotion."""
    table = read_table("fig6_confusion").query("experiment == @experiment")
    return table.pivot(index="true", columns="predicted", values="count")


def _rates(experiment: int) -> pd.Series:
    """Return the share of each true emotion that is recognised, lowest first."""
    counts = _counts(experiment)
    return (np.diag(counts) / counts.sum(axis=1)).sort_values()


def _precisions(experiment: int) -> pd.Series:
    """Return the share of each named emotion that is true, as Fig. 6 prints it."""
    counts = _counts(experiment)
    return np.diag(counts) / counts.sum(axis=0)


@claim("M1")
def training_settings(evidence: Evidence) -> Verdict:
    return Verdict(STATED, "The presets `radford2015` and `paper` hold these values; each generator's page says what it was trained with.",
                   evidence.shown("02_dcgan", "tab-dcgan-presets"))


@claim("M3")
def feature_maps(evidence: Evidence) -> Verdict:
    as_said, as_used = 512 * 64 * 64, 512 * 4 * 4
    return _against(evidence, as_said != as_used, f"512 maps of 64 × 64 would be {as_said:,} numbers; the paper's matrices have "
                    f"8,192 columns, and 512 × 4 × 4 is {as_used:,}.", "features-arithmetic")


@claim("M4")
def number_of_emotions(evidence: Evidence) -> Verdict:
    counts = read_table("table2_emotion_auc").set_index("emotion").drop("Average").notna().sum()
    said = ", ".join(f"{n} in experiments {', '.join(c.removeprefix('exp') for c in counts[counts == n].index)}" for n in sorted(set(counts)))
    return _against(evidence, counts.nunique() > 1, f"Both numbers occur: {said}.")


@claim("M5")
def three_implementations(evidence: Evidence) -> Verdict:
    return Verdict(STATED, "Nothing says which did what; this book uses PyTorch.", _CONTRADICTIONS)


@claim("M6")
def equilibrium_and_l1_loss(evidence: Evidence) -> Verdict:
    return Verdict(STATED, "A generator that is given noise alone has no target image; the loss is not used here.", _CONTRADICTIONS)


@claim("E8")
def sadness_without_error(evidence: Evidence) -> Verdict:
    said, contradicted = [], False
    for number in (1, 2):
        rates, printed = (sorted(share[share == 1].index.str.lower()) for share in (_rates(number), _precisions(number)))
        contradicted |= not any({"disgusted", "sad"} <= set(names) for names in (rates, printed))
        said.append(f"experiment {number}: {', '.join(rates) or 'none'} (printed as 100 %: {', '.join(printed) or 'none'})")
    return _against(evidence, contradicted, f"Without error in the paper's Fig. 6, {'; '.join(said)}.")


@claim("E9")
def anger_and_fear_least(evidence: Evidence) -> Verdict:
    least = {n: sorted(_rates(n).index[:2].str.lower()) for n in (1, 2, 3, 4)}
    said = "; ".join(f"experiment {n}: {' and '.join(names)}" for n, names in least.items())
    return _against(evidence, any(set(names) != {"angry", "fearful"} for names in least.values()),
                    f"Recognised least in the paper's Fig. 6, {said}.")


@claim("E11")
def share_in_experiments_1_and_5(evidence: Evidence) -> Verdict:
    accuracy = read_table("fig6_emotion_accuracy").set_index("experiment")["accuracy_percent"]
    said = f"The same section has {accuracy[1]} % in experiment 1 and {accuracy[5]} % in experiment 5."
    return _against(evidence, not np.allclose(accuracy[[1, 5]], 94.6, atol=0.05), said)


@claim("E12")
def average_of_experiment_4(evidence: Evidence) -> Verdict:
    column = read_table("table2_emotion_auc").set_index("emotion")["exp4"]
    mean = column.drop("Average").mean()
    return _against(evidence, abs(mean - column["Average"]) > 0.0015, f"The column averages {mean:.3f}, and {column['Average']:.3f} is printed below it.")


@claim("E13")
def rates_are_precisions(evidence: Evidence) -> Verdict:
    counts = _counts(1)
    rows, columns = (sorted(set(counts.sum(axis=axis).astype(int))) for axis in (1, 0))
    return _against(evidence, len(rows) == 1 < len(columns), "Rows of experiment 1 add up to "
                    f"{', '.join(map(str, rows))}, the size of every class; columns to {', '.join(map(str, columns))}. A share of a column is a precision.")


@claim("U2")
def relabelling_improves_all(evidence: Evidence) -> Verdict:
    table = _areas().drop("Average")
    fallen = table[table[2] < table[1]]
    said = ", ".join(f"{unit} from {row[1]:.3f} to {row[2]:.3f}" for unit, row in fallen.iterrows())
    return _against(evidence, len(fallen) > 0, f"In Table IV these fall: {said}. And labels derived from emotions are emotions.",
                    evidence.au_table(2) or _CONTRADICTIONS)


@claim("U3")
def units_without_labels(evidence: Evidence) -> Verdict:
    named = {int(unit) for units in read_table("table6_emotion_aus")["aus"] for unit in str(units).split()}
    absent = [unit for unit in (10, 11, 14, 20, 22, 26) if unit not in named]
    return Verdict(STATED, f"Of these six, {len(absent)} are in no row of Table VI.", evidence.shown("05_action_units", "tab-aus-mapping"))


@claim("U4")
def contempt_has_a_mapping(evidence: Evidence) -> Verdict:
    units = {name: ", ".join(action_units_of("contemptuous", name)) for name in EMOTION_MAPPINGS}
    return _against(evidence, bool(units["paper"]), f"Table VI maps contempt to {units['paper']}.",
                    evidence.shown("05_action_units", "tab-aus-mapping"))


def _within() -> list[int]:
    table = read_table("table5_au_experiments")
    return table.loc[table["train"] == table["test"], "experiment"].tolist()


@claim("U5")
def across_sets(evidence: Evidence) -> Verdict:
    means = _areas().loc["Average"]
    across = [n for n in means.index if n not in _within()]
    said = ", ".join(f"{means[n]:.3f}" for n in across)
    return _against(evidence, {2, 3, 6} <= set(_within()), "Experiments 2, 3 and 6 train and test on one set each; "
                    f"{', '.join(map(str, across))} cross over, with {said}.", evidence.shown("05_action_units", "tab-aus-summary"))


@claim("U6")
def units_that_transfer(evidence: Evidence) -> Verdict:
    table = _areas()
    across = [n for n in table if n not in _within()]
    below = [(unit, n) for unit in ("AU01", "AU23", "AU24", "AU25") for n in across if table.loc[unit, n] < table.loc["Average", n]]
    said = ", ".join(f"{unit} in experiment {n} ({table.loc[unit, n]:.3f} against {table.loc['Average', n]:.3f})" for unit, n in below)
    return _against(evidence, bool(below), f"Below its experiment's average: {said or 'none'}.")


@claim("U7")
def units_that_behave_alike(evidence: Evidence) -> Verdict:
    table = _areas()[[4, 5, 6, 8]]
    apart = (table.loc["AU02"] - table.loc["AU17"]).abs()
    span = table.loc[["AU02", "AU17"]].max(axis=1) - table.loc[["AU02", "AU17"]].min(axis=1)
    return _against(evidence, apart.max() > 0.1, f"They differ by up to {apart.max():.3f} (experiment {apart.idxmax()}), and AU2 alone spans {span['AU02']:.3f}.")


@claim("U8")
def worst_transfer(evidence: Evidence) -> Verdict:
    table = _areas().drop("Average")
    lowest = {n: table[n].idxmin() for n in (4, 7)}
    said = "; ".join(f"experiment {n}: {unit} ({table.loc[unit, n]:.3f})" for n, unit in lowest.items())
    return _against(evidence, any(unit != "AU04" for unit in lowest.values()), f"Lowest in Table IV, {said}.")


@claim("U9")
def best_generalisation(evidence: Evidence) -> Verdict:
    means = _areas().loc["Average"].sort_values(ascending=False)
    best = means.index[:2].tolist()
    return _against(evidence, set(best) <= set(_within()), f"The highest averages are those of experiments {best[0]} and {best[1]}, "
                    "which stay within one set: nothing is generalised to another.")


@claim("U11")
def equal_labels_equal_areas(evidence: Evidence) -> Verdict:
    groups = [units for units in identical_action_units(_ALL_EMOTIONS) if {"AU07", "AU23", "AU24"} <= set(units)]
    areas = _areas()[2]
    said = ", ".join(f"{unit} {areas[unit]:.3f}" for unit in ("AU07", "AU23", "AU24"))
    return _against(evidence, bool(groups) and areas[["AU07", "AU23", "AU24"]].nunique() > 1,
                    f"All three are derived from anger alone, so that their labels are equal; Table IV has {said}.",
                    evidence.au_table(2) or _CONTRADICTIONS)


@claim("G4")
def new_benchmark(evidence: Evidence) -> Verdict:
    table = read_table("table7_sample_quality_rafd").set_index("model")["fid"]
    lower = table[table < table["DCGAN (paper)"]]
    said = ", ".join(f"{name} ({value:.2f})" for name, value in lower.items())
    return _against(evidence, len(lower) > 0, f"In its own table these have a lower distance: {said}.",
                    evidence.shown("06_quality", "tab-quality-paper"))


@claim("G5")
def inception_score_below_one(evidence: Evidence) -> Verdict:
    value = read_table("table7_sample_quality_rafd").set_index("model").loc["pix2pixHD", "is"]
    return _against(evidence, value < 1, f"The score is at least 1 by its definition; {value} is printed.")


@claim("F4")
def features_of_the_generator(evidence: Evidence) -> Verdict:
    """Say, beside that it is a plan, what features of the generator reach where this book's profile asks for them."""
    rows = []
    for number in sorted(evidence.emotion_experiments):
        with suppress(NotRun, CannotTest):
            table = evidence.emotions(number).scores.query("features == 'generator' and score == 'accuracy_difference'")
            rows += [(number, row) for _, row in table[table["protocol"] == SUBJECT_INDEPENDENT].iterrows()]
    said = "; ".join(f"experiment {number} {words(row[['value', 'low', 'high']])}" for number, row in rows)
    return Verdict(STATED, "A plan of the authors. " + (f"Accuracy of the discriminator's features minus that of its generator's here: {said}." if said else
                   "The baseline `generator` is what it would be; this book's profile does not ask for it."),
                   evidence.shown("04_emotions", "tab-emotions-baselines") if said else "")


@claim("F2")
@claim("F3")
def future_work(evidence: Evidence) -> Verdict:
    return Verdict(STATED, "A plan of the authors.")


def _wrong_references(evidence: Evidence, name: str) -> Verdict:
    """Judge a claim by the transcribed references: what is cited under a number, and what has that number."""
    table = read_table("cross_references").query("claim == @name")
    wrong = table[table["cited_for"] != table["holds"].fillna("")]
    said = "; ".join(f"{row.cited} is cited for {row.cited_for} and " + (f"is on {row.holds}" if isinstance(row.holds, str) else "does not exist")
                     for row in wrong.itertuples())
    return _against(evidence, len(wrong) > 0, f"{said[:1].upper()}{said[1:]}.")


@claim("R1")
def figures_by_number(evidence: Evidence) -> Verdict:
    return _wrong_references(evidence, "R1")


@claim("R2")
def references_by_number(evidence: Evidence) -> Verdict:
    return _wrong_references(evidence, "R2")


@claim("R3")
def table_of_datasets(evidence: Evidence) -> Verdict:
    known = {"CK+": "ck-plus", "RaFD": "rafd", "KDEF": "kdef", "RAF-DB": "raf-db", "CelebA": "celeba"}
    listed = {known[name] for name in read_table("table1_datasets")["dataset"]}
    experiments = read_table("emotion_experiments")
    used = {name.removesuffix("-frontal").removesuffix("-multiview") for name in experiments[["pretrained", "target"]].stack()}
    return _against(evidence, used != listed, f"Used and not listed: {', '.join(sorted(used - listed))}; listed and not used: {', '.join(sorted(listed - used))}.")


