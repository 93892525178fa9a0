"""Files: the only module that writes to disk.

A file appears whole or not at all: it is written under a temporary name beside its place, flushed to the
disk, then renamed.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def check_directory(path: Path) -> None:
    """Check, without touching the disk, that `path` is or can become a folder one can write to.

    Raises
    ------
    NotADirectoryError
        If `path` or a parent of it is a file.
    PermissionError
        If nothing can be written there.
    """
    existing = path.absolute()
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        msg = f"output path must be a folder, got {path}: {existing} is a file"
        raise NotADirectoryError(msg)
    if not os.access(existing, os.W_OK | os.X_OK):
        msg = f"output path must be writable, got {path}: no permission in {existing}"
        raise PermissionError(msg)


def prepare_directory(path: Path) -> Path:
    """Create a folder for output, or find it there.

    Raises
    ------
    NotADirectoryError
        If `path` or a parent of it is a file.
    PermissionError
        If nothing can be written there.
    """
    check_directory(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401
    """Write JSON atomically; NaN and infinity are refused, so that every reader can parse it.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    write_text(path, json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n")
