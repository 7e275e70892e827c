"""The pages of a profile's book: which notebook makes each, with which parameters, after which other pages.

Pages meet only through results under ``artifacts/<profile>/<kind>/<name>/``: a page computes its own by
`fergan.cache.cached` and reads others by `fergan.cache.current`. The Snakefile orders pages by `Page.after`.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from fergan.book.profile import Profile
from fergan.cache import available_threads
from fergan.files import ROOT
from fergan.quality import INCEPTION

#: Chapter, named by its notebook -> what ``chapters.yaml`` says of it.
CHAPTERS: dict[str, dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "chapters.yaml").read_text(encoding="utf-8"))

#: The set whose samples the paper scores and shows to raters.
PAPERS_SET = "rafd-frontal"

#: Where records of benchmarks lie: this machine's, and those that the project comes with.
RECORDS = (ROOT / "artifacts" / "bench", ROOT / "book" / "records")

#: The page that computes the features of all experiments.
FEATURES_PAGE = "03_features/pairs"


@dataclass(frozen=True)
class Page:
    """One executed notebook."""

    chapter: str  # a key of `CHAPTERS`
    name: str  # of the set, network or experiment; "summary" for the page across all of them
    parameters: dict[str, Any] = field(default_factory=dict)  # what papermill sets; configs are dictionaries
    after: tuple[str, ...] = ()  # the pages whose results it reads, by `id`
    threads: int = 1  # of the processor

    @property
    def id(self) -> str:
        """What the page is called on the command line, and its path in the book without suffix."""
        return f"{self.chapter}/{self.name}"

    @property
    def notebook(self) -> str:
        """The notebook that makes it."""
        return self.chapter if self.name == "summary" else CHAPTERS[self.chapter].get("pages", self.chapter)

    @property
    def atlas(self) -> bool:
        """Whether it is a page of one set, network or experiment, reached from its chapter's page."""
        return self.name != "summary" and "pages" in CHAPTERS[self.chapter]

    @property
    def label(self) -> str:
        """The page's label in the book, unique there."""
        return f"{_plain(self.chapter).replace('_', '-')}-{self.name}"

    @property
    def home(self) -> str:
        """Where its results are, below the profile's artifacts."""
        return f"{CHAPTERS[self.chapter].get('results', _plain(self.chapter))}/{self.name}"


def _plain(chapter: str) -> str:
    return re.sub(r"^[0-9]+[a-z]?_", "", chapter)


def pages_of(profile: Profile) -> list[Page]:
    """Return every page of the profile's book, in reading order."""
    makers = (_data, _models, _features, _emotions, _labels, _transfer, _units, _samples, _study, _live)
    pages = [page for make in makers for page in make(profile)]
    pages += [*_results(profile, pages), *_groups(profile), Page("08_scaling", "costs", dict(gpu_rate=7000, machines=4))]
    one_page = Page("00_one_page", "paper", profile.one_page.model_dump() | {"seed": profile.seed})
    pages = [replace(page, parameters={"artifacts": f"artifacts/{profile.name}"} | page.parameters,
                     after=tuple(dict.fromkeys(page.after))) for page in pages]
    return [one_page, *pages]


def _with_summary(chapter: str, pages: list[Page], /, after: tuple[str, ...] = (), **parameters: Any) -> list[Page]:
    """Put the page across a chapter's others before them; it waits for all of them, and for what else it reads."""
    return [Page(chapter, "summary", parameters, (*(page.id for page in pages), *after)), *pages] if pages else []


# The pages whose results others read: faces, networks, features.

def _faces(*names: str) -> tuple[str, ...]:
    return tuple(f"01_data/{name}" for name in names)


def _networks(*names: str) -> tuple[str, ...]:
    return tuple(f"02_dcgan/{name}" for name in names)


def _data(profile: Profile) -> list[Page]:
    pages = [
        Page("01_data", name, dict(
            dataset=name, folder=profile.dataset_folder(name), csv=dataset.csv,
            faces=dataset.faces.model_dump() | {"seed": profile.seed},
        ), threads=1 if dataset.source == "rendered" else max(1, available_threads() - profile.threads))
        for name, dataset in profile.datasets.items()
    ]
    rendered = [Page("00_faces", "rendered", dict(seed=profile.seed))] if profile.rendered else []
    return rendered + _with_summary("01_data", pages, datasets=list(profile.datasets))


def _models(profile: Profile) -> list[Page]:
    running = dict(threads=profile.threads, checkpoint_seconds=profile.checkpoint_seconds)
    pages = [
        Page("02_dcgan", name, dict(model=name, dataset=dataset, only=only, training=config.model_dump(), **running),
             _faces(dataset), threads=profile.threads)
        for name, (dataset, config, only) in profile.models.items()
    ]
    learnt = {name: [dataset, only] for name, (dataset, _, only) in profile.models.items()}
    return _with_summary("02_dcgan", pages, models=learnt)


def longest_training(profile: Profile) -> str:
    """Return the page of the network that takes longest to train: begun last, it would hold up the end."""
    faces_seen = {name: (profile.datasets[name].n_faces or float("inf")) * profile.models[name][1].epochs
                  for name in profile.pretrained_sets}
    return f"02_dcgan/{max(faces_seen, key=faces_seen.get)}"


def _features(profile: Profile) -> Iterator[Page]:
    """The features of all experiments; layers are compared where a set's emotions are classified with its own network."""
    own = [e.target for e in profile.emotion_experiments if e.pretrained == e.target]
    pairs = [*profile.pairs, *((f"{network}-seed-{seed}", target) for seed in profile.seeds[1:]
                               for network, target in profile.pairs)]
    networks, targets = zip(*pairs, strict=True)
    yield Page(*FEATURES_PAGE.split("/"), dict(
        pairs=[list(pair) for pair in pairs], features=profile.features.model_dump(),
        sets=[name for name in profile.datasets if name in own], layers=profile.layers.model_dump(),
    ), (*_networks(*networks), *_faces(*targets)))


def _reseeded(profile: Profile, pages: list[Page], section: str, **alone: Any) -> list[Page]:
    """Put behind experiments their repeats on networks of further seeds, without other features; each waits for its own."""
    first, others = [], []
    for page in pages:
        of, more = page.parameters | {"seeds": [], "repeat": ""}, []
        lean = {section: of[section] | {"baselines": []} | alone}
        for repeat in (f"-seed-{seed}" for seed in profile.seeds[1:]):
            network = of["pretrained"] + repeat
            more.append(replace(page, name=page.name + repeat, after=(*page.after, *_networks(network)),
                                 parameters=of | lean | {"pretrained": network, "repeat": repeat}))
        first.append(replace(page, parameters=of | {"seeds": profile.seeds[1:]}, after=(*page.after, *(p.id for p in more))))
        others += more
    return first + others


def _emotions(profile: Profile) -> list[Page]:
    pages = [
        Page("04_emotions", f"experiment-{e.experiment}",
             dict(experiment=e.experiment, pretrained=e.pretrained, target=e.target,
                  collection=profile.collections.get(e.target, e.target), emotions=profile.emotions.model_dump()),
             (FEATURES_PAGE, *_faces(e.target), *_networks(e.pretrained)))
        for e in profile.emotion_experiments
    ]
    return _with_summary("04_emotions", _reseeded(profile, pages, "emotions", n_permutations=0), seeds=profile.seeds[1:],
                         experiments=[e.experiment for e in profile.emotion_experiments])


def _labels(profile: Profile) -> list[Page]:
    """Accuracy against labelled people, for the sets that are there and have an experiment."""
    section, pages = profile.label_efficiency, []
    for target in (*section.targets, *section.size_targets):
        networks = list(dict.fromkeys(e.pretrained for e in profile.emotion_experiments if e.target == target))
        if not networks:
            continue
        config = section
        if target not in section.targets:
            config, networks = section.features_only, [target if target in networks else networks[0]]
        networks = networks[: section.max_networks]
        pages.append(Page(
            "04b_label_efficiency", target,
            dict(target=target, networks=networks, label_efficiency=config.model_dump(), seeds=profile.seeds[1:]),
            (FEATURES_PAGE, *_faces(target), *_networks(*networks)),
        ))
    return _with_summary("04b_label_efficiency", pages, targets=[page.name for page in pages], seeds=profile.seeds[1:])


def _transfer(profile: Profile) -> Iterator[Page]:
    """The transfer matrix, where there are two networks at least."""
    networks = profile.pretrained_sets
    targets = [name for name in profile.transfer.targets if name in profile.datasets]
    if not targets or len(networks) < 2:
        return
    marked = [e for e in profile.emotion_experiments if e.target in targets]
    yield Page("04c_transfer", "matrix", dict(
        networks=networks, targets=targets, experiments=[e.model_dump() for e in marked],
        collections=profile.collections, transfer=profile.transfer.model_dump(), seeds=profile.seeds[1:],
    ), (*_networks(*networks, *(f"{name}-seed-{seed}" for name in networks for seed in profile.seeds[1:])),
        *_faces(*targets, *networks)))


def _units(profile: Profile) -> list[Page]:
    pages = [
        Page("05_action_units", f"experiment-{e.experiment}", dict(
            experiment=e.experiment, pretrained=e.pretrained, train=e.train, test=e.test,
            relabel_train=profile.datasets[e.train].relabel, relabel_test=profile.datasets[e.test].relabel,
            action_units=profile.action_units.model_dump(),
        ), (FEATURES_PAGE, *_networks(e.pretrained), *_faces(e.train, e.test)))
        for e in profile.au_experiments
    ]
    if not pages:
        return []
    single_units = _single_units(profile)
    sets = [dataset for dataset, _ in single_units.values()]
    alone = [*single_units, *sets]
    alone += [f"{name}-seed-{seed}" for name in alone for seed in profile.seeds[1:]]
    # Saliency is that of the first experiment that trains on coded Action Units, or else of the first.
    looked = min(profile.au_experiments, key=lambda e: bool(profile.datasets[e.train].relabel))
    return _with_summary(
        "05_action_units", _reseeded(profile, pages, "action_units"), seeds=profile.seeds[1:],
        experiments=[e.experiment for e in profile.au_experiments], single_units=single_units,
        saliency_of=looked.experiment, margin=profile.datasets[looked.train].margin,
        action_units=profile.action_units.model_dump(), saliency=profile.saliency.model_dump(),
        after=(FEATURES_PAGE, *_networks(*alone, looked.pretrained), *_faces(*sets, looked.train)))


def _single_units(profile: Profile) -> dict[str, list[str]]:
    """Return the set and the Action Unit of each network that was trained on the faces with one Action Unit."""
    return {name: [dataset, only] for name, (dataset, _, only) in profile.models.items()
            if only and name in profile.further_models}


def _samples(profile: Profile) -> list[Page]:
    def judge(dataset: str) -> str:  # another set's discriminator: the judged generator has learnt to deceive its own
        return next((name for name in profile.pretrained_sets if name != dataset), dataset)

    further, quality = profile.further_models, profile.quality.model_dump()
    models = {name: dataset for name, (dataset, _, _) in profile.models.items()}
    scored = [*profile.pretrained_sets, *(name for name, model in further.items()
                                          if name in models and model.quality and not model.only),
              *(name for name, model in profile.reseeded.items() if profile.seeds and model.quality and not model.only)]
    seeds = {name: [seed for seed in profile.seeds[1:] if f"{name}-seed-{seed}" in scored] for name in scored}
    pages = [
        Page("06_quality", name,
             dict(model=name, dataset=models[name], judge=judge(models[name]), inception=os.environ.get(INCEPTION) or None,
                  quality=quality, seeds=seeds[name]),
             (*_networks(name, judge(models[name])), *_faces(models[name]),
              *(f"06_quality/{name}-seed-{seed}" for seed in seeds[name])))
        for name in scored
    ]
    provoked = next((name for name, model in further.items() if name in models and model.collapses), None)
    papers = PAPERS_SET if PAPERS_SET in scored else None  # whose raters stand in the paper's table too
    raters = [f"06c_human_study/{papers}"] if papers else []
    return _with_summary(
        "06_quality", pages, models=models, units={name: only for name, (_, _, only) in profile.models.items() if only},
        scored=scored, paper_model=papers, provoked=provoked, quality=quality,
        after=(*_networks(*models), *_faces(*models.values()), *raters))


def _study(profile: Profile) -> Iterator[Page]:
    """The human study, of the paper's set or of the first one."""
    sets = profile.pretrained_sets
    name = PAPERS_SET if PAPERS_SET in sets else sets[0]
    yield Page("06c_human_study", name, dict(model=name, dataset=name, human_study=profile.human_study.model_dump()),
               (*_networks(name), *_faces(name)))


def _live(profile: Profile) -> Iterator[Page]:
    """Networks in the reader's browser, where the emotions of a set are classified by its own network."""
    own = {e.target: e.experiment for e in profile.emotion_experiments if e.pretrained == e.target}
    if own:
        target = PAPERS_SET if PAPERS_SET in own else next(iter(own))
        models = list(dict.fromkeys([target, *profile.pretrained_sets]))[:2]
        yield Page("06d_networks", "live", dict(
            models=models, target=target, experiment=own[target], emotions=profile.emotions.model_dump(),
        ), (FEATURES_PAGE, f"04_emotions/experiment-{own[target]}", *_networks(*models), *_faces(target)))


def _results(profile: Profile, pages: list[Page]) -> Iterator[Page]:
    """The page across all chapters, which judges every claim of the paper by the results."""
    models = {name: [dataset, only] for name, (dataset, _, only) in profile.models.items()}
    homes = [page.home for page in pages if page.name != "summary" and "judged" in CHAPTERS[page.chapter]
             and not page.name.endswith(tuple(f"-seed-{seed}" for seed in profile.seeds[1:]))]
    homes += [f"mode_collapse/{name}" for name in models]
    homes += [f"single_unit/{name}" for name in _single_units(profile) if profile.au_experiments]
    absences = profile.absences
    yield Page("07_results", "results", dict(
        profile=profile.name, rendered=profile.rendered, datasets=list(profile.datasets), models=models, results=homes,
        seeds=profile.seeds[1:], replaced=list(absences.replaced),
        emotions_left_out=[e.model_dump() for e in absences.emotion_experiments],
        aus_left_out=[e.model_dump() for e in absences.au_experiments],
    ), tuple(page.id for page in pages))


def _groups(profile: Profile) -> Iterator[Page]:
    """The page that compares groups of people, on faces that say who their people are: the rendered ones."""
    if known := [e for e in profile.emotion_experiments if profile.datasets[e.target].source == "rendered"]:
        numbers = [e.experiment for e in known]
        yield Page("07c_groups", "people", dict(experiments=numbers, seed=profile.seed, seeds=profile.seeds[1:]),
                   (*(f"04_emotions/experiment-{e.experiment}" for e in known), *_faces(*(e.target for e in known))))
