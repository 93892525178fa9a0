"""What a sweep consists of: blocks of configurations, a base and axes each, and the identity of each one."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache
from types import NoneType
from typing import Any, get_args, get_type_hints

from empirics.config import ExperimentConfig
from empirics.data import DataSource
from empirics.data.dataset import class_name
from empirics.outcome import RECORD_VERSION
from empirics.store import digest, plain_numbers
from theory.validation import check_integer

DATA_PREFIX = "data."  # of the names of fields of the data
# The name of a source, or of its class where each instance has a name of its own: "file", "idx".
_SOURCES: dict[str, Any] = {
    kind.name if isinstance(kind.name, str) else kind.__name__.removesuffix("Data").lower(): kind
    for kind in get_args(DataSource)
}
_NAMES = {kind: name for name, kind in _SOURCES.items()}
_CLASSES = (
    "as [1, 2] in a plan file (on an axis: [[1, 2], [3, 8]]), as --set data.classes=1:2 on the command line "
    "(on an axis: 1:2,3:8)"
)


@dataclass(frozen=True, kw_only=True)
class Axis:
    """Values that a field takes, or that several fields take together.

    Fields are those of `ExperimentConfig`, and of its data as ``data.dim`` or ``data.source``.

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

    def configs(self) -> list[ExperimentConfig]:
        """Return the configurations; errors name the combination that is impossible."""
        made = []
        for values in itertools.product(*(axis.values for axis in self.axes)):
            chosen = {
                name: item
                for axis, value in zip(self.axes, values, strict=True)
                for name, item in zip(axis.fields, value, strict=True)
            }
            try:
                made.append(config_of({**self.base, **chosen}))
            except (ValueError, TypeError) as error:
                shown = ", ".join(f"{name}={value}" for name, value in chosen.items())
                msg = f"{error} (at {shown})" if shown else str(error)
                raise type(error)(msg) from error
        return made


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The union of blocks, in order, without repetitions."""

    blocks: tuple[Block, ...]

    def configs(self) -> dict[str, ExperimentConfig]:
        """Return the configurations by their hashes, each once, in the order of the blocks.

        Raises
        ------
        ValueError, TypeError
            If a field is unknown or a combination breaks a rule.
        FileNotFoundError
            If a file of data is missing.
        """
        found: dict[str, ExperimentConfig] = {}
        contents: dict[DataSource, str] = {}
        for block in self.blocks:
            for config in block.configs():
                found.setdefault(digest(identity(config, contents)), config)
        if not found:
            msg = "plan must have a configuration, got none"
            raise ValueError(msg)
        return found

    def to_json(self) -> list[dict[str, Any]]:
        """Return the blocks as plain JSON values, equal numbers in one form."""
        blocks = [
            {
                "base": dict(block.base),
                "axes": [{"fields": axis.fields, "values": axis.values} for axis in block.axes],
            }
            for block in self.blocks
        ]
        plain: list[dict[str, Any]] = plain_numbers(blocks)
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
            return cls(
                blocks=tuple(
                    Block(
                        base=dict(block["base"]),
                        axes=tuple(
                            Axis(fields=tuple(axis["fields"]), values=tuple(map(tuple, axis["values"])))
                            for axis in block["axes"]
                        ),
                    )
                    for block in blocks
                )
            )
        except (KeyError, TypeError) as error:
            msg = f"plan must be blocks of base and axes, got others: {error!r}"
            raise ValueError(msg) from error


def plan(
    base: ExperimentConfig, axes: Mapping[str, Sequence[Any]], *, seeds: int | Sequence[int] | None = None
) -> Plan:
    """Return the plan of one block.

    Parameters
    ----------
    base : ExperimentConfig
    axes : mapping
        Field to values; "T_f,T_g" takes pairs.
    seeds : int or sequence of int, optional
        The last axis: their number, from 0, or the seeds themselves.

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        As `Axis` and `Block`.
    """
    made = [axis_of(name, values) for name, values in axes.items()]
    if seeds is not None:
        made.append(seeds_axis(seeds))
    return Plan(blocks=(Block(base=fields_of(base), axes=tuple(made)),))


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


def fields_of(config: ExperimentConfig) -> dict[str, Any]:
    """Return the fields of a configuration under the names that axes use."""
    shown = _shown(config)
    data = shown.pop("data")
    return {f"{DATA_PREFIX}{name}": value for name, value in data.items()} | shown


def config_of(named: Mapping[str, Any]) -> ExperimentConfig:
    """Return the configuration with the given fields.

    Parameters
    ----------
    named : mapping
        Field to value.  ``data.source`` is the name of a source, "file" or "idx" (with ``data.path`` and
        ``data.folder``), or the path of a .npz or .csv file.

    Returns
    -------
    ExperimentConfig
        Real numbers as floats, whatever type they came in.

    Raises
    ------
    ValueError, TypeError
        If a field is unknown or missing, or breaks its rule.
    """
    source = named.get("data.source")
    if isinstance(source, str) and source.endswith((".npz", ".csv")):
        named = {**named, "data.source": "file", "data.path": source}
        source = "file"
    if source is None:
        msg = (
            f"data.source must be one of {', '.join(_SOURCES)}, or a .npz or .csv file, got none: name it by "
            "--data, or under [base] of a plan file: data = {source = 'digits'}"
        )
        raise ValueError(msg)
    if not isinstance(source, str) or source not in _SOURCES:
        msg = f"data.source must be one of {', '.join(_SOURCES)}, or a .npz or .csv file, got {source!r}"
        raise ValueError(msg)
    kind = _SOURCES[source]
    possible = {f"{DATA_PREFIX}{field.name}": field for field in fields(kind)}
    possible |= {field.name: field for field in fields(ExperimentConfig) if field.name != "data"}
    for name in named:
        if name != "data.source" and name not in possible:
            msg = f"field must be one of {', '.join(possible)} with data {source!r}, got {name!r}"
            raise ValueError(msg)
    missing = [
        name
        for name, field in possible.items()
        if name not in named and field.default is MISSING and field.default_factory is MISSING
    ]
    if missing:
        msg = f"{', '.join(missing)} must be given with data {source!r}: {_how(missing)}"
        raise ValueError(msg)
    data_hints, hints = _hints(kind), _hints(ExperimentConfig)
    options, rest = {}, {}
    for name, value in named.items():
        if name.startswith(DATA_PREFIX):
            field_name = name.removeprefix(DATA_PREFIX)
            if field_name != "source":
                options[field_name] = _typed(name, value, data_hints[field_name])
        else:
            rest[name] = _typed(name, value, hints[name])
    return ExperimentConfig(data=kind(**options), **rest)


def _how(missing: Sequence[str]) -> str:
    """Return where the fields that are missing are given: on the command line, and in a plan file."""
    flags = " ".join(f"--set {name}=..." for name in missing)
    options = [f"{name.removeprefix(DATA_PREFIX)} = ..." for name in missing if name.startswith(DATA_PREFIX)]
    lines = [f"{name} = ..." for name in missing if not name.startswith(DATA_PREFIX)]
    if options:
        lines.append(f"data = {{source = ..., {', '.join(options)}}}")
    return f"give {flags} or --axis, or under [base] of a plan file {' and '.join(lines)}"


@cache
def types_of(name: str) -> set[Any]:
    """Return the types that a field has in any source of data, none if there is no such field."""
    if name == "data.source":
        return {str}
    owners = _SOURCES.values() if name.startswith(DATA_PREFIX) else (ExperimentConfig,)
    hints = [_hints(owner).get(name.removeprefix(DATA_PREFIX)) for owner in owners]
    return {kind for hint in hints if hint is not None for kind in get_args(hint) or (hint,)}


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _typed(name: str, value: Any, hint: Any) -> Any:  # noqa: ANN401
    """Return equal values in one form: floats where reals are asked for, no -0.0, tuples for lists.

    Classes may be numbers: they are the names "1" and "2", whichever the source.
    """
    value = plain_numbers(value)
    if name == f"{DATA_PREFIX}classes" and value is not None:
        return _classes(value)
    if isinstance(value, list):
        return tuple(value)
    if str in (hint, *get_args(hint)) and not isinstance(value, (str, NoneType)):
        msg = f"{name} must be text, got {value!r}"
        raise TypeError(msg)
    if isinstance(value, int) and not isinstance(value, bool) and float in (hint, *get_args(hint)):
        return float(value)
    return value


def _classes(value: Any) -> tuple[str, ...]:  # noqa: ANN401
    if not isinstance(value, list) or not all(
        isinstance(item, (str, int, float)) and not isinstance(item, bool) for item in value
    ):
        msg = f"data.classes must be two names, {_CLASSES}, got {value!r}"
        raise TypeError(msg)
    if len(value) != 2:
        shown = ", ".join(map(str, value))
        msg = f"data.classes must be two names, {_CLASSES}, got {len(value)}: {shown}"
        raise ValueError(msg)
    return tuple(map(class_name, value))


# Identity -------------------------------------------------------------------------------------------------


def config_hash(config: ExperimentConfig) -> str:
    """Return the SHA-256 of the identity of a configuration, in hexadecimal.

    Equal fields give equal hashes, in whatever order and number type: 1, 1.0 and numpy's 1.

    Raises
    ------
    OSError
        If files of the data cannot be read.
    """
    return digest(identity(config))


def identity(config: ExperimentConfig, contents: dict[DataSource, str] | None = None) -> dict[str, Any]:
    """Return what a result is about: the fields, `RECORD_VERSION`, and the bytes of data that are read.

    Parameters
    ----------
    config : ExperimentConfig
    contents : dict, optional
        Content hashes of sources that were read before; added to.

    Returns
    -------
    dict
        Plain JSON values.
    """
    known = {} if contents is None else contents
    content = None
    if hasattr(config.data, "content_hash"):
        if config.data not in known:
            known[config.data] = config.data.content_hash()
        content = known[config.data]
    shown: dict[str, Any] = plain_numbers(_shown(config))
    return {"config": shown, "content": content, "record_version": RECORD_VERSION}


def _shown(config: ExperimentConfig) -> dict[str, Any]:
    """Return the JSON of a configuration, with a name of its source that tells which class it is."""
    shown = config.to_json()
    return shown | {"data": shown["data"] | {"source": _NAMES[type(config.data)]}}
