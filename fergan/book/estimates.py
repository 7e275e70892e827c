"""How long the pages that are still to be made will take, from a short probe on this machine.

Every stage is the product of a count, which the profile gives, and of a time, which is measured on a handful: a few
training steps at the profile's width and batch size, the detection of a few photographs, the features of one batch, one
support vector machine. The result is a guess within a factor of two or so, not a promise: pages that run side by side
share the machine, and a set's faces may be easier or harder than the probe's.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np

from fergan.book.network_pages import cropping_threads
from fergan.book.page import Page
from fergan.book.pages import pages_of
from fergan.book.profile_schema import Profile
from fergan.facs import ACTION_UNITS
from fergan.gan.runs import TrainConfig, config_from_page
from fergan.threads import available_threads

__all__ = ["StageEstimate", "estimate", "estimate_lines", "is_long", "unfinished_pages"]

#: Faces shown to networks of width 64, all epochs together, above which a run is long: hours on two processor cores.
LONG = 200_000

_N_PROBED = 1600  # faces of the probe's support vector machine
_GROWTH = 2.3  # measured: twice the faces take about five times as long, between the kernel's square and the solver's cube
_N_EMOTIONS = 8
_SHARE_SHOWN = 0.2  # of a set's faces, one Action Unit


@dataclass(frozen=True)
class StageEstimate:
    """One stage of the work that is left.

    Attributes
    ----------
    stage : str
        What it is called.
    amount : str
        How much of it there is, in words.
    seconds : float
        About how long it takes, pages side by side on all cores where they do not share a GPU.
    longest : float
        About how many of these seconds its longest page takes.
    """

    stage: str
    amount: str
    seconds: float
    longest: float


def is_long(profile: Profile, home: Path, n_photographs: Mapping[str, int]) -> bool:
    """Return whether so much training is left that it is worth a probe; counted, not measured."""
    shown = sum(
        _n_learnt(profile, page, n_photographs) * config.epochs * (config.width / 64) ** 2
        for page in unfinished_pages(profile, home)
        if page.notebook == "02_dcgan" and (config := _config(page))
    )
    return shown > LONG


def estimate(profile: Profile, home: Path, n_photographs: Mapping[str, int], n_cores: int = 0) -> list[StageEstimate]:
    """Estimate every stage that has pages left.

    Parameters
    ----------
    profile : Profile
        Whose book is to be made.
    home : Path
        Its artifacts; what has a stamp there counts as made.
    n_photographs : dict of str to int
        Size of each photographed set; that of a rendered one stands in the profile.
    n_cores : int
        Processor cores that pages can use; 0 takes those of this process.

    Returns
    -------
    list of StageEstimate
        Without the stages that are done. Sample quality, summaries and the laying out of pages are not in it.
    """
    def n(name: str) -> int:
        return _n_faces(profile, name, n_photographs)

    n_cores = n_cores or available_threads()
    pages = {notebook: [page for page in unfinished_pages(profile, home) if page.notebook == notebook]
             for notebook in ("01_data", "02_dcgan", "03_features", "04_emotions", "04b_label_efficiency", "04c_transfer",
                              "05_action_units")}
    stages = []

    def side_by_side(n_threads: int) -> int:
        return max(1, n_cores // n_threads)

    def add(stage: str, amount: str, probe: Callable[[], list[float]], n_threads: int, on_gpu: bool = False) -> None:
        with _threads(n_threads):
            seconds = probe()
        together = sum(seconds) / (1 if on_gpu else side_by_side(n_threads))
        stages.append(StageEstimate(stage, amount, max(*seconds, together), max(seconds)))

    def threads(notebook: str) -> int:
        return pages[notebook][0].threads

    if names := [page.name for page in pages["01_data"]]:
        page_threads = [cropping_threads(profile, name, n_cores) for name in names]
        seconds = []
        for name, n_threads in zip(names, page_threads, strict=True):
            with _threads(n_threads):
                seconds.append(n(name) * _photograph_seconds(profile, name))
        together = sum(time / side_by_side(n_threads) for time, n_threads in zip(seconds, page_threads, strict=True))
        stages.append(StageEstimate("faces", f"{sum(map(n, names)):,} photographs", max(*seconds, together), max(seconds)))
    if models := {page.name: _config(page) for page in pages["02_dcgan"]}:
        faces = {page.name: _n_learnt(profile, page, n_photographs) for page in pages["02_dcgan"]}
        steps = {name: max(1, faces[name] // config.batch_size) * config.epochs for name, config in models.items()}
        # The probe ends long before its last epoch; with the same number for all, equal networks are probed once.
        probed = {name: replace(config, epochs=1_000_000) for name, config in models.items()}
        n_threads = profile.training.threads
        add("generators", f"{sum(steps.values()):,} training steps",
            lambda: [steps[name] * _step_seconds(probed[name], n_threads) for name in steps], n_threads, _on_gpu())
    if targets := [page.parameters["target"] for page in pages["03_features"]]:
        width = next(_config(page).width for page in pages_of(profile) if page.notebook == "02_dcgan" and page.stamp)
        add("features", f"{sum(map(n, targets)):,} faces",
            lambda: [n(name) * _feature_seconds(width) for name in targets], threads("03_features"), _on_gpu())
    if classified := [page.parameters["target"] for page in pages["04_emotions"]]:
        fits, size = _emotion_fits(profile)
        add("emotions", f"{fits * len(classified):,} support vector machines",
            lambda: [fits * _machine_seconds(_N_EMOTIONS, size * n(name)) for name in classified], threads("04_emotions"))
    if labelled := pages["04b_label_efficiency"]:
        add("labels", f"{len(labelled)} curves of labelled people",
            lambda: [_curve_seconds(page, n(page.name)) for page in labelled], threads("04b_label_efficiency"))
    if matrices := pages["04c_transfer"]:
        columns = {name: n(name) for name in matrices[0].parameters["targets"].split(",")}
        add("transfer", f"{_n_kinds(matrices[0]) * len(columns)} cells of a matrix",
            lambda: [_matrix_seconds(matrices[0], columns)], threads("04c_transfer"))
    if trained := [(page.parameters["train"], _unit_fits(profile, page)) for page in pages["05_action_units"]]:
        add("Action Units", f"{sum(fits for _, fits in trained):,} support vector machines",
            lambda: [fits * _machine_seconds(2, n(name)) for name, fits in trained], threads("05_action_units"))
    return stages


def estimate_lines(stages: list[StageEstimate]) -> list[str]:
    """Write estimates as a table of text."""
    if not stages:
        return ["nothing long is left to be done"]
    lines = ["about how long the rest will take, from a short probe on this machine:"]
    for stage in stages:
        longest = f", the longest page {_words(stage.longest)}" if stage.longest < stage.seconds else ""
        lines.append(f"  {stage.stage:<13} {stage.amount:<36} {_words(stage.seconds)}{longest}")
    total = sum(stage.seconds for stage in stages)
    lines.append(f"  {'in all':<50} {_words(total)}, within a factor of two or so")
    return [*lines, "  not counted: sample quality, summaries and the laying out of the pages"]


def _words(seconds: float) -> str:
    """Write a duration as it is known: to one or two digits."""
    for unit, length in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            amount = seconds / length
            return f"about {amount:.1f} {unit}" if amount < 9.5 else f"about {amount:.0f} {unit}"
    return f"about {max(1, round(seconds)):d} s"


def unfinished_pages(profile: Profile, home: Path) -> list[Page]:
    """Return the pages whose stamp is not there yet, summaries aside."""
    return [page for page in pages_of(profile) if page.stamp and not (home / page.stamp).is_file()]


def _n_faces(profile: Profile, name: str, n_photographs: Mapping[str, int]) -> int:
    cut = profile.datasets[name].n_faces
    if name in n_photographs or cut:
        return n_photographs.get(name, cut)
    from fergan.rendered import stand_in_labels  # slow to import; only a rendered set that is not cut needs it

    return len(stand_in_labels(name))


def _n_learnt(profile: Profile, page: Page, n_photographs: Mapping[str, int]) -> int:
    """Return how many faces a network learns from; of photographs with one Action Unit, a guess."""
    name, unit = page.parameters["dataset"], page.parameters["only"]
    n_faces = _n_faces(profile, name, n_photographs)
    if not unit:
        return n_faces
    if profile.datasets[name].source != "rendered":
        return round(_SHARE_SHOWN * n_faces)
    from fergan.rendered import stand_in_labels

    return int(stand_in_labels(name, n_faces=n_faces, seed=profile.seed)[unit].sum())


def _config(page: Page) -> TrainConfig:
    return config_from_page(page.parameters["preset"], page.parameters["seed"], page.parameters)


def _emotion_fits(profile: Profile) -> tuple[int, float]:
    """Return how many machines an emotion experiment fits, and the share of the faces that a typical one learns from."""
    search = profile.search
    blocks = search.inner_folds
    published = search.n_evaluations * search.n_folds
    nested = blocks * search.nested_evaluations * (blocks - 1) + search.n_folds
    kinds = 1 + len(search.baselines)
    shares = published * (1 - 1 / search.n_folds) ** 2 + nested * (1 - 2 / blocks) ** 2
    return kinds * (published + nested), float(np.sqrt(shares / (published + nested)))


def _curve_seconds(page: Page, n_faces: int) -> float:
    """Return the time of all methods of a page of label efficiency, as if each face were a person of its own."""
    p = page.parameters
    largest = n_faces * (1 - 1 / p["n_splits"])
    # The largest set once, half of it and half of that in each draw: (labelled faces, how many such sets).
    sets = [(largest, p["n_splits"])]
    while sets[-1][0] > 32:
        sets.append((sets[-1][0] / 2, p["n_splits"] * p["n_draws"]))
    kinds = len(p["networks"].split(",")) + len(p["baselines"].split(","))
    searched = p["n_evaluations"] * p["inner_folds"]
    share = 1 - 1 / p["inner_folds"]
    seconds = sum(
        kinds * count * (_machine_seconds(_N_EMOTIONS, size) + searched * _machine_seconds(_N_EMOTIONS, share * size))
        for size, count in sets
    )
    if not p["cnn_width"]:
        return seconds
    faces = sum(max(p["cnn_epochs"] * size, 32 * p["cnn_min_steps"]) * count for size, count in sets)
    # A step backwards costs about as much as two forwards.
    draws = p["cnn_draws"] / p["n_draws"]
    return seconds + 3 * draws * faces * _feature_seconds(p["cnn_width"]) * (2 if p["finetune"] else 1)


def _n_kinds(page: Page) -> int:
    return len(page.parameters["networks"].split(",")) + len(page.parameters["baselines"].split(","))


def _matrix_seconds(page: Page, columns: Mapping[str, int]) -> float:
    """Return the time of the cells of a transfer matrix that are not read from experiments."""
    p = page.parameters
    blocks = p["inner_folds"] + 1
    fits = blocks * p["n_evaluations"] * p["inner_folds"]
    sizes = [min(size, p["max_faces"] or size) for size in columns.values()]
    cells = _n_kinds(page) - len(list(filter(None, p["read"].split(",")))) / len(columns)
    return cells * sum(
        fits * _machine_seconds(_N_EMOTIONS, (1 - 2 / blocks) * size)
        + p["n_folds"] * _machine_seconds(_N_EMOTIONS, (1 - 1 / p["n_folds"]) * size) for size in sizes
    )


def _unit_fits(profile: Profile, page: Page) -> int:
    """Return how many ladders of costs an Action Unit experiment climbs, at most."""
    search = profile.search
    blocks = min(search.n_folds, search.inner_folds + 1)
    within = page.parameters["train"] == page.parameters["test"]
    honest = search.n_folds + blocks * (blocks - 1) // 2 if within else search.inner_folds + 1
    models = honest + (search.n_folds if within else honest)
    rendered = profile.datasets[page.parameters["train"]].source == "rendered"
    if page.parameters["relabel_train"]:  # the other mapping, and the truth where it is known
        models *= 3 if rendered else 2
    elif page.parameters["relabel_test"]:
        models *= 2
    # A regression for each intensity takes about twice as long as a classification.
    graded = rendered and not page.parameters["relabel_train"]
    return (models + (2 * honest if graded else 0)) * len(ACTION_UNITS)


def _fastest(function: Callable[[], object], repeats: int = 2) -> float:
    """Return the least time in seconds of a few calls, after one that is not counted: it loads and allocates."""
    function()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


def _photograph_seconds(profile: Profile, name: str, n_probed: int = 6) -> float:
    """Return the time to read one photograph of a set and crop its face, on average over a sample as even as it is small."""
    from fergan.data import open_photographs
    from fergan.data.cropping import crop_batch
    from fergan.data.detection import make_detector

    dataset = profile.datasets[name]
    photographs = open_photographs(
        name, dataset.source, folder=profile.dataset_folder(name) or None, csv=dataset.csv, variant=dataset.variant,
        n_faces=dataset.n_faces, seed=profile.seed,
    )
    detector = make_detector(
        dataset.detector, choose=dataset.choose, min_face_fraction=dataset.min_face_fraction, cascades=dataset.cascades
    )
    n_probed *= available_threads()
    rows = np.unique(np.linspace(0, len(photographs.labels) - 1, n_probed).astype(int)).tolist()
    crop = partial(crop_batch, photographs, rows, detector, dataset.margin, dataset.align)
    return _fastest(crop, repeats=1) / len(rows)


@contextmanager
def _threads(n_threads: int) -> Iterator[None]:
    """Give the libraries as many threads as the workflow gives a page."""
    import torch

    before, torch_before = os.environ.get("OMP_NUM_THREADS"), torch.get_num_threads()
    os.environ["OMP_NUM_THREADS"] = str(n_threads)
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        torch.set_num_threads(torch_before)
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def _on_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


class _Enough(Exception):
    """The probe has seen enough steps."""


@cache
def _step_seconds(config: TrainConfig, n_threads: int, at_least: float = 3.0) -> float:
    """Return the time of one training step, from the first few of a run that is then dropped."""
    from fergan.gan.training import train

    seen: list[tuple[int, float]] = []

    def watch(step: int, n_steps: int, losses: dict[str, float]) -> None:
        seen.append((step, time.perf_counter()))
        if len(seen) > 1 and seen[-1][1] - seen[0][1] > at_least:
            raise _Enough

    faces = np.random.default_rng(0).integers(0, 256, (config.batch_size, 64, 64, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory(prefix="probe-") as folder, suppress(_Enough):
        train(faces, config, folder, n_threads=n_threads, checkpoint_seconds=1e9, progress=watch)
    (first, start), (last, end) = seen[0], seen[-1]
    return (end - start) / (last - first)


@cache
def _feature_seconds(width: int, n_probed: int = 64) -> float:
    """Return the time that a discriminator needs for one face."""
    from fergan.features.discriminator import DiscriminatorFeatures

    faces = np.random.default_rng(0).integers(0, 256, (n_probed, 64, 64, 3), dtype=np.uint8)
    network = DiscriminatorFeatures(None, width=width)
    return _fastest(lambda: network.transform(faces)) / n_probed


def _machine_seconds(n_classes: int, n_faces: float) -> float:
    """Return the time of one machine on this many faces of overlapping classes, its kernel included."""
    return _probed_machine_seconds(n_classes) * (n_faces / _N_PROBED) ** _GROWTH


@cache
def _probed_machine_seconds(n_classes: int) -> float:
    from fergan.svm.kernels import gaussian_kernel, gram, squared_distances, typical_distance
    from fergan.svm.machines import binary_values, multiclass_values

    rng = np.random.default_rng(0)
    y = np.arange(_N_PROBED) % n_classes
    X = (2 * rng.normal(size=(_N_PROBED, 64)) + 0.3 * rng.normal(size=(n_classes, 64))[y]).astype(np.float32)
    everything = np.arange(_N_PROBED)
    if n_classes == 2:
        K = gram(X)
        return _fastest(lambda: binary_values(K, y, K[:160], (0.01, 0.1, 1.0, 10.0)))
    D2 = squared_distances(X)
    gamma = 0.3 / typical_distance(D2)
    return _fastest(lambda: multiclass_values(gaussian_kernel(D2, gamma), y, everything, everything[:160], 30.0, n_classes))
