"""What the theory predicts of f and g: sums over training samples weighted by Φ.

Two families.  The published ones (f̂, ĝ, the direction u) drop the bias gradient, the random labels and
the normalisation of the perturbation; the derived ones (f_b, g_b, ∇f_b) keep them, which makes the
prediction quantitative: f(z; T) ≈ f(z; 0) + T f_b(z) in wide networks at fixed time, identity loss.
Derivations 3 and 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import array_api_compat
import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from theory import libraries
from theory.deep.architecture import Architecture, one_of
from theory.deep.kernels import Kind, diagonal, product as deep_product, weighted_gradient as deep_gradient
from theory.geometry import finite, preactivation_scale
from theory.kernel import arrays, products, threads
from theory.kernel.gram import unit_rows
from theory.kernel.products import MEMORY_BUDGET
from theory.kernel.rows import weighted_gradient
from theory.validation import (
    AnyArray,
    Array,
    Slope,
    as_labels,
    as_nonnegative,
    as_real,
    check_choice,
    check_integer,
    check_real,
    data_by_keyword,
)

# Entries of a (queries × samples) block: 4 MiB in float64, which a cache holds.
_BLOCK = 1 << 19


@data_by_keyword
def f_hat(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    negative_slope: Slope = 0.0,
    architecture: Architecture | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> AnyArray:
    """Return the published predictor f̂(z) = (1/N) Σ_n Φ(x_n, z) y_n ⟨x_n, z⟩.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X : array, shape (N, d)
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.
    memory_budget : int
        Bytes of temporary arrays, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q,), or a number for one point
        Of the library, dtype and device of `X`; NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: `expressions.F_HAT`; published (paper A); Derivation 3, (3.1).

    Examples
    --------
    >>> from theory import f_hat
    >>> X, y, Z = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[1.0, 1.0]]
    >>> f_hat(Z, X=X, y=y, negative_slope=0.1).round(4)
    array([-0.2069])
    >>> f_hat([1.0, 1.0], X=X, y=y, negative_slope=0.1).round(4)  # one point
    np.float64(-0.2069)
    """
    data = _checked(Z, X, y, negative_slope, memory_budget, architecture)
    return data.result(data.mean(0.0))


@data_by_keyword
def f_predict(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    negative_slope: Slope = 0.0,
    architecture: Architecture | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> AnyArray:
    """Return f_b(z) = (1/N) Σ_n Φ(x_n, z) y_n (⟨x_n, z⟩ + 1), the velocity of f(z; ·) at width ∞.

    (f(z; T) − f(z; 0))/T → f_b(z) as the width grows at fixed flow time T, for the identity loss.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X : array, shape (N, d)
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.
    memory_budget : int
        Bytes of temporary arrays, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q,), or a number for one point
        Of the library, dtype and device of `X`; NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: `expressions.F_B`; Derivation 3, (3.4) and (3.5).

    Examples
    --------
    >>> from theory import f_predict
    >>> X, y, Z = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[1.0, 1.0]]
    >>> f_predict(Z, X=X, y=y).round(4)
    array([-0.1864])
    """
    data = _checked(Z, X, y, negative_slope, memory_budget, architecture)
    return data.result(data.mean(1.0))


@data_by_keyword
def g_predict(
    Z: ArrayLike,
    *,
    X_adv: ArrayLike,
    y_adv: ArrayLike,
    negative_slope: Slope = 0.0,
    architecture: Architecture | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> AnyArray:
    """Return g_b(z) = (1/N) Σ_n Φ(x_n^adv, z) y_n^adv (⟨x_n^adv, z⟩ + 1), as `f_predict` for g.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X_adv : array, shape (N, d)
        The inputs g is trained on: r_n in scenario (a), x_n + r_n in scenario (b).
    y_adv : array, shape (N,)
        Their target labels, −1 or +1.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.
    memory_budget : int
        Bytes of temporary arrays, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q,), or a number for one point
        Of the library, dtype and device of `X`; NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: `expressions.G_B`; Derivation 3, (3.4).

    Examples
    --------
    >>> from theory import g_predict
    >>> g_predict([[1.0, 1.0]], X_adv=[[0.5, 0.0], [0.0, -0.5]], y_adv=[1, -1]).round(4)
    array([0.2218])
    """
    data = _checked(Z, X_adv, y_adv, negative_slope, memory_budget, architecture, names=("X_adv", "y_adv"))
    return data.result(data.mean(1.0))


@data_by_keyword
def g_hat(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    negative_slope: Slope = 0.0,
    architecture: Architecture | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> AnyArray:
    """Return the published predictor ĝ(z) = (1/N²) Σ_n Φ(x_n^adv, z) Σ_k Φ(x_n, x_k) y_k ⟨x_k, z⟩.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    X, y : arrays, shapes (N, d) and (N,)
        Training points of f and their labels, −1 or +1.
    X_adv : array, shape (N, d)
        The inputs g is trained on, row n made from row n of `X`.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.
    memory_budget : int
        Bytes of temporary arrays, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q,), or a number for one point
        Of the library, dtype and device of `X`; NaN, not known, where a sum overflows.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: `expressions.G_HAT`; published (paper A); Derivation 3, (3.3).  The factor 1/‖u_n‖ of the
    normalised perturbation is dropped, as published.

    Examples
    --------
    >>> from theory import g_hat
    >>> X, y, Z = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[1.0, 1.0]]
    >>> g_hat(Z, X=X, y=y, X_adv=[[0.5, 0.0], [0.0, -0.5]]).round(4)
    array([-0.0719])
    """
    data = _checked(Z, X, y, negative_slope, memory_budget, architecture)
    at_adv = _checked(X_adv, X, y, negative_slope, memory_budget, architecture, query_name="X_adv")
    if at_adv.Z.shape[0] != data.X.shape[0]:
        msg = f"X_adv must have one row for each of the {data.X.shape[0]} rows of X, got {at_adv.Z.shape[0]}"
        raise ValueError(msg)
    u = replace(data, Z=data.X).mean(None, data.y[:, None] * data.X)
    return data.result(replace(data, X=at_adv.Z).mean(None, u, along=True))


@data_by_keyword
def perturbation_direction(
    Z: ArrayLike | None = None,
    *,
    X: ArrayLike,
    y: ArrayLike,
    kind: Literal["paper", "gradient", "kink"] = "gradient",
    negative_slope: Slope = 0.0,
    architecture: Architecture | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> AnyArray:
    """Return the predicted direction of an adversarial perturbation of f, not normalised.

    ``"paper"``: u(x) = (1/N) Σ_k Φ(x_k, x) y_k x_k, "a weighted sum of training samples".
    ``"gradient"``: ∇f_b(x) = u(x) + (1/N) Σ_k y_k k(x_k, x) ∇_x Φ(x_k, x), k(x, z) = ⟨x, z⟩ + 1: the wide
    limit of the trained part of the input gradient, (∇f(x; T) − ∇f(x; 0))/T.
    ``"kink"``: the second term of that alone, the kinks moving, which does not vanish with width.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,), optional
        Where; the training points if absent.
    X : array, shape (N, d)
        Training points of f.
    y : array, shape (N,)
        Their labels, −1 or +1.
    kind : {"paper", "gradient", "kink"}
        Which of them; "gradient" is the sum of the other two.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.
    memory_budget : int
        Bytes of temporary arrays of the first term, as in `theory.phi_product`.

    Returns
    -------
    array, shape (Q, d) or (d,)
        Of the library, dtype and device of `X`; NaN, not known, where it overflows, as inner products of
        entries beyond about 1e154 do.

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, or an entry is not finite.

    Notes
    -----
    Source: Derivations 3 ("paper", published) and 4 ("gradient", derived).  At a training point the
    gradient of that point's own Φ is 0 by symmetry; points at an angle of sine up to 8 machine epsilons
    count as that point.

    Examples
    --------
    >>> from theory import perturbation_direction
    >>> X, y, Z = [[1.0, 0.0], [0.0, 2.0]], [1, -1], [[1.0, 1.0]]
    >>> perturbation_direction(Z, X=X, y=y).round(4)
    array([[ 0.3157, -0.5554]])
    >>> perturbation_direction(Z, X=X, y=y, kind="paper").round(4)
    array([[ 0.2083, -0.402 ]])
    """
    check_choice("kind", kind, ("paper", "gradient", "kink"))
    data = _checked(X if Z is None else Z, X, y, negative_slope, memory_budget, architecture)
    result: AnyArray = 0
    with np.errstate(over="ignore"):
        if kind != "kink":
            result = data.mean(None, data.y[:, None] * data.X)
        if kind != "paper":
            result = result + data.kink_term()
    return data.result(finite(result))


@dataclass(frozen=True)
class _Data:
    """Checked arrays of one library, and γ; `result` gives back what came in."""

    Z: AnyArray
    X: AnyArray
    y: AnyArray
    slope: AnyArray
    memory_budget: int
    architecture: Architecture | None  # None for two layers
    result: Callable[[AnyArray], AnyArray]

    def mean(self, added: float | None, v: AnyArray = None, *, along: bool = False) -> AnyArray:
        """Return (1/N) Σ_n Φ(x_n, z) (⟨x_n, z⟩ + added) v_n, v = y if absent; no bracket without `added`.

        Of deep networks Φ^(L), and Θ where 1 is added.  With `along`, the inner product of it and z.
        """
        v = self.y if v is None else v
        N = self.X.shape[0]
        with np.errstate(over="ignore", invalid="ignore"):
            if self.architecture is None and isinstance(self.Z, np.ndarray):
                sums = products.product(self.Z, self.X, v, self.slope, added, self.memory_budget, along=along)
                return finite(sums / N)
            if self.architecture is None:
                sums = arrays.product(self.Z, self.X, v, self.slope, added, self.memory_budget)
            else:
                kind: Kind = "tangent" if added else "phi"
                added = None if added else added
                sums = deep_product(self.Z, self.X, v, self.architecture, kind, added, self.memory_budget)
            return finite(libraries.row_sums(sums / N * self.Z) if along else sums / N)

    def kink_term(self) -> AnyArray:
        """Return (1/N) Σ_k y_k k(x_k, z) ∇_z Φ(x_k, z) for every row z; of deep networks ∇F less u."""
        Z, X, y = self.Z, self.X, self.y
        if self.architecture is not None:
            weights = y / X.shape[0]
            return deep_gradient(Z, X, weights, self.architecture, self.memory_budget) - self.mean(
                None, y[:, None] * X
            )
        if not isinstance(Z, np.ndarray):
            with np.errstate(over="ignore", invalid="ignore"):  # of libraries that compute with numpy
                return arrays.weighted_gradient(Z, X, (Z @ X.T + 1) * (y / X.shape[0]), self.slope)
        V = unit_rows(X)

        def work(part: slice) -> Array:
            with np.errstate(over="ignore", invalid="ignore"):  # NaN in the end
                weights = Z[part] @ X.T
                weights += 1
                weights *= y / len(X)
                return weighted_gradient(Z[part], X, V, weights, negative_slope=self.slope)

        return np.concatenate(threads.run(work, _parts(len(Z), len(X))))


@data_by_keyword
def initial_deviation(
    Z: ArrayLike, *, negative_slope: Slope = 0.0, architecture: Architecture | None = None
) -> AnyArray:
    """Return the standard deviation of f(z; 0) over initialisations: s(z) √((1 + γ²)/2), any width.

    Of deep networks √K^L(z, z), any width as well.

    Parameters
    ----------
    Z : array, shape (Q, d) or (d,)
        Query points, or one.
    negative_slope : float in [0, 1)
        The paper's γ.
    architecture : theory.deep.Architecture, optional
        Of deep networks, in place of `negative_slope`.

    Returns
    -------
    array, shape (Q,), or a number for one point
        Of the library, dtype and device of `Z`.

    Raises
    ------
    ValueError
        If the shape is wrong, an entry is not finite, or the slope is out of range.

    Notes
    -----
    Source: `expressions.INITIAL_VARIANCE`; Derivations 3 and 17.

    Examples
    --------
    >>> from theory import initial_deviation
    >>> initial_deviation([[1.0, 1.0], [3.0, 4.0]]).round(4)
    array([1.    , 2.5981])
    """
    negative_slope, architecture = _shallow(negative_slope, architecture)
    if architecture is not None:
        points, _, result = libraries.query(Z=Z)
        return result(finite(diagonal(points, architecture).covariance[0, :]) ** 0.5)
    s = preactivation_scale(Z)
    slope = libraries.as_slope(negative_slope, s)
    return s * ((1 + slope**2) / 2) ** 0.5


@data_by_keyword
def agreement_probability(
    f: ArrayLike, g_b: ArrayLike, deviation: ArrayLike, *, T_g: float | AnyArray
) -> AnyArray:
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
    T_g : float, or a scalar of the library of `f`, which may be differentiated
        Flow time of g, ≥ 0.

    Returns
    -------
    array, shape (Q,)
        Of the library, dtype and device of `f`; from 0 to 1, 1/2 where f(z) = 0, NaN where an argument is.

    Raises
    ------
    ValueError
        If a deviation is not positive, or the time negative or not finite.

    Notes
    -----
    Source: `expressions.AGREEMENT`; Derivation 3, (3.7).  Not a product of two independent chances: the
    perturbations carry the initial gradient of f, so g_b(z) and f(z; 0) are correlated.

    Examples
    --------
    >>> from theory import agreement_probability
    >>> agreement_probability([1.0, -1.0], [0.5, 0.5], [1.0, 1.0], T_g=2.0).round(4)
    array([0.8413, 0.1587])
    """
    given = libraries.same_library(f=f, g_b=g_b, deviation=deviation)
    shapes = [tuple(one.shape) for one in given]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError as error:
        msg = f"f, g_b and deviation must have one shape, got {', '.join(map(str, shapes))}"
        raise ValueError(msg) from error
    T_g = libraries.as_scalar("T_g", T_g, partial(check_real, minimum=0), below=math.inf, f=given[0])
    if all(isinstance(one, (np.ndarray, np.generic)) for one in given):
        dtype = np.float32 if all(one.dtype == np.float32 for one in given) else np.float64
        signs, velocity = (
            as_real(name, one, finite=False) for name, one in zip(("f", "g_b"), given[:2], strict=True)
        )
        spread = as_nonnegative("deviation", given[2], positive=True)
        with np.errstate(over="ignore", invalid="ignore"):
            reach = np.clip(velocity / spread * T_g, -100, 100)  # beyond 40 it is 0 or 1
        return special.ndtr(np.sign(signs) * reach).astype(dtype)
    xp = array_api_compat.array_namespace(*given)
    spread = given[2]
    known = libraries.values_of(spread)
    if known is not None:
        as_nonnegative("deviation", known, positive=True)
    else:
        spread = xp.where(spread > 0, spread, xp.nan)
    return libraries.normal_cdf(xp.sign(given[0]) * xp.clip(given[1] / spread * T_g, -100, 100))


def _checked(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    negative_slope: Slope,
    memory_budget: int,
    architecture: Architecture | None,
    *,
    query_name: str = "Z",
    names: tuple[str, str] = ("X", "y"),
) -> _Data:
    check_integer("memory_budget", memory_budget, minimum=1 << 20)
    negative_slope, architecture = _shallow(negative_slope, architecture)
    Zs, Xs, result = libraries.query(**{query_name: Z, names[0]: X})
    _, ys = libraries.same_library(**{query_name: Zs, names[1]: y})
    as_given = as_labels(names[1], ys, length=len(Xs)) if isinstance(Xs, np.ndarray) else None
    ys = libraries.labels(names[1], ys, Xs) if as_given is None else as_given
    slope = libraries.as_slope(negative_slope, Xs)
    return _Data(Zs, Xs, ys, slope, memory_budget, architecture, result)


def _shallow(slope: Slope, architecture: Architecture | None) -> tuple[Slope, Architecture | None]:
    """Return γ alone of two-layer networks whose first layer learns, which have a faster path."""
    architecture = one_of(slope, architecture)
    if architecture is None:
        return slope, None
    plain = architecture.depth == 1 and architecture.rates == "first"
    return architecture.negative_slope, None if plain else architecture


def _parts(queries: int, samples: int) -> Iterator[slice]:
    step = max(1, _BLOCK // samples)
    return (slice(start, start + step) for start in range(0, queries, step))
