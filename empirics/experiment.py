"""One experiment: train f, perturb it, train g, and put every prediction beside its measurement.

`run` is pure: its result depends on the configuration alone (and, in the last digits, on the machine).
"""

import numpy as np
import torch
from scipy import special

import theory
from empirics.config import ExperimentConfig
from empirics.data import Dataset
from empirics.measure import accuracy, agreement, agrees, cosines, evaluate, times
from empirics.measure.conditions import count_conditions
from empirics.measure.result import Agreement, Cosines, ExperimentResult, Measures, Points
from empirics.model import TwoLayerNet, as_tensor
from empirics.pairs import Network, Perturbed, pairs
from empirics.seeds import seeds_of
from theory import Setting
from theory.validation import Array

# Untrained networks that the prediction of agreement averages over, and their width at most: enough for the
# law of f(·; 0), which is nearly Gaussian there.
_UNTRAINED_NETWORKS = 4
_UNTRAINED_WIDTH = 4096


def run(config: ExperimentConfig, *, device: str = "cpu", over_times: bool = False) -> ExperimentResult:
    """Run one experiment.

    Parameters
    ----------
    config : ExperimentConfig
    device : str
        Where the networks are trained: "cpu" or "cuda".  Not part of the configuration.
    over_times : bool
        Whether agreement is also measured and predicted at other times of g, where it has a law.

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
    ((_, pair),) = pairs([config], device=device, earlier=over_times and not config.momentum, gradients=True)
    if isinstance(pair, Exception):
        raise pair
    on, f, g = pair.perturbed, pair.perturbed.f, pair.g
    dataset, X_adv, y_adv = on.family.dataset, on.X_adv, on.y_adv
    setting, slope, Z = config.setting(dataset), config.negative_slope, dataset.X_test
    points_f = Points(
        initial=f.counts.initial,
        final=f.on_test,
        predicted=theory.f_predict(Z, X=dataset.X, y=dataset.y, negative_slope=slope),
        published=theory.f_hat(Z, X=dataset.X, y=dataset.y, negative_slope=slope),
    )
    points_g = Points(
        initial=g.counts.initial,
        final=g.on_test,
        predicted=theory.g_predict(Z, X_adv=X_adv, y_adv=y_adv, negative_slope=slope),
        published=theory.g_hat(Z, X=dataset.X, y=dataset.y, X_adv=X_adv, negative_slope=slope),
    )
    agree, gradients = agrees(points_f.final, points_g.final), on.gradients
    along = {one.T: agreement(f.on_test, evaluate(one.final, Z)) for one in pair.path}
    along[config.T_g] = agreement(f.on_test, g.on_test)
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
        cosines=_cosines(on, gradients),
        conditions=tuple(
            count_conditions(dataset, X_adv, setting, agree, label_noise)
            for label_noise in ("published", "scenario")
        ),
        agreement=_agreement(on, points_f, points_g, setting),
        zero_gradients=int((~gradients.any(axis=1)).sum()),
        over_times=tuple(times.over_times(config, dataset, y_adv, along)) if over_times else (),
    )


def load_data(config: ExperimentConfig) -> Dataset:
    """Return the data of an experiment, drawn or split with its seed.

    Raises
    ------
    ValueError, FileNotFoundError
        If they cannot be loaded; a split that does not work names the seed.
    """
    return config.data.load(seeds_of(config.seed)[0])


def _measure(network: Network, points: Points) -> Measures[float]:
    dataset, T, width = network.family.dataset, network.trained.T, network.trained.final.width
    bounded = bool(np.isfinite(network.lipschitz))
    tau, free = (network.tau, network.free) if bounded else (np.array(np.nan), np.array(np.nan))  # no law
    error = np.array(np.nan)
    if T > 0:
        error = (points.final - points.initial) / T - points.predicted
    return Measures(
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


def _cosines(on: Perturbed, final: Array) -> Cosines[float]:
    gradient, paper = on.family.gradient, on.family.published_direction
    initial = on.initial_gradients
    trained = final - initial

    def mean(A: Array, B: Array) -> float:
        values = cosines(A, B)
        known = values[np.isfinite(values)]  # a zero gradient has no direction; it is counted elsewhere
        return float(known.mean()) if known.size else float("nan")

    return Cosines(
        perturbation_paper=mean(final, paper),
        perturbation_gradient=mean(final, gradient),
        perturbation_given_initial=mean(final, initial + on.f.trained.T * gradient),
        trained_paper=mean(trained, paper),
        trained_gradient=mean(trained, gradient),
        between=mean(paper, gradient),
    )


def _agreement(on: Perturbed, f: Points, g: Points, setting: Setting) -> Agreement[float]:
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
