"""Inner products of samples with proved rounding errors, in coordinates where nothing overflows.

Row n is divided by a power of two near its norm, which is exact, so norms of 1e±150 are as good as norms
of 1.  Entries that underflow there are below every error stated here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from theory.validation import Array, check_real

EPS = float(np.finfo(np.float64).eps)
TINY = 1e-290  # what underflow can have taken from a sum, with much room


@dataclass(frozen=True, eq=False)
class ScaledRows:
    """Rows x_n = 2^{e_n} x̂_n with ‖x̂_n‖ in [1/2, 1), or x̂_n = 0.

    Attributes
    ----------
    points : array, shape (N, d)
        x̂_n.
    exponents : int array, shape (N,)
        e_n; 0 for a zero row.
    gram : array, shape (N, N)
        ⟨x̂_n, x̂_k⟩, computed.
    error : float
        No entry of `gram` is farther than this from the exact one.
    """

    points: Array
    exponents: NDArray[np.int64]
    gram: Array
    error: float


def check_open_slope(value: float) -> float:
    """Return a leaky-ReLU slope in (0, 1): at 0 the limit is not this one, at 1 the network is linear."""
    slope = check_real("negative_slope", value)
    if not 0 < slope < 1:
        msg = f"negative_slope must lie in (0, 1), got {value}"
        raise ValueError(msg)
    return slope


def row_norms(X: Array) -> Array:
    """Return ‖x_n‖, shape (N,), without underflow or overflow of the squares."""
    largest = np.abs(X).max(axis=1)
    scale = np.where(largest > 0, largest, 1.0)
    with np.errstate(over="ignore"):
        return np.asarray(scale * np.linalg.norm(X / scale[:, None], axis=1))


def scaled_rows(X: Array) -> ScaledRows:
    """Return the rows of `X` in scaled coordinates, with their Gram matrix.

    A sum of d products in any order is off by at most d·2⁻⁵³(1 + d·2⁻⁵²) Σ|products| ≤ d·2⁻⁵²‖x̂_n‖‖x̂_k‖.
    """
    exponents = np.frexp(np.abs(X).max(axis=1))[1].astype(np.int64)
    points = np.ldexp(X, -exponents[:, None])  # largest entry in [1/2, 1)
    # The 1e-9 keeps the exact norm below 1 although the computed one is rounded.
    more = np.frexp(np.linalg.norm(points, axis=1) * (1 + 1e-9))[1].astype(np.int64)
    points = np.ldexp(points, -more[:, None])
    return ScaledRows(points, exponents + more, points @ points.T, (X.shape[1] + 16) * EPS)
