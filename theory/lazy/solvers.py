"""Solutions β(T) of lazy training: closed form, descent, adaptive integration, enclosure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy import integrate

from theory.lazy.losses import CURVATURE, SLOPE
from theory.validation import Array

# Stiffness T λ max ℓ''/N beyond which an implicit method takes over, one network at a time.
_STIFF = 1e4
SMALLEST_TOLERANCE = 1e-11
_FINEST = 3e-14  # scipy's integrators go no finer
_MOST_EVALUATIONS = 1_000_000  # of ℓ' at all samples, in one solution
# Rounding allowed for in `lazy_range`, relative to sums of magnitudes: more than N + d machine epsilons for
# N + d ≤ 10⁴.
ROUNDING = 1e-11


# `M` is (y yᵀ) ∘ Θ/N, symmetric and positive semidefinite; margins are y∘o, one row a network.


def squared(M: Array, margins: Array, T: float, tolerance: float) -> Array:
    """β = M⁻¹(1 − e^(−MT)) (1 − margins), with T for M⁻¹(1 − e^(−MT)) where M has no inverse."""
    values, vectors = np.linalg.eigh(M)
    # An eigenvalue λ known to within e changes its factor by a share of at most min(eT, e/λ).
    unsure = len(M) * np.finfo(np.float64).eps * values[-1]
    if min(unsure * T, unsure / max(values[0], np.finfo(np.float64).tiny)) > tolerance:
        msg = (
            f"tolerance {tolerance:g} not reached: the kernel is singular up to rounding (eigenvalues from "
            f"{values[0]:.1e} to {values[-1]:.1e}), and T = {T:g} is long enough to show it"
        )
        raise FloatingPointError(msg)
    with np.errstate(over="ignore"):
        exponents = np.maximum(values, 0) * T
    grown = -np.expm1(-exponents)
    factors = np.divide(grown, values, out=np.full_like(values, T), where=exponents > 0)
    with np.errstate(over="ignore", invalid="ignore"):
        beta = ((1 - margins) @ vectors * factors) @ vectors.T
    if not np.isfinite(beta).all():
        msg = f"the weights overflow: margins up to {np.abs(margins).max():.1e}, T = {T:g}"
        raise FloatingPointError(msg)
    return np.asarray(beta)


def descent(
    M: Array,
    margins: Array,
    rate: float,
    num_steps: int,
    momentum: float,
    slope: Callable[[Array], Array],
) -> Array:
    """Return the weights that gradient descent with heavy-ball momentum gives the samples."""
    beta, velocity = np.zeros_like(margins), np.zeros_like(margins)
    with np.errstate(over="ignore", invalid="ignore"):
        for step in range(num_steps):
            velocity = momentum * velocity + slope(-(margins + beta @ M))
            beta += rate * velocity
            if not np.isfinite(beta).all():
                msg = f"descent diverged: weights not finite after {step + 1} steps of {rate:g}"
                raise FloatingPointError(msg)
    return beta


def flow(M: Array, margins: Array, T: float, loss: str, tolerance: float) -> Array:
    """Solve in time t/T for b = β/T; rows that are not stiff jointly, the others one by one."""
    scale = np.abs(M).sum(axis=1).max()
    stiff = (
        T * scale * CURVATURE[loss](-margins.min(axis=1) if loss == "exponential" else np.zeros(1)) > _STIFF
    )
    stiff = np.broadcast_to(stiff, len(margins))
    beta = np.empty_like(margins)
    if not stiff.all():
        beta[~stiff] = _converged(M, margins[~stiff], T, loss, tolerance, "DOP853")
    for row in np.flatnonzero(stiff):
        beta[[row]] = _converged(M, margins[[row]], T, loss, tolerance, "Radau")
    return beta


def _converged(
    M: Array, margins: Array, T: float, loss: str, tolerance: float, method: Literal["DOP853", "Radau"]
) -> Array:
    """Refine until two solutions, of tolerances a factor of ten apart, agree; return the finer one."""
    rtol = tolerance / 10
    coarse, error = _solution(M, margins, T, loss, rtol, method), math.inf
    while rtol > _FINEST:
        rtol = max(rtol / 10, _FINEST)
        fine = _solution(M, margins, T, loss, rtol, method)
        sizes = np.maximum(np.abs(fine).max(axis=1), np.finfo(np.float64).tiny)
        error = float((np.abs(fine - coarse).max(axis=1) / sizes).max())
        if error <= tolerance:
            return fine
        coarse = fine
    msg = f"tolerance {tolerance:g} not reached: two solutions differ by {error:.1e} (T = {T:g}, loss {loss})"
    raise FloatingPointError(msg)


def _solution(
    M: Array, margins: Array, T: float, loss: str, rtol: float, method: Literal["DOP853", "Radau"]
) -> Array:
    slope, shape = SLOPE[loss], margins.shape

    evaluations = 0

    def velocity(_: float, b: Array) -> Array:
        nonlocal evaluations
        evaluations += 1
        if evaluations > _MOST_EVALUATIONS:
            msg = f"the {loss} flow was not solved to T = {T:g} in {_MOST_EVALUATIONS:,} evaluations"
            raise FloatingPointError(msg)
        return slope(-(margins + T * (b.reshape(shape) @ M))).ravel()

    def jacobian(_: float, b: Array) -> Array:
        curvature = CURVATURE[loss](-(margins[0] + T * (M @ b)))
        return -T * curvature[:, None] * M

    # Both a share of the initial velocity and one of a weight that moves its own margin by 1, so that early
    # and late times are resolved.
    with np.errstate(over="ignore", under="ignore"):
        own_scale = 1 / np.maximum(T * np.diag(M), np.finfo(np.float64).tiny)
        start = slope(-margins)
        floor = np.maximum(np.minimum(start, own_scale), 1e-150)
        fastest = T * float((start @ np.abs(M)).max())
    if not math.isfinite(fastest):
        msg = (
            f"the {loss} flow overflows: margins from {margins.min():.1e}, kernel up to {np.abs(M).max():.1e}"
        )
        raise FloatingPointError(msg)
    options: dict[str, Any] = {"jac": jacobian} if method == "Radau" else {}
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = integrate.solve_ivp(
            velocity,
            (0.0, 1.0),
            np.zeros(margins.size),
            method=method,
            t_eval=[1.0],
            first_step=min(1.0, 0.01 / max(fastest, 0.01)),  # no margin moves by more than 0.01
            rtol=rtol,
            atol=rtol * floor.ravel(),
            **options,
        )
    if not found.success or not np.isfinite(found.y).all():
        msg = f"the {loss} flow was not solved to T = {T:g}: {found.message}"
        raise FloatingPointError(msg)
    return np.asarray(T * found.y[:, -1].reshape(shape))


def enclose_weights(M: Array, margins: Array, T: float, loss: str, num_intervals: int) -> tuple[Array, Array]:
    """Return lower and upper bounds of β(T); intervals of time, mixed-monotone in β."""
    slope = SLOPE[loss]
    up, down = np.maximum(M, 0), np.minimum(M, 0)
    length = T / num_intervals
    low, high = np.zeros_like(margins), np.zeros_like(margins)
    # Each ℓ ≤ N times the mean, which never exceeds the initial one; ℓ' = ℓ for the exponential.
    most = 1.0 if loss == "logistic" else float(np.exp(-margins).sum()) * (1 + ROUNDING)
    if length == 0:
        return low, high
    for _ in range(num_intervals):
        fastest, slowest = np.full_like(margins, most), np.zeros_like(margins)
        for _ in range(4):  # each pass is an enclosure; more of them only narrow it
            end = high + length * fastest
            slack = ROUNDING * (np.abs(margins) + np.abs(M) @ end)
            fastest = np.fmin(fastest, slope(-(margins + up @ low + down @ end - slack)) * (1 + ROUNDING))
            slowest = np.fmax(slowest, slope(-(margins + up @ end + down @ low + slack)) * (1 - ROUNDING))
        low, high = low + length * slowest, high + length * fastest
    # Sums of positive terms: relative rounding below one epsilon an interval.
    rounding = num_intervals * np.finfo(np.float64).eps
    return low * (1 - rounding), high * (1 + rounding)
