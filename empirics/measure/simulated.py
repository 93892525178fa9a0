"""Certificates by simulation of single neurons, which need no lazy training, and E f(z; T) as a predictor.

With the identity loss the neurons of a network are independent given the data, at every time and width.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from empirics.config import ExperimentConfig
from empirics.measure.certified import DELTA, DYNAMICS, count_points, lazy_proof
from empirics.measure.counts import agreement
from empirics.neurons import Schedule, SimulatedAgreement, simulate_neurons
from theory.bounds import neuron_envelope
from theory.certificates import IndependentCertificate, certify_independent, truncation_risk
from theory.validation import Array

if TYPE_CHECKING:
    from empirics.experiment import ExperimentResult, Points

_NETWORKS: tuple[Literal["f", "g"], ...] = ("f", "g")
# By simulation: networks as wide as their neurons are many, or less, so narrower than the lazy ones.
_SIMULATED_WIDTH = 1_000  # the largest width of the series up to this one is taken
_SIMULATED_POINTS = 60  # test points, at most
SCANNED_WIDTHS = (30, 100, 300, 1_000)
_NEURONS, _FEWER_NEURONS = 3_000, 1_000
_WORK = 1_000_000  # neurons × steps of the simulations of one section, about


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which networks of a series are also simulated, neuron by neuron."""

    width: int
    seeds: tuple[int, ...]
    num_neurons: int  # n of each simulation
    scanned: tuple[int, ...] = ()  # other widths, on the data of the first seed


def plan(base: ExperimentConfig, widths: Sequence[int], seeds: Sequence[int]) -> Plan | None:
    """Return what to simulate of experiments over widths and seeds, within `_WORK`.

    None for another loss than identity, where neurons interact.
    """
    if base.loss != "identity":
        return None
    steps = base.num_steps + (base.num_steps_g or base.num_steps)  # of f and g
    num_neurons = _NEURONS if _NEURONS * steps <= _WORK else _FEWER_NEURONS
    count = max(1, _WORK // (num_neurons * steps))
    narrow = [width for width in widths if width <= _SIMULATED_WIDTH]
    return Plan(
        width=narrow[-1] if narrow else widths[0],
        seeds=tuple(seeds[:count]),
        num_neurons=num_neurons,
        scanned=SCANNED_WIDTHS if len(SCANNED_WIDTHS) * num_neurons * steps <= _WORK else (),
    )


def simulate(
    result: "ExperimentResult", num_neurons: int, scanned: Sequence[int] = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Simulate the neurons of f and g; count what that certifies, and what the lazy theory does there.

    E f(z; T), T f_b(z) and T f̂(z) are also compared with the trained networks.  The second value has the
    shares that are certified at other widths.
    """
    chosen = _some(len(result.dataset.X_test))
    f, g = (_by_simulation(result, name, result.setting.width, num_neurons) for name in _NETWORKS)
    measured = {"f": result.points_f, "g": result.points_g}
    times = {"f": result.setting.T_f, "g": result.setting.T_g}
    final = {name: points.final[chosen] for name, points in measured.items()}
    change = {name: final[name] - points.initial[chosen] for name, points in measured.items()}
    predicted = {
        name: _predictors(measured[name], times[name], one.mean, chosen) for name, one in (("f", f), ("g", g))
    }
    signs = np.sign(final["f"]), np.sign(final["g"])
    counted = {"simulation": count_points(SimulatedAgreement(f=f.proof, g=g.proof), signs)}
    for dynamics in DYNAMICS:
        lazy = lazy_proof(result, result.dataset.X_test[chosen], result.setting, dynamics)
        counted[dynamics] = count_points(lazy, signs)
    record = {
        "counts": counted,
        "sign_match": {
            name: {key: agreement(final[name], value) for key, value in values.items()}
            for name, values in predicted.items()
        },
        "error": {
            name: {key: _relative(change[name] - value, change[name]) for key, value in values.items()}
            | {"sampling": _relative(one.standard_error, change[name])}  # of E f, part of its error
            for (name, values), one in zip(predicted.items(), (f, g), strict=True)
        },
        # P(wrong sign) over the initialisation alone, unless the simulation misled.
        "failure": {name: _largest_failure(one.proof) for name, one in (("f", f), ("g", g))},
        "misled": float(np.max(f.proof.failure.terms["simulation"])),
    }
    scan = []
    for width in scanned:
        pair = [_by_simulation(result, name, width, num_neurons).proof for name in _NETWORKS]
        both = SimulatedAgreement(f=pair[0], g=pair[1])
        scan.append({"width": width, "f": both.f.share, "g": both.g.share, "both": both.share})
    return record, {"num_points": len(chosen), "scan": scan}


@dataclass(frozen=True, kw_only=True, eq=False)
class _Simulated:
    """One network by its neurons: what is proved, E f(z; T), and the standard error of that."""

    proof: IndependentCertificate
    mean: Array
    standard_error: Array


def _by_simulation(
    result: "ExperimentResult", network: Literal["f", "g"], width: int, num_neurons: int
) -> _Simulated:
    """As `certify_agreement_by_simulation` does it for one of its two networks, with the same neurons.

    E f(z; 0) = 0, so that E f(z; T) is m times the mean change of a neuron's output: less noise.
    """
    data, setting, config = result.dataset, result.setting, result.config
    Z = data.X_test[_some(len(data.X_test))]
    first, second = (int(word) for word in np.random.SeedSequence(config.seed).generate_state(2))
    X, y, T, steps, seed = data.X, data.y, setting.T_f, config.num_steps, first
    if network == "g":
        X, y, T, seed = result.X_adv, result.y_adv, setting.T_g, second
        steps = config.num_steps_g or config.num_steps
    neurons = simulate_neurons(
        Z,
        X=X,
        y=y,
        width=width,
        schedule=Schedule(T=T, num_steps=steps, momentum=config.momentum),
        negative_slope=setting.negative_slope,
        num_neurons=num_neurons,
        seed=seed,
    )
    envelope = neuron_envelope(
        Z,
        X=X,
        y=y,
        width=width,
        negative_slope=setting.negative_slope,
        T=T,
        num_steps=steps,
        momentum=config.momentum,
        truncation=truncation_risk(DELTA / 2, len(Z), simultaneous=False),
    )
    proof = certify_independent(
        neurons.outputs, neurons.initial, neurons.readouts, neurons.norms, envelope, delta=DELTA / 2
    )
    active = np.maximum(neurons.initial, setting.negative_slope * neurons.initial)
    change = neurons.outputs - neurons.readouts[:, None] / math.sqrt(width) * active
    return _Simulated(
        proof=proof,
        mean=width * change.mean(axis=0),
        standard_error=width * change.std(axis=0, ddof=1) / math.sqrt(num_neurons),
    )


def _some(count: int) -> Array:
    """Return indices of the test points that simulation is asked about, evenly spread."""
    number = min(count, _SIMULATED_POINTS)
    return np.linspace(0, count - 1, number).astype(int)


def _predictors(points: "Points", T: float, mean: Array, chosen: Array) -> dict[str, Array]:
    """Return E f(z; T), T f_b(z), T f̂(z), which predict f(z; T) − f(z; 0)."""
    return {
        "simulated": mean,
        "derived": T * points.predicted[chosen],
        "published": T * points.published[chosen],
    }


def _largest_failure(proof: IndependentCertificate) -> float:
    certified = proof.certified
    return float(proof.failure_given_simulation[certified].max()) if certified.any() else math.nan


def _relative(error: Array, size: Array) -> float:
    scale = float(np.sqrt(np.mean(size**2)))
    return float(np.sqrt(np.mean(error**2))) / scale if scale else math.nan
