"""Looks at the samples: a planted collapse and a certain discriminator give an alarm, a healthy run does not."""

import logging

import numpy as np
import pytest

from fergan.gan.watch import Watch

SURE, UNSURE = np.array([[0.999, 0.002]] * 5), np.array([[0.7, 0.3]] * 5)


def faces(n=30, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def watch(tmp_path):
    return Watch(tmp_path, faces(), n_steps=100, seed=0)


def test_real_faces_are_at_distance_0_and_as_varied_as_themselves(watch):
    found = watch.look(50, faces(), UNSURE)
    assert found.frechet == pytest.approx(0, abs=1e-6) and found.diversity_ratio == pytest.approx(1)
    assert found.alarm == "" and found.score_real == pytest.approx(0.7)


def test_samples_that_are_all_alike_give_an_alarm(watch, caplog):
    one = np.repeat(faces(1), 30, axis=0)
    assert watch.look(0, one, np.empty((0, 2))).alarm == ""  # untrained: all alike, and nothing to worry about
    with caplog.at_level(logging.WARNING):
        found = watch.look(50, one, UNSURE)
        watch.look(60, one, UNSURE)
    assert found.diversity_ratio < 1e-6 and "times as varied" in found.alarm and watch.alarms[0] is found
    assert len(caplog.records) == 1 and "step 50 of 100" in caplog.text  # said once, not at every look


def test_a_certain_discriminator_gives_an_alarm(watch):
    assert "discriminator is certain" in watch.look(50, faces(), SURE).alarm
    assert watch.look(60, faces(), np.array([[0.999, 0.2]])).alarm == ""


def test_the_best_look_is_the_nearest_and_the_earlier_of_equals(watch):
    watch.look(10, faces(seed=1), UNSURE)
    nearest = watch.look(20, faces(), UNSURE)
    watch.look(30, faces(), UNSURE)
    assert watch.best is nearest


def test_looks_after_the_step_of_a_resumed_run_are_taken_anew(tmp_path, watch):
    for step in (10, 20, 30):
        watch.look(step, faces(seed=step), UNSURE)
    again = Watch(tmp_path, faces(), n_steps=100, seed=0)
    assert again.looks == watch.looks
    again.look(20, faces(), UNSURE)
    assert [look.step for look in again.looks] == [10, 20]


def test_faces_that_are_all_equal_have_no_diversity_to_compare_with(tmp_path):
    watch = Watch(tmp_path, np.zeros((10, 64, 64, 3), np.uint8), n_steps=10, seed=0)
    assert np.isnan(watch.look(5, faces(10), UNSURE).diversity_ratio)
