"""Claims on the generators: what they draw, how varied, how stable."""

from typing import Any

from fergan.claims.base import NOT_REPRODUCED, REPRODUCED, CannotTest, NotRun, Verdict, claim, of_signs
from fergan.claims.evidence import Evidence
from fergan.paper import read_table
from fergan.provenance import read_stamp
from fergan.runs import Run


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


def _runs(evidence: Evidence) -> dict[str, Run]:
    folders = sorted((evidence.home / "models").glob("*/run.json"))
    return {path.parent.name: Run.load(path.parent / read_stamp(path)["folder"]) for path in folders}


@claim("G1")
def stable_training(evidence: Evidence) -> Verdict:
    raise NotRun(f"Every one of this book's {len(_runs(evidence))} generators was trained from one seed; stability is a matter of several.")


@claim("M2")
def larger_beta1_is_stabler(evidence: Evidence) -> Verdict:
    runs = _runs(evidence)
    for name, run in runs.items():
        for other, second in runs.items():
            if _differ_in_beta1(run, second):
                return _compare_beta1(evidence, {name: run, other: second})
    raise NotRun("No two generators of this book differ in beta1 alone.")


def _differ_in_beta1(run: Run, second: Run) -> bool:
    mine, other = (vars(r.config) for r in (run, second))
    return mine["beta1"] > other["beta1"] and {key for key in mine if mine[key] != other[key]} == {"beta1"} and run.dataset == second.dataset


def _compare_beta1(evidence: Evidence, runs: dict[str, Run]) -> Verdict:
    records = _collapse(evidence)
    (larger, first), (smaller, second) = runs.items()
    if larger not in records or smaller not in records:
        raise NotRun(f"The samples of {larger} and {smaller} were not judged.")
    verdicts = [records[name]["verdict"] for name in (larger, smaller)]
    word = REPRODUCED if verdicts[0] == "varied" != verdicts[1] else NOT_REPRODUCED
    return Verdict(word, f"beta1 {first.config.beta1}: {verdicts[0]}; {second.config.beta1}: {verdicts[1]}; one seed each.",
                   evidence.shown("06b_mode_collapse", "tab-mode-collapse"))


@claim("G3")
def sample_quality(evidence: Evidence) -> Verdict:
    paper = read_table("table7_sample_quality_rafd").set_index("model").loc["DCGAN (paper)"]
    evidence.on_photographs(f"A distance of {paper['fid']}")
    raise CannotTest("The network behind these scores, its number of samples and the raters are not described.")
