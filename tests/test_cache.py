"""Files are written whole or not at all, results computed once: again where what makes them changed, and only then."""

import errno
import fcntl
import logging
import os
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from pydantic import Field
from tiny import kill_when

from fergan import cache
from fergan.cache import Config, cached, current, digest, is_whole
from fergan.files import ROOT, UserError, atomic_path, hash_file, hash_parameters, locked, read_json, write_array, write_json

X = np.arange(6.0)
SLOW = """
import sys, time
from pathlib import Path
from fergan.cache import Config, cached
def slow(folder, config):
    half = folder / ".half"
    if not half.exists():
        half.write_text("done so far"); time.sleep(60)
    (folder / "result.txt").write_text(half.read_text())
slow.__module__ = "fergan.files"; slow.__qualname__ = "write_json"
print(cached(Path(sys.argv[1]), slow, Config(), {}))
"""
FILES = {
    "fergan/__init__.py": "", "fergan/maths/__init__.py": "",
    "fergan/maths/numbers.py": '"""Numbers."""\nBASE = 10\nOTHER = 3\ndef double(x):\n    """Twice."""\n    return BASE * x\ndef plot(x):\n    return "figure"\n',
    "fergan/maths/stage.py": "from fergan.maths.numbers import double, plot\nfrom fergan.maths import tables\n"
                             "class Learner:\n    def fit(self):\n        return double(1)\n"
                             "def stage(folder):\n    # a comment\n    return Learner().fit() + len(tables.read('first'))\n"
                             "def show(folder):\n    return plot(stage(folder))\n",
    "fergan/maths/tables.py": "from pathlib import Path\ndef read(name):\n    return (Path(__file__).parent / f'{name}.csv').read_text()\n",
    "fergan/maths/first.csv": "a,b\n1,2\n", "fergan/maths/second.csv": "a,b\n1,2\n",
}
FIGURE = {"numbers": ('"figure"', '"another figure"')}


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


def test_the_same_is_computed_once_what_differs_anew_and_a_run_of_earlier_code_is_kept_on_request(home, monkeypatch):
    first = cached(home, scale, ScaleConfig(), {"X": X}, keep=True)
    assert cached(home, scale, ScaleConfig(), {"X": X.copy()}, n_threads=4) == first and computed(home) == 1
    assert np.array_equal(np.load(first / "scaled.npy"), 2 * X)
    assert cached(home, scale, ScaleConfig(factor=3), {"X": X}) != first
    assert cached(home, scale, ScaleConfig(), {"X": X}) == first and computed(home) == 2  # a value changed back
    for other in (X.astype("float32"), X.reshape(2, 3)):
        assert cached(home, scale, ScaleConfig(), {"X": other}) != first
    assert computed(home) == 4
    monkeypatch.setattr(cache, "code_hash", lambda *functions: "new code")
    monkeypatch.setenv("KEEP_RUNS", "1")
    assert cached(home, scale, ScaleConfig(), {"X": X}, keep=True) == first and computed(home) == 4
    assert cached(home, scale, ScaleConfig(), {"X": X}) != first and computed(home) == 5


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


def test_a_killed_stage_leaves_no_result_and_goes_on(tmp_path):
    words = [sys.executable, "-c", SLOW, str(tmp_path / "home")]
    kill_when(lambda: any(half.stat().st_size for half in tmp_path.rglob(".half")), *words, cwd=ROOT)
    assert not list(tmp_path.rglob("stamp.json"))
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    folder = Path(done.stdout.strip())
    assert is_whole(folder) and (folder / "result.txt").read_text() == "done so far"


@pytest.mark.parametrize("one, other", [
    (np.zeros(3), np.zeros(4)), (np.zeros(2, int), np.zeros(2)), ("1", 1), (None, "None"), ([1, 2], [2, 1]),
    (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1.0]})), ({"a": 1}, {"b": 1}), (True, 1),
])
def test_digests_tell_contents_apart(one, other):
    assert digest(one) == digest(one) != digest(other)
    with pytest.raises(TypeError, match="the content of a set cannot be hashed"):
        digest({1, 2})


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


def test_a_lock_is_held_by_one_and_its_absence_or_that_of_rights_is_one_line(tmp_path, monkeypatch, caplog):
    path = tmp_path / "new" / ".lock"
    with locked(path, "busy"), pytest.raises(UserError, match="busy"), locked(path, "busy"):
        pass
    with locked(path, "busy"):  # given back
        pass
    monkeypatch.setattr(fcntl, "flock", Mock(side_effect=[BlockingIOError, None, OSError(errno.ENOLCK, "No locks available")]))
    with caplog.at_level("WARNING"), locked(path):
        assert f"another process holds {path}; waiting for it" in caplog.text
    with pytest.raises(UserError, match=r"the file system of .*new has no locks for files \(no locks available\); put"), locked(path):
        pass
    monkeypatch.setattr(os, "chmod", Mock(side_effect=PermissionError("Operation not permitted")))
    with atomic_path(tmp_path / "a.txt") as temporary:
        temporary.write_text("written")
    assert (tmp_path / "a.txt").read_text() == "written"
    monkeypatch.setitem(sys.modules, "fcntl", None)
    with pytest.raises(UserError, match="run the project in WSL"), locked(tmp_path / ".lock"):
        pass


def test_a_file_is_replaced_whole_and_an_error_or_a_kill_inside_the_block_leaves_the_old_one(tmp_path):
    path = tmp_path / "new" / "folder" / "result.txt"
    for text in ("first", "second"):
        with atomic_path(path) as temporary:
            assert temporary.suffix == ".txt"
            temporary.write_text(text)
        assert path.read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "second" and os.listdir(path.parent) == ["result.txt"]
    code = ("import sys, time\nfrom fergan.files import atomic_path\nwith atomic_path(sys.argv[1]) as temporary:\n"
            "    temporary.write_text('half')\n    time.sleep(60)\n")
    kill_when(lambda: any(of.stat().st_size for of in path.parent.glob(".*")), sys.executable, "-c", code, path, cwd=ROOT)
    assert path.read_text() == "second"


def test_json_and_arrays_are_whole_and_hashes_depend_on_values_and_content_alone(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"auc": np.float32("nan"), "n": np.int64(3), 7: [np.inf, 0.5], "array": np.array([1.0, np.nan]),
                      "where": Path("a") / "b", "yes": np.bool_(True)})
    content = {"auc": None, "n": 3, "7": [None, 0.5], "array": [1.0, None], "where": "a/b", "yes": True}
    assert "NaN" not in path.read_text() and read_json(path) == content
    with pytest.raises(TypeError):
        write_json(path, {"new": object()})
    assert read_json(path) == content
    path.write_text('{"a": ')
    with pytest.raises(ValueError, match=r"a.json is not readable as JSON .* delete it"):
        read_json(path)
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_array(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), array)
    with pytest.raises(ValueError, match="pickle"):
        write_array(tmp_path / "a.npy", np.array([object()]))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)
    assert hash_parameters({"a": 1, "b": 2.5}) == hash_parameters({"b": np.float64(2.5), "a": np.int32(1)})
    assert len({hash_parameters(each) for each in ({"a": 1}, {"a": 2}, {"b": 1})}) == 3 and len(hash_parameters({}, length=6)) == 6
    content = os.urandom(3 << 20)  # three blocks, so that one which is skipped shows
    for name, last in (("a", content[-1]), ("b", content[-1]), ("c", content[-1] ^ 1)):
        (tmp_path / name).write_bytes(content[:-1] + bytes([last]))
    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b") != hash_file(tmp_path / "c")
