"""A .csv file of numbers: its header, its rows, and what cannot be told of them without being asked.

A file says nowhere whether its first row is a header, or which column is an index or a label.  What a name or
the values leave open is an error that says how to decide it; nothing is guessed.
"""

import csv
import io
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from empirics.data.dataset import is_number
from theory.validation import Array, check_choice

HEADERS = ("auto", "yes", "no")

# Columns that number the rows; the index that pandas writes has no name.
_INDEX_NAME = re.compile(r"(|index|id|unnamed: \d+)", re.IGNORECASE)
_COUNTER_NAME = re.compile(r"(rows?|no\.?|nr\.?|#|samples?|obs|observation)", re.IGNORECASE)
_LABEL_NAMES = frozenset({"label", "labels", "class", "classes", "target", "targets", "y"})
_MISSING = frozenset({"", "nan"})  # labels as pandas and numpy write what is not there
_MOST_LABELS = 20  # a column with more different values is hardly one of labels
_ASK = "say which by header 'yes' or 'no' (on the command line --header yes or --header no)"


@dataclass(frozen=True)
class Line:
    """A row of a .csv file, and the line that it begins at."""

    number: int  # from 1, as an editor counts: with the header and empty lines
    cells: list[str]


@dataclass(frozen=True)
class Table:
    """The rows of a .csv file, all of one length, and the names in its header if it has one."""

    source: str  # name of the file, for errors
    names: list[str] | None
    rows: list[Line]

    @property
    def num_columns(self) -> int:
        """Number of columns."""
        return len(self.rows[0].cells)

    def numbers(self, columns: Sequence[int]) -> Array:
        """Return columns as numbers; errors name the line of the file and the column.

        Raises
        ------
        ValueError
            If a cell holds no finite number, or a column is an index of the rows.
        """
        self._refuse_index(columns)
        values = np.empty((len(self.rows), len(columns)))
        for index, row in enumerate(self.rows):
            for position, column in enumerate(columns):
                text = row.cells[column]
                place = f"line {row.number}, column {column + 1}"
                if not is_number(text):
                    msg = f"{self.source} must hold numbers, got {text!r} in {place}"
                    if index == 0 and self.names is None:
                        msg += f"; if line {row.number} is a header, say so by header 'yes' (--header yes)"
                    raise ValueError(msg)
                values[index, position] = float(text)
                if not math.isfinite(values[index, position]):
                    msg = f"{self.source} must hold finite numbers, got {text.strip()!r} in {place}"
                    raise ValueError(msg)
        return values

    def labels(self) -> list[str]:
        """Return the texts of the last column.

        Raises
        ------
        ValueError
            If one is missing, or a column before the last is called the label.
        """
        texts = [row.cells[-1].strip() for row in self.rows]
        lines = [row.number for row, text in zip(self.rows, texts, strict=True) if is_missing(text)]
        if lines:
            msg = (
                f"{self.source} must have a label in each row, got none in {len(lines)} of {len(texts)}, "
                f"first in line {lines[0]}"
            )
            if len(lines) == len(texts):
                msg += "; the label is what follows the last comma"
            raise ValueError(msg)
        names = [name.casefold() for name in self.names or [""]]
        for column, name in enumerate(names[:-1], start=1):
            if _is_label(name, names) and names[-1] not in _LABEL_NAMES:
                msg = (
                    f"{self.source} must have the label in its last column, got {name!r} as column {column}: "
                    "move it to the end, or rename it if it is a feature"
                )
                raise ValueError(msg)
        return texts

    def coordinates(self, label: str | None) -> list[int]:
        """Return the columns of points, all but that of a label.

        Parameters
        ----------
        label : str, optional
            "none" if there is none; else its name in the header, or its number from 1 if there is no header.

        Raises
        ------
        ValueError
            If there is no such column, or no `label` is given and a column looks like one: by its name, or
            the last one by values that recur, −1 and 1 or whole numbers beside fractions in all others.
        """
        columns = list(range(self.num_columns))
        if label is None:
            found = self._looks_like_label()
            if found is not None:
                name = self._called(found)
                msg = (
                    f"points in {self.source} must be coordinates alone, but column {found + 1} looks like a "
                    f"label: say label {name!r} to leave it out, or 'none' if it is a coordinate "
                    f"(on the command line --label {name} or --label none)"
                )
                raise ValueError(msg)
        elif label != "none":
            matching = [column for column in columns if self._called(column) == label]
            if len(matching) != 1:
                known = ", ".join(map(self._called, columns[:10])) + (", ..." if len(columns) > 10 else "")
                msg = f"label must be 'none' or one column of {self.source} ({known}), got {label!r}"
                raise ValueError(msg)
            columns.remove(matching[0])
        return columns

    def _called(self, column: int) -> str:
        return str(column + 1) if self.names is None else self.names[column]

    def _looks_like_label(self) -> int | None:
        names = [name.casefold() for name in self.names or ()]
        for column, name in enumerate(names):
            if _is_label(name, names):
                return column
        values = np.array([[_float(cell) for cell in row.cells] for row in self.rows])
        last, others = values[:, -1], values[:, :-1]
        distinct = set(last.tolist())
        if not others.size or not np.isfinite(values).all() or not 2 <= len(distinct) <= _MOST_LABELS:
            return None
        # Whole numbers that recur, beside fractions in all other columns or beside one with more values.
        apart = (others % 1 != 0).any(axis=0).all() or max(map(len, map(set, others.T))) > len(distinct)
        whole = (last % 1 == 0).all() and len(distinct) < len(last) and apart
        return len(self.rows[0].cells) - 1 if whole or distinct == {-1.0, 1.0} else None

    def _refuse_index(self, columns: Sequence[int]) -> None:
        """Refuse a column that numbers the rows: without a header, the first one by its values."""
        for column in columns:
            name = None if self.names is None else self.names[column]
            if name is not None and (
                _INDEX_NAME.fullmatch(name) or (_COUNTER_NAME.fullmatch(name) and self._counts_rows(column))
            ):
                called = f"is called {name!r}" if name else "has no name"
                msg = (
                    f"{self.source} must not hold an index of the rows, but column {column + 1} {called}, "
                    "as an index: remove the column, or give it another name if it is a feature"
                )
                raise ValueError(msg)
        if self.names is None and len(columns) > 1 and columns[0] == 0 and self._counts_rows(0):
            msg = (
                f"{self.source} must not hold an index of the rows, but column 1 counts them: remove it, or "
                "name it in a header if it is a feature"
            )
            raise ValueError(msg)

    def _counts_rows(self, column: int) -> bool:
        """Return whether a column goes up by 1 from row to row, three rows or more."""
        values = [_float(row.cells[column]) for row in self.rows]
        return len(values) > 2 and values == [values[0] + i for i in range(len(values))]


def _is_label(name: str, names: Sequence[str]) -> bool:
    """Return whether a column is called a label; beside an x, y is a coordinate."""
    return name in _LABEL_NAMES and not (name == "y" and "x" in names)


def is_missing(label: str) -> bool:
    """Return whether a label stands for one that is not there."""
    return label.casefold() in _MISSING


def read_table(path: Path, *, header: str = "auto") -> Table:
    """Read a .csv file: commas between the columns, points in the numbers, UTF-8.

    Parameters
    ----------
    path : Path
    header : {"auto", "yes", "no"}
        Whether the first row is a header.  "auto": a row without any number is one.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        If the file cannot be read or has rows of different lengths, or `header` is "auto" and the first row
        may be either: it counts 0, 1, 2, … (from another number: three columns or more), or has no number
        and no letter, or a name twice, or one that is a label of another row.
    """
    check_choice("header", header, HEADERS)
    rows, begins = [], 1
    try:
        text = path.read_bytes().decode("utf-8-sig")
        if "\0" in text:
            msg = "it holds a NUL character"
            raise ValueError(msg)
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        for cells in reader:
            if cells:
                rows.append(Line(begins, cells))
            begins = reader.line_num + 1
    except (OSError, ValueError, csv.Error) as error:
        msg = f"{path.name} must be a readable text file of comma-separated values in UTF-8: {error}"
        raise ValueError(msg) from error
    for row in rows:
        if len(row.cells) != len(rows[0].cells):
            got = f"got {len(row.cells)} in line {row.number}"
            msg = f"{path.name} must have {len(rows[0].cells)} columns in each row, {got}"
            raise ValueError(msg)
    names = None
    if rows and _is_header(path.name, rows, header):
        names = [cell.strip() for cell in rows.pop(0).cells]
    if not rows:
        msg = f"{path.name} must have rows of numbers, got none"
        raise ValueError(msg)
    return Table(path.name, names, rows)


def _is_header(source: str, rows: list[Line], header: str) -> bool:
    if header != "auto":
        return header == "yes"
    cells = [cell.strip() for cell in rows[0].cells]
    named = not any(map(is_number, cells))
    new = not is_number(cells[-1]) and cells[-1] not in {row.cells[-1].strip() for row in rows[1:]}
    if named:
        words = [cell for cell in cells if cell]
        sure = any(map(str.isalpha, "".join(words))) and len(set(words)) == len(words)
        sure = sure and (new or not cells[-1])
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


def _float(text: str) -> float:
    return float(text) if is_number(text) else math.nan
