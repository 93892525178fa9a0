"""Checks of the arguments that the functions of lazy training share."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from theory import deep
from theory.deep.architecture import Architecture, one_of
from theory.deep.kernels import product
from theory.kernel.products import ntk, ntk_product
from theory.lazy.losses import LAZY_LOSSES
from theory.setting import learning_rate_for
from theory.validation import Array, as_labels, as_points, as_real, check_choice, check_slope

# An exponential loss is refused from e^300: step-size control squares it.
LARGEST_EXPONENT = 300.0


def checked(
    X: ArrayLike, y: ArrayLike, loss: str, negative_slope: float, architecture: Architecture | None = None
) -> tuple[Array, Array, float]:
    """Return X, y and the slope, checked."""
    check_choice("loss", loss, LAZY_LOSSES)
    one_of(negative_slope, architecture)
    X = as_points("X", X)
    return X, as_labels("y", y, length=len(X)), check_slope("negative_slope", negative_slope)


def initial_outputs_of(
    value: ArrayLike | None, length: int, *, name: str = "initial", rows: bool = True
) -> Array:
    """Return finite outputs of shape (length,) or, with `rows`, (S, length); zeros if absent."""
    if value is None:
        return np.zeros(length)
    array = as_real(name, value)
    if array.shape[-1:] != (length,) or array.ndim not in ((1, 2) if rows else (1,)) or not array.size:
        allowed = f"({length},) or (S, {length})" if rows else f"({length},)"
        msg = f"{name} must have shape {allowed}, got {array.shape}"
        raise ValueError(msg)
    return array


def pair(outputs: ArrayLike | None, at_Z: ArrayLike | None, length: int) -> Array:
    """Return outputs at the query points, which are given if and only if those at the samples are."""
    if (outputs is None) != (at_Z is None):
        msg = "initial_outputs and initial_at_Z must be given together, got only one of them"
        raise ValueError(msg)
    return initial_outputs_of(at_Z, length, name="initial_at_Z")


def learning_rate(T: float, num_steps: int | None, momentum: float) -> float:
    """Return the step size of descent, or T itself for a flow."""
    if num_steps is not None:
        return learning_rate_for(T, num_steps, momentum=momentum)
    if check_slope("momentum", momentum) != 0:
        msg = f"momentum needs num_steps: the flow has none, got {momentum}"
        raise ValueError(msg)
    return T


def check_margins(margins: Array, loss: str) -> None:
    """Refuse exponential losses that are too large to integrate."""
    if loss == "exponential" and margins.min() < -LARGEST_EXPONENT:
        msg = f"exponential loss overflows: an initial margin y f(x; 0) is {margins.min():g}, below -300"
        raise FloatingPointError(msg)


def signed_kernel(X: Array, y: Array, slope: float, architecture: Architecture | None = None) -> Array:
    """Return (y yᵀ) ∘ Θ(X, X)."""
    with np.errstate(over="ignore", invalid="ignore"):
        K = deep.ntk(X, architecture=architecture) if architecture else ntk(X, negative_slope=slope)
        M: Array = K * np.outer(y, y)
    if not np.isfinite(M).all():
        msg = f"the kernel overflows: entries of X up to {np.abs(X).max():.1e}"
        raise FloatingPointError(msg)
    return M


def tangent_product(Z: Array, X: Array, v: Array, slope: float, architecture: Architecture | None) -> Array:
    """Return Θ(Z, X) v."""
    if architecture is None:
        return ntk_product(Z, X=X, v=v, negative_slope=slope)
    return np.asarray(product(Z, X, v, architecture, "tangent"))
