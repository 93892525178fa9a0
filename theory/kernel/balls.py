"""Balls, their precision, and the reading of exact numbers: what the enclosures are made of.

The precision of python-flint is one global of the process.  It is set here under a lock and put back, also
after an error.  Balls are sound at every precision, so a thread that changes it meanwhile can make an
enclosure wider, not wrong; and a thread that computes with flint meanwhile may see the precision set here.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, Protocol, TypeAlias

import flint
import mpmath
import numpy as np
from flint import arb, arb_mat
from numpy.typing import NDArray

from theory.validation import check_integer

# Bits above those asked for.  Sums of d or N terms lose a few + log2 of their length: 64 leaves room.
GUARD_BITS = 64
# FLINT ends the process when memory runs out: refuse what is certainly a mistake.
_MAX_PRECISION = 1 << 20
_LOCK = threading.RLock()


def _renew_lock() -> None:
    """In a forked child the lock may be held by nobody."""
    global _LOCK  # noqa: PLW0603
    _LOCK = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class _Ratio(Protocol):
    def as_integer_ratio(self) -> tuple[int, int]: ...


# int, float, Fraction, Decimal, numpy scalars, mpmath.mpf (untyped); "0.1" or "1/3"; a ball.
Number: TypeAlias = _Ratio | np.integer[Any] | str | arb
Point: TypeAlias = Sequence[Number] | NDArray[Any]
Points: TypeAlias = Sequence[Point] | NDArray[Any]


@contextmanager
def working_precision(bits: int) -> Iterator[None]:
    """Set the precision of python-flint for a block, under a lock, and put it back."""
    with _LOCK:
        before = flint.ctx.prec
        flint.ctx.prec = bits
        try:
            yield
        finally:
            flint.ctx.prec = before


def phi_ball(u: arb_mat, v: arb_mat, slope: arb) -> arb:
    """Enclose Φ from unit vectors, within its range; a direction that is not known allows all of it."""
    known_range = slope.union(phi_of_angle(arb(0), slope))
    difference, total = length_of(u - v), length_of(u + v)
    if not (difference.is_finite() and total.is_finite()):
        return known_range
    return phi_of_angle(2 * arb.atan2(difference, total), slope).intersection(known_range)


def phi_of_angle(theta: arb, slope: arb) -> arb:
    """Enclose Φ as a function of the angle."""
    return slope + (1 - slope) ** 2 * (1 - theta / arb.pi()) / 2


def direction(row: arb_mat, variances: tuple[Fraction, Fraction]) -> arb_mat:
    """Enclose the unit vector along (σ_w x/√d, σ_b); not finite if the row may be zero and σ_b is."""
    weight, bias = (exact_ball(variance) for variance in variances)
    scaled = row * (weight / row.ncols()).sqrt()
    vector = arb_mat(1, row.ncols() + 1, [*scaled.entries(), bias.sqrt()])
    return vector * (1 / length_of(vector))


def dot(u: arb_mat, v: arb_mat) -> arb:
    """Enclose the inner product of two rows."""
    return (u * v.transpose())[0, 0]


def length_of(u: arb_mat) -> arb:
    """Enclose √(Σ u_i²) by its endpoints: the square of a ball around 0 reaches below 0."""
    square = dot(u, u)
    lower, upper = square.lower(), square.upper()
    return (lower.sqrt() if lower > 0 else arb(0)).union(upper.sqrt())


def exact_ball(number: Fraction) -> arb:
    """Return the ball of a rational number."""
    return arb(number.numerator) / number.denominator


def exact_fraction(number: arb) -> Fraction:
    """Return a ball of radius 0 as a rational."""
    mantissa, exponent = number.man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def float_below(end: arb) -> float:
    """Return the largest float that is not above a number (a ball of radius 0), −inf if it is not finite."""
    if not end.is_finite():
        return -math.inf
    mantissa, exponent = end.man_exp()
    return _floor(int(mantissa), int(exponent))


def float_above(end: arb) -> float:
    """Return the smallest float that is not below a number (a ball of radius 0), inf if it is not finite."""
    if not end.is_finite():
        return math.inf
    mantissa, exponent = end.man_exp()  # a minus sign before `end` would round to the precision of the moment
    return -_floor(-int(mantissa), int(exponent))


def _floor(mantissa: int, exponent: int) -> float:
    """Return the largest float that is not above mantissa · 2^exponent."""
    # Shifting rounds down, where float() would round to nearest.
    excess = max(0, mantissa.bit_length() - 53)
    try:
        value = math.ldexp(mantissa >> excess, exponent + excess)
    except OverflowError:
        value = math.copysign(math.inf, mantissa)
    # ldexp rounds subnormal results to nearest, and a large positive number has a float below it.
    return math.nextafter(value, -math.inf) if arb(value) > arb((mantissa, exponent)) else value


# Arguments ------------------------------------------------------------------------------------------


def check_precision(name: str, value: int) -> int:
    """Return a number of bits that can be worked with."""
    bits = check_integer(name, value, minimum=2)
    if bits > _MAX_PRECISION:
        msg = f"{name} must be <= {_MAX_PRECISION} bits, got {value}"
        raise ValueError(msg)
    return bits


def exact_parameters(
    negative_slope: Number, weight_variance: Number, bias_variance: Number
) -> tuple[Fraction, tuple[Fraction, Fraction]]:
    """Return γ and (σ_w², σ_b²) as exact numbers, checked."""
    slope = as_rational("negative_slope", negative_slope)
    if not 0 <= slope < 1:
        msg = f"negative_slope must lie in [0, 1), got {negative_slope}"
        raise ValueError(msg)
    weight, bias = (
        as_rational("weight_variance", weight_variance),
        as_rational("bias_variance", bias_variance),
    )
    for name, value in (("weight_variance", weight), ("bias_variance", bias)):
        if value < 0:
            msg = f"{name} must be >= 0, got {value}"
            raise ValueError(msg)
    if weight == bias == 0:
        msg = "bias_variance must be > 0 where weight_variance is 0, got 0"
        raise ValueError(msg)
    return slope, (weight, bias)


def check_direction(name: str, row: arb_mat, variances: tuple[Fraction, Fraction]) -> None:
    """Refuse a row that is exactly zero where there is no bias."""
    if variances[1] == 0 and all(entry.is_zero() for entry in row.entries()):
        refuse_zero(name)


def refuse_zero(name: str) -> None:
    """Raise the error for a row without a direction."""
    msg = f"{name} must not be the zero vector where bias_variance is 0: it has no direction"
    raise ValueError(msg)


def ball_rows(name: str, value: Points, *, like: tuple[str, arb_mat]) -> list[arb_mat]:
    """Return several points as rows of balls."""
    return [ball_row(f"{name}[{n}]", row, like=like) for n, row in enumerate(entries_of(name, value))]


def ball_points(
    name: str, value: Point | Points, *, like: tuple[str, arb_mat] | None = None
) -> tuple[list[arb_mat], bool]:
    """Return one point or several as rows of balls, and whether there is an axis of points."""
    first = entries_of(name, value)[0]
    if isinstance(first, str) or not hasattr(first, "__len__"):
        return [ball_row(name, value, like=like)], False
    like = like or (f"{name}[0]", ball_row(f"{name}[0]", first))
    return ball_rows(name, value, like=like), True  # type: ignore[arg-type]


def ball_row(name: str, value: Point, *, like: tuple[str, arb_mat] | None = None) -> arb_mat:
    """Return numbers as a 1 × d matrix of balls, d that of `like`."""
    entries = [as_ball(f"{name}[{i}]", number) for i, number in enumerate(entries_of(name, value))]
    if like is not None:
        check_length(name, len(entries), (like[0], like[1].ncols()))
    return arb_mat(1, len(entries), entries)


def check_length(name: str, length: int, like: tuple[str, int]) -> None:
    """Refuse a length that differs from that of another argument."""
    if length != like[1]:
        msg = f"{name} must have {like[1]} entries, as {like[0]} does, got {length}"
        raise ValueError(msg)


def entries_of(name: str, value: Points | Point) -> Sequence[Any]:
    """Return the entries of a sequence or an array."""
    if isinstance(value, str) or not (hasattr(value, "__len__") and hasattr(value, "__iter__")):
        msg = f"{name} must be a sequence, got {value!r}"
        raise TypeError(msg)
    value = np.asarray(value) if hasattr(value, "columns") else value  # a frame
    # tolist() of arrays and tensors keeps every value, and Python's own numbers are faster than scalars.
    entries = value.tolist() if hasattr(value, "tolist") else list(value)
    if not isinstance(entries, list):
        msg = f"{name} must be a sequence, got an array of shape ()"
        raise TypeError(msg)
    if not entries:
        msg = f"{name} must have at least one entry, got none"
        raise ValueError(msg)
    return entries


def as_ball(name: str, value: Number) -> arb:
    """Return a number, or a ball as it is, as a finite ball."""
    if isinstance(value, arb):
        if not value.is_finite():
            msg = f"{name} must be finite, got {value}"
            raise ValueError(msg)
        return value
    if isinstance(value, float) and math.isfinite(value):  # exact at every precision, and the common case
        return arb(value)
    return exact_ball(as_rational(name, value))


def as_rational(name: str, value: Number) -> Fraction:
    """Return an exact number as a rational."""
    if isinstance(value, str):
        try:
            return Fraction(value)
        except (ValueError, ZeroDivisionError) as error:
            msg = f"{name} must be a decimal or a fraction, such as '0.1' or '1/3', got {value!r}"
            raise ValueError(msg) from error
    try:
        return Fraction(*_ratio(value))
    except (ValueError, OverflowError) as error:
        msg = f"{name} must be finite, got {value}"
        raise ValueError(msg) from error
    except TypeError as error:
        msg = f"{name} must be an exact real number, got {value!r}"
        raise TypeError(msg) from error


def _ratio(value: Any) -> tuple[int, int]:  # noqa: ANN401 - whatever the caller gave
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value), 1
    if type(value) is mpmath.mpf:  # not mpmath.pi, which has the digits of the moment
        if not mpmath.isfinite(value):
            raise ValueError
        numerator, denominator = mpmath.libmp.to_rational(value._mpf_)
        return int(numerator), int(denominator)
    if isinstance(value, bool) or not hasattr(value, "as_integer_ratio"):
        raise TypeError
    ratio: tuple[int, int] = value.as_integer_ratio()
    return ratio
