"""The pages of a profile's book: which notebook makes each, with which parameters, from what.

This is the one place that knows how stages follow one another; the Snakefile executes it and the table of contents
lists it. Stages meet only through files under ``artifacts/<profile>/``: each page waits for the stamps of earlier
stages and leaves one of its own.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from fergan.profiles import Profile

__all__ = ["CHAPTERS", "Page", "longest_training", "pages_of"]

#: Notebook -> heading of its part of the book.
CHAPTERS = {
    "01_data": "Faces",
    "02_dcgan": "Generators",
    "03_features": "Features",
    "04_emotions": "Emotions",
    "05_action_units": "Action Units",
    "06_quality": "Sample quality",
    "07_results": "Results",
}


@dataclass(frozen=True)
class Page:
    """One executed notebook.

    Attributes
    ----------
    notebook : str
        A key of `CHAPTERS`.
    name : str
        The file's name without suffix; ``"summary"`` for the page across all sets or experiments.
    title : str
        Its heading in the book.
    parameters : dict
        What papermill sets; flat scalars.
    inputs : tuple of str
        Stamps it waits for, relative to the profile's artifacts.
    stamp : str
        The stamp it writes; empty for pages that nothing waits for.
    threads : int
        Processor threads it uses.
    """

    notebook: str
    name: str
    title: str
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    stamp: str = ""
    threads: int = 1

    @property
    def label(self) -> str:
        """The page's name in the book, unique there."""
        return f"{self.notebook[3:].replace('_', '-')}-{self.name}"

    @property
    def path(self) -> str:
        """The executed copy, relative to the folder of executed pages."""
        return f"{self.notebook}/{self.name}.ipynb"


def _faces(name: str) -> str:
    return f"faces/{name}/faceset.json"


def _model(name: str) -> str:
    return f"models/{name}/run.json"


def _features(pretrained: str, target: str) -> str:
    return f"features/{pretrained}-on-{target}/features.json"


def pages_of(profile: Profile) -> list[Page]:
    """Return every page of the profile's book, in reading order."""
    makers = (_data_pages, _dcgan_pages, _features_pages, _emotion_pages, _au_pages, _quality_pages, _results_pages)
    home = f"../artifacts/{profile.name}"  # as seen from notebooks/
    common = {"artifacts": home, "output": home, "seed": profile.seed}
    return [replace(page, parameters=common | page.parameters) for make in makers for page in make(profile)]


def _summary(notebook: str, title: str, pages: list[Page], extra_inputs: tuple[str, ...] = (), **parameters: Any) -> Page:
    """Return the page across a chapter's others; it waits for all their stamps."""
    inputs = dict.fromkeys((*(page.stamp for page in pages), *extra_inputs))
    return Page(notebook, "summary", title, parameters, tuple(inputs))


def _data_pages(profile: Profile) -> list[Page]:
    pages = [
        Page(
            "01_data", name, f"Faces of {name}",
            dict(
                dataset=name, source=dataset.source, folder=profile.dataset_folder(name), csv=dataset.csv,
                n_faces=dataset.n_faces or 0, detector=dataset.detector, margin=float(dataset.margin),
                nominal_box=dataset.nominal_box,
            ),
            stamp=_faces(name),
        )
        for name, dataset in profile.datasets.items()
    ]
    names = ",".join(profile.datasets)
    return [_summary("01_data", "The faces of this book", pages, dataset="", datasets=names), *pages]


def _dcgan_pages(profile: Profile) -> list[Page]:
    training = profile.training
    # A value left to the preset is -1 in the notebook's parameters.
    changes = {
        key: type_(-1) if getattr(training, key) is None else type_(getattr(training, key))
        for key, type_ in dict(
            width=int, latent_dim=int, batch_size=int, learning_rate=float, beta1=float, beta2=float,
            average_decay=float,
        ).items()
    }
    running = dict(threads=training.threads, checkpoint_seconds=float(training.checkpoint_seconds))
    pages = [
        Page(
            "02_dcgan", name, f"A generator of {name}",
            dict(dataset=name, preset=training.preset, epochs=dataset.epochs or training.epochs or -1, **changes, **running),
            inputs=(_faces(name),), stamp=_model(name), threads=training.threads,
        )
        for name, dataset in profile.datasets.items()
        if name in _pretrained(profile)
    ]
    names = ",".join(page.name for page in pages)
    return [_summary("02_dcgan", "Learning faces without labels", pages, dataset="", datasets=names), *pages]


def _pretrained(profile: Profile) -> list[str]:
    """Return the sets that some experiment needs a network of."""
    needed = {pretrained for pretrained, _ in profile.pairs}
    return [name for name in profile.datasets if name in needed]


def longest_training(profile: Profile) -> str:
    """Return the stamp of the network that takes longest to train: begun last, it would hold up the end."""
    def faces_seen(name: str) -> float:
        dataset = profile.datasets[name]
        return (dataset.n_faces or float("inf")) * (dataset.epochs or profile.training.epochs or 1)

    return _model(max(_pretrained(profile), key=faces_seen))


def _features_pages(profile: Profile) -> list[Page]:
    pages = [
        Page(
            "03_features", f"{pretrained}-on-{target}", f"Features of {target}, network of {pretrained}",
            dict(pretrained=pretrained, target=target),
            inputs=(_model(pretrained), _faces(target)), stamp=_features(pretrained, target),
        )
        for pretrained, target in profile.pairs
    ]
    names = ",".join(page.name for page in pages)
    return [_summary("03_features", "From faces to features", pages, target="", pairs=names), *pages]


def _search(profile: Profile) -> dict[str, Any]:
    search = profile.search.model_dump()
    return search | {"baselines": ",".join(search["baselines"])}


def _emotion_pages(profile: Profile) -> list[Page]:
    if not profile.emotion_experiments:
        return []
    pages = [
        Page(
            "04_emotions", f"experiment-{e.experiment}",
            f"Emotion experiment {e.experiment}: {e.target}, network of {e.pretrained}",
            dict(experiment=e.experiment, pretrained=e.pretrained, target=e.target, **_search(profile)),
            inputs=(_features(e.pretrained, e.target), _faces(e.target)),
            stamp=f"results/emotions/experiment-{e.experiment}/scores.json",
        )
        for e in profile.emotion_experiments
    ]
    numbers = ",".join(str(e.experiment) for e in profile.emotion_experiments)
    title = "Recognising emotions"
    return [_summary("04_emotions", title, pages, experiment=0, experiments=numbers), *pages]


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
                stamp for name in (e.train, e.test) for stamp in (_features(e.pretrained, name), _faces(name))
            )),
            stamp=f"results/action_units/experiment-{e.experiment}/scores.json",
        )
        for e in profile.au_experiments
    ]
    numbers = ",".join(str(e.experiment) for e in profile.au_experiments)
    title = "Detecting Action Units"
    return [_summary("05_action_units", title, pages, experiment=0, experiments=numbers), *pages]


def _au_search(profile: Profile) -> dict[str, Any]:
    search = profile.search
    return dict(n_folds=search.n_folds, inner_folds=search.inner_folds, n_resamples=search.n_resamples)


def _au_title(experiment: int, pretrained: str, train: str, test: str) -> str:
    sets = f"within {train}" if train == test else f"{train} to {test}"
    return f"Action Unit experiment {experiment}: {sets}, network of {pretrained}"


def _quality_pages(profile: Profile) -> list[Page]:
    pages = [
        Page(
            "06_quality", name, f"Samples of {name}",
            dict(dataset=name, n_samples=profile.quality.n_samples),
            inputs=(_model(name), _faces(name)), stamp=f"results/quality/{name}/scores.json",
        )
        for name in _pretrained(profile)
    ]
    names = ",".join(page.name for page in pages)
    return [_summary("06_quality", "How good are the samples?", pages, dataset="", datasets=names), *pages]


def _results_pages(profile: Profile) -> list[Page]:
    before = [
        stamp
        for make in (_data_pages, _emotion_pages, _au_pages, _quality_pages)
        for page in make(profile)
        if (stamp := page.stamp)
    ]
    parameters = dict(
        profile=profile.name, rendered=profile.rendered,
        datasets=",".join(profile.datasets),
        emotion_experiments=",".join(str(e.experiment) for e in profile.emotion_experiments),
        au_experiments=",".join(str(e.experiment) for e in profile.au_experiments),
    )
    return [Page("07_results", "results", "What the paper says, what came out", parameters, tuple(before))]
