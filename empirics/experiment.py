"""One experiment: train f, perturb it, train g, and put every prediction beside its measurement.

`run` is pure: its result depends on the configuration alone (and, in the last digits, on the machine).
"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import special

import theory
from empirics.config import ExperimentConfig
from empirics.data import Dataset
from empirics.descent import Trained
from empirics.measure import accuracy, agreement, agrees, cosines, evaluate
from empirics.model import TwoLayerNet, as_tensor
from empirics.pairs import Network, Perturbed, pairs
from empirics.seeds import seeds_of
from theory import Setting
from theory.validation import Array

# Untrained networks that the prediction of agreement averages over, and their width at most: enough for the
# law of f(·; 0), which is nearly Gaussian there.
_UNTRAINED_NETWORKS = 4
_UNTRAINED_WIDTH = 4096


@dataclass(frozen=True, kw_only=True)
class Points:
    """Values at the test points for one network, arrays of shape (Q,).

    Attributes
    ----------
    initial, final : array
        f(z; 0) and f(z; T).
    predicted : array
        f_b(z), so that f(z; T) ≈ f(z; 0) + T f_b(z).
    published : array
        f̂(z) (ĝ(z) for g).
    """

    initial: Array
    final: Array
    predicted: Array
    published: Array


@dataclass(frozen=True, kw_only=True)
class NetworkMeasurement:
    """What was measured on one network, each beside its prediction; means are over test points."""

    accuracy_train: float  # on the clean training points of f, also for g
    accuracy_test: float
    error: float  # root mean square of (f(z; T) − f(z; 0))/T − f_b(z); NaN at T = 0
    scale: float  # root mean square of f_b(z)
    sign_match: float  # share of sgn f(z; T) = sgn f_b(z)
    published_sign_match: float  # share of sgn f(z; T) = sgn f̂(z)
    mean_tau: float  # mean of L T κ(z)/(s(z) √m)
    free_predicted: float  # mean of (2/π) arctan τ
    free_measured: float  # mean share of free neurons
    free_pvalue: float  # smallest two-sided binomial p-value over test points, times their number
    flipped: float  # mean share of neurons that changed sign
    flipped_not_free: int  # events that the theory excludes, over all test points


@dataclass(frozen=True, kw_only=True)
class Cosines:
    """Mean cosines over training points.

    The perturbation's direction is ∇f(x; T); its trained part is ∇f(x; T) − ∇f(x; 0).
    """

    perturbation_paper: float  # with u
    perturbation_gradient: float  # with ∇f_b
    perturbation_given_initial: float  # with ∇f(x; 0) + T ∇f_b: the prediction for the network in hand
    trained_paper: float  # trained part with u
    trained_gradient: float  # trained part with ∇f_b
    between: float  # of u with ∇f_b: what trained_paper tends to


@dataclass(frozen=True, kw_only=True)
class ConditionCounts:
    """Test points by whether the published conditions hold there and whether the signs agree."""

    label_noise: str  # "published" (d/√N) or "scenario" (1/√N in scenario (a))
    width: str  # verdict of m > d² (T_f + T_g)² at constant 1
    threshold_a: float
    threshold_b: float
    a: int  # points where each condition holds
    b: int
    c: int
    a_agree: int  # of these, points where the signs agree
    b_agree: int
    c_agree: int
    met_agree: int  # (a), (b) and (c) hold
    met_differ: int
    unmet_agree: int
    unmet_differ: int


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Share of test points with sgn f(z; T_f) = sgn g(z; T_g)."""

    measured: float
    predicted: float  # nothing trained: mean over untrained networks f(·; 0), same target labels
    predicted_given_f: float  # from the f and the inputs of g that were really trained


@dataclass(frozen=True, kw_only=True, repr=False)
class ExperimentResult:
    """Everything measured in one experiment, and the networks for further questions."""

    config: ExperimentConfig
    setting: Setting
    dataset: Dataset
    X_adv: Array
    y_adv: Array
    trained_f: Trained
    trained_g: Trained
    f: NetworkMeasurement
    g: NetworkMeasurement
    points_f: Points
    points_g: Points
    cosines: Cosines
    conditions: tuple[ConditionCounts, ...]
    agreement: Agreement
    zero_gradients: int

    def __repr__(self) -> str:
        agree = f"agreement={self.agreement.measured:g}, predicted={self.agreement.predicted:g}"
        return f"ExperimentResult({self.dataset.name!r}, {self.setting!r}, seed={self.config.seed}, {agree})"


def run(config: ExperimentConfig, *, device: str = "cpu") -> ExperimentResult:
    """Run one experiment.

    Parameters
    ----------
    config : ExperimentConfig
    device : str
        Where the networks are trained: "cpu" or "cuda".  Not part of the configuration.

    Returns
    -------
    ExperimentResult

    Raises
    ------
    ValueError, FileNotFoundError
        If the data cannot be loaded.
    FloatingPointError
        If training diverges or a gradient is not finite.

    Examples
    --------
    >>> from empirics import ExperimentConfig, ShiftedGaussianData, run
    >>> data = ShiftedGaussianData(dim=3, num_train=10, num_test=5)
    >>> result = run(ExperimentConfig(data=data, width=1000))
    >>> result.agreement.measured, result.f.flipped_not_free
    (0.6, 0)
    """
    ((_, pair),) = pairs([config], device=device)
    if isinstance(pair, Exception):
        raise pair
    on, f, g = pair.perturbed, pair.perturbed.f, pair.g
    dataset, X_adv, y_adv = on.family.dataset, on.X_adv, on.y_adv
    setting, slope, Z = config.setting(dataset), config.negative_slope, dataset.X_test
    points_f = Points(
        initial=evaluate(f.trained.initial, Z),
        final=f.on_test,
        predicted=theory.f_predict(Z, X=dataset.X, y=dataset.y, negative_slope=slope),
        published=theory.f_hat(Z, X=dataset.X, y=dataset.y, negative_slope=slope),
    )
    points_g = Points(
        initial=evaluate(g.trained.initial, Z),
        final=g.on_test,
        predicted=theory.g_predict(Z, X_adv=X_adv, y_adv=y_adv, negative_slope=slope),
        published=theory.g_hat(Z, X=dataset.X, y=dataset.y, X_adv=X_adv, negative_slope=slope),
    )
    return ExperimentResult(
        config=config,
        setting=setting,
        dataset=dataset,
        X_adv=X_adv,
        y_adv=y_adv,
        trained_f=f.trained,
        trained_g=g.trained,
        f=_measure(f, points_f),
        g=_measure(g, points_g),
        points_f=points_f,
        points_g=points_g,
        cosines=_cosines(on),
        conditions=tuple(
            _count_conditions(setting, dataset, X_adv, points_f, points_g, label_noise)
            for label_noise in ("published", "scenario")
        ),
        agreement=_agreement(on, points_f, points_g, setting),
        zero_gradients=int((~on.gradients.any(axis=1)).sum()),
    )


def load_data(config: ExperimentConfig) -> Dataset:
    """Return the data of an experiment, drawn or split with its seed.

    Raises
    ------
    ValueError, FileNotFoundError
        If they cannot be loaded; a split that does not work names the seed.
    """
    return config.data.load(seeds_of(config.seed)[0])


def _measure(network: Network, points: Points) -> NetworkMeasurement:
    dataset, T, width = network.family.dataset, network.trained.T, network.trained.final.width
    bounded = bool(np.isfinite(network.lipschitz))
    tau, free = (network.tau, network.free) if bounded else (np.array(np.nan), np.array(np.nan))  # no law
    error = np.array(np.nan)
    if T > 0:
        error = (points.final - points.initial) / T - points.predicted
    return NetworkMeasurement(
        accuracy_train=accuracy(network.on_train, dataset.y),
        accuracy_test=accuracy(points.final, dataset.y_test),
        error=_root_mean_square(error),
        scale=_root_mean_square(points.predicted),
        sign_match=agreement(points.final, points.predicted),
        published_sign_match=agreement(points.final, points.published),
        mean_tau=float(np.mean(tau)),
        free_predicted=float(free.mean()),
        free_measured=float(network.counts.free.mean() / width),
        free_pvalue=_smallest_pvalue(network.counts.free, width, free) if bounded else float("nan"),
        flipped=float(network.counts.flipped.mean() / width),
        flipped_not_free=int(network.counts.flipped_not_free.sum()),
    )


def _smallest_pvalue(counts: np.ndarray, trials: int, probability: Array) -> float:
    """Two-sided exact binomial p-value, smallest over points, times their number (Bonferroni)."""
    below = special.bdtr(counts, trials, probability)
    above = special.bdtrc(counts - 1, trials, probability)
    smallest = 2 * np.minimum(below, above).min()  # NaN if one is NaN
    return float(np.minimum(1.0, smallest * len(counts)))


def _cosines(on: Perturbed) -> Cosines:
    gradient, paper, final = on.family.gradient, on.family.published_direction, on.gradients

    def mean(A: Array, B: Array) -> float:
        values = cosines(A, B)
        known = values[np.isfinite(values)]  # a zero gradient has no direction; it is counted elsewhere
        return float(known.mean()) if known.size else float("nan")

    return Cosines(
        perturbation_paper=mean(final, paper),
        perturbation_gradient=mean(final, gradient),
        perturbation_given_initial=mean(final, on.lazy_directions),
        trained_paper=mean(final - on.initial_gradients, paper),
        trained_gradient=mean(final - on.initial_gradients, gradient),
        between=mean(paper, gradient),
    )


def _count_conditions(
    setting: Setting,
    dataset: Dataset,
    X_adv: Array,
    f: Points,
    g: Points,
    label_noise: theory.LabelNoise,
) -> ConditionCounts:
    conditions = theory.conditions.evaluate(
        dataset.X_test, X=dataset.X, y=dataset.y, X_adv=X_adv, setting=setting, label_noise=label_noise
    )
    holds = {name: conditions[name].holds for name in "abc"}
    met, agree = holds["a"] & holds["b"] & holds["c"], agrees(f.final, g.final)
    return ConditionCounts(
        label_noise=label_noise,
        width=conditions["width"].verdicts[0].value,
        threshold_a=float(conditions["a"].rhs[0]),
        threshold_b=float(conditions["b"].rhs[0]),
        **{name: int(one.sum()) for name, one in holds.items()},
        **{f"{name}_agree": int((one & agree).sum()) for name, one in holds.items()},
        met_agree=int((met & agree).sum()),
        met_differ=int((met & ~agree).sum()),
        unmet_agree=int((~met & agree).sum()),
        unmet_differ=int((~met & ~agree).sum()),
    )


def _agreement(on: Perturbed, f: Points, g: Points, setting: Setting) -> Agreement:
    dataset, slope = on.family.dataset, setting.negative_slope
    Z = dataset.X_test
    deviation = theory.initial_deviation(Z, negative_slope=slope)

    def expected(outputs: Array, g_b: Array) -> float:
        return float(theory.agreement_probability(outputs, g_b, deviation, T_g=setting.T_g).mean())

    untrained = []
    width = min(setting.width, _UNTRAINED_WIDTH)
    for word in np.random.SeedSequence(on.family.untrained_seed).generate_state(_UNTRAINED_NETWORKS):
        network = TwoLayerNet.initialise(setting.dim, width, negative_slope=slope, seed=int(word))
        directions = network.input_gradients(as_tensor(dataset.X, dtype=torch.float32)).numpy()
        inputs = on.inputs(directions + setting.T_f * on.family.gradient)
        g_b = theory.g_predict(Z, X_adv=inputs, y_adv=on.y_adv, negative_slope=slope)
        untrained.append(expected(evaluate(network, Z) + setting.T_f * f.predicted, g_b))
    return Agreement(
        measured=agreement(f.final, g.final),
        predicted=float(np.mean(untrained)),
        predicted_given_f=expected(f.final, g.predicted),
    )


def _root_mean_square(values: Array) -> float:
    return float(np.sqrt(np.mean(values**2)))
