"""Writing files: whole or not at all."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest

from fergan.files import ROOT, UserError, atomic_path, hash_file, hash_parameters, locked, read_json, write_array, write_json


def test_a_lock_is_held_by_one_and_its_absence_is_one_line(tmp_path, monkeypatch, caplog):
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


def test_windows_and_file_systems_without_rights_are_no_traceback(tmp_path, monkeypatch):
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
            "    temporary.write_text('half')\n    print('writing', flush=True)\n    time.sleep(60)\n")
    with subprocess.Popen([sys.executable, "-c", code, path], cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "writing\n"
        child.send_signal(signal.SIGKILL)
    assert path.read_text() == "second"


def test_json_and_arrays_hold_numpy_values_and_what_they_cannot_hold_leaves_the_old_file(tmp_path):
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


def test_hashes_depend_on_values_and_content_alone(tmp_path):
    assert hash_parameters({"a": 1, "b": 2.5}) == hash_parameters({"b": np.float64(2.5), "a": np.int32(1)})
    assert len({hash_parameters(each) for each in ({"a": 1}, {"a": 2}, {"b": 1})}) == 3 and len(hash_parameters({}, length=6)) == 6
    content = os.urandom(3 << 20)  # three blocks, so that one which is skipped shows
    for name, last in (("a", content[-1]), ("b", content[-1]), ("c", content[-1] ^ 1)):
        (tmp_path / name).write_bytes(content[:-1] + bytes([last]))
    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b") != hash_file(tmp_path / "c")
