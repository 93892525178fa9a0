"""What a sweep consists of: blocks of configurations, a base and axes each."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any, get_args

import msgspec

from empirics.sweep.experiment import Config, Experiment
from empirics.sweep.plain import plain_numbers
from theory.validation import check_integer


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Values that a field takes, or that several fields take together.

    Fields are those of the configurations; one of a nested field as ``data.dim``.

    Raises
    ------
    ValueError
        On construction, without a field or a value, or if a value is not one for each field.
    """

    fields: tuple[str, ...]
    values: tuple[tuple[Any, ...], ...]  # one entry a field

    def __post_init__(self) -> None:
        name = ",".join(self.fields)
        if not name or len(set(self.fields)) < len(self.fields):
            msg = f"axis must name each field once, got {name!r}"
            raise ValueError(msg)
        if not self.values:
            msg = f"axis {name} must have values, got none"
            raise ValueError(msg)
        for value in self.values:
            if len(value) != len(self.fields):
                msg = f"axis {name} must have values of {len(self.fields)} numbers each, got {list(value)}"
                raise ValueError(msg)


@dataclass(frozen=True, kw_only=True)
class Block:
    """A product of axes, the last one varying fastest; fields not on an axis are those of the base."""

    base: Mapping[str, Any]  # field to value
    axes: tuple[Axis, ...] = ()

    def __post_init__(self) -> None:
        named = [name for axis in self.axes for name in axis.fields]
        for name in named:
            if named.count(name) > 1:
                msg = f"field must be on one axis, got {name} on {named.count(name)}"
                raise ValueError(msg)

    def configs(self, make: Callable[[Mapping[str, Any]], Config]) -> list[Config]:
        """Return the configurations; errors name the combination that is impossible."""
        made = []
        for values in itertools.product(*(axis.values for axis in self.axes)):
            chosen = {
                name: item
                for axis, value in zip(self.axes, values, strict=True)
                for name, item in zip(axis.fields, value, strict=True)
            }
            try:
                made.append(make({**self.base, **chosen}))
            except (ValueError, TypeError) as error:
                shown = ", ".join(f"{name}={value}" for name, value in chosen.items())
                msg = f"{error} (at {shown})" if shown else str(error)
                raise type(error)(msg) from error
        return made


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The union of blocks, in order, without repetitions."""

    blocks: tuple[Block, ...]

    def configs(self, experiment: Experiment[Config]) -> dict[str, Config]:
        """Return the configurations by their hashes, each once, in the order of the blocks.

        Raises
        ------
        ValueError, TypeError
            If a field is unknown or a combination breaks a rule.
        FileNotFoundError
            If a file of data is missing.
        """
        found: dict[str, Config] = {}
        known: dict[Any, str] = {}
        for block in self.blocks:
            for config in block.configs(experiment.make):
                found.setdefault(experiment.hash(config, known), config)
        if not found:
            msg = "plan must have a configuration, got none"
            raise ValueError(msg)
        return found

    def to_json(self) -> list[dict[str, Any]]:
        """Return the blocks as plain JSON values, equal numbers in one form."""
        plain: list[dict[str, Any]] = plain_numbers(msgspec.to_builtins(self.blocks, enc_hook=_plain_text))
        return plain

    @classmethod
    def from_json(cls, blocks: Sequence[Mapping[str, Any]]) -> "Plan":
        """Return the plan that `to_json` wrote.

        Raises
        ------
        ValueError
            If it is none.
        """
        try:
            return cls(blocks=msgspec.convert(blocks, tuple[Block, ...]))
        except msgspec.ValidationError as error:
            msg = f"plan must be blocks of base and axes, got others: {error}"
            raise ValueError(msg) from error


def axis_of(name: str, values: Sequence[Any]) -> Axis:
    """Return the axis of a name, which may list several fields: "T_f,T_g" with pairs."""
    names = tuple(part.strip() for part in name.split(","))
    rows = [value if len(names) > 1 and isinstance(value, (list, tuple)) else (value,) for value in values]
    return Axis(fields=names, values=tuple(map(tuple, rows)))


def seeds_axis(seeds: int | Sequence[int]) -> Axis:
    """Return the axis of so many seeds from 0, or of the seeds listed."""
    if not isinstance(seeds, (list, tuple, range)):
        count: Any = seeds  # whatever stood in a file
        return axis_of("seed", range(check_integer("seeds", count, minimum=1)))
    return axis_of("seed", seeds)


def _plain_text(value: object) -> str:
    if isinstance(value, str):  # of a class of its own
        return str(value)
    raise NotImplementedError


def plan_of_configs(experiment: Experiment[Config], configs: Iterable[Config]) -> Plan:
    """Return the plan of just these configurations: an axis for each set of fields that they have.

    Parameters
    ----------
    experiment : Experiment
    configs : iterable of Config

    Returns
    -------
    Plan
    """
    found: dict[tuple[str, ...], dict[tuple[Any, ...], None]] = {}
    for config in configs:
        fields = experiment.fields(config)
        found.setdefault(tuple(fields), {})[tuple(fields.values())] = None
    axes = (Axis(fields=names, values=tuple(rows)) for names, rows in found.items())
    return Plan(blocks=tuple(Block(base={}, axes=(axis,)) for axis in axes))


def typed(name: str, value: Any, hint: Any) -> Any:  # noqa: ANN401
    """Return equal values in one form: floats where reals are asked for, no -0.0, tuples for lists.

    Raises
    ------
    TypeError
        If text is asked for, and it is none.
    """
    value = plain_numbers(value)
    if isinstance(value, list):
        return tuple(value)
    if str in (hint, *get_args(hint)) and not isinstance(value, (str, NoneType)):
        msg = f"{name} must be text, got {value!r}"
        raise TypeError(msg)
    if isinstance(value, int) and not isinstance(value, bool) and float in (hint, *get_args(hint)):
        return float(value)
    return value
