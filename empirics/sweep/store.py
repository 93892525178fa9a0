"""The folder of a sweep: its plan, its results, and tables of them, whole whatever ends the process."""

import contextlib
import csv
import errno
import io
import json
import os
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from empirics.sweep.disk import (
    TEMPORARY,
    check_output,
    explained,
    make_parents,
    remove,
    shown,
    write_bytes,
    write_together,
)
from empirics.sweep.plain import digest, encodable, to_json

_TABLES = ("results.jsonl", "results.csv", "failures.json")
_PAGES = ("report.html", "report.json")  # made from the tables
_OTHERS = ("results.json", "runs/plan.json")  # of a report
_PLANNED = "plan.html"  # of `perturblearn plan`, whose plan.json is another
_PLAN = "plan.json"
_LOCK, _TIMINGS = ".lock", "timings.csv"


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
        with explained(path):
            make_parents(path.absolute(), created)
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
                remove(created)
                msg = (
                    f"result folder must be on a file system with locks, got {shown(self.path)}: "
                    f"{error.strerror}; choose a folder on a local disk"
                )
                raise OSError(msg) from error
            with explained(path):
                os.ftruncate(handle, 0)
                os.pwrite(handle, f"{os.getpid()} on {socket.gethostname()}\n".encode(), 0)
            for folder in (self.path, self.path / "results"):
                for unfinished in folder.glob(f"{TEMPORARY}*"):
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
        others = [name for name in (_PLANNED, *_TABLES, *_PAGES, *_OTHERS) if (self.path / name).exists()]
        ours = any((self.path / name).exists() for name in (_PLAN, _LOCK)) and _PLANNED not in others
        if others and not ours:
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
            {self.path / name: encodable(text).encode() for name, text in zip(_TABLES, texts, strict=True)}
        )

    def log_time(self, what: str, seconds: float) -> None:
        """Add a line to the timings, which are no results: they differ from run to run."""
        path = self.path / _TIMINGS
        with explained(path), path.open("ab", buffering=0) as stream:
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
            if digest(content) == checksum and to_json({**content, "sha256": checksum}).encode() == raw:
                return content
    msg = f"{path.name} is not what was written"
    raise DamagedError(msg)
