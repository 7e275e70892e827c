"""Claims on the generators: what they draw, how varied, how stable."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fergan.claims.base import NOT_DECIDED, NOT_REPRODUCED, REPRODUCED, CannotTest, NotRun, Verdict, claim, of_signs
from fergan.claims.evidence import Evidence
from fergan.experiments.transfer import rank_correlation
from fergan.gan.runs import Run
from fergan.paper import read_table
from fergan.provenance import read_stamp


def _collapse(evidence: Evidence) -> dict[str, Any]:
    """Return the record of each generator that was not trained to collapse."""
    records = {model: record for page in evidence.records("mode_collapse").values() for model, record in page.items()}
    return {model: record for model, record in records.items() if not model.endswith("-collapsed")}


def _score_of(content: Any, name: str) -> dict[str, Any]:
    """Return the record of one score of a generator; empty where it has none."""
    if isinstance(content, dict) and "scores" not in content:
        return content.get(name, {})
    listed = content["scores"] if isinstance(content, dict) else content
    return next((record for record in listed if record["name"] == name), {})


#: Below this share of what real faces reach, coverage says that a generator misses its set, however varied its samples.
_BARE = 0.5

#: So many trainings that differ in their seed alone are needed to speak of stability.
_SEEDS = 3


@claim("A4")
def faces_of_every_pose(evidence: Evidence) -> Verdict:
    """Judge A4 by the share of samples in which a detector finds a face, the best generator of each kind of pose."""
    scores = evidence.records("quality")
    groups = {"frontal": ("rafd-frontal",), "multi-view": ("rafd-multiview", "kdef"), "in the wild": ("raf-db", "sfew", "celeba")}
    signs, said = [], []
    for pose, names in groups.items():
        found = [record for name in names if (record := _score_of(scores.get(name, {}), "faces_found"))]
        if not found:
            raise NotRun(f"No generator of {pose} faces was judged.")
        best = max(found, key=lambda record: record["value"])
        signs.append(int(best["low"] > 0.5) - int(best["high"] < 0.5))
        said.append(f"{pose} {best['value']:.3f} [{best['low']:.3f}, {best['high']:.3f}]")
    return Verdict(of_signs(signs), f"Share of samples in which a detector finds a face, best set of each kind: {'; '.join(said)}.",
                   evidence.shown("06_quality", "tab-quality-summary"))


@claim("G2")
def no_mode_collapse(evidence: Evidence) -> Verdict:
    verdicts = {model: record["verdict"] for model, record in _collapse(evidence).items()}
    fallen = [model for model, word in verdicts.items() if word != "varied"]
    said = ", ".join(f"{model} {verdicts[model]}" for model in fallen)
    bare = [model for model, record in _collapse(evidence).items()
            if record["found"]["coverage"] < _BARE * record["floor"]["coverage"]]
    word = NOT_REPRODUCED if "collapsed" in verdicts.values() else of_signs(
        int(w == "varied" and model not in bare) for model, w in verdicts.items())
    covered = f" But {', '.join(bare)} cover less than half of the real faces that others of their set cover." if bare else ""
    return Verdict(word, f"{len(verdicts) - len(fallen)} of {len(verdicts)} generators are varied by spread and recall"
                   f"{f'; the others: {said}' if said else ''}.{covered}", evidence.shown("06b_mode_collapse", "tab-mode-collapse"))


@dataclass(frozen=True)
class _Trained:
    """One generator: its run, the faces it learnt, and what the chapter on mode collapse says of its samples."""

    name: str
    run: Run
    faces: tuple[str, str]
    variety: str

    @property
    def alarms(self) -> int:
        return len(self.run.finished["alarms"])

    @property
    def failed(self) -> bool:
        """Whether it gave an alarm while it was trained, or its samples have lost variety."""
        return self.alarms > 0 or self.variety in ("collapsed", "narrow")

    def differs_in(self, other: "_Trained") -> set[str]:
        """Return the values of training that differ; ``faces`` where other faces were learnt."""
        mine, theirs = vars(self.run.config), vars(other.run.config)
        return {key for key in mine if mine[key] != theirs[key]} | ({"faces"} if self.faces != other.faces else set())


def _trained(evidence: Evidence) -> list[_Trained]:
    """Return the generators whose samples were judged, but the one that was trained to collapse."""
    found = []
    for model, record in _collapse(evidence).items():
        if not (path := evidence.home / "models" / model / "run.json").is_file():
            continue
        stamp = read_stamp(path)
        run = Run.load(evidence.home / "models" / model / stamp["folder"])
        found.append(_Trained(model, run, (stamp["dataset"], stamp["only"]), record["verdict"]))
    return found


@claim("G1")
def stable_training(evidence: Evidence) -> Verdict:
    """Judge G1 by the generators that were trained from several seeds: stable where none of them failed."""
    trained = _trained(evidence)
    groups = [[one, *(other for other in trained if one.differs_in(other) == {"seed"})] for one in trained]
    group = max(groups, key=len, default=[])
    if len(group) < _SEEDS:
        raise NotRun(f"No generator of this book was trained from {_SEEDS} seeds or more; stability is a matter of several.")
    failed = [one for one in group if one.failed]
    said = "; ".join(f"seed {one.run.config.seed}: {one.variety}, {one.alarms} alarms, Fréchet distance "
                     f"{one.run.finished['frechet']:.2f}" for one in group)
    varied = all(one.variety == "varied" for one in group)
    word = NOT_REPRODUCED if failed else REPRODUCED if varied else NOT_DECIDED
    return Verdict(word, f"{len(group) - len(failed)} of {len(group)} trainings on {group[0].faces[0]} that differ "
                   f"in their seed alone went without an alarm and without collapsed or narrow samples ({said}; unlike: too unlike the real faces to say whether they "
                   "are varied). Networks that are no DCGAN were not trained.",
                   evidence.shown("02_dcgan", "tab-dcgan-further"))


@claim("M2")
def larger_beta1_is_stabler(evidence: Evidence) -> Verdict:
    """Judge M2 by two generators that differ in beta1 alone: which of them fails, if only one does."""
    trained = _trained(evidence)
    pairs = [(one, other) for one in trained for other in trained
             if one.differs_in(other) == {"beta1"} and one.run.config.beta1 > other.run.config.beta1]
    if not pairs:
        raise NotRun("No two generators of this book differ in beta1 alone.")
    larger, smaller = pairs[0]
    word = NOT_DECIDED if larger.failed == smaller.failed else NOT_REPRODUCED if larger.failed else REPRODUCED
    said = "; ".join(f"beta1 {one.run.config.beta1}: {one.variety}, {one.alarms} alarms, Fréchet distance {one.run.finished['frechet']:.2f}"
                     for one in (larger, smaller))
    return Verdict(word, f"On {larger.faces[0]}, {said}; one seed each.", evidence.shown("02_dcgan", "tab-dcgan-further"))


@claim("F5")
def diverse_data_against_collapse(evidence: Evidence) -> Verdict:
    """Judge the part of F5 that this book can see: whether generators of more faces cover more of their set."""
    own = {one.name: one for one in _trained(evidence) if one.name == one.faces[0]}
    records = _collapse(evidence)
    covered = [records[name]["found"]["coverage"] / records[name]["floor"]["coverage"] for name in own]
    rho, p = rank_correlation(np.array([one.run.finished["n_faces"] for one in own.values()], dtype=float), np.array(covered))
    if np.isnan(rho):
        raise NotRun("Too few generators were judged, or all learnt as many faces, to say whether more faces help.")
    word = NOT_DECIDED if p >= 0.05 else REPRODUCED if rho > 0 else NOT_REPRODUCED
    return Verdict(word, f"The number of faces that a generator learnt and the share of them that its samples cover: rank correlation {rho:+.2f} "
                   f"over {len(own)} generators, p = {p:.2f}. Several generators at once are a plan of the authors and not in this book.",
                   evidence.shown("06b_mode_collapse", "tab-mode-collapse"))


@claim("G3")
def sample_quality(evidence: Evidence) -> Verdict:
    paper = read_table("table7_sample_quality_rafd").set_index("model").loc["DCGAN (paper)"]
    evidence.on_photographs(f"A distance of {paper['fid']}")
    raise CannotTest("The network behind these scores, its number of samples and the raters are not described.")
