"""What a report runs: series of experiments over widths and seeds, by data set and preset."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import takewhile
from pathlib import Path
from types import NoneType
from typing import Any, TypedDict, Unpack, get_args

import numpy as np

from empirics.config import ExperimentConfig
from empirics.data import (
    BreastCancerData,
    DataSource,
    DigitsData,
    FashionMnistData,
    FileData,
    GaussianData,
    IdxData,
    IrisData,
    MnistData,
    ShiftedGaussianData,
    WineData,
)
from empirics.data.file import ENDINGS, FORMATS, OPTIONS, options_of
from empirics.data.idx import FILES, find_file
from empirics.experiment import load_data
from reports.choice import Choice, choose
from theory.setting import flow_time
from theory.validation import check_choice, check_integer, check_kind


@dataclass(frozen=True, kw_only=True)
class Series:
    """One data set: the same experiment over widths and seeds.

    Raises
    ------
    ValueError, TypeError
        On construction, if there is no width or no seed.
    """

    base: ExperimentConfig  # its width and seed are replaced
    widths: tuple[int, ...]  # increasing
    seeds: tuple[int, ...]
    choice: Choice | None = None  # how times, ε and widths follow from the data, where they do

    def __post_init__(self) -> None:
        check_kind("base", self.base, ExperimentConfig, "an ExperimentConfig")
        check_kind("choice", self.choice, (Choice, NoneType), "a Choice or None")
        object.__setattr__(self, "widths", check_widths(self.widths))
        object.__setattr__(self, "seeds", _integers("seeds", self.seeds, minimum=0))
        if len(set(self.seeds)) < len(self.seeds):
            msg = f"seeds must differ from each other, got {', '.join(map(str, self.seeds))}"
            raise ValueError(msg)

    def configs(self) -> list[ExperimentConfig]:
        """Return one configuration for each width and seed, small widths first."""
        return [replace(self.base, width=w, seed=s) for w in self.widths for s in self.seeds]

    def part_of(self, done: Collection[ExperimentConfig]) -> Series | None:
        """Return the largest first part that is done: whole widths, else seeds of the first one.

        None if that is not two seeds of the first width.
        """
        grid = {
            w: [s for s in self.seeds if replace(self.base, width=w, seed=s) in done] for w in self.widths
        }
        whole = tuple(takewhile(lambda width: len(grid[width]) == len(self.seeds), self.widths))
        if whole:
            return replace(self, widths=whole)
        seeds = tuple(grid[self.widths[0]])
        return replace(self, widths=self.widths[:1], seeds=seeds) if len(seeds) > 1 else None


def check_widths(widths: Sequence[int]) -> tuple[int, ...]:
    """Return widths, which must be positive and increase."""
    checked = _integers("widths", widths, minimum=1)
    if list(checked) != sorted(set(checked)):
        msg = f"widths must increase, got {', '.join(map(str, checked))}"
        raise ValueError(msg)
    return checked


def _integers(name: str, values: Sequence[int], *, minimum: int) -> tuple[int, ...]:
    """Return a sequence of at least one integer as a tuple; text, sets and mappings are none."""
    listed: Any = values.tolist() if isinstance(values, np.ndarray) else values
    if not isinstance(listed, Sequence) or isinstance(listed, (str, bytes)):
        msg = f"{name} must be a sequence of integers, such as [100, 1000], got {values!r}"
        raise TypeError(msg)
    if not listed:
        msg = f"{name} must not be empty, got {values!r}"
        raise ValueError(msg)
    return tuple(check_integer(name, value, minimum=minimum) for value in listed)


PRESETS = ("quick", "lazy", "published")
DEFAULT_DATA = ("digits", "shifted-gaussian")

_QUICK_WIDTHS = (1_000, 3_000, 10_000, 30_000, 100_000)
_LAZY_WIDTHS = (3_000, 10_000, 30_000, 100_000, 300_000)
_PUBLISHED_WIDTHS = (30, 100, 300)
# Flow times at which the quick widths reach the lazy regime (expected free share of a few percent at the
# largest one), while both networks learn.  Other bundled data get 1; for others see `reports.choice`.
_QUICK_TIMES = {"digits": (1.0, 2.0), "shifted-gaussian": (2.0, 2.0)}
_NAMED: dict[str, type[Any]] = {
    kind.name: kind
    for kind in (
        DigitsData,
        ShiftedGaussianData,
        GaussianData,
        BreastCancerData,
        IrisData,
        WineData,
        MnistData,
        FashionMnistData,
    )
}
_BUNDLED = (BreastCancerData, DigitsData, GaussianData, ShiftedGaussianData)


class DataOptions(TypedDict, total=False):
    """Options of sources of data; None: not given."""

    classes: tuple[str, str] | None
    dim: int | None
    num_train: int | None
    num_test: int | None
    shift: float | None
    standardise: str | None
    test_fraction: float | None
    header: str | None
    label: str | None
    index: str | None
    drop_missing: bool
    decimal: str | None


SEEDS = 16  # of a report, unless asked for or of the published sizes


def source(name: str, *, preset: str = "quick", **options: Unpack[DataOptions]) -> DataSource:
    """Return a data source by its name on the command line.

    Parameters
    ----------
    name : str
        "digits", "shifted-gaussian", "gaussian", "breast-cancer", "iris", "wine", "mnist",
        "fashion-mnist", the path of a file that `FileData` reads, or a folder of four IDX files (or the path
        of one of them).
    preset : {"quick", "lazy", "published"}
        Decides the default sizes of synthetic data; of images also the preparation: all points of the two
        classes and a scalar mean for "published", else 200 and 300 points with rows scaled to √d.
    **options
        Of the source, see `DataOptions`; those that do not apply to it are an error.

    Returns
    -------
    DataSource

    Raises
    ------
    ValueError
        If the name or an option is unknown, or an option does not apply.

    Examples
    --------
    >>> from reports import source
    >>> source("shifted-gaussian", dim=5, num_train=50)
    ShiftedGaussianData(dim=5, num_train=50, num_test=300, shift=0.5)
    """
    check_choice("preset", preset, PRESETS)
    check_kind("data", name, str, "the name of a data set, a file or a folder")
    given = {key: value for key, value in options.items() if value is not None and value is not False}
    where: dict[str, str] = {}
    if name in _NAMED:
        build = _NAMED[name]
    elif name.endswith(ENDINGS):
        build, where = FileData, {"path": name}
    elif (folder := _idx_folder(name)) is not None:
        build, where = IdxData, {"folder": folder}
    else:
        msg = f"data must be {', '.join(_NAMED)}, {FORMATS}, or a folder of IDX files, got {name!r}"
        raise ValueError(msg)
    possible = {field.name for field in fields(build)} - where.keys()
    if build is FileData:
        possible -= set(OPTIONS) - options_of(name)
    for key, value in given.items():
        if key not in possible:
            msg = f"{key.replace('_', '-')} does not apply to data {name!r}, got {value}"
            raise ValueError(msg)
    defaults: DataOptions = {}
    published = preset == "published"
    if build in {GaussianData, ShiftedGaussianData}:
        defaults = {"dim": 100, "num_train": 1000} if published else {"dim": 40, "num_train": 200}
        if build is ShiftedGaussianData:
            defaults["shift"] = 0.3 if published else 0.5
    elif build in {MnistData, FashionMnistData, IdxData} and not published:
        defaults = {"num_train": 200, "num_test": 300, "standardise": "center"}
    made: DataSource = build(**(where | defaults | given))
    return made


def two_names(text: str) -> tuple[str, str]:
    """Return two names of classes that are written A,B."""
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 2 or not all(parts):
        msg = f"classes must be two names separated by a comma, got {text!r}"
        raise ValueError(msg)
    return parts[0], parts[1]


def _idx_folder(name: str) -> str | None:
    """Return the folder that a name means, if it is the path of an IDX file or of a folder that has one."""
    if name.endswith(("-ubyte", "-ubyte.gz")):
        return str(Path(name).parent)
    return name if any(find_file(Path(name), file) for file in FILES) else None


def series(
    data: DataSource,
    *,
    preset: str = "quick",
    num_seeds: int | None = None,
    fields: Mapping[str, Any] | None = None,
) -> Series:
    """Return the experiments of a preset on one data set.

    ``quick``: the regime where the theory applies, in a few minutes.  ``lazy``: the same, wider.
    ``published``: schedules of the published experiments (heavy-ball momentum, widths around 100), which
    are far from that regime.  Flow times, ε and widths of data that are not bundled are chosen from the data
    (of the first seed) with `reports.choice.choose`, for ``quick`` and ``lazy``.

    Parameters
    ----------
    data : DataSource
    preset : {"quick", "lazy", "published"}
    num_seeds : int, optional
        At least 2, so that there is a spread; the preset's own if absent.
    fields : mapping, optional
        Fields of the experiment that replace the preset's; the choice from the data is made for them.

    Returns
    -------
    Series

    Raises
    ------
    ValueError, FileNotFoundError
        If the preset is unknown, there are too few seeds, or data to choose from cannot be loaded.

    Examples
    --------
    >>> from empirics import DigitsData
    >>> from reports import series
    >>> series(DigitsData(classes=("3", "8")), num_seeds=5).seeds
    (0, 1, 2, 3, 4)
    """
    check_kind("data", data, get_args(DataSource), "a source of data, as `reports.source` returns")
    check_choice("preset", preset, PRESETS)
    if num_seeds is None:
        num_seeds = 10 if preset == "published" else SEEDS
    seeds = tuple(range(check_integer("seeds", num_seeds, minimum=2)))
    check_kind("fields", fields, (Mapping, NoneType), "a mapping from names of fields to values")
    changes = dict(fields or {})
    for name in changes.keys() - ExperimentConfig.__dataclass_fields__:
        msg = f"fields must be those of ExperimentConfig, got {name!r}"
        raise TypeError(msg)
    if preset == "published":
        return Series(base=replace(_published(data), **changes), widths=_PUBLISHED_WIDTHS, seeds=seeds)
    T_f, T_g = _QUICK_TIMES.get(data.name, (1.0, 1.0))
    base = replace(ExperimentConfig(data=data, width=1, T_f=T_f, T_g=T_g, num_steps=10), **changes)
    widths = _QUICK_WIDTHS if preset == "quick" else _LAZY_WIDTHS
    if isinstance(data, _BUNDLED):
        return Series(base=base, widths=widths, seeds=seeds)
    choice = choose(
        load_data(replace(base, seed=seeds[0])),
        negative_slope=base.negative_slope,
        scenario=base.scenario,
        largest_width=widths[-1],
    )
    if choice is None:
        return Series(base=base, widths=widths, seeds=seeds)
    chosen = {"T_f": choice.T_f, "T_g": choice.T_g, "epsilon": choice.epsilon}
    return Series(base=replace(base, **(chosen | changes)), widths=choice.widths, seeds=seeds, choice=choice)


def _published(data: DataSource) -> ExperimentConfig:
    """Schedules of paper A: momentum 0.9; 1000 epochs at rate 1 for Gaussian data, 100 at 0.01 for images.

    ε is 0.001 √d for Gaussian data and 0.005 √d for images (0.14 of d = 784).  Without the published
    reduce-on-plateau schedule and half precision.
    """
    gaussian = isinstance(data, (GaussianData, ShiftedGaussianData))
    steps, rate = (1000, 1.0) if gaussian else (100, 0.01)
    T = flow_time(rate, steps, momentum=0.9)
    if isinstance(data, (GaussianData, ShiftedGaussianData)):
        epsilon = 0.001 * math.sqrt(data.dim)
    elif isinstance(data, (MnistData, FashionMnistData)):
        epsilon = 0.005 * math.sqrt(data.dim)
    else:
        epsilon = 0.005 * math.sqrt(data.load(0).X.shape[1])
    return ExperimentConfig(data=data, width=1, T_f=T, T_g=T, num_steps=steps, momentum=0.9, epsilon=epsilon)
