"""Pairs of networks: f trained on data, g on perturbations of f; each f once, each g along one trajectory.

What is measured on a pair is in `empirics.families`, as a row of a sweep, and in `empirics.experiment`, in
more depth.
"""

import json
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain
from typing import Any, Literal, TypeVar

import numpy as np
import torch

import theory
from empirics.config import ExperimentConfig
from empirics.descent import Trained
from empirics.measure import NeuronCounts, cosines, count_neurons, evaluate
from empirics.model import as_array, as_tensor
from empirics.perturb import adversarial_inputs, draw_targets, normalised, perturb
from empirics.quadratic import Integers
from empirics.seeds import seeds_of
from empirics.solvers import Stop, learning_rate, stop_f, stop_g, stops_before, train_to
from theory.setting import LIPSCHITZ
from theory.validation import Array

# What one experiment can fail with while others of its family are sound.
EXPECTED = (ArithmeticError, ValueError, MemoryError, RuntimeError)

# Training points at which predictions are compared with labels; measurements take all.
_MOST = 2000

_T = TypeVar("_T")

# Fields that neither the data nor the initial f depends on.
_OF_G = ("scenario", "epsilon", "T_g", "targets", "num_steps_g")
_OF_STOP = ("T_f", "num_steps")


def family_key(config: ExperimentConfig) -> str:
    """Return text that is the same for experiments with the same data, initial f and optimiser."""
    fields = config.to_json() | {"kind": type(config.data).__name__}
    for name in (*_OF_G, *_OF_STOP):
        del fields[name]
    return json.dumps(fields, sort_keys=True)


class Family:
    """The data, and what the theory says of f whatever its time."""

    def __init__(self, config: ExperimentConfig, device: str) -> None:
        self.config, self.device = config, device
        data_seed, self.f_seed, self.g_seed, self.target_seed, self.untrained_seed = seeds_of(config.seed)
        self.dataset = config.data.load(data_seed)
        self.slope = config.negative_slope
        self.X, self.y = self.dataset.X, self.dataset.y
        self.samples = Samples(self.X, self.dataset.X_test)
        self._known: dict[Hashable, Any] = {}

    def once(self, key: Hashable, compute: Callable[[], _T]) -> _T:
        """Return what is computed at the first call with this key: numbers of a few points, not networks."""
        if key not in self._known:
            self._known[key] = compute()
        known: _T = self._known[key]
        return known

    def there(self, values: Array) -> Any:  # noqa: ANN401
        """Return an array where the theory is computed: as it is, or on the device of the networks."""
        return values if self.device == "cpu" else as_tensor(values, dtype=torch.float64, device=self.device)

    def trained(
        self, stops: Iterable[Stop], X: Array, y: Array, *, seed: int
    ) -> dict[Stop, Trained | Exception]:
        """Train along one trajectory; where it breaks down, each stop by itself."""
        stops = list(dict.fromkeys(stops))
        try:
            return dict(train_to(stops, X, y, self.config, seed=seed, device=self.device))
        except EXPECTED as error:
            if len(stops) == 1:
                return {stops[0]: error}
        results: dict[Stop, Trained | Exception] = {}
        for stop in stops:
            results |= self.trained([stop], X, y, seed=seed)
        return results

    @cached_property
    def shown(self) -> Integers:
        """At most `_MOST` training points, evenly spaced: sorted data keep the shares of their classes."""
        N = len(self.dataset.X)
        return np.linspace(0, N - 1, min(N, _MOST)).astype(np.int64)

    def at_points(self, function: Callable[[Array], Array]) -> tuple[Array, Array]:
        """Return values at the training points that are shown, and at the test points."""
        return function(self.dataset.X[self.shown]), function(self.dataset.X_test)

    @cached_property
    def f_b(self) -> tuple[Array, Array]:
        """f_b at the points."""
        return self.g_b(self.X, self.y)  # the same sum

    def g_b(self, X_adv: Array, y_adv: Array) -> tuple[Array, Array]:
        """Return g_b at the points."""
        given = {"X_adv": self.there(X_adv), "y_adv": self.there(y_adv), "negative_slope": self.slope}
        return self.at_points(lambda Z: _array(theory.g_predict(self.there(Z), **given)))

    @cached_property
    def gradient(self) -> Array:
        """∇f_b at the training points."""
        return self.published_direction + self._direction("kink")

    @cached_property
    def published_direction(self) -> Array:
        """The published u at the training points."""
        return self._direction("paper")

    def _direction(self, kind: Literal["paper", "kink"]) -> Array:
        X, y = self.there(self.X), self.there(self.y)
        return _array(theory.perturbation_direction(X=X, y=y, kind=kind, negative_slope=self.slope))

    @cached_property
    def class_direction(self) -> Array:
        """The unit vector from the mean of class −1 to that of class +1; 0 if they are equal."""
        X, y = self.X, self.y
        if len(set(y)) < 2:
            return np.zeros(X.shape[1])
        difference = X[y > 0].mean(axis=0) - X[y < 0].mean(axis=0)
        return np.asarray(difference / (np.linalg.norm(difference) or 1.0))


def _array(values: Any) -> Array:  # noqa: ANN401
    """Return values of any device as an array."""
    return np.asarray(as_array("values", values))


class Samples:
    """What a network is trained on, and κ of it at the points Z."""

    def __init__(self, X: Array, Z: Array) -> None:
        self.X, self.Z = X, Z

    @cached_property
    def kappa(self) -> Array:
        """κ(z)."""
        return theory.kappa(self.Z, X=self.X)


class Network:
    """A trained network, and what is measured on it alone."""

    def __init__(self, family: Family, trained: Trained, samples: Samples, name: str) -> None:
        self.family, self.trained, self.samples, self.name = family, trained, samples, name

    @cached_property
    def on_train(self) -> Array:
        """Outputs at the clean training points."""
        return evaluate(self.trained.final, self.family.dataset.X)

    @cached_property
    def on_test(self) -> Array:
        """Outputs at the test points.

        Raises
        ------
        FloatingPointError
            If one is not finite.
        """
        outputs = self.counts.final
        if not np.isfinite(outputs).all():
            precision = self.family.config.precision
            msg = f"outputs of {self.name} must be finite, got some that are not in {precision}"
            raise FloatingPointError(msg)
        return outputs

    @property
    def lipschitz(self) -> float:
        """L of the loss; infinite where there is no law of free neurons."""
        return LIPSCHITZ[self.trained.loss]

    @cached_property
    def tau(self) -> Array:
        """τ(z) at the test points."""
        s = theory.preactivation_scale(self.family.dataset.X_test)
        tau = self.lipschitz * self.trained.T * self.samples.kappa / (s * np.sqrt(self.trained.final.width))
        return np.asarray(tau)

    @cached_property
    def free(self) -> Array:
        """The expected share of free neurons at the test points."""
        return theory.free_fraction(
            T=self.trained.T,
            kappa=self.samples.kappa,
            s=theory.preactivation_scale(self.family.dataset.X_test),
            width=self.trained.final.width,
            lipschitz=self.lipschitz,
        )

    @cached_property
    def counts(self) -> NeuronCounts:
        """Numbers of free neurons and of those that flipped at the test points, and outputs there."""
        Z = self.family.dataset.X_test
        if np.isfinite(self.lipschitz):
            return count_neurons(self.trained, Z, self.samples.kappa)
        weights = np.asarray(self.trained.sample_weights)  # every solver records them
        reach = theory.weighted_kappa(Z, X=self.samples.X, weights=weights)
        return count_neurons(self.trained, Z, reach=reach)


class Perturbed:
    """Perturbations of one f, and what is said of any g on them from the data and initial weights.

    Raises
    ------
    FloatingPointError
        On construction, if a gradient is not finite, or an input of g does not fit its precision.

    Attributes
    ----------
    gradients : array, shape (N, d)
        ∇f at the training points, which are large; none, shape (0, d), unless they are asked for.  0 where
        there are no perturbations.
    """

    def __init__(self, f: Network, config: ExperimentConfig, *, gradients: bool = False) -> None:
        self.family, self.f, self.config = f.family, f, config
        X = self.family.dataset.X
        self.epsilon = float(np.sqrt(X.shape[1])) if config.epsilon is None else config.epsilon
        rng = np.random.default_rng(self.family.target_seed)
        self.y_adv = draw_targets(len(X), kind=config.targets, rng=rng)
        self.R, found = np.zeros_like(X), np.zeros_like(X)
        if self.epsilon > 0:
            made = perturb(f.trained.final, X, self.y_adv, epsilon=self.epsilon)
            self.R, found = made.R, made.gradients
        self.gradients = found if gradients else found[:0].copy()
        self.X_adv = adversarial_inputs(X, self.R, scenario=config.scenario)
        if np.abs(self.X_adv).max() > np.finfo(config.precision).max:
            msg = f"epsilon must keep the inputs of g within {config.precision}, got {self.epsilon:g}"
            raise FloatingPointError(msg)
        self.samples = Samples(self.X_adv, self.family.dataset.X_test)
        self._key = config.scenario, self.epsilon, config.targets  # what no network enters

    def inputs(self, directions: Array) -> Array:
        """Return the inputs of g whose perturbations have these directions."""
        R = normalised(directions, self.y_adv, epsilon=self.epsilon)
        return adversarial_inputs(self.family.dataset.X, R, scenario=self.config.scenario)

    @cached_property
    def given(self) -> tuple[Array, Array]:
        """g_b at the points."""
        return self.family.g_b(self.X_adv, self.y_adv)

    @cached_property
    def wide(self) -> tuple[Array, Array]:
        """g_b at the points for perturbations along ∇f_b: nothing is trained."""
        return self.family.once(
            ("wide", *self._key), lambda: self.family.g_b(self.inputs(self.family.gradient), self.y_adv)
        )

    @cached_property
    def mean_cosines(self) -> tuple[float, float]:
        """Mean |cos| of the perturbations that are not 0 with the published u, and with ∇f_b."""
        directions = self.family.published_direction, self.family.gradient
        values = [np.abs(cosines(self.R, direction)) for direction in directions]
        u, derived = (float(c[known].mean()) if (known := np.isfinite(c)).any() else np.nan for c in values)
        return u, derived

    @property
    def initial_gradients(self) -> Array:
        """∇f(x; 0) at the training points."""
        network = self.f.trained.initial
        points = as_tensor(self.family.dataset.X, dtype=network.weight.dtype, device=network.weight.device)
        return _array(network.input_gradients(points))

    @property
    def lazy_directions(self) -> Array:
        """∇f(x; 0) + T_f ∇f_b(x): directions of perturbations in the lazy limit."""
        return self.initial_gradients + self.f.trained.T * self.family.gradient

    @cached_property
    def lazy(self) -> tuple[Array, Array]:
        """g_b at the points for perturbations along these."""
        return self.family.once(
            ("lazy", *self._key, self.f.trained.T),
            lambda: self.family.g_b(self.inputs(self.lazy_directions), self.y_adv),
        )

    def two_point(self, stops: tuple[Stop, ...]) -> dict[Stop, tuple[Array, Array] | Exception]:
        """G at the points if perturbations are all ± one vector, along the mean of those directions.

        In scenario (a) it sees two samples then, whatever N is.  The stops are of one learning rate.
        """

        def compute() -> dict[Stop, tuple[Array, Array] | Exception]:
            same = np.broadcast_to(self.lazy_directions.mean(axis=0), self.family.dataset.X.shape)
            found = self.family.trained(stops, self.inputs(same), self.y_adv, seed=self.family.g_seed)
            return {
                stop: g if isinstance(g, Exception) else self.family.at_points(partial(evaluate, g.final))
                for stop, g in found.items()
            }

        return self.family.once(("two_point", *self._key, self.f.trained.T, stops), compute)


@dataclass(frozen=True, kw_only=True, eq=False)
class Pair:
    """f trained on data, and g trained on perturbations of it."""

    config: ExperimentConfig
    perturbed: Perturbed
    g: Network
    stops: tuple[Stop, ...]  # of all g on its trajectory
    path: tuple[Trained, ...] = ()  # g at earlier stops


def pairs(
    configs: Sequence[ExperimentConfig],
    *,
    device: str = "cpu",
    earlier: bool = False,
    gradients: bool = False,
) -> Iterator[tuple[int, Pair | Exception]]:
    """Train the pairs of one family.

    Parameters
    ----------
    configs : sequence of ExperimentConfig
        Of one `family_key`.
    device : str
        Where networks are trained by descent: "cpu" or "cuda".
    earlier : bool
        Whether g is kept at some earlier stops, too.
    gradients : bool
        Whether those of f are.

    Yields
    ------
    index : int
        Of a configuration.
    pair : Pair or Exception
        The same whichever others it comes with, as soon as its g is trained; or why there is none.

    Raises
    ------
    ValueError
        If the configurations are of several families, or their data cannot be loaded.
    """
    if len({family_key(config) for config in configs}) != 1:
        msg = f"configs must be of one family, got {len({family_key(config) for config in configs})}"
        raise ValueError(msg)
    family = Family(configs[0], device)
    by_index = dict(enumerate(configs))
    for one_rate in _groups(by_index, lambda config: learning_rate(config, stop_f(config))):
        stops = map(stop_f, one_rate.values())
        for stop, f in family.trained(stops, family.X, family.y, seed=family.f_seed).items():
            network = f if isinstance(f, Exception) else Network(family, f, family.samples, "f")
            one_f = {index: config for index, config in one_rate.items() if stop_f(config) == stop}
            for group in _groups(one_f, _perturbations):
                yield from _trained_on_one(network, group, earlier=earlier, gradients=gradients)


def _perturbations(config: ExperimentConfig) -> Hashable:
    """Return what g is trained on."""
    return config.scenario, config.epsilon, config.targets


def _groups(
    configs: Mapping[int, ExperimentConfig], key: Callable[[ExperimentConfig], Hashable]
) -> Iterable[dict[int, ExperimentConfig]]:
    found: dict[Hashable, dict[int, ExperimentConfig]] = {}
    for index, config in configs.items():
        found.setdefault(key(config), {})[index] = config
    return found.values()


def _trained_on_one(
    f: Network | Exception, configs: Mapping[int, ExperimentConfig], *, earlier: bool, gradients: bool
) -> Iterator[tuple[int, Pair | Exception]]:
    """Train g on one set of perturbations, along one trajectory for each learning rate."""
    try:
        if isinstance(f, Exception):
            raise f
        on = Perturbed(f, next(iter(configs.values())), gradients=gradients)
    except EXPECTED as error:
        yield from ((index, error) for index in configs)
        return
    for group in _groups(configs, lambda config: learning_rate(config, stop_g(config))):
        before = {config: stops_before(stop_g(config)) if earlier else () for config in group.values()}
        stops = tuple(map(stop_g, group.values()))
        trained = f.family.trained(
            [*stops, *chain.from_iterable(before.values())], on.X_adv, on.y_adv, seed=f.family.g_seed
        )
        for index, config in group.items():
            g = trained[stop_g(config)]
            if isinstance(g, Exception):
                yield index, g
                continue
            path = (found for stop in before[config] if isinstance(found := trained[stop], Trained))
            network = Network(f.family, g, on.samples, "g")
            yield index, Pair(config=config, perturbed=on, g=network, stops=stops, path=tuple(path))
