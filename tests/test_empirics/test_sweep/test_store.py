"""Files: whole or not at all, finite numbers only, and folders that can be written to."""

import errno
import hashlib
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st

from empirics.sweep.disk import (
    check_apart,
    check_output,
    write_array,
    write_bytes,
    write_text,
    write_together,
)
from empirics.sweep.plain import canonical, digest, to_json
from empirics.sweep.store import ResultFolder


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


# Writing --------------------------------------------------------------------------------------------


def test_text_comes_back_byte_for_byte(tmp_path):
    text = "γ ≤ Φ\nline\r\n" + "x" * 100_000
    write_text(tmp_path / "out.txt", "old and longer" * 20_000)
    write_text(tmp_path / "out.txt", text)
    assert (tmp_path / "out.txt").read_bytes() == text.encode()
    assert tree(tmp_path) == ["out.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_files_and_folders_follow_the_umask_and_a_file_that_is_there_keeps_its_mode(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        for _ in range(2):
            write_text(tmp_path / "new" / "out.txt", "text")
            assert (tmp_path / "new" / "out.txt").stat().st_mode & 0o777 == mode
        with ResultFolder(tmp_path / "sweep").locked():
            assert (tmp_path / "sweep" / ".lock").stat().st_mode & 0o777 == mode
        assert (tmp_path / "new").stat().st_mode & 0o777 == 0o777 & ~umask
        (tmp_path / "new" / "out.txt").chmod(0o666)
        write_text(tmp_path / "new" / "out.txt", "other text")
        assert (tmp_path / "new" / "out.txt").stat().st_mode & 0o777 == 0o666
    finally:
        os.umask(before)


@pytest.mark.parametrize("absolute", [True, False])
def test_what_a_link_points_to_is_replaced_and_not_the_link(tmp_path, absolute):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "target.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "far/target.txt" if absolute else "far/target.txt")
    (tmp_path / "folder").symlink_to("far")
    write_together({tmp_path / "link.txt": b"new", tmp_path / "folder" / "beside.txt": b"beside"})
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "far" / "target.txt").read_text() == "new"
    assert tree(tmp_path) == ["far", "far/beside.txt", "far/target.txt", "folder", "link.txt"]


NAMES = ["a b", "-a", "a\nb", "100%", "#1?", "γ", "'\"$x", ".a", os.fsdecode(b"\xff\xfe"), "x" * 255]


@pytest.mark.parametrize("name", NAMES)
def test_any_legal_name_is_one_of_a_file_and_of_a_result_folder(tmp_path, name):
    check_output(tmp_path / name / name)
    write_text(tmp_path / name / name, "text")
    assert [path.name for path in (tmp_path / name).iterdir()] == [name]
    assert (tmp_path / name / name).read_text() == "text"
    folder = ResultFolder(tmp_path / name / "sweep")
    with folder.locked():
        written = folder.write("one", {"record": {"path": name}})
        folder.write_tables([{"path": name}], [])
    assert folder.read("one") == written
    assert written["record"] == {"path": name}
    assert json.loads((folder.path / "results.jsonl").read_text("utf-8")) == {"path": name}


@pytest.mark.parametrize("old", [None, "old"])
@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()], ids=["full", "interrupt"])
@pytest.mark.parametrize("place", ["os.fsync", "os.open", "pathlib.Path.replace"])
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
    write_text(tmp_path / "out.json", to_json(value))
    text = (tmp_path / "out.json").read_text(encoding="utf-8")
    assert text == to_json(value)
    assert text.endswith("}\n")
    assert json.loads(text) == value


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_json_refuses_numbers_that_are_not_finite(tmp_path, number):
    write_text(tmp_path / "out.json", to_json([1.0]))
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_text(tmp_path / "out.json", to_json({"deep": [1.0, {"value": number}]}))
    assert json.loads((tmp_path / "out.json").read_text()) == [1.0]
    assert tree(tmp_path) == ["out.json"]


# Folders --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [".", "new", "new/deep/er"])
def test_output_is_checked_without_being_made_and_then_made(tmp_path, name):
    check_output(tmp_path / name / "out", tmp_path / name / "other")
    assert tree(tmp_path) == []
    write_bytes(tmp_path / name / "out", b"kept")
    check_output(tmp_path / name / "out")
    write_bytes(tmp_path / name / "other", b"beside")
    assert (tmp_path / name / "out").read_bytes() == b"kept"


def test_relative_path_is_one_of_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_output(Path("new/out.txt"))
    assert tree(tmp_path) == []
    write_text(Path("new/out.txt"), "text")
    assert tree(tmp_path) == ["new", "new/out.txt"]


OBSTACLES = [
    ("file/out", NotADirectoryError, "{0}/file' is a file, not a folder"),
    ("file/far/out", NotADirectoryError, "{0}/file' is a file, not a folder"),
    ("dangling/out", NotADirectoryError, "{0}/dangling' is a link to 'nowhere', which is not there"),
    ("dangling/far/out", NotADirectoryError, "{0}/dangling' is a link to 'nowhere', which is not there"),
    ("dangling", FileNotFoundError, "{0}/dangling' is a link to 'nowhere', which is not there"),
    ("loop", FileNotFoundError, "{0}/loop' is a link to 'loop', which is not there"),
    (".", IsADirectoryError, "it is a folder"),
    ("pipe", OSError, "it is no regular file"),
    ("new/" + "x" * 256, OSError, "File name too long"),
    ("new/" + "x" * 256 + "/out", OSError, "File name too long"),
    ("/".join(["x" * 200] * 21), OSError, "File name too long"),
]


@pytest.mark.parametrize("act", [check_output, lambda path: write_text(path, "text")], ids=["check", "write"])
@pytest.mark.parametrize(("name", "kind", "reason"), OBSTACLES, ids=[name[:16] for name, *_ in OBSTACLES])
def test_what_is_in_the_way_is_named_and_kept(tmp_path, act, name, kind, reason):
    (tmp_path / "file").write_text("kept")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    before, path = tree(tmp_path), tmp_path / name
    with pytest.raises(kind) as caught:
        act(path)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert message.startswith(f"output must be writable, got '{path}': ")
    assert message.endswith(reason.format(tmp_path))
    assert tree(tmp_path) == before
    assert (tmp_path / "file").read_text() == "kept"


def test_current_folder_that_is_gone_is_named(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for act in (check_output, lambda path: write_text(path, "text")):
        with pytest.raises(FileNotFoundError, match="got 'out': the current folder is gone"):
            act(Path("out"))


def test_file_that_may_not_be_written_is_kept(monkeypatch, tmp_path):
    path = tmp_path / "out"
    path.write_text("kept")
    # Simulated: the superuser may write everywhere.
    monkeypatch.setattr(os, "access", lambda file, mode: file != path or not mode & os.W_OK)
    with pytest.raises(PermissionError, match=f"got '{path}': it is read-only"):
        check_output(path)
    with pytest.raises(PermissionError, match=f"got '{path}': it is read-only"):
        write_text(path, "new")
    assert path.read_text() == "kept"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write everywhere")
def test_folder_without_permission_is_refused(tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    with pytest.raises(PermissionError, match=r"must be writable, got .*: Permission denied"):
        check_output(folder / "new" / "out")


@pytest.mark.parametrize("place", ["out", "new/far/out"])
def test_disk_without_room_is_known_before_and_keeps_what_it_has(full_disk, place):
    path = full_disk / place
    before = tree(full_disk)
    with pytest.raises(OSError, match=f"must be writable, got '{path}': {full_disk.reason}"):
        check_output(path, room=full_disk.room)
    with pytest.raises(OSError, match=f"must be writable, got '{path}': {full_disk.reason}"):
        write_bytes(path, bytes(full_disk.room))
    with pytest.raises(OSError, match=full_disk.reason):
        ResultFolder(full_disk / "new").write("name", {"record": {"a": [0] * full_disk.room}})
    assert tree(full_disk) == before


def test_input_is_not_written_over(tmp_path):
    given, link = tmp_path / "in", tmp_path / "link"
    given.write_text("data")
    link.symlink_to("in")
    check_apart(tmp_path / "out", [given])
    check_apart(given, [tmp_path / "missing"])
    for path in (given, link, tmp_path / "." / "in"):
        with pytest.raises(
            FileExistsError, match=f"output must be another file than the input, got '{path}'"
        ):
            check_apart(path, [given])


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EIO])
def test_folders_are_flushed_where_the_system_can(monkeypatch, tmp_path, number):
    flushed, fsync = [], os.fsync

    def flush(handle):
        path = Path(f"/proc/self/fd/{handle}").readlink()
        flushed.append(path)
        if path.is_dir():
            raise OSError(number, "of a folder")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", flush)
    if number == errno.EIO:
        with pytest.raises(OSError, match="of a folder"):
            write_text(tmp_path / "new" / "out.txt", "text")
    else:
        write_text(tmp_path / "new" / "out.txt", "text")
        assert (tmp_path / "new" / "out.txt").read_text() == "text"
        # The names that are new stand in two folders.
        assert set(flushed[1:]) == {tmp_path / "new", tmp_path}


# Canonical text ---------------------------------------------------------------------------------------

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_canonical_text_means_the_value_and_is_its_own_canonical_text(value):
    text = canonical(value)
    assert json.loads(text) == value
    assert text.isascii()
    assert canonical(json.loads(text)) == text


@given(st.dictionaries(st.text(), values), st.randoms())
def test_canonical_text_does_not_depend_on_order(value, random):
    items = list(value.items())
    random.shuffle(items)
    assert canonical(dict(items)) == canonical(value)


def test_canonical_text_is_that_of_equal_numbers():
    value = {"b": (1.0, -0.0, np.float64(2), np.int64(3), 0.5, True, 1e22), "a": "γ"}
    assert canonical(value) == '{"a":"\\u03b3","b":[1,0,2,3,0.5,true,10000000000000000000000]}'
    assert digest(value) == hashlib.sha256(canonical(value).encode()).hexdigest()


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_canonical_text_refuses_numbers_that_are_not_finite(number):
    with pytest.raises(ValueError, match="JSON"):
        canonical([number])


# Result folders -------------------------------------------------------------------------------------------

CONTENT = {
    "record": {"value": 0.1, "whole": 1.0, "text": "γ\n", "deep": [{"a": -0.0}, 5e-324]},
    "error": None,
}


def test_result_comes_back_as_writing_returned_it(tmp_path):
    folder = ResultFolder(tmp_path)
    assert folder.read("name") is None
    assert folder.write("name", CONTENT) == folder.read("name") == CONTENT
    assert folder.names() == ["name"]


def test_result_replaces_one_that_was_there(tmp_path):
    folder = ResultFolder(tmp_path)
    folder.write("name", CONTENT)
    folder.write("name", {"record": None, "error": "failed"})
    assert folder.read("name")["error"] == "failed"
    folder.write("other", CONTENT)
    folder.keep(["name"])
    assert tree(tmp_path) == ["results", "results/name.json"]


def test_result_that_is_not_finite_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        ResultFolder(tmp_path).write("name", {"record": {"value": math.nan}})
    assert tree(tmp_path) == []


def test_lock_holds_out_others_until_it_is_dropped(tmp_path):
    folder = ResultFolder(tmp_path / "new")
    busy = pytest.raises(BlockingIOError, match=rf"process {os.getpid()} on .* writes to")
    with folder.locked(), busy, ResultFolder(tmp_path / "new").locked():
        pass
    with pytest.raises(ZeroDivisionError), folder.locked():
        raise ZeroDivisionError
    with folder.locked():
        assert (tmp_path / "new" / ".lock").read_text().startswith(f"{os.getpid()} on ")
    assert (tmp_path / "new" / ".lock").read_text() == ""


def test_what_a_killed_writer_left_is_cleared_away_and_nothing_else(tmp_path):
    folders = [tmp_path, tmp_path / "results"]
    kept = (".hidden", ".notes.tmp", "results/mine.tmp")
    for name in kept:
        write_text(tmp_path / name, "kept")
    with pytest.MonkeyPatch.context() as killed:
        killed.setattr("empirics.sweep.disk.remove", lambda _: None)
        for folder in folders:
            check_output(folder / "out")
    assert all(len(list(folder.glob(".perturblearn-*"))) == 1 for folder in folders)
    with ResultFolder(tmp_path).locked():
        pass
    files = [name for name in tree(tmp_path) if (tmp_path / name).is_file()]
    assert files == [".hidden", ".lock", ".notes.tmp", "results/mine.tmp"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS])
@pytest.mark.parametrize("there", [True, False])
def test_file_system_without_locks_is_refused_with_what_to_do(monkeypatch, tmp_path, number, there):
    def flock(_handle, _operation):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", flock)
    path = tmp_path / "new"
    if there:
        path.mkdir()
    before = tree(tmp_path)
    said = f"must be on a file system with locks, got '{path}': {os.strerror(number)}; choose a folder on a"
    with pytest.raises(OSError, match=said), ResultFolder(path).locked():
        pytest.fail("ran without a lock")
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["results.csv", "results.jsonl", "failures.json", "report.html", "report.json", "results.json"]
)
def test_folder_with_files_of_something_else_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text("mine")
    refused = pytest.raises(FileExistsError, match=rf"must be new or hold a plan.json, got .* with {name};")
    with refused, ResultFolder(tmp_path).locked():
        pytest.fail("took the folder")
    assert tree(tmp_path) == [name]


def test_part_of_a_result_folder_is_none_itself(tmp_path):
    ResultFolder(tmp_path).write_plan({"blocks": []})
    refused = pytest.raises(FileExistsError, match="must not be a part of another one")
    with refused, ResultFolder(tmp_path / "results").locked():
        pytest.fail("took the folder")
    assert tree(tmp_path) == ["plan.json"]


def test_tables_stay_if_another_plan_cannot_be_written(tmp_path, monkeypatch):
    folder = ResultFolder(tmp_path)
    folder.write_plan({"blocks": [1]})
    folder.write_tables([{"hash": "a"}], [])
    before = {name: (tmp_path / name).read_bytes() for name in tree(tmp_path)}

    def full(_handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left on device"):
        folder.write_plan({"blocks": [1, 2]})
    assert {name: (tmp_path / name).read_bytes() for name in tree(tmp_path)} == before


@pytest.mark.parametrize("full_disk", ["limit"], indirect=True)
def test_line_of_timings_is_whole_or_absent(full_disk):
    folder = ResultFolder(full_disk)
    folder.log_time("first", 1.0)
    with pytest.raises(OSError, match="must be writable"):
        folder.log_time("x" * full_disk.room, 2.0)
    assert (full_disk / "timings.csv").read_text() == "1.000,first\n"


def test_tables_have_every_column_of_any_row(tmp_path):
    rows = [{"hash": "a", "x": 0.1, "pair": ["1", {"k": 2}]}, {"hash": "b", "flag": True, "text": 'a,"b"\nγ'}]
    ResultFolder(tmp_path).write_tables(rows, [{"hash": "b", "error": "bad"}])
    lines = (tmp_path / "results.jsonl").read_text("utf-8").splitlines()
    columns = ["hash", "x", "pair", "flag", "text"]
    assert [list(json.loads(line)) for line in lines] == [columns] * 2
    assert json.loads(lines[0]) == {
        "hash": "a",
        "x": 0.1,
        "pair": ["1", {"k": 2}],
        "flag": None,
        "text": None,
    }
    table = (tmp_path / "results.csv").read_text("utf-8")
    assert table == 'hash,x,pair,flag,text\na,0.1,"[""1"", {""k"": 2}]",,\nb,,,true,"a,""b""\nγ"\n'
    assert json.loads((tmp_path / "failures.json").read_text("utf-8")) == [{"hash": "b", "error": "bad"}]


def test_plan_that_stays_the_same_leaves_the_tables(tmp_path):
    folder = ResultFolder(tmp_path)
    folder.write_plan({"blocks": [1]})
    assert folder.read_plan() == {"blocks": [1]}
    folder.write_tables([{"hash": "a"}], [])
    folder.write_plan({"blocks": [1]})
    assert (tmp_path / "results.csv").exists()
    folder.write_plan({"blocks": [1, 2]})
    assert tree(tmp_path) == ["plan.json"]
