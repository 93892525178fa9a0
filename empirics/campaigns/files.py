"""A campaign: one thing varied at a time, as a plan in a file of this folder, and the values published of it.

    figure = "MSG_a"                  # of published_curves.csv, if values were read off
    [base]
    epsilon_per_root = 0.001          # ε/√d, so that ε follows d
    rate_f = [1.0, 0.1]               # with epochs_f and momentum: flow times, see `wide`
    small."data.dim" = 10             # what takes the place of a value at the small size
    [[sweep]]
    name = "d"
    "data.dim" = [10, 20]             # the axis; else as in plan files, `empirics.plan_text`

``seeds = 40`` is the number where none is asked for; with ``independent = true`` no two points share a seed.
``like`` names a campaign whose base and sweeps these values and sweeps replace.
"""

import csv
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

from msgspec import Struct, convert, to_builtins

from empirics.plan_text import block_of
from empirics.sweep.plan import Axis, Block
from theory.validation import check_choice, check_integer

Size = Literal["full", "small"]
SIZES = ("full", "small")
SEEDS_APART = 1_000_000  # between the seeds of two points of an independent study, more than anyone asks for
_FILES = resources.files("empirics.campaigns")


class Point(Struct, frozen=True, kw_only=True):
    """One x of a sweep: all experiments behind it."""

    block: str
    sweep: str
    series: str = ""
    x: float
    configs: tuple[Any, ...]  # of one kind of experiment


class Sweep(Struct, frozen=True, kw_only=True):
    """One thing that is varied."""

    name: str
    x_label: str
    block: Block  # its first axis is x
    first: int | None = None  # place in the study of its first point, where no two points share a seed
    ticks: tuple[str, ...] = ()  # names of the points, where x only counts them

    def blocks(self) -> Iterator[tuple[float, Block]]:
        """Yield x, the first field of its axis, and the block of all that is run there."""
        axis, *others = self.block.axes
        for place, values in enumerate(axis.values):
            fixed = dict(zip(axis.fields, values, strict=True))
            apart = 0 if self.first is None else SEEDS_APART * (self.first + place)
            yield (
                place if self.ticks else values[0],
                Block(base={**self.block.base, **fixed}, axes=tuple(_from(apart, one) for one in others)),
            )

    def points(self, name: str, make: Callable[[Mapping[str, Any]], Any]) -> tuple[Point, ...]:
        """Return the points, of a campaign of that name; `make` takes the fields of a configuration."""
        return tuple(
            Point(block=name, sweep=self.name, x=x, configs=tuple(block.configs(make)))
            for x, block in self.blocks()
        )


class Campaign(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file says."""

    base: dict[str, Any]
    sweep: tuple[dict[str, Any], ...] = ()
    figure: str = ""  # in published_curves.csv; empty if no values were read off
    question: str = ""
    x_label: str = ""  # of sweeps without their own
    ticks: tuple[str, ...] = ()  # names of the points of every sweep, where x only counts them
    stand_in: str = ""  # which data take the place of the published ones at the small size, in words
    fixed: tuple[str, ...] = ()  # fields that options cannot set
    seeds: int = 10  # unless others are asked for
    # Whether no two points share a seed, hence data, initial networks or targets.  Points that share them
    # are compared without their noise; a mean over points that do not has less of it.
    independent: bool = False

    @property
    def has_small(self) -> bool:
        """Whether the small size is another experiment."""
        return any("small" in table for table in (self.base, *self.sweep))

    def sweeps(self, size: Size = "full", *, seeds: int | None = None, **more: str) -> dict[str, Sweep]:
        """Return the sweeps by name, `more` in their base; rates and seeds are axes after that of x.

        Fields joined by a comma in the base are the axis of every sweep.
        """
        base, made = _sized(self.base, size) | more, {}
        shared = [name for name in base if "," in name or name in {"rate_f", "rate_g"}]
        rates, first = {name: base.pop(name) for name in shared}, 0
        for table in self.sweep:
            own = _sized(table, size)
            name, label = own.pop("name"), own.pop("x_label", self.x_label)
            own |= {key: own.pop(key, value) for key, value in rates.items()}  # at the end
            block = block_of(base, own, seeds)
            place = first if self.independent else None
            made[name] = Sweep(name=name, x_label=label, block=block, ticks=self.ticks, first=place)
            first += len(block.axes[0].values)
        return made


def _from(first: int, axis: Axis) -> Axis:
    """Return an axis with its seeds counted from another number."""
    if axis.fields != ("seed",):
        return axis
    return Axis(fields=axis.fields, values=tuple((first + seed,) for (seed,) in axis.values))


def _sized(table: Mapping[str, Any], size: Size) -> dict[str, Any]:
    own = dict(table)
    small = own.pop("small", {})
    return own | small if size == "small" else own


@cache
def campaign(name: str) -> Campaign:
    """Return the campaign of a file of this folder, by its name without ".toml"."""
    return convert(_tables(name), Campaign)


def _tables(name: str) -> dict[str, Any]:
    tables = tomllib.loads(_FILES.joinpath(f"{name}.toml").read_text(encoding="utf-8"))
    if "like" not in tables:
        return tables
    old = _tables(tables.pop("like"))
    sweeps = {sweep["name"]: sweep for sweep in (*old["sweep"], *tables.get("sweep", ()))}
    return {**old, **tables, "base": old["base"] | tables["base"], "sweep": list(sweeps.values())}


class Panel(Struct, frozen=True, kw_only=True):
    """Points over one axis."""

    sweep: str
    x_label: str
    points: tuple[Point, ...]
    ticks: tuple[str, ...] | None = None  # names of the points where x only counts them


class AnyPart(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a folder holds, as its plan.json says: (some sweeps of) a campaign, with options.

    Raises
    ------
    ValueError, TypeError
        On construction, if a name is unknown, or an option breaks its rule.
    """

    kind: Literal["published", "study", "data"]
    name: str
    seeds: int = 10  # from 0
    sweeps: tuple[str, ...] | None = None  # all if None

    def __post_init__(self) -> None:
        check_integer("seeds", self.seeds, minimum=1)
        if self.seeds > SEEDS_APART:
            msg = f"seeds must be <= {SEEDS_APART}, got {self.seeds}"
            raise ValueError(msg)

    def _chosen(self, sweeps: Mapping[str, Sweep]) -> list[Sweep]:
        if self.sweeps is None:
            return list(sweeps.values())
        if not self.sweeps or len(set(self.sweeps)) < len(self.sweeps):
            msg = f"sweeps must name at least one, each once, got {','.join(self.sweeps) or 'none'}"
            raise ValueError(msg)
        return [sweeps[check_choice("sweeps", name, tuple(sweeps))] for name in self.sweeps]

    def points(self) -> list[Point]:
        """Return the points with all experiments behind them."""
        raise NotImplementedError

    def configs(self) -> list[Any]:
        """Return all experiments, each once."""
        return list(dict.fromkeys(config for point in self.points() for config in point.configs))

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        made: dict[str, Any] = to_builtins(self)
        return made


class Reading(Struct, frozen=True):
    """A value read off a published figure."""

    value: float | None  # None where only a bound or nothing could be read
    error: float


@cache
def readings() -> Mapping[tuple[str, str, float, str], Reading]:
    """Return the published values by figure, sweep, x and series."""
    text = _FILES.joinpath("published_curves.csv").read_text(encoding="utf-8")
    return {
        (row["figure"], row["sweep"], float(row["x"]), series): _reading(row[y], float(row["reading_error"]))
        for row in csv.DictReader(text.splitlines())
        for series, y in zip(row["series"].split("|"), ("y1", "y2", "y3"), strict=True)
        if series
    }


def _reading(text: str, error: float) -> Reading:
    """Return a value; "~1.0" is covered by other curves up to the error; "<0.4" lies outside the axes."""
    if not text or text[0] in "<>":
        return Reading(None, error)
    return Reading(float(text.lstrip("~")), error)
