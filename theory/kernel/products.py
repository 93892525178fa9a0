"""Products with Φ and with the frozen-readout tangent kernel Θ = Φ∘k, without forming the matrix.

Θ(x, z) = Φ(x, z) (⟨x, z⟩ + 1): the tangent kernel of the network whose readout is frozen.  Products are
summed over blocks of samples and queries, large enough for the BLAS and small enough for a memory budget.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from theory import libraries
from theory.geometry import finite
from theory.kernel import gram, threads
from theory.kernel.arrays import phi
from theory.kernel.rows import check_directions, phi_of_units, relative_variances
from theory.validation import (
    AnyArray,
    Array,
    Slope,
    as_points,
    as_real,
    check_integer,
    check_real,
    check_slope,
    data_by_keyword,
    of_one,
)

MEMORY_BUDGET = 1 << 28  # bytes: 256 MiB
# Temporary arrays of the size of a block, in units of float64, when every pair of it is near.
_ARRAYS = 20
_WIDER = 2  # times the side of a square block
_THREAD = 1 << 22  # bytes below which a thread is not worth its share of the budget
# Entries of a block that compiled passes find in cache, but so many rows at least; shares of the bias in a
# unit row from which its inverse is a length; blocks whose unit rows are made together.
_CACHED, _LEAST, _SHORT, _PARTS = 1 << 18, 64, 1e-150, 8


@data_by_keyword
def phi_product(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    v: ArrayLike,
    negative_slope: float = 0.0,
    weight_variance: float = 1.0,
    bias_variance: float = 1.0,
    memory_budget: int = MEMORY_BUDGET,
) -> Array:
    """Return Φ(Z, X) v.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for one point
    X : array, shape (N, d)
    v : array, shape (N,) or (N, K)
    negative_slope, weight_variance, bias_variance : float
        As in `theory.phi`.
    memory_budget : int
        Bytes of temporary arrays, at least 1 MiB, but room for 16 rows of `X` and as many of `Z` in any case;
        the result, (Q,) or (Q, K), comes on top, and a float64 copy of what is not float64.

    Returns
    -------
    array, shape (Q,) or (Q, K), float64
        NaN, not known, where a sum overflows; without the first axis for one point.

    Raises
    ------
    ValueError
        If shapes disagree, an entry is not finite, or a parameter is out of range.

    Notes
    -----
    Source: `expressions.PHI`; Derivation 1, (1.3).

    Examples
    --------
    >>> from theory import phi_product
    >>> phi_product([[1.0, 1.0]], X=[[1.0, 0.0], [0.0, 2.0]], v=[1.0, -1.0]).round(4)
    array([0.0146])
    """
    check_real("weight_variance", weight_variance, minimum=0)
    check_real("bias_variance", bias_variance, minimum=0)
    if weight_variance == 0 and bias_variance == 0:
        msg = "weight_variance and bias_variance must not both be 0"
        raise ValueError(msg)
    points = _checked(Z, X, v)
    check_directions("Z", points[0], bias_variance)
    check_directions("X", points[1], bias_variance)
    variances = relative_variances(weight_variance, bias_variance)
    return of_one(finite(product(*points, negative_slope, None, memory_budget, variances)), Z)


@data_by_keyword
def ntk(X: AnyArray, Z: AnyArray = None, *, negative_slope: Slope = 0.0) -> AnyArray:
    """Return the tangent kernel of the network with frozen readout, Θ = Φ(X, Z) ∘ (⟨x, z⟩ + 1).

    Parameters
    ----------
    X : array, shape (N, d) or (d,)
    Z : array, shape (Q, d) or (d,), optional
        `X` itself if absent.
    negative_slope : float in [0, 1)

    Returns
    -------
    array
        Shape, library, dtype and device as of `theory.phi`; NaN, not known, where ⟨x, z⟩ overflows.

    Raises
    ------
    ValueError
        If shapes disagree, an entry is not finite, or the slope is out of range.

    Notes
    -----
    f_b(z) = (1/N) Σ_n Θ(x_n, z) y_n.  Source: Derivation 3.

    Examples
    --------
    >>> from theory import ntk
    >>> ntk([[1.0, 0.0], [0.0, 2.0]]).round(4)
    array([[1.    , 0.3281],
           [0.3281, 2.5   ]])
    """
    points, other = libraries.same_library(X=X, Z=Z)
    K = phi(points, other, negative_slope=negative_slope)
    points = libraries.real_floating(points)
    columns = points if other is None else libraries.real_floating(other)
    with np.errstate(over="ignore", invalid="ignore"):
        return libraries.number(finite(K * ((points @ (columns.T if columns.ndim == 2 else columns)) + 1)))


@data_by_keyword
def ntk_product(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    v: ArrayLike,
    negative_slope: float = 0.0,
    memory_budget: int = MEMORY_BUDGET,
) -> Array:
    """Return Θ(Z, X) v, Θ the tangent kernel of the network with frozen readout (`ntk`).

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for one point
    X : array, shape (N, d)
    v : array, shape (N,) or (N, K)
    negative_slope : float in [0, 1)
    memory_budget : int
        Bytes of temporary arrays, at least 1 MiB.

    Returns
    -------
    array, shape (Q,) or (Q, K), float64
        NaN, not known, where a sum overflows; without the first axis for one point.

    Raises
    ------
    ValueError
        If shapes disagree, an entry is not finite, or a parameter is out of range.

    Notes
    -----
    Source: Derivation 3.

    Examples
    --------
    >>> from theory import ntk_product
    >>> ntk_product([[1.0, 1.0]], X=[[1.0, 0.0], [0.0, 2.0]], v=[1.0, -1.0]).round(4)
    array([-0.3728])
    """
    return of_one(finite(product(*_checked(Z, X, v), negative_slope, 1.0, memory_budget)), Z)


def product(
    Z: Array,
    X: Array,
    v: Array,
    negative_slope: float,
    added: float | None,
    memory_budget: int = MEMORY_BUDGET,
    variances: dict[str, Any] | None = None,
    *,
    along: bool = False,
) -> Array:
    """Return [Φ(Z, X) ∘ (⟨x, z⟩ + added)] v for checked points; Φ(Z, X) v if `added` is None.

    With `along`, the inner product of each row of it with that of Z.
    """
    slope = check_slope("negative_slope", negative_slope)
    check_integer("memory_budget", memory_budget, minimum=1 << 20)
    most = max(1, min(threads.count(), memory_budget // _THREAD))
    height, width = _block_shape(memory_budget / most, X.shape)
    compiled = gram.passes(len(Z) * len(X))
    cached = max(_LEAST, _CACHED // width)
    if compiled is not None:
        height = min(height, _PARTS * cached)
    height = math.ceil(len(Z) / max(most, math.ceil(len(Z) / height)))  # as much for every thread
    cached = min(height, cached)
    result = np.zeros(len(Z) if along else (len(Z), *v.shape[1:]))
    for columns in _slices(len(X), width):
        V = gram.unit_rows(X[columns], **(variances or {}), compiled=compiled)

        def add(rows: slice, columns: slice = columns, V: Array = V) -> None:
            """Add the part of some samples to some rows of the result."""
            z, x, w = Z[rows], X[columns], v[columns]
            U = gram.unit_rows(z, **(variances or {}), compiled=compiled)
            # Of both factors in one pass, but for lengths whose inverses lose digits.
            once = compiled is not None and added is not None and min(U[:, -1].min(), V[:, -1].min()) > _SHORT
            how = {"compiled": compiled, "added": added if once else None}
            summed = compiled is not None and (once or added is None) and (along or v.ndim == 1)
            # Of every part of the rows, so that memory is asked for once.
            K, weights = (np.empty((cached if summed else 0, len(V))) for _ in range(2))
            with np.errstate(over="ignore", invalid="ignore"):  # here, as threads have their own
                for part in _slices(len(z), cached if summed else len(z)):
                    if summed:
                        num = len(z[part])
                        own = np.matmul(z[part], w.T, out=weights[:num]) if along else w[None]
                        sums = phi_of_units(U[part], V, slope, **how, weights=own, products=K[:num])
                    else:
                        kernel = phi_of_units(U, V, slope, **how)
                        if added is not None and not once:
                            kernel *= z @ x.T + added
                        sums = kernel @ w
                        sums = np.einsum("qd,qd->q", sums, z) if along else sums
                    result[rows][part] += sums

        threads.run(add, _slices(len(Z), height), most=most)
    return result


def _checked(Z: ArrayLike, X: ArrayLike, v: ArrayLike) -> tuple[Array, Array, Array]:
    X = as_points("X", X)
    Z = as_points("Z", Z, dim=X.shape[1], or_one=True)
    vector = as_real("v", v)
    if vector.ndim not in (1, 2) or len(vector) != len(X):
        msg = f"v must have shape ({len(X)},) or ({len(X)}, K), got {vector.shape}"
        raise ValueError(msg)
    return Z, X, vector


def _block_shape(memory_budget: float, shape: tuple[int, ...]) -> tuple[int, int]:
    """Return rows and columns of blocks that take `memory_budget` bytes, for samples of the given shape.

    8 (arrays · b² + 2 b (d + 1)) bytes for a square of side b; a wider block has as many entries, and is
    wide where that makes columns fewer, since unit rows of the queries are computed once for each.
    """
    samples, dim = shape
    linear = 2 * (dim + 1)
    side = (math.sqrt(linear**2 + 4 * _ARRAYS * memory_budget / 8) - linear) / (2 * _ARRAYS)
    side = max(16, int(side))
    width = math.ceil(samples / math.ceil(samples / (_WIDER * side)))
    return max(16, min(side, side**2 // width)), width


def _slices(count: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, count)) for start in range(0, count, step))
