"""Φ as a proved enclosure: ball arithmetic, with interval arithmetic as a second opinion.

An enclosure certainly contains the exact value of the formula at the numbers that were given: a float
stands for the binary fraction it stores, never for the decimal that was typed.  FLINT's balls (arb) carry
every rounding; the trust is in FLINT.  `phi_interval_mpmath` shares neither library, arithmetic nor
algorithm with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Any

import mpmath
import numpy as np
from flint import arb, arb_mat
from mpmath.ctx_iv import MPIntervalContext
from numpy.typing import NDArray

from theory.kernel.balls import (
    GUARD_BITS,
    Number,
    Point,
    Points,
    as_rational,
    ball_points,
    check_direction,
    check_length,
    check_precision,
    direction,
    dot,
    entries_of,
    exact_ball,
    exact_fraction,
    exact_parameters,
    float_above,
    float_below,
    phi_ball,
    refuse_zero,
    working_precision,
)
from theory.tables import Tabular
from theory.validation import data_by_keyword
from theory.verdicts import Verdicts

# After 8 halvings of an angle in [0, π/4] its tangent is below 2^-8: one term of the series gains 16 bits.
_HALVINGS = 8
_BITS_A_TERM = 16


class Sign(StrEnum):
    """The sign of an enclosed number; *unknown* if the ball contains 0, so also of 0 itself."""

    POSITIVE = "positive"
    NEGATIVE = "negative"
    UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Enclosure:
    """A ball that certainly contains the exact value.

    Two enclosures are never compared by ==, which would mean little: ask `overlaps`.

    Attributes
    ----------
    ball : flint.arb
        Midpoint and radius.
    precision : int
        Bits that were asked for.
    """

    ball: arb
    precision: int

    @property
    def lower(self) -> float:
        """The largest float that is certainly not above the ball (−inf if there is none)."""
        with working_precision(53):
            return float_below(self.ball.lower())

    @property
    def upper(self) -> float:
        """The smallest float that is certainly not below the ball (inf if there is none)."""
        with working_precision(53):
            return float_above(self.ball.upper())

    @property
    def midpoint(self) -> float:
        """The float nearest to the centre: no bound, for bounds see `lower` and `upper`."""
        return float(self.ball.mid())

    @property
    def radius(self) -> float:
        """The radius of the ball, rounded up; about its exact centre, not about the rounded `midpoint`."""
        with working_precision(53):
            return float_above(self.ball.rad())

    @property
    def sign(self) -> Sign:
        """The sign of the exact value, if the ball proves one."""
        if self.ball > 0:
            return Sign.POSITIVE
        if self.ball < 0:
            return Sign.NEGATIVE
        return Sign.UNKNOWN

    def contains(self, value: Number) -> bool:
        """Return whether `value`, an exact number or a whole ball, lies in the ball; no rounding is made.

        A ball that is not finite excludes nothing.
        """
        if isinstance(value, arb):
            return bool(self.ball.contains(value))
        number = as_rational("value", value)
        if not self.ball.is_finite():
            return True
        return abs(number - exact_fraction(self.ball.mid())) <= exact_fraction(self.ball.rad())

    def overlaps(self, other: Enclosure) -> bool:
        """Return whether the two balls have a point in common; if not, one of them is wrong."""
        return bool(self.ball.overlaps(other.ball))


class Enclosures(np.ndarray[Any, np.dtype[np.object_]], Tabular):
    """An array of `Enclosure`, with arrays of their properties."""

    @classmethod
    def of(cls, balls: Iterable[arb], precision: int, shape: tuple[int, ...]) -> Enclosure | Enclosures:
        """Return the enclosures in this shape; a single one, for the shape (), without an array."""
        made = [Enclosure(ball, precision) for ball in balls]
        array = np.empty(len(made), dtype=object)
        array[:] = made
        return array.reshape(shape).view(cls) if shape else made[0]

    @property
    def lower(self) -> NDArray[np.float64]:
        """The largest floats that are certainly not above the balls."""
        return np.array([each.lower for each in self.ravel().tolist()]).reshape(self.shape)

    @property
    def upper(self) -> NDArray[np.float64]:
        """The smallest floats that are certainly not below the balls."""
        return np.array([each.upper for each in self.ravel().tolist()]).reshape(self.shape)

    @property
    def sign(self) -> Verdicts:
        """The signs that the balls prove."""
        signs: Verdicts = Verdicts.of(each.sign for each in self.ravel().tolist()).reshape(self.shape)
        return signs

    def _columns(self) -> Mapping[str, Any]:
        return {"lower": self.lower.ravel(), "upper": self.upper.ravel(), "sign": self.sign.ravel()}


@data_by_keyword
def ntk_enclosure(
    x: Point | Points, z: Point | Points, *, negative_slope: Number = 0, precision: int = 128
) -> Enclosure | Enclosures:
    """Return balls that certainly contain Θ(x, z) = Φ(x, z)(⟨x, z⟩ + 1).

    Parameters
    ----------
    x, z, negative_slope, precision
        As for `phi_enclosure`.

    Returns
    -------
    Enclosure, or Enclosures of the shape of `theory.ntk`
        For exact numbers of radius below 2^(−precision) (‖x‖‖z‖ + 1).

    Raises
    ------
    ValueError, TypeError
        As `phi_enclosure`.

    Notes
    -----
    Source: Derivation 3.

    Examples
    --------
    >>> from theory import ntk_enclosure
    >>> ntk_enclosure([1, 0], [1, 0]).contains(1)
    True
    """
    return _pairs(x, z, (negative_slope, 1, 1), precision, lambda ball, u, v: ball * (dot(u, v) + 1))


@data_by_keyword
def phi_enclosure(
    x: Point | Points,
    z: Point | Points,
    *,
    negative_slope: Number = 0,
    weight_variance: Number = 1,
    bias_variance: Number = 1,
    precision: int = 128,
) -> Enclosure | Enclosures:
    """Return a ball that certainly contains Φ(x, z), or balls for all pairs of points.

    Φ(x, z) = γ + (1 − γ)² (π − θ)/(2π), θ the angle between (σ_w x/√d, σ_b) and (σ_w z/√d, σ_b).

    Parameters
    ----------
    x, z : sequences of d numbers, or of such points
        Each number an int, float, Fraction, Decimal, numpy or mpmath real, taken exactly; a string such as
        ``"0.1"`` or ``"1/3"``, taken as that rational; or an arb ball.  With balls the result contains
        Φ(x, z) of all points in them, x and z varying independently, wherever Φ is defined.
    negative_slope : number in [0, 1)
        The paper's γ; exact, no ball.
    weight_variance, bias_variance : number, ≥ 0
        σ_w² and σ_b²; exact, no balls.  The paper has 1 and 1.
    precision : int in [2, 2^20]
        Bits.

    Returns
    -------
    Enclosure, or Enclosures of the shape of `theory.phi`
        In [γ, (1 + γ²)/2], up to the rounding of the ball itself: 30 bits of its radius.

    Raises
    ------
    ValueError
        If lengths disagree, a number is not finite or out of range, or a direction is zero.
    TypeError
        If an argument is no real number or no sequence of them.

    Notes
    -----
    Source: `expressions.PHI`; Derivation 1, (1.3).  Rigorous for every input, by θ = 2·atan2(‖û − v̂‖, ‖û +
    v̂‖) in balls.  For exact numbers the radius is below 2^(−precision), parallel and opposite points
    included (tests/test_theory/test_kernel/test_enclosure.py::test_ball_is_narrow).  Balls of radius r, small
    against the points, widen the result by less than 2 √d r/(smaller of ‖x‖ and ‖z‖), σ_w = 1.

    Examples
    --------
    >>> from theory import phi_enclosure
    >>> ball = phi_enclosure([1, "0.5"], [1, "0.5"], precision=128)
    >>> ball.contains("0.5"), ball.radius < 1e-30
    (True, True)
    """
    parameters = (negative_slope, weight_variance, bias_variance)
    return _pairs(x, z, parameters, precision, lambda ball, *_: ball)


def _pairs(
    x: Point | Points,
    z: Point | Points,
    parameters: tuple[Number, Number, Number],
    precision: int,
    change: Callable[[arb, arb_mat, arb_mat], arb],
) -> Enclosure | Enclosures:
    """Return enclosures of a function of Φ and two points, for all pairs of them."""
    bits = check_precision("precision", precision)
    gamma, variances = exact_parameters(*parameters)
    with working_precision(bits + GUARD_BITS):
        rows, several = ball_points("x", x)
        columns, many = ball_points("z", z, like=("x", rows[0]))
        for name, points in (("x", rows), ("z", columns)):
            for point in points:
                check_direction(name, point, variances)
        slope, directions = exact_ball(gamma), [direction(v, variances) for v in columns]
        balls = [
            change(phi_ball(direction(u, variances), along, slope), u, v)
            for u in rows
            for v, along in zip(columns, directions, strict=True)
        ]
    return Enclosures.of(balls, bits, (len(rows),) * several + (len(columns),) * many)


@data_by_keyword
def phi_interval_mpmath(
    x: Point,
    z: Point,
    *,
    negative_slope: Number = 0,
    weight_variance: Number = 1,
    bias_variance: Number = 1,
    precision: int = 128,
) -> Enclosure:
    """Return an enclosure of Φ(x, z) on another path: exact rationals, then mpmath's intervals.

    Φ = (1 + γ²) P + γ (1 − 2P), P = (π − θ)/(2π), with ‖u‖²‖v‖² − ⟨u, v⟩² and ⟨u, v⟩ as exact fractions and
    tan(θ/2) = √(‖u‖²‖v‖² − ⟨u, v⟩²)/(‖u‖‖v‖ + ⟨u, v⟩).

    Parameters
    ----------
    x, z : sequences of d numbers
        As for `phi_enclosure`, without balls.
    negative_slope, weight_variance, bias_variance : number
        As for `phi_enclosure`.
    precision : int in [2, 2^20]
        Bits.

    Returns
    -------
    Enclosure
        Not cut to the known range.  For exact numbers the radius is below 2^(−precision).

    Raises
    ------
    ValueError
        If lengths disagree, a number is not finite or out of range, or a direction is zero.
    TypeError
        If an argument is no exact number or no sequence of them.

    Notes
    -----
    Source: Derivation 1.  Rigorous as far as mpmath rounds +, −, ×, ÷ and √ outward; arctan is summed here
    with its remainder, because `iv.atan2` rounds an approximate quotient and can be off in its last place.
    The precision of `mpmath.iv` is neither read nor set: the intervals are private.

    Examples
    --------
    >>> from theory import phi_interval_mpmath
    >>> phi_interval_mpmath([1, 0], [1, 0]).contains("0.5")
    True
    """
    bits = check_precision("precision", precision)
    gamma, (weight, bias) = exact_parameters(negative_slope, weight_variance, bias_variance)
    u = [as_rational(f"x[{i}]", value) for i, value in enumerate(entries_of("x", x))]
    v = [as_rational(f"z[{i}]", value) for i, value in enumerate(entries_of("z", z))]
    check_length("z", len(v), ("x", len(u)))

    def inner(a: list[Fraction], b: list[Fraction]) -> Fraction:
        return weight * sum((p * q for p, q in zip(a, b, strict=True)), Fraction()) / len(a) + bias

    uu, vv, uv = inner(u, u), inner(v, v), inner(u, v)
    for name, square in (("x", uu), ("z", vv)):
        if square == 0:
            refuse_zero(name)
    interval = MPIntervalContext()
    interval.prec = bits + GUARD_BITS

    def real(number: Fraction) -> Any:  # noqa: ANN401 - mpmath is untyped
        return interval.mpf(number.numerator) / interval.mpf(number.denominator)

    # The angle between the lines: its half has a tangent in [0, 1].
    tangent = interval.sqrt(real(uu * vv - uv**2)) / (interval.sqrt(real(uu * vv)) + real(abs(uv)))
    pi = 4 * _arctan(interval, interval.mpf(1))
    acute = 2 * _arctan(interval, tangent)
    theta = acute if uv >= 0 else pi - acute
    both_positive = (pi - theta) / (2 * pi)
    value = real(1 + gamma**2) * both_positive + real(gamma) * (1 - 2 * both_positive)
    lower, upper = (arb(mpmath.mp.make_mpf(end)) for end in value._mpi_)
    with working_precision(bits + GUARD_BITS):
        return Enclosure(lower.union(upper), bits)


# Intervals ------------------------------------------------------------------------------------------


def _arctan(interval: MPIntervalContext, tangent: Any) -> Any:  # noqa: ANN401 - mpmath is untyped
    """Enclose arctan on [0, 1] with nothing but +, −, ×, ÷ and √ of intervals.

    arctan t = 2 arctan(t/(1 + √(1 + t²))), then Σ_j (−1)^j t^(2j+1)/(2j+1): terms alternate and fall, so the
    rest is at most the first one left out.
    """
    for _ in range(_HALVINGS):
        tangent = tangent / (1 + interval.sqrt(1 + tangent * tangent))
    square, power, total = tangent * tangent, tangent, interval.mpf(0)
    num_terms = interval.prec // _BITS_A_TERM + 1
    for j in range(num_terms):
        total += (-1) ** j * power / (2 * j + 1)
        power *= square
    return 2**_HALVINGS * (total + interval.mpf([-1, 1]) * power / (2 * num_terms + 1))
