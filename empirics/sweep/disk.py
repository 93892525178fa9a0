"""Files on a disk: the only module that writes them.

A file appears whole or not at all: it is written under a temporary name beside its place, flushed to the
disk, then renamed.
"""

import contextlib
import errno
import io
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEMPORARY = ".perturblearn-"  # begins names of files that are not whole


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
        remove([*created, *temporaries.values()])


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
            with explained(target):
                temporary.replace(target)
        # A new name is on the disk once its folder is.
        for folder in {target.parent for target in temporaries} | {folder.parent for folder in created}:
            with explained(folder):
                _flush_folder(folder)
    except BaseException:
        remove([*created, *temporaries.values()])
        raise


def _stage(path: Path, content: bytes, temporaries: dict[Path, Path], created: list[Path]) -> None:
    """Write what shall be at `path` under a temporary name; note that, and each folder made for it."""
    with explained(path):
        target = _target(path)
        make_parents(target, created)
        mode = None
        if target.exists():  # raises if the name is too long
            mode = stat.S_IMODE(target.stat().st_mode)
        temporary = target.with_name(f"{TEMPORARY}{secrets.token_hex(8)}")
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


def remove(paths: Iterable[Path]) -> None:
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
def explained(path: Path) -> Iterator[None]:
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


def make_parents(path: Path, created: list[Path]) -> None:
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
