"""An Action Unit experiment and its variants: other labels for the same faces, so that a reader sees what labels do."""

from pathlib import Path
from typing import Any

from fergan.experiments.action_units import AUResult, run_au_experiment
from fergan.experiments.au_data import AUData, open_au_data, with_truth_as_labels
from fergan.facs import EMOTION_MAPPINGS

__all__ = ["MAIN", "TRUTH", "load_variants", "run_variants", "save_variants"]

#: The experiment itself, and the one whose detectors learn the true Action Units where its own learn derived ones. The
#: other variants are named after the mapping by which they derive.
MAIN, TRUTH = "", "truth"


def run_variants(
    home: str | Path, pretrained: str, train: str, test: str, relabel_train: str = "", relabel_test: str = "",
    duplicates_within: float = 0.0, **options: Any,
) -> dict[str, AUResult]:
    """Run an experiment; where its labels are derived, by every other mapping too, and with the truth where it is known.

    Parameters
    ----------
    home : path
        A profile's artifacts.
    pretrained, train, test : str
        Face sets: whose network, trained on, tested on.
    relabel_train, relabel_test : str
        Mappings by which Action Units are derived; empty keeps what was coded.
    duplicates_within : float
        See `fergan.experiments.cross_validation.people_or_duplicates`.
    **options
        Of `fergan.experiments.action_units.run_au_experiment`.

    Returns
    -------
    dict of str to AUResult
        `MAIN`, the other mappings, and `TRUTH`; their ``settings`` name the sets and the mappings.
    """

    def data(mapping: str, truth: bool = False) -> tuple[AUData, AUData | None]:
        def opened(name: str, derive: str) -> AUData:
            found = open_au_data(home, pretrained, name, (mapping or derive) if derive else "", duplicates_within)
            return with_truth_as_labels(found) if truth and found.true_occurrence is not None else found

        return opened(train, relabel_train), None if train == test else opened(test, relabel_test)

    derived = relabel_train or relabel_test
    variants = {MAIN: data("")}
    variants |= {name: data(name) for name in EMOTION_MAPPINGS if derived and name != derived}
    if relabel_train and variants[MAIN][0].true_occurrence is not None:
        variants[TRUTH] = data("", truth=True)
    results = {name: run_au_experiment(*parts, **options) for name, parts in variants.items()}
    for name, result in results.items():
        by = [{MAIN: mapping, TRUTH: ""}.get(name, name) if mapping else "" for mapping in (relabel_train, relabel_test)]
        result.settings |= dict(pretrained=pretrained, train=train, test=test, relabel_train=by[0], relabel_test=by[1],
                                duplicates_within=duplicates_within)
    return results


def save_variants(results: dict[str, AUResult], folder: str | Path, **settings: Any) -> None:
    """Write each variant into a folder of its own in the experiment's, whose own file, the stamp, comes last."""
    for name in sorted(results, reverse=True):
        results[name].settings |= settings | dict(variants=list(results))
        results[name].save(Path(folder) / name)


def load_variants(folder: str | Path) -> dict[str, AUResult]:
    """Read what `save_variants` wrote."""
    main = AUResult.load(folder)
    others = [name for name in main.settings.get("variants", ()) if name != MAIN]
    return {MAIN: main} | {name: AUResult.load(Path(folder) / name) for name in others}
