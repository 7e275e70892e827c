"""Near-duplicates: by content, by distance, passed on, and only where people are not known."""

import numpy as np
import pandas as pd
import pytest

from fergan.data.faces import FaceSet, complete_labels
from fergan.experiments.cross_validation import duplicate_groups, people_or_duplicates


@pytest.fixture
def images():
    images = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    images[4] = images[1]
    return images


def partition(groups):
    return {frozenset(np.flatnonzero(groups == g)) for g in np.unique(groups)}


def test_equal_contents_are_one_group(images):
    assert partition(duplicate_groups(images)) == {frozenset({1, 4}), *(frozenset({i}) for i in (0, 2, 3, 5))}


def test_near_features_are_one_group_and_belonging_is_passed_on(images):
    features = np.array([[0.0], [100], [1], [2], [200], [300]], np.float32)  # 0-2 and 2-3 are near, 0-3 are not
    # The median squared distance of all pairs is that of about 100, of which .015 is 1.5.
    groups = partition(duplicate_groups(images, features, within=0.015))
    assert groups == {frozenset({0, 2, 3}), frozenset({1, 4}), frozenset({5})}
    assert frozenset({0}) in partition(duplicate_groups(images, features, within=0.001))


def test_people_who_are_known_are_left_as_they_are(images):
    labels = complete_labels(pd.DataFrame({"source": list("abcdef"), "subject": [None, "anna", "anna", None, None, None]}))
    faces = FaceSet("some", images, labels)
    assert people_or_duplicates(faces).tolist() == ["face-0", "anna", "anna", "face-3", "face-4", "face-5"]  # 1 equals 4
    images[5] = images[3]
    assert people_or_duplicates(FaceSet("some", images, labels)).tolist()[3:] == ["face-3", "face-4", "face-3"]


def test_bad_requests_are_named(images):
    with pytest.raises(ValueError, match=r"within is 1.5; expected a share"):
        duplicate_groups(images, within=1.5)
    with pytest.raises(ValueError, match="no features of the 6 pictures"):
        duplicate_groups(images, within=0.1)


def test_joined_people_keep_all_their_frames():
    """A picture in two sequences of unknown people joins the sequences; no frame leaves its own."""
    images = np.random.default_rng(2).integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    images[2] = images[1]  # the last frame of the first sequence is the first of the second
    labels = pd.DataFrame({"source": list("abcdef"), "sequence": ["s1", "s1", "s2", "s2", "s3", "s3"]})
    people = people_or_duplicates(FaceSet("x", images, complete_labels(labels)))
    assert len(set(people[:4])) == 1 and len(set(people[4:])) == 1 and people[0] != people[4]
