"""Panels of the configurations of a plan that belong to no published block and no study."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import structs

from empirics.campaigns import Panel, Sweep
from empirics.deep.builtin import is_file
from empirics.sweep.plan import Block, Plan, axis_of

# Each panel is two figures; a page with more is slow to read.
MOST_PANELS = 24
_LABELS = {"times": "times the initial outputs"}  # of fields whose names do not say it


def rest_panels(
    plan: Plan,
    make: Callable[[Mapping[str, Any]], Any],
    wanted: Callable[[Any], bool],
    *,
    named: bool = False,
) -> tuple[list[Panel], int]:
    """Return a panel for each axis of a plan and each combination of the other axes.

    Parameters
    ----------
    plan : Plan
    make : callable
        Takes the fields of a configuration.
    wanted : callable
        Tells which configurations are to be shown.
    named : bool
        Whether data are named where there is one block.

    Returns
    -------
    panels : list of Panel
        At most `MOST_PANELS`.
    left_out : int
        How many more there would be.
    """
    names = [_data_name(next(iter(block.configs(make))).data) for block in plan.blocks]
    if len(names) == 1 and not named:
        names = [""]
    elif len(set(names)) < len(names):  # the data do not tell blocks apart
        names, named = [f"block {number}" for number in range(1, len(names) + 1)], False
    made = [
        panel
        for block, name in zip(plan.blocks, names, strict=True)
        for panel in _block_panels(block, name, make, named=named)
    ]
    made = [panel for panel in made if any(wanted(config) for p in panel.points for config in p.configs)]
    return made[:MOST_PANELS], max(0, len(made) - MOST_PANELS)


def _block_panels(
    block: Block, name: str, make: Callable[[Mapping[str, Any]], Any], *, named: bool
) -> Iterator[Panel]:
    seeds = tuple(axis for axis in block.axes if axis.fields == ("seed",))
    varied = [axis for axis in block.axes if axis not in seeds]
    varied = varied or [axis_of("width", [block.base["width"]])]
    for axis in [axis for axis in varied if len(axis.values) > 1] or varied[:1]:
        others = [other for other in varied if other is not axis]
        for chosen in itertools.product(*(other.values for other in others)):
            fixed = {
                name: value
                for other, row in zip(others, chosen, strict=True)
                for name, value in zip(other.fields, row, strict=True)
            }
            told = [name for other in others if len(other.values) > 1 for name in other.fields]
            said = [f"{name} = {_text(fixed[name])}" for name in told]
            along = "" if named and len(varied) == 1 else ", ".join(axis.fields)
            yield _panel(
                Sweep(
                    name=": ".join(filter(None, (name, along))) + (f" at {', '.join(said)}" if said else ""),
                    x_label=", ".join(_LABELS.get(field, field) for field in axis.fields),
                    block=Block(base={**block.base, **fixed}, axes=(axis, *seeds)),
                ),
                make,
            )


def _data_name(data: Any) -> str:  # noqa: ANN401
    """Return the name of a data set, with its classes where they were chosen."""
    classes = getattr(data, "classes", None)
    return data.name if classes is None else f"{data.name}, {' vs '.join(classes)}"


def _panel(sweep: Sweep, make: Callable[[Mapping[str, Any]], Any]) -> Panel:
    rows = sweep.block.axes[0].values
    numbers = [row[0] for row in rows if all(_is_number(item) and item == row[0] for item in row)]
    counted = len(set(numbers)) < len(rows)
    points = [
        structs.replace(point, x=float(place if counted else point.x))
        for place, point in enumerate(sweep.points("plan", make))
    ]
    ticks = tuple(":".join(_text(item) for item in row) for row in rows) if counted else None
    points = points if counted else sorted(points, key=lambda point: point.x)
    return Panel(sweep=sweep.name, x_label=sweep.x_label, points=tuple(points), ticks=ticks)


def _is_number(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return "none"
    if isinstance(value, str) and is_file(value):  # of a module: its folder says nothing
        return Path(value).name
    return " vs ".join(map(str, value)) if isinstance(value, (list, tuple)) else f"{value}"
