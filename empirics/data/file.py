"""The user's own data: an .npz file with arrays X and y, or a .csv file with the label in the last column."""

import csv
import hashlib
import math
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from empirics.data.dataset import (
    Dataset,
    check_classes,
    check_preparation,
    is_number,
    split,
    two_classes,
)
from theory._validation import Array, as_points


@dataclass(frozen=True, kw_only=True)
class FileData:
    """Data read from a file.

    ``.npz``: arrays ``X`` (N, d) and ``y`` (N,); never unpickled.  ``.csv``: numbers separated by
    commas, the label in the last column, an optional header row.

    Raises
    ------
    ValueError
        On construction or loading: unknown option, unreadable or malformed file, labels that are not
        ±1 without `classes`, values that are not finite, constant data.
    FileNotFoundError
        On loading, if there is no such file.
    """

    path: str
    classes: tuple[str, str] | None = None  # the first becomes +1; needed unless labels are ±1
    test_fraction: float = 0.3
    standardise: str = "zscore"

    @property
    def name(self) -> str:
        """The file name without its ending."""
        return Path(self.path).stem

    def __post_init__(self) -> None:
        check_preparation(self.test_fraction, self.standardise)
        check_classes(self.classes)
        if Path(self.path).suffix not in {".npz", ".csv"}:
            msg = f"data file must end in .npz or .csv, got {self.path!r}"
            raise ValueError(msg)

    def load(self, seed: int) -> Dataset:
        """Read, map the classes and split with `seed`."""
        path = self._existing()
        X, labels = _read_npz(path) if path.suffix == ".npz" else _read_csv(path)
        X = as_points(f"X in {path.name}", X)
        if labels.shape != (len(X),):
            msg = f"y in {path.name} must have shape ({len(X)},), one label a row of X, got {labels.shape}"
            raise ValueError(msg)
        if labels.dtype.kind == "f" and not np.isfinite(labels).all():
            msg = f"y in {path.name} must be finite"
            raise ValueError(msg)
        X, y, classes = two_classes(X, labels, self.classes, source=path.name)
        return split(
            X,
            y,
            test_fraction=self.test_fraction,
            standardise=self.standardise,
            seed=seed,
            name=self.name,
            classes=classes,
        )

    def content_hash(self) -> str:
        """Return the SHA-256 (hex) of the file, as it is on the disk."""
        with self._existing().open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()

    def _existing(self) -> Path:
        path = Path(self.path)
        if not path.is_file():
            msg = f"data file must exist, got {self.path!r}"
            raise FileNotFoundError(msg)
        return path


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    if not zipfile.is_zipfile(path):
        msg = f"{path.name} must be a readable .npz file: it is no zip archive"
        raise ValueError(msg)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            missing = {"X", "y"} - set(arrays.files)
            if missing:
                msg = f"{path.name} must hold arrays X and y, got {', '.join(arrays.files) or 'none'}"
                raise ValueError(msg)
            return arrays["X"], arrays["y"]
    except (zipfile.BadZipFile, zlib.error, tokenize.TokenError, OSError, EOFError, RuntimeError) as error:
        msg = f"{path.name} must be a readable .npz file: {error}"
        raise ValueError(msg) from error
    except ValueError as error:
        if "allow_pickle" in str(error):
            msg = f"{path.name} must hold plain numeric or text arrays; object arrays are never unpickled"
            raise ValueError(msg) from error
        raise


@dataclass(frozen=True)
class _Line:
    """A row of a .csv file, and the line that it begins at."""

    number: int  # from 1, as an editor counts: with the header and empty lines
    cells: list[str]


def _read_csv(path: Path) -> tuple[Array, np.ndarray]:
    """Return the features and the labels, which stand in the last column."""
    rows = _read_rows(path)
    columns = len(rows[0].cells) - 1
    if not columns:
        msg = f"{path.name} must have rows of at least one feature and a label"
        raise ValueError(msg)
    values = _numbers(path, rows, columns)
    labels = [row.cells[-1].strip() for row in rows]
    if all(is_number(label) for label in labels):
        return values, _numbers(path, rows, columns + 1, first=columns)[:, 0]
    return values, np.array(labels)


def _read_rows(path: Path) -> list[_Line]:
    """Return the rows of a .csv file without a header, all of one length."""
    rows, begins = [], 1
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            for cells in reader:
                if cells:
                    rows.append(_Line(begins, cells))
                begins = reader.line_num + 1
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path.name} must be a readable text file of comma-separated values: {error}"
        raise ValueError(msg) from error
    # A header names its columns; a row with some numbers in it is data, perhaps damaged.
    if rows and not any(is_number(cell) for cell in rows[0].cells):
        rows = rows[1:]
    if not rows:
        msg = f"{path.name} must have rows of numbers, got none"
        raise ValueError(msg)
    columns = len(rows[0].cells)
    for row in rows:
        if len(row.cells) != columns:
            place = f"line {row.number}"
            msg = f"{path.name} must have {columns} columns in each row, got {len(row.cells)} in {place}"
            raise ValueError(msg)
    return rows


def _numbers(path: Path, rows: list[_Line], end: int, *, first: int = 0) -> Array:
    """Return the columns from `first` to before `end`; errors name the line of the file and the column."""
    values = np.empty((len(rows), end - first))
    for index, row in enumerate(rows):
        for column, text in enumerate(row.cells[first:end], start=first):
            place = f"line {row.number}, column {column + 1}"
            if not is_number(text):
                msg = f"{path.name} must hold numbers, got {text!r} in {place}"
                raise ValueError(msg)
            value = float(text)
            if not math.isfinite(value):
                msg = f"{path.name} must hold finite numbers, got {text.strip()!r} in {place}"
                raise ValueError(msg)
            values[index, column - first] = value
    return values


def read_points(path: Path) -> Array:
    """Read points without labels from a .npy file or a .csv file of numbers (a header row is skipped).

    Parameters
    ----------
    path : Path

    Returns
    -------
    array, shape (n, d), float64

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it ends otherwise, cannot be read, or does not hold finite points.
    """
    if not path.is_file():
        msg = f"points must be in a file that exists, got {str(path)!r}"
        raise FileNotFoundError(msg)
    if path.suffix == ".npy":
        try:
            return as_points(f"points in {path.name}", np.load(path, allow_pickle=False))
        except (OSError, EOFError, ValueError) as error:
            msg = f"{path.name} must be a readable .npy file of points: {error}"
            raise ValueError(msg) from error
    if path.suffix == ".csv":
        rows = _read_rows(path)
        return as_points(f"points in {path.name}", _numbers(path, rows, len(rows[0].cells)))
    msg = f"points must be in a .npy or .csv file, got {str(path)!r}"
    raise ValueError(msg)
