"""The filmstrip that plays: what is inside the element, and that a browser moves it."""

import base64
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fergan.book.players import LARGEST_FILM, play_filmstrip

STEPS = [0, 120, 4300]


def grey_frames(n_faces=3):
    """Three frames of flat faces: frame f, face i is one shade of grey."""
    shades = 40 + 60 * np.arange(3)[:, None] + 10 * np.arange(n_faces)
    return np.broadcast_to(shades[:, :, None, None, None], (3, n_faces, 64, 64, 3)).astype(np.uint8)


def picture_of(html):
    data = re.search(r"url\(data:image/webp;base64,([^)]*)\)", html).group(1)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def attributes_of(html, tag):
    found = []
    reader = HTMLParser()
    reader.handle_starttag = lambda name, attributes: found.append(dict(attributes)) if name == tag else None
    reader.feed(html)
    return found


def test_the_frames_lie_below_each_other_in_order():
    sheet = picture_of(play_filmstrip(STEPS, grey_frames(), "x", n_columns=2).data)
    assert sheet.shape == (3 * 2 * 66, 2 * 66, 3)  # three frames of two rows of two faces, each with its gap
    for frame in range(3):
        for face, (row, column) in enumerate([(0, 0), (0, 1), (1, 0)]):
            shade = sheet[frame * 132 + row * 66 + 32, column * 66 + 32]
            np.testing.assert_allclose(shade.astype(int), 40 + 60 * frame + 10 * face, atol=3)
    assert sheet[66 + 32, 66 + 32].min() > 250  # no fourth face: white


def test_the_element_is_whole_in_itself_and_small():
    faces = np.random.default_rng(0).integers(0, 256, (9, 16, 64, 64, 3), dtype=np.uint8)  # noise: the hardest to compress
    html = play_filmstrip(range(9), faces, "faces").data
    assert len(html.encode()) < LARGEST_FILM == 300_000
    assert "http" not in html and "src=" not in html and "@import" not in html


def test_what_does_not_fit_is_said(monkeypatch):
    monkeypatch.setattr("fergan.book.players.LARGEST_FILM", 1000)
    with pytest.raises(ValueError, match="3 frames of 3 faces need more than 1,000 bytes; show fewer"):
        play_filmstrip(STEPS, grey_frames(), "faces")


def test_it_says_what_it_shows_to_those_who_hear_it():
    html = play_filmstrip(STEPS, grey_frames(), 'faces "a" & <b>').data
    assert attributes_of(html, "div")[0]["aria-label"] == 'faces "a" & <b>'
    slider = attributes_of(html, "input")[0]
    assert (slider["type"], slider["min"], slider["max"], slider["value"]) == ("range", "0", "2", "2")
    assert slider["aria-label"] == "training step"
    assert attributes_of(html, "div")[0]["data-steps"] == "[0, 120, 4300]"
    assert "prefers-reduced-motion" in html and "@media print" in html


@pytest.mark.parametrize(("steps", "frames", "words"), [
    ([0, 1], grey_frames(), "2 steps and 3 frames"),
    (STEPS, grey_frames().astype(float), "frames are float64 of shape"),
    (STEPS, grey_frames()[0], "expected uint8"),
    ([], grey_frames()[:0], "expected uint8"),
])
def test_what_is_no_filmstrip_is_refused(steps, frames, words):
    with pytest.raises(ValueError, match=words):
        play_filmstrip(steps, frames, "x")


def in_browser(tmp_path, body, *options):
    """Return the page's DOM after its scripts have run; whole seconds pass at once in virtual time."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if not chromium:
        pytest.skip("needs chromium or google-chrome")
    page = tmp_path / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8><title>x</title>{body}", encoding="utf-8")
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", *options,
               f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=6000", "--dump-dom", page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120).stdout


WATCH = """<script>
const texts = [];
document.querySelectorAll('output').forEach(output => new MutationObserver(() => texts.push(output.textContent))
  .observe(output, {childList: true}));
setTimeout(() => document.title = texts.join('|'), 5000);
%s
</script>"""


def test_it_plays_once_by_itself(tmp_path):
    """It begins when it comes into view, which a browser on a busy machine can say too late for its virtual clock."""
    for _ in range(4):
        dom = in_browser(tmp_path, play_filmstrip(STEPS, grey_frames(), "x").data + WATCH % "")
        if "<title></title>" not in dom:
            break
    assert "<title>step 0|step 120|step 4,300</title>" in dom and ">Play</button>" in dom


def test_it_rests_where_less_motion_is_asked_for_until_play_is_pressed(tmp_path):
    still = in_browser(tmp_path, play_filmstrip(STEPS, grey_frames(), "x").data + WATCH % "", "--force-prefers-reduced-motion")
    assert "<title></title>" in still and "step 4,300" in still
    pressed = WATCH % "setTimeout(() => document.querySelector('button').click(), 100)"
    dom = in_browser(tmp_path, play_filmstrip(STEPS, grey_frames(), "x").data + pressed, "--force-prefers-reduced-motion")
    assert "<title>step 0|step 120|step 4,300</title>" in dom


def test_each_of_two_players_obeys_its_own_slider(tmp_path):
    slide = WATCH % """const slider = document.querySelectorAll('input')[1];
slider.value = 1; slider.dispatchEvent(new Event('input'));"""
    both = play_filmstrip(STEPS, grey_frames(), "x").data + play_filmstrip([5, 6, 7], grey_frames(), "y").data
    dom = in_browser(tmp_path, both + slide, "--force-prefers-reduced-motion")
    assert "<title>step 6</title>" in dom
    assert re.findall(r'aria-valuetext="([^"]*)"', dom) == ["step 4,300", "step 6"]
    assert re.findall(r"background-position-y: ([\d.]+%)", dom) == ["100%", "50%"]


def test_two_players_on_a_page_keep_their_pace(tmp_path):
    """Each element brings the script along; a player set up twice would be moved by two clocks."""
    both = play_filmstrip(STEPS, grey_frames(), "x").data + play_filmstrip([5, 6, 7], grey_frames(), "y").data
    clock = """const times = [];
new MutationObserver(() => times.push(performance.now())).observe(document.querySelector('output'), {childList: true});
setTimeout(() => document.title = times.slice(1).map((time, i) => Math.round((time - times[i]) / 100)).join('|'), 4900);
setTimeout(() => document.body.dataset.seen = texts.sort().join('|'), 4900);"""
    dom = in_browser(tmp_path, both + WATCH.replace("document.title = texts.join('|')", "0") % clock, "--window-size=800,1200")
    assert 'data-seen="step 0|step 120|step 4,300|step 5|step 6|step 7"' in dom
    assert "<title>5|5</title>" in dom  # tenths of a second from frame to frame
