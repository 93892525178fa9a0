"""What the page of a sweep is divided into: published blocks, studies, and panels of any other plan."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from empirics import published, studies
from empirics.config import ExperimentConfig, Solver
from empirics.published import Point, Size
from empirics.sweep.plan import Axis, Block, Plan
from empirics.wide import config_of
from theory.validation import check_choice, check_integer

Kind = Literal["published", "study"]
KINDS = ("published", "study")
# Each panel is two figures; a page with more is slow to read.
MOST_PANELS = 24

X_LABELS = {
    "d": "dimension d",
    "d_logistic": "dimension d, logistic loss",
    "N": "number of samples N",
    "eps": "ε",
    "eps_logistic": "ε, logistic loss",
    "m": "width m",
    "slope": "slope γ",
    "T_f": "epochs of f",
    "T_g": "epochs of g",
}


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Points over one axis."""

    sweep: str
    x_label: str
    points: tuple[Point, ...]
    ticks: tuple[str, ...] | None = None  # names of the points where x only counts them


@dataclass(frozen=True, kw_only=True)
class Part:
    """A published block or a study that a folder holds.

    Raises
    ------
    ValueError, TypeError
        On construction, if a name is unknown, or an option breaks its rule.
    """

    kind: Kind
    name: str
    seeds: int = 10
    sweeps: tuple[str, ...] | None = None  # all if None
    solver: Solver = "gd"  # of a published block: the published optimiser, or gradient flow
    size: Size = "full"
    balanced: bool = False

    def __post_init__(self) -> None:
        check_choice("kind", self.kind, KINDS)
        check_integer("seeds", self.seeds, minimum=1)
        if self.sweeps is not None and not (self.sweeps and all(isinstance(s, str) for s in self.sweeps)):
            msg = f"sweeps must be names of sweeps, got {self.sweeps!r}"
            raise ValueError(msg)
        self.points()  # names its unknowns itself

    def points(self) -> list[Point]:
        """Return the points with all experiments behind them."""
        if self.kind == "study":
            return studies.points(self.name, seeds=self.seeds, sweeps=self.sweeps)
        return published.points(
            self.name,
            solver=self.solver,
            size=self.size,
            seeds=self.seeds,
            sweeps=self.sweeps,
            balanced=self.balanced,
        )

    def panels(self) -> list[Panel]:
        """Return the points by sweep."""
        label = studies.study(self.name).x_label if self.kind == "study" else ""
        groups: dict[str, list[Point]] = {}
        for point in self.points():
            groups.setdefault(point.sweep, []).append(point)
        return [
            Panel(sweep=sweep, x_label=label or X_LABELS[sweep], points=tuple(points))
            for sweep, points in groups.items()
        ]

    def configs(self) -> set[ExperimentConfig]:
        """Return all experiments."""
        return {config for point in self.points() for config in point.configs}

    @property
    def title(self) -> str:
        """Heading on the page."""
        if self.kind == "study":
            return f"Study {self.name}"
        options = [
            "gradient flow" if self.solver == "flow" else "",
            "small" if self.size == "small" else "",
            self.stand_in,
            "balanced targets" if self.balanced else "",
        ]
        return ", ".join([f"Published block {self.name}", *(option for option in options if option)])

    @property
    def stand_in(self) -> str:
        """Which data a published block has in place of the published ones, in words; else empty."""
        return "" if self.kind == "study" else published.stand_in(self.name, size=self.size)

    @property
    def figure(self) -> str:
        """Name of the published figure in `published.readings`, empty if no values were read off.

        Values of the small size are not compared: it is another experiment.
        """
        block = published.block(self.name, size=self.size) if self.kind == "published" else None
        return "" if block is None else block.figure

    @property
    def question(self) -> str:
        """What the part is about, in a sentence or two."""
        if self.kind == "study":
            return studies.study(self.name).question
        trained = {
            "flow": "gradient flow of the published flow times (logistic loss by the published optimiser)",
            "gd": "the published optimiser (descent with momentum .9)",
        }[self.solver]
        size = ", at sizes that need no GPU" if self.size == "small" else ""
        size += f", on the {self.stand_in}" if self.stand_in else ""
        labels = "; as many target labels +1 as −1" if self.balanced else ""
        return (
            f"The published experiments by {trained}{size}{labels}. "
            "Each value: the maximum of a seed over its pairs of learning rates, as published."
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        common = {"kind": self.kind, "name": self.name, "seeds": self.seeds}
        common["sweeps"] = None if self.sweeps is None else list(self.sweeps)
        if self.kind == "study":
            return common
        return common | {"solver": self.solver, "size": self.size, "balanced": self.balanced}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Part":
        """Return the part that `to_json` wrote.

        Raises
        ------
        ValueError, TypeError
            If it is none.
        """
        sweeps = fields.get("sweeps")
        return cls(**{**fields, "sweeps": None if sweeps is None else tuple(sweeps)})


def rest_panels(plan: Plan, wanted: Callable[[ExperimentConfig], bool]) -> tuple[list[Panel], int]:
    """Return a panel for each axis of a plan and each combination of the other axes.

    Parameters
    ----------
    plan : Plan
    wanted : callable
        Tells which configurations are to be shown.

    Returns
    -------
    panels : list of Panel
        At most `MOST_PANELS`.
    left_out : int
        How many more there would be.
    """
    made = [panel for index, block in enumerate(plan.blocks) for panel in _block_panels(block, index, plan)]
    made = [panel for panel in made if any(wanted(config) for p in panel.points for config in p.configs)]
    return made[:MOST_PANELS], max(0, len(made) - MOST_PANELS)


def _block_panels(block: Block, index: int, plan: Plan) -> list[Panel]:
    varied = [axis for axis in block.axes if axis.fields != ("seed",)]
    shown = [axis for axis in varied if len(axis.values) > 1] or varied[:1]
    seeds = [axis for axis in block.axes if axis.fields == ("seed",)]
    prefix = f"block {index + 1}: " if len(plan.blocks) > 1 else ""
    if not shown:
        return [
            _axis_panel(block, Axis(fields=("width",), values=((block.base["width"],),)), (), seeds, prefix)
        ]
    return [
        _axis_panel(block, axis, tuple(zip(others, values, strict=True)), seeds, prefix)
        for axis in shown
        for others in [[other for other in varied if other is not axis]]
        for values in itertools.product(*(other.values for other in others))
    ]


def _axis_panel(
    block: Block,
    axis: Axis,
    fixed: Sequence[tuple[Axis, tuple[Any, ...]]],
    seeds: Sequence[Axis],
    prefix: str,
) -> Panel:
    settings = {
        name: value for other, values in fixed for name, value in zip(other.fields, values, strict=True)
    }
    constant = [other for other, _ in fixed if len(other.values) > 1]
    said = [f"{name} = {_text(settings[name])}" for other in constant for name in other.fields]
    sweep = f"{prefix}{', '.join(axis.fields)}" + (f" at {', '.join(said)}" if said else "")
    rows = axis.values
    numbers = [row[0] for row in rows if all(_is_number(item) and item == row[0] for item in row)]
    counted = len(set(numbers)) < len(rows)
    points = tuple(
        Point(
            block="plan",
            sweep=sweep,
            x=float(place if counted else row[0]),
            configs=tuple(_configs(block, settings | dict(zip(axis.fields, row, strict=True)), seeds)),
        )
        for place, row in enumerate(rows)
    )
    ticks = tuple(":".join(_text(item) for item in row) for row in rows) if counted else None
    if not counted:
        points = tuple(sorted(points, key=lambda point: point.x))
    return Panel(sweep=sweep, x_label=", ".join(axis.fields), points=points, ticks=ticks)


def _configs(block: Block, settings: Mapping[str, Any], seeds: Sequence[Axis]) -> list[ExperimentConfig]:
    values = [row[0] for axis in seeds for row in axis.values] or [block.base.get("seed", 0)]
    if "seed" in settings:  # on an axis with other fields
        values = [settings["seed"]]
    return [config_of({**block.base, **settings, "seed": seed}) for seed in values]


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return "none"
    return " vs ".join(map(str, value)) if isinstance(value, (list, tuple)) else f"{value}"
