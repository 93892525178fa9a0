"""Wide networks as experiments of a sweep: their configurations by field, and the identity of each one."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

from empirics.config import ExperimentConfig
from empirics.data import ArrayData, DataSource, FileData
from empirics.data.dataset import class_name
from empirics.data.file import ENDINGS, FORMATS
from empirics.sweep.experiment import Experiment
from empirics.sweep.outcome import Outcome
from empirics.sweep.plain import plain_numbers
from empirics.sweep.plan import Block, Plan, axis_of, seeds_axis, typed

_Config = TypeVar("_Config")
# Part of the identity of every result.  Raise it when a record means something else than before: results of
# older versions are then not used again.
RECORD_VERSION = 4
_ARRAYS = "arrays-"  # begins names of files of arrays in a folder of results
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


def fields_of(config: ExperimentConfig) -> dict[str, Any]:
    """Return the fields of a configuration under the names that axes use."""
    return WIDE.fields(config)


def config_of(named: Mapping[str, Any]) -> ExperimentConfig:
    """Return the configuration of wide networks with the given fields; see `config_with`."""
    return config_with(ExperimentConfig, named)


def config_with(config: Callable[..., _Config], named: Mapping[str, Any]) -> _Config:
    """Return the configuration of some experiment on data with the given fields.

    Parameters
    ----------
    config : type
        Of the configurations, a dataclass with a field ``data``.
    named : mapping
        Field to value.  ``data.source`` is the name of a source, "file" or "idx" (with ``data.path`` and
        ``data.folder``), or the path of a file that `FileData` reads.

    Returns
    -------
    config
        Real numbers as floats, whatever type they came in.

    Raises
    ------
    ValueError, TypeError
        If a field is unknown or missing, or breaks its rule.
    """
    made: Any = config
    source = named.get("data.source")
    if isinstance(source, str) and source.endswith(ENDINGS):
        named = {**named, "data.source": "file", "data.path": source}
        source = "file"
    if source is None:
        msg = (
            f"data.source must be one of {', '.join(_SOURCES)}, or {FORMATS}, got none: name it by "
            "--data, or under [base] of a plan file: data = {source = 'digits'}"
        )
        raise ValueError(msg)
    if not isinstance(source, str) or source not in _SOURCES:
        msg = f"data.source must be one of {', '.join(_SOURCES)}, or {FORMATS}, got {source!r}"
        raise ValueError(msg)
    kind = _SOURCES[source]
    possible = {f"{DATA_PREFIX}{field.name}": field for field in fields(kind)}
    possible |= {field.name: field for field in fields(made) if field.name != "data"}
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
    data_hints, hints = _hints(kind), _hints(made)
    options, rest = {}, {}
    for name, value in named.items():
        if name.startswith(DATA_PREFIX):
            field_name = name.removeprefix(DATA_PREFIX)
            if field_name != "source":
                options[field_name] = _typed(name, value, data_hints[field_name])
        else:
            rest[name] = _typed(name, value, hints[name])
    return config(data=kind(**options), **rest)


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
    """Return equal values in one form; classes may be numbers: they are the names "1" and "2"."""
    value = plain_numbers(value)
    if name == f"{DATA_PREFIX}classes" and value is not None:
        return _classes(value)
    return typed(name, value, hint)


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


# The experiment -------------------------------------------------------------------------------------------


def config_hash(config: ExperimentConfig) -> str:
    """Return the SHA-256 of the identity of a configuration, in hexadecimal; see `Experiment.hash`.

    Parameters
    ----------
    config : ExperimentConfig

    Returns
    -------
    str

    Examples
    --------
    >>> from empirics import ExperimentConfig, ShiftedGaussianData, config_hash
    >>> config_hash(ExperimentConfig(data=ShiftedGaussianData(dim=3, num_train=9), width=100))[:12]
    'f5ab76cd0a91'
    """
    return WIDE.hash(config)


def config_to_json(config: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return the JSON of a configuration, with a name of its source that tells which class it is."""
    shown: dict[str, Any] = config.to_json()
    return shown | {"data": shown["data"] | {"source": _NAMES[type(config.data)]}}


def data_content(config: Any, known: dict[Any, str]) -> str | None:  # noqa: ANN401
    """Return the digest of the files that the data of a configuration are read from."""
    if not hasattr(config.data, "content_hash"):
        return None
    if config.data not in known:
        known[config.data] = config.data.content_hash()
    return known[config.data]


def keep_arrays(config: Any) -> dict[str, bytes]:  # noqa: ANN401
    """Return the file of arrays in memory, by their content."""
    data = config.data
    return {f"{_ARRAYS}{data.digest}.npz": data.archive()} if isinstance(data, ArrayData) else {}


def restore_arrays(folder: Path) -> list[ArrayData]:
    """Return the arrays that a folder keeps, which a plan names by their digest."""
    rows = [FileData(path=str(path)).read() for path in sorted(folder.glob(f"{_ARRAYS}*.npz"))]
    return [ArrayData(one.X, one.labels, one.X_test, one.labels_test) for one in rows]


# Training is imported where it happens: who writes a plan needs none of it.
def _run(configs: Sequence[ExperimentConfig], *, device: str) -> Iterable[tuple[int, Outcome]]:
    made: Iterable[tuple[int, Outcome]] = import_module("empirics.families").run_family(
        configs, device=device
    )
    return made


def _key(config: ExperimentConfig) -> str:
    key: str = import_module("empirics.families").family_key(config)
    return key


def sizes(data: DataSource) -> tuple[int, int]:
    """Return N and d of data for an estimate of work; usual ones where they show when data are read."""
    return getattr(data, "num_train", None) or 1000, getattr(data, "dim", None) or 100


def _work(config: ExperimentConfig) -> int:
    rows, dim = sizes(config.data)
    return config.width * config.num_steps * rows * dim


WIDE = Experiment(
    name="wide",
    version=RECORD_VERSION,
    make=config_of,
    to_json=config_to_json,
    run=_run,
    key=_key,
    work=_work,
    content=data_content,
    keep=keep_arrays,
    restore=restore_arrays,
    command="perturblearn sweep",
)
