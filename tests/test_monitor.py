"""Snapshots: a planted collapse and a certain discriminator give an alarm, a healthy run does not."""

import numpy as np
import pytest

from fergan.quality.collapse import Monitor

SURE, UNSURE = np.array([[0.999, 0.002]] * 5), np.array([[0.7, 0.3]] * 5)


def faces(n=30, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def monitor():
    return Monitor(faces(), seed=0)


def test_real_faces_are_at_distance_0_and_as_varied_as_themselves(monitor):
    found = monitor.measure(50, 100, faces(), UNSURE)
    assert found["frechet"] == pytest.approx(0, abs=1e-6) and found["diversity_ratio"] == pytest.approx(1)
    assert found["alarm"] == "" and found["score_real"] == pytest.approx(0.7)
    assert found["spread"] == pytest.approx(found["spread_floor"], rel=0.1)


def test_samples_that_are_all_alike_give_an_alarm(monitor):
    one = np.repeat(faces(1), 30, axis=0)
    assert monitor.measure(0, 100, one, np.empty((0, 2)))["alarm"] == ""  # untrained: all alike, and nothing to worry about
    found = monitor.measure(50, 100, one, UNSURE)
    assert found["diversity_ratio"] < 1e-6 and "times as varied" in found["alarm"]


def test_a_certain_discriminator_gives_an_alarm(monitor):
    assert "discriminator is certain" in monitor.measure(50, 100, faces(), SURE)["alarm"]
    assert monitor.measure(60, 100, faces(), np.array([[0.999, 0.2]]))["alarm"] == ""


def test_what_cannot_be_compared_is_nan():
    equal = Monitor(np.zeros((10, 64, 64, 3), np.uint8)).measure(5, 10, faces(10), UNSURE)
    assert np.isnan(equal["diversity_ratio"]) and np.isnan(equal["recall"])  # no variety, and too few for neighbourhoods
