"""What moves on a page: a film whose frames and pace are right, a threshold whose counts a hand can check."""

import base64
import io
import json
import re
import time

import numpy as np
from bs4 import BeautifulSoup
from PIL import Image
from sklearn.metrics import confusion_matrix

from fergan.book.plots import operating_points, play_filmstrip, share, threshold_explorer

STEPS = [0, 120, 4300]


def grey_frames(n_faces=3):
    """Three frames of flat faces: frame f, face i is one shade of grey."""
    shades = 40 + 60 * np.arange(3)[:, None] + 10 * np.arange(n_faces)
    return np.broadcast_to(shades[:, :, None, None, None], (3, n_faces, 64, 64, 3)).astype(np.uint8)


def test_a_film_is_whole_in_itself_and_small_and_its_frames_lie_below_each_other():
    html = play_filmstrip(STEPS, grey_frames(), 'faces "a" & <b>', n_columns=2).data
    data = re.search(r"url\(data:image/webp;base64,([^)]*)\)", html).group(1)
    sheet = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))
    assert sheet.shape == (3 * 2 * 66, 2 * 66, 3)  # three frames of two rows of two faces, each with its gap
    for frame in range(3):
        for face, (row, column) in enumerate([(0, 0), (0, 1), (1, 0)]):
            shade = sheet[frame * 132 + row * 66 + 32, column * 66 + 32]
            np.testing.assert_allclose(shade.astype(int), 40 + 60 * frame + 10 * face, atol=3)
    assert sheet[66 + 32, 66 + 32].min() > 250  # no fourth face: white
    assert "http" not in html and "src=" not in html and "@import" not in html
    page = BeautifulSoup(html, "html.parser")
    assert page.div["aria-label"] == 'faces "a" & <b>' and (page.input["max"], page.input["aria-label"]) == ("2", "training step")


def opened(browser, html, motion="no-preference", scripts=True):
    page = browser.new_context(reduced_motion=motion, java_script_enabled=scripts, viewport={"width": 800, "height": 1200}).new_page()
    if scripts:
        page.clock.install(time=0)
        page.clock.pause_at(1)  # time passes only as a test lets it, however busy the machine is
    page.set_content(f"<!doctype html><body>{html}")
    return page


TWO_FILMS = play_filmstrip(STEPS, grey_frames(), "x").data + play_filmstrip([5, 6, 7], grey_frames(), "y").data


def test_films_play_once_by_themselves_each_at_its_pace_or_rest_where_less_motion_is_asked_for(browser):
    # Each element brings the script along; a player set up twice would be moved by two clocks.
    page = opened(browser, TWO_FILMS)
    while page.locator("button").all_inner_texts() != ["Pause", "Pause"]:
        time.sleep(0.02)
    assert page.locator("output").all_inner_texts() == ["step 0", "step 5"]
    for expected in (["step 120", "step 6"], ["step 4,300", "step 7"], ["step 4,300", "step 7"]):
        page.clock.run_for(500)
        assert page.locator("output").all_inner_texts() == expected
    page.context.close()
    page = opened(browser, TWO_FILMS, "reduce")
    page.clock.run_for(3000)
    assert page.locator("output").all_inner_texts() == ["step 4,300", "step 7"]
    page.locator("input").nth(1).evaluate("slider => { slider.value = 1; slider.dispatchEvent(new Event('input')); }")
    assert page.locator("output").all_inner_texts() == ["step 4,300", "step 6"]
    assert [film.evaluate("film => film.style.backgroundPositionY") for film in page.locator(".film").all()] == ["100%", "50%"]
    page.context.close()


def test_counts_are_those_by_hand_and_the_explorer_shows_them_without_scripts_too(browser):
    curve = {"<b>": (np.arange(94) < 77, np.random.default_rng(1).normal(size=94))}  # an odd number of thresholds
    html = threshold_explorer(curve, "a </script> title").data
    page = BeautifulSoup(html, "html.parser")
    assert not page.select("[src], [href]") and "http" not in html
    assert len(json.loads(page.find("script", type="application/json").string)["<b>"]["tp"]) % 2
    assert page.option.string == "<b>" and page.div["aria-label"] == "a </script> title"
    assert (share(1, 3), share(0, 3), share(2, 0), share(1, 16)) == ("0.333", "0.000", "–", "0.063")
    shown = []
    for scripts in (False, True):
        page = opened(browser, html, scripts=scripts)
        shown.append([cell.inner_text() for cell in page.locator("[data-count]").all()])
        if scripts:
            for place, ends in (("slider.max", "1.000"), ("0", "0.000")):  # the loosest threshold names every face, the strictest none
                page.locator("input").evaluate(f"slider => {{ slider.value = {place}; slider.dispatchEvent(new Event('input')); }}")
                assert {page.locator(f"[data-count={name}]").inner_text() for name in ("hit", "alarm")} == {ends}
        page.context.close()
    assert shown[0] == shown[1] and len(shown[0]) == 8
    found = operating_points(np.array([True, True, False, False]), np.array([3.0, 1.0, 2.0, 0.0]))
    assert found == {"threshold": ["none", "3", "2", "1", "0"], "tp": [0, 1, 1, 2, 2], "fp": [0, 0, 1, 1, 2], "positives": 2, "negatives": 2}
    assert operating_points(np.array([True, False]), np.array([1.0, 1.0]))["tp"] == [0, 1], "ties are named together"
    rng = np.random.default_rng(0)
    positive, values = rng.random(500) < 0.2, rng.normal(size=500).round(2)
    found = operating_points(positive, values, n_points=20)
    assert len(found["tp"]) == 21
    for name, tp, fp in list(zip(found["threshold"], found["tp"], found["fp"], strict=True))[1:]:
        matrix = confusion_matrix(positive, values >= float(name))
        assert (matrix[1, 1], matrix[0, 1]) == (tp, fp)
