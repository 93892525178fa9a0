"""Plans and axes as people write them: TOML files, and words of a command line.

seeds = 10                       # an axis of every sweep that has no "seed" or "seeds" of its own
[base]
data = {source = "shifted-gaussian", dim = 100, num_train = 1000}
width = 100
[[sweep]]                        # a list is an axis, anything else takes the place of the base's value
width = [10, 100, 1000]
[[sweep]]                        # several axes are a product; fields joined by a comma go together
"data.dim,epsilon" = [[10, 0.03], [100, 0.1]]
T_f = [1, 10]
"""

import tomllib
from collections.abc import Mapping
from types import NoneType
from typing import Any

from empirics.sweep.plan import Axis, Block, Plan, axis_of, seeds_axis
from empirics.wide import DATA_PREFIX, types_of


def plan_of_toml(text: str) -> Plan:
    """Return the plan that a TOML text declares, as at the top of this file.

    Raises
    ------
    ValueError, TypeError
        If it is not TOML, or has other tables than ``base``, ``seeds`` and ``sweep``.
    """
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        msg = f"plan must be TOML, got an error in it: {error}"
        raise ValueError(msg) from error
    for name in tables:
        if name not in {"base", "seeds", "sweep"}:
            msg = f"plan must have base, seeds and sweep, got {name!r}"
            raise ValueError(msg)
    base, sweeps = tables.get("base", {}), tables.get("sweep", [{}])
    if not isinstance(base, dict):
        msg = f"base must be a table, got {base!r}"
        raise TypeError(msg)
    if not isinstance(sweeps, list) or not all(isinstance(sweep, dict) for sweep in sweeps):
        msg = "sweep must be an array of tables, each under [[sweep]]"
        raise TypeError(msg)
    return Plan(blocks=tuple(block_of(base, sweep, tables.get("seeds")) for sweep in sweeps))


def axis_of_text(text: str) -> Axis:
    """Return an axis from the command line: "width=10,100", "T_f,T_g=1:1,2:4", "data.classes=3:8,1:2".

    Raises
    ------
    ValueError
        If it has another form.
    """
    name, equals, values = text.partition("=")
    if not equals or not name.strip() or not values.strip():
        msg = f"axis must look like width=10,100 or T_f,T_g=1:1,2:4, got {text!r}"
        raise ValueError(msg)
    parts = values.split(",")
    if "," in name:
        names = name.split(",")
        rows = [part.split(":") for part in parts]
        # A row of another length is refused as such: its values need no type.
        return axis_of(
            name, [list(map(value_of_text, row, names)) if len(row) == len(names) else row for row in rows]
        )
    return axis_of(name, [value_of_text(part, name) for part in parts])


def value_of_text(text: str, name: str) -> Any:  # noqa: ANN401
    """Return what a word stands for as the value of a field.

    Text, where no source of data has a number or a truth value in this field ("1e5" is a path); two names
    written "A:B", for data.classes; else None for "none", a truth value, a number, or text that is neither.
    """
    text, name = text.strip(), name.strip()
    kinds = types_of(name)
    if name == f"{DATA_PREFIX}classes" and text != "none":
        return text.split(":")
    if kinds and not kinds & {int, float, bool}:
        return None if text == "none" and NoneType in kinds else text
    if text in {"none", "true", "false"}:
        return {"none": None, "true": True, "false": False}[text]
    return number_or_text(text)


def number_or_text(text: str) -> int | float | str:
    """Return the number that a word stands for, or the word."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text.strip()


def block_of(
    base: Mapping[str, Any], sweep: Mapping[str, Any], seeds: int | list[int] | None = None
) -> Block:
    """Return the block of a base and a [[sweep]] table: its lists are axes in their order, then the seeds.

    Raises
    ------
    ValueError
        If the sweep has both seed and seeds, or its axes have no value or one field twice.
    """
    base, entries = _flat(base), _flat(sweep)
    own = {part.strip() for name in entries for part in name.split(",")}
    if {"seed", "seeds"} <= own:
        msg = f"sweep must have seed or seeds, got both: {entries['seeds']!r} seeds"
        raise ValueError(msg)
    seeds = entries.pop("seeds", seeds)
    fixed = {name: value for name, value in entries.items() if not isinstance(value, list)}
    axes = [axis_of(name, value) for name, value in entries.items() if isinstance(value, list)]
    if seeds is not None and "seed" not in own:
        axes.append(seeds_axis(seeds))
    if "data.source" in fixed:  # another source, to which the options of the base's do not apply
        base = {name: value for name, value in base.items() if not name.startswith(DATA_PREFIX)}
    return Block(base={**base, **fixed}, axes=tuple(axes))


def _flat(table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries with those of ``data`` under dotted names; "data" as text is its source."""
    entries = dict(table)
    data = entries.pop("data", {})
    if not isinstance(data, dict):
        data = {"source": data}
    return {f"{DATA_PREFIX}{name}": value for name, value in data.items()} | entries
