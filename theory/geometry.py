"""Inner products and scales of data, as the theory uses them.

The trained bias adds 1 to every inner product: k(x, z) = ⟨x, z⟩ + 1.  A pre-activation at z has
variance s(z)² = ‖z‖²/d + 1 at initialisation.
"""

from __future__ import annotations

from typing import Any, TypeVar

import array_api_compat
import numpy as np
from numpy.typing import ArrayLike

from theory import libraries
from theory.validation import AnyArray, Array, as_points, data_by_keyword, of_one

_T = TypeVar("_T")
# Entries of a (queries × samples) block: 4 MiB in float64, which a cache holds.
_BLOCK = 1 << 19


@data_by_keyword
def augmented_inner(Z: ArrayLike, *, X: ArrayLike) -> Array:
    """Return k(x, z) = ⟨x, z⟩ + 1 for every pair.

    Parameters
    ----------
    Z : array, shape (Q, d)
        Query points.
    X : array, shape (N, d)
        Training points.

    Returns
    -------
    array, shape (Q, N), float64
        NaN, not known, where a product overflows.

    Raises
    ------
    ValueError
        If shapes disagree or an entry is not finite.

    Examples
    --------
    >>> from theory import augmented_inner
    >>> augmented_inner([[1.0, 1.0]], X=[[1.0, 0.0], [0.0, 2.0]])
    array([[2., 3.]])
    """
    X = as_points("X", X)
    Z = as_points("Z", Z, dim=X.shape[1])
    with np.errstate(over="ignore", invalid="ignore"):
        return finite(Z @ X.T + 1)


@data_by_keyword
def kappa(Z: ArrayLike, *, X: ArrayLike) -> Array:
    """Return κ(z) = (1/N) Σ_n |k(x_n, z)|, the largest speed of a pre-activation per unit readout.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X : array, shape (N, d)
        Training points.

    Returns
    -------
    array, shape (Q,), float64, or a number for one point
        ∞ where it overflows.

    Raises
    ------
    ValueError
        If shapes disagree or an entry is not finite.

    Notes
    -----
    Source: Derivation 5.

    Examples
    --------
    >>> from theory import kappa
    >>> kappa([[1.0, 1.0]], X=[[1.0, 0.0], [0.0, -4.0]])
    array([2.5])
    """
    X = as_points("X", X)
    points = as_points("Z", Z, dim=X.shape[1], or_one=True)
    step = max(1, _BLOCK // len(X))
    parts = (points[start : start + step] for start in range(0, len(points), step))
    with np.errstate(over="ignore", invalid="ignore"):
        values = np.concatenate([np.abs(part @ X.T + 1).mean(axis=1) for part in parts])
    return of_one(np.where(np.isnan(values), np.inf, values), Z)


@data_by_keyword
def preactivation_scale(Z: ArrayLike) -> AnyArray:
    """Return s(z) = √(‖z‖²/d + 1), the standard deviation of a pre-activation at initialisation.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.

    Returns
    -------
    array, shape (Q,), or a number for one point
        At least 1; of the library, dtype and device of `Z`.

    Raises
    ------
    ValueError
        If the shape is wrong or an entry is not finite.

    Notes
    -----
    Source: `expressions.SCALE`; Derivation 1.

    Examples
    --------
    >>> from theory import preactivation_scale
    >>> preactivation_scale([[1.0, 1.0], [3.0, 4.0]]).round(4)
    array([1.4142, 3.6742])
    """
    points, _, result = libraries.query(Z=Z)
    return result(libraries.scales(points))


def finite(values: _T) -> _T:
    """Return NaN for what is not finite: of a sum that overflowed not even the sign is known."""
    xp: Any = array_api_compat.array_namespace(values)
    kept: _T = xp.where(xp.isfinite(values), values, xp.nan)
    return kept
