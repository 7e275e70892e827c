"""Samples, and walks through the noise: geometry with exact answers."""

import math

import numpy as np
import pytest
import torch

import fergan
from fergan.gan.runs import Run
from fergan.gan.sampling import interpolate, load_discriminator, sample, slerp


@pytest.fixture(scope="module")
def run(unlearnt_run):
    return Run.load(unlearnt_run)


def test_samples_depend_on_the_seed_only(run):
    np.testing.assert_array_equal(sample(run, 6, seed=1), sample(run.folder, 6, seed=1, batch_size=2))
    np.testing.assert_array_equal(fergan.sample(run.folder, 3, seed=4), sample(run, 3, seed=4))
    assert not np.array_equal(sample(run, 6, seed=1), sample(run, 6, seed=2))
    with pytest.raises(ValueError, match="at least one sample"):
        sample(run, 0)


def test_a_loaded_discriminator_is_frozen_and_in_evaluation_mode_and_runs_of_earlier_versions_are_read(run):
    network, faces = fergan.load_discriminator(run), sample(run, 4)
    assert network.n_features == 8 * 8 * 16
    assert not network.training and not any(p.requires_grad for p in network.parameters())
    assert torch.allclose(network.hidden(faces)[:1], network.hidden(faces[:1]), atol=1e-5)
    with pytest.raises(AttributeError, match="has no attribute 'samples'"):
        fergan.samples  # noqa: B018
    with pytest.raises(FileNotFoundError, match="no finished training run"):
        load_discriminator(run.folder / "elsewhere")
    record = run.folder / "config.json"
    record.write_text(record.read_text().replace('"generator_width": 4', '"generator_width": 0'))
    assert Run.load(run.folder).config.generator_width is None and Run.load(run.folder).digest == run.digest


def test_slerp_turns_in_proportion():
    middle = slerp(torch.tensor([2.0, 0.0]), torch.tensor([0.0, 2.0]), 0.5)
    torch.testing.assert_close(middle, torch.tensor([math.sqrt(2), math.sqrt(2)]))
    a = torch.tensor([1.0, 2.0, 2.0])
    torch.testing.assert_close(slerp(a, 2 * a, 0.5), 1.5 * a)
    a, b = torch.randn(2, 50, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    b *= 3
    angle = torch.acos(a @ b / (a.norm() * b.norm()))
    for share in (0.0, 0.1, 0.5, 0.8, 1.0):
        point = slerp(a, b, share)
        torch.testing.assert_close(point.norm(), (1 - share) * a.norm() + share * b.norm())
        assert float(torch.acos((a @ point / (a.norm() * point.norm())).clamp(max=1))) == pytest.approx(share * float(angle), abs=1e-7)


def test_rows_of_an_interpolation_join_different_vectors_of_equal_kind():
    rows = interpolate(latent_dim=100, n_rows=3, n_columns=5, seed=2)
    assert rows.shape == (3, 5, 100)
    assert torch.equal(rows, interpolate(100, 3, 5, seed=2)) and not torch.equal(rows, interpolate(100, 3, 5, seed=3))
    assert len({tuple(z.tolist()) for z in rows[:, [0, -1]].reshape(-1, 100)}) == 6
    # The straight line's middle is about 7 long where noise is about 10; the arc's middle is as long as its ends.
    torch.testing.assert_close(rows[:, 2].norm(dim=1), (rows[:, 0].norm(dim=1) + rows[:, 4].norm(dim=1)) / 2)
