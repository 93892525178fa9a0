"""The sign of a trained network, proved far from lazy training: neurons are independent, one is simulated.

Identity loss, frozen readout: neuron i is trained as if it were alone, so f(z; T) = Σ_i X_i at every T, with
X_i = (α_i/√m) φ(u_i(z; T)), α_i = √m a_i ~ N(0, 1), independent and of one law.  Chernoff then needs
E e^(−λ s X) only, s the sign in question: below 1, its m-th power bounds P(sgn f(z; T) ≠ s).  The law of X
is sampled (`empirics.neurons`); what a sample cannot show, its tail, is bounded here.  Derivation 10.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.bounds.bound import Assumption, Bound
from theory.bounds.envelope import OUTWARD, NeuronEnvelope, rows_of
from theory.certificates.lazy import Proof
from theory.validation import Array, as_real, check_integer, check_probability

# Shares of δ: for what the simulation hides, for neurons out of limits; Chernoff has the rest.
SIMULATION_SHARE = 1 / 2
TRUNCATION_SHARE = 1 / 8
# Part of the neurons on which s, λ and the rest are chosen; the others decide.
SELECTION_SHARE = 1 / 4
# Tried: λ in units of E X/Var X, the best one of a normal law, or of where moments end; the ceiling h of D;
# the powers r of its tail.
_EXPONENTS = 2.0 ** np.arange(-5, 5.5, 0.5)
_CEILINGS = np.array(
    [0.01, 0.03, 0.07, 0.15, 0.3, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 9.0, 19.0, 49.0, 199.0, 999.0]
)
_POWERS = {
    False: np.array([1.1, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 11.0, 16.0, 24.0]),
    True: np.array([2, 3, 4, 6, 8]),
}


@dataclass(frozen=True, eq=False, kw_only=True)
class IndependentCertificate(Proof):
    """What is proved about the sign of a network of independent neurons.

    Attributes
    ----------
    candidates : array of int, shape (Q,)
        s, chosen on the first part of the sample; 0 where the sample is not finite or has mean 0.
    failure : Bound
        Of the probability of a wrong sign, one value a point: *neurons out of limits*, *Chernoff*
        and *simulation*.
    delta : float
        Of one point; certified where `failure` is not larger.
    mean, standard_error : arrays, shape (Q,)
        E f(z; T), estimated from all simulated neurons; a predictor, not a bound.
    deviation : array, shape (Q,)
        √(m Var X), the standard deviation of f(z; T), estimated.
    exponent : array, shape (Q,)
        λ.
    num_neurons : int
        n.
    """

    candidates: NDArray[np.int_]
    failure: Bound
    delta: float
    mean: Array
    standard_error: Array
    deviation: Array
    exponent: Array
    num_neurons: int

    @property
    def signs(self) -> NDArray[np.int_]:
        """The proved signs, −1 or +1, and 0 where unknown; unknown where a number is not finite."""
        return np.where(np.asarray(self.failure.value) <= self.delta, self.candidates, 0)

    def _columns(self) -> Mapping[str, ArrayLike]:
        return {"mean": self.mean, "failure": self.failure.value, "verdict": self.verdicts}

    @property
    def failure_given_simulation(self) -> Array:
        """What bounds P(sgn f(z; T) ≠ s) over the initialisation alone, if the simulation did not mislead.

        It misleads with probability at most ``failure.terms["simulation"]``.
        """
        terms = self.failure.terms
        return np.asarray(terms["neurons out of limits"] + terms["Chernoff"])


def upper_mean(sample: ArrayLike, *, ceiling: ArrayLike, bet: ArrayLike, risk: float) -> Array:
    """Return an upper bound of the mean of variables that are bounded above, from a sample of them.

    **Statement.**  D_1, …, D_n ≤ h independent and of one law, ν > 0 fixed beforehand: with probability at
    least 1 − risk, E D ≤ max(h − 1/ν, μ*), where Π_i (1 + ν(μ* − D_i)) = 1/risk.  No lower bound is asked.

    **Assumptions.**  h, ν chosen without looking at this sample.

    **Derivation.**  Derivation 10, step 2: a bet at fair odds is a non-negative variable of mean 1; Markov.

    **Checked by.**  tests/test_theory/test_certificates/test_independent.py: coverage on rare events, which
    come close to the risk.  For the best ν near the sample mean plus √(2 Var D log(1/risk)/n), without
    the estimated variance and the constants of an empirical Bernstein bound.

    Parameters
    ----------
    sample : array, shape (n, Q)
        One column a variable; entries at most h.
    ceiling : array, shape (Q,)
        h.
    bet : array, shape (Q,)
        ν > 0.
    risk : float in (0, 1)
        For each column.

    Returns
    -------
    array, shape (Q,)
        At most h; NaN where an argument is.

    Raises
    ------
    ValueError
        If shapes disagree or `risk` is out of range.
    """
    target = -np.log(check_probability("risk", risk))
    arguments = (("sample", sample), ("ceiling", ceiling), ("bet", bet))
    D, h, nu = (as_real(name, value, finite=False) for name, value in arguments)
    if D.ndim != 2 or not len(D) or not h.shape == nu.shape == D.shape[1:]:
        shapes = f"{D.shape}, {h.shape}, {nu.shape}"
        msg = f"sample, ceiling and bet must have shapes (n, Q), (Q,) and (Q,), got {shapes}"
        raise ValueError(msg)
    average = D.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        upper = np.maximum(h - 1 / nu, average)
        for _ in range(100):  # Newton from below on a concave, increasing function never overshoots
            odds = np.maximum(1 + nu * (upper - D), 0)
            step = (target - np.log(odds).sum(axis=0)) / (nu / odds).sum(axis=0)
            step = np.where(np.isfinite(step), step, 1e-9 / nu)  # a neuron at the ceiling, odds of 0
            upper = upper + np.maximum(step, 0)
            if not (step * nu > 1e-13).any():
                break
        upper = upper + 1e-9 * np.abs(upper - average) + 1e-12 * np.abs(average)
        reached = np.log(np.maximum(1 + nu * (upper - D), 0)).sum(axis=0) >= target
        proved = np.where(reached, np.minimum(upper, h), h)
    return np.asarray(np.where(np.isnan(average + h + nu), np.nan, proved))


def certify_independent(
    outputs: ArrayLike,
    initial: ArrayLike,
    readouts: ArrayLike,
    norms: ArrayLike,
    envelope: NeuronEnvelope,
    *,
    delta: float,
    simultaneous: bool = False,
) -> IndependentCertificate:
    """Prove the sign of a network of any flow time from a sample of its independent neurons.

    **Statement.**  With probability at least 1 − δ/2 over the simulated neurons, the initialisation of the
    network has P(sgn f(z; T) ≠ s) ≤ `failure_given_simulation`, at each point.  Over both,
    P(certified and sgn f(z; T) ≠ s) ≤ δ at each point; simultaneous: P(at any of the Q points) ≤ δ.  It is
    not a probability given that the point is certified.  f(z; T) = 0 counts as wrong.

    **Assumptions.**  Those of `neuron_envelope`, with `truncation` fixed beforehand; the sample is
    independent of the network, drawn from the law of its neurons and trained on the same data in the same
    steps (not: a flow, with descent as a stand-in).  Exact arithmetic of the training; pseudo-random numbers
    taken for random ones.

    **Derivation.**  Derivation 10, (10.2).

    **Checked by.**  tests/test_theory/test_certificates/test_independent.py (laws with hidden tails,
    untrained networks, where a sign proved is wrong half of the time) and
    tests/test_empirics/test_neurons.py (fresh networks; no violation).  Loose by the simulation: some m ≤ n
    is needed.

    Parameters
    ----------
    outputs : array, shape (n, Q)
        X of each simulated neuron, n ≥ 8, in any order that is independent of their values.
    initial : array, shape (n, Q)
        u(z; 0).
    readouts : array, shape (n,)
        α.
    norms : array, shape (n,)
        ‖w(0)‖.
    envelope : NeuronEnvelope
        For the same points and schedule.
    delta : float in (0, 1)
    simultaneous : bool
        Whether δ is divided by the number of points.

    Returns
    -------
    IndependentCertificate
        Unknown where an output is not finite.

    Raises
    ------
    ValueError
        If shapes disagree or `delta` is out of range; or if `envelope.truncation` leaves nothing of δ.
    """
    arguments = (("outputs", outputs), ("initial", initial), ("readouts", readouts), ("norms", norms))
    outputs, initial, readouts, norms = (as_real(name, value, finite=False) for name, value in arguments)
    _check_sample(outputs, initial, readouts, norms, len(envelope.scale))
    risk = check_probability("delta", delta, parts=outputs.shape[1] if simultaneous else 1)
    simulation = max(SIMULATION_SHARE * risk, math.ulp(0.0))
    rounded = risk < sys.float_info.min  # so small that its shares are not exact: nothing is proved
    if not rounded and envelope.truncation + simulation >= risk:
        msg = f"envelope.truncation must be below {risk - simulation:g}, got {envelope.truncation:g}"
        raise ValueError(msg)
    m, n = envelope.width, len(outputs)
    finite = np.asarray(np.isfinite(outputs).all(axis=0) & np.isfinite(initial).all(axis=0))
    finite &= bool(np.isfinite(readouts).all() and np.isfinite(norms).all())
    X = np.where(finite, outputs, 0.0)
    sample = _Sample(X, np.where(finite, initial, 0.0), readouts, envelope.inside(readouts, norms))
    cut = int(SELECTION_SHARE * n)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # what overflows is unknown
        chosen = _choose(sample.part(slice(cut)), envelope, n - cut, -np.log(simulation))
        D, reference = _differences(sample.part(slice(cut, n)), envelope, chosen)
        upper = upper_mean(D, ceiling=chosen.ceiling, bet=chosen.bet, risk=simulation)
        moment = (reference + upper + _tail(envelope, chosen)) * OUTWARD
        chernoff = np.where(moment < 1, np.exp(m * np.log(np.clip(moment, 0, 1))), 1.0)
        mean, deviation = m * X.mean(axis=0), math.sqrt(m) * X.std(axis=0, ddof=1)
    unknown: NDArray[np.bool_] = np.asarray(~finite | rounded)
    terms = {
        "neurons out of limits": np.full(len(unknown), envelope.truncation),
        "Chernoff": np.where(np.isnan(moment) | unknown, 1.0, chernoff),
        "simulation": np.full(len(unknown), simulation),
    }
    return IndependentCertificate(
        candidates=np.where(unknown, 0, chosen.signs),
        failure=Bound(terms, 0.0, _assumptions()),
        delta=risk,
        mean=np.where(unknown, np.nan, mean),
        standard_error=np.where(unknown, np.nan, deviation * np.sqrt(m / n)),
        deviation=np.where(unknown, np.nan, deviation),
        exponent=np.where(unknown, np.nan, chosen.exponent),
        num_neurons=n,
    )


def truncation_risk(delta: float, num_points: int, *, simultaneous: bool) -> float:
    """Return the part of δ that `certify_independent` leaves for neurons out of limits.

    Parameters
    ----------
    delta : float in (0, 1)
    num_points : int
        Q ≥ 1.
    simultaneous : bool

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If an argument is out of range.
    """
    count = check_integer("num_points", num_points, minimum=1)
    risk = check_probability("delta", delta, parts=count if simultaneous else 1)
    return max(TRUNCATION_SHARE * risk, math.ulp(0.0))


@dataclass(frozen=True, eq=False)
class _Sample:
    """Simulated neurons: X and u(z; 0), shape (n, Q), α and whether in E, shape (n,)."""

    outputs: Array
    initial: Array
    readouts: Array
    inside: NDArray[np.bool_]

    def part(self, rows: slice) -> _Sample:
        return _Sample(self.outputs[rows], self.initial[rows], self.readouts[rows], self.inside[rows])


@dataclass(frozen=True, eq=False)
class _Choice:
    """s, λ, h, ν, r, and whether V is the envelope of inner neurons (else 1), all of shape (Q,)."""

    signs: NDArray[np.int_]
    exponent: Array
    ceiling: Array
    bet: Array
    power: Array
    split: NDArray[np.bool_]


def _choose(sample: _Sample, envelope: NeuronEnvelope, rest: int, log_risk: float) -> _Choice:
    """Choose what minimises the bound that the rest of the sample is expected to give."""
    X = sample.outputs
    average, variance = X.mean(axis=0), X.var(axis=0)
    signs = np.sign(average).astype(int)
    slower = np.fmax(np.fmin(rows_of(envelope.direct, signs), rows_of(envelope.inner, signs)), 0)
    end = 8 * math.sqrt(envelope.width) / (envelope.scale + 2 * slower)
    unit = np.where(average != 0, np.fmin(np.abs(average) / variance, end), 0.0)
    Q = len(average)
    best, fields = np.full(Q, np.inf), np.ones((4, Q))
    split, points = np.zeros(Q, dtype=bool), np.arange(Q)
    ceilings = _CEILINGS[:, None]
    exponents = _EXPONENTS[:, None] * unit
    references = {False: np.ones_like(exponents), True: envelope.reference(exponents, signs)}
    tails_at_one = {  # each of shape (powers, exponents, Q)
        kind: np.stack([_tail_at_one(envelope, exponents, signs, r, split=kind) for r in powers])
        for kind, powers in _POWERS.items()
    }
    falls = {
        kind: _fall_of_tail(powers[:, None, None], ceilings, split=kind) for kind, powers in _POWERS.items()
    }
    for at, exponent in enumerate(exponents):
        W = np.exp(-exponent * signs * X) * sample.inside[:, None]
        V = envelope.reference_values(exponent, signs, sample.readouts, sample.initial)
        for kind, D in ((False, W - 1), (True, W - V)):
            mean, spread = D.mean(axis=0), D.var(axis=0)
            tails = tails_at_one[kind][:, at][:, None] * falls[kind]
            which = tails.argmin(axis=0)  # (ceilings, Q)
            bet = np.minimum(np.sqrt(2 * log_risk / (rest * spread)), 0.9 / (ceilings - mean))
            slack = log_risk / (rest * bet) + bet * spread / 2
            value = references[kind][at] + mean + slack + tails.min(axis=0)
            value = np.where(np.isfinite(value) & (mean < ceilings) & (exponent > 0), value, np.inf)
            c = value.argmin(axis=0)
            better = value[c, points] < best
            best = np.where(better, value[c, points], best)
            new = [exponent, _CEILINGS[c], bet[c, points], _POWERS[kind][which[c, points]]]
            fields = np.where(better, new, fields)
            split = np.where(better, kind, split)
    known = np.isfinite(best)
    exponent, ceiling, bet, power = fields
    return _Choice(np.where(known, signs, 0), np.where(known, exponent, 0.0), ceiling, bet, power, split)


def _differences(sample: _Sample, envelope: NeuronEnvelope, chosen: _Choice) -> tuple[Array, Array]:
    """Return min(D, h), D = e^(−λ s X) 1{E} − V, and E V."""
    W = np.exp(-chosen.exponent * chosen.signs * sample.outputs) * sample.inside[:, None]
    V = envelope.reference_values(chosen.exponent, chosen.signs, sample.readouts, sample.initial)
    D = W - np.where(chosen.split, V, 1.0)
    reference = np.where(chosen.split, envelope.reference(chosen.exponent, chosen.signs), 1.0)
    return np.minimum(D, chosen.ceiling), reference


def _tail(envelope: NeuronEnvelope, chosen: _Choice) -> Array:
    """Bound E(D − h)₊; ∞ where nothing was chosen."""
    tail = np.full(len(chosen.signs), np.inf)
    for kind, powers in _POWERS.items():
        for r in powers:
            here = (chosen.split == kind) & (chosen.power == r) & (chosen.exponent > 0)
            if here.any():
                value = _tail_at_one(envelope, chosen.exponent, chosen.signs, r, split=kind)
                value = value * _fall_of_tail(r, chosen.ceiling, split=kind)
                tail = np.where(here, value, tail)
    return tail


def _tail_at_one(
    envelope: NeuronEnvelope, exponent: Array, signs: NDArray[np.int_], power: float, *, split: bool
) -> Array:
    if split:
        return envelope.excess(exponent, signs, int(power))
    return envelope.moment(power * exponent, signs)


def _fall_of_tail(power: ArrayLike, ceiling: ArrayLike, *, split: bool) -> Array:
    """C_r t^(1−r), (w − t)₊ ≤ C_r t^(1−r) w^r: w = D₊, t = h for the split, w = D + 1, t = h + 1 else."""
    r = np.asarray(power, dtype=np.float64)
    level = np.asarray(ceiling, dtype=np.float64) + (0.0 if split else 1.0)
    return np.asarray(((r - 1) / r) ** r / (r - 1) * level ** (1 - r))


def _assumptions() -> tuple[Assumption, ...]:
    statements = (
        "identity loss, frozen readout, no weight decay",
        "full-batch descent in the same steps for the network and the simulated neurons",
        "simulated neurons, network and points independent",
        "exact arithmetic of the training",
    )
    return tuple(Assumption(statement, None) for statement in statements)


def _check_sample(outputs: Array, initial: Array, readouts: Array, norms: Array, num_points: int) -> None:
    if outputs.ndim != 2 or outputs.shape[1] != num_points or len(outputs) < 8:
        msg = f"outputs must have shape (n, {num_points}), n >= 8, got {outputs.shape}"
        raise ValueError(msg)
    if initial.shape != outputs.shape:
        msg = f"initial must have the shape of outputs, {outputs.shape}, got {initial.shape}"
        raise ValueError(msg)
    for name, array in (("readouts", readouts), ("norms", norms)):
        if array.shape != outputs.shape[:1]:
            msg = f"{name} must have shape ({len(outputs)},), one a neuron, got {array.shape}"
            raise ValueError(msg)
