"""The pages of a profile's book: which notebook makes each, with which parameters, from what.

This is the one place that knows how stages follow one another; the Snakefile executes it and the table of contents
lists it. Stages meet only through files under ``artifacts/<profile>/``: each page waits for the stamps of earlier
stages and leaves one of its own.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from fergan.profile_schema import ActionUnitExperiment, EmotionExperiment, ModelProfile, Profile
from fergan.runs import TrainConfig
from fergan.threads import available_threads

__all__ = ["CHAPTERS", "Page", "cropping_threads", "longest_training", "pages_of"]

#: Notebook -> heading of its part of the book.
CHAPTERS = {
    "00_faces": "Rendered faces",
    "01_data": "Faces",
    "02_dcgan": "Generators",
    "03_features": "Features",
    "04_emotions": "Emotions",
    "05_action_units": "Action Units",
    "06_quality": "Sample quality",
    "07_results": "Results",
}

#: So many photographs are cropped on several threads; fewer take minutes on one.
LARGE_SET = 1000


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
    notes : tuple of (title, text)
        What a reader must know of its faces; shown under the heading.
    """

    notebook: str
    name: str
    title: str
    parameters: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    stamp: str = ""
    threads: int = 1
    notes: tuple[tuple[str, str], ...] = ()

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
    stages = [replace(page, parameters=common | page.parameters) for make in makers for page in make(profile)]
    pages = _rendered_pages(profile) + stages
    by_stamp = {page.stamp: page for page in pages if page.stamp}
    return [replace(page, notes=tuple(_notes(profile, page, by_stamp))) for page in pages]


def _stamps_behind(page: Page, by_stamp: dict[str, Page]) -> set[str]:
    """Return the page's stamp and those of every page that it depends on, directly or not."""
    return {page.stamp}.union(*(_stamps_behind(by_stamp[stamp], by_stamp) for stamp in page.inputs))


def _notes(profile: Profile, page: Page, by_stamp: dict[str, Page]) -> Iterator[tuple[str, str]]:
    """Yield what a reader must know of the faces behind a page."""
    if profile.rendered:
        yield "Rendered faces", (
            "The faces on this page were rendered by this project's own code: they are stand-ins, and no number here is a "
            "result on photographs."
        )
    absences = profile.absences
    behind = _stamps_behind(page, by_stamp) if absences.replaced else set()
    for name, by in absences.replaced.items():
        if _faces(name) in behind:
            yield "Another set of faces", (
                f"The photographs of {name} were not there when this page was made: {by} took their place. Where the page "
                f"says {name}, read {by}, also where it sets a number beside the paper's."
            )
    if page.name in ("summary", "results") and absences.left_out:
        without = {name: ", ".join(absences.experiments_without(name)) for name in absences.left_out}
        sets = "; ".join(f"{name} ({experiments})" if experiments else name for name, experiments in without.items())
        yield "Left out: no data", f"The photographs of these sets were not there, and what needs them is left out: {sets}."


def _summary(notebook: str, title: str, pages: list[Page], extra_inputs: tuple[str, ...] = (), **parameters: Any) -> Page:
    """Return the page across a chapter's others; it waits for all their stamps."""
    inputs = dict.fromkeys((*(page.stamp for page in pages), *extra_inputs))
    return Page(notebook, "summary", title, parameters, tuple(inputs))


def _rendered_pages(profile: Profile) -> list[Page]:
    """Return the page that shows the renderer's faces, where a profile uses any; it reads and leaves nothing."""
    sizes = {name: dataset.n_faces or 0 for name, dataset in profile.datasets.items() if dataset.source == "rendered"}
    if not sizes:
        return []
    sets = ",".join(f"{name}:{n_faces}" for name, n_faces in sizes.items())
    # A page has no kernel that could move its sliders: it shows pictures of the board instead.
    return [Page("00_faces", "rendered", "The faces this project renders", dict(sets=sets, live=False, seed=profile.seed))]


def _data_pages(profile: Profile) -> list[Page]:
    pages = [
        Page(
            "01_data", name, f"Faces of {name}",
            dict(
                dataset=name, source=dataset.source, folder=profile.dataset_folder(name), csv=dataset.csv,
                variant=dataset.variant, n_faces=dataset.n_faces or 0, detector=dataset.detector,
                choose=dataset.choose, min_face_fraction=float(dataset.min_face_fraction), cascades=dataset.cascades,
                align=dataset.align, margin=float(dataset.margin), nominal_box=dataset.nominal_box,
            ),
            stamp=_faces(name), threads=cropping_threads(profile, name, available_threads()),
        )
        for name, dataset in profile.datasets.items()
    ]
    names = ",".join(profile.datasets)
    return [_summary("01_data", "The faces of this book", pages, dataset="", datasets=names), *pages]


def cropping_threads(profile: Profile, name: str, n_cores: int) -> int:
    """Return how many of a workflow's cores read and crop a set: for many photographs all that no training may hold.

    Rendered sets and small ones go side by side, which needs no waiting at the end of each batch. The longest training
    begins as soon as its faces are there: a page that needed its cores too would wait for its end.
    """
    dataset = profile.datasets[name]
    if dataset.source == "rendered" or (dataset.n_faces or LARGE_SET) < LARGE_SET:
        return 1
    return n_cores if len(profile.datasets) == 1 else max(1, n_cores - profile.training.threads)


def _training_parameters(profile: Profile, dataset: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return every training parameter of a page; what is left to the preset is -1, or an empty word."""
    training = profile.training
    given = training.changes() | {"epochs": profile.datasets[dataset].epochs or training.epochs or -1} | changes
    fields = {field.name: type(field.default) for field in dataclasses.fields(TrainConfig)}
    values = {name: kind(given.get(name, "" if kind is str else -1)) for name, kind in fields.items()}
    return values | dict(preset=training.preset, seed=profile.seed)


def _dcgan_pages(profile: Profile) -> list[Page]:
    training = profile.training
    running = dict(threads=training.threads, checkpoint_seconds=float(training.checkpoint_seconds), live=False)

    def page(name: str, title: str, dataset: str, changes: Mapping[str, Any]) -> Page:
        parameters = dict(model=name, dataset=dataset, **_training_parameters(profile, dataset, changes), **running)
        return Page("02_dcgan", name, title, parameters, (_faces(dataset),), stamp=_model(name), threads=training.threads)

    pages = [page(name, f"A generator of {name}", name, {}) for name in _pretrained(profile)]
    pages += [
        page(name, f"A generator of {model.dataset}, trained otherwise", model.dataset, model.changes)
        for name, model in _further(profile).items()
    ]
    names = ",".join(page.name for page in pages)
    return [_summary("02_dcgan", "Learning faces without labels", pages, model="", models=names, live=False), *pages]


def _further(profile: Profile) -> dict[str, ModelProfile]:
    """Return the further generators whose set has one that they can be compared with."""
    return {name: model for name, model in profile.further_models.items() if model.dataset in _pretrained(profile)}


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
    models = {name: name for name in _pretrained(profile)}
    models |= {name: model.dataset for name, model in _further(profile).items()}
    pages = [
        Page(
            "06_quality", name, f"Samples of {name}",
            dict(model=name, dataset=dataset, n_samples=profile.quality.n_samples),
            inputs=(_model(name), _faces(dataset)), stamp=f"results/quality/{name}/scores.json",
        )
        for name, dataset in models.items()
    ]
    names = ",".join(page.name for page in pages)
    return [_summary("06_quality", "How good are the samples?", pages, model="", models=names), *pages]


def _listed(experiments: list[EmotionExperiment] | list[ActionUnitExperiment]) -> str:
    """Write experiments as one flat parameter: number and face sets, separated by blanks; experiments by semicolons."""
    return ";".join(" ".join((str(e.experiment), *e.sets)) for e in experiments)


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
        emotions_left_out=_listed(profile.absences.emotion_experiments),
        aus_left_out=_listed(profile.absences.au_experiments),
    )
    return [Page("07_results", "results", "What the paper says, what came out", parameters, tuple(before))]
