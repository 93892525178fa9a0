"""The user's own data: an .npz file with arrays X and y, or a .csv file with the label in the last column."""

import contextlib
import hashlib
import math
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from empirics.data.dataset import (
    Dataset,
    check_classes,
    check_preparation,
    class_name,
    is_number,
    split,
    two_classes,
    understood,
)
from empirics.data.idx import MAX_BYTES, check_file, read_exactly
from empirics.data.table import HEADERS, is_missing, read_table
from theory.validation import Array, as_points, check_choice


@dataclass(frozen=True, kw_only=True)
class FileData:
    """Data read from a file.

    ``.npz``: arrays ``X`` (N, d) and ``y`` (N,); never unpickled.  ``.csv``: numbers separated by
    commas, the label in the last column, an optional header row.  Labels are text: 007, 7 and 7.0 in a .csv
    file are three classes.

    Raises
    ------
    ValueError
        On construction or loading: unknown option, unreadable or malformed file, labels of more than two
        classes without `classes`, missing labels, values that are not finite, constant data, or a file that
        leaves open what its first row or a column is.
    FileNotFoundError
        On loading, if there is no such file.
    """

    path: str
    classes: tuple[str, str] | None = None  # the first becomes +1; see `two_classes`
    test_fraction: float = 0.3
    standardise: str = "zscore"
    header: str = "auto"  # whether a .csv file has one: "yes", "no"; see `empirics.data.table.read_table`

    @property
    def name(self) -> str:
        """The file name without its ending."""
        return Path(self.path).stem

    def __post_init__(self) -> None:
        check_preparation(self.test_fraction, self.standardise)
        check_classes(self.classes)
        check_choice("header", self.header, HEADERS)
        ending = Path(self.path).suffix
        if ending not in {".npz", ".csv"}:
            msg = f"data file must end in .npz or .csv, got {self.path!r}"
            raise ValueError(msg)
        if ending == ".npz" and self.header != "auto":
            msg = f"header must be left out with an .npz file, which has none, got {self.header!r}"
            raise ValueError(msg)

    def load(self, seed: int) -> Dataset:
        """Read, map the classes and split with `seed`."""
        X, names = self.read()
        found = two_classes(X, np.array(names), self.classes, source=Path(self.path).name)
        made = split(*found, self.test_fraction, self.standardise, seed=seed, name=self.name)
        return replace(made, notices=(understood(*found, total=len(X)),))

    def read(self) -> tuple[Array, list[str]]:
        """Return the points, shape (N, d), and the names of their classes, as they are in the file."""
        path = Path(self.path)
        check_file("data file", path)
        if path.suffix == ".npz":
            X, y = _read_npz(path)
            X = _points(f"X in {path.name}", X)
            names = _class_names(f"y in {path.name}", y, len(X))
        else:
            table = read_table(path, header=self.header)
            if table.num_columns < 2:
                msg = f"{path.name} must have rows of at least one feature and a label"
                raise ValueError(msg)
            names, X = table.labels(), table.numbers(range(table.num_columns - 1))
        if all(map(is_number, names)):
            for label in names:
                if label.lstrip("+-").casefold() in {"inf", "infinity"}:
                    msg = f"labels in {path.name} must be finite, got {label}"
                    raise ValueError(msg)
        return X, names

    def content_hash(self) -> str:
        """Return the SHA-256 (hex) of the file, as it is on the disk."""
        path = Path(self.path)
        check_file("data file", path)
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


@contextlib.contextmanager
def _readable(rule: str) -> Iterator[None]:
    """Turn whatever parsers of zip, zlib, lzma and numpy raise on damaged files into one error.

    There is no list of it: headers are literals of Python, with all that its parser can raise.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of headers that Python 2 wrote, and reads them
            yield
    except Exception as error:
        msg = f"{rule}: {' '.join(str(error).split()) or type(error).__name__}"
        raise ValueError(msg) from error


def _read_npz(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    most = max(MAX_BYTES, path.stat().st_size)
    with _readable(f"{path.name} must be a readable .npz file"), zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if members.count("X.npy") == members.count("y.npy") == 1:
            with archive.open("X.npy") as X, archive.open("y.npy") as y:
                return _array(X, most), _array(y, most)
    found = ", ".join(name.removesuffix(".npy") for name in members) or "none"
    msg = f"{path.name} must hold arrays X and y, got {found}"
    raise ValueError(msg)


def _array(stream: IO[bytes], most: int) -> NDArray[Any]:
    """Read an array in numpy's format; memory follows what the stream holds, not what its header claims.

    Raises
    ------
    Exception
        Of many types, for `_readable`.
    """
    version = npy.read_magic(stream)
    if version not in {(1, 0), (2, 0)}:
        msg = f"its format must be version 1.0 or 2.0, got {version}"
        raise ValueError(msg)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, by_columns, dtype = read_header(stream)
    if dtype.hasobject:
        msg = "arrays must be plain numbers or text; object arrays are never unpickled"
        raise ValueError(msg)
    size = math.prod(shape) * dtype.itemsize
    if size > most:
        msg = f"an array must have at most {most} bytes, got {size} in its header {shape}"
        raise ValueError(msg)
    content = read_exactly(stream, size + 1)
    if len(content) != size:
        got = "more" if len(content) > size else f"{len(content)}: truncated"
        msg = f"an array must have the {size} bytes of its header {shape}, got {got}"
        raise ValueError(msg)
    return np.ndarray(shape, dtype, content, order="F" if by_columns else "C")


def _points(name: str, array: NDArray[Any]) -> Array:
    """Return what a file holds as points; of another type it is as wrong as with other values."""
    try:
        with np.errstate(over="ignore"):  # longer numbers than float64 become infinite, which is refused
            return as_points(name, array)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _class_names(name: str, labels: NDArray[Any], count: int) -> list[str]:
    if labels.dtype.kind not in "biufUS":
        msg = f"{name} must be numbers or text, got dtype {labels.dtype}"
        raise ValueError(msg)
    if labels.shape != (count,):
        msg = f"{name} must have shape ({count},), one label a row of X, got {labels.shape}"
        raise ValueError(msg)
    with _readable(f"{name} must be numbers or text in UTF-8"):
        names = list(map(class_name, labels.tolist()))
    missing = sum(map(is_missing, names))
    if missing:
        msg = f"{name} must have a label in each row, got none in {missing} of {count}"
        raise ValueError(msg)
    return names


def read_points(path: Path, *, header: str = "auto", label: str | None = None) -> Array:
    """Read points without labels from a .npy file or a .csv file of numbers.

    Parameters
    ----------
    path : Path
    header : {"auto", "yes", "no"}
        Whether a .csv file has a header, see `empirics.data.table.read_table`.
    label : str, optional
        Column of a .csv file to leave out, or "none", see `empirics.data.table.Table.coordinates`.

    Returns
    -------
    array, shape (n, d), float64

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it ends otherwise, cannot be read, does not hold finite points, or leaves open what its first row
        or a column is.
    """
    if path.suffix not in {".npy", ".csv"}:
        msg = f"points must be in a .npy or .csv file, got {str(path)!r}"
        raise ValueError(msg)
    check_file("file of points", path)
    if path.suffix == ".csv":
        table = read_table(path, header=header)
        return _points(f"points in {path.name}", table.numbers(table.coordinates(label)))
    if header != "auto" or label is not None:
        msg = f"header and label must be left out with a .npy file, which has none, got {path.name}"
        raise ValueError(msg)
    with _readable(f"{path.name} must be a readable .npy file of points"), path.open("rb") as stream:
        array = _array(stream, path.stat().st_size)
    return _points(f"points in {path.name}", array)
