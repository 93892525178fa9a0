"""Agreement of f̂ and ĝ over random labels, for the inputs in hand.  Derivation 19."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from theory.deep.architecture import Architecture, check_architecture
from theory.deep.kernels import phi, product as deep_product
from theory.geometry import finite
from theory.kernel.products import MEMORY_BUDGET, product
from theory.validation import Array, as_points, check_integer, check_slope, data_by_keyword, of_one

_COPIES = 6  # temporary arrays of the size of a block of queries and samples


@data_by_keyword
def random_label_agreement(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    X_adv: ArrayLike | None = None,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> Array:
    """Return 1 − arccos(c(z))/π, the probability of sgn f̂(z) = sgn ĝ(z) over labels ±1 drawn by fair coins.

    c(z) = Σ p_k² Φ_k Ψ_k/√(Σ p_k² Φ_k² · Σ p_k² Ψ_k²) with p_k = ⟨x_k, z⟩, Φ_k = Φ(x_k, z) and
    Ψ_k = (1/N) Σ_n Φ(x_n^adv, z) Φ(x_n, x_k) is exactly the correlation of the two predictors over labels.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X : array, shape (N, d)
        Training points of f.
    X_adv : array, shape (N, d), optional
        The inputs of g; absent: perturbations alone as ε → 0, where they do not matter.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.
    memory_budget : int
        Bytes of temporary arrays, at least 1 MiB, but room for a row of N numbers in any case.

    Returns
    -------
    array, shape (Q,), or a number for one point
        In [1/2, 1]; NaN, not known, where all ⟨x_k, z⟩ are 0.

    Raises
    ------
    ValueError
        If shapes disagree, an entry is not finite, or an argument is out of range.

    Notes
    -----
    Source: `expressions.LABEL_CORRELATION`; Derivation 19, (19.1).  The correlation is exact at every N, d
    and depth; its probability is that of two Gaussians, by the central limit theorem in N.

    Examples
    --------
    >>> from theory.agreement import random_label_agreement
    >>> random_label_agreement([[1.0, 1.0], [0.1, 2.0]], X=[[1.0, 0.0], [0.0, 2.0], [3.0, 1.0]]).round(4)
    array([0.9964, 0.943 ])
    """
    network = as_architecture(negative_slope, architecture)
    X = as_points("X", X)
    points = as_points("Z", Z, dim=X.shape[1], or_one=True)
    adv = None if X_adv is None else as_points("X_adv", X_adv, dim=X.shape[1])
    if adv is not None and len(adv) != len(X):
        msg = f"X_adv must have one row for each of the {len(X)} rows of X, got {len(adv)}"
        raise ValueError(msg)
    budget = check_integer("memory_budget", memory_budget, minimum=1 << 20)
    step = max(1, budget // (8 * _COPIES * len(X)))
    same = mean_weights(X, np.ones((len(X), 1)), network, budget) if adv is None else np.empty((0, 0))
    chances, scaled = [], _of_size_1(X)
    for start in range(0, len(points), step):
        z = points[start : start + step]
        weights = same if adv is None else mean_weights(X, phi(adv, z, architecture=network), network, budget)
        with np.errstate(over="ignore", invalid="ignore"):
            inner = _of_size_1(z) @ scaled.T  # a factor does not matter
            u, v = (_unit(inner * K) for K in (phi(z, X, architecture=network), weights))
            half = np.arctan2(*(np.linalg.norm(w, axis=1) for w in (u - v, u + v)))  # θ/2, to the last digits
        chances.append(1 - 2 / math.pi * half)
    return of_one(np.concatenate(chances), Z)


def mean_weights(X: Array, at_adv: Array, network: Architecture, memory_budget: int) -> Array:
    """Return Ψ_k = (1/N) Σ_n `at_adv`[n] Φ(x_n, x_k) of every column, shape (Q, N), in blocks of samples."""
    if network.depth == 1:
        sums = product(X, X, at_adv, network.negative_slope, None, memory_budget)
    else:
        sums = deep_product(X, X, at_adv, network, "phi", None, memory_budget)
    return np.asarray(finite(sums / len(X)).T)


def as_architecture(negative_slope: float, architecture: Architecture | None) -> Architecture:
    """Return the architecture that was given by one of the two."""
    if architecture is None:
        return Architecture(negative_slope=check_slope("negative_slope", negative_slope))
    if negative_slope:
        msg = f"negative_slope must be left out with architecture, which has one, got {negative_slope}"
        raise ValueError(msg)
    return check_architecture(architecture)


def _of_size_1(rows: Array) -> Array:
    """Return rows in units of the largest entry."""
    return np.asarray(rows / (np.abs(rows).max() or 1.0))


def _unit(rows: Array) -> Array:
    """Return unit rows, scaled before squaring; NaN for a row of zeros."""
    rows = rows / np.abs(rows).max(axis=1, keepdims=True)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))
