"""Results are computed once: again where what makes them changed, and only then."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import Field, ValidationError

from fergan import cache
from fergan.cache import Config, cached, code_hash, current, digest, is_whole
from fergan.files import read_json, write_array, write_json


class ScaleConfig(Config):
    """How much."""

    factor: float = Field(2.0, gt=0, description="times")
    name: str = "plain"


def scale(folder: Path, config: ScaleConfig, *, X: np.ndarray, n_threads: int = 1) -> None:
    """Multiply."""
    write_array(folder / "scaled.npy", X * config.factor)
    write_json(folder / "scores.json", {"mean": float(np.mean(X) * config.factor)})


def computed(home):
    """How often a result was computed in this folder."""
    log = home / "computed.log"
    return len(log.read_text().splitlines()) if log.is_file() else 0


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "_opened", [])
    monkeypatch.setattr(cache, "_read", [])
    return tmp_path / "artifacts" / "scaled"


X = np.arange(6.0)


def test_the_same_is_computed_once_and_running_options_change_nothing(home):
    first = cached(home, scale, ScaleConfig(), {"X": X})
    assert cached(home, scale, ScaleConfig(), {"X": X.copy()}, n_threads=4) == first
    assert computed(home) == 1
    assert np.array_equal(np.load(first / "scaled.npy"), 2 * X)


def test_a_value_changed_and_changed_back_computes_nothing(home):
    first = cached(home, scale, ScaleConfig(), {"X": X})
    other = cached(home, scale, ScaleConfig(factor=3), {"X": X})
    assert other != first
    assert cached(home, scale, ScaleConfig(), {"X": X}) == first
    assert computed(home) == 2


def test_another_input_is_another_result(home):
    cached(home, scale, ScaleConfig(), {"X": X})
    cached(home, scale, ScaleConfig(), {"X": X.astype("float32")})
    cached(home, scale, ScaleConfig(), {"X": X.reshape(2, 3)})
    assert computed(home) == 3


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_what_is_deleted_or_truncated_is_made_again(home, harm, caplog):
    folder = cached(home, scale, ScaleConfig(), {"X": X})
    harm(folder / "scaled.npy")
    assert not is_whole(folder)
    with caplog.at_level(logging.WARNING):
        assert cached(home, scale, ScaleConfig(), {"X": X}) == folder
    assert "is not whole and is made again" in caplog.text
    assert computed(home) == 2 and is_whole(folder)


def test_only_the_book_moves_what_is_current(home, monkeypatch):
    first = cached(home, scale, ScaleConfig(), {"X": X})
    other = cached(home, scale, ScaleConfig(factor=3), {"X": X})
    assert current(home) == first  # a variation leaves the book as it is
    monkeypatch.setenv("FERGAN_BOOK", "1")
    cached(home, scale, ScaleConfig(factor=3), {"X": X})
    assert current(home) == other


def test_an_equal_result_leaves_the_pointer_untouched(home, monkeypatch):
    """So that what is made from it stays as it is."""
    monkeypatch.setenv("FERGAN_BOOK", "1")
    cached(home, scale, ScaleConfig(), {"X": X})
    before = read_json(home / "current.json")["digest"]
    cached(home, scale, ScaleConfig(name="other"), {"X": X})
    assert read_json(home / "current.json")["digest"] == before


def test_what_is_not_there_is_named(home):
    with pytest.raises(FileNotFoundError, match="artifacts/scaled holds no finished result yet.*make run PAGE=artifacts/scaled"):
        current(home)


def test_what_the_book_has_read_and_opened_is_known(home):
    folder = cached(home, scale, ScaleConfig(), {"X": X})
    current(home)
    seen = cache.opened()
    assert seen["results"][str(folder)]["stage"].endswith(":scale") and seen["results"][str(folder)]["differs"] == []
    assert seen["reads"][str(home)] == read_json(home / "current.json")["digest"]


def test_a_run_of_earlier_code_is_kept_on_request_only(home, monkeypatch):
    before = cached(home, scale, ScaleConfig(), {"X": X}, keep=True)
    monkeypatch.setattr(cache, "code_hash", lambda *functions: "new code")
    monkeypatch.setenv("KEEP_RUNS", "1")
    assert cached(home, scale, ScaleConfig(), {"X": X}, keep=True) == before
    assert cached(home, scale, ScaleConfig(), {"X": X}) != before
    monkeypatch.delenv("KEEP_RUNS")
    assert computed(home) == 2


def test_a_killed_stage_leaves_no_result_and_goes_on(tmp_path):
    code = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from fergan.cache import Config, cached
        def slow(folder, config):
            half = folder / ".half"
            if not half.exists():
                half.write_text("done so far"); print("working", flush=True); time.sleep(60)
            (folder / "result.txt").write_text(half.read_text())
        slow.__module__ = "fergan.files"; slow.__qualname__ = "write_json"
        print(cached(Path(sys.argv[1]), slow, Config(), {}))
    """)
    root = Path(__file__).parents[1]
    words = [sys.executable, "-c", code, str(tmp_path / "home")]
    with subprocess.Popen(words, cwd=root, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "working\n"
        child.send_signal(signal.SIGKILL)
    assert not list(tmp_path.rglob("stamp.json"))
    done = subprocess.run(words, cwd=root, capture_output=True, text=True)
    folder = Path(done.stdout.strip())
    assert is_whole(folder) and (folder / "result.txt").read_text() == "done so far"


@pytest.mark.parametrize("one, other", [
    (np.zeros(3), np.zeros(4)), (np.zeros(2, int), np.zeros(2)), ("1", 1), (None, "None"), ([1, 2], [2, 1]),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})), ({"a": 1}, {"b": 1}), (True, 1),
])
def test_digests_tell_contents_apart(one, other):
    assert digest(one) != digest(other)
    assert digest(one) == digest(one)


def test_a_file_counts_by_its_content(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text("the same")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    with pytest.raises(TypeError, match="the content of a set cannot be hashed"):
        digest({1, 2})


def test_configs_are_strict():
    assert ScaleConfig(factor=3).factor == 3.0
    for wrong in ({"factor": "3"}, {"factr": 3}, {"factor": 0}):
        with pytest.raises(ValidationError):
            ScaleConfig(**wrong)


# ---- the code that computes: a small package of its own

FILES = {
    "fergan/__init__.py": "",
    "fergan/maths/__init__.py": "",
    "fergan/maths/numbers.py": '"""Numbers."""\nBASE = 10\nOTHER = 3\ndef double(x):\n    """Twice."""\n    return BASE * x\ndef plot(x):\n    return "figure"\n',
    "fergan/maths/stage.py": "from fergan.maths.numbers import double, plot\nfrom fergan.maths import tables\n"
                             "class Learner:\n    def fit(self):\n        return double(1)\n"
                             "def stage(folder):\n    # a comment\n    return Learner().fit() + len(tables.read('first'))\n"
                             "def show(folder):\n    return plot(stage(folder))\n",
    "fergan/maths/tables.py": "from pathlib import Path\ndef read(name):\n    return (Path(__file__).parent / f'{name}.csv').read_text()\n",
    "fergan/maths/first.csv": "a,b\n1,2\n",
    "fergan/maths/second.csv": "a,b\n1,2\n",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Write a changed package and return the hash of a function of it."""
    monkeypatch.setattr(cache, "ROOT", tmp_path)

    def hash_of(function="stage", **edits):
        for name, text in FILES.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            old, new = edits.get(path.stem, ("", ""))
            assert old in text
            path.write_text(text.replace(old, new) if old else text)
        for part in (cache._path_of, cache._module, cache._used, cache._hash_of_code):
            part.cache_clear()
        return cache._hash_of_code((("fergan.maths.stage", function),))

    yield hash_of
    for part in (cache._path_of, cache._module, cache._used, cache._hash_of_code):
        part.cache_clear()


@pytest.mark.parametrize("edits", [
    {"numbers": ('"""Twice."""', '"""Two times."""')}, {"stage": ("# a comment", "# another")},
    {"numbers": ('"figure"', '"another figure"')}, {"numbers": ("OTHER = 3", "OTHER = 4")}, {"second": ("1", "5")},
    {"stage": ("return plot(stage(folder))", "return None")},
])
def test_what_computes_nothing_of_it_leaves_a_result_alone(package, edits):
    assert package(**edits) == package()


@pytest.mark.parametrize("edits", [
    {"numbers": ("BASE = 10", "BASE = 11")}, {"numbers": ("BASE * x", "BASE * x + 1")}, {"stage": (".fit() +", ".fit() -")},
    {"first": ("1", "5")}, {"tables": (".read_text()", ".read_text()[1:]")}, {"stage": ("double(1)", "double(2)")},
])
def test_what_computes_it_makes_a_result_anew(package, edits):
    assert package(**edits) != package()


def test_a_function_that_shows_depends_on_more(package):
    edit = {"numbers": ('"figure"', '"another figure"')}
    assert package("show", **edit) != package("show")


def test_code_of_the_package_itself():
    """A stage that moves to another module keeps its results; one that reads a table of the paper depends on it."""
    from fergan.paper import read_table

    assert code_hash(read_table) == code_hash(read_table) != code_hash(write_json)
    assert os.environ.get("FERGAN_BOOK") is None
