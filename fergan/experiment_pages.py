"""The pages about experiments: emotions and Action Units."""

from pathlib import Path
from typing import Any

from fergan.network_pages import further_models
from fergan.page import Page, faces_stamp, features_stamp, model_stamp, stamp_of, summary_page
from fergan.profile_schema import Profile

__all__ = ["experiment_pages"]


def experiment_pages(profile: Profile) -> list[Page]:
    """Return the pages of the experiments on emotions and on Action Units."""
    makers = (_layers_page, _emotion_pages, _au_pages, _single_unit_pages, _saliency_pages)
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


def _au_pages(profile: Profile) -> list[Page]:
    if not profile.au_experiments:
        return []
    pages = [
        Page(
            "05_action_units", f"experiment-{e.experiment}", _au_title(e.experiment, e.pretrained, e.train, e.test),
            dict(
                experiment=e.experiment, pretrained=e.pretrained, train=e.train, test=e.test,
                relabel_train=profile.datasets[e.train].relabel, relabel_test=profile.datasets[e.test].relabel,
                **_au_search(profile),
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
