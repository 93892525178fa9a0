"""The weights β of the samples and the outputs that follow from them."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from theory.deep.architecture import Architecture
from theory.kernel.enclosure import Sign
from theory.kernel.products import ntk
from theory.lazy.arguments import (
    check_margins,
    checked,
    initial_outputs_of,
    learning_rate,
    pair,
    signed_kernel,
    tangent_product,
)
from theory.lazy.losses import SLOPE, LazyLoss
from theory.lazy.solvers import ROUNDING, SMALLEST_TOLERANCE, descent, enclose_weights, flow, squared
from theory.validation import (
    Array,
    as_points,
    check_choice,
    check_integer,
    check_real,
    data_by_keyword,
    of_one,
)


@data_by_keyword
def lazy_weights(
    *,
    X: ArrayLike,
    y: ArrayLike,
    T: float,
    loss: LazyLoss,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    initial: ArrayLike | None = None,
    num_steps: int | None = None,
    momentum: float = 0.0,
    tolerance: float = 1e-8,
) -> Array:
    """Return β_n(T) = ∫₀^T ℓ'(−y_n f(x_n; t)) dt of infinitely wide networks.

    The outputs o_n = f(x_n; t) obey do/dt = (1/N) Θ(X, X)(y ∘ ℓ'(−y∘o)), so that β solves
    dβ/dt = ℓ'(−y∘o(0) − M β/N), β(0) = 0, M = (y yᵀ) ∘ Θ(X, X).

    Parameters
    ----------
    X : array, shape (N, d)
        Training points.
    y : array, shape (N,)
        Their labels, −1 or +1.
    T : float
        Flow time ≥ 0.
    loss : {"identity", "logistic", "squared", "exponential"}
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.
    initial : array, shape (N,) or (S, N), optional
        Outputs f(x_n; 0) of one or S untrained networks; 0 if absent (see `lazy_predict`).
    num_steps : int, optional
        Gradient descent in this many steps instead of the flow, exactly:
        v ← μ v + ℓ'(−y∘o), β ← β + η v, with η from `theory.learning_rate_for`.
    momentum : float in [0, 1)
        μ of heavy-ball momentum; only with `num_steps`.
    tolerance : float in [1e-11, 0.1]
        For the flow with logistic or exponential loss: the largest error of a row, relative to its
        largest weight, as estimated from two solutions, the one returned being ten times the finer.
        With squared loss: the largest relative error of a mode of the kernel from its rounding.

    Returns
    -------
    array, shape (N,) or (S, N), float64
        In [0, T] for identity (exactly T) and logistic, ≥ 0 for exponential.

    Raises
    ------
    ValueError
        If shapes disagree or an argument is out of range.
    FloatingPointError
        If the kernel or a weight overflows, an initial exponential loss exceeds e^300, descent diverges,
        or the tolerance is not reached (squared loss: a singular kernel at very long times).

    Notes
    -----
    Source: Derivation 11, (11.1).  Squared loss in closed form, by an eigendecomposition.  Errors of single
    steps do not grow: for convex ℓ the distance of two solutions in the norm of M never increases. Two exact
    solutions with N = 1, one with N = 2, and mpmath are met in tests/test_theory/test_lazy.py.

    Examples
    --------
    >>> from theory import lazy_weights
    >>> X, y, Z = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[1.0, 1.0]]
    >>> lazy_weights(X=X, y=y, T=1.0, loss="logistic").round(4)
    array([0.479, 0.439])
    """
    X, y, slope = checked(X, y, loss, negative_slope, architecture)
    T = check_real("T", T, minimum=0)
    tolerance = check_real("tolerance", tolerance, minimum=SMALLEST_TOLERANCE)
    if tolerance > 0.1:
        msg = f"tolerance must be <= 0.1, got {tolerance}"
        raise ValueError(msg)
    outputs = initial_outputs_of(initial, len(X))
    margins = np.atleast_2d(y * outputs)
    rate = learning_rate(T, num_steps, momentum)
    if loss == "identity" or T == 0:
        beta = np.full_like(margins, T)
    else:
        check_margins(margins, loss)
        M = signed_kernel(X, y, slope, architecture) / len(X)
        if num_steps is not None:
            beta = descent(M, margins, rate, num_steps, momentum, SLOPE[loss])
        elif loss == "squared":
            beta = squared(M, margins, T, tolerance)
        else:
            beta = flow(M, margins, T, loss, tolerance)
    return beta.reshape(outputs.shape)


@data_by_keyword
def lazy_predict(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    T: float,
    loss: LazyLoss,
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    initial_outputs: ArrayLike | None = None,
    initial_at_Z: ArrayLike | None = None,
    num_steps: int | None = None,
    momentum: float = 0.0,
    tolerance: float = 1e-8,
) -> Array:
    """Return f(z; 0) + (1/N) Σ_n β_n y_n Θ(x_n, z), the limit of f(z; T) as the width grows.

    With f(·; 0) of an actual network at `X` and `Z` this predicts that network.  Without, it is the limit
    of networks whose initial outputs are subtracted, in training and after.  f(·; 0) does not vanish in the
    setting of the theory: it tends to a Gaussian with the covariance of `initial_covariance`, from which
    `draw_initial_outputs` draws.  For identity and squared loss the prediction is affine in f(·; 0), so that
    the one from 0 is also the mean over initialisations; for logistic and exponential loss it is not.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X, y, T, loss, negative_slope, architecture, num_steps, momentum, tolerance
        As in `lazy_weights`.
    initial_outputs, initial_at_Z : arrays, shapes (N,) and (Q,), or (S, N) and (S, Q), optional
        f(x_n; 0) and f(z; 0) of the same networks; both or neither.

    Returns
    -------
    array, shape (Q,) or (S, Q), float64

    Raises
    ------
    ValueError
        If shapes disagree, an argument is out of range, or only one initial output is given.
    FloatingPointError
        As in `lazy_weights`, or if an output overflows.

    Notes
    -----
    Source: Derivation 11, (11.1).  At finite width the error is of order m^(−1/2) at fixed T:
    tests/test_empirics/test_lazy_training.py.

    Examples
    --------
    >>> from theory import lazy_predict
    >>> X, y, Z = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[1.0, 1.0]]
    >>> lazy_predict(Z, X=X, y=y, T=1.0, loss="logistic").round(4)
    array([-0.0651])
    """
    X, y, slope = checked(X, y, loss, negative_slope, architecture)
    points = as_points("Z", Z, dim=X.shape[1], or_one=True)
    at_Z = pair(initial_outputs, initial_at_Z, len(points))
    outputs = initial_outputs_of(initial_outputs, len(X), name="initial_outputs")
    beta = lazy_weights(
        X=X,
        y=y,
        T=T,
        loss=loss,
        negative_slope=slope,
        architecture=architecture,
        initial=outputs,
        num_steps=num_steps,
        momentum=momentum,
        tolerance=tolerance,
    )
    if beta.shape[:-1] != at_Z.shape[:-1]:
        msg = (
            "initial_outputs and initial_at_Z must be of the same networks, "
            f"got shapes {beta.shape}, {at_Z.shape}"
        )
        raise ValueError(msg)
    with np.errstate(over="ignore", invalid="ignore"):
        result = at_Z + tangent_product(points, X, (beta * y).T, slope, architecture).T / len(X)
    if not np.isfinite(result).all():
        msg = f"the output overflows: weights up to {np.abs(beta).max():.1e}"
        raise FloatingPointError(msg)
    return of_one(result.T, Z).T


@data_by_keyword
def lazy_range(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    T: float,
    loss: Literal["logistic", "exponential"],
    negative_slope: float = 0.0,
    initial_outputs: ArrayLike | None = None,
    initial_at_Z: ArrayLike | None = None,
    num_intervals: int = 64,
) -> tuple[Array, Array]:
    """Return numbers between which `lazy_predict` lies, proved without solving the differential equation.

    **Statement.**  lower ≤ f(z; 0) + (1/N) Σ_n β_n(T) y_n Θ(x_n, z) ≤ upper.

    **Assumptions.**  The wide limit, not a network of finite width.  Flow; with one interval and logistic
    loss also descent of any non-negative step weights of total T, momentum included.

    **Derivation.**  Derivation 11: on an interval of length h each β_n grows by at most h sup ℓ', sup ℓ' = 1
    for logistic and N times the initial loss for exponential; this encloses the margins, hence ℓ', hence
    the growth of β_n again, more narrowly.  At the end each term takes its worst β_n.

    **Checked by.**  tests/test_theory/test_lazy.py.  Tight while T κ is small; widens exponentially with T
    and is vacuous, never wrong, beyond.  Rounding is covered by a margin of 1e-11 of the
    magnitudes summed (N + d ≤ 10⁴), not by interval arithmetic.

    Parameters
    ----------
    Z, X, y, T, negative_slope
        As in `lazy_predict`.
    loss : {"logistic", "exponential"}
        For the other two `lazy_predict` is in closed form.
    initial_outputs, initial_at_Z : arrays, shapes (N,) and (Q,), optional
        Of one network; both or neither.
    num_intervals : int
        Into which [0, T] is divided, at least 1.

    Returns
    -------
    lower, upper : arrays, shape (Q,), float64
        −∞ and ∞ where nothing is proved.

    Raises
    ------
    ValueError
        If shapes disagree or an argument is out of range.
    FloatingPointError
        If the kernel overflows.

    Examples
    --------
    >>> from theory import lazy_range
    >>> X, y, Z = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[1.0, 1.0]]
    >>> low, high = lazy_range(Z, X=X, y=y, T=1.0, loss="logistic")
    >>> (low < high).all()
    np.True_
    """
    check_choice("loss", loss, ("logistic", "exponential"))
    X, y, slope = checked(X, y, loss, negative_slope)
    points = as_points("Z", Z, dim=X.shape[1], or_one=True)
    T = check_real("T", T, minimum=0)
    check_integer("num_intervals", num_intervals, minimum=1)
    at_Z = pair(initial_outputs, initial_at_Z, len(points))
    outputs = initial_outputs_of(initial_outputs, len(X), name="initial_outputs")
    if outputs.ndim != 1 or at_Z.ndim != 1:
        shapes = f"{outputs.shape}, {at_Z.shape}"
        msg = f"initial_outputs and initial_at_Z must be of one network, got shapes {shapes}"
        raise ValueError(msg)
    with np.errstate(over="ignore", invalid="ignore"):
        M = signed_kernel(X, y, slope) / len(X)
        low, high = enclose_weights(M, y * outputs, T, loss, num_intervals)
        C = ntk(points, X, negative_slope=slope) * y / len(X)
        up, down = np.maximum(C, 0), np.minimum(C, 0)
        slack = ROUNDING * (np.abs(at_Z) + np.abs(C) @ high)
        lower = at_Z + up @ low + down @ high - slack
        upper = at_Z + up @ high + down @ low + slack
    # 0 · ∞ and ∞ − ∞: nothing is proved.
    lower, upper = np.where(np.isnan(lower), -np.inf, lower), np.where(np.isnan(upper), np.inf, upper)
    return of_one(lower, Z), of_one(upper, Z)


@data_by_keyword
def lazy_sign(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    T: float,
    loss: Literal["logistic", "exponential"],
    negative_slope: float = 0.0,
    initial_outputs: ArrayLike | None = None,
    initial_at_Z: ArrayLike | None = None,
    num_intervals: int = 64,
) -> tuple[Sign, ...]:
    """Return the sign of `lazy_predict` at every query point where `lazy_range` proves it, else unknown.

    Parameters
    ----------
    Z, X, y, T, loss, negative_slope, initial_outputs, initial_at_Z, num_intervals
        As in `lazy_range`.

    Returns
    -------
    tuple of Q `theory.Sign`

    Raises
    ------
    ValueError, FloatingPointError
        As in `lazy_range`.

    Notes
    -----
    Source: Derivation 11.  Of the wide limit: it does not certify a network of finite width.

    Examples
    --------
    >>> from theory import lazy_sign
    >>> X, y, Z = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[1.0, 1.0]]
    >>> lazy_sign(Z, X=X, y=y, T=9.0, loss="logistic")
    (<Sign.UNKNOWN: 'unknown'>,)
    """
    lower, upper = lazy_range(
        Z,
        X=X,
        y=y,
        T=T,
        loss=loss,
        negative_slope=negative_slope,
        initial_outputs=initial_outputs,
        initial_at_Z=initial_at_Z,
        num_intervals=num_intervals,
    )
    return tuple(
        Sign.POSITIVE if least > 0 else Sign.NEGATIVE if most < 0 else Sign.UNKNOWN
        for least, most in np.broadcast(lower, upper)
    )
