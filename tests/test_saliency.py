"""Saliency: where the answer is known, it is found; a map of nothing in particular is not taken for one."""

import numpy as np
import pytest
import torch
from planted import face_set
from sklearn.svm import SVC
from torch import nn

from fergan.experiments import saliency
from fergan.experiments.config import SaliencyConfig
from fergan.experiments.saliency import SaliencyMaps, action_regions, linear_weights, saliency_maps
from fergan.facs import ACTION_UNITS


class Grid(nn.Module):
    """Its hidden layer is the mean colour of each of 8 x 8 cells."""

    def hidden(self, images):
        return nn.functional.avg_pool2d(images.mean(1, keepdim=True), 8)


@pytest.fixture(scope="module")
def planted():
    """Faces of noise that are brighter in one place when the Action Unit is there, and that place as a mask."""
    rng = np.random.default_rng(0)
    region = np.zeros((64, 64), bool)
    region[40:56, 16:32] = True
    labels = np.tile([0.0, 1.0], 60)
    images = rng.integers(0, 200, (120, 64, 64, 3))
    images[labels == 1] += 25 * region[None, :, :, None]
    return images.astype(np.uint8), labels, region


def grid_features(images):
    with torch.no_grad():
        return Grid().hidden(torch.as_tensor(images).permute(0, 3, 1, 2).float() / 127.5 - 1).flatten(1).numpy()


def test_a_detector_is_found_to_look_where_its_label_was_planted_and_its_map_is_the_finite_difference(planted):
    images, labels, region = planted
    other = np.roll(region, (-32, 24), axis=(0, 1))
    w = linear_weights(grid_features(images), labels[:, None], [1.0])
    (found,) = saliency_maps(Grid(), w, images)
    assert found.shape == (64, 64) and found.min() >= 0 and found.sum() == pytest.approx(1)
    checks = [saliency.check_region(found, np.stack([region, other]), unit) for unit in (0, 1)]
    assert checks[0]["inside"] and checks[0]["share"] > 2 * checks[0]["area"] and not checks[1]["inside"]
    (found,) = saliency_maps(Grid(), w, images[:2])
    cells = np.abs(w[0]).reshape(8, 8)  # each pixel of a cell moves the decision by the cell's weight, the same for all
    centres = found[4::8, 4::8]
    np.testing.assert_allclose(centres / centres.sum(), cells / cells.sum(), atol=0.01)


def test_weights_are_those_of_the_decision_values_and_photographs_are_mapped_without_regions(planted, tmp_path, monkeypatch):
    images, labels, _ = planted
    X = grid_features(images)
    half = np.where(np.arange(len(labels)) < 80, labels, np.nan)
    w = linear_weights(X, np.column_stack([labels, np.zeros_like(labels), half, labels]), [1.0, 1.0, 1.0, np.nan])
    assert np.isnan(w[1]).all() and np.isnan(w[3]).all() and not np.isnan(w[[0, 2]]).any()
    centred = X - X.mean(axis=0)
    scale = np.mean(np.sum(centred.astype(float) ** 2, axis=1))
    direct = SVC(kernel="linear", C=1.0).fit(centred / np.sqrt(scale), labels)
    np.testing.assert_allclose(w[0], direct.coef_[0] / np.sqrt(scale), rtol=0.02, atol=0.02 * np.abs(w[0]).max())
    assert np.isnan(saliency_maps(Grid(), w, images[:4])[1]).all()
    change = np.array([[5.0, 1.0], [3.0, 1.0]])
    assert saliency.smallest_region(change, 0.5).tolist() == [[True, False], [False, False]]
    assert saliency.smallest_region(change, 0.7).tolist() == [[True, False], [True, False]]
    rng = np.random.default_rng(0)
    values, mask = rng.random((5, 7)), rng.random((5, 7)) < 0.3
    direct = [values[np.roll(mask, (i, j), axis=(0, 1))].sum() for i in range(5) for j in range(7)]
    np.testing.assert_allclose(np.sort(saliency.shifted_shares(values, [mask])), np.sort(direct))
    images, labels, _ = planted
    monkeypatch.setattr("fergan.experiments.saliency.load_discriminator", lambda run: Grid())
    costs = np.where(np.array(ACTION_UNITS) == "AU12", 1.0, np.nan)
    saliency.map_saliency(tmp_path, SaliencyConfig(n_faces=20), faces=face_set(len(images), images=images, AU12=labels),
                          X=grid_features(images), mapping=None, costs=costs, run=None, margin=0.1)
    found = SaliencyMaps.load(tmp_path)
    assert found.maps[7].sum() == pytest.approx(1) and np.isnan(np.delete(found.maps, 7, axis=0)).all()
    assert found.n_faces == 20 and found.average.shape == (64, 64, 3) and found.regions is None and found.checks.empty


def test_action_units_act_where_they_should(one_thread):
    from fergan.rendered import render_faces, stand_in_labels

    labels = stand_in_labels("rafd-frontal", n_faces=16)
    _, truth = render_faces(labels)
    labels = labels.assign(**{name: of.to_numpy() for name, of in truth.filter(like="box_").items()})
    regions = dict(zip(ACTION_UNITS, action_regions(labels, 0.1, n_people=2), strict=True))
    height = {unit: np.argwhere(region)[:, 0].mean() for unit, region in regions.items()}
    across = {unit: np.abs(np.argwhere(region)[:, 1] - 31.5).mean() for unit, region in regions.items()}
    assert all(height[brow] < height[lid] < height[mouth] for brow in ("AU01", "AU02", "AU04") for lid in ("AU05", "AU07")
               for mouth in ("AU12", "AU15", "AU25", "AU27"))
    assert across["AU01"] < across["AU02"]  # the inner and the outer brow
    assert 0 < min(region.sum() for region in regions.values()) < max(region.sum() for region in regions.values()) < 64 * 64 / 4
