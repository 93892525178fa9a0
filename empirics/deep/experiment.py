"""Pairs of networks of any depth or architecture: what is predicted before training, and what it gives.

Two predictions: the wide limit (Derivation 17), for fully connected networks, and the module linearised at
its initial weights, for every one.  Neither trains anything, and both take the steps that training takes.
Times too are set before training: that of g from the inputs that f, linearised, will give.  Full-batch
descent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from empirics.data import DataSource
from empirics.deep.builtin import check_module, make_module, module_digest, placed
from empirics.deep.expected import HOWS, expected_error
from empirics.deep.modules import (
    Linearised,
    checked_problem,
    input_gradients,
    linearise,
    outputs,
    train_module,
)
from empirics.deep.network import DeepNetwork
from empirics.measure import accuracy, agreement, cosines
from empirics.measure.times import law_of_times
from empirics.model import as_tensor
from empirics.perturb import TARGETS, Targets, adversarial_inputs, draw_targets, normalised
from empirics.seeds import seeds_of
from empirics.sweep.experiment import Experiment
from empirics.sweep.outcome import Cell, Outcome
from empirics.sweep.plain import digest
from empirics.wide import config_to_json, config_with, data_content, keep_arrays, restore_arrays, sizes
from theory import agreement_probability
from theory.deep import Architecture, nngp, ntk
from theory.deep.kernels import diagonal, product, weighted_gradient
from theory.lazy.losses import SLOPE
from theory.lazy.solvers import descent
from theory.setting import LOSSES, SCENARIOS, Loss, Scenario, learning_rate_for
from theory.validation import Array, check_choice, check_integer, check_real, check_slope

FULLY_CONNECTED = "fully-connected"
_DRAWS = 1000  # untrained networks, whose shares of agreement vary by .1 or so: their mean by .003


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
    # T_f and T_g: with the identity loss T|F| is this many times the initial deviation, in the median over
    # test points.
    times: float = 2.0
    T_f: float | None = None  # flow times in place of those
    T_g: float | None = None
    # Other pairs, drawn and not trained, beside which this one is put at these times; see `measure_times`.
    untrained: int = 0
    num_steps: int = 10
    momentum: float = 0.0  # of heavy-ball descent
    loss: Loss = "identity"
    targets: Targets = "random"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "num_steps"):
            check_integer(name, getattr(self, name), minimum=1)
        for name in ("module", "module_g"):
            module = getattr(self, name)
            if module is not None:
                object.__setattr__(self, name, placed(check_module(name, module, FULLY_CONNECTED)))
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
        check_choice("loss", self.loss, LOSSES)
        check_slope("momentum", self.momentum)
        check_real("times", self.times, minimum=0, exclusive=True)
        for name in ("T_f", "T_g"):
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), minimum=0)
        check_integer("untrained", self.untrained, minimum=0)
        if self.untrained and (None in (self.T_f, self.T_g) or self.f != self.g or isinstance(self.f, str)):
            msg = (
                "untrained needs T_f, T_g and fully connected f and g of one architecture, got "
                f"T_f={self.T_f}, T_g={self.T_g} and {self.f}, {self.g}"
            )
            raise ValueError(msg)
        if self.epsilon is not None:
            check_real("epsilon", self.epsilon, minimum=0, exclusive=True)
        check_integer("seed", self.seed, minimum=0)

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
        """Return the fields as plain JSON values; the data source under its name.

        Without times and untrained pairs that are not asked for: results are filed under what this returns.
        """
        later = {"T_f": None, "T_g": None, "untrained": 0}
        found = asdict(self) | {"data": {"source": self.data.name, **asdict(self.data)}}
        return {name: value for name, value in found.items() if value != later.get(name, ...)}


def architecture_text(one: Architecture | str) -> str:
    """Return an architecture in words."""
    if isinstance(one, str):
        return f"module {Path(one).name}"
    slope = f", γ = {one.negative_slope:g}" if one.negative_slope else ""
    blocks = "" if one.residual is None else f", residual blocks with α = {one.residual:g}"
    learns = {"first": "training the first layer", "all": "training all layers"}
    rates = learns.get(str(one.rates), f"rates {one.rates}")
    return f"{one.depth} hidden {'layer' if one.depth == 1 else 'layers'}, {rates}{slope}{blocks}"


class Network:
    """A network of one architecture on its training data, with what is predicted of it."""

    def __init__(
        self,
        architecture: Architecture | str,
        X: Array,
        y: Array,
        Z: Array,
        config: DeepConfig,
        seed: int,
        T: float | None = None,
    ) -> None:
        self.architecture, self.X, self.y, self.Z, self.config = architecture, X, y, Z, config
        dim, width = X.shape[1], config.width
        self.module: nn.Module
        if isinstance(architecture, Architecture):
            self.module = DeepNetwork(architecture, dim=dim, width=width, seed=seed)
            self.rates: dict[str, float] | None = self.module.rates
        else:
            self.module, self.rates = make_module(architecture, dim=dim, width=width, seed=seed), None
            checked_problem(self.module, X, y)
        self.start = self.at(self.module, Z)
        self.T = config.times * self._unit if T is None else T

    @cached_property
    def _unit(self) -> float:
        """The flow time in which outputs grow by the initial size, of a module a root mean square."""
        if isinstance(self.architecture, Architecture):
            size, velocity = np.median(self.deviation), self.wide_product(self.y / len(self.y))
        else:
            size = np.sqrt(np.mean(self.start**2))
            lazy = linearise(self.module, self.X, self.y, rates=self.rates)
            velocity = np.asarray(lazy.velocity(self.Z).numpy())
        with np.errstate(divide="ignore", invalid="ignore"):
            unit = float(size / np.median(np.abs(velocity)))
        if not 0 < self.config.times * unit < math.inf:
            msg = (
                f"the flow time must be positive and finite, got {self.config.times * unit:g}: at the test "
                f"points the network starts at {size:.3g} and moves by a median of "
                f"{np.median(np.abs(velocity)):.3g} a time"
            )
            raise ValueError(msg)
        return unit

    @property
    def times(self) -> float:
        """How many times the initial size outputs grow by, in the median."""
        return self.T / self._unit

    @property
    def _training(self) -> dict[str, Any]:
        """How it is trained, as `train_module` and `linearise` take it."""
        config = self.config
        schedule = {"T": self.T, "num_steps": config.num_steps, "momentum": config.momentum}
        # What is not trained is the same with any loss.
        return {**schedule, "loss": config.loss if self.T else "identity", "rates": self.rates}

    @cached_property
    def trained(self) -> nn.Module:
        """The network after training."""
        return train_module(self.module, self.X, self.y, **self._training)

    @cached_property
    def end(self) -> Array:
        """f(z; T)."""
        return self.at(self.trained, self.Z)

    @property
    def change(self) -> Array:
        """f(z; T) − f(z; 0)."""
        return self.end - self.start

    def at(self, module: nn.Module, Z: Array) -> Array:
        """Return outputs of a module."""
        values = np.asarray(outputs(module, Z).numpy())
        if not np.isfinite(values).all():
            msg = "training diverged: outputs are not finite"
            raise FloatingPointError(msg)
        return values

    def active(self, module: nn.Module) -> NDArray[np.bool_]:
        """Return which neurons of fully connected networks are active at the test points."""
        assert isinstance(module, DeepNetwork)
        return np.asarray(module.active(as_tensor(self.Z, dtype=torch.float32)).numpy())

    def gradients(self, module: nn.Module) -> Array:
        """Return ∇f at the samples."""
        return np.asarray(input_gradients(module, self.X).numpy())

    # The module linearised
    @cached_property
    def lazy(self) -> Linearised:
        """The module linearised, in the direction of its training."""
        return linearise(self.module, self.X, self.y, **self._training)

    @cached_property
    def lazy_change(self) -> Array:
        """T J(z) v."""
        return np.asarray(self.T * self.lazy.velocity(self.Z).numpy())

    def lazy_at(self, points: Array) -> Array:
        """Return what the module linearised gives at points."""
        return self.at(self.module, points) + self.T * np.asarray(self.lazy.velocity(points).numpy())

    # The wide limit, of fully connected networks
    @property
    def wide(self) -> Architecture:
        """The architecture, which has a wide limit."""
        assert isinstance(self.architecture, Architecture)
        return self.architecture

    @cached_property
    def deviation(self) -> Array:
        """The standard deviation of f(z; 0)."""
        return np.asarray(np.sqrt(diagonal(self.Z, self.wide).covariance[0]))

    def wide_product(self, weights: Array) -> Array:
        """Return Θ(z, X) times weights."""
        return np.asarray(product(self.Z, self.X, weights, self.wide, "tangent"))

    @cached_property
    def _signed_kernel(self) -> Array:
        return np.asarray(ntk(self.X, architecture=self.wide) * np.outer(self.y, self.y) / len(self.y))

    def wide_weights(self, initial: Array) -> Array:
        """Return β_n y_n/N of networks of infinite width with the given f(X; 0), one a row."""
        config, margins = self.config, self.y * initial
        if config.loss == "identity" or self.T == 0:
            beta = np.full_like(margins, self.T)
        else:
            step = learning_rate_for(self.T, config.num_steps, momentum=config.momentum)
            slope = SLOPE[config.loss]
            beta = descent(self._signed_kernel, margins, step, config.num_steps, config.momentum, slope)
        return np.asarray(beta * self.y / len(self.y))

    @cached_property
    def own_weights(self) -> Array:
        """`wide_weights` of this network."""
        return np.asarray(self.wide_weights(self.at(self.module, self.X)[None])[0])

    @cached_property
    def wide_change(self) -> Array:
        """The limit of f(z; T) − f(z; 0) given f(X; 0)."""
        return self.wide_product(self.own_weights)

    @cached_property
    def wide_pull(self) -> Array:
        """The limit of ∇f(x; T) − ∇f(x; 0) at the samples, given f(X; 0)."""
        return np.asarray(weighted_gradient(self.X, self.X, self.own_weights, self.wide))

    def wide_agreement(self, f: Array, seed: int) -> float:
        """Return the mean chance that the signs of f are those of a network of infinite width, any of them.

        f(·; 0) is Gaussian.  With the identity and the squared loss f(z; T) is affine in it, hence Gaussian;
        with the others the mean is one over draws.
        """
        config, N = self.config, len(self.X)
        if config.loss == "identity":
            chance = agreement_probability(f, self.wide_change, self.deviation, T_g=1.0)
            return float(np.mean(chance))
        K = nngp(np.concatenate([self.X, self.Z]), architecture=self.wide)
        to_Z = ntk(self.Z, self.X, architecture=self.wide)
        if config.loss == "squared":
            from_zero = self.wide_weights(np.zeros((1, N)))
            affine = np.hstack([to_Z @ (self.wide_weights(np.eye(N)) - from_zero).T, np.eye(len(self.Z))])
            variance = np.einsum("qn,nq->q", affine @ K, affine.T)
            deviation = np.sqrt(np.maximum(variance, np.finfo(np.float64).tiny))
            return float(np.mean(agreement_probability(f, to_Z @ from_zero[0], deviation, T_g=1.0)))
        values, vectors = np.linalg.eigh(K)
        root = vectors * np.sqrt(np.maximum(values, 0))
        drawn = np.random.default_rng(seed).standard_normal((_DRAWS, len(K))) @ root.T
        ends = drawn[:, N:] + self.wide_weights(drawn[:, :N]) @ to_Z.T
        return float(np.mean(np.sign(ends) == np.sign(f)))


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
            yield index, Outcome(record=(measure_times if config.untrained else measure_pair)(config))
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
            network = Network(architecture, data.X, data.y, data.X_test, config, seed)
            _check_gradients(network.gradients(network.module))


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
        connected f and g.  ``…_error_f``: relative root mean square error of f(T) − f(0), ``…_error_g``
        that of g given its inputs; ``departure_f``, ``departure_g``: of the squared error of the wide limit
        the share that is the departure of training from linearised training, against that of linearised
        training from the wide limit; ``expected_…_error``: the larger of both errors by
        `empirics.deep.expected`, where that is known; ``…_cosine``: of perturbations.  Nothing that is
        trained enters a prediction of agreement, nor ``T_f`` and ``T_g``.

    Raises
    ------
    FloatingPointError
        If training diverges; with the squared loss before it begins.
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
    data_seed, f_seed, g_seed, target_seed, untrained_seed = seeds_of(config.seed)
    data = config.data.load(data_seed)
    X, y, Z = data.X, data.y, data.X_test
    epsilon = math.sqrt(X.shape[1]) if config.epsilon is None else config.epsilon
    targets = draw_targets(len(X), kind=config.targets, rng=np.random.default_rng(target_seed))

    def g_on(directions: Array, T: float | None = None) -> Network:
        """Return g on the perturbations along input gradients of f."""
        R = normalised(directions, targets, epsilon=epsilon)
        inputs = adversarial_inputs(X, R, scenario=config.scenario)
        return Network(config.g, inputs, targets, Z, config, g_seed, T)

    f = Network(config.f, X, y, Z, config, f_seed, config.T_f)
    pull, linear_pull = f.gradients(f.trained), f.gradients(f.lazy.moved(f.T))
    _check_gradients(pull)
    g_linear = g_on(linear_pull, config.T_g)
    g = g_on(pull, g_linear.T)
    found: dict[str, Cell] = {
        "T_f": f.T,
        "T_g": g.T,
        "accuracy_f_train": accuracy(f_at_X := f.at(f.trained, X), y),
        "accuracy_f_test": accuracy(f.end, data.y_test),
        "accuracy_g_train": accuracy(g_at_X := g.at(g.trained, X), y),
        "accuracy_g_test": accuracy(g.end, data.y_test),
        "agreement_train": agreement(f_at_X, g_at_X),
        "agreement_test": agreement(f.end, g.end),
        "mean_target": float(targets.mean()),
        "num_test": len(Z),
        "linear_agreement_test": agreement(f.start + f.lazy_change, g_linear.start + g_linear.lazy_change),
        "linear_accuracy_f_train": accuracy(f.lazy_at(X), y),
        "linear_accuracy_g_train": accuracy(g_linear.lazy_at(X), y),
        "linear_error_f": _relative(f.change, f.lazy_change),
        "linear_error_g": _relative(g.change, g.lazy_change),
        "linear_cosine": _mean_cosine(pull, linear_pull),
    }
    grown = [config.times if T is None else one.times for T, one in ((config.T_f, f), (config.T_g, g_linear))]
    for how in HOWS if config.loss == "identity" else ():
        expected = [expected_error(how, one, config.width, max(grown)) for one in (config.f, config.g)]
        if None not in expected:
            found[f"expected_{how}_error"] = max(error for error in expected if error is not None)
    for name, network in (("f", f), ("g", g)):
        if isinstance(network.architecture, Architecture):
            found[f"wide_error_{name}"] = _relative(network.change, network.wide_change)
            found[f"departure_{name}"] = _departure(network.change, network.lazy_change, network.wide_change)
    if isinstance(f.architecture, Architecture):
        initial = f.gradients(f.module)
        predicted = initial + f.wide_pull
        found |= {
            "wide_cosine": _mean_cosine(pull, predicted),
            "trained_cosine": _mean_cosine(pull - initial, f.wide_pull),
        }
        if isinstance(g.architecture, Architecture):
            any_g = g_on(predicted, g.T)
            found["wide_agreement_test"] = any_g.wide_agreement(f.start + f.wide_change, untrained_seed)
    return found


def measure_times(config: DeepConfig) -> dict[str, Cell]:
    """Train f and g for given times, and return their agreement beside what is known before.

    Parameters
    ----------
    config : DeepConfig
        With times, and a number of untrained pairs.

    Returns
    -------
    dict
        ``agreement_test``: the share of test points with equal signs.  ``law_…_test``: as
        `empirics.measure.times.law_of_times`.  ``given_agreement_test``: the share in the wide limit, from
        the initial weights of f and g, by the same steps; ``others_agreement_test``: the mean of that over
        the untrained pairs, which share nothing but the data with this one.  Its expectation over
        networks and targets is that of ``given_…``, so that ``agreement_test − given_… + others_…`` has
        that of ``agreement_test``, with less of the noise of initial networks.  ``flipped_…``: the share of
        neurons of all layers that change their sign at the test points.

    Raises
    ------
    FloatingPointError, ValueError
        As `measure_pair`.

    Examples
    --------
    >>> from empirics import DeepConfig, ShiftedGaussianData
    >>> from empirics.deep.experiment import measure_times
    >>> data = ShiftedGaussianData(dim=5, num_train=20, num_test=20, shift=0.5)
    >>> record = measure_times(DeepConfig(data=data, width=500, T_f=1.0, T_g=1.0, untrained=2))
    >>> abs(record["agreement_test"] - record["given_agreement_test"]) < 0.2
    True
    """
    data_seed, *own, untrained_seed = seeds_of(config.seed)
    data = config.data.load(data_seed)
    Z = data.X_test
    epsilon = math.sqrt(Z.shape[1]) if config.epsilon is None else config.epsilon

    def pair(seeds: Sequence[int]) -> tuple[Network, Callable[[Array], Network], float]:
        """Return f, what makes g of its gradients, and their agreement in the wide limit."""
        f_seed, g_seed, target_seed = seeds
        targets = draw_targets(len(data.X), kind=config.targets, rng=np.random.default_rng(target_seed))
        f = Network(config.f, data.X, data.y, Z, config, f_seed, config.T_f)

        def g_on(directions: Array) -> Network:
            R = normalised(directions, targets, epsilon=epsilon)
            inputs = adversarial_inputs(data.X, R, scenario=config.scenario)
            return Network(config.g, inputs, targets, Z, config, g_seed, config.T_g)

        wide = g_on(f.gradients(f.module) + f.wide_pull)
        return f, g_on, agreement(f.start + f.wide_change, wide.start + wide.wide_change)

    f, g_on, given = pair(own)
    g = g_on(f.gradients(f.trained))
    others = np.random.SeedSequence(untrained_seed).generate_state(3 * config.untrained).reshape(-1, 3)
    found: dict[str, Cell] = {
        "accuracy_f_train": accuracy(f.at(f.trained, data.X), data.y),
        "accuracy_f_test": accuracy(f.end, data.y_test),
        "accuracy_g_train": accuracy(g.at(g.trained, data.X), data.y),
        "accuracy_g_test": accuracy(g.end, data.y_test),
        "agreement_test": agreement(f.end, g.end),
        "given_agreement_test": given,
        "others_agreement_test": float(np.mean([pair([int(word) for word in one])[2] for one in others])),
        "num_test": len(Z),
    }
    for name, network in (("f", f), ("g", g)):
        before, after = (network.active(module) for module in (network.module, network.trained))
        found[f"flipped_{name}"] = float(np.mean(before != after))
    return found | law_of_times(
        data,
        T_f=f.T,
        T_g=g.T,
        loss=config.loss,
        seed=untrained_seed,
        num_networks=config.untrained,
        epsilon=epsilon,
        targets=config.targets,
        architecture=f.wide,
        scenario=config.scenario,
    )


def _relative(found: Array, expected: Array) -> float:
    """Return the root mean square of the difference over that of what was expected, 0 where both are 0."""
    if not (found.any() or expected.any()):
        return 0.0
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
    rows, dim = sizes(config.data)
    layers = config.depth + (config.depth_g or config.depth)
    return config.num_steps * rows * config.width * (dim + layers * config.width)


DEEP = Experiment(
    name="deep",
    version=2,  # of a result: 2 sets T_g before training
    make=partial(config_with, DeepConfig),
    to_json=config_to_json,
    run=run_deep,
    key=repr,  # none share work
    work=_work,
    content=_content,
    keep=keep_arrays,
    restore=restore_arrays,
)
