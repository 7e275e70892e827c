"""The pages about experiments: emotions and Action Units."""

from pathlib import Path
from typing import Any

from fergan.page import Page, faces_stamp, features_stamp, model_stamp, summary_page
from fergan.profile_schema import Profile

__all__ = ["experiment_pages"]


def experiment_pages(profile: Profile) -> list[Page]:
    """Return the pages of the experiments on emotions and on Action Units."""
    return [*_layers_page(profile), *_emotion_pages(profile), *_au_pages(profile)]


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
    title = "Detecting Action Units"
    return [summary_page("05_action_units", title, pages, experiment=0, experiments=numbers), *pages]


def _au_search(profile: Profile) -> dict[str, Any]:
    search = profile.search
    return dict(n_folds=search.n_folds, inner_folds=search.inner_folds, n_resamples=search.n_resamples)


def _au_title(experiment: int, pretrained: str, train: str, test: str) -> str:
    sets = f"within {train}" if train == test else f"{train} to {test}"
    return f"Action Unit experiment {experiment}: {sets}, network of {pretrained}"
