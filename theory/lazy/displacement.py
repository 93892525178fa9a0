"""How far a pre-activation can move, for every loss and at any width."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from theory.geometry import augmented_inner
from theory.lazy.arguments import initial_outputs_of
from theory.lazy.losses import LAZY_LOSSES, VALUE, LazyLoss
from theory.validation import (
    Array,
    as_labels,
    as_nonnegative,
    as_real,
    check_choice,
    check_real,
    data_by_keyword,
    of_one,
)


def training_loss(outputs: ArrayLike, y: ArrayLike, *, loss: LazyLoss) -> float:
    """Return (1/N) Σ_n ℓ(−y_n f(x_n)), ∞ if it overflows.

    Parameters
    ----------
    outputs : array, shape (N,)
        f(x_n).
    y : array, shape (N,)
        Labels, −1 or +1.
    loss : {"identity", "logistic", "squared", "exponential"}

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If shapes disagree, a label is not ±1, or an output is not finite.

    Examples
    --------
    >>> from theory import training_loss
    >>> round(training_loss([0.5, -2.0], [1, -1], loss="logistic"), 4)
    0.3005
    """
    check_choice("loss", loss, LAZY_LOSSES)
    y = as_labels("y", y, length=np.size(y))
    outputs = initial_outputs_of(outputs, len(y), name="outputs", rows=False)
    with np.errstate(over="ignore"):
        return float(np.mean(VALUE[loss](-y * outputs)))


@data_by_keyword
def weighted_kappa(Z: ArrayLike, *, X: ArrayLike, weights: ArrayLike) -> Array:
    """Return κ_β(z) = (1/N) Σ_n β_n |k(x_n, z)|: a pre-activation moves by at most |a_i| κ_β(z).

    **Statement.**  |u_i(z; T) − u_i(z; 0)| ≤ |a_i| κ_β(z) for every neuron i of a network of any width,
    with β_n the total of |ℓ'(−y_n f(x_n; t))| over its own training.

    **Assumptions.**  Full batch, non-negative step weights, no weight decay, readout frozen.  β is that of
    the network, not of the wide limit.

    **Derivation.**  Derivation 11.

    **Checked by.**  tests/test_theory/test_lazy.py; an equality for N = 1 where the neuron stays active.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
    X : array, shape (N, d)
    weights : array, shape (N,)
        β_n ≥ 0.

    Returns
    -------
    array, shape (Q,), float64, or a number for one point
        ∞ where it overflows.

    Raises
    ------
    ValueError
        If shapes disagree, a weight is negative, or an entry is not finite.

    Examples
    --------
    >>> from theory import weighted_kappa
    >>> weighted_kappa([[1.0, 1.0]], X=[[1.0, 0.0], [0.0, -4.0]], weights=[0.5, 1.5])
    array([2.75])
    """
    K = augmented_inner(np.atleast_2d(as_real("Z", Z)), X=X)
    beta = as_nonnegative("weights", weights)
    if beta.shape != K.shape[1:]:
        msg = f"weights must have shape {K.shape[1:]}, one a training point, got {beta.shape}"
        raise ValueError(msg)
    with np.errstate(over="ignore", invalid="ignore"):
        kappa = np.abs(K) @ beta / len(beta)
    return of_one(np.where(np.isnan(kappa), np.inf, kappa), Z)


@data_by_keyword
def displacement_bound(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    T: float,
    loss: LazyLoss,
    largest_loss: float | None = None,
) -> Array:
    """Return B(z) with |u_i(z; t) − u_i(z; 0)| ≤ |a_i| B(z) for every neuron i and every t ≤ T.

    **Statement.**  Let Λ be the largest training loss (1/N) Σ_n ℓ(−y_n f(x_n; t)) over t < T.  B is the
    smallest entry of a row, κ(z) = (1/N) Σ_n |k(x_n, z)|, κ₂(z) = √((1/N) Σ_n k(x_n, z)²),
    κ_∞(z) = max_n |k(x_n, z)|:

    - identity: T κ;
    - logistic: T (1 − e^(−NΛ)) κ, T √(1 − e^(−Λ)) κ₂, T (1 − e^(−Λ)) κ_∞, and T κ without Λ;
    - squared: T √(2Λ) κ₂;
    - exponential: T Λ κ_∞.

    **Assumptions.**  Full batch, step weights ≥ 0 of total at most T (flow, descent, heavy-ball momentum), no
    weight decay, readout frozen.  Along the flow the loss never increases, so that Λ is the initial
    loss; for descent Λ must hold at every step, and is the user's to measure.  No width is assumed.

    **Derivation.**  Derivation 11.

    **Checked by.**  tests/test_theory/test_lazy.py and tests/test_empirics/test_lazy_training.py: trained
    networks never exceed it.  Attained for N = 1 as T → 0; loose in proportion as the loss falls later.

    **Consequence.**  A neuron with |u_i(z; 0)| > |a_i| B(z) keeps its φ' at z.  Where Λ does not depend on
    the initialisation, `theory.free_fraction` with T = 1 and κ = B is the chance of the opposite; with Λ
    of the network in hand the statement holds for its own neurons, not as a law.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points.
    X : array, shape (N, d)
        Training points.
    T : float
        Flow time ≥ 0.
    loss : {"identity", "logistic", "squared", "exponential"}
    largest_loss : float, optional
        Λ ≥ 0, from `training_loss`; ∞ is allowed.  Required for squared and exponential.

    Returns
    -------
    array, shape (Q,), float64, or a number for one point
        ∞ where it overflows or nothing is known.

    Raises
    ------
    ValueError
        If shapes disagree, an argument is out of range, or Λ is missing or given where ℓ is unbounded below.

    Examples
    --------
    >>> from theory import displacement_bound
    >>> displacement_bound([[1.0, 1.0]], X=[[1.0, 0.0], [0.0, -4.0]], T=2.0, loss="logistic").round(3)
    array([5.])
    """
    check_choice("loss", loss, LAZY_LOSSES)
    T = check_real("T", T, minimum=0)
    if largest_loss is None and loss in ("squared", "exponential"):
        msg = f"largest_loss must be given for the {loss} loss, whose slope is unbounded"
        raise ValueError(msg)
    if largest_loss is not None and loss == "identity":
        msg = f"largest_loss must be absent for the identity loss, which bounds no slope, got {largest_loss}"
        raise ValueError(msg)
    loss_bound = math.inf if largest_loss is None else largest_loss
    if loss_bound != math.inf:
        loss_bound = check_real("largest_loss", loss_bound, minimum=0)
    with np.errstate(over="ignore", invalid="ignore"):
        K = np.abs(augmented_inner(np.atleast_2d(as_real("Z", Z)), X=X))
        largest = K.max(axis=1)
        # Scaled before squaring, so that no square over- or underflows.
        unit = np.where(largest > 0, largest, 1)
        quadratic = unit * np.sqrt(np.mean((K / unit[:, None]) ** 2, axis=1))
        if loss == "squared":
            speed = np.sqrt(2) * np.sqrt(loss_bound) * quadratic
        elif loss == "exponential":
            speed = loss_bound * largest
        else:
            # Largest, root mean square and mean of ℓ' over the samples; 1 where Λ is not known.
            mean_slope = -math.expm1(-loss_bound)
            largest_slope = -math.expm1(-loss_bound * K.shape[1])
            speed = largest_slope * K.mean(axis=1)
            if loss == "logistic":
                speed = np.minimum(speed, math.sqrt(mean_slope) * quadratic)
                speed = np.minimum(speed, mean_slope * largest)
        bound = T * speed if T > 0 else np.zeros_like(largest)
    return of_one(np.where(np.isnan(bound), np.inf, bound), Z)
