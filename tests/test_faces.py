"""Face sets: crops with one row of labels each."""

import numpy as np
import pandas as pd
import pytest
from planted import face_set

from fergan.data.faces import FACE_SIZE, LABEL_COLUMNS, FaceSet, complete_labels, subjects_of
from fergan.facs import ACTION_UNITS


@pytest.fixture
def faces():
    images = np.random.default_rng(0).integers(0, 256, (5, FACE_SIZE, FACE_SIZE, 3), dtype=np.uint8)
    return face_set(5, "small", images, subject=["ann", "ann", "bob", None, None],
                    emotion=["sad", "happy", None, "happy", "angry"], AU12=[0, 1, np.nan, 1, 0], yaw=[0, 1.5, 2, 3, 4])


def test_missing_columns_are_missing_values_and_never_zero(faces):
    assert list(faces.labels.columns[: len(LABEL_COLUMNS)]) == list(LABEL_COLUMNS)
    assert faces.labels[["AU01", "view"]].isna().all(axis=None)
    np.testing.assert_array_equal(faces.labels[["AU12", "yaw"]].T, [[0, 1, np.nan, 1, 0], [0, 1.5, 2, 3, 4]])
    assert all(faces.labels[unit].dtype == float for unit in ACTION_UNITS)


def test_wrong_labels_and_images_that_do_not_fit_them_are_named(faces):
    for columns, message in (({"source": ["a", "b"], "AU12": [0.0, 0.5]}, "table: AU12 of b is 0.5; expected 0, 1"),
                             ({"source": ["a", "b"], "emotion": ["happy", "Joy"]}, "table: unknown emotion 'Joy'; expected"),
                             ({"emotion": ["happy"]}, "table: column 'source' is missing")):
        with pytest.raises(ValueError, match=message):
            complete_labels(pd.DataFrame(columns), where="table")
    images = faces.images
    for wrong in (images[:4], images[..., 0], images.transpose(0, 3, 1, 2), images.astype(np.float32)):
        with pytest.raises(ValueError, match=r"face set 'x': images are .*, expected uint8"):
            FaceSet("x", wrong, faces.labels)


def test_save_and_load_give_the_same_faces_mapped_from_disk_and_half_a_set_is_refused(faces, tmp_path):
    faces.save(tmp_path / "small")
    loaded = FaceSet.load(tmp_path / "small")
    assert loaded.name == "small" and isinstance(loaded.images, np.memmap)
    np.testing.assert_array_equal(loaded.images, faces.images)
    pd.testing.assert_frame_equal(loaded.labels, faces.labels)
    faces.select([True, False, False, False, True]).save(tmp_path / "part")
    (tmp_path / "part" / "images.npy").rename(tmp_path / "small" / "images.npy")
    with pytest.raises(ValueError, match="images are"):
        FaceSet.load(tmp_path / "small")
    (tmp_path / "small" / "labels.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"labels.parquet is missing"):
        FaceSet.load(tmp_path / "small")


def test_select_and_showing_take_images_and_labels_together(faces):
    part = faces.select(faces.labels["emotion"] == "happy")
    assert part.labels["source"].tolist() == ["1.png", "3.png"]
    np.testing.assert_array_equal(part.images, faces.images[[1, 3]])
    assert part.emotions == ["happy"]
    labels = faces.labels.assign(AU07=[1.0, 0.0, np.nan, 1.0, 0.0], AU12=0.0)
    some = FaceSet("some", faces.images, labels)
    part = some.showing("AU07")
    assert part.labels["source"].tolist() == labels["source"].iloc[[0, 3]].tolist()
    np.testing.assert_array_equal(part.images, faces.images[[0, 3]])
    assert some.showing("") is some
    for unit, words in (("AU12", "no face shows it"), ("AU27", "nobody coded it"), ("AU7", "only is 'AU7'; expected one of AU01")):
        with pytest.raises(ValueError, match=words):
            some.showing(unit)


def test_a_face_without_a_subject_is_a_person_of_its_own_and_frames_of_one_sequence_are_one(faces):
    assert faces.emotions == ["angry", "happy", "sad"], "in the order of the vocabulary"
    subjects = faces.subjects()
    assert subjects[0] == subjects[1] == "ann" and len(set(subjects)) == 4
    labels = pd.DataFrame({"subject": ["ann", None, None, None, None], "sequence": ["s1", "s1", "s2", "s2", None]})
    subjects = subjects_of(labels)
    assert subjects[0] == subjects[1] == "ann"  # another frame of the sequence says who it is
    assert subjects[2] == subjects[3] != "ann" and len(set(subjects)) == 3
    assert len(set(subjects_of(labels.drop(columns="sequence")))) == 5


def test_the_digest_follows_crops_and_labels_and_not_the_name(faces):
    other = FaceSet("renamed", faces.images, faces.labels)
    assert faces.digest == other.digest
    changed = faces.images.copy()
    changed[3, 0, 0, 0] ^= 1
    assert len({faces.digest, FaceSet("small", changed, faces.labels).digest,
                FaceSet("small", faces.images, faces.labels.assign(AU12=0.0)).digest}) == 3
