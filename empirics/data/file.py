"""The user's own data: an .npz file with arrays X and y, or a .csv file with the label in the last column."""

import csv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from empirics.data.dataset import Dataset, check_preparation, split, two_classes
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
        if Path(self.path).suffix not in {".npz", ".csv"}:
            msg = f"data file must end in .npz or .csv, got {self.path!r}"
            raise ValueError(msg)

    def load(self, seed: int) -> Dataset:
        """Read, map the classes and split with `seed`."""
        path = Path(self.path)
        if not path.is_file():
            msg = f"data file must exist, got {self.path!r}"
            raise FileNotFoundError(msg)
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


def _read_npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = {"X", "y"} - set(arrays.files)
            if missing:
                msg = f"{path.name} must hold arrays X and y, got {', '.join(arrays.files) or 'none'}"
                raise ValueError(msg)
            return arrays["X"], arrays["y"]
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        msg = f"{path.name} must be a readable .npz file: {error}"
        raise ValueError(msg) from error
    except ValueError as error:
        if "allow_pickle" in str(error):
            msg = f"{path.name} must hold plain numeric or text arrays; object arrays are never unpickled"
            raise ValueError(msg) from error
        raise


def _read_csv(path: Path) -> tuple[Array, np.ndarray]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path.name} must be a readable text file of comma-separated values: {error}"
        raise ValueError(msg) from error
    if rows and not _is_number(rows[0][0]):
        rows = rows[1:]
    if not rows or len(rows[0]) < 2:
        msg = f"{path.name} must have rows of at least one feature and a label"
        raise ValueError(msg)
    columns = len(rows[0])
    values = np.empty((len(rows), columns - 1))
    for number, row in enumerate(rows):
        if len(row) != columns:
            place = f"data row {number + 1}"
            msg = f"{path.name} must have {columns} columns in each row, got {len(row)} in {place}"
            raise ValueError(msg)
        for column, text in enumerate(row[:-1]):
            if not _is_number(text):
                place = f"data row {number + 1}, column {column + 1}"
                msg = f"{path.name} must hold numbers, got {text!r} in {place}"
                raise ValueError(msg)
            values[number, column] = float(text)
    labels = [row[-1].strip() for row in rows]
    if all(_is_number(label) for label in labels):
        return values, np.array([float(label) for label in labels])
    return values, np.array(labels)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
