"""The published experiments as plans: one thing varied at a time, with the values that were published.

Paper A trains by heavy-ball descent (momentum 0.9) for so many epochs, at two learning rates for f and
two for g.  It plots one seed and, for each metric by itself, the maximum over the four pairs.  Here each
pair and seed is a result of its own.  As gradient flow, rate η and E epochs become the flow time of that
descent at constant gradient, `theory.flow_time(η, E, momentum=0.9)`.

Published values are read off the figures of arXiv:2410.23677, each with a reading error
(``published_curves.csv``; columns figure, sweep, x, y1 to y3, reading_error, series).  Cosines were published
for the sweeps over d and over T_f of three blocks (``COSINE_FIGURES``).  Not reproduced: half precision; the
reduce-on-plateau schedule, which does not act while the loss falls.  The published steps of two logistic
sweeps are not known: MSG(b) takes the d of the identity loss, images in scenario (b) tenths of the largest ε.
"""

import csv
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

from empirics.config import SOLVERS, ExperimentConfig, Solver
from empirics.sweep.plan import Plan, plan_of_configs
from empirics.wide import WIDE, config_of
from theory.setting import flow_time
from theory.validation import check_choice, check_integer

Size = Literal["full", "small"]
SIZES = ("full", "small")
# What takes the place of the images at the small size, in words.
STAND_IN = "bundled digits (8x8) in place of {}"
_IMAGE_NAMES = {"mnist": "MNIST", "fmnist": "Fashion-MNIST"}
METRICS = {"acc_f": "accuracy_f_train", "acc_g": "accuracy_g_train", "agreement": "agreement_test"}
# Mean |cos| of the perturbations with u and with ∇f_b: name to column.
COSINES = {"cosine_published": "cosine_published", "cosine_derived": "cosine_derived"}
# Figure of a block, and what the sweeps in the figure of cosines begin with.
COSINE_FIGURES = {"MSG_a": "MSG", "G_a": "G", "MNIST_a": "MNIST"}
_MOMENTUM = 0.9

_TO_10 = tuple(range(1, 11))
_TO_100 = (*_TO_10, *range(20, 101, 10))
_TO_1000 = (*_TO_100, *range(200, 1001, 100))
_SLOPES = (0.0, 0.25, 0.5, 0.75, 0.99)
_COUNTS = (2, 4, 6, 8, *range(10, 101, 10), *range(200, 1001, 100), *range(2000, 10_001, 1000))
_TENTHS = tuple(i / 10 for i in range(11))


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """The base of a published block; a sweep changes one of its fields.

    `epsilon` is per √d, so that it follows d.
    """

    source: Mapping[str, Any]  # of the data: name and options, without sizes
    dim: int | None = None  # None where the data decide
    num_train: int | None = None
    width: int = 100
    negative_slope: float = 0.0
    epsilon_per_root: float
    epochs_f: int
    epochs_g: int
    rates_f: tuple[float, ...]
    rates_g: tuple[float, ...]
    loss: str = "identity"
    scenario: str
    targets: str = "random"


_Sweeps = dict[str, dict[float, Experiment]]


@dataclass(frozen=True, kw_only=True)
class PublishedBlock:
    """One block of the published grid."""

    figure: str  # in published_curves.csv; empty if no values were read off
    base: Experiment
    sweeps: Mapping[str, Mapping[float, Experiment]] = field(repr=False)  # sweep, then x


@dataclass(frozen=True, kw_only=True)
class Point:
    """One published point: all experiments behind it."""

    block: str
    sweep: str
    x: float
    configs: tuple[ExperimentConfig, ...]  # pairs of learning rates × seeds


@dataclass(frozen=True)
class Reading:
    """A value read off a published figure."""

    value: float | None  # None where only a bound or nothing could be read
    error: float


def block(name: str, *, size: Size = "full") -> PublishedBlock:
    """Return a block of the published grid.

    Parameters
    ----------
    name : str
        One of `BLOCKS`.
    size : {"full", "small"}
        "small" keeps what decides the outcome and needs no GPU: N/d and ε/√d for "g-a" and "g-b"; for "msg-b"
        N, whose root is the signal over the noise, and ε/√d; for images the bundled 8×8 digits with the same
        ε over the norm of a sample.  "msg-a" is the same in both.

    Raises
    ------
    ValueError
        If the name or the size is unknown.
    """
    check_choice("block", name, BLOCKS)
    check_choice("size", size, SIZES)
    return _MAKERS[name](size)


def stand_in(name: str, *, size: Size) -> str:
    """Return which data a block has in place of the published ones, in words; empty for those themselves.

    Parameters
    ----------
    name : str
        One of `BLOCKS`.
    size : {"full", "small"}
        See `block`.

    Raises
    ------
    ValueError
        If the name or the size is unknown.
    """
    source = block(name, size=size).base.source["source"]
    images = _IMAGE_NAMES.get(name.partition("-")[0])
    return STAND_IN.format(images) if images and source == "digits" else ""


def points(
    name: str,
    *,
    solver: Solver = "gd",
    size: Size = "full",
    seeds: int = 10,
    sweeps: Iterable[str] | None = None,
    balanced: bool = False,
) -> list[Point]:
    """Return the points of a block with all experiments behind them.

    Parameters
    ----------
    name : str
        One of `BLOCKS`.
    solver : {"gd", "flow"}
        The published optimiser, or gradient flow for the same flow times.  With logistic loss always the
        former: its flow has no exact solution, and the adaptive integration to T ≈ 10⁴ took minutes a
        network.
    size : {"full", "small"}
        See `block`.
    seeds : int
        Number of seeds, from 0.
    sweeps : iterable of str, optional
        Names of the sweeps; all if absent.
    balanced : bool
        As many target labels +1 as −1, in place of independent ones.

    Raises
    ------
    ValueError
        If a name is unknown or there is no seed.
    """
    check_choice("solver", solver, SOLVERS)
    check_integer("seeds", seeds, minimum=1)
    chosen = block(name, size=size)
    wanted = list(dict.fromkeys(chosen.sweeps if sweeps is None else sweeps))
    made = []
    for sweep in wanted:
        check_choice("sweep", sweep, tuple(chosen.sweeps))
        for x, experiment in chosen.sweeps[sweep].items():
            one = replace(experiment, targets="balanced") if balanced else experiment
            configs = tuple(config_of(fields) for fields in _fields(one, solver, seeds))
            made.append(Point(block=name, sweep=sweep, x=x, configs=configs))
    return made


def plan_of(made: Iterable[Point]) -> Plan:
    """Return the plan of all experiments behind some points."""
    return plan_of_configs(WIDE, (config for point in made for config in point.configs))


@cache
def readings() -> Mapping[tuple[str, str, float, str], Reading]:
    """Return the published values by figure, sweep, x and series: keys of `METRICS`, others for cosines."""
    text = resources.files("empirics").joinpath("published_curves.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        for series, column in zip(row["series"].split("|"), ("y1", "y2", "y3"), strict=True):
            if series:
                key = row["figure"], row["sweep"], float(row["x"]), series
                found[key] = _reading(row[column], float(row["reading_error"]))
    return found


def cosine_reading(figure: str, sweep: str, x: float) -> Reading | None:
    """Return a published mean |cos(r_n, û_n)|, None where none was read off.

    û is u of `theory.perturbation_direction` with Φ by Monte Carlo, 1000 draws.  To second order in the error
    this lowers a cosine by the share E‖e‖²/(2‖u‖²), e the part of û − u across u: 1e-5 for MSG, 4e-4 (draws
    shared by all pairs of samples) to 1e-3 (draws of each pair) for G, measured at N = d = 400 in
    ``tests/test_empirics/test_published.py``.  All readings have errors of .006 and more, so that nothing is
    corrected.

    Parameters
    ----------
    figure : str
        Of the block, `PublishedBlock.figure`; may be empty.
    sweep : str
    x : float
    """
    name = f"{COSINE_FIGURES.get(figure, '')} {sweep}"
    return readings().get(("cossim", name, float(x), "cosine_similarity"))


def _reading(text: str, error: float) -> Reading:
    """Return a value; "~1.0" is covered by other curves up to the error; "<0.4" lies outside the axes."""
    if not text or text[0] in "<>":
        return Reading(None, error)
    return Reading(float(text.lstrip("~")), error)


def _fields(experiment: Experiment, solver: Solver, seeds: int) -> list[dict[str, Any]]:
    """Return the fields of one configuration for each pair of learning rates and each seed."""
    data = {f"data.{name}": value for name, value in experiment.source.items()}
    root = math.sqrt(experiment.dim or {"digits": 64}.get(experiment.source["source"], 784))
    if experiment.dim is not None:
        data["data.dim"] = experiment.dim
    if experiment.num_train is not None:
        data["data.num_train"] = experiment.num_train
    solver = solver if experiment.loss == "identity" else "gd"
    fixed = {
        **data,
        "width": experiment.width,
        "negative_slope": experiment.negative_slope,
        "loss": experiment.loss,
        "scenario": experiment.scenario,
        "targets": experiment.targets,
        "epsilon": float(f"{experiment.epsilon_per_root * root:.6g}"),
        "solver": solver,
    }
    epochs = experiment.epochs_f, experiment.epochs_g
    if solver == "gd":
        fixed |= {"momentum": _MOMENTUM, "num_steps": epochs[0], "num_steps_g": epochs[1]}
    return [
        fixed | {"T_f": _time(rate_f, epochs[0]), "T_g": _time(rate_g, epochs[1]), "seed": seed}
        for rate_f in experiment.rates_f
        for rate_g in experiment.rates_g
        for seed in range(seeds)
    ]


def _time(rate: float, epochs: int) -> float:
    return flow_time(rate, epochs, momentum=_MOMENTUM)


# The blocks ------------------------------------------------------------------------------------------------

_MSG = {"source": "shifted-gaussian", "shift": 0.3, "num_test": 1000}
_G = {"source": "gaussian", "num_test": 1000}


def _common(
    base: Experiment, *, root: float, epochs_f: tuple[int, ...], **fixed: tuple[float, ...]
) -> _Sweeps:
    """Return the sweeps over ε, m, γ, T_f and T_g; `fixed` are the rates of the network that is varied."""
    rate_f, rate_g = fixed.get("rate_f", base.rates_f), fixed.get("rate_g", base.rates_g)
    return {
        "eps": _sizes(base, root=root),
        "m": {m: replace(base, width=m) for m in _TO_1000},
        "slope": {slope: replace(base, negative_slope=slope) for slope in _SLOPES},
        "T_f": {e: replace(base, epochs_f=e, rates_f=rate_f) for e in epochs_f},
        "T_g": {e: replace(base, epochs_g=e, rates_g=rate_g) for e in _TO_100},
    }


def _sizes(base: Experiment, *, root: float) -> dict[float, Experiment]:
    """Return the sweep over ε, in tenths of that of the base."""
    share = base.epsilon_per_root
    return {float(f"{t * share * root:.6g}"): replace(base, epsilon_per_root=t * share) for t in _TENTHS}


def _msg_a(_: Size) -> PublishedBlock:
    base = Experiment(
        source=_MSG,
        dim=100,
        num_train=1000,
        epsilon_per_root=0.001,
        epochs_f=1000,
        epochs_g=1000,
        rates_f=(1.0, 0.1),
        rates_g=(1.0, 0.1),
        scenario="a",
    )
    sweeps = {
        "d": {d: replace(base, dim=d) for d in range(10, 101, 10)},
        "d_logistic": {d: replace(base, dim=d, loss="logistic") for d in range(10, 51, 5)},
        "N": {count: replace(base, num_train=count) for count in _COUNTS},
        **_common(base, root=10.0, epochs_f=_TO_10, rate_f=(0.1,)),
    }
    return PublishedBlock(figure="MSG_a", base=base, sweeps=sweeps)


def _msg_b(size: Size) -> PublishedBlock:
    dim = 5000 if size == "full" else 100
    base = Experiment(
        source=_MSG,
        dim=dim,
        num_train=10_000,
        epsilon_per_root=0.01,
        epochs_f=1000,
        epochs_g=1000,
        rates_f=(1.0, 0.1),
        rates_g=(1.0, 0.1),
        scenario="b",
    )
    dims = (*range(100, 1001, 100), *range(2000, 5001, 1000)) if size == "full" else range(10, 101, 10)
    rates = (10.0, 5.0, 1.0, 0.1, 0.01)
    logistic = replace(base, loss="logistic", rates_f=rates, rates_g=rates)
    sweeps = {
        "d": {d: replace(base, dim=d) for d in dims},
        "d_logistic": {d: replace(logistic, dim=d) for d in dims},
        "N": {count: replace(base, num_train=count) for count in _COUNTS},
        **_common(base, root=math.sqrt(dim), epochs_f=_TO_100, rate_f=(0.01,), rate_g=(0.01,)),
    }
    return PublishedBlock(figure="", base=base, sweeps=sweeps)


def _g(scenario: str, per_root: float, size: Size) -> PublishedBlock:
    scale = 1 if size == "full" else 25
    base = Experiment(
        source=_G,
        dim=10_000 // scale,
        num_train=10_000 // scale,
        epsilon_per_root=per_root,
        epochs_f=1000,
        epochs_g=1000,
        rates_f=(1.0, 0.1),
        rates_g=(1.0, 0.1),
        scenario=scenario,
    )
    dims = (*range(100, 1001, 100), *range(2000, 10_001, 1000))
    sweeps = {
        "d": {d // scale: replace(base, dim=d // scale) for d in dims},
        "d_logistic": {d // scale: replace(base, dim=d // scale, loss="logistic") for d in dims},
        "N": {n // scale: replace(base, num_train=n // scale) for n in _COUNTS if n >= 2 * scale},
        **_common(base, root=math.sqrt(10_000 / scale), epochs_f=_TO_100),
    }
    return PublishedBlock(
        figure="G_a" if scenario == "a" and size == "full" else "", base=base, sweeps=sweeps
    )


def _images(source: str, scenario: str, size: Size) -> PublishedBlock:
    full = size == "full"
    base = Experiment(
        source={"source": source} if full else {"source": "digits"},
        # A row of the digits has norm √d, of MNIST about a third of that.
        epsilon_per_root=0.005 if full else 0.015,
        epochs_f=100,
        epochs_g=100,
        rates_f=(0.01, 0.001),
        rates_g=(0.01, 0.001),
        scenario=scenario,
    )
    root = 28.0 if full else 8.0
    sweeps = _common(base, root=root, epochs_f=_TO_100)
    # Up to .14 in scenario (a) and to 1.4 in (b), at full size.
    logistic = replace(base, loss="logistic")
    if scenario == "b":
        logistic = replace(logistic, epsilon_per_root=10 * base.epsilon_per_root)
    sweeps["eps_logistic"] = _sizes(logistic, root=root)
    return PublishedBlock(
        figure="MNIST_a" if full and source == "mnist" and scenario == "a" else "", base=base, sweeps=sweeps
    )


_MAKERS: dict[str, Callable[[Size], PublishedBlock]] = {
    "msg-a": _msg_a,
    "msg-b": _msg_b,
    "g-a": lambda size: _g("a", 0.001, size),
    "g-b": lambda size: _g("b", 0.1, size),
    "mnist-a": lambda size: _images("mnist", "a", size),
    "mnist-b": lambda size: _images("mnist", "b", size),
    "fmnist-a": lambda size: _images("fashion-mnist", "a", size),
    "fmnist-b": lambda size: _images("fashion-mnist", "b", size),
}
BLOCKS = tuple(_MAKERS)
