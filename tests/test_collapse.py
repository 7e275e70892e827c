"""Mode collapse: planted collapses of several kinds are seen, healthy samples are not taken for one, and what is forgotten is named."""

import json
from dataclasses import replace

import numpy as np
import pytest
from planted import face_set
from tiny import noise

from fergan.quality import QualityConfig, collapse
from fergan.quality.collapse import Monitor, Variety, judge_variety, people_found, spread, variety

SURE, UNSURE = np.array([[0.999, 0.002]] * 5), np.array([[0.7, 0.3]] * 5)


def pictures(n, seed=0, n_modes=0):
    """Smooth random pictures: each has its own 8 x 8 pattern, or one of a few."""
    rng = np.random.default_rng(seed)
    patterns = rng.uniform(0, 255, (n_modes or n, 8, 8, 3))
    if n_modes:
        patterns = patterns[np.arange(n) % n_modes] + rng.normal(0, 1, (n, 8, 8, 3))
    return np.clip(patterns.repeat(8, axis=1).repeat(8, axis=2), 0, 255).astype(np.uint8)


def verdict(generated, real):
    floor = collapse.variety_floor(np.concatenate([real, pictures(len(real), seed=99)]), len(real))
    return judge_variety(variety(generated, real), floor)


REAL = pictures(120)


def test_spread_has_its_closed_form_and_a_collapse_high_precision_and_low_recall():
    few = REAL[np.arange(120) % 3].astype(int) + np.random.default_rng(0).integers(-3, 4, REAL.shape)
    few = np.clip(few, 0, 255).astype(np.uint8)
    found, exchanged = variety(few, REAL), variety(REAL, few)
    assert found.precision > 0.9 and found.recall < 0.1 and found.coverage < 0.2
    assert exchanged.precision < 0.1 and exchanged.recall > 0.9
    assert found.repeats == 1 and exchanged.repeats < 0.1
    x = np.array([[1.0, -1, 0, 0], [0, 0, 1, -1]])  # without a common part
    assert spread(x) == pytest.approx(0.5)  # the mean keeps half: |mean|^2 is 1/4 of the four quarters
    assert spread(np.repeat(x[:1], 5, axis=0)) == pytest.approx(0, abs=1e-12)
    assert spread(x + np.array([[7.0], [-3.0]])) == pytest.approx(0.5)  # light does not count
    assert spread(3 * x) == pytest.approx(0.5)  # nor contrast
    assert spread(np.concatenate([x, -x])) == pytest.approx(1)
    assert np.isnan(spread(np.ones((3, 4))))


@pytest.mark.parametrize(("generated", "word", "because"), [
    (pictures(120, seed=5), "varied", ("spread", "recall")),
    (REAL[np.arange(120) % 10], "collapsed", ("repeats",)),
    (np.clip(REAL[:1] + np.random.default_rng(0).normal(0, 1, (120, 64, 64, 3)), 0, 255).astype(np.uint8), "collapsed", ("spread",)),
    (pictures(120, seed=5) // 4 + 190, "diverged", ("precision",)),
])
def test_verdicts(generated, word, because):
    found = verdict(generated, REAL)
    assert found["verdict"] == word and found["because"] in because, found


def test_pictures_without_contrast_and_too_few_are_refused_and_weak_ones_are_not_taken_for_repetition():
    grey = np.full((120, 64, 64, 3), 128, np.uint8) + np.random.default_rng(0).integers(0, 3, (120, 1, 1, 3), dtype=np.uint8)
    for score, of, words in ((verdict, (grey, REAL), "spread of samples"),
                             (variety, (REAL[:5], REAL[:5]), "minimum of 6 is required")):
        with pytest.raises(ValueError, match=words):
            score(*of)
    weak = pictures(120, seed=5) // 6 + 100
    assert variety(weak, REAL).repeats < 0.1 and variety(weak, REAL).spread == pytest.approx(variety(REAL, REAL).spread, rel=0.02)


FLOOR = Variety(precision=1.0, recall=1.0, coverage=1.0, repeats=0.0, spread=0.5, n=9)
NOTHING = dict(precision=0.0, recall=0.0, coverage=0.0)


@pytest.mark.parametrize(("changes", "floor", "people", "word"), [
    ({}, {}, None, "varied"), (dict(recall=0.1), {}, None, "collapsed"), (dict(recall=0.4), {}, None, "narrow"),
    (dict(recall=0.1, precision=0.1), {}, None, "unlike"),
    (dict(precision=0.1), {}, None, "unlike"),  # scattered samples have large neighbourhoods
    (dict(precision=0.1, spread=0.2), {}, None, "narrow"),  # spread needs no real face
    (NOTHING | dict(spread=0.1), {}, None, "diverged"),  # none of them is a face of the set
    (dict(precision=0.3, recall=0, coverage=0.01, spread=0.1), {}, None, "collapsed"),
    (dict(recall=0.1, precision=0.1, spread=0.1), {}, None, "collapsed"),
    (dict(repeats=0.6), {}, None, "collapsed"),
    (dict(repeats=0.6), dict(repeats=0.4), None, "varied"),  # frames of one film are alike too
    # The faces of other people, where those are known: what is nearer to the real faces than they are is not unlike.
    (dict(precision=0.2), {}, 0.9, "unlike"),
    (dict(precision=0.2), {}, 0.3, "varied"), (dict(precision=0.2), {}, 0.0, "varied"),
    (dict(precision=0.02), {}, 0.0, "unlike"),  # near to nobody, as in one film
    (NOTHING, {}, 0.3, "diverged"), (NOTHING, {}, 0.0, "unlike"),
])
def test_the_verdict_on_samples_beside_the_real_faces_and_beside_those_of_other_people(changes, floor, people, word):
    people = people if people is None else replace(FLOOR, precision=people)
    assert judge_variety(replace(FLOOR, **changes), replace(FLOOR, **floor), people)["verdict"] == word


def labelled_faces(n=60):
    return face_set(n, images=pictures(n), subject=[f"p{i % 12}" for i in range(n)])


def record_of(folder, generated, faces):
    collapse.judge_collapse(folder, QualityConfig(), generated=generated, faces=faces)
    return json.loads((folder / "variety.json").read_text())


def test_people_are_found_as_expected_and_records_leave_out_what_labels_do_not_allow(tmp_path):
    faces = labelled_faces()
    record = record_of(tmp_path, pictures(40, seed=3), faces)
    assert record["verdict"] in ("varied", "narrow") and record["found"]["n"] == 30
    assert record["people"]["n_people"] == 12
    assert record["floor"]["n"] == record["floor_people"]["n"] == 30
    record = record_of(tmp_path, pictures(40, seed=3), face_set(60, images=faces.images))
    assert record["people"] is record["floor_people"] is None
    few, enough = (labelled_faces(n) for n in (13, 14))
    assert not collapse.can_be_judged(few) and collapse.can_be_judged(enough)
    assert record_of(tmp_path, pictures(20, seed=5), enough)["found"]["n"] == 7
    uneven = labelled_faces(16)  # divided by people, the smaller side has six faces
    uneven.labels["subject"] = ["a"] * 10 + ["b"] * 3 + ["c"] * 3
    assert not collapse.can_be_judged(uneven)
    subjects = np.array([f"p{i % 10}" for i in range(100)])
    real = np.eye(10)[np.arange(100) % 10] * 5 + np.random.default_rng(0).normal(0, 0.1, (100, 10))
    everybody = people_found(real, real, subjects)
    assert everybody["n_found"] == everybody["n_people"] == 10
    one = people_found(np.repeat(real[:1], 50, axis=0), real, subjects)
    assert one["n_found"] == 1 and one["expected"] == pytest.approx(10 * (1 - 0.9**50))


def test_real_faces_are_at_distance_0_and_alarms_are_given_where_samples_are_all_alike_or_the_discriminator_is_certain():
    monitor = Monitor(noise(30), seed=0)
    found = monitor.measure(50, 100, noise(30), UNSURE)
    assert found["frechet"] == pytest.approx(0, abs=1e-6) and found["diversity_ratio"] == pytest.approx(1)
    assert found["alarm"] == "" and found["score_real"] == pytest.approx(0.7)
    assert found["spread"] == pytest.approx(found["spread_floor"], rel=0.1)
    equal = Monitor(np.zeros((10, 64, 64, 3), np.uint8)).measure(5, 10, noise(10), UNSURE)
    assert np.isnan(equal["diversity_ratio"]) and np.isnan(equal["recall"])  # no variety, and too few for neighbourhoods
    one = np.repeat(noise(1), 30, axis=0)
    assert monitor.measure(0, 100, one, np.empty((0, 2)))["alarm"] == ""  # untrained: all alike, and nothing to worry about
    found = monitor.measure(50, 100, one, UNSURE)
    assert found["diversity_ratio"] < 1e-6 and "times as varied" in found["alarm"]
    assert "discriminator is certain" in monitor.measure(50, 100, noise(30), SURE)["alarm"]
    assert monitor.measure(60, 100, noise(30), np.array([[0.999, 0.2]]))["alarm"] == ""
