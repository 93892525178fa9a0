"""Experiments that share data and initial f: each f is trained once, each g along one trajectory.

`run_family` measures what a sweep records: accuracies, agreement, cosines, the regime, and predictions of g
for which neither f nor its perturbations are trained.  `empirics.experiment.run` measures one experiment in
more depth.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

import theory
from empirics.config import ExperimentConfig
from empirics.descent import Trained
from empirics.measure import accuracy, agreement, cosines, count_neurons, evaluate
from empirics.model import as_tensor
from empirics.perturb import adversarial_inputs, draw_targets, normalised, perturb
from empirics.quadratic import Integers
from empirics.seeds import seeds_of
from empirics.solvers import DTYPES, Stop, learning_rate, stop_f, stop_g, train_to
from empirics.sweep.outcome import Cell, Outcome
from theory.setting import LIPSCHITZ
from theory.validation import Array

Record = Mapping[str, Cell]

# Training points at which predictions are compared with labels; measurements take all.
_MOST = 2000

# What one experiment can fail with while others of its family are sound.
_EXPECTED = (ArithmeticError, ValueError, MemoryError, RuntimeError)

# Fields that neither the data nor the initial f depends on.
_OF_G = ("scenario", "epsilon", "T_g", "targets", "num_steps_g")
_OF_STOP = ("T_f", "num_steps")


def family_key(config: ExperimentConfig) -> str:
    """Return text that is the same for experiments with the same data, initial f and optimiser."""
    fields = config.to_json() | {"kind": type(config.data).__name__}
    for name in (*_OF_G, *_OF_STOP):
        del fields[name]
    return json.dumps(fields, sort_keys=True)


def run_family(configs: Sequence[ExperimentConfig], *, device: str = "cpu") -> Iterator[tuple[int, Outcome]]:
    """Run experiments of one family: each f is trained once, and what theory says is computed once.

    Parameters
    ----------
    configs : sequence of ExperimentConfig
        Of one `family_key`.
    device : str
        Where networks are trained by descent: "cpu" or "cuda".

    Yields
    ------
    index : int
        Of a configuration.
    outcome : Outcome
        The same whichever others it comes with, as soon as its g is trained.  What fails is one too.

    Raises
    ------
    ValueError
        If the configurations are of several families, or their data cannot be loaded.
    """
    if len({family_key(config) for config in configs}) != 1:
        msg = f"configs must be of one family, got {len({family_key(config) for config in configs})}"
        raise ValueError(msg)
    family = _Family(configs[0], device)
    trajectories: dict[float, dict[Stop, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, config in enumerate(configs):
        stop = stop_f(config)
        trajectories[learning_rate(config, stop)][stop].append(index)
    for stops in trajectories.values():
        for stop, f in family.trained(stops, *family.clean, seed=family.f_seed).items():
            yield from _with_one_f(family, f, {index: configs[index] for index in stops[stop]})


def _with_one_f(
    family: "_Family", f: Trained | Exception, configs: Mapping[int, ExperimentConfig]
) -> Iterator[tuple[int, Outcome]]:
    """Yield the outcomes of experiments with one trained f, one training of g after the other."""
    groups: dict[tuple[object, ...], list[int]] = defaultdict(list)
    for index, config in configs.items():
        rate = learning_rate(config, stop_g(config))
        groups[config.scenario, config.epsilon, config.targets, rate].append(index)
    try:
        if isinstance(f, Exception):
            raise f
        network = _Network(family, f, family.dataset.X, "f")
    except _EXPECTED as error:
        yield from ((index, Outcome.failed(error)) for index in configs)
        return
    for group in groups.values():
        try:
            results = _run_group(family, network, [configs[index] for index in group])
        except _EXPECTED as error:
            results = [Outcome.failed(error)] * len(group)
        yield from zip(group, results, strict=True)


class _Family:
    """The data, and what the theory says of f whatever its time."""

    def __init__(self, config: ExperimentConfig, device: str) -> None:
        self.config, self.device = config, device
        data_seed, self.f_seed, self.g_seed, self.target_seed, _ = seeds_of(config.seed)
        self.dataset = config.data.load(data_seed)
        self.slope = config.negative_slope
        self.clean = (self.dataset.X, self.dataset.y)
        self._wide: dict[tuple[str, float, str], tuple[Array, Array]] = {}

    def trained(
        self, stops: Iterable[Stop], X: Array, y: Array, *, seed: int
    ) -> dict[Stop, Trained | Exception]:
        """Train along one trajectory; where it breaks down, each stop by itself."""
        stops = list(dict.fromkeys(stops))
        try:
            return dict(train_to(stops, X, y, self.config, seed=seed, device=self.device))
        except _EXPECTED as error:
            if len(stops) == 1:
                return {stops[0]: error}
        results: dict[Stop, Trained | Exception] = {}
        for stop in stops:
            results |= self.trained([stop], X, y, seed=seed)
        return results

    @property
    def points(self) -> Array:
        """The points of predictions: some training points, then the test points."""
        return np.concatenate([self.dataset.X[self.shown], self.dataset.X_test])

    @cached_property
    def shown(self) -> Integers:
        """At most `_MOST` training points, evenly spaced: sorted data keep the shares of their classes."""
        N = len(self.dataset.X)
        return np.linspace(0, N - 1, min(N, _MOST)).astype(np.int64)

    def split(self, values: Array) -> tuple[Array, Array]:
        """Return values at `points` as those at training points and those at test points."""
        return values[: -len(self.dataset.X_test)], values[-len(self.dataset.X_test) :]

    @cached_property
    def f_b(self) -> tuple[Array, Array]:
        """f_b at the training and the test points."""
        return self.split(
            theory.f_predict(self.points, X=self.dataset.X, y=self.dataset.y, negative_slope=self.slope)
        )

    @cached_property
    def gradient(self) -> Array:
        """∇f_b at the training points."""
        kink = theory.perturbation_direction(
            X=self.dataset.X, y=self.dataset.y, kind="kink", negative_slope=self.slope
        )
        return self.published_direction + kink

    @cached_property
    def published_direction(self) -> Array:
        """The published u at the training points."""
        return np.asarray(
            theory.perturbation_direction(
                X=self.dataset.X, y=self.dataset.y, kind="paper", negative_slope=self.slope
            )
        )

    @cached_property
    def class_direction(self) -> Array:
        """The unit vector from the mean of class −1 to that of class +1; 0 if they are equal."""
        X, y = self.clean
        if len(set(y)) < 2:
            return np.zeros(X.shape[1])
        difference = X[y > 0].mean(axis=0) - X[y < 0].mean(axis=0)
        return np.asarray(difference / (np.linalg.norm(difference) or 1.0))

    def targets(self, config: ExperimentConfig) -> Array:
        """Return the target labels of the perturbations."""
        rng = np.random.default_rng(self.target_seed)
        return draw_targets(len(self.dataset.X), kind=config.targets, rng=rng)

    def epsilon(self, config: ExperimentConfig) -> float:
        """Return the size of the perturbations."""
        return float(np.sqrt(self.dataset.X.shape[1])) if config.epsilon is None else config.epsilon

    def inputs(self, directions: Array, y_adv: Array, config: ExperimentConfig) -> Array:
        """Return the inputs of g whose perturbations have these directions."""
        R = normalised(directions, y_adv, epsilon=self.epsilon(config))
        return adversarial_inputs(self.dataset.X, R, scenario=config.scenario)

    def g_b(self, X_adv: Array, y_adv: Array) -> tuple[Array, Array]:
        """Return g_b at the training and the test points."""
        return self.split(theory.g_predict(self.points, X_adv=X_adv, y_adv=y_adv, negative_slope=self.slope))

    def wide_g_b(self, y_adv: Array, config: ExperimentConfig) -> tuple[Array, Array]:
        """Return g_b for perturbations along ∇f_b: nothing is trained."""
        key = config.scenario, self.epsilon(config), config.targets
        if key not in self._wide:
            self._wide[key] = self.g_b(self.inputs(self.gradient, y_adv, config), y_adv)
        return self._wide[key]


class _Network:
    """A trained network and what is measured on it alone."""

    def __init__(self, family: _Family, trained: Trained, inputs: Array, name: str) -> None:
        dataset = family.dataset
        self.trained, self.name = trained, name
        self.on_train = evaluate(trained.final, dataset.X)
        self.on_test = evaluate(trained.final, dataset.X_test)
        self._family, self._inputs = family, inputs

    @cached_property
    def record(self) -> Record:
        """Accuracies and the regime, each with the name of the network."""
        dataset, trained, name = self._family.dataset, self.trained, self.name
        width, Z = trained.final.width, dataset.X_test
        values: dict[str, Cell] = {
            f"accuracy_{name}_train": accuracy(self.on_train, dataset.y),
            f"accuracy_{name}_test": accuracy(self.on_test, dataset.y_test),
        }
        if np.isfinite(LIPSCHITZ[trained.loss]):
            kappa = theory.kappa(Z, X=self._inputs)
            counts = count_neurons(trained, Z, kappa)
            L, s = LIPSCHITZ[trained.loss], theory.preactivation_scale(Z)
            free = theory.free_fraction(T=trained.T, kappa=kappa, s=s, width=width, lipschitz=L)
            tau = L * trained.T * kappa / (s * np.sqrt(width))
            values |= {
                f"tau_{name}": float(tau.mean()),
                f"free_predicted_{name}": float(free.mean()),
                f"free_{name}": float(counts.free.mean() / width),
            }
        else:
            assert trained.sample_weights is not None  # every solver records them
            reach = theory.weighted_kappa(Z, X=self._inputs, weights=trained.sample_weights)
            counts = count_neurons(trained, Z, reach=reach)
        values[f"flipped_{name}"] = float(counts.flipped.mean() / width)
        return values


def _run_group(family: _Family, f: _Network, configs: Sequence[ExperimentConfig]) -> list[Outcome]:
    """Train g on one set of perturbations, along one trajectory."""
    first = configs[0]
    dataset, y_adv, epsilon = family.dataset, family.targets(first), family.epsilon(first)
    try:
        if epsilon > 0:
            R = perturb(f.trained.final, dataset.X, y_adv, epsilon=epsilon).R
        else:
            R = np.zeros_like(dataset.X)
        X_adv = adversarial_inputs(dataset.X, R, scenario=first.scenario)
        if np.abs(X_adv).max() > np.finfo(first.precision).max:
            msg = f"epsilon must keep the inputs of g within {first.precision}, got {epsilon:g}"
            raise FloatingPointError(msg)
    except FloatingPointError as error:
        return [Outcome.failed(error)] * len(configs)
    shared: dict[str, Cell] = {
        **f.record,
        **_directions(family, R),
        "mean_target": float(y_adv.mean()),
        "zero_perturbations": int((~R.any(axis=1)).sum()),
        **_predicted(family, f, X_adv, y_adv, first),
    }
    stops = [stop_g(config) for config in configs]
    trained = family.trained(stops, X_adv, y_adv, seed=family.g_seed)
    from_initial = _from_initial(family, f, trained, y_adv, first)
    outcomes = []
    for config in configs:
        result = trained[stop_g(config)]
        if isinstance(result, Exception):
            outcomes.append(Outcome.failed(result))
            continue
        try:
            g = _Network(family, result, X_adv, "g")
            measured = _measured(f, g)
        except _EXPECTED as error:
            outcomes.append(Outcome.failed(error))
        else:
            outcomes.append(Outcome(record={**shared, **measured, **from_initial[stop_g(config)]}))
    return outcomes


def _measured(f: _Network, g: _Network) -> dict[str, Cell]:
    """Return what is measured on g, and on both."""
    if not np.isfinite([f.on_test, g.on_test]).all():
        msg = "outputs must be finite, got some that are not"
        raise FloatingPointError(msg)
    return {
        **g.record,
        "agreement_train": agreement(f.on_train, g.on_train),
        "agreement_test": agreement(f.on_test, g.on_test),
    }


def _directions(family: _Family, R: Array) -> dict[str, Cell]:
    """Return the mean |cos| of perturbations that are not 0 with what the theory says."""

    def mean(directions: Array) -> float:
        values = np.abs(cosines(R, directions))
        known = values[np.isfinite(values)]
        return float(known.mean()) if known.size else float("nan")

    return {
        "cosine_published": mean(family.published_direction),
        "cosine_derived": mean(family.gradient),
    }


def _from_initial(
    family: _Family,
    f: _Network,
    trained_g: Mapping[Stop, Trained | Exception],
    y_adv: Array,
    config: ExperimentConfig,
) -> dict[Stop, dict[str, Cell]]:
    """Return what the initial weights and the theory say of g, nothing trained on the data or perturbations.

    lazy, identity loss: f(z; 0) + T_f f_b(z), perturbations along ∇f(x; 0) + T_f ∇f_b(x), g(z; 0) + T_g
    g_b(z) of those. two_point, in scenario (a): all perturbations are ± one vector, ε t_n û, û along the
    mean of those directions.  Then g sees two samples, whatever N is, and is trained on those, by its own
    solver. Derivation 16.
    """
    dataset, T_f = family.dataset, f.trained.T
    points = as_tensor(dataset.X, dtype=DTYPES[config.precision], device=family.device)
    directions = f.trained.initial.input_gradients(points).cpu().numpy() + T_f * family.gradient
    signs_f = evaluate(f.trained.initial, dataset.X_test) + T_f * family.f_b[1]
    g_b = family.g_b(family.inputs(directions, y_adv, config), y_adv)
    found: dict[Stop, dict[str, Cell]] = {}
    for stop, result in trained_g.items():
        if not isinstance(result, Exception):
            found[stop] = {}
            if config.loss == "identity":
                start = (
                    evaluate(result.initial, dataset.X[family.shown]),
                    evaluate(result.initial, dataset.X_test),
                )
                outputs = tuple(at_0 + stop.T * velocity for at_0, velocity in zip(start, g_b, strict=True))
                found[stop] |= _foreseen("lazy", family, signs_f, *outputs)
    if config.scenario == "a":
        same = np.broadcast_to(directions.mean(axis=0), dataset.X.shape)
        inputs = family.inputs(same, y_adv, config)
        for stop, result in family.trained(trained_g, inputs, y_adv, seed=family.g_seed).items():
            if stop in found and not isinstance(result, Exception):
                outputs = (
                    evaluate(result.final, dataset.X[family.shown]),
                    evaluate(result.final, dataset.X_test),
                )
                found[stop] |= _foreseen("two_point", family, signs_f, *outputs)
    return found


def _foreseen(name: str, family: _Family, signs_f: Array, on_train: Array, on_test: Array) -> dict[str, Cell]:
    return {
        f"{name}_accuracy_g_train": accuracy(on_train, family.dataset.y[family.shown]),
        f"{name}_accuracy_g_test": accuracy(on_test, family.dataset.y_test),
        f"{name}_agreement_test": agreement(signs_f, on_test),
    }


def _predicted(
    family: _Family, f: _Network, X_adv: Array, y_adv: Array, config: ExperimentConfig
) -> dict[str, Cell]:
    """Return what the theory says of g at large T: from the data alone, and given its perturbations."""
    dataset = family.dataset
    values: dict[str, Cell] = {"sign_match_f": agreement(f.on_test, family.f_b[1])}
    wide, given = family.wide_g_b(y_adv, config), family.g_b(X_adv, y_adv)
    values |= {
        "predicted_accuracy_f_train": accuracy(family.f_b[0], dataset.y[family.shown]),
        "predicted_accuracy_f_test": accuracy(family.f_b[1], dataset.y_test),
        "predicted_accuracy_g_train": accuracy(wide[0], dataset.y[family.shown]),
        "predicted_accuracy_g_test": accuracy(wide[1], dataset.y_test),
        "predicted_agreement_test": agreement(family.f_b[1], wide[1]),
        "given_f_accuracy_g_train": accuracy(given[0], dataset.y[family.shown]),
        "given_f_accuracy_g_test": accuracy(given[1], dataset.y_test),
        "given_f_agreement_test": agreement(f.on_test, given[1]),
    }
    if config.scenario == "a":
        rule = family.epsilon(config) * (dataset.X @ family.class_direction) + y_adv.mean()
        values["rule_accuracy_g_train"] = accuracy(rule, dataset.y)
    return values
