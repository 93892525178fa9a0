"""Certificates by simulation of single neurons, which need no lazy training, and E f(z; T) as a predictor.

With the identity loss the neurons of a network are independent given the data, at every time and width.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from empirics.config import ExperimentConfig
from empirics.measure.certified import DELTA, DYNAMICS, Certified, count_points, lazy_prover
from empirics.measure.counts import agreement
from empirics.measure.result import ExperimentResult, Points
from empirics.neurons import Schedule, SimulatedAgreement, simulate_neurons
from empirics.record import NAMES, Count, Name, Number, OfBoth, Record
from theory.bounds import neuron_envelope
from theory.certificates import IndependentCertificate, certify_independent, truncation_risk
from theory.validation import Array

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


class SimulatedRun(Record, frozen=True, kw_only=True):
    """Networks of one seed beside simulations of their neurons."""

    counts: dict[str, Certified]
    sign_match: OfBoth[dict[str, Number]]
    error: OfBoth[dict[str, Number]]
    failure: OfBoth[Number]  # P(wrong sign) over the initialisation alone, unless the simulation misled
    misled: Number


class Scanned(Record, frozen=True, kw_only=True):
    """Shares that are certified by simulation at one width."""

    width: Count
    f: Number
    g: Number
    both: Number


class Scan(Record, frozen=True, kw_only=True):
    """Shares that are certified at other widths, of so many test points."""

    num_points: Count
    scan: list[Scanned]


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
    result: ExperimentResult, num_neurons: int, scanned: Sequence[int] = ()
) -> tuple[SimulatedRun, Scan]:
    """Simulate the neurons of f and g; count what that certifies, and what the lazy theory does there.

    E f(z; T), T f_b(z) and T f̂(z) are also compared with the trained networks.  The second value has the
    shares that are certified at other widths.
    """
    chosen = _some(len(result.dataset.X_test))
    f, g = (_by_simulation(result, name, result.setting.width, num_neurons) for name in NAMES)
    signs = np.sign(result.points_f.final[chosen]), np.sign(result.points_g.final[chosen])
    counted = {"simulation": count_points(SimulatedAgreement(f=f.proof, g=g.proof), signs)}
    prove = lazy_prover(result, result.dataset.X_test[chosen])
    counted |= {dynamics: count_points(prove(result.setting, dynamics), signs) for dynamics in DYNAMICS}
    sign_match: dict[str, dict[str, Number]] = {}
    error: dict[str, dict[str, Number]] = {}
    for name, one in zip(NAMES, (f, g), strict=True):
        side = result.side(name)
        final = side.points.final[chosen]
        change = final - side.points.initial[chosen]
        predicted = _predictors(side.points, side.T, one.mean, chosen)
        sign_match[name] = {key: agreement(final, value) for key, value in predicted.items()}
        error[name] = {key: _relative(change - value, change) for key, value in predicted.items()}
        error[name]["sampling"] = _relative(one.standard_error, change)  # of E f, part of its error
    record = SimulatedRun(
        counts=counted,
        sign_match=OfBoth(**sign_match),
        error=OfBoth(**error),
        failure=OfBoth(f=_largest_failure(f.proof), g=_largest_failure(g.proof)),
        misled=float(np.max(f.proof.failure.terms["simulation"])),
    )
    scan = []
    for width in scanned:
        pair = [_by_simulation(result, name, width, num_neurons).proof for name in NAMES]
        both = SimulatedAgreement(f=pair[0], g=pair[1])
        scan.append(Scanned(width=width, f=both.f.share, g=both.g.share, both=both.share))
    return record, Scan(num_points=len(chosen), scan=scan)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Simulated:
    """One network by its neurons: what is proved, E f(z; T), and the standard error of that."""

    proof: IndependentCertificate
    mean: Array
    standard_error: Array


def _by_simulation(result: ExperimentResult, network: Name, width: int, num_neurons: int) -> _Simulated:
    """As `certify_agreement_by_simulation` does it for one of its two networks, with the same neurons.

    E f(z; 0) = 0, so that E f(z; T) is m times the mean change of a neuron's output: less noise.
    """
    side, setting, momentum = result.side(network), result.setting, result.config.momentum
    X, y, T, steps, Z = side.X, side.y, side.T, side.num_steps, result.dataset.X_test
    Z = Z[_some(len(Z))]
    seeds = np.random.SeedSequence(result.config.seed).generate_state(len(NAMES))
    neurons = simulate_neurons(
        Z,
        X=X,
        y=y,
        width=width,
        schedule=Schedule(T=T, num_steps=steps, momentum=momentum),
        negative_slope=setting.negative_slope,
        num_neurons=num_neurons,
        seed=int(seeds[NAMES.index(network)]),
    )
    envelope = neuron_envelope(
        Z,
        X=X,
        y=y,
        width=width,
        negative_slope=setting.negative_slope,
        T=T,
        num_steps=steps,
        momentum=momentum,
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


def _predictors(points: Points, T: float, mean: Array, chosen: Array) -> dict[str, Array]:
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
