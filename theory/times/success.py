"""How long f must train: its success at a time, and the time of a chance of success.

f(z; T) is N(T F(z), σ(z)²) over initialisations in the wide limit, identity loss: F is `theory.f_predict`
and σ `theory.initial_deviation`.  Derivation 18.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

from theory.deep.architecture import Architecture, one_of
from theory.predictors import initial_deviation
from theory.times.velocity import gradients, velocity
from theory.validation import (
    Array,
    as_labels,
    as_nonnegative,
    as_points,
    check_real,
    data_by_keyword,
    of_one,
)


@data_by_keyword
def success_probability(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    T: ArrayLike,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
) -> Array:
    """Return P(sgn f(z; T) = sgn F(z)) = Φ_N(T |F(z)|/σ(z)), Φ_N the normal distribution function.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X : array, shape (N, d)
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    T : float, or array of shape (F,)
        Flow times ≥ 0.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.

    Returns
    -------
    array, shape (F, Q), without the axis of a single time or point
        From 1/2 to 1.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: `expressions.SUCCESS`; Derivation 18, (18.1).  Identity loss.

    Examples
    --------
    >>> from theory.times import success_probability
    >>> X, y = [[1.0, 0.0], [0.0, 2.0]], [1, -1]
    >>> success_probability([[1.0, 1.0]], X=X, y=y, T=[0.0, 2.0, 20.0]).round(4).ravel()
    array([0.5   , 0.6454, 0.9999])
    """
    rates = _rates(Z, X, y, negative_slope, architecture)
    times = as_nonnegative("T", T)
    if times.ndim > 1:
        msg = f"T must be a number or have shape (F,), got {times.shape}"
        raise ValueError(msg)
    with np.errstate(over="ignore"):
        return special.ndtr(np.multiply.outer(times, rates))


@data_by_keyword
def success_time(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    share: float,
    mean: bool = True,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
) -> Array | float:
    """Return the time at which f has the sign of F with a given chance, on average over z or at each z.

    Parameters
    ----------
    Z, X, y, negative_slope, architecture
        As in `success_probability`.
    share : float in (1/2, 1)
        The chance of success; an f that is not trained has 1/2.
    mean : bool
        The chance is the mean over the points, or that of each point.

    Returns
    -------
    float, or without `mean` an array of shape (Q,)
        ∞ where F(z) = 0, up to rounding, forbids it: on average where the share is above 1 − p/2, p the share
        of such points.

    Raises
    ------
    ValueError
        As `success_probability`, or if the share is out of range.

    Notes
    -----
    Source: Derivation 18, (18.1).  At a point σ Φ_N⁻¹(q)/|F|.  On average the root of an increasing function.

    Examples
    --------
    >>> from theory.times import success_time
    >>> data = {"X": [[1.0, 0.0], [0.0, 2.0]], "y": [1, -1]}
    >>> success_time([[1.0, 1.0], [0.0, 3.0]], **data, share=0.9, mean=False).round(3)
    array([6.875, 1.418])
    >>> round(success_time([[1.0, 1.0], [0.0, 3.0]], **data, share=0.9), 3)
    4.516
    """
    quantile = special.ndtri(check_share(share))
    rates = _rates(Z, X, y, negative_slope, architecture)
    with np.errstate(divide="ignore"):
        times = np.asarray(quantile / rates)
    if not mean:
        return times[()]
    if np.isnan(rates).any():
        return math.nan
    if np.where(rates > 0, 1.0, 0.5).mean() <= share:
        return math.inf
    low, high = float(times.min()), float(times[np.isfinite(times)].max())
    while special.ndtr(high * rates).mean() < share:
        high *= 2
    if low == high:
        return low
    return float(optimize.brentq(lambda T: special.ndtr(T * rates).mean() - share, low, high, rtol=1e-12))


@data_by_keyword
def gradient_time(
    Z: ArrayLike | None = None,
    *,
    X: ArrayLike,
    y: ArrayLike,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
) -> Array:
    """Return T_∇(x) = G₀/‖∇F(x)‖, the time at which half of a perturbation's square is trained.

    ∇f(x; T) is ∇f(x; 0) + T ∇F(x), the first of mean square G₀²: the squared cosine of ∇f(x; T) and ∇F(x) is
    about T²/(T² + T_∇²), 1/2 at T_∇.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,), optional
        Where; the training points if absent.
    X : array, shape (N, d)
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    negative_slope, architecture
        As in `success_probability`.

    Returns
    -------
    array, shape (Q,)
        ∞ where ∇F(x) = 0, up to rounding.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: Derivation 18, (18.2); ∇F is `theory.perturbation_direction`.

    Examples
    --------
    >>> from theory.times import gradient_time
    >>> gradient_time(X=[[1.0, 0.0], [0.0, 2.0]], y=[1, -1]).round(3)
    array([1.553, 1.294])
    """
    chosen = one_of(negative_slope, architecture) or Architecture(negative_slope=negative_slope)
    points, X, y = _checked(X if Z is None else Z, X, y)
    found = gradients(points, X, y, chosen)
    with np.errstate(divide="ignore"):
        times = np.asarray(chosen.initial_gradient_norm / np.linalg.norm(found, axis=1))
    return of_one(times, X if Z is None else Z)


def check_share(share: float) -> float:
    """Return a mean chance in (1/2, 1)."""
    number = check_real("share", share)
    if not 0.5 < number < 1:
        msg = f"share must lie in (0.5, 1), above the chance of a random sign, got {share}"
        raise ValueError(msg)
    return number


def _rates(
    Z: ArrayLike, X: ArrayLike, y: ArrayLike, slope: float, architecture: Architecture | None
) -> Array:
    """Return |F|/σ."""
    chosen = one_of(slope, architecture) or Architecture(negative_slope=slope)
    points, X, y = _checked(Z, X, y)
    F = velocity(points, X, y, chosen)
    return np.asarray(of_one(np.abs(F) / initial_deviation(points, architecture=chosen), Z))


def _checked(Z: ArrayLike, X: ArrayLike, y: ArrayLike) -> tuple[Array, Array, Array]:
    X = as_points("X", X)
    return as_points("Z", Z, dim=X.shape[1], or_one=True), X, as_labels("y", y, length=len(X))
