"""Writing files: whole or not at all."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from fergan.files import atomic_path, hash_file, hash_parameters, read_json, write_array, write_json


def test_an_error_inside_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["result.txt"]


def test_a_process_killed_inside_the_block_leaves_the_old_file(tmp_path):
    path = tmp_path / "result.txt"
    path.write_text("old")
    code = (
        "import sys, time\nfrom fergan.files import atomic_path\n"
        "with atomic_path(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n    print('writing', flush=True)\n    time.sleep(60)\n"
    )
    root = Path(__file__).parents[1]
    with subprocess.Popen([sys.executable, "-c", code, path], cwd=root, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "writing\n"
        child.send_signal(signal.SIGKILL)
    assert path.read_text() == "old"


def test_the_new_file_replaces_the_old_one_and_others_can_read_it(tmp_path):
    path = tmp_path / "new" / "folder" / "result.txt"
    for text in ("first", "second"):
        with atomic_path(path) as temporary:
            assert temporary.suffix == ".txt"
            temporary.write_text(text)
        assert path.read_text() == text
    assert os.listdir(path.parent) == ["result.txt"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


def test_json_holds_numpy_values_and_nan_becomes_null(tmp_path):
    content = {"auc": np.float32("nan"), "n": np.int64(3), 7: [np.inf, 0.5], "array": np.array([1.0, np.nan]),
               "where": Path("a") / "b", "yes": np.bool_(True)}  # fmt: skip
    write_json(tmp_path / "a.json", content)
    assert "NaN" not in (tmp_path / "a.json").read_text()
    assert read_json(tmp_path / "a.json") == {
        "auc": None, "n": 3, "7": [None, 0.5], "array": [1.0, None], "where": "a/b", "yes": True,
    }  # fmt: skip


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path):
    write_json(tmp_path / "a.json", {"old": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"new": object()})
    assert json.loads((tmp_path / "a.json").read_text()) == {"old": 1}


def test_broken_json_is_named(tmp_path):
    (tmp_path / "a.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"a.json is not readable as JSON .* delete it"):
        read_json(tmp_path / "a.json")


def test_arrays_are_written_without_pickle(tmp_path):
    array = np.arange(6, dtype=np.uint8).reshape(2, 3)
    write_array(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy", allow_pickle=False), array)
    with pytest.raises(ValueError, match="pickle"):
        write_array(tmp_path / "a.npy", np.array([object()]))
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), array)


def test_the_hash_of_parameters_depends_on_values_not_on_order_or_number_type():
    assert hash_parameters({"a": 1, "b": 2.5}) == hash_parameters({"b": np.float64(2.5), "a": np.int32(1)})
    assert hash_parameters({"a": 1}) != hash_parameters({"a": 2})
    assert hash_parameters({"a": 1}) != hash_parameters({"b": 1})
    assert len(hash_parameters({}, length=6)) == 6


def test_the_hash_of_a_file_depends_on_its_content_alone(tmp_path):
    content = os.urandom(3 << 20)  # three blocks, so that one which is skipped shows
    (tmp_path / "a").write_bytes(content)
    time.sleep(0.01)
    (tmp_path / "b").write_bytes(content)
    (tmp_path / "c").write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert hash_file(tmp_path / "a") == hash_file(tmp_path / "b") != hash_file(tmp_path / "c")
