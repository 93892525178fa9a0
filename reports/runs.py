"""Runs of a sweep as rows, points and panels, of which its claims, its page and its numbers are made."""

import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Generic, Literal, Self, TypeVar

import msgspec

from empirics.sweep.disk import write_together
from empirics.sweep.plain import to_json
from empirics.sweep.store import DamagedError
from reports.page import Page
from reports.statistics import Spread
from reports.text import legible

PAGE, NUMBERS = "report.html", "report.json"


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """A line of ``results.jsonl``."""

    hash: str
    status: Literal["done", "failed"]
    numbers: dict[str, float]  # by column, those that are known and finite

    @classmethod
    def read(cls, line: Mapping[str, object]) -> Self:
        """Return the row of a line; `msgspec.ValidationError` if it is none."""
        numbers = {
            name: value
            for name, value in line.items()
            if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        }
        return msgspec.convert({**line, "numbers": numbers}, cls)


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """How many runs there are, and what became of them."""

    configurations: int
    done: int
    failed: int
    missing: int

    @classmethod
    def of(cls, rows: Iterable[Row | None]) -> Self:
        """Count rows, None for a run without a record."""
        states = Counter("missing" if row is None else row.status for row in rows)
        counts = {state: states[state] for state in ("done", "failed", "missing")}
        return cls(configurations=states.total(), **counts)


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One value of what is varied: its runs, and spreads over seeds by name."""

    x: float
    totals: Totals
    metrics: dict[str, Spread]


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What the results were made by, and on."""

    versions: tuple[dict[str, object], ...] = ()
    device: str = "cpu"


R = TypeVar("R", bound=Row)
P = TypeVar("P", bound=Point)
N = TypeVar("N", bound=msgspec.Struct)


class Panel(msgspec.Struct, Generic[P], frozen=True, kw_only=True):
    """Points over one axis."""

    sweep: str
    x_label: str
    points: tuple[P, ...]
    ticks: tuple[str, ...] | None = None  # names of the points where x only counts them

    @property
    def log(self) -> bool:
        """Whether the axis is logarithmic: where values span more than a decade."""
        xs = [point.x for point in self.points]
        return self.ticks is None and min(xs) > 0 and max(xs) / min(xs) > 10


def rows_of(lines: Iterable[Mapping[str, object]], kind: type[R]) -> dict[str, R]:
    """Return rows by hash; `msgspec.ValidationError` if a line is none."""
    return {row.hash: row for row in map(kind.read, lines)}


def read_rows(path: Path, kind: type[R]) -> dict[str, R]:
    """Return the rows of ``results.jsonl`` by hash.

    Raises
    ------
    DamagedError
        If a line is not as written.
    OSError
        If it cannot be read.
    """
    try:
        return rows_of(map(json.loads, path.read_bytes().splitlines()), kind)
    except (ValueError, AttributeError) as error:
        msg = f"{path} must hold a result a line, got {error}; remove it, and the same command makes it again"
        raise DamagedError(msg) from error


def per_seed(rows: Iterable[tuple[int, Row | None]], column: str) -> dict[int, float]:
    """Return the largest value of each seed over its runs, as published: over the pairs of learning rates.

    Parameters
    ----------
    rows : iterable of (int, row or None)
        Seed and result.
    column : str

    Returns
    -------
    dict from int to float
        Runs without a value do not count; a seed without any is absent.
    """
    found = [(seed, row.numbers[column]) for seed, row in rows if row is not None and column in row.numbers]
    return dict(sorted(found))  # of a seed the last counts


def whole_seeds(cells: Sequence[Spread]) -> tuple[list[int], list[int]]:
    """Return the seeds that have a value in all cells, and those that have one anywhere."""
    some = sorted({seed for cell in cells for seed in cell.values})
    return [seed for seed in some if all(seed in cell.values for cell in cells)], some


def readable(numbers: N) -> N:
    """Return numbers in which all names are legible."""
    plain = msgspec.to_builtins(numbers, str_keys=True)
    return msgspec.convert(legible(plain), type(numbers), str_keys=True)


def shown(numbers: N, page: Callable[[N], Page]) -> Page:
    """Return the page made of numbers; names on it are legible."""
    return page(readable(numbers))


def write(folder: Path, numbers: N, page: Callable[[N], Page]) -> Path:
    """Write numbers and the page made of them; the path of the page."""
    plain, text = msgspec.to_builtins(numbers, str_keys=True), shown(numbers, page).html()
    write_together({folder / NUMBERS: to_json(plain).encode(), folder / PAGE: text.encode()})
    return folder / PAGE
