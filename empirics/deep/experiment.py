"""Pairs of networks of any depth or architecture: what is predicted before training, and what it gives.

Two predictions: the wide limit (Derivation 17), for fully connected networks, and the module linearised at
its initial weights, for every one.  Neither trains anything; the times are those of the networks that are
trained, of g on the inputs that f really gave.  Identity loss, full-batch descent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import nn

from empirics.data import DataSource
from empirics.deep.builtin import BUILT_IN, is_file, make_module, module_digest, placed
from empirics.deep.expected import HOWS, expected_error
from empirics.deep.modules import input_gradients, linearise, outputs, train_module
from empirics.deep.network import DeepNetwork
from empirics.measure import accuracy, agreement, cosines
from empirics.perturb import TARGETS, Targets, adversarial_inputs, draw_targets, normalised
from empirics.seeds import seeds_of
from empirics.sweep.experiment import Experiment
from empirics.sweep.outcome import Cell, Outcome
from empirics.sweep.plain import digest
from empirics.wide import config_to_json, config_with, data_content, keep_arrays, restore_arrays
from theory import agreement_probability
from theory.deep import Architecture
from theory.deep.kernels import diagonal, product, weighted_gradient
from theory.setting import SCENARIOS, Loss, Scenario
from theory.validation import Array, check_choice, check_integer, check_real

FULLY_CONNECTED = "fully-connected"


@dataclass(frozen=True, kw_only=True)
class DeepConfig:
    """A pair of networks: f trained on data, g, of the same or another architecture, on perturbations of f.

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.
    """

    data: DataSource
    width: int  # m of both networks
    depth: int = 1  # L of f; fully connected networks only, as the next two
    negative_slope: float = 0.0  # γ
    rates: Literal["first", "all"] = "first"  # which layers learn
    residual: float | None = None  # α of residual blocks
    module: str = FULLY_CONNECTED  # or a built-in module, or FILE.py:FUNCTION, then with its whole path
    depth_g: int | None = None  # of g; as those of f where they are not given
    negative_slope_g: float | None = None
    rates_g: Literal["first", "all"] | None = None
    module_g: str | None = None
    scenario: Scenario = "a"
    epsilon: float | None = None  # L2 norm of perturbations; None: √d
    # T_f and T_g: T|F| is this many times the initial deviation, in the median over test points.
    times: float = 2.0
    num_steps: int = 10
    targets: Targets = "random"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "num_steps"):
            check_integer(name, getattr(self, name), minimum=1)
        for name in ("module", "module_g"):
            module = getattr(self, name)
            if module is not None and not isinstance(module, str):
                msg = f"{name} must be the name of a built-in module or FILE.py:FUNCTION, got {module!r}"
                raise TypeError(msg)
            if module is not None and is_file(module):
                object.__setattr__(self, name, placed(module))
            elif module is not None:
                check_choice(name, module, (FULLY_CONNECTED, *BUILT_IN))
        _ = self.f, self.g  # architectures check their own fields
        own = {"": self.module, "_g": self.module_g}
        plain = {"depth": 1, "negative_slope": 0.0, "rates": "first"}
        for end, module in own.items():
            given = [n for n, v in plain.items() if getattr(self, n + end) not in (None, v)]
            if module not in (None, FULLY_CONNECTED) and given:
                msg = f"{given[0]}{end} must be left out with module{end} {module!r}, which has its own"
                raise ValueError(msg)
        check_choice("scenario", self.scenario, SCENARIOS)
        check_choice("targets", self.targets, TARGETS)
        check_real("times", self.times, minimum=0, exclusive=True)
        if self.epsilon is not None:
            check_real("epsilon", self.epsilon, minimum=0, exclusive=True)
        check_integer("seed", self.seed, minimum=0)

    @property
    def loss(self) -> Loss:
        """The loss, which predictions before training are about."""
        return "identity"

    @property
    def f(self) -> Architecture | str:
        """The architecture of f, or the name of its module."""
        return self._of(self.module, self.depth, self.negative_slope, self.rates)

    @property
    def g(self) -> Architecture | str:
        """The architecture of g, or the name of its module."""
        depth = self.depth if self.depth_g is None else self.depth_g
        slope = self.negative_slope if self.negative_slope_g is None else self.negative_slope_g
        return self._of(self.module_g or self.module, depth, slope, self.rates_g or self.rates)

    def _of(
        self, module: str, depth: int, slope: float, rates: Literal["first", "all"]
    ) -> Architecture | str:
        if module != FULLY_CONNECTED:
            return module
        return Architecture(depth=depth, negative_slope=slope, rates=rates, residual=self.residual)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values; the data source under its name."""
        return asdict(self) | {"data": {"source": self.data.name, **asdict(self.data)}}


def architecture_text(one: Architecture | str) -> str:
    """Return an architecture in words."""
    if isinstance(one, str):
        return f"module {Path(one).name}"
    slope = f", γ = {one.negative_slope:g}" if one.negative_slope else ""
    blocks = "" if one.residual is None else f", residual blocks with α = {one.residual:g}"
    return f"{one.depth} hidden {'layer' if one.depth == 1 else 'layers'}, rates {one.rates}{slope}{blocks}"


class _Network:
    """A network of one architecture on its training data, with what is predicted of it."""

    def __init__(
        self, architecture: Architecture | str, X: Array, y: Array, Z: Array, config: DeepConfig, seed: int
    ) -> None:
        self.architecture, self.X, self.y, self.Z, self.config = architecture, X, y, Z, config
        dim, width = X.shape[1], config.width
        self.module: nn.Module
        if isinstance(architecture, Architecture):
            self.module = DeepNetwork(architecture, dim=dim, width=width, seed=seed)
            self.rates: dict[str, float] | None = self.module.rates
        else:
            self.module, self.rates = make_module(architecture, dim=dim, width=width, seed=seed), None
        self.linear = linearise(self.module, X, y, rates=self.rates)

    @cached_property
    def T(self) -> float:  # noqa: N802
        """The flow time; for a module the root mean square of f(z; 0) takes the place of its deviation."""
        if isinstance(self.architecture, Architecture):
            size, velocity = np.median(self.deviation(self.Z)), self.velocity(self.Z)
        else:
            size = np.sqrt(np.mean(self.at(self.module, self.Z) ** 2))
            velocity = self.linear_velocity(self.Z)
        with np.errstate(divide="ignore", invalid="ignore"):
            time = float(self.config.times * size / np.median(np.abs(velocity)))
        if not 0 < time < math.inf:
            msg = (
                f"the flow time must be positive and finite, got {time:g}: at the test points the network "
                f"starts at {size:.3g} and moves by a median of {np.median(np.abs(velocity)):.3g} a time"
            )
            raise ValueError(msg)
        return time

    @cached_property
    def trained(self) -> nn.Module:
        """The network after training."""
        return train_module(
            self.module, self.X, self.y, T=self.T, num_steps=self.config.num_steps, rates=self.rates
        )

    def at(self, module: nn.Module, Z: Array) -> Array:
        """Return outputs of a module."""
        return np.asarray(outputs(module, Z).numpy())

    def linear_velocity(self, Z: Array) -> Array:
        """Return J(z) v."""
        return np.asarray(self.linear.velocity(Z).numpy())

    def gradients(self, module: nn.Module) -> Array:
        """Return ∇f at the samples."""
        return np.asarray(input_gradients(module, self.X).numpy())

    # The wide limit, of fully connected networks
    def velocity(self, Z: Array) -> Array:
        """Return F(z)."""
        return np.asarray(product(Z, self.X, self.y / len(self.y), self.wide, "tangent"))

    def deviation(self, Z: Array) -> Array:
        """Return the standard deviation of f(z; 0)."""
        return np.asarray(np.sqrt(diagonal(Z, self.wide).covariance[0]))

    @cached_property
    def direction(self) -> Array:
        """∇F at the samples."""
        return np.asarray(weighted_gradient(self.X, self.X, self.y / len(self.y), self.wide))

    @property
    def wide(self) -> Architecture:
        assert isinstance(self.architecture, Architecture)
        return self.architecture


def run_deep(configs: Sequence[DeepConfig], *, device: str = "cpu") -> Iterator[tuple[int, Outcome]]:
    """Run pairs of networks, each by itself; `device` is the CPU.

    Parameters
    ----------
    configs : sequence of DeepConfig
    device : str

    Yields
    ------
    index : int
    outcome : Outcome
    """
    check_choice("device", device, ("cpu",))
    for index, config in enumerate(configs):
        try:
            yield index, Outcome(record=measure_pair(config))
        except Exception as error:  # modules are code of anyone
            yield index, Outcome.failed(error)


def check_pair(config: DeepConfig) -> None:
    """Refuse a pair that cannot be trained, before any training: its data, and modules on them.

    Parameters
    ----------
    config : DeepConfig

    Raises
    ------
    ValueError
        As `measure_pair`.
    """
    data_seed, f_seed, g_seed, *_ = seeds_of(config.seed)
    data = config.data.load(data_seed)
    for architecture, seed in {config.f: f_seed, config.g: g_seed}.items():
        if isinstance(architecture, str):
            network = _Network(architecture, data.X, data.y, data.X_test, config, seed)
            _check_gradients(network.gradients(network.module))
            _ = network.T


def _check_gradients(gradients: Array) -> None:
    if not gradients.any():
        msg = "f must have input gradients, got 0 at all samples: is a part of it not differentiable?"
        raise ValueError(msg)


def measure_pair(config: DeepConfig) -> dict[str, Cell]:
    """Train f and g, and return what was predicted of them beside what came out.

    Parameters
    ----------
    config : DeepConfig

    Returns
    -------
    dict
        ``agreement_test``: the share of test points with equal signs.  ``linear_agreement_test``: the same
        for both modules linearised, with the perturbations of f at θ₀ + T v.  ``wide_agreement_test``: the
        mean chance of it from the initial weights of f alone, g being any network of infinite width; of fully
        connected f and g.  ``…_error_f``: relative root mean square error of (f(T) − f(0))/T, ``…_error_g``
        that of g given its inputs; ``departure_f``, ``departure_g``: of the squared error of the wide limit
        the share that is the departure of training from linearised training, against that of linearised
        training from the wide limit; ``expected_…_error``: the larger of both errors by
        `empirics.deep.expected`, where that is known; ``…_cosine``: of perturbations.

    Raises
    ------
    FloatingPointError
        If training diverges.
    ValueError
        If a module is none that this is about.

    Examples
    --------
    >>> from empirics import DeepConfig, ShiftedGaussianData, measure_pair
    >>> data = ShiftedGaussianData(dim=5, num_train=20, num_test=20, shift=0.5)
    >>> record = measure_pair(DeepConfig(data=data, width=64, depth=2))
    >>> 0 <= record["agreement_test"] <= 1
    True
    """
    data_seed, f_seed, g_seed, target_seed, _ = seeds_of(config.seed)
    data = config.data.load(data_seed)
    X, y, Z = data.X, data.y, data.X_test
    epsilon = math.sqrt(X.shape[1]) if config.epsilon is None else config.epsilon
    targets = draw_targets(len(X), kind=config.targets, rng=np.random.default_rng(target_seed))

    def inputs(directions: Array) -> Array:
        return adversarial_inputs(
            X, normalised(directions, targets, epsilon=epsilon), scenario=config.scenario
        )

    f = _Network(config.f, X, y, Z, config, f_seed)
    start, end = f.at(f.module, Z), f.at(f.trained, Z)
    pull = f.gradients(f.trained)
    _check_gradients(pull)
    g = _Network(config.g, inputs(pull), targets, Z, config, g_seed)
    g_start, g_end = g.at(g.module, Z), g.at(g.trained, Z)
    linear_pull = f.gradients(f.linear.moved(f.T))
    g_linear = _Network(config.g, inputs(linear_pull), targets, Z, config, g_seed)

    def lazy(network: _Network, points: Array, T: float) -> Array:
        return network.at(network.module, points) + T * network.linear_velocity(points)

    velocities = {"f": (end - start) / f.T, "g": (g_end - g_start) / g.T}
    found: dict[str, Cell] = {
        "T_f": f.T,
        "T_g": g.T,
        "accuracy_f_train": accuracy(f_at_X := f.at(f.trained, X), y),
        "accuracy_f_test": accuracy(end, data.y_test),
        "accuracy_g_train": accuracy(g_at_X := g.at(g.trained, X), y),
        "accuracy_g_test": accuracy(g_end, data.y_test),
        "agreement_train": agreement(f_at_X, g_at_X),
        "agreement_test": agreement(end, g_end),
        "mean_target": float(targets.mean()),
        "num_test": len(Z),
        "linear_agreement_test": agreement(lazy(f, Z, f.T), lazy(g_linear, Z, g.T)),
        "linear_accuracy_f_train": accuracy(lazy(f, X, f.T), y),
        "linear_accuracy_g_train": accuracy(lazy(g_linear, X, g.T), y),
        "linear_error_f": _relative(velocities["f"], f.linear_velocity(Z)),
        "linear_error_g": _relative(velocities["g"], g.linear_velocity(Z)),
        "linear_cosine": _mean_cosine(pull, linear_pull),
    }
    for how in HOWS:
        expected = [expected_error(how, one, config.width, config.times) for one in (config.f, config.g)]
        if None not in expected:
            found[f"expected_{how}_error"] = max(error for error in expected if error is not None)
    for name, network in (("f", f), ("g", g)):
        if isinstance(network.architecture, Architecture):
            found[f"wide_error_{name}"] = _relative(velocities[name], network.velocity(Z))
            found[f"departure_{name}"] = _departure(
                velocities[name], network.linear_velocity(Z), network.velocity(Z)
            )
    if isinstance(f.architecture, Architecture):
        initial = f.gradients(f.module)
        predicted = initial + f.T * f.direction
        found |= {
            "wide_cosine": _mean_cosine(pull, predicted),
            "trained_cosine": _mean_cosine(pull - initial, f.direction),
        }
        if isinstance(g.architecture, Architecture):
            foreseen = _Network(config.g, inputs(predicted), targets, Z, config, g_seed)
            chance = agreement_probability(
                start + f.T * f.velocity(Z), foreseen.velocity(Z), foreseen.deviation(Z), T_g=g.T
            )
            found["wide_agreement_test"] = float(np.mean(chance))
    return found


def _relative(found: Array, expected: Array) -> float:
    """Return the root mean square of the difference over that of what was expected."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.sqrt(np.mean((found - expected) ** 2) / np.mean(expected**2)))


def _departure(found: Array, linear: Array, limit: Array) -> float:
    """Return the share of what was found against linearised training, of this and that against the limit."""
    own, initial = (float(np.mean((A - B) ** 2)) for A, B in ((found, linear), (linear, limit)))
    return own / (own + initial) if own + initial > 0 else math.nan


def _mean_cosine(A: Array, B: Array) -> float:
    values = cosines(A, B)
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan


# The experiment of a sweep ---------------------------------------------------------------------------------


def _content(config: DeepConfig, known: dict[Any, str]) -> str | None:
    """Return a digest of the files that a configuration reads: of its data, and of modules of the user."""
    read = [data_content(config, known)]
    for name in (config.module, config.module_g or ""):
        if ("module", name) not in known:
            known["module", name] = module_digest(name) or ""
        read.append(known["module", name] or None)
    return digest(read) if any(read) else None


def _work(config: DeepConfig) -> int:
    rows, dim = (getattr(config.data, size, None) or 1 for size in ("num_train", "dim"))
    layers = config.depth + (config.depth_g or config.depth)
    return config.num_steps * rows * config.width * (dim + layers * config.width)


DEEP = Experiment(
    name="deep",
    version=2,
    make=partial(config_with, DeepConfig),
    to_json=config_to_json,
    run=run_deep,
    key=repr,  # none share work
    work=_work,
    content=_content,
    keep=keep_arrays,
    restore=restore_arrays,
)
