"""Velocities of f and of its input gradients, with 0 for what rounding may have made.

The sign of what is smaller than its error is not known: such an f does not learn.  Derivation 18.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from theory.agreement.proof import EPS, phi_error
from theory.deep.architecture import Architecture
from theory.deep.kernels import diagonal
from theory.predictors import f_predict, perturbation_direction
from theory.validation import Array


def velocity(Z: Array, X: Array, y: Array, architecture: Architecture) -> Array:
    """Return F(z) of checked points, shape (Q,), 0 where it is not larger than its error."""
    F = np.asarray(f_predict(Z, X=X, y=y, architecture=architecture))
    rates = architecture.rates_for(X.shape[1])
    at_X, at_Z = (diagonal(points, architecture) for points in (X, Z))
    with np.errstate(over="ignore", invalid="ignore"):
        if any(rate for name, rate in vars(rates).items() if name != "first"):
            size = np.sqrt(at_X.tangent[0]).mean() * np.sqrt(at_Z.tangent[0])
        else:  # Φ^(L)(x, z) (⟨x, z⟩ + 1), far below that root where x is long and z is short
            size = rates.first * at_X.phi[0].max() * (np.abs(Z) @ np.abs(X).mean(axis=0) + 1)
        return np.where(_lost(np.abs(F), relative_error(X, architecture) * size), 0.0, F)


def gradients(Z: Array, X: Array, y: Array, architecture: Architecture) -> Array:
    """Return ∇F(z) of checked points, shape (Q, d), 0 where it is not longer than its error."""
    gradients = np.asarray(perturbation_direction(Z, X=X, y=y, architecture=architecture))
    with np.errstate(over="ignore", invalid="ignore"):
        squares = (X**2).sum(axis=1)
        grown = np.max(diagonal(X, architecture).tangent[0] / (squares + 1))
        error = relative_error(X, architecture) * grown * np.sqrt(squares + X.shape[1]).mean()
        return np.where(_lost(np.linalg.norm(gradients, axis=1, keepdims=True), error), 0.0, gradients)


def _lost(size: Array, error: Array) -> NDArray[np.bool_]:
    """Tell where a size may be rounding; an error that overflows is not known, and makes no 0."""
    return (size <= error) & np.isfinite(error)


def relative_error(X: Array, architecture: Architecture) -> float:
    """Return at least the error of a mean over samples, in units of the mean size of its terms.

    As `theory.agreement.proof.float_error` of two-layer networks, whose Θ(x, z) is at most twice the root of
    Θ(x, x) Θ(z, z).  A layer more is allowed as much again.
    """
    N, dim = X.shape
    return float(2 * architecture.depth * (3 * phi_error(dim) + 12 * (N + dim + 16) * EPS))
