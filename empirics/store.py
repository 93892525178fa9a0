"""Files: the only module that writes to disk.

A file appears whole or not at all: it is written under a temporary name beside its place, flushed to the
disk, then renamed.
"""

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
    """Write files that belong together: all are on the disk before the first takes its name.

    If one of them cannot be written, none is; a folder that was missing is created, and removed again then.
    """
    temporaries: dict[Path, Path] = {}
    created: list[Path] = []
    try:
        for path, content in contents.items():
            if path.is_dir():
                msg = f"output must be a file, got the folder {path}"
                raise IsADirectoryError(msg)
            created += _make_parents(path)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            temporaries[path] = Path(name)
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).chmod(0o644)
        for path, temporary in temporaries.items():
            temporary.replace(path)
    except BaseException:
        for temporary in temporaries.values():
            temporary.unlink(missing_ok=True)
        for folder in reversed(created):
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _make_parents(path: Path) -> list[Path]:
    """Create the missing folders above a file; return them, outermost first."""
    check_directory(path.parent)
    missing = [folder for folder in path.absolute().parents if not folder.exists()][::-1]
    path.parent.mkdir(parents=True, exist_ok=True)
    return missing


def to_json(value: Any) -> str:  # noqa: ANN401
    """Return JSON text; NaN and infinity are refused, so that every reader can parse it.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def write_json(path: Path, value: Any) -> None:  # noqa: ANN401
    """Write JSON atomically; raises as `to_json`."""
    write_text(path, to_json(value))
