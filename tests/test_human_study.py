"""The human study: balanced sheets, an analysis that finds what was planted, and its page in a real browser."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from tiny import noise, write_text

from fergan.book.chapters.quality import example_trials, pooled_table, raters_table
from fergan.book.show import markdown_table, say
from fergan.cache import Config
from fergan.human_study import answers as answered
from fergan.human_study import study as designed
from fergan.human_study.answers import Answer, analyse, collected_answers, read_answers
from fergan.human_study.study import ANSWERS, Study, StudyConfig, design_study, load_studies, make_studies

SHORT = dict(n_sheets=4, exposure=120)


def simulated_answers(study, rater, sheet, accuracy, attention=1.0, seed=0):
    """Return a rater's answers to one sheet: `accuracy` in the trials that count, `attention` in the catch trials."""
    rng, answers = np.random.default_rng([seed, sheet]), []
    for number, trial in enumerate(study.sheets[sheet]):
        right = rng.random() < (attention if trial.catch else accuracy)
        (wrong,) = set(ANSWERS[study.kind]) - {trial.right_answer}
        word, took = trial.right_answer if right else wrong, round(300 + rng.exponential(500))
        answers.append(answer(study, number, word, rater=rater, sheet=sheet, milliseconds=took, shown=study.exposure))
    return answers


def table_of(*answers):
    return pd.DataFrame([answer.model_dump() for part in answers for answer in part])


def study(kind="pair", n_trials=20, n_catch=4, n=80, **options):
    """Generated faces are darker than real ones, so that a test can tell them."""
    config = StudyConfig(n_trials=n_trials, n_catch=n_catch, **options)
    return design_study(noise(n - 20, 0, 0, 90), noise(n, 1, 150, 256), kind, config)


def answer(made, trial, word="left", **changes):
    return Answer(**dict(study=made.digest, rater="anna", sheet=0, trial=trial, answer=word, milliseconds=500) | changes)


def write_answers(path, *answers):
    write_text(path.parent, path.name, *(answer.model_dump_json() for answer in answers))


@pytest.mark.parametrize("kind", ["pair", "single"])
def test_sheets_are_balanced_whole_and_each_in_an_order_of_its_own(kind):
    made = study(kind, n_sheets=6)
    orders = set()
    for sheet in made.sheets:
        asked = [trial for trial in sheet if not trial.catch]
        assert (len(asked), len(sheet)) == (20, 24) and sorted(trial.item for trial in sheet) == list(range(24))
        shown = [row for trial in sheet for row in trial.pictures]
        assert len(set(shown)) == len(shown) == len(made.pictures), "no picture twice"
        answers = [trial.right_answer for trial in asked]
        assert sorted(answers.count(answer) for answer in set(answers)) == [10, 10]
        for trial in asked:
            real = [made.pictures[row].mean() > 120 for row in trial.pictures]
            assert real == ([trial.right_answer == "left", trial.right_answer == "right"] if kind == "pair" else [trial.right_answer == "real"])
        catches = [index for index, trial in enumerate(sheet) if trial.catch]
        assert catches[0] > 0 and all(6 * step <= index < 6 * step + 6 for step, index in enumerate(catches))
        orders.add(tuple(trial.item for trial in sheet))
    assert len(orders) == 6
    partners = [{trial.item: frozenset(trial.pictures) for trial in sheet} for sheet in made.sheets]
    assert all(pairs == partners[0] for pairs in partners), "the same question on every sheet"


def test_a_study_comes_back_from_its_folder_and_one_that_cannot_be_drawn_is_refused(tmp_path):
    made = study()
    made.save(tmp_path)
    again = Study.load(tmp_path)
    assert again.digest == made.digest != study(seed=1).digest and again.sheets == made.sheets
    np.save(tmp_path / "pictures.npy", made.pictures[::-1])
    assert Study.load(tmp_path).digest != made.digest, "answers to the one are none to the other"
    catch = next(trial for trial in made.sheets[0] if trial.catch)
    broken = made.pictures[catch.pictures[catch.right_answer == "left"]]
    (source,) = [image for image in noise(80, 1, 150, 256) if image.astype(int).sum() == broken.astype(int).sum()]
    assert not np.array_equal(source, broken)
    np.testing.assert_array_equal(np.sort(source, axis=None), np.sort(broken, axis=None))
    labels = [ax.get_xlabel() for ax in example_trials(made).axes]
    assert len(labels) == 6 and sum("easy" in label for label in labels) >= 1
    for options, words in ((dict(n_trials=7), "multiple of 2"), (dict(n_catch=30), "no more than the 20 trials"),
                           (dict(n_trials=70), "are 60; expected at least 70"), (dict(exposure=0), "or equal to 1")):
        with pytest.raises(ValueError, match=words):
            study(**options)
    assert [(of.n_trials, of.n_catch) for of in map(StudyConfig().fitting, (120, 60, 16))] == [(100, 10), (50, 5), (14, 1)]


@pytest.mark.parametrize("kind", ["pair", "single"])
def test_planted_accuracies_are_recovered(kind):
    made = study(kind, 400, 20, n=600, n_sheets=6)
    planted = {"anna": 0.5, "ben": 0.65, "carla": 0.8, "dora": 0.95}
    parts = [simulated_answers(made, rater, sheet, accuracy) for sheet, (rater, accuracy) in enumerate(planted.items())]
    found = analyse(made, table_of(*parts, simulated_answers(made, "zoe", 5, 0.5, attention=0.4)))
    raters = found.raters.set_index("rater")
    for rater, accuracy in planted.items():
        row = raters.loc[rater]
        assert row["low"] <= accuracy <= row["high"] and row["n"] == 400 and row["counted"]
        assert row["said_real"] == pytest.approx(1 - accuracy, abs=0.1)
    assert raters.loc["anna", "p"] > 0.01 and raters.loc["ben", "p"] < 1e-6
    assert not raters.loc["zoe", "counted"] and raters.loc["zoe", "caught"] < 0.8
    assert found.pooled["n"] == 1600 and found.pooled["n_raters"] == 4
    assert found.pooled["low"] <= np.mean(list(planted.values())) <= found.pooled["high"]


def test_alpha_is_that_of_krippendorffs_own_example_and_power_the_share_of_simulated_studies():
    nan = np.nan
    values = np.array([
        [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan], [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
        [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan], [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
    ])
    assert answered.krippendorff_alpha(values) == pytest.approx(0.743, abs=5e-4)
    assert np.isnan(answered.krippendorff_alpha(values[:1])) and np.isnan(answered.krippendorff_alpha(np.ones((2, 5))))
    made = study("pair", 200, 0, n=320, n_sheets=3)
    guessing = [simulated_answers(made, str(sheet), sheet, 0.5) for sheet in range(3)]
    assert abs(analyse(made, table_of(*guessing)).alpha) < 0.12
    hard = [simulated_answers(made, rater, 0, 0.7, seed=4) for rater in "ab"]  # the same items are hard for both
    assert analyse(made, table_of(*hard)).alpha > 0.95
    assert np.isnan(analyse(made, table_of(hard[0])).alpha), "nobody to agree with"
    n = answered.trials_for_half_width(0.03)
    here, fewer = (binomtest(trials // 2, trials).proportion_ci(method="wilson") for trials in (n, n - 2))
    assert n == 1064 and np.ptp(here) <= 0.06 < np.ptp(fewer)
    assert answered.power_table()["power at 60 %"].iloc[-1] > 0.999
    counts, n_studies = np.unique(np.random.default_rng(0).binomial(200, 0.58, size=2000), return_counts=True)
    found = sum(n for count, n in zip(counts, n_studies, strict=True) if binomtest(int(count), 200).pvalue <= 0.05) / 2000
    assert answered.power_against_chance(200, 0.58) == pytest.approx(found, abs=0.035)
    assert answered.power_against_chance(200, 0.5) <= 0.05 and answered.power_against_chance(4, 0.9) == 0


def test_repeated_answers_count_once_and_what_is_no_answer_is_named(tmp_path):
    made, path = study(), tmp_path / "answers" / "a.jsonl"
    write_answers(path, answer(made, 0, shown=1000), answer(made, 1), answer(made, 0, "right"))
    answers = read_answers([path])
    assert answers["trial"].tolist() == [0, 1, 0] and answers["shown"].isna().tolist() == [False, True, True]
    counted = answered.scored_answers(made, answers)
    assert counted.set_index("trial").loc[0, "answer"] == "left" and len(counted) == 2
    for change, words in ((dict(trial=99), "no trial 99 on sheet 0"), (dict(sheet=-1), "on sheet -1"),
                          (dict(answer="real"), "'real' is no answer; expected left or right")):
        with pytest.raises(ValueError, match=words):
            answered.scored_answers(made, table_of([answer(made, 0).model_copy(update=change)]))
    for words in ("nonsense", '{"study": "x"}'):
        (tmp_path / "b.jsonl").write_text(f"\n{words}\n")
        with pytest.raises(ValueError, match="b.jsonl, line 2 is no answer"):
            read_answers([tmp_path / "b.jsonl"])


def test_with_raters_there_are_numbers_and_no_names_and_without_them_no_number(tmp_path):
    config = StudyConfig(n_trials=20, n_catch=4, n_sheets=3)
    make_studies(tmp_path / "design", config, generated=noise(40, 0, 0, 90), real=noise(40, 1, 150, 240))
    studies = load_studies(tmp_path / "design")

    def analysed():
        answers = collected_answers(tmp_path / "answers", studies)
        answered.analyse_studies(tmp_path, Config(), studies=studies, answers=answers)
        return answered.load_results(tmp_path)

    results = analysed()
    assert set(results) == {"pair", "single"} and pooled_table(results).empty and raters_table(results["pair"]).empty
    assert all(found.pooled == {} and np.isnan(found.alpha) for found in results.values())
    text = say("human_study", "answer", results=results, n_needed=1064)
    assert "Nobody has been asked" in text and "1,064" in text and "0.5" not in text
    for sheet, (name, accuracy, attention) in enumerate([("anna `{{ 7*7 }}`", 1.0, 1.0), ("<b>|ben</b>", 0.5, 0.0)]):
        write_answers(tmp_path / "answers" / f"{sheet}.jsonl", *simulated_answers(studies["pair"], name, sheet, accuracy, attention))
    results = analysed()
    table = raters_table(results["pair"])
    assert sorted(table["right answers"])[1].startswith("1.000 [") and sorted(table["counted"]) == ["no", "yes"]
    assert pooled_table(results)[["raters", "trials"]].to_numpy().tolist() == [[1, 20]]
    with pytest.raises(ValueError, match="holds answers to study"):
        collected_answers(tmp_path / "answers", {"pair": study(seed=2)})
    assert pd.isna(pooled_table(results)["Krippendorff’s α"]).all(), "one rater agrees with nobody"
    written = markdown_table(table) + (tmp_path / "scores.json").read_text()
    assert "anna" not in written and "ben" not in written and "49" not in written.replace("0.49", "")
    text = say("human_study", "answer", results=results, n_needed=1064)
    assert "1.000 [" in text and "Nobody" not in text


def begin(page, path):
    page.goto(path.as_uri())
    page.fill("#rater", "Anna Ω")
    page.keyboard.press("Enter")


def press(page, sheet, number, keys, right=True):
    """Answer one trial, before or after the faces are hidden."""
    page.wait_for_selector(f".study-trial[data-ready='{number}'] .keys button:not([disabled])")
    trial = sheet[number]
    assert page.locator(".faces img").count() == len(trial.pictures)
    page.keyboard.press(keys[(trial.right_answer in ("right", "generated")) == right])


@pytest.mark.parametrize("kind", ["pair", "single"])
def test_a_rater_answers_by_keys_leaves_the_page_goes_on_and_saves(browser_page, tmp_path, kind):
    made, path = study(kind, 6, 2, 40, **SHORT), tmp_path / "study.html"
    designed.write_page(path, made)
    assert "right_answer" not in path.read_text() and "catch" not in path.read_text().split("<script>")[0]
    page = browser_page
    begin(page, path)
    page.wait_for_selector(".study-trial[data-ready='0']")
    sheet = made.sheets[page.evaluate("JSON.parse(document.getElementById('study-data').textContent).sheets.findIndex(sheet => "
                                      "sheet[0].join() === [...document.querySelectorAll('.faces img')].map(image => Object.entries("
                                      "JSON.parse(document.getElementById('study-data').textContent).pictures).find(entry => "
                                      "entry[1] === image.src)[0]).join())")]
    for number in range(3):
        press(page, sheet, number, ("f", "j"))
    page.goto("about:blank")  # the page is left before anything was saved
    begin(page, path)
    page.wait_for_selector(".study-trial[data-ready='3']")
    assert page.inner_text(".count") == "4 of 8"
    page.wait_for_selector(".faces.hidden", timeout=5000)  # the faces go after their time
    for number in range(3, 8):
        press(page, sheet, number, ("ArrowLeft", "ArrowRight"), right=number != 7 or sheet[7].catch)
    page.wait_for_selector(".study-end:not([hidden])")
    with page.expect_download() as download:
        page.click(".save")
    download.value.save_as(tmp_path / "answers.jsonl")
    assert page.troubles == []
    answers = read_answers([tmp_path / "answers.jsonl"])
    assert answers["trial"].tolist() == list(range(8)) and set(answers["rater"]) == {"Anna Ω"}
    seen = answers.loc[answers["trial"] == 3, "shown"].item()
    assert SHORT["exposure"] <= seen < SHORT["exposure"] + 250 and (answers["milliseconds"] > 0).all()
    (row,) = analyse(made, answers).raters.to_dict("records")
    assert row["n"] == 6 and row["caught"] == 1 and row["right"] == pytest.approx(1 if sheet[7].catch else 5 / 6)
