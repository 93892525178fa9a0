"""A table in a file: its columns, its rows, and what cannot be told of them without being asked.

A text file says nowhere whether its first row is a header, which column is an index or a label, or whether
1,234 is a thousand or a decimal comma.  What a name or the values leave open is an error that says how to
decide it; nothing is guessed.  Text is split by `csv`, as pandas fills short rows up and mends quotes
without a word; pandas reads the other formats.
"""

import codecs
import contextlib
import csv
import io
import json
import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import compress
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from empirics.data.dataset import class_name, is_number, many
from theory.validation import Array, check_choice

HEADERS = ("auto", "yes", "no")
DECIMALS = ("auto", "point", "comma")
TEXTS = (".csv", ".tsv")
TABLES = (*TEXTS, ".json", ".parquet", ".feather", ".xlsx")  # the last three need the extra `files`

# Columns that number the rows; the index that pandas writes has no name.
_INDEX_NAME = re.compile(r"(|index|id|unnamed: \d+)", re.IGNORECASE)
_COUNTER_NAME = re.compile(r"(rows?|no\.?|nr\.?|#|samples?|obs|observation)", re.IGNORECASE)
_ID_NAME = re.compile(r".*[\W_][iI][dD]|.*[a-z]I[dD]|.*[A-Z]ID")  # patient_id, PassengerId; no acid
_LABEL_NAMES = frozenset({"label", "labels", "class", "classes", "target", "targets", "y"})
_NO_LABEL = frozenset({"", "nan"})  # as pandas and numpy write what is not there; NA may be a name
_NO_NUMBER = _NO_LABEL | {"na", "n/a", "null", "none", "?"}
_MOST_LABELS = 20  # a column with more different values is hardly one of labels
_ASK = "say which by header 'yes' or 'no' (on the command line --header yes or --header no)"
_SWAPPED = str.maketrans(",.", ".,")
_GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f\ufffd]")


@dataclass(frozen=True)
class Table:
    """The cells of a file, rows of one length, and the names of its columns if it has them."""

    source: str  # name of the file, for errors
    names: list[str] | None
    places: list[int]  # of the rows: lines of a text file, as an editor counts them; else rows from 1
    cells: NDArray[Any]  # numbers alone, or objects: text; of files with types what they hold, and None
    separator: str = ""  # of a text file
    decimal: str = "auto"
    notes: tuple[str, ...] = ()  # what was understood that is not plain

    def column(self, asked: str, option: str, *, also: str = "") -> int:
        """Return the column of this name, or of this number from 1 where no name is a number.

        Raises
        ------
        ValueError
            If it is not one column; the error names `option`.
        """
        numbers = list(map(str, range(1, self.cells.shape[1] + 1)))
        names = numbers if self.names is None else self.names
        if asked not in names and asked in numbers and not any(map(str.isdigit, names)):
            return numbers.index(asked)
        if names.count(asked) != 1:
            known = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
            msg = f"{option} must be {also}one column of {self.source} ({known}), got {asked!r}"
            raise ValueError(msg)
        return names.index(asked)

    def features(self, label: int | None, index: str | None) -> list[int]:
        """Return all columns but that of the label and that of the index, if there are any.

        Raises
        ------
        ValueError
            If there is no such column, none is left, or both are one.
        """
        others = [] if label is None else [label]
        others += [self.column(index, "index")] if index else []
        used = [column for column in range(self.cells.shape[1]) if column not in others]
        if not used or len(set(others)) < len(others):
            self._refuse("have a feature beside its label and its index, which differ")
        return used

    def complete(self, columns: Sequence[int], label: int | None) -> "Table":
        """Leave out the rows that lack a label or a number, and say how many."""
        whole = [
            not (
                any(map(is_missing, row[list(columns)]))
                or (label is not None and is_missing(row[label], _NO_LABEL))
            )
            for row in self.cells
        ]
        if all(whole):
            return self
        lacking = whole.count(False)
        have = "has" if lacking == 1 else "have"
        note = f"{lacking} of {many(len(whole), 'row')} left out, which {have} missing values"
        places = list(compress(self.places, whole))
        return replace(self, cells=self.cells[whole], places=places, notes=(*self.notes, note))

    def numbers(self, columns: Sequence[int]) -> Array:
        """Return columns as numbers; errors name the place and the column.

        Raises
        ------
        ValueError
            If a cell holds no finite number, may be one of two, or a column is an index of the rows.
        """
        self._refuse_index(columns)
        cells = self.cells[:, list(columns)]
        values = _values(cells, comma=self._decimal_comma(cells))
        if not np.isfinite(values).all():
            self._refuse_cells(cells, values, columns)
        return values

    def marks(self, columns: Sequence[int]) -> tuple[str, ...]:
        """Return in words that the numbers of these columns have decimal commas, if they have."""
        cells = self.cells[:, list(columns)]
        commas = self._decimal_comma(cells) and any("," in str(cell) for cell in cells.flat)
        return ("the comma is the decimal mark",) * commas

    def _refuse_cells(self, cells: NDArray[Any], values: Array, columns: Sequence[int]) -> NoReturn:
        missing = _map(is_missing, cells, bool)
        wrong = ~np.isfinite(values) & ~missing
        row, position = np.argwhere(wrong if wrong.any() else missing)[0]
        place = f"{self._place(row)}, column {columns[position] + 1}"
        if not wrong.any():
            self._refuse(
                f"have no missing values, got them in {missing.any(axis=1).sum()} of "
                f"{many(len(cells), 'row')} and {missing.any(axis=0).sum()} of "
                f"{many(len(columns), 'column')}, first in {place}: "
                "fill them in, or leave these rows out by drop_missing (--drop-missing)"
            )
        texts = cells[wrong[:, position], position]
        shown = [repr(cell.strip() if isinstance(cell, str) else cell) for cell in texts]
        if math.isinf(values[row, position]):
            self._refuse(f"hold finite numbers, got {shown[0]} in {place}")
        header = f"; if {self._place(row)} is a header, say so by header 'yes' (--header yes)"
        others, name = list(dict.fromkeys(shown)), self._called(columns[position])
        self._refuse(
            f"hold numbers, got {shown[0]} in {place}{header if row == 0 and self.names is None else ''}; "
            f"column {name!r} has {', '.join(others[:3])}{', ...' if len(others) > 3 else ''} in "
            f"{len(shown)} of {many(len(cells), 'row')}: say label {name!r} (--label) if it is the label, "
            f"index {name!r} (--index) if it names the rows, else write numbers, and '?' where one is missing"
        )

    def label_column(self, asked: str | None) -> int:
        """Return the column of the label, the last one if none is asked for.

        Raises
        ------
        ValueError
            If there is no such column, or no other, or a column before the last is called the label.
        """
        last = int(self.cells.shape[1]) - 1
        if last < 1:
            marks = ", separated by commas, semicolons or tabs" if self.separator else ""
            self._refuse(f"have rows of at least one feature and a label{marks}")
        if asked:
            return self.column(asked, "label")
        names = [name.casefold() for name in self.names or [""]]
        for column, name in enumerate(names[:-1]):
            if _is_label(name, names) and names[-1] not in _LABEL_NAMES:
                either = f"{self._called(column)!r} or {self._called(last)!r} (--label)"
                got = f"got {name!r} as column {column + 1}: say label {either}"
                self._refuse(f"have the label in its last column, {got}")
        return last

    def labels(self, column: int) -> list[str]:
        """Return the names of classes in a column, text as it is written.

        Raises
        ------
        ValueError
            If one is missing or no text or number.
        """
        cells = self.cells[:, column].tolist()
        lacking = [row for row, cell in enumerate(cells) if is_missing(cell, _NO_LABEL)]
        if lacking:
            all_ = "the label is in the last column unless label (--label) says which"
            some = "leave these rows out by drop_missing (--drop-missing)"
            got = f"got none in {len(lacking)} of {len(cells)}, first in {self._place(lacking[0])}"
            how = all_ if len(lacking) == len(cells) else some
            self._refuse(f"have a label in each row, {got}; {how}")
        for row, cell in enumerate(cells):
            if not isinstance(cell, (str, bytes, bool, int, float)):
                self._refuse(f"have numbers or text as labels, got {cell!r} in {self._place(row)}")
        return list(map(_text, cells))

    def point_label(self, label: str | None) -> int | None:
        """Return the column of points that is a label, if there is one.

        Parameters
        ----------
        label : str, optional
            "none" if there is none; else as in `column`.

        Raises
        ------
        ValueError
            If there is no such column, or no `label` is given and a column looks like one: by its name, or
            the last one by values that recur, −1 and 1 or whole numbers beside fractions in all others.
        """
        if label is not None:
            return None if label == "none" else self.column(label, "label", also="'none' or ")
        found = self._looks_like_label()
        if found is not None:
            name = self._called(found)
            self._refuse(
                f"hold coordinates alone, but column {found + 1} looks like a label: say label {name!r} to "
                f"leave it out, or 'none' if it is a coordinate (on the command line --label {name} or "
                "--label none)"
            )
        return None

    def _refuse(self, what: str) -> NoReturn:
        msg = f"{self.source} must {what}"
        raise ValueError(msg)

    def _called(self, column: int) -> str:
        return (self.names and self.names[column]) or str(column + 1)

    def _place(self, row: int) -> str:
        return f"{'line' if self.separator else 'row'} {self.places[row]}"

    def _decimal_comma(self, cells: NDArray[Any]) -> bool:
        """Return whether numbers have decimal commas: a number that can be read in one way alone decides."""
        if self.decimal != "auto" or cells.dtype != object:
            return self.decimal == "comma"
        open_at = None
        for (row, _), cell in np.ndenumerate(cells):
            if isinstance(cell, str) and ("," in cell or "." in cell):
                point, comma = _number(cell, comma=False), _number(cell, comma=True)
                if math.isnan(point) != math.isnan(comma):
                    return math.isnan(point)
                # Where commas separate the columns, one that is no separator is quoted.
                if point != comma and not math.isnan(point) and ("," in cell or self.separator != ","):
                    open_at = open_at or (row, cell.strip())
        if open_at is not None:
            msg = (
                f"{open_at[1]!r} in {self._place(open_at[0])} of {self.source} may have a decimal "
                f"{'comma' if ',' in open_at[1] else 'point'} or thousands: say decimal 'comma' or 'point' "
                "(on the command line --decimal)"
            )
            raise ValueError(msg)
        return False

    def _looks_like_label(self) -> int | None:
        names = [name.casefold() for name in self.names or ()]
        for column, name in enumerate(names):
            if _is_label(name, names):
                return column
        values = _values(self.cells)
        last, others = values[:, -1], values[:, :-1]
        distinct = set(last.tolist())
        if not others.size or not np.isfinite(values).all() or not 2 <= len(distinct) <= _MOST_LABELS:
            return None
        # Whole numbers that recur, beside fractions in all other columns or beside one with more values.
        apart = (others % 1 != 0).any(axis=0).all() or max(map(len, map(set, others.T))) > len(distinct)
        whole = (last % 1 == 0).all() and len(distinct) < len(last) and apart
        return self.cells.shape[1] - 1 if whole or distinct == {-1.0, 1.0} else None

    def _refuse_index(self, columns: Sequence[int]) -> None:
        """Refuse a column that numbers the rows: without a header, the first one by its values."""
        for column in columns:
            said = ""
            if self.names is not None:
                name = self.names[column]
                if (
                    _INDEX_NAME.fullmatch(name)
                    or (_COUNTER_NAME.fullmatch(name) and self._counts_rows(column))
                    or (_ID_NAME.fullmatch(name) and self._tells_rows_apart(column))
                ):
                    said = f"{f'is called {name!r}' if name else 'has no name'}, as an index"
            elif len(columns) > 1 and column == 0 and self._counts_rows(0):
                said = "counts them"
            if said:
                self._refuse(
                    f"not hold an index of the rows, but column {column + 1} {said}: remove the column, "
                    f"say index {self._called(column)!r} (--index), or name it otherwise in a header if it "
                    "is a feature"
                )

    def _tells_rows_apart(self, column: int) -> bool:
        """Return whether a column has whole numbers, another one in each row, three rows or more."""
        values = _values(self.cells[:, [column]])[:, 0]
        return len(values) > 2 and bool((values % 1 == 0).all()) and len(np.unique(values)) == len(values)

    def _counts_rows(self, column: int) -> bool:
        """Return whether a column goes up by 1 from row to row, three rows or more."""
        values = _values(self.cells[:, [column]])[:, 0]
        return len(values) > 2 and bool((values == values[0] + np.arange(len(values))).all())


def _map(function: Callable[..., Any], cells: NDArray[Any], kind: type) -> NDArray[Any]:
    return np.array([[function(cell) for cell in row] for row in cells], dtype=kind).reshape(cells.shape)


def _values(cells: NDArray[Any], *, comma: bool = False) -> Array:
    """Return the numbers in cells; NaN where there is none."""
    return _map(partial(_number, comma=comma), cells, float) if cells.dtype == object else cells


def _number(cell: object, comma: bool) -> float:
    """Return the number in a cell, read with decimal points or commas; NaN if there is none."""
    if isinstance(cell, str):
        text = cell.strip()
        text = text.translate(_SWAPPED) if comma else text
        if _GROUPED.fullmatch(text):
            text = text.replace(",", "")
        return float(text) if is_number(text) else math.nan
    if isinstance(cell, (int, float, np.integer, np.floating)) and not isinstance(cell, bool):
        with contextlib.suppress(OverflowError):
            return float(cell)
        return math.inf
    return math.nan


def _is_label(name: str, names: Sequence[str]) -> bool:
    """Return whether a column is called a label; beside an x, y is a coordinate."""
    return name in _LABEL_NAMES and not (name == "y" and "x" in names)


def _text(cell: object) -> str:
    return cell.strip() if isinstance(cell, str) else "" if cell is None else class_name(cell)


def is_missing(cell: object, words: frozenset[str] = _NO_NUMBER) -> bool:
    """Return whether a cell stands for a value that is not there."""
    if isinstance(cell, str):
        return cell.strip().casefold() in words
    return cell is None or (isinstance(cell, float) and math.isnan(cell))


# Reading --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def readable(rule: str) -> Iterator[None]:
    """Turn whatever parsers raise on damaged files into one error.

    There is no list of it: headers of arrays are literals of Python, with all that its parser can raise.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # numpy warns of headers that Python 2 wrote, and reads them
            yield
    except ImportError as error:
        msg = f"{rule}, which needs the extra files: pip install '.[files]' in the source folder"
        raise ValueError(msg) from error
    except Exception as error:
        msg = f"{rule}: {' '.join(str(error).split()) or type(error).__name__}"
        raise ValueError(msg) from error


def read_table(path: Path, *, header: str = "auto", decimal: str = "auto") -> Table:
    """Read a table.

    Parameters
    ----------
    path : Path
        A .csv file with commas, semicolons or tabs between its columns, or a .tsv file, in UTF-8, UTF-16 or
        latin-1 (as Windows has it); a .json file of records or columns; a .parquet, .feather or .xlsx file.
    header : {"auto", "yes", "no"}
        Whether the first row of a .csv, .tsv or .xlsx file is a header.  "auto": a row without any number is.
    decimal : {"auto", "point", "comma"}
        In numbers that are text.  "auto": what one of them shows.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If the file cannot be read or has rows of different lengths, or `header` is "auto" and the first row
        has a name twice or may be either: it counts 0, 1, 2, … (from another number: three columns or more),
        or has no number and no letter, or one that is a label of another row.
    """
    check_choice("header", header, HEADERS)
    check_choice("decimal", decimal, DECIMALS)
    separator, names = "", None
    if path.suffix in TEXTS:
        with readable(f"{path.name} must be a readable text file of separated values"):
            text, notes = _decoded(path.read_bytes())
        separator, rows = _separated(text, path)
        notes += ("semicolons separate the columns",) * (separator == ";")
        places, cells = [place for place, _ in rows], np.array([row for _, row in rows], dtype=object)
    else:
        with readable(f"{path.name} must be a readable {path.suffix} file of a table"):
            names, cells, notes = _typed(path)
        kept = [path.suffix != ".xlsx" or any(map(_text, row)) for row in cells]
        places, cells = list(compress(range(1, len(cells) + 1), kept)), cells[kept]
    if path.suffix in {*TEXTS, ".xlsx"} and cells.size:
        first = list(map(_text, cells[0]))
        if _is_header(path.name, first, set(map(_text, cells[1:, -1])), header):
            names, places, cells = first, places[1:], cells[1:]
    if not cells.size:
        msg = f"{path.name} must have rows of numbers, got none"
        raise ValueError(msg)
    return Table(path.name, names, places, cells, separator, decimal, notes)


def _decoded(content: bytes) -> tuple[str, tuple[str, ...]]:
    """Return the text of a file, and in what it was understood to be encoded if not in UTF-8."""
    notes: tuple[str, ...] = ()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text, notes = content.decode("utf-16"), ("read as UTF-16",)
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text, notes = content.decode("cp1252", errors="replace"), ("read as latin-1",)
    if "\0" in text:
        msg = "it holds a NUL character"
        raise ValueError(msg)
    if "read as latin-1" in notes and _CONTROL.search(text):
        msg = "it holds control characters"
        raise ValueError(msg)
    return text, notes


_Rows = list[tuple[int, list[str]]]


def _separated(text: str, path: Path) -> tuple[str, _Rows]:
    """Return what separates the columns of a text, and its rows: all of one length, each with its line."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    possible = ["\t"] if path.suffix == ".tsv" else [mark for mark in ",;\t" if mark in first] or [","]
    found, errors = {}, []
    for mark in possible:
        try:
            found[mark] = _split(text, mark, path.name)
        except ValueError as error:
            errors.append(error)
    if not found:
        raise errors[0]
    if len(found) == 1:
        return next(iter(found.items()))
    left = {mark: _left_over(rows, possible) for mark, rows in found.items()}
    best = [mark for mark in found if left[mark] == min(left.values())]
    if len(best) > 1:
        fitting = " and ".join(map(repr, best))
        msg = f"{path.name} must have one mark between its columns, got rows that fit {fitting}"
        raise ValueError(msg)
    return best[0], found[best[0]]


def _split(text: str, mark: str, source: str) -> _Rows:
    rows: _Rows = []
    begins = 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    with readable(f"{source} must be a readable text file of separated values"):
        for cells in reader:
            if cells:
                rows.append((begins, cells))
            begins = reader.line_num + 1
    for line, cells in rows:
        if len(cells) != len(rows[0][1]):
            got = f"got {len(cells)} in line {line}"
            msg = f"{source} must have {many(len(rows[0][1]), 'column')} in each row, {got}"
            raise ValueError(msg)
    return rows


def _left_over(rows: _Rows, marks: Sequence[str]) -> tuple[int, int]:
    """Count the cells that are no numbers: those that another mark would split, and all."""
    other = [cell.strip() for _, cells in rows for cell in cells if not _numberish(cell)]
    return sum(any(mark in cell for mark in marks) for cell in other), len(other)


def _numberish(text: str) -> bool:
    return not all(math.isnan(_number(text, comma)) for comma in (False, True))


def _typed(path: Path) -> tuple[list[str] | None, NDArray[np.object_], tuple[str, ...]]:
    """Return names of columns, cells and notes of a file that pandas reads; a missing value is None."""
    import pandas as pd  # noqa: PLC0415  (a second to import)

    if path.suffix == ".json":
        frame = pd.DataFrame(json.loads(path.read_bytes(), object_pairs_hook=_unique), dtype=object)
    elif path.suffix == ".xlsx":
        with pd.ExcelFile(path, engine="openpyxl") as book:
            if len(book.sheet_names) != 1:
                msg = f"it must have one sheet, got {len(book.sheet_names)}"
                raise ValueError(msg)
            frame = book.parse(header=None, dtype=object, keep_default_na=False)
    else:
        frame = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_feather(path)
    names = None if isinstance(frame.columns, pd.RangeIndex) else list(map(str, frame.columns))
    frame = frame.astype(object)
    known = [str(name) for name in frame.index.names if name is not None]
    notes = (f"index {', '.join(map(repr, known))} left out",) if known else ()
    return names, frame.where(frame.notna(), None).to_numpy(), notes


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) < len(pairs):
        msg = "an object must not have a name twice"
        raise ValueError(msg)
    return dict(pairs)


def _is_header(source: str, cells: list[str], labels: set[str], header: str) -> bool:
    """Return whether a first row is a header, with what the last column holds below it."""
    if header != "auto":
        return header == "yes"
    named = not any(map(_numberish, cells))
    new = not is_number(cells[-1]) and cells[-1] not in labels
    if named:
        words = [cell for cell in cells if cell]
        sure = any(map(str.isalpha, "".join(words))) and (new or not cells[-1])
        twice = [word for word in words if words.count(word) > 1]
        if sure and twice and not is_missing(twice[0]):
            msg = (
                f"the header of {source} must have different names, got {twice[0]!r} twice: rename one, or "
                "say header 'no' (--header no) if the first row is data"
            )
            raise ValueError(msg)
        sure = sure and not twice
    else:
        sure = not _counts(cells[:-1] if new else cells)
    if not sure:
        shown = ",".join(cells[:6]) + (",..." if len(cells) > 6 else "")
        msg = f"the first row of {source}, {shown!r}, may be a header or data: {_ASK}"
        raise ValueError(msg)
    return named


def _counts(cells: list[str]) -> bool:
    """Return whether cells count on from 0, as pandas names columns, or at least three from any number."""
    if not cells or not re.fullmatch(r"[0-9]{1,9}", cells[0]) or (cells[0] != "0" and len(cells) < 3):
        return False
    return cells == [str(int(cells[0]) + i) for i in range(len(cells))]
