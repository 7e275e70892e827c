"""How alike pictures are: copies found, closed forms, and Wang's structural similarity by another route."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity as theirs

from fergan.quality.similarity import mean_pairwise_distance, nearest_real, structural_similarity, thumbnails


@pytest.mark.parametrize(("images", "words"), [
    (np.zeros((4, 3, 64, 64), np.uint8), "expected uint8"), (np.zeros((4, 64, 64, 3), np.float32), "values 0 to 255"),
    (np.ones((4, 64, 64, 3), np.uint8), "no value above 1"), (np.zeros((0, 64, 64, 3), np.uint8), "expected at least 1"),
])
def test_images_of_another_shape_or_range_are_refused(images, words):
    good = np.full((4, 64, 64, 3), 9, np.uint8)
    for score in (structural_similarity, nearest_real):
        with pytest.raises(ValueError, match=words):
            score(images, good)


def test_a_thumbnail_is_the_mean_of_its_squares():
    image = np.zeros((1, 64, 64, 3), np.uint8)
    image[0, 4:8, 0:4] = 255  # one square of 4 x 4: row 1, column 0
    found = thumbnails(image).reshape(16, 16)
    assert found[1, 0] == pytest.approx(1) and found.sum() == pytest.approx(1)
    with pytest.raises(ValueError, match="63 x 64 pixels have no thumbnails of 16 x 16"):
        thumbnails(image[:, 1:])


def test_pairwise_distance_by_hand_and_zero_for_a_collapsed_generator():
    images = np.zeros((3, 2, 2, 3), np.uint8)
    images[1] = 255  # distance sqrt(12) to the others
    assert mean_pairwise_distance(images) == pytest.approx(np.sqrt(12) * 2 / 3)
    assert mean_pairwise_distance(images[[0, 0, 0]]) == 0
    with pytest.raises(ValueError, match="expected at least 2"):
        mean_pairwise_distance(images[:1])


def test_nearest_real_finds_the_planted_copy():
    real = np.random.default_rng(1).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)
    rows, distances = nearest_real(real[[7, 3]], real)
    assert rows.tolist() == [7, 3]
    np.testing.assert_allclose(distances, 0, atol=1e-6)
    assert nearest_real(255 - real[:1], real)[1][0] > 1


def test_structural_similarity_is_wangs():
    """Scikit-image's, with windows within the picture: 1 for equals, below 0 for negatives."""
    rng = np.random.default_rng(4)
    x = rng.integers(40, 220, (2, 16, 16, 3)).repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)
    y = (x.astype(int) + rng.integers(-40, 41, x.shape)).clip(0, 255).astype(np.uint8)
    how = dict(channel_axis=-1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    expected = [theirs(a, b, **how) for a, b in zip(x, y, strict=True)]
    np.testing.assert_allclose(structural_similarity(x, y), expected, rtol=1e-5)  # torchmetrics counts in float32
    np.testing.assert_allclose(structural_similarity(x, x), 1, atol=1e-3)  # float32, over flat squares
    textured = rng.integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    assert structural_similarity(255 - textured, textured).max() < 0
    with pytest.raises(ValueError, match="pair by pair"):
        structural_similarity(x, x[:1])
