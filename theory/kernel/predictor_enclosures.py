"""The predictors f̂, ĝ, f_b, g_b as proved enclosures, so that a sign can be proved.

Inputs are exact numbers or balls, as in `enclosure`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb, arb_mat
from numpy.typing import ArrayLike

from theory.kernel.balls import (
    GUARD_BITS,
    Number,
    Point,
    Points,
    ball_points,
    ball_rows,
    check_precision,
    direction,
    dot,
    exact_ball,
    exact_parameters,
    phi_ball,
    phi_of_angle,
    working_precision,
)
from theory.kernel.enclosure import Enclosure, Enclosures, Sign
from theory.validation import as_labels, data_by_keyword
from theory.verdicts import Verdicts


@data_by_keyword
def f_hat_enclosure(
    z: Point | Points,
    *,
    X: Points,
    y: ArrayLike,
    negative_slope: Number = 0,
    precision: int = 128,
) -> Enclosure | Enclosures:
    """Return a ball that certainly contains f̂(z) = (1/N) Σ_n Φ(x_n, z) y_n ⟨x_n, z⟩.

    Parameters
    ----------
    z : sequence of d numbers, or array or sequence of Q such points
        Query points, or one; numbers as for `phi_enclosure`.
    X : array or sequence of N such points
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    negative_slope : number in [0, 1)
        The paper's γ; exact, no ball.
    precision : int in [2, 2^20]
        Bits.

    Returns
    -------
    Enclosure, or Enclosures of shape (Q,)
        For exact numbers of radius below 2^(−precision) · (1/N) Σ_n (‖x_n‖ ‖z‖ + 1).

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or a number is not finite or out of range.
    TypeError
        If an argument is no real number or no sequence of them.

    Notes
    -----
    Source: `expressions.F_HAT`; published (paper A); Derivation 3, (3.1).  With balls: for all points in
    them.

    Examples
    --------
    >>> from theory import f_hat_enclosure
    >>> ball = f_hat_enclosure([1, 1], X=[[1, 0], [0, 2]], y=[1, -1])
    >>> round(ball.midpoint, 6), ball.sign
    (-0.19371, <Sign.NEGATIVE: 'negative'>)
    """
    return _kernel_sum(("z", z), ("X", X), ("y", y), negative_slope, precision, shift=0)


@data_by_keyword
def f_predict_enclosure(
    z: Point | Points,
    *,
    X: Points,
    y: ArrayLike,
    negative_slope: Number = 0,
    precision: int = 128,
) -> Enclosure | Enclosures:
    """Return a ball that certainly contains f_b(z) = (1/N) Σ_n Φ(x_n, z) y_n (⟨x_n, z⟩ + 1).

    Parameters
    ----------
    z, X, y, negative_slope, precision
        As for `f_hat_enclosure`.

    Returns
    -------
    Enclosure, or Enclosures of shape (Q,)
        For exact numbers of radius below 2^(−precision) · (1/N) Σ_n (‖x_n‖ ‖z‖ + 1).

    Raises
    ------
    ValueError, TypeError
        As `f_hat_enclosure`.

    Notes
    -----
    Source: `expressions.F_B`; Derivation 3, (3.4).  With balls: for all points in them.

    Examples
    --------
    >>> from theory import f_predict_enclosure
    >>> f_predict_enclosure([1, 1], X=[[1, 0], [0, 2]], y=[1, -1]).sign
    <Sign.NEGATIVE: 'negative'>
    """
    return _kernel_sum(("z", z), ("X", X), ("y", y), negative_slope, precision, shift=1)


@data_by_keyword
def g_predict_enclosure(
    z: Point | Points,
    *,
    X_adv: Points,
    y_adv: ArrayLike,
    negative_slope: Number = 0,
    precision: int = 128,
) -> Enclosure | Enclosures:
    """Return a ball that certainly contains g_b(z) = (1/N) Σ_n Φ(x_n^adv, z) y_n^adv (⟨x_n^adv, z⟩ + 1).

    Parameters
    ----------
    z : sequence of d numbers, or array or sequence of Q such points
        Query points, or one.
    X_adv : array or sequence of N such points
        The inputs g is trained on: r_n in scenario (a), x_n + r_n in scenario (b).
    y_adv : array, shape (N,)
        Their target labels, −1 or +1.
    negative_slope, precision
        As for `f_hat_enclosure`.

    Returns
    -------
    Enclosure, or Enclosures of shape (Q,)
        For exact numbers of radius below 2^(−precision) · (1/N) Σ_n (‖x_n^adv‖ ‖z‖ + 1).

    Raises
    ------
    ValueError, TypeError
        As `f_hat_enclosure`.

    Notes
    -----
    Source: `expressions.G_B`; Derivation 3, (3.4).  With balls: for all points in them.

    Examples
    --------
    >>> from theory import g_predict_enclosure
    >>> g_predict_enclosure([1, 1], X_adv=[[1, 0], [0, -1]], y_adv=[1, -1]).sign
    <Sign.POSITIVE: 'positive'>
    """
    return _kernel_sum(("z", z), ("X_adv", X_adv), ("y_adv", y_adv), negative_slope, precision, shift=1)


@data_by_keyword
def g_hat_enclosure(
    z: Point | Points,
    *,
    X: Points,
    y: ArrayLike,
    X_adv: Points,
    negative_slope: Number = 0,
    precision: int = 128,
) -> Enclosure | Enclosures:
    """Return a ball that certainly contains ĝ(z) = (1/N²) Σ_n Φ(x_n^adv, z) Σ_k Φ(x_n, x_k) y_k ⟨x_k, z⟩.

    Parameters
    ----------
    z, X, y, negative_slope, precision
        As for `f_hat_enclosure`.
    X_adv : array or sequence of N points
        The inputs g is trained on, row n made from row n of `X`.

    Returns
    -------
    Enclosure, or Enclosures of shape (Q,)
        For exact numbers of radius below 2^(−precision) · (1/N) Σ_n (‖x_n‖ ‖z‖ + 1).

    Raises
    ------
    ValueError, TypeError
        As `f_hat_enclosure`.

    Notes
    -----
    Source: `expressions.G_HAT`; published (paper A); Derivation 3, (3.3).  With balls: for all points in
    them. Work grows as N² d.

    Examples
    --------
    >>> from theory import g_hat_enclosure
    >>> g_hat_enclosure([1, 1], X=[[1, 0], [0, 2]], y=[1, -1], X_adv=[[1, 0], [1, 0]]).sign
    <Sign.NEGATIVE: 'negative'>
    """
    bits = check_precision("precision", precision)
    gamma, variances = exact_parameters(negative_slope, 1, 1)
    with working_precision(bits + GUARD_BITS):
        slope = exact_ball(gamma)
        queries, many = ball_points("z", z)
        rows = ball_rows("X", X, like=("z", queries[0]))
        labels = as_labels("y", y, length=len(rows))
        adv_rows = ball_rows("X_adv", X_adv, like=("z", queries[0]))
        if len(adv_rows) != len(rows):
            msg = f"X_adv must have one row for each of the {len(rows)} rows of X, got {len(adv_rows)}"
            raise ValueError(msg)
        directions, adv = ([direction(row, variances) for row in each] for each in (rows, adv_rows))
        # θ = 0: exact, also where a row is a ball, which is one point in both places.
        kernel = [
            phi_of_angle(arb(0), slope) / 2 if k == n else phi_ball(u, directions[k], slope)
            for n, u in enumerate(directions)
            for k in range(n + 1)
        ]

        def predict(point: arb_mat) -> arb:
            query = direction(point, variances)
            weights = [phi_ball(row, query, slope) for row in adv]
            inner = [int(label) * dot(row, point) for row, label in zip(rows, labels, strict=True)]
            pairs = [
                weights[n] * inner[k] + weights[k] * inner[n] for n in range(len(rows)) for k in range(n + 1)
            ]
            total = sum((ball * pair for ball, pair in zip(kernel, pairs, strict=True)), start=arb(0))
            return total / len(rows) ** 2

        return Enclosures.of(map(predict, queries), bits, (len(queries),) * many)


def proved_sign(
    enclosure: Callable[..., Enclosure | Enclosures],
    *arguments: object,
    start_precision: int = 64,
    max_precision: int = 4096,
    **options: object,
) -> Sign | Verdicts:
    """Return the sign of ``enclosure(*arguments, **options)``, at as many bits as it takes.

    The precision is doubled until every ball excludes 0, or `max_precision` was tried without success.

    Parameters
    ----------
    enclosure : callable
        `f_hat_enclosure` or another function of this module, or any that takes a keyword ``precision``.
    *arguments, **options
        Passed on.
    start_precision, max_precision : int in [2, 2^20]
        Bits of the first and of the last attempt.

    Returns
    -------
    Sign, or Verdicts for many points
        Positive and negative are proved.  Unknown is what an exact 0 always gives, and what balls of
        positive radius may give at every precision.

    Raises
    ------
    ValueError
        If a precision is out of range, or `enclosure` refuses its arguments.

    Notes
    -----
    Source: none; soundness is that of `enclosure`.

    Examples
    --------
    >>> from theory import f_hat_enclosure, proved_sign
    >>> proved_sign(f_hat_enclosure, [1, 1], X=[[1, 0], [0, 2]], y=[1, -1])
    <Sign.NEGATIVE: 'negative'>
    >>> proved_sign(f_hat_enclosure, [1], X=[[1], [1]], y=[1, -1])  # exactly 0
    <Sign.UNKNOWN: 'unknown'>
    """
    bits = check_precision("start_precision", start_precision)
    last = check_precision("max_precision", max_precision)
    if last < bits:
        msg = f"max_precision must be >= start_precision = {bits}, got {last}"
        raise ValueError(msg)
    while True:
        sign = enclosure(*arguments, **options, precision=bits).sign
        if Sign.UNKNOWN not in np.ravel(sign) or bits == last:
            return sign
        bits = min(2 * bits, last)


def _kernel_sum(
    query: tuple[str, Point | Points],
    points: tuple[str, Points],
    targets: tuple[str, ArrayLike],
    negative_slope: Number,
    precision: int,
    *,
    shift: int,
) -> Enclosure | Enclosures:
    """Enclose (1/N) Σ_n Φ(x_n, z) y_n (⟨x_n, z⟩ + shift); each argument comes with its name."""
    bits = check_precision("precision", precision)
    gamma, variances = exact_parameters(negative_slope, 1, 1)
    with working_precision(bits + GUARD_BITS):
        slope = exact_ball(gamma)
        queries, many = ball_points(*query)
        rows = ball_rows(*points, like=(query[0], queries[0]))
        name, values = targets
        labels = as_labels(name, values, length=len(rows))
        directions = [direction(row, variances) for row in rows]

        def predict(point: arb_mat) -> arb:
            v, total = direction(point, variances), arb(0)
            for row, u, label in zip(rows, directions, labels, strict=True):
                total += int(label) * phi_ball(u, v, slope) * (dot(row, point) + shift)
            return total / len(rows)

        return Enclosures.of(map(predict, queries), bits, (len(queries),) * many)
