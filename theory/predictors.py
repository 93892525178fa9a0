"""What the theory predicts of f and g: sums over training samples weighted by Φ.

Two families.  The published ones (f̂, ĝ, the direction u) drop the bias gradient, the random labels and
the normalisation of the perturbation; the derived ones (f_b, g_b, ∇f_b) keep them, which makes the
prediction quantitative: f(z; T) ≈ f(z; 0) + T f_b(z) in wide networks at fixed time, identity loss.
Derivations 3 and 4.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from theory.geometry import finite, preactivation_scale
from theory.kernel import threads
from theory.kernel.gram import unit_rows
from theory.kernel.products import MEMORY_BUDGET, product
from theory.kernel.rows import weighted_gradient
from theory.validation import (
    Array,
    as_labels,
    as_nonnegative,
    as_points,
    as_real,
    check_choice,
    check_real,
    check_slope,
)

# Entries of a (queries × samples) block: 4 MiB in float64, which a cache holds.
_BLOCK = 1 << 19


def f_hat(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    *,
    negative_slope: float = 0.0,
    memory_budget: int = MEMORY_BUDGET,
) -> Array:
    """Return the published predictor f̂(z) = (1/N) Σ_n Φ(x_n, z) y_n ⟨x_n, z⟩.

    Parameters
    ----------
    Z : array, shape (Q, d)
        Query points.
    X : array, shape (N, d)
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    negative_slope : float in [0, 1)
        The paper's γ.
    memory_budget : int
        Bytes of temporary arrays, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q,), float64
        NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: `expressions.F_HAT`; published (paper A); Derivation 3.
    """
    Z, X, y, slope = _checked(Z, X, y, negative_slope)
    return _mean(Z, X, y, slope, 0.0, memory_budget)


def f_predict(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    *,
    negative_slope: float = 0.0,
    memory_budget: int = MEMORY_BUDGET,
) -> Array:
    """Return f_b(z) = (1/N) Σ_n Φ(x_n, z) y_n (⟨x_n, z⟩ + 1), the velocity of f(z; ·) at width ∞.

    (f(z; T) − f(z; 0))/T → f_b(z) as the width grows at fixed flow time T, for the identity loss.

    Parameters
    ----------
    Z : array, shape (Q, d)
        Query points.
    X : array, shape (N, d)
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    negative_slope : float in [0, 1)
        The paper's γ.
    memory_budget : int
        Bytes of temporary arrays, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q,), float64
        NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: `expressions.F_B`; Derivation 3.
    """
    Z, X, y, slope = _checked(Z, X, y, negative_slope)
    return _mean(Z, X, y, slope, 1.0, memory_budget)


def g_predict(
    Z: ArrayLike,
    X_adv: ArrayLike,
    y_adv: ArrayLike,
    *,
    negative_slope: float = 0.0,
    memory_budget: int = MEMORY_BUDGET,
) -> Array:
    """Return g_b(z) = (1/N) Σ_n Φ(x_n^adv, z) y_n^adv (⟨x_n^adv, z⟩ + 1), as `f_predict` for g.

    Parameters
    ----------
    Z : array, shape (Q, d)
        Query points.
    X_adv : array, shape (N, d)
        The inputs g is trained on: r_n in scenario (a), x_n + r_n in scenario (b).
    y_adv : array, shape (N,)
        Their target labels, −1 or +1.
    negative_slope : float in [0, 1)
        The paper's γ.
    memory_budget : int
        Bytes of temporary arrays, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q,), float64
        NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: `expressions.G_B`; Derivation 3.
    """
    X_adv = as_points("X_adv", X_adv)
    y_adv = as_labels("y_adv", y_adv, length=len(X_adv))
    return f_predict(Z, X_adv, y_adv, negative_slope=negative_slope, memory_budget=memory_budget)


def g_hat(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    *,
    negative_slope: float = 0.0,
    memory_budget: int = MEMORY_BUDGET,
) -> Array:
    """Return the published predictor ĝ(z) = (1/N²) Σ_n Φ(x_n^adv, z) Σ_k Φ(x_n, x_k) y_k ⟨x_k, z⟩.

    Parameters
    ----------
    Z : array, shape (Q, d)
        Query points.
    X, y : arrays, shapes (N, d) and (N,)
        Training points of f and their labels, −1 or +1.
    X_adv : array, shape (N, d)
        The inputs g is trained on, row n made from row n of `X`.
    negative_slope : float in [0, 1)
        The paper's γ.
    memory_budget : int
        Bytes of temporary arrays, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q,), float64
        NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: `expressions.G_HAT`; published (paper A); Derivation 3.  The factor 1/‖u_n‖ of the normalised
    perturbation is dropped, as published.
    """
    Z, X, y, slope = _checked(Z, X, y, negative_slope)
    X_adv = as_points("X_adv", X_adv, dim=X.shape[1])
    if len(X_adv) != len(X):
        msg = f"X_adv must have one row for each of the {len(X)} rows of X, got {len(X_adv)}"
        raise ValueError(msg)
    directions = _mean(
        Z, X_adv, _mean(X, X, y[:, None] * X, slope, None, memory_budget), slope, None, memory_budget
    )
    with np.errstate(over="ignore", invalid="ignore"):
        directions *= Z
        return finite(directions.sum(axis=1))


def perturbation_direction(
    X: ArrayLike,
    y: ArrayLike,
    *,
    at: ArrayLike | None = None,
    kind: Literal["paper", "gradient", "kink"] = "gradient",
    negative_slope: float = 0.0,
    memory_budget: int = MEMORY_BUDGET,
) -> Array:
    """Return the predicted direction of an adversarial perturbation of f, not normalised.

    ``"paper"``: u(x) = (1/N) Σ_k Φ(x_k, x) y_k x_k, "a weighted sum of training samples".
    ``"gradient"``: ∇f_b(x) = u(x) + (1/N) Σ_k y_k k(x_k, x) ∇_x Φ(x_k, x), k(x, z) = ⟨x, z⟩ + 1: the wide
    limit of the trained part of the input gradient, (∇f(x; T) − ∇f(x; 0))/T.
    ``"kink"``: the second term of that alone, the kinks moving, which does not vanish with width.

    Parameters
    ----------
    X : array, shape (N, d)
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    at : array, shape (Q, d), optional
        Where; the training points if absent.
    kind : {"paper", "gradient", "kink"}
        Which of them; "gradient" is the sum of the other two.
    negative_slope : float in [0, 1)
        The paper's γ.
    memory_budget : int
        Bytes of temporary arrays of the first term, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q, d), float64

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.
    FloatingPointError
        If the direction overflows, as inner products of entries beyond about 1e154 do.

    Notes
    -----
    Source: Derivations 3 ("paper", published) and 4 ("gradient", derived).  At a training point the
    gradient of that point's own Φ is 0 by symmetry.
    """
    check_choice("kind", kind, ("paper", "gradient", "kink"))
    Z, X, y, slope = _checked(X if at is None else at, X, y, negative_slope, query_name="at")
    if kind == "kink":
        result = _kink_term(Z, X, y, slope)
    else:
        result = _mean(Z, X, y[:, None] * X, slope, None, memory_budget)
    if kind == "gradient":
        with np.errstate(over="ignore"):
            result += _kink_term(Z, X, y, slope)
    if not np.isfinite(result).all():
        msg = f"the direction overflows: entries up to {max(np.abs(X).max(), np.abs(Z).max()):.1e}"
        raise FloatingPointError(msg)
    return result


def _mean(Z: Array, X: Array, v: Array, slope: float, added: float | None, memory_budget: int) -> Array:
    """Return (1/N) Σ_n Φ(x_n, z) (⟨x_n, z⟩ + added) v_n, without the bracket if `added` is None."""
    with np.errstate(over="ignore", invalid="ignore"):
        return finite(product(Z, X, v, slope, added, memory_budget) / len(X))


def _kink_term(Z: Array, X: Array, y: Array, slope: float) -> Array:
    """Return (1/N) Σ_k y_k k(x_k, z) ∇_z Φ(x_k, z) for every row z."""
    V = unit_rows(X)

    def work(part: slice) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):  # the caller refuses what is not finite
            weights = Z[part] @ X.T
            weights += 1
            weights *= y / len(X)
            return weighted_gradient(Z[part], V, weights, negative_slope=slope)

    return np.concatenate(threads.run(work, _parts(len(Z), len(X))))


def initial_deviation(Z: ArrayLike, *, negative_slope: float = 0.0) -> Array:
    """Return the standard deviation of f(z; 0) over initialisations: s(z) √((1 + γ²)/2), any width.

    Parameters
    ----------
    Z : array, shape (Q, d)
        Query points.
    negative_slope : float in [0, 1)
        The paper's γ.

    Returns
    -------
    array, shape (Q,), float64

    Raises
    ------
    ValueError
        If the shape is wrong, an entry is not finite, or the slope is out of range.

    Notes
    -----
    Source: `expressions.INITIAL_VARIANCE`; Derivation 3.
    """
    slope = check_slope("negative_slope", negative_slope)
    return np.asarray(preactivation_scale(Z) * np.sqrt((1 + slope**2) / 2))


def agreement_probability(f: ArrayLike, g_b: ArrayLike, deviation: ArrayLike, *, T_g: float) -> Array:
    """Return P(sgn g(z; T_g) = sgn f(z)) given f and its perturbations, in the wide limit of g.

    g starts from an initialisation of its own, so that given f and the inputs made from it
    g(z; T_g) ~ N(T_g g_b(z), σ(z)²), and the probability is F(sgn f(z) T_g g_b(z)/σ(z)), F the normal
    distribution function.

    Parameters
    ----------
    f : array, shape (Q,)
        f(z; T_f) at the query points; only the sign counts.
    g_b : array, shape (Q,)
        Predicted velocities of g (`g_predict`) from the inputs made with that f.
    deviation : array, shape (Q,)
        σ(z) > 0, from `initial_deviation`.
    T_g : float
        Flow time of g, ≥ 0.

    Returns
    -------
    array, shape (Q,), float64
        Between 0 and 1; 1/2 where f(z) = 0; NaN where an argument is.

    Raises
    ------
    ValueError
        If a deviation is not positive, or the time negative or not finite.

    Notes
    -----
    Source: `expressions.AGREEMENT`; Derivation 3.  Not a product of two independent chances: the
    perturbations carry the initial gradient of f, so g_b(z) and f(z; 0) are correlated.
    """
    f, g_b = as_real("f", f, finite=False), as_real("g_b", g_b, finite=False)
    deviation = as_nonnegative("deviation", deviation, positive=True)
    T_g = check_real("T_g", T_g, minimum=0)
    with np.errstate(over="ignore", invalid="ignore"):
        reach = np.clip(g_b / deviation * T_g, -100, 100)  # beyond 40 the distribution function is 0 or 1
    chance: Array = special.ndtr(np.sign(f) * reach)
    return chance


def _checked(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    negative_slope: float,
    *,
    query_name: str = "Z",
) -> tuple[Array, Array, Array, float]:
    slope = check_slope("negative_slope", negative_slope)
    X = as_points("X", X)
    y = as_labels("y", y, length=len(X))
    return as_points(query_name, Z, dim=X.shape[1]), X, y, slope


def _parts(queries: int, samples: int) -> Iterator[slice]:
    step = max(1, _BLOCK // samples)
    return (slice(start, start + step) for start in range(0, queries, step))
