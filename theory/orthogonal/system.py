"""Linear systems with small symmetric matrices, solved with a proved error for each component."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from theory.orthogonal.gram import EPS
from theory.validation import Array


@dataclass(frozen=True, eq=False)
class Solution:
    """What is known of the solution of M x = b.

    Attributes
    ----------
    values, radius : arrays, shape (N,)
        |x_i − values_i| ≤ radius_i for every matrix within the stated error of M; infinite if not proved.
    contraction : float
        α < 1 proves that every such matrix is invertible.
    """

    values: Array
    radius: Array
    contraction: float


def solve(M: Array, b: Array, error: float) -> Solution:
    """Solve M x = b for all matrices within `error` of M, entry by entry.

    With R ≈ M⁻¹, r = b − M x̃ and a positive vector w: if |I − R M| w ≤ α w with α < 1, then M is invertible
    and |x − x̃| ≤ |R r| + α/(1 − α) · max_i(|R r|_i/w_i) · w.

    Parameters
    ----------
    M : array, shape (N, N)
    b : array, shape (N,)
        Positive.
    error : float
        No entry of the true matrix is farther than this from that of `M`.

    Returns
    -------
    Solution

    Notes
    -----
    Source: residual bound by the Neumann series; rounding of a product of N terms at most
    (N + 4)·2⁻⁵² times the product of absolute values.
    """
    N = len(M)
    rounding = (N + 4) * EPS
    with np.errstate(all="ignore"):  # what is not finite is unknown
        try:
            R = np.linalg.inv(M)
        except np.linalg.LinAlgError:
            R = np.full_like(M, np.nan)
        x = R @ b
        for _ in range(3):
            x = x + R @ (b - M @ x)
        if not (np.isfinite(R).all() and np.isfinite(x).all()):
            return _unproved(M, b)
        size, magnitude = np.abs(R), np.abs(M)
        weight = np.abs(x) + 0.01 * b / np.diag(M)
        off = np.abs(np.eye(N) - R @ M) @ weight
        off += size @ (rounding * (magnitude @ weight) + error * weight.sum())
        alpha = float((off / weight).max() * (1 + 8 * rounding))
        residual = np.abs(b - M @ x) + rounding * (magnitude @ np.abs(x) + b) + error * np.abs(x).sum()
        first = size @ residual
        spread = float((first / weight).max())
        radius = (first + weight * (spread * alpha / (1 - alpha))) * (1 + 8 * rounding)
        if not (alpha < 1 and np.isfinite(radius).all()):
            return _unproved(M, b, alpha)
    return Solution(np.asarray(x), np.asarray(radius), alpha)


def _unproved(M: Array, b: Array, alpha: float = np.inf) -> Solution:
    """Return the least-squares solution, with nothing proved of it."""
    values: Array = np.asarray(np.linalg.lstsq(M, b, rcond=None)[0], dtype=np.float64)
    return Solution(values, np.full(len(b), np.inf), alpha)
