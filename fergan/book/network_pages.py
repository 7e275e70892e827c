"""The pages about faces and networks: the sets, the generators, their features, and how good the samples are."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

from fergan.book.page import Page, faces_stamp, model_stamp, stamp_of, summary_page
from fergan.book.profile_schema import ModelProfile, Profile
from fergan.gan.runs import TrainConfig
from fergan.threads import available_threads

__all__ = ["cropping_threads", "further_models", "longest_training", "network_pages", "pretrained_sets", "quality_pages"]

#: So many photographs are cropped on several threads; fewer take minutes on one.
LARGE_SET = 1000

#: The set whose samples the paper scores and shows to raters.
PAPERS_SET = "rafd-frontal"

#: The environment variable of `fergan.quality.backbones`, which is slow to import: another value judges anew.
INCEPTION = "FERGAN_INCEPTION"


def network_pages(profile: Profile) -> list[Page]:
    """Return the pages of the face sets, the generators and the features."""
    return [*_rendered_pages(profile), *_data_pages(profile), *_dcgan_pages(profile), *_features_pages(profile)]


def quality_pages(profile: Profile) -> list[Page]:
    """Return the pages that judge what the generators draw."""
    return [*_samples_pages(profile), _collapse_page(profile), _study_page(profile)]


def _rendered_pages(profile: Profile) -> list[Page]:
    """Return the page that shows the renderer's faces, where a profile uses any; it reads and leaves nothing."""
    sizes = {name: dataset.n_faces or 0 for name, dataset in profile.datasets.items() if dataset.source == "rendered"}
    if not sizes:
        return []
    sets = ",".join(f"{name}:{n_faces}" for name, n_faces in sizes.items())
    # A page has no kernel that could move its sliders: it shows pictures of the board instead.
    return [Page("00_faces", "rendered", "The faces this project renders", dict(sets=sets, live=False))]


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
            threads=cropping_threads(profile, name, available_threads()),
        )
        for name, dataset in profile.datasets.items()
    ]
    names = ",".join(profile.datasets)
    return [summary_page("01_data", "The faces of this book", pages, dataset="", datasets=names), *pages]


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
    return values | dict(preset=training.preset, seed=changes.get("seed", profile.seed))


def _dcgan_pages(profile: Profile) -> list[Page]:
    training = profile.training
    running = dict(threads=training.threads, checkpoint_seconds=float(training.checkpoint_seconds), live=False)

    def page(name: str, title: str, dataset: str, changes: Mapping[str, Any], only: str = "") -> Page:
        training = _training_parameters(profile, dataset, changes)
        parameters = dict(model=name, dataset=dataset, only=only, **training, **running)
        return Page("02_dcgan", name, title, parameters, (faces_stamp(dataset),), threads=profile.training.threads)

    pages = [page(name, f"A generator of {name}", name, {}) for name in pretrained_sets(profile)]
    pages += [
        page(name, f"A generator of {model.dataset}, {_otherwise(model)}", model.dataset, model.changes, model.only)
        for name, model in further_models(profile).items()
    ]
    names = ",".join(page.name for page in pages)
    return [summary_page("02_dcgan", "Learning faces without labels", pages, model="", models=names, live=False), *pages]


def _otherwise(model: ModelProfile) -> str:
    """Say in a title what sets a further generator apart: its faces, the one value that differs, or that several do."""
    if model.only:
        return f"faces with {model.only} only"
    changes = [f"{name} {value}" for name, value in model.changes.items()]
    return changes[0] if len(changes) == 1 else "trained otherwise"


def further_models(profile: Profile) -> dict[str, ModelProfile]:
    """Return the further generators whose set has one that they can be compared with."""
    return {name: model for name, model in profile.further_models.items() if model.dataset in pretrained_sets(profile)}


def pretrained_sets(profile: Profile) -> list[str]:
    """Return the sets that some experiment needs a network of."""
    needed = {pretrained for pretrained, _ in profile.pairs}
    return [name for name in profile.datasets if name in needed]


def longest_training(profile: Profile) -> str:
    """Return the stamp of the network that takes longest to train: begun last, it would hold up the end."""
    def faces_seen(name: str) -> float:
        dataset = profile.datasets[name]
        return (dataset.n_faces or float("inf")) * (dataset.epochs or profile.training.epochs or 1)

    return model_stamp(max(pretrained_sets(profile), key=faces_seen))


def _features_pages(profile: Profile) -> list[Page]:
    layers = ",".join(map(str, profile.features.layers))
    pages = [
        Page(
            "03_features", f"{pretrained}-on-{target}", f"Features of {target}, network of {pretrained}",
            dict(pretrained=pretrained, target=target, layers=layers, pool=profile.features.pool),
            inputs=(model_stamp(pretrained), faces_stamp(target)),
        )
        for pretrained, target in profile.pairs
    ]
    names = ",".join(page.name for page in pages)
    return [summary_page("03_features", "From faces to features", pages, target="", pairs=names), *pages]


def _provoked(profile: Profile) -> str:
    """Return the generator that was trained to collapse; empty where there is none."""
    return next((name for name, model in further_models(profile).items() if model.collapses), "")


def _collapse_page(profile: Profile) -> Page:
    models = _judged(profile) | {name: model.dataset for name, model in further_models(profile).items()}
    inputs = dict.fromkeys((*map(model_stamp, models), *map(faces_stamp, models.values())))
    parameters = dict(models=",".join(models), provoked=_provoked(profile), n_samples=profile.quality.n_samples)
    return Page("06b_mode_collapse", "generators", "Varied, or the same faces again and again?", parameters, tuple(inputs))


def _judged(profile: Profile) -> dict[str, str]:
    """Return the generators whose samples the chapter on quality judges, by all faces of their set: generator -> set."""
    models = {name: name for name in pretrained_sets(profile)}
    return models | {name: model.dataset for name, model in further_models(profile).items()
                     if model.quality and not model.only}


def _samples_pages(profile: Profile) -> list[Page]:
    provoked = _provoked(profile)
    models = {name: dataset for name, dataset in _judged(profile).items() if name != provoked}
    pages = [
        Page(
            "06_quality", name, f"Samples of {name}",
            dict(model=name, dataset=dataset, judge=_judge(profile, dataset), inception=os.environ.get(INCEPTION, ""),
                 n_samples=profile.quality.n_samples),
            inputs=tuple(dict.fromkeys((model_stamp(name), faces_stamp(dataset), model_stamp(_judge(profile, dataset))))),
        )
        for name, dataset in models.items()
    ]
    papers = PAPERS_SET if PAPERS_SET in models else ""
    parameters = dict(model="", models=",".join(page.name for page in pages), paper_model=papers)
    summary = summary_page("06_quality", "How good are the samples?", pages, **parameters)
    raters = (stamp_of("06c_human_study", papers),) if papers else ()  # whose answers stand in the paper's table too
    return [dataclasses.replace(summary, inputs=summary.inputs + raters), *pages]


def _judge(profile: Profile, dataset: str) -> str:
    """Return the generator whose discriminator judges samples of a set: another set's, where there is one."""
    return next((name for name in pretrained_sets(profile) if name != dataset), dataset)


def _study_page(profile: Profile) -> Page:
    """Return the page of the human study: of the paper's set, or of the first one."""
    sets = pretrained_sets(profile)
    name = PAPERS_SET if PAPERS_SET in sets else sets[0]
    study = profile.quality
    parameters = dict(model=name, dataset=name, n_trials=study.n_trials, n_catch=study.n_catch, exposure=study.exposure)
    inputs = (model_stamp(name), faces_stamp(name))
    return Page("06c_human_study", name, "Can people tell them apart?", parameters, inputs)
