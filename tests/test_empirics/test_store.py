"""Files: whole or not at all, finite numbers only, and folders that can be written to."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from empirics.store import (
    check_directory,
    to_json,
    write_array,
    write_bytes,
    write_json,
    write_text,
    write_together,
)


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Writing --------------------------------------------------------------------------------------------


def test_text_comes_back_byte_for_byte(tmp_path):
    text = "γ ≤ Φ\nline\r\n" + "x" * 100_000
    write_text(tmp_path / "out.txt", "old and longer" * 20_000)
    write_text(tmp_path / "out.txt", text)
    assert (tmp_path / "out.txt").read_bytes() == text.encode()
    assert tree(tmp_path) == ["out.txt"]


def test_file_can_be_read_by_others(tmp_path):
    write_text(tmp_path / "out.txt", "text")
    assert (tmp_path / "out.txt").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()], ids=["full", "interrupt"])
@pytest.mark.parametrize("place", ["os.fsync", "pathlib.Path.replace"])
def test_failed_write_leaves_what_was_there(monkeypatch, tmp_path, place, failure, old):
    path = tmp_path / "out.txt"
    if old is not None:
        path.write_text(old)
    before = tree(tmp_path)

    def fail(*_arguments):
        raise failure

    monkeypatch.setattr(place, fail)
    with pytest.raises(type(failure)):
        write_text(path, "new")
    assert tree(tmp_path) == before
    if old is not None:
        assert path.read_text() == old


@pytest.mark.parametrize("failing_call", [1, 2])
def test_files_that_belong_together_appear_together(monkeypatch, tmp_path, failing_call):
    contents = {tmp_path / "new/a.txt": b"a", tmp_path / "new/deep/b.txt": b"b"}
    calls, fsync = [], os.fsync

    def fail_at_last(handle):
        calls.append(handle)
        if len(calls) == failing_call:
            raise OSError(28, "No space left on device")
        fsync(handle)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fail_at_last)
        with pytest.raises(OSError, match="No space left"):
            write_together(contents)
    assert tree(tmp_path) == []  # the folders are gone again, too
    write_together(contents)
    assert tree(tmp_path) == ["new", "new/a.txt", "new/deep", "new/deep/b.txt"]
    assert [path.read_bytes() for path in contents] == [b"a", b"b"]


def test_text_that_cannot_be_encoded_leaves_nothing(tmp_path):
    with pytest.raises(UnicodeEncodeError):
        write_text(tmp_path / "out.txt", "\ud800")
    assert tree(tmp_path) == []


@pytest.mark.parametrize("array", [np.array([[0.1, -0.0], [5e-324, np.nan]]), np.arange(3)])
def test_array_comes_back_unchanged(tmp_path, array):
    write_array(tmp_path / "out.npy", array)
    read = np.load(tmp_path / "out.npy", allow_pickle=False)
    assert read.dtype == array.dtype
    assert read.tobytes() == array.tobytes()


def test_array_of_objects_is_refused(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle=False"):
        write_array(tmp_path / "out.npy", np.array([{}]))
    assert tree(tmp_path) == []


def test_json_comes_back_equal_and_keeps_every_digit(tmp_path):
    value = {"γ": [0.1, 5e-324, 1 / 3, 2**70], "none": None, "nested": {"flag": True, "text": "m ≥ 1"}}
    write_json(tmp_path / "out.json", value)
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert text == to_json(value)
    assert text.endswith("}\n")
    assert json.loads(text) == value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_json_refuses_numbers_that_are_not_finite(tmp_path, number):
    write_json(tmp_path / "out.json", [1.0])
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "out.json", {"deep": [1.0, {"value": number}]})
    assert json.loads((tmp_path / "out.json").read_text()) == [1.0]
    assert tree(tmp_path) == ["out.json"]


# Folders --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".", "new", "new/deep/er"])
def test_folder_is_checked_without_being_made_and_then_made(tmp_path, name):
    check_directory(tmp_path / name)
    assert tree(tmp_path) == []
    write_bytes(tmp_path / name / "out", b"kept")
    write_bytes(tmp_path / name / "other", b"beside")
    assert (tmp_path / name / "out").read_bytes() == b"kept"


def test_relative_path_is_one_of_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_directory(Path("new"))
    assert tree(tmp_path) == []
    write_text(Path("new/out.txt"), "text")
    assert tree(tmp_path) == ["new", "new/out.txt"]


def write_into(folder):
    write_text(folder / "out.txt", "text")


@pytest.mark.parametrize("act", [check_directory, write_into])
@pytest.mark.parametrize("name", ["file", "file/under", "file/far/under"])
def test_file_in_the_way_is_named(tmp_path, act, name):
    file, path = tmp_path / "file", tmp_path / name
    file.write_text("kept")
    with pytest.raises(NotADirectoryError, match=f"must be a folder, got {path}: {file} is a file"):
        act(path)
    assert file.read_text() == "kept"


@pytest.mark.parametrize("act", [check_directory, write_into])
@pytest.mark.parametrize("name", [".", "new"])
def test_folder_without_permission_is_named(monkeypatch, tmp_path, act, name):
    # Simulated: the superuser may write everywhere.
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path or not mode & os.W_OK)
    path = tmp_path / name
    with pytest.raises(PermissionError, match=f"must be writable, got {path}: no permission in {tmp_path}"):
        act(path)
    assert tree(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
@pytest.mark.parametrize("act", [check_directory, write_into])
def test_read_only_folder_is_refused(tmp_path, act):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    with pytest.raises(PermissionError, match="must be writable"):
        act(folder / "new")
