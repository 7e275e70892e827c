"""A change makes again only what depends on it, in a copy of the small book."""

import pytest
from changed import computing, edited, make, plan
from conftest import run_in

pytestmark = pytest.mark.book


@pytest.fixture(scope="module")
def checkout(built):
    """A copy of the project with the small book built in it, for these tests alone."""
    return built / "copy"


def test_values_and_back_and_results_that_are_deleted_or_truncated(checkout):
    """Only what depends on them is made, pass by pass; equal faces retrain nothing; changed back, nothing is computed."""
    profile, home = checkout / "profiles" / "quick.yaml", checkout / "artifacts" / "quick"
    with edited(profile, "  epochs: 3", "  epochs: 4"):
        assert {name.split("/")[0] for name in computing(checkout)} == {"02_dcgan"}
    (unit,), (saliency,) = home.glob("single_unit/*/*/scores.json"), home.glob("saliency/*/*/checks.json")
    content = saliency.read_bytes()
    with (edited(profile, "n_evaluations: 3\n\naction_units", "n_evaluations: 4\n\naction_units"),
          edited(profile, "n_faces: 96, detector: mtcnn}", "n_faces: 96, detector: mtcnn, padding: 0.5}")):  # none needs it
        assert computing(checkout) == {"04c_transfer/matrix", "01_data/celeba"}
        unit.unlink()
        saliency.write_bytes(content[:-5])
        passes, results = make(checkout)
        assert results == {"transfer/matrix", "faces/celeba", "single_unit/enhanced-ck-au07", "saliency/experiment-1"}
        assert len(passes) > 1 and sum(passes) < 12 and saliency.read_bytes() == content and unit.is_file()
    assert make(checkout)[1] == set()


@pytest.mark.parametrize(("path", "old", "new", "chapter"), [
    ("fergan/experiments/saliency.py", "    write_json(", "    assert folder\n    write_json(", "05_action_units"),
    ("fergan/quality/judge.py", "    write_json(", "    assert folder\n    write_json(", "06_quality"),
    ("fergan/data/cropping.py", "    write_json(", "    assert folder\n    write_json(", "01_data"),
    ("fergan/paper/claims.csv", "A1,", "A1 ,", ""),
])
def test_computing_code_makes_its_stages_anew(checkout, path, old, new, chapter):
    """A line of code counts for the stages that use it, and for no others."""
    with edited(checkout / path, old, new):
        stale = computing(checkout)
        assert {name.split("/")[0] for name in stale} == {chapter} - {""} and (len(stale) == 7 or chapter != "01_data")


def test_the_page_on_scaling_reads_the_profile_of_the_papers_own_run(checkout):
    with edited(checkout / "profiles" / "paper.yaml", "\n", "\n\n"):
        assert set(plan(checkout)) == {"08_scaling/costs"}


def test_a_failing_page_is_one_fault_at_the_end_and_the_same_command_goes_on(checkout):
    with edited(checkout / "notebooks" / "07c_groups.ipynb", "use_style()", "use_style(1)"):
        done = run_in(checkout, "-m", "fergan", "book", "--profile", "quick")
        *_, fault, where, last = done.stderr.strip().splitlines()
        assert done.returncode == 1 and fault.startswith("07c_groups.ipynb failed in cell") and "TypeError" in fault
        assert "people.failed.ipynb" in where and "goes on from there" in last and "Error in rule" not in done.stdout + done.stderr
    assert make(checkout) in (([], set()), ([1], set()))


def test_one_page_with_a_value_changed_leaves_the_book_as_it_is_and_prune_deletes_its_result(checkout):
    done = run_in(checkout, "-m", "fergan", "run", "04_emotions/experiment-5", "n_folds=4", "--profile", "quick")
    assert done.returncode == 0, done.stderr
    assert (checkout / "artifacts" / "runs" / "04_emotions" / "experiment-5.ipynb").is_file() and plan(checkout) == {}
    done = run_in(checkout, "-m", "fergan", "prune", "--profile", "quick")
    assert done.returncode == 0 and "deleted emotions/experiment-5/" in done.stdout
    home = checkout / "artifacts" / "quick"
    assert all(len(list(folder.parent.glob("*/stamp.json"))) == 1 for folder in home.glob("*/*/current.json"))
    assert plan(checkout) == {}
