"""The pages about experiments: emotions and Action Units."""

from pathlib import Path
from typing import Any

from fergan.book.network_pages import further_models, pretrained_sets
from fergan.book.page import Page, faces_stamp, features_stamp, model_stamp, stamp_of, summary_page
from fergan.book.profile_schema import ActionUnitExperiment, EmotionExperiment, Profile

__all__ = ["experiment_pages", "listed"]


def experiment_pages(profile: Profile) -> list[Page]:
    """Return the pages of the experiments on emotions and on Action Units."""
    makers = (_layers_page, _emotion_pages, _label_pages, _transfer_pages, _au_pages, _single_unit_pages, _saliency_pages)
    return [page for make in makers for page in make(profile)]


def _layers_page(profile: Profile) -> list[Page]:
    """Return the page that compares layers, where a set's emotions are classified with its own network."""
    own = [e.target for e in profile.emotion_experiments if e.pretrained == e.target]
    sets = [name for name in profile.datasets if name in own]
    if not sets:
        return []
    parameters = dict(sets=",".join(sets), n_resamples=profile.search.n_resamples)
    inputs = tuple(stamp for name in sets for stamp in (model_stamp(name), faces_stamp(name)))
    return [Page("03b_layers", "layers", "Which layer knows the emotion?", parameters, inputs)]


def _search(profile: Profile) -> dict[str, Any]:
    search = profile.search.model_dump()
    weights = search["facenet_weights"]
    absolute = str(Path(weights).resolve()) if weights else ""  # notebooks run in a folder of their own
    return search | {"baselines": ",".join(search["baselines"]), "facenet_weights": absolute}


def _emotion_pages(profile: Profile) -> list[Page]:
    if not profile.emotion_experiments:
        return []
    pages = [
        Page(
            "04_emotions", f"experiment-{e.experiment}",
            f"Emotion experiment {e.experiment}: {e.target}, network of {e.pretrained}",
            dict(experiment=e.experiment, pretrained=e.pretrained, target=e.target, **_search(profile)),
            inputs=(features_stamp(e.pretrained, e.target), faces_stamp(e.target)),
        )
        for e in profile.emotion_experiments
    ]
    numbers = ",".join(str(e.experiment) for e in profile.emotion_experiments)
    title = "Recognising emotions"
    return [summary_page("04_emotions", title, pages, experiment=0, experiments=numbers), *pages]


def _label_pages(profile: Profile) -> list[Page]:
    """Return the pages of accuracy against labelled people, for the sets that are there and have an experiment."""
    section = profile.label_efficiency
    networks = {target: list(dict.fromkeys(e.pretrained for e in profile.emotion_experiments if e.target == target))
                for target in (*section.targets, *section.size_targets)}
    pages = [_label_page(profile, target, of_target[: section.max_networks], target in section.targets)
             for target, of_target in networks.items() if of_target]
    if not pages:
        return []
    names = ",".join(page.name for page in pages)
    return [summary_page("04b_label_efficiency", "How many labels are enough?", pages, target="", targets=names), *pages]


def _label_page(profile: Profile, target: str, networks: list[str], whole: bool) -> Page:
    section = profile.label_efficiency
    baselines = section.baselines if whole else section.size_baselines
    training = dict(cnn_width=section.cnn_width if whole else 0, cnn_epochs=section.cnn_epochs, cnn_draws=section.cnn_draws,
                    cnn_min_steps=section.cnn_min_steps, finetune=whole and section.finetune)
    counts = dict(n_splits=section.n_splits, n_draws=section.n_draws, n_evaluations=section.n_evaluations,
                  inner_folds=section.inner_folds, n_resamples=profile.search.n_resamples)
    networks = networks if whole else [target] if target in networks else networks[:1]
    stamps = [features_stamp(network, target) for network in networks] + [faces_stamp(target)]
    stamps += [model_stamp(networks[0])] if training["finetune"] else []
    methods = dict(target=target, networks=",".join(networks), baselines=",".join(baselines))
    return Page("04b_label_efficiency", target, f"Labelled people of {target}", methods | counts | training, tuple(stamps))


def _transfer_pages(profile: Profile) -> list[Page]:
    """Return the page of the transfer matrix, where there are two networks at least."""
    section, networks = profile.transfer, pretrained_sets(profile)
    targets = [name for name in section.targets if name in profile.datasets]
    if not targets or len(networks) < 2:
        return []
    marked = [e for e in profile.emotion_experiments if e.target in targets]
    read = [e for e in marked if _same_search(profile)]
    stamps = [*map(model_stamp, networks), *map(faces_stamp, dict.fromkeys([*targets, *networks]))]
    stamps += [stamp_of("04_emotions", f"experiment-{e.experiment}") for e in read]
    parameters = dict(networks=",".join(networks), targets=",".join(targets), baselines=",".join(section.baselines),
                      experiments=listed(marked), read=",".join(str(e.experiment) for e in read), n_folds=section.n_folds,
                      inner_folds=section.inner_folds, n_evaluations=section.n_evaluations, max_faces=section.max_faces or 0,
                      n_resamples=profile.search.n_resamples)
    return [Page("04c_transfer", "matrix", "Every network on every set of faces", parameters, tuple(stamps))]


def _same_search(profile: Profile) -> bool:
    """Say whether a cell of the matrix is computed as an emotion experiment is, so that it can be read from there."""
    ours, search = profile.transfer, profile.search
    settings = (ours.n_folds, ours.inner_folds, ours.n_evaluations)
    return settings == (search.n_folds, search.inner_folds, search.nested_evaluations) and ours.max_faces is None


def listed(experiments: list[EmotionExperiment] | list[ActionUnitExperiment]) -> str:
    """Write experiments as one flat parameter: number and face sets, separated by blanks; experiments by semicolons."""
    return ";".join(" ".join((str(e.experiment), *e.sets)) for e in experiments)


def _au_pages(profile: Profile) -> list[Page]:
    if not profile.au_experiments:
        return []
    pages = [
        Page(
            "05_action_units", f"experiment-{e.experiment}", _au_title(e.experiment, e.pretrained, e.train, e.test),
            dict(
                experiment=e.experiment, pretrained=e.pretrained, train=e.train, test=e.test,
                relabel_train=profile.datasets[e.train].relabel, relabel_test=profile.datasets[e.test].relabel,
                duplicates_within=profile.search.duplicates_within, **_au_search(profile),
            ),
            inputs=tuple(dict.fromkeys(
                stamp for name in (e.train, e.test) for stamp in (features_stamp(e.pretrained, name), faces_stamp(name))
            )),
        )
        for e in profile.au_experiments
    ]
    numbers = ",".join(str(e.experiment) for e in profile.au_experiments)
    title, singles = "Detecting Action Units", _single_unit_pages(profile)
    cited = dict(experiments=numbers, single_units=",".join(page.name for page in singles))
    return [summary_page("05_action_units", title, [*pages, *singles], experiment=0, **cited), *pages]


def _single_unit_pages(profile: Profile) -> list[Page]:
    """Return one page for each network that learnt only the faces with one Action Unit."""
    return [
        Page(
            "05b_single_unit", name, f"A network of {model.dataset}'s faces with {model.only}",
            dict(model=name, dataset=model.dataset, unit=model.only, **_au_search(profile)),
            inputs=(model_stamp(name), model_stamp(model.dataset), faces_stamp(model.dataset)),
        )
        for name, model in further_models(profile).items() if model.only
    ]


def _saliency_pages(profile: Profile) -> list[Page]:
    """Return the page on the detectors of the first experiment that learns coded Action Units, or else of the first."""
    found = sorted(profile.au_experiments, key=lambda e: bool(profile.datasets[e.train].relabel))[:1]
    return [
        Page(
            "05c_saliency", f"experiment-{e.experiment}", f"Where the detectors of experiment {e.experiment} look",
            dict(experiment=e.experiment, pretrained=e.pretrained, train=e.train,
                 relabel_train=profile.datasets[e.train].relabel, margin=float(profile.datasets[e.train].margin)),
            inputs=(stamp_of("05_action_units", f"experiment-{e.experiment}"), model_stamp(e.pretrained),
                    features_stamp(e.pretrained, e.train), faces_stamp(e.train)),
        )
        for e in found
    ]


def _au_search(profile: Profile) -> dict[str, Any]:
    search = profile.search
    return dict(n_folds=search.n_folds, inner_folds=search.inner_folds, n_resamples=search.n_resamples)


def _au_title(experiment: int, pretrained: str, train: str, test: str) -> str:
    sets = f"within {train}" if train == test else f"{train} to {test}"
    return f"Action Unit experiment {experiment}: {sets}, network of {pretrained}"
