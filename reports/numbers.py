"""The numbers behind a figure or a table, as rows: what is drawn or rounded, as it stands in the results."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import msgspec
import numpy as np
from markupsafe import Markup
from msgspec.structs import asdict as fields_of

from theory.validation import Array

Cell = str | float | None

SHOWN = 40  # rows of a figure's numbers that the page shows
# Characters that need no escape in a data URI within an attribute in double quotes.
_PLAIN = "/?:@!$()*,;="
# Text that begins so, spaces aside, is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@")
_CONTROL = ("\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A table of numbers.

    Attributes
    ----------
    columns : tuple of str
    rows : tuple of tuple
        Numbers as in the results, text, or None.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def csv(self) -> str:
        """Return the rows as CSV: numbers so that they read back as they are, empty where there is none."""
        stream = io.StringIO()
        lines = [[_cell(value) for value in line] for line in (self.columns, *self.rows)]
        # Without quotes a carriage return in a text would end its row.
        returns = any("\r" in cell for line in lines for cell in line)
        writer = csv.writer(
            stream, lineterminator="\n", quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
        )
        writer.writerows(lines)
        return stream.getvalue()

    def link(self, name: str, label: str = "CSV") -> Markup:
        """Return a link that holds the CSV itself, saved as `name`.csv."""
        content = quote(self.csv(), safe=_PLAIN)
        pattern = '<a class="csv" download="{}.csv" href="data:text/csv;charset=utf-8,{}">{}</a>'
        return Markup(pattern).format(name, content, label)

    @property
    def shown(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows that the page shows below a figure."""
        return self.rows[:SHOWN]


def _cell(value: Cell) -> str:
    """Return a cell; text that a spreadsheet would compute gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, str):
        formula = value.startswith(_CONTROL) or value.lstrip().startswith(_FORMULA)
        return f"'{value}" if formula else value
    # Of plain numbers: those of numpy would show their type.
    return repr(value.item() if isinstance(value, np.generic) else value)


def records(rows: Iterable[Any]) -> Numbers:
    """Return objects as rows; parts of parts become columns such as ``f.error.mean``, lists are left out."""
    flat = [dict(_leaves(row, "")) for row in rows]
    columns = tuple(dict.fromkeys(name for row in flat for name in row))
    return Numbers(columns=columns, rows=tuple(tuple(row.get(name) for name in columns) for row in flat))


def _leaves(value: Any, place: str) -> Iterable[tuple[str, Cell]]:  # noqa: ANN401
    for key, item in (fields_of(value) if isinstance(value, msgspec.Struct) else value).items():
        name = f"{place}.{key}" if place else str(key)
        if isinstance(item, (Mapping, msgspec.Struct)):
            yield from _leaves(item, name)
        elif not isinstance(item, (list, tuple)):
            yield name, item


def picked(record: object, *names: str) -> dict[str, Any]:
    """Return some fields of a record by name."""
    return {name: getattr(record, name) for name in names}


def rounded(values: Array) -> list[float]:
    """Return five significant digits: enough for a figure, and a smaller file."""
    return [float(f"{value:.5g}") for value in values.tolist()]


def of_columns(columns: Mapping[str, Sequence[Cell]]) -> Numbers:
    """Return columns of one length as a table."""
    return Numbers(columns=tuple(columns), rows=tuple(zip(*columns.values(), strict=True)))


def lists_of(record: msgspec.Struct) -> dict[str, list[Cell]]:
    """Return the lists of a record by name."""
    return {name: item for name, item in fields_of(record).items() if isinstance(item, list)}
