"""Panels of the configurations of a plan that belong to no published block and no study."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from empirics.campaigns import Panel, Point
from empirics.config import ExperimentConfig
from empirics.sweep.plan import Axis, Block, Plan
from empirics.wide import config_of

# Each panel is two figures; a page with more is slow to read.
MOST_PANELS = 24


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
            configs=tuple(
                Block(
                    base={**block.base, **settings, **dict(zip(axis.fields, row, strict=True))},
                    axes=tuple(seeds),
                ).configs(config_of)
            ),
        )
        for place, row in enumerate(rows)
    )
    ticks = tuple(":".join(_text(item) for item in row) for row in rows) if counted else None
    if not counted:
        points = tuple(sorted(points, key=lambda point: point.x))
    return Panel(sweep=sweep, x_label=", ".join(axis.fields), points=points, ticks=ticks)


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return "none"
    return " vs ".join(map(str, value)) if isinstance(value, (list, tuple)) else f"{value}"
