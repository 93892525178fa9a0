"""Agreement of f and g certified before anything is trained: the perturbed set is bounded, not given.

r_n = ε t_n ∇f(x_n; T_f)/‖∇f(x_n; T_f)‖ lies near ε t_n ∇f_b(x_n)/‖∇f_b(x_n)‖ (`gradients`); what the margin
theorem of g uses is bounded over all perturbed sets that are so near.  Derivation 13.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from theory.bounds.bound import Bound
from theory.bounds.gradients import Gradients, assumptions, gradients
from theory.bounds.margin import DYNAMICS, FLIPS_RISK, Dynamics, Problem, moving_terms
from theory.bounds.moments import QUIET, start_tail
from theory.bounds.speeds import EPS, Speeds
from theory.certificates.lazy import AgreementCertificate, Certificate, certify
from theory.kernel.rows import phi_of_angle
from theory.libraries import scales
from theory.setting import Setting, training_set
from theory.validation import Array, as_labels, as_points, check_choice, check_probability, data_by_keyword

# Every interval is widened by this part of the sizes in it: far above the roundings of its arithmetic.
_WIDER = 1e-11
# Of the angle between two directions, at least: arccos of a cosine rounded by d·1e-16 is off by the root
# of twice that.
_BLUR = 1e-5
# What the roundings that `_WIDER` covers can change in Φ, at most: the square root of them, and more.
_TURN = 1e-4


@dataclass(frozen=True, eq=False)
class AprioriCertificate(AgreementCertificate):
    """What is proved about the signs of f and g from the clean data alone.

    Attributes
    ----------
    f, g : Certificate
        Each with a third of δ.  The predictor of g is the middle of the range of g_b(z) over the perturbed
        sets that are possible, and the term "perturbed set" half of that range.
    perturbation : Bound
        e_n ≥ ‖∇f(x_n; T_f) − T_f ∇f_b(x_n)‖, term by term, shape (N,), as used here.
    angles : array, shape (N,)
        The largest angle between r_n and its prediction, radians; π where nothing is known.
    """

    perturbation: Bound
    angles: Array


class Interval(NamedTuple):
    """Numbers between two arrays."""

    low: Array
    high: Array

    def __add__(self, other: Interval) -> Interval:  # type: ignore[override]
        """Return the interval of a sum."""
        return Interval(self.low + other.low, self.high + other.high)

    def times(self, factor: Array | float) -> Interval:
        """Return the interval of a product with numbers of either sign."""
        one, two = self.low * factor, self.high * factor
        return Interval(np.minimum(one, two), np.maximum(one, two))

    def wider(self, size: Array | float) -> Interval:
        """Return the interval, widened for rounding by a small part of `size`."""
        return Interval(self.low - _WIDER * size, self.high + _WIDER * size)

    def over(self, positive: Interval) -> Interval:
        """Return the interval of a quotient by positive numbers."""
        low = self.low / np.where(self.low >= 0, positive.high, positive.low)
        high = self.high / np.where(self.high >= 0, positive.low, positive.high)
        return Interval(low, high)

    def root(self) -> Interval:
        """Return the interval of the square root of numbers that are ≥ 0."""
        return Interval(np.sqrt(np.maximum(self.low, 0)), np.sqrt(np.maximum(self.high, 0)))

    def hull(self, other: Interval) -> Interval:
        """Return what one of the intervals allows."""
        return Interval(np.minimum(self.low, other.low), np.maximum(self.high, other.high))

    def within(self, other: Interval) -> Interval:
        """Return what both intervals allow."""
        return Interval(np.maximum(self.low, other.low), np.minimum(self.high, other.high))


@dataclass(frozen=True, eq=False)
class _Worst(Speeds):
    """Upper bounds (of scales: lower bounds) of the quantities of `Speeds` over many training sets.

    `Z`, `X` only have the right shapes.  Every bound that is built from these numbers grows with them.
    """

    range: Interval  # of y_n k(x_n, z)/N, shape (Q, N)
    nearest: Array  # the possible angle that is nearest to 0 or π, shape (Q, N)
    floor: Array  # ≤ s(z), shape (Q,)

    @cached_property
    def shares(self) -> Array:
        return np.maximum(np.abs(self.range.low), np.abs(self.range.high))

    @cached_property
    def theta(self) -> Array:
        return self.nearest

    @cached_property
    def kappa(self) -> Array:
        return np.asarray(self.shares.sum(axis=1))

    @cached_property
    def largest(self) -> Array:
        """P − γQ and Q − γP are Σ φ(c_n) and Σ φ(−c_n), and φ increases."""
        low, high = self.range
        up = np.where(high > 0, high, self.slope * high).sum(axis=1)
        down = np.where(low < 0, -low, -self.slope * low).sum(axis=1)
        return np.asarray(np.maximum(np.maximum(up, down), 0) + _WIDER * self.kappa)

    @cached_property
    def typical(self) -> Array:
        difference = np.maximum(self.range.high.sum(axis=1), -self.range.low.sum(axis=1))
        both = np.maximum((1 + self.slope) * difference, (1 - self.slope) * self.kappa) / 2
        return np.asarray(both + _WIDER * self.kappa)

    @cached_property
    def scale(self) -> Array:
        return self.floor


class _Inputs(NamedTuple):
    """The inputs of g as far as they are known: x_n^adv = (x_n or 0) + r_n."""

    base: Array  # x_n or 0, shape (N, d)
    labels: Array  # t_n
    unit: Array  # predicted directions, shape (N, d); 0 where there is none
    angle: Array  # largest angle between r_n and t_n times its prediction, shape (N,)
    length: Interval  # of r_n, shape (N,)

    def cone(self, points: Array) -> Interval:
        """Return ⟨r_n, p⟩, shape (points, N), from the angle to the predicted direction."""
        sizes = np.linalg.norm(points, axis=1)[:, None]
        cosine = _cosines(points, self.unit, self.angle)
        return self.scaled(cosine.times(sizes), sizes)

    def scaled(self, inner: Interval, sizes: Array) -> Interval:
        """Return `inner` times t_n times the length of r_n."""
        ends = [inner.times(self.labels * length) for length in self.length]
        return ends[0].hull(ends[1]).wider(sizes * self.length.high)

    def at(self, Z: Array, gradients: Gradients, lengths: Interval, risk: float) -> Interval:
        """Return ⟨x_n^adv, z⟩, shape (Q, N): the cone, and ⟨∇f(x_n), z⟩ by itself over ‖∇f(x_n)‖."""
        sizes = np.linalg.norm(Z, axis=1)[:, None]
        unit = np.divide(Z, sizes, out=np.zeros_like(Z), where=sizes > 0)
        error = sum(gradients.along(gradients.speeds(unit)[:, None], risk).values())
        middle = unit @ gradients.predicted.T
        blur = np.linalg.norm(gradients.predicted, axis=1) + error
        ratio = Interval(middle - error, middle + error).wider(blur).over(lengths)
        known = (lengths.low > 0) & np.isfinite(ratio.low) & np.isfinite(ratio.high)
        ratio = Interval(np.where(known, ratio.low, -1.0), np.where(known, ratio.high, 1.0))
        inner = self.scaled(
            Interval(np.maximum(ratio.low, -1), np.minimum(ratio.high, 1)).times(sizes), sizes
        )
        fixed = Z @ self.base.T
        total = inner.within(self.cone(Z)) + Interval(fixed, fixed)
        return total.wider(sizes * np.linalg.norm(self.base, axis=1))

    def among(self) -> tuple[Interval, Interval]:
        """Return ⟨x_k^adv, x_n^adv⟩, shape (N, N), and ‖x_n^adv‖²."""
        cosine = _cosines(self.unit, self.unit, self.angle[:, None] + self.angle)
        signs = self.labels[:, None] * self.labels
        ends = [cosine.times(signs * (length[:, None] * length)) for length in self.length]
        crossed, fixed = self.cone(self.base), self.base @ self.base.T
        pairs = ends[0].hull(ends[1]) + crossed + Interval(crossed.low.T, crossed.high.T)
        norms = np.linalg.norm(self.base, axis=1) + self.length.high
        pairs = (pairs + Interval(fixed, fixed)).wider(norms[:, None] * norms)
        own = Interval(np.diag(crossed.low), np.diag(crossed.high)).times(2.0)
        squares = own + Interval(*(np.diag(fixed) + length**2 for length in self.length))
        squares = squares.wider(norms**2)
        for matrix, diagonal in zip(pairs, squares, strict=True):
            np.fill_diagonal(matrix, diagonal)
        return pairs, squares


@data_by_keyword
def certify_agreement_a_priori(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    y_adv: ArrayLike,
    setting: Setting,
    delta: float,
    dynamics: Dynamics = "descent",
) -> AprioriCertificate:
    """Prove whether f and g have the same sign at query points, before either is initialised.

    **Statement.**  r_n = ε t_n ∇f(x_n; T_f)/‖∇f(x_n; T_f)‖ (0 where the gradient is 0), t_n = y_adv; g is
    trained on r_n or x_n + r_n (scenario (a) or (b)).  At each point P(the verdict is agree or disagree, and
    wrong) ≤ δ over the two initialisations.  It is not a probability given that the point is certified.

    **Assumptions.**  Those of `theory.certify` for both networks; target labels fixed or drawn independently
    of both initialisations, z too; g initialised independently of f.  Exact arithmetic of both trainings.

    **Derivation.**  Derivation 13, (13.6): δ/3 for the sign of f, δ/3 for the perturbations, δ/3 for g on any
    of the perturbed sets that are left; a union bound.

    **Checked by.**  tests/test_theory/test_certificates/test_apriori.py, against pairs of trained networks.
    Half of the points of the reference case of Derivation 13 take 6 to 15 times the width that
    `theory.certify_agreement` needs, which is given the perturbed set; some points no width certifies, as the
    initial gradient of f stays in the perturbations.

    Parameters
    ----------
    Z : array, shape (Q, d)
        Query points.
    X, y : arrays, shapes (N, d) and (N,)
        What f is trained on.
    y_adv : array, shape (N,)
        Target labels of the perturbations.
    setting : Setting
        Width, slope, ε, times, scenario and loss.
    delta : float in (0, 1)
        Failure probability at each point.
    dynamics : {"descent", "flow"}
        As in `theory.certify`, for both networks.

    Returns
    -------
    AprioriCertificate

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or an argument is out of range.

    Examples
    --------
    >>> from theory import Setting, certify_agreement_a_priori
    >>> setting = Setting(dim=2, N=2, width=10**7, epsilon=1.0, T_f=9.0, T_g=9.0, negative_slope=0.3)
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> proof = certify_agreement_a_priori([[9.0, 1.0]], **data, y_adv=[1, 1], setting=setting, delta=0.01)
    >>> proof.verdicts
    <1 verdict: 1 agree>
    """
    check_choice("dynamics", dynamics, DYNAMICS)
    X, y = training_set(X, y, setting)
    Z = as_points("Z", Z, dim=setting.dim, or_one=True)
    t = as_labels("y_adv", y_adv, length=len(X))
    share = check_probability("delta", delta, parts=3)
    f = certify(Z, X=X, y=y, setting=setting, delta=share, network="f", dynamics=dynamics)
    f = Certificate(np.where(np.isfinite(f.predictor), f.predictor, np.nan), f.bound)
    return _stages(f, Z, X, y, t, setting, share, dynamics)


@QUIET
def _stages(
    f: Certificate, Z: Array, X: Array, y: Array, t: Array, setting: Setting, share: float, dynamics: Dynamics
) -> AprioriCertificate:
    each = share / (5 * len(X))  # a length and two directions with two sides for each n
    moved = gradients(X, y, setting)
    error = moved.length(each)
    inputs, lengths = _inputs(X, t, moved, np.sum(list(error.values()), axis=0), setting, each)
    inner = inputs.at(Z, moved, lengths, each)
    g = _second_stage(Z, inputs, inner, setting, share, dynamics)
    bound = Bound(error, share, assumptions(setting))
    return AprioriCertificate(f=f, g=g, perturbation=bound, angles=inputs.angle)


def _inputs(
    X: Array, t: Array, moved: Gradients, error: Array, setting: Setting, risk: float
) -> tuple[_Inputs, Interval]:
    """Return the inputs of g, and ‖∇f(x_n; T_f)‖: Derivation 13, step 5."""
    size = np.linalg.norm(moved.predicted, axis=1)
    unit = np.divide(
        moved.predicted, size[:, None], out=np.zeros_like(moved.predicted), where=size[:, None] > 0
    )
    along = np.asarray(sum(moved.along(moved.speeds(unit), risk).values()))
    low, high = size - np.minimum(along, error), size + error
    high = np.fmin(high, np.hypot(size + along, error))
    lengths = Interval(low, high).wider(size + 1)
    sine = np.minimum(error / size, 1.0)
    angle = np.where(error < size, np.arcsin(np.where(error < size, sine, 0.0)), np.pi)
    angle = np.fmin(angle, np.where(lengths.low > 0, np.arctan2(error, lengths.low), np.pi))
    known = np.isfinite(error) & np.isfinite(size) & (lengths.low > 0)
    angle = np.where(
        known, angle * (1 + _WIDER) + max(_BLUR, math.sqrt(4 * EPS * moved.predicted.shape[1])), np.pi
    )
    epsilon = setting.epsilon
    length = Interval(np.where(known, epsilon * (1 - _WIDER), 0.0), np.full(len(X), epsilon * (1 + _WIDER)))
    lengths = Interval(np.where(known, lengths.low, 0.0), np.where(known, lengths.high, np.inf))
    base = X if setting.scenario == "b" else np.zeros_like(X)
    return _Inputs(base, t, np.where(known[:, None], unit, 0.0), angle, length), lengths


def _second_stage(
    Z: Array, inputs: _Inputs, inner: Interval, setting: Setting, risk: float, dynamics: Dynamics
) -> Certificate:
    """Return the margin theorem of g over every perturbed set that is possible: Derivation 13, step 6."""
    slope, dim, width, T = setting.negative_slope, setting.dim, setting.width, setting.T_g
    pairs, squares = inputs.among()
    ones = np.ones(len(inputs.labels))
    scale_n = (squares.times(1 / dim) + Interval(ones, ones)).root()
    scale_n = Interval(np.maximum(scale_n.low * (1 - _WIDER), 1.0), scale_n.high * (1 + _WIDER))
    scale_z = Interval(scales(Z) * (1 - _WIDER), scales(Z) * (1 + _WIDER))
    at, theta = _worst(Z, inputs, inner, scale_z, scale_n, setting)
    samples, _ = _worst(inputs.base, inputs, pairs, scale_n, scale_n, setting)
    span = _velocity(inputs.labels, inner, theta, scale_z, scale_n, setting)
    middle, half = (span.low + span.high) / 2, (span.high - span.low) / 2
    middle = np.where(np.isfinite(middle) & np.isfinite(half), middle, np.nan)  # then nothing is claimed
    problem = Problem(at, samples, width, T)
    start = start_tail(
        mean=-np.maximum(np.abs(middle) - half * (1 + _WIDER), 0),
        variance=(1 + slope**2) / 2 * at.largest**2,
        largest=at.largest,
        scale=scale_z.high,
        slope=slope,
        width=width,
        T=T,
        risk=(1 - FLIPS_RISK) * risk,
    )
    terms = {
        "perturbed set": half,
        "initial network and kernel": start / T if T > 0 else np.full(len(Z), np.inf),
    }
    terms |= moving_terms(problem, risk, dynamics) | {"rounding": _WIDER * at.kappa}
    terms = {name: value * (1 + 1e-9) for name, value in terms.items()}
    return Certificate(middle, Bound(terms, risk, assumptions(setting)))


def _worst(
    Z: Array, inputs: _Inputs, inner: Interval, scale_z: Interval, scale_n: Interval, setting: Setting
) -> tuple[_Worst, Interval]:
    """Return the worst speeds at points, and the angles between the points and the inputs of g."""
    N = len(inputs.labels)
    products = Interval(scale_z.low[:, None] * scale_n.low, scale_z.high[:, None] * scale_n.high)
    ones = np.ones_like(inner.low)
    cosine = (inner.times(1 / setting.dim) + Interval(ones, ones)).over(products).wider(1.0)
    theta = Interval(np.arccos(np.clip(cosine.high, -1, 1)), np.arccos(np.clip(cosine.low, -1, 1)))
    nearest = np.where(np.sin(theta.low) <= np.sin(theta.high), theta.low, theta.high)
    labelled = (inner + Interval(ones, ones)).times(inputs.labels / N)
    labelled = labelled.wider(np.abs(labelled.low) + np.abs(labelled.high))
    worst = _Worst(Z, inputs.base, inputs.labels, setting.negative_slope, labelled, nearest, scale_z.low)
    return worst, theta


def _velocity(
    labels: Array, inner: Interval, theta: Interval, scale_z: Interval, scale_n: Interval, setting: Setting
) -> Interval:
    """Return g_b(z) = (1/N) Σ t_n Φ(x_n^adv, z) (⟨x_n^adv, z⟩ + 1) over the perturbed sets.

    Where the length of x_n^adv is known Φ·k is a function of the inner product alone; where its derivative
    Φ + k ∂Φ/∂⟨x, z⟩ cannot be negative the ends belong to the ends.
    """
    slope, dim = setting.negative_slope, setting.dim
    most, least = phi_of_angle(theta.low, slope), phi_of_angle(theta.high, slope)
    low, high = inner.low + 1, inner.high + 1
    sine = np.minimum(np.sin(theta.low), np.sin(theta.high))
    steep = (1 - slope) ** 2 / (2 * math.pi * sine) / (dim * scale_z.low[:, None] * scale_n.low)
    rising = least * (1 - 1e-9) + np.minimum(low, 0) * steep > 0
    # Known up to rounding, which moves an angle near 0 by up to its square root: `_TURN`.
    rising &= scale_n.high <= scale_n.low * (1 + 1e-9)
    bottom = low * np.where(low >= 0, least, np.where(rising, np.minimum(least + _TURN, most), most))
    top = high * np.where(high >= 0, most, np.where(rising, np.maximum(most - _TURN, least), least))
    each = Interval(bottom, top).times(labels / len(labels))
    total = Interval(each.low.sum(axis=1), each.high.sum(axis=1))
    return total.wider((np.abs(each.low) + np.abs(each.high)).sum(axis=1))


def _cosines(points: Array, units: Array, angle: Array) -> Interval:
    """Return the cosine between points and vectors within `angle` of unit ones (or anything, beyond π)."""
    sizes = np.linalg.norm(points, axis=1)[:, None]
    inner = points @ units.T
    cosine = np.divide(inner, sizes, out=np.zeros_like(inner), where=sizes > 0)
    theta = np.arccos(np.clip(cosine, -1, 1))
    return Interval(np.cos(np.minimum(theta + angle, np.pi)), np.cos(np.maximum(theta - angle, 0)))
