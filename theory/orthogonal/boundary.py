"""The limit boundary s·z = Σ_n λ_n y_n ⟨x_n, z⟩, and the network (v, u) whose sign it is.

v − u = (1 + γ) s/√m and φ increases, so the network (√m/2)(φ(v·z) − φ(u·z)) has the sign of s·z at every z.
Derivation 15, step 1.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from theory.bounds.moments import QUIET
from theory.geometry import finite
from theory.orthogonal.gram import EPS, TINY, check_open_slope, row_norms
from theory.orthogonal.multipliers import Multipliers, multipliers as solve_multipliers
from theory.validation import Array, as_labels, as_points, as_real, check_integer, data_by_keyword


@QUIET
@data_by_keyword
def limit_output(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    negative_slope: float,
    multipliers: Multipliers | None = None,
) -> Array:
    """Return the limit boundary Σ_n λ_n y_n ⟨x_n, z⟩.

    Its sign is that of `limit_network` at every z.  It is the limit of training only where theory says so:
    see `orthogonality` and the verdict of `multipliers`.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    X, y : arrays, shapes (N, d) and (N,)
    negative_slope : float in (0, 1)
    multipliers : Multipliers, optional
        Of the same data, to save the solution of the system (or with slack).

    Returns
    -------
    array, shape (Q,), float64
        NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or the slope is out of range.

    Notes
    -----
    Source: published (prior work); `expressions.LIMIT_BOUNDARY`; Derivation 15, step 1.

    Examples
    --------
    >>> from theory.orthogonal import limit_output
    >>> X, y = [[2.0, 0.0], [0.0, 1.0]], [1, -1]
    >>> limit_output([[1.0, 0.0], [0.0, 3.0]], X=X, y=y, negative_slope=0.5).round(4)
    array([ 0.8, -4.8])
    """
    X = as_points("X", X)
    Z = as_points("Z", Z, dim=X.shape[1], or_one=True)
    direction = limit_direction(X, y, negative_slope=negative_slope, multipliers=multipliers)
    return finite(Z @ direction)


@QUIET
@data_by_keyword
def limit_direction(
    X: ArrayLike, y: ArrayLike, *, negative_slope: float, multipliers: Multipliers | None = None
) -> Array:
    """Return s = Σ_n λ_n y_n x_n, shape (d,); NaN, not known, where a sum overflows.

    Parameters
    ----------
    X, y, negative_slope, multipliers
        As `limit_output`.

    Returns
    -------
    array, shape (d,)

    Examples
    --------
    >>> from theory.orthogonal import limit_direction
    >>> X, y = [[2.0, 0.0], [0.0, 1.0]], [1, -1]
    >>> limit_direction(X, y, negative_slope=0.5).round(4)  # 0.4 · (2, 0) − 1.6 · (0, 1)
    array([ 0.8, -1.6])
    """
    X, y, known = data_and_multipliers(X, y, negative_slope, multipliers)
    return finite(X.T @ (known.values * y))


@QUIET
@data_by_keyword
def limit_network(
    X: ArrayLike,
    y: ArrayLike,
    *,
    negative_slope: float,
    width: int,
    multipliers: Multipliers | None = None,
) -> tuple[Array, Array]:
    """Return the weights (v, u) of the neurons with positive and with negative readout.

    √m v = Σ_+ λ_k x_k − γ Σ_− λ_k x_k,  √m u = Σ_− λ_k x_k − γ Σ_+ λ_k x_k.

    Parameters
    ----------
    X, y, negative_slope, multipliers
        As in `limit_output`.
    width : int
        m, even and at least 2.

    Returns
    -------
    v, u : arrays, shape (d,)
        NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        As `limit_output`, or if the width is odd.

    Notes
    -----
    Source: Derivation 15, step 1.

    Examples
    --------
    >>> from theory.orthogonal import limit_network
    >>> X, y = [[2.0, 0.0], [0.0, 1.0]], [1, -1]
    >>> v, u = limit_network(X, y, negative_slope=0.5, width=4)
    >>> v.round(4), u.round(4)
    (array([ 0.4, -0.4]), array([-0.2,  0.8]))
    """
    _check_width(width)
    X, y, known = data_and_multipliers(X, y, negative_slope, multipliers)
    positive, slope = y > 0, known.negative_slope
    v = X.T @ (np.where(positive, 1.0, -slope) * known.values)
    u = X.T @ (np.where(positive, -slope, 1.0) * known.values)
    return finite(v / math.sqrt(width)), finite(u / math.sqrt(width))


@QUIET
@data_by_keyword
def network_output(Z: ArrayLike, *, v: ArrayLike, u: ArrayLike, width: int, negative_slope: float) -> Array:
    """Return (√m/2)(φ(v·z) − φ(u·z)), the output of the network with these two kinds of neurons.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    v, u : arrays, shape (d,)
    width : int
        m, even and at least 2.
    negative_slope : float in (0, 1)

    Returns
    -------
    array, shape (Q,), float64
        NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, the width is odd or the slope is out of range.

    Examples
    --------
    >>> from theory.orthogonal import limit_network, network_output
    >>> X, y = [[2.0, 0.0], [0.0, 1.0]], [1, -1]
    >>> v, u = limit_network(X, y, negative_slope=0.5, width=4)
    >>> network_output(X, v=v, u=u, width=4, negative_slope=0.5).round(4)  # margins of 1
    array([ 1., -1.])
    """
    Z = as_points("Z", Z, or_one=True)
    _check_width(width)
    slope = check_open_slope(negative_slope)
    sides = []
    for name, weights in (("v", v), ("u", u)):
        array = as_real(name, weights)
        if array.shape != Z.shape[1:]:
            msg = f"{name} must have shape {Z.shape[1:]}, as the points do, got {array.shape}"
            raise ValueError(msg)
        at = Z @ array
        sides.append(np.where(at > 0, at, slope * at))
    return finite(math.sqrt(width) / 2 * (sides[0] - sides[1]))


def output_error(Z: Array, X: Array, known: Multipliers) -> Array:
    """Return a proved bound of the error of Σ λ_n y_n ⟨x_n, z⟩ as computed, shape (Q,); infinite if none."""
    rounding = (sum(X.shape) + 24) * EPS
    with np.errstate(over="ignore", invalid="ignore"):
        sizes = row_norms(X) * (1 + rounding)
        total = float(sizes @ (known.radius + rounding * (np.abs(known.values) + known.radius)))
        error = row_norms(Z) * (1 + rounding) * total + TINY
    return np.where(np.isfinite(error), error, np.inf)


def data_and_multipliers(
    X: ArrayLike, y: ArrayLike, negative_slope: float, known: Multipliers | None
) -> tuple[Array, Array, Multipliers]:
    """Return checked data and its multipliers."""
    X = as_points("X", X)
    y = as_labels("y", y, length=len(X))
    slope = check_open_slope(negative_slope)
    if known is None:
        known = solve_multipliers(X, y, negative_slope=slope)
    if len(known.values) != len(X) or known.negative_slope != slope:
        msg = (
            f"multipliers must be of this data and slope, N = {len(X)} and {slope}, "
            f"got N = {len(known.values)} and {known.negative_slope}"
        )
        raise ValueError(msg)
    return X, y, known


def _check_width(width: int) -> None:
    if check_integer("width", width, minimum=2) % 2:
        msg = f"width must be even, half of the readouts being positive, got {width}"
        raise ValueError(msg)
