"""Files: the only module that writes to disk.

A file appears whole or not at all: it is written under a temporary name beside its place, flushed to the
disk, then renamed.
"""

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import secrets
import socket
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TEMPORARY = ".perturblearn-"  # begins names of files that are not whole
_TABLES = ("results.jsonl", "results.csv", "failures.json")
_PAGES = ("report.html", "report.json")  # made from the tables
_OTHERS = ("results.json", "runs/plan.json")  # of a report
_PLAN = "plan.json"
_LOCK, _TIMINGS = ".lock", "timings.csv"


def check_output(*paths: Path, room: int = 1 << 14) -> None:
    """Check that files can be written at `paths`, by writing beside them and taking that back.

    For what takes long: a full or read-only disk, a link to nothing, or a name that is too long is known
    before.

    Parameters
    ----------
    paths : Path
        Files, in folders that may be missing.
    room : int
        Bytes that each of them may take.

    Raises
    ------
    OSError
        Of the kind that fits, with the path and the reason.
    """
    temporaries: dict[Path, Path] = {}
    created: list[Path] = []
    content = os.urandom(room)  # which no disk can compress
    try:
        for path in paths:
            _stage(path, content, temporaries, created)
    finally:
        _remove([*created, *temporaries.values()])


def check_apart(path: Path, inputs: Iterable[Path]) -> None:
    """Check that a file to be written is none of those that are read.

    Raises
    ------
    FileExistsError
        If it is.
    """
    if path.exists() and any(given.exists() and path.samefile(given) for given in inputs):
        msg = f"output must be another file than the input, got {shown(path)}"
        raise FileExistsError(msg)


def write_text(path: Path, text: str) -> None:
    """Write a text file (UTF-8) atomically."""
    write_bytes(path, text.encode())


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write a numpy array as .npy atomically."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    write_bytes(path, stream.getvalue())


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    write_together({path: content})


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write files that belong together: the contents of all are on the disk before the first takes its name.

    If one of them cannot be written, no name is taken; a folder that was missing is created, and removed
    again then.  The names are taken one after the other, in the given order: if one cannot be taken, or the
    process is killed in between, the first files are the new ones and the others those that were there
    before.  After a power loss it may be any of them, as file systems order names their own way.  Each file
    is whole in any case.
    """
    temporaries: dict[Path, Path] = {}
    created: list[Path] = []
    try:
        for path, content in contents.items():
            _stage(path, content, temporaries, created)
        for target, temporary in temporaries.items():
            with _explained(target):
                temporary.replace(target)
        # A new name is on the disk once its folder is.
        for folder in {target.parent for target in temporaries} | {folder.parent for folder in created}:
            with _explained(folder):
                _flush_folder(folder)
    except BaseException:
        _remove([*created, *temporaries.values()])
        raise


def _stage(path: Path, content: bytes, temporaries: dict[Path, Path], created: list[Path]) -> None:
    """Write what shall be at `path` under a temporary name; note that, and each folder made for it."""
    with _explained(path):
        target = _target(path)
        _make_parents(target, created)
        mode = None
        if target.exists():  # raises if the name is too long
            mode = stat.S_IMODE(target.stat().st_mode)
        temporary = target.with_name(f"{_TEMPORARY}{secrets.token_hex(8)}")
        temporaries[target] = temporary
        # As of any new file, what others may do follows the umask; what they may do with an old one stays.
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666 if mode is None else mode)
        with os.fdopen(handle, "wb") as stream:
            if mode is not None and stat.S_IMODE(os.fstat(handle).st_mode) != mode:
                with contextlib.suppress(PermissionError):  # some file systems have no modes
                    os.fchmod(handle, mode)
            stream.write(content)
            stream.flush()
            os.fsync(handle)


def _remove(paths: Iterable[Path]) -> None:
    """Remove files, and folders that are empty then, the last first."""
    for path in reversed(list(paths)):
        with contextlib.suppress(OSError):
            path.rmdir() if path.is_dir() else path.unlink()


def _target(path: Path) -> Path:
    """Return the absolute path of the file to replace, which is what a link points to."""
    try:
        path = path.absolute()
    except FileNotFoundError:
        msg = "the current folder is gone"
        raise FileNotFoundError(msg) from None
    if path.is_symlink():
        if not path.exists():
            raise FileNotFoundError(_dangling(path))
        path = path.resolve()
    if path.is_dir():
        msg = "it is a folder"
        raise IsADirectoryError(msg)
    if path.exists():
        if not path.is_file():
            msg = "it is no regular file"
            raise OSError(msg)
        if not os.access(path, os.W_OK):
            msg = "it is read-only"
            raise PermissionError(msg)
    return path


def _dangling(link: Path) -> str:
    return f"{shown(link)} is a link to {shown(link.readlink())}, which is not there"


def shown(path: Path) -> str:
    """Return a path as it stands in errors: in quotes and on one line, whatever is in it."""
    return repr(os.fspath(path))


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Name the output in errors of the system, which know only of temporary names."""
    try:
        yield
    except OSError as error:
        msg = f"output must be writable, got {shown(path)}: {error.strerror or error}"
        raise type(error)(msg) from error


def _flush_folder(path: Path) -> None:
    """Flush the names in a folder to the disk, where the system can."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:  # some file systems have no such thing
            raise
    finally:
        os.close(handle)


def _make_parents(path: Path, created: list[Path]) -> None:
    """Create the missing folders above a file, and note them, outermost first."""
    for folder in reversed(path.parents):
        if folder.is_dir():
            continue
        if os.path.lexists(folder):
            msg = f"{shown(folder)} is a file, not a folder" if folder.exists() else _dangling(folder)
            raise NotADirectoryError(msg)
        with contextlib.suppress(FileExistsError):  # another process was faster
            folder.mkdir()
            created.append(folder)


def to_json(value: Any) -> str:  # noqa: ANN401
    """Return JSON text; NaN and infinity are refused, so that every reader can parse it.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    text = json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    return _encodable(text)


def _encodable(text: str) -> str:
    r"""Return text that UTF-8 can hold: other bytes of names of files as ``\udcff``, JSON's escape."""
    return text.encode(errors="backslashreplace").decode()


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401
    """Write JSON atomically; raises as `to_json`."""
    write_text(path, to_json(value))


def canonical(value: Any) -> str:  # noqa: ANN401
    """Return JSON text that equal values share: sorted keys, no spaces, ASCII, 1.0 written as 1, -0.0 as 0.

    Raises
    ------
    ValueError
        If a number is not finite.
    TypeError
        If a value is none of JSON's.
    """
    return json.dumps(plain_numbers(value), sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain_numbers(value: Any) -> Any:  # noqa: ANN401
    """Return JSON values with lists for tuples, Python's numbers for numpy's, whole floats as integers."""
    if isinstance(value, Mapping):
        return {key: plain_numbers(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_numbers(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def digest(value: Any) -> str:  # noqa: ANN401
    """Return the SHA-256 of the canonical JSON of a value, in hexadecimal."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


class DamagedError(ValueError):
    """A file of a result folder that is not what was written."""


class ResultFolder:
    """The files of one sweep: a plan, one result for each name, tables made of them.

    ``plan.json``; ``results/NAME.json``, whose last field is the SHA-256 of the others; ``results.jsonl``,
    ``results.csv`` and ``failures.json``; and two files that are no results: ``.lock`` and ``timings.csv``.

    Whatever ends the process, and whenever, each file is whole or absent; what changed later is found on
    reading.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Be the one writer, and clear away what a writer that was killed left unfinished.

        The system drops the lock with the process that holds it, however that ends.

        Raises
        ------
        BlockingIOError
            If another process writes there.
        FileExistsError
            If the folder holds something else.
        OSError
            If it cannot be written to, or has no locks.
        """
        import fcntl  # noqa: PLC0415  (POSIX only, as this lock)

        path = self.path / _LOCK
        self.check()
        created: list[Path] = []
        with _explained(path):
            _make_parents(path.absolute(), created)
            if not path.exists():
                created.append(path)
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(handle, 200, 0).decode(errors="replace").strip() or "unknown"
                msg = f"result folder must have one writer, but process {holder} writes to {self.path}"
                raise BlockingIOError(msg) from error
            except OSError as error:
                _remove(created)
                msg = (
                    f"result folder must be on a file system with locks, got {shown(self.path)}: "
                    f"{error.strerror}; choose a folder on a local disk"
                )
                raise OSError(msg) from error
            with _explained(path):
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            for folder in (self.path, self.path / "results"):
                for unfinished in folder.glob(f"{_TEMPORARY}*"):
                    unfinished.unlink()
            yield
            os.ftruncate(handle, 0)
        finally:
            os.close(handle)

    def check(self) -> None:
        """Check that results can be written there, and that tables and pages there are those of results.

        Raises
        ------
        FileExistsError, OSError
            As `locked`.
        """
        # Names of results are digests of this length.
        check_output(self.path / _LOCK, self._path(digest(None)))
        if self.path.name == "results" and (self.path.parent / _PLAN).exists():
            msg = f"result folder must not be a part of another one, got {shown(self.path)}"
            raise FileExistsError(msg)
        others = [name for name in (*_TABLES, *_PAGES, *_OTHERS) if (self.path / name).exists()]
        if others and not any((self.path / name).exists() for name in (_PLAN, _LOCK)):
            msg = (
                f"result folder must be new or hold a {_PLAN}, got {shown(self.path)} with "
                f"{', '.join(others)}; choose another one"
            )
            raise FileExistsError(msg)

    def read_plan(self) -> dict[str, Any] | None:
        """Return the plan, None if there is none yet.

        Raises
        ------
        DamagedError
            If it is not as written.
        """
        return _read_signed(self.path / _PLAN)

    def write_plan(self, plan: Mapping[str, Any]) -> None:
        """Write the plan; tables and the page of another plan go first, as they would not be its own."""
        path, content = self.path / _PLAN, _signed(plan)[0]
        if not path.exists() or path.read_bytes() != content:
            check_output(path, room=len(content))  # the tables stay with the plan that they are of
            for name in (*_TABLES, *_PAGES):
                (self.path / name).unlink(missing_ok=True)
            write_bytes(path, content)

    def names(self) -> list[str]:
        """Return the names of the results that are there, sound or not."""
        return sorted(path.stem for path in (self.path / "results").glob("*.json"))

    def read(self, name: str) -> dict[str, Any] | None:
        """Return a result as it was written, None if there is none.

        Raises
        ------
        DamagedError
            If it was truncated or changed.
        """
        return _read_signed(self._path(name))

    def write(self, name: str, content: Mapping[str, Any]) -> dict[str, Any]:
        """Write a result, in place of one that is there; return it as `read` would.

        Raises
        ------
        OSError
            If it cannot be written; nothing of it is left then.
        ValueError
            If a number is not finite.
        """
        text, read = _signed(content)
        write_bytes(self._path(name), text)
        return read

    def _path(self, name: str) -> Path:
        return self.path / "results" / f"{name}.json"

    def keep(self, names: Collection[str]) -> None:
        """Remove all other results."""
        for name in set(self.names()) - set(names):
            self._path(name).unlink()

    def write_tables(self, rows: Sequence[Mapping[str, Any]], failures: Sequence[Mapping[str, Any]]) -> None:
        """Write all results as JSON lines and as CSV, and the failures.

        A column for each name in any row, in the order of first appearance; an absent value is null, or an
        empty cell.  Lists and objects are JSON in a cell.
        """
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines = (
            json.dumps({c: row.get(c) for c in columns}, allow_nan=False, ensure_ascii=False) for row in rows
        )
        text = io.StringIO(newline="")
        table = csv.writer(text, lineterminator="\n")
        table.writerow(columns)
        table.writerows([_cell(row.get(column)) for column in columns] for row in rows)
        texts = ("".join(f"{line}\n" for line in lines), text.getvalue(), to_json(list(failures)))
        write_together(
            {self.path / name: _encodable(text).encode() for name, text in zip(_TABLES, texts, strict=True)}
        )

    def log_time(self, what: str, seconds: float) -> None:
        """Add a line to the timings, which are no results: they differ from run to run."""
        path = self.path / _TIMINGS
        with _explained(path), path.open("ab", buffering=0) as stream:
            line, whole = f"{seconds:.3f},{what}\n".encode(), stream.tell()
            if stream.write(line) < len(line):  # the last bytes of a disk
                stream.truncate(whole)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _cell(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, (bool, list, dict)):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else value


def _signed(content: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Return the bytes of a file with its own checksum, and the content as reading returns it."""
    read: dict[str, Any] = json.loads(to_json(dict(content)))
    return to_json({**read, "sha256": digest(read)}).encode(), read


def _read_signed(path: Path) -> dict[str, Any] | None:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    with contextlib.suppress(ValueError, RecursionError):
        content = json.loads(raw)
        if isinstance(content, dict) and "sha256" in content:
            checksum = content.pop("sha256")
            # Comparing bytes finds changes that mean the same JSON, too.
            if digest(content) == checksum and _signed(content)[0] == raw:
                return content
    msg = f"{path.name} is not what was written"
    raise DamagedError(msg)
