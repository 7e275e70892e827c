"""The study in a real browser: its page, and its tasks for Mechanical Turk."""

import re

import numpy as np
import pytest

from fergan.human_study.answers import analyse, read_answers
from fergan.human_study.study import StudyConfig, design_study, write_page, write_turk_tasks

EXPOSURE = 120
ELSEWHERE = re.compile("^https?://")


@pytest.fixture(scope="module")
def context(browser):
    """A browser without a network."""
    context = browser.new_context(accept_downloads=True)
    context.route(ELSEWHERE, lambda route: route.abort())
    yield context
    context.close()


def study(kind, n_trials=6, n_catch=2):
    rng = np.random.default_rng(0)
    generated, real = rng.integers(0, 90, (20, 64, 64, 3)), rng.integers(150, 256, (20, 64, 64, 3))
    return design_study(generated.astype(np.uint8), real.astype(np.uint8), kind,
                        StudyConfig(n_trials=n_trials, n_catch=n_catch, n_sheets=4, exposure=EXPOSURE))


def begin(context, path, name):
    page = context.new_page()
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(path.as_uri())
    page.fill("#rater", name)
    page.keyboard.press("Enter")
    return page, errors


def press(page, sheet, number, keys, right=True):
    """Answer one trial by its brightness, as a rater with eyes would, before or after the faces are hidden."""
    page.wait_for_selector(f".study-trial[data-ready='{number}'] .keys button:not([disabled])")
    means = page.evaluate("""() => [...document.querySelectorAll('.faces img')].map(image => {
      const canvas = document.createElement('canvas'); canvas.width = canvas.height = 64;
      const context = canvas.getContext('2d'); context.drawImage(image, 0, 0);
      const values = context.getImageData(0, 0, 64, 64).data; let sum = 0;
      for (let i = 0; i < values.length; i += 4) sum += values[i]; return sum / 4096; })""")
    trial = sheet[number]
    side = trial.right_answer in ("right", "generated")
    assert len(means) == len(trial.pictures)
    page.keyboard.press(keys[side if right else not side])


@pytest.mark.parametrize("kind", ["pair", "single"])
def test_a_rater_answers_by_keys_closes_the_window_goes_on_and_saves(context, tmp_path, kind):
    made = study(kind)
    path = tmp_path / "study.html"
    write_page(path, made)
    assert "right_answer" not in path.read_text() and "catch" not in path.read_text().split("<script>")[0]
    page, errors = begin(context, path, "Anna Ω")
    page.wait_for_selector(".study-trial[data-ready='0']")
    sheet = made.sheets[page.evaluate("JSON.parse(document.getElementById('study-data').textContent).sheets.findIndex(sheet => "
                                      "sheet[0].join() === [...document.querySelectorAll('.faces img')].map(image => Object.entries("
                                      "JSON.parse(document.getElementById('study-data').textContent).pictures).find(entry => "
                                      "entry[1] === image.src)[0]).join())")]
    for number in range(3):
        press(page, sheet, number, ("f", "j"))
    page.close()  # the window is closed before anything was saved

    page, more = begin(context, path, "Anna Ω")
    page.wait_for_selector(".study-trial[data-ready='3']")
    assert page.inner_text(".count") == "4 of 8"
    page.wait_for_selector(".faces.hidden", timeout=5000)  # the faces go after their time
    for number in range(3, 8):
        press(page, sheet, number, ("ArrowLeft", "ArrowRight"), right=number != 7 or sheet[7].catch)
    page.wait_for_selector(".study-end:not([hidden])")
    with page.expect_download() as download:
        page.click(".save")
    download.value.save_as(tmp_path / "answers.jsonl")
    page.close()
    assert errors == more == []

    answers = read_answers([tmp_path / "answers.jsonl"])
    assert answers["trial"].tolist() == list(range(8)) and set(answers["rater"]) == {"Anna Ω"}
    seen = answers.loc[answers["trial"] == 3, "shown"].item()
    assert EXPOSURE <= seen < EXPOSURE + 250 and (answers["milliseconds"] > 0).all()
    (row,) = analyse(made, answers).raters.to_dict("records")
    assert row["n"] == 6 and row["caught"] == 1 and row["right"] == pytest.approx(1 if sheet[7].catch else 5 / 6)


def test_the_question_of_mechanical_turk_sends_its_answers(context, tmp_path):
    """With its variables filled in, its pictures at hand and a stand-in for Amazon's element."""
    made = study("pair", n_trials=2, n_catch=0)
    write_turk_tasks(tmp_path, made, "https://example.org/faces")
    task = (tmp_path / "tasks.csv").read_text().splitlines()[1].split(",")
    text = (tmp_path / "question.html").read_text().replace("${sheet}", task[1]).replace("${trials}", task[2])
    (tmp_path / "filled.html").write_text(f"<!doctype html><meta charset=utf-8><form id=send>{text}</form>"
                                          "<script>document.querySelector('crowd-form').submit = () => { document.title = 'sent'; };</script>")
    page = context.new_page()
    page.route(ELSEWHERE, lambda route: route.fulfill(path=tmp_path / "pictures" / route.request.url.rsplit("/", 1)[1])
               if route.request.url.endswith(".png") else route.abort())
    page.goto((tmp_path / "filled.html").as_uri())
    page.click(".study-start button")
    for number in range(2):
        page.wait_for_selector(f".study-trial[data-ready='{number}'] .keys button:not([disabled])")
        page.click(".keys button >> nth=0")
    page.wait_for_function("document.title === 'sent'")
    assert page.evaluate("JSON.parse(document.getElementById('answers').value).map(answer => answer.answer)") == ["left", "left"]
    page.close()
