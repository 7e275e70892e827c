"""Results are computed once: again where what makes them changed, and only then."""

import logging
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import Field

from fergan import cache
from fergan.cache import Config, cached, current, digest, is_whole
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


def test_the_same_is_computed_once_and_what_differs_anew(home):
    first = cached(home, scale, ScaleConfig(), {"X": X})
    assert cached(home, scale, ScaleConfig(), {"X": X.copy()}, n_threads=4) == first and computed(home) == 1
    assert np.array_equal(np.load(first / "scaled.npy"), 2 * X)
    assert cached(home, scale, ScaleConfig(factor=3), {"X": X}) != first
    assert cached(home, scale, ScaleConfig(), {"X": X}) == first and computed(home) == 2  # a value changed back
    for other in (X.astype("float32"), X.reshape(2, 3)):
        assert cached(home, scale, ScaleConfig(), {"X": other}) != first
    assert computed(home) == 4


@pytest.mark.parametrize("harm", [lambda path: path.unlink(), lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_what_is_deleted_or_truncated_is_made_again(home, harm, caplog):
    folder = cached(home, scale, ScaleConfig(), {"X": X})
    harm(folder / "scaled.npy")
    assert not is_whole(folder)
    with caplog.at_level(logging.WARNING):
        assert cached(home, scale, ScaleConfig(), {"X": X}) == folder
    assert "is not whole and is made again" in caplog.text
    assert computed(home) == 2 and is_whole(folder)


def test_only_the_book_moves_what_is_current_and_what_it_read_is_known(home, monkeypatch):
    with pytest.raises(FileNotFoundError, match="artifacts/scaled holds no finished result yet; PROFILE=.* make book makes it"):
        current(home)
    first = cached(home, scale, ScaleConfig(), {"X": X})
    other = cached(home, scale, ScaleConfig(factor=3), {"X": X})
    assert current(home) == first  # a variation leaves the book as it is
    monkeypatch.setenv("FERGAN_BOOK", "1")
    cached(home, scale, ScaleConfig(factor=3), {"X": X})
    assert current(home) == other
    before = read_json(home / "current.json")["digest"]
    equal = cached(home, scale, ScaleConfig(factor=3, name="other"), {"X": X})
    assert current(home) == equal and read_json(home / "current.json")["digest"] == before
    seen = cache.opened()
    assert seen["results"][str(equal)]["stage"].endswith(":scale") and seen["results"][str(equal)]["differs"] == []
    assert seen["reads"] == {str(home): before}


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
def test_digests_tell_contents_apart(one, other, tmp_path):
    assert digest(one) == digest(one) != digest(other)
    for name in ("a", "b"):
        (tmp_path / name).write_text("the same")
    assert digest(tmp_path / "a") == digest(tmp_path / "b")
    with pytest.raises(TypeError, match="the content of a set cannot be hashed"):
        digest({1, 2})


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
        cache.forget_code()
        return cache._hash_of_code((("fergan.maths.stage", function),))

    yield hash_of
    cache.forget_code()


FIGURE = {"numbers": ('"figure"', '"another figure"')}


@pytest.mark.parametrize(("edits", "anew"), [
    ({"numbers": ('"""Twice."""', '"""Two times."""')}, False), ({"stage": ("# a comment", "# another")}, False),
    (FIGURE, False), ({"numbers": ("OTHER = 3", "OTHER = 4")}, False),
    ({"second": ("1", "5")}, False), ({"stage": ("return plot(stage(folder))", "return None")}, False),
    ({"numbers": ("BASE = 10", "BASE = 11")}, True), ({"numbers": ("BASE * x", "BASE * x + 1")}, True),
    ({"stage": (".fit() +", ".fit() -")}, True), ({"first": ("1", "5")}, True), ({"tables": (".read_text()", ".read_text()[1:]")}, True),
    ({"stage": ("double(1)", "double(2)")}, True),
])
def test_what_computes_a_result_makes_it_anew_and_nothing_else_does(package, edits, anew):
    assert (package(**edits) != package()) == anew
    assert package("show", **FIGURE) != package("show")  # a function that shows depends on more


def test_a_page_of_a_moved_project_is_of_the_same_state(tmp_path):
    def state(place, text):
        (tmp_path / place).mkdir(exist_ok=True)
        (tmp_path / place / "said.md.j2").write_text(text)
        return cache.hash_of_source("speak('said', 'it')", tmp_path / place)

    assert state("here", "It is.") == state("there", "It is.") != state("there", "It was.")
