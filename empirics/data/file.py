"""The user's own data in a file: a table with a column of labels, or arrays X and y."""

import hashlib
import math
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from empirics.data.dataset import (
    Dataset,
    Rows,
    check_classes,
    check_preparation,
    class_name,
    is_number,
    own_dataset,
)
from empirics.data.idx import MAX_BYTES, check_file, read_exactly
from empirics.data.table import DECIMALS, HEADERS, TABLES, TEXTS, Table, is_missing, read_table, readable
from theory.validation import Array, as_points, check_choice

ENDINGS = (*TABLES, ".npy", ".npz")
FORMATS = "a file (.csv, .tsv, .json, .npy, .npz; with the extra files .parquet, .feather, .xlsx)"
# Which options apply to which endings, and how they are left out.
_OPTIONS: dict[str, tuple[tuple[str, ...], Any]] = {
    "header": ((*TEXTS, ".xlsx"), "auto"),
    "decimal": (TABLES, "auto"),
    "label": ((*TABLES, ".npy"), ""),
    "index": ((*TABLES, ".npy"), ""),
    "drop_missing": (TABLES, False),
}
OPTIONS = tuple(_OPTIONS)
# Arrays of an .npz file by name, with those of test points.
_NAMES = (("X", "y", "X_test", "y_test"), ("x_train", "y_train", "x_test", "y_test"))


@dataclass(frozen=True, kw_only=True)
class FileData:
    """Data read from a file.

    A table (``.csv``, ``.tsv``, ``.json``, ``.parquet``, ``.feather``, ``.xlsx``, see
    `empirics.data.table.read_table`), or a ``.npy`` array, of numbers with a column of labels.  ``.npz``:
    arrays ``X`` (N, d) and ``y`` (N,), or ``x_train`` and ``y_train``, and test points ``X_test`` and
    ``y_test`` (``x_test``) if they are there.  Nothing is unpickled.  Labels 7 and 7.0 are one class, 007 is
    another, see `empirics.data.dataset.class_name`.

    Raises
    ------
    ValueError
        On construction or loading: unknown option, unreadable or malformed file, labels of more than two
        classes without `classes`, missing values, values that are not finite, constant data, or a file that
        leaves open what its first row, a column or a number is.
    FileNotFoundError
        On loading, if there is no such file.
    """

    path: str
    classes: tuple[str, str] | None = None  # the first becomes +1; see `two_classes`
    test_fraction: float = 0.3
    standardise: str = "auto"  # see `preparation_for`
    header: str = "auto"  # whether there is one: "yes", "no"
    label: str = ""  # name of the column or its number from 1; the last if empty
    index: str = ""  # column that numbers or names the rows, no feature
    drop_missing: bool = False  # leave out rows that lack a value
    decimal: str = "auto"  # of numbers in text: "point", "comma"

    @property
    def name(self) -> str:
        """The file name without its ending."""
        return Path(self.path).stem

    def __post_init__(self) -> None:
        check_preparation(self.test_fraction, self.standardise, auto=True)
        check_classes(self.classes)
        check_choice("header", self.header, HEADERS)
        check_choice("decimal", self.decimal, DECIMALS)
        ending = Path(self.path).suffix
        if ending not in ENDINGS:
            msg = f"data file must end in {', '.join(ENDINGS)}, got {self.path!r}"
            raise ValueError(msg)
        for option, (endings, absent) in _OPTIONS.items():
            value = getattr(self, option)
            if ending not in endings and value != absent:
                msg = f"{option} must be left out with a {ending} file, which has none, got {value!r}"
                raise ValueError(msg)

    def load(self, seed: int) -> Dataset:
        """Read, map the classes and split with `seed`."""
        return own_dataset(
            self.read(),
            name=self.name,
            source=Path(self.path).name,
            classes=self.classes,
            test_fraction=self.test_fraction,
            standardise=self.standardise,
            seed=seed,
        )

    def read(self) -> Rows:
        """Return the points and the names of their classes, as they are in the file."""
        path = Path(self.path)
        check_file("data file", path)
        if path.suffix == ".npz":
            rows = _read_npz(path)
        else:
            table = _table(path, header=self.header, decimal=self.decimal)
            label = table.label_column(self.label)
            used = table.features(label, self.index)
            if self.drop_missing:
                table = table.complete(used, label)
            called = f"label {table.names[label]!r}" if table.names else "label"
            labels = table.labels(label)
            numbers, notes = table.numbers(used), (*table.notes, *table.marks(used))
            rows = Rows(numbers, labels, label=called, notes=notes)
        if all(map(is_number, rows.labels)):
            for one in rows.labels:
                if one.lstrip("+-").casefold() in {"inf", "infinity"}:
                    msg = f"labels in {path.name} must be finite, got {one}"
                    raise ValueError(msg)
        return rows

    def content_hash(self) -> str:
        """Return the SHA-256 (hex) of the file, as it is on the disk."""
        path = Path(self.path)
        check_file("data file", path)
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


def options_of(path: str) -> set[str]:
    """Return the options that apply to a file of this ending and not to all."""
    return {option for option, (endings, _) in _OPTIONS.items() if path.endswith(endings)}


def _table(path: Path, *, header: str, decimal: str) -> Table:
    if path.suffix != ".npy":
        return read_table(path, header=header, decimal=decimal)
    with readable(f"{path.name} must be a readable .npy file of points"), path.open("rb") as stream:
        array = _array(stream, path.stat().st_size)
    X = _points(f"points in {path.name}", array)
    return Table(path.name, None, list(range(1, len(X) + 1)), X)


def _read_npz(path: Path) -> Rows:
    most = max(MAX_BYTES, path.stat().st_size)
    with readable(f"{path.name} must be a readable .npz file"), zipfile.ZipFile(path) as archive:
        members = [name.removesuffix(".npy") for name in archive.namelist()]
        sets = [names for names in _NAMES if set(names[:2]) <= set(members)]
        if len(sets) == 1 and len(set(members)) == len(members):
            arrays = {}
            for name in sets[0]:
                if name in members:
                    with archive.open(f"{name}.npy") as stream:
                        arrays[name] = _array(stream, most)
    if len(sets) != 1 or len(set(members)) < len(members):
        found = ", ".join(members) or "none"
        msg = f"{path.name} must hold arrays X and y, or x_train and y_train, got {found}"
        raise ValueError(msg)
    return rows_of_arrays(arrays, sets[0], where=f" in {path.name}")


def rows_of_arrays(arrays: dict[str, NDArray[Any]], names: tuple[str, ...], *, where: str = "") -> Rows:
    """Return points and labels from arrays: training and, if they are there, test ones, by their names.

    Raises
    ------
    ValueError
        If they are no points and labels, or one array of test points is there without the other.
    """
    X, y, X_test, y_test = names
    points = _points(f"{X}{where}", arrays[X])
    labels = _labels(f"{y}{where}", arrays[y], len(points))
    given = [name for name in (X_test, y_test) if name in arrays]
    if not given:
        return Rows(points, labels)
    if len(given) == 1:
        msg = f"{X_test} and {y_test} must come together, got {given[0]}{where}"
        raise ValueError(msg)
    Z = _points(f"{X_test}{where}", arrays[X_test])
    if Z.shape[1] != points.shape[1]:
        msg = f"{X_test}{where} must have {points.shape[1]} columns, as {X} has, got {Z.shape[1]}"
        raise ValueError(msg)
    note = f"{len(Z)} test points from {X_test} and {y_test}"
    return Rows(points, labels, Z, _labels(f"{y_test}{where}", arrays[y_test], len(Z)), notes=(note,))


def _array(stream: IO[bytes], most: int) -> NDArray[Any]:
    """Read an array in numpy's format; memory follows what the stream holds, not what its header claims.

    Raises
    ------
    Exception
        Of many types, for `readable`.
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
            exact = array.astype(np.float64) if array.dtype == np.float16 else array
            return as_points(name, exact)
    except TypeError as error:
        raise ValueError(str(error)) from error


def _labels(name: str, labels: NDArray[Any], count: int) -> list[str]:
    if labels.dtype.kind not in "biufUS":
        msg = f"{name} must be numbers or text, got dtype {labels.dtype}"
        raise ValueError(msg)
    if labels.shape != (count,):
        msg = f"{name} must have shape ({count},), one label a row of X, got {labels.shape}"
        raise ValueError(msg)
    with readable(f"{name} must be numbers or text in UTF-8"):
        names = [label if isinstance(label, str) else class_name(label) for label in labels.tolist()]
    missing = sum(map(is_missing, names))
    if missing:
        msg = f"{name} must have a label in each row, got none in {missing} of {count}"
        raise ValueError(msg)
    return names


def read_points(path: Path, *, label: str | None = None, **options: Any) -> Array:  # noqa: ANN401
    """Read points without labels from a .npy file or a table of numbers.

    Parameters
    ----------
    path : Path
    label : str, optional
        Column to leave out, or "none", see `empirics.data.table.Table.point_label`.
    **options
        ``header``, ``decimal``, ``index`` and ``drop_missing`` as for `FileData`.

    Returns
    -------
    array, shape (n, d), float64

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it ends otherwise, cannot be read, does not hold finite points, or leaves open what its first row,
        a column or a number is.
    """
    if path.suffix not in {".npy", *TABLES}:
        msg = f"points must be in a file that ends in .npy, {', '.join(TABLES)}, got {str(path)!r}"
        raise ValueError(msg)
    asked = FileData(path=str(path), **options)
    check_file("file of points", path)
    table = _table(path, header=asked.header, decimal=asked.decimal)
    used = table.features(table.point_label(label), asked.index)
    table = table.complete(used, None) if asked.drop_missing else table
    return _points(f"points in {path.name}", table.numbers(used))
