"""The page of the rendered faces: its pictures show what their captions say, its tables count the labels."""

from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest
import yaml

from fergan.book.figures.faces import face_panels, true_places
from fergan.book.notebooks import check_parameters, notebook_parameters
from fergan.book.pages import pages_of
from fergan.book.profiles import load_profile
from fergan.facs import ACTION_UNITS, EMOTIONS
from fergan.rendered import FULL_SIZES, STAND_INS, gallery, render_expression, render_faces, stand_in_labels

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "notebooks" / "00_faces.ipynb"


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(autouse=True, scope="module")
def no_open_figures():
    yield
    plt.close("all")


def apart(image, other):
    return np.abs(image.astype(int) - other).sum(2)


def test_each_action_unit_is_shown_with_its_name_and_more_with_intensity():
    panels = gallery.intensity_panels(10, (0.33, 1.0), size=32)
    assert [title.split()[0] for title in panels] == list(ACTION_UNITS)
    assert "AU12 lip corner puller" in panels
    for title, panel in panels.items():
        assert list(panel) == ["neutral", "0.33", "1.00"]
        weak, strong = (apart(panel[level], panel["neutral"]).sum() for level in ("0.33", "1.00"))
        assert 0 < weak < strong, title


def test_sides_are_the_persons_own():
    panel = gallery.side_panels(10, ["AU12"], size=64)["AU12 lip corner puller"]
    neutral = render_expression(10, {}, size=64, scale=gallery.CLOSE_UP)
    left, right = (apart(panel[f"{side} only"], neutral).sum(0) for side in ("left", "right"))
    assert left[32:].sum() > 2 * left[:32].sum()  # their left is the picture's right
    assert right[:32].sum() > 2 * right[32:].sum()


def test_scenes_turn_and_light_the_face_as_named():
    panels = gallery.scene_panels(10, size=64)
    assert list(panels["yaw, degrees"]) == ["−90", "−45", "0", "+45", "+90"]
    assert list(panels["pitch, degrees"])[2] == "0"
    right, left = (panels["light from"][side][24:44].mean((0, 2)) for side in ("right", "left"))
    assert right[20:31].mean() > right[33:44].mean()  # lit from the person's right: the picture's left is bright
    assert left[33:44].mean() > left[20:31].mean()


def test_emotion_rows_show_the_same_people():
    labels = gallery.posed_faces(3, seed=1)
    assert labels.groupby("subject")["emotion"].agg(list).map(sorted).tolist() == [list(EMOTIONS)] * 3
    assert set(labels["gaze"]) == {"frontal"}
    rows = gallery.emotion_rows(3, seed=1, size=32)
    assert list(rows) == list(EMOTIONS)
    sad = labels[labels["emotion"] == "sad"]
    assert sad["subject"].tolist() == labels["subject"].unique().tolist()
    np.testing.assert_array_equal(rows["sad"], render_faces(sad, size=32)[0])


def test_true_action_units_are_the_labels_left_then_right():
    labels = gallery.posed_faces(2, seed=0)
    units = gallery.true_action_units(labels)
    assert units.shape == (16, 28)
    np.testing.assert_allclose(units[:, 2 * ACTION_UNITS.index("AU12") + 1], labels["AU12_right"])


def test_another_seed_shows_other_people():
    first, second = gallery.people_of(0, 24), gallery.people_of(1, 24)
    assert len(first) == 24 and not set(first) & set(second)


def test_sequences_start_neutral_and_move_away():
    rows = gallery.sequence_rows(("surprised", "happy"), 4, seed=0, size=64)
    assert list(rows) == ["surprised", "happy"]
    for frames in rows.values():
        smooth = [cv2.blur(frame.astype(np.float32), (6, 6)) for frame in frames]  # without the camera's noise
        moved = [np.abs(frame - smooth[0]).sum() for frame in smooth]
        assert moved[1] < moved[2] < moved[3] and moved[3] > 2 * moved[1]


def test_wild_rows_are_the_first_faces_of_their_sets():
    rows = gallery.wild_rows(2, seed=0, size=32)
    assert tuple(rows) == gallery.WILD_SETS
    np.testing.assert_array_equal(rows["sfew"], render_faces(stand_in_labels("sfew").iloc[:2], size=32)[0])


def test_truth_belongs_to_its_picture():
    images, truth = gallery.truth_examples(seed=0, size=64)
    assert len(images) == len(truth) == 6
    figure = true_places(images, truth)
    for ax, (title, image), row in zip(figure.axes, images.items(), truth.itertuples(), strict=True):
        assert ax.get_title(loc="left") == title
        np.testing.assert_array_equal(ax.images[0].get_array(), image)
        (box,) = ax.patches
        assert (box.get_x(), box.get_y()) == (row.box_left, row.box_top)
        assert (box.get_x() + box.get_width(), box.get_y() + box.get_height()) == pytest.approx((row.box_right, row.box_bottom))
        x, y = ax.lines[0].get_data()
        assert len(x) == 68 and (x[30], y[30]) == (row.landmark_30_x, row.landmark_30_y)


def test_panels_carry_their_titles_and_leave_out_repeated_captions():
    face = np.zeros((8, 8, 3), np.uint8)
    same = {"a": face, "b": face}
    figure = face_panels({"one": same, "two": same, "three": same}, n_across=2)
    assert [ax.get_title(loc="left") for ax in figure.axes[:3]] == ["one", "two", "three"]
    captions = [[text.get_text() for text in ax.get_xticklabels()] for ax in figure.axes[:3]]
    assert captions == [[], ["a", "b"], ["a", "b"]]  # "three" stands below "one"
    assert not figure.axes[3].axison


def test_design_table_counts_the_labels():
    table = gallery.design_table({"kdef": 1120, "enhanced-ck": 1000, "sfew": FULL_SIZES["sfew"]}, seed=0).set_index("set")
    assert tuple(table.index) == STAND_INS
    labels = stand_in_labels("kdef", 1120)
    assert table.loc["kdef"].tolist()[:5] == ["1,120 of 4,900", f"{labels['subject'].nunique()} of 70", 7, "5", "1"]
    assert table.loc["rafd-frontal", ["faces", "emotions", "gazes"]].tolist() == ["0 of 1,608", 8, "3"]
    assert table.loc["sfew", ["faces", "views", "sequences"]].tolist() == ["all 1,260", "any", "–"]
    assert table.loc["enhanced-ck", "sequences"].endswith(" of 593")
    assert pd.isna(table.loc["celeba", "emotions"])


def test_variation_table_gives_the_middle_of_the_labels():
    table = gallery.variation_table(seed=0).set_index("set")
    yaw = stand_in_labels("raf-db")["yaw"]
    assert table.loc["raf-db", "yaw"] == f"−{abs(yaw.quantile(0.05)):.0f}\u00a0to\u00a0{yaw.quantile(0.95):.0f}"
    assert table.loc["kdef", ["glasses", "covered", "grey"]].tolist() == ["–"] * 3
    assert table.loc["enhanced-ck", "grey"] == "100\u00a0%"


def test_sizes_are_read_and_faults_named():
    assert gallery.parse_sizes("kdef:1120,sfew:0") == {"kdef": 1120, "sfew": FULL_SIZES["sfew"]}
    assert gallery.parse_sizes("") == {}
    for text in ("kdef", "kdef:many", "lfw:20"):
        with pytest.raises(ValueError, match=f"sets: '{text}' is not a stand-in and its number of faces"):
            gallery.parse_sizes(text)
    with pytest.raises(ValueError, match="n_people is 68; rafd-frontal has 1 to 67"):
        gallery.posed_faces(68, seed=0)
    with pytest.raises(ValueError, match="no sequence of 'neutral', only of angry"):
        gallery.sequence_rows(["neutral"], 3, seed=0)


def test_the_page_comes_first_and_without_a_board():
    declared = notebook_parameters(nbformat.read(NOTEBOOK, as_version=4), NOTEBOOK.name)
    for profile in ("demo", "quick"):
        page = pages_of(load_profile(ROOT / "profiles" / f"{profile}.yaml"))[0]
        assert page.path == "00_faces/rendered.ipynb" and not page.inputs
        assert check_parameters(declared, page.parameters, NOTEBOOK.name)["live"] is False
    assert declared["live"].default is True  # opened by hand, the board is there
    sizes = gallery.parse_sizes(page.parameters["sets"])
    assert sizes["kdef"] == 140


def test_a_book_of_photographs_has_no_such_page(tmp_path):
    (tmp_path / "labels.csv").write_text("path,emotion\n")
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({
        "description": "own", "datasets": {"mine": {"source": "manifest"}},
        "emotion_experiments": [{"experiment": 11, "pretrained": "mine", "target": "mine"}],
    }))
    pages = pages_of(load_profile(tmp_path / "mine.yaml", data=str(tmp_path)))
    assert "00_faces" not in {page.notebook for page in pages}
