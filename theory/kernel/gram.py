"""Matrices of angles between unit vectors, fast and to the last digits, on numpy arrays.

Most entries come from one matrix product, as a function of ρ such as arcsin ρ, whose error is that of ρ
divided by cos(arcsin ρ).
*Near* pairs, |ρ| > 1 − `NEAR`, would lose digits, up to half of them, and are computed again:

- few of them: one by one, θ = 2·atan2(‖u − v‖, ‖u + v‖) (W. Kahan);
- many, because whole sets are nearly parallel: after subtracting a common centre c, which leaves
  ‖u − v‖² = ‖u − c‖² + ‖v − c‖² − 2⟨u − c, v − c⟩ and takes the cancellation away, by a product again.

Work is done in place, on panels of rows, one a thread, in chunks that stay in cache.  Large matrices take the
compiled passes of `fused`, where numba is there.  Derivation 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.kernel import threads

Floats = NDArray[Any]  # float32 or float64
Indices = NDArray[np.intp]

# Pairs with 1 − |ρ| below this are near.  Above it cos(arcsin ρ) > 0.2, so that a few roundings in ρ stay
# a few roundings in the angle.
NEAR = 0.02
# ‖u − v‖² from centred vectors is trusted if it is not smaller than this share of ‖u − c‖² + ‖v − c‖².
_TRUSTED = 0.05
_PANEL = 512  # rows of a panel of a symmetric matrix
_FEWEST = 128  # rows of a panel of another one
_ROWS = 256  # rows of data that are made unit vectors at a time
_CHUNK = 1 << 16  # entries of a matrix that one thread works on at a time
_BLOCK = 1 << 16  # entries of the temporary arrays for near pairs, one by one
_GROUP = 1 << 20  # entries of a matrix whose near pairs are computed together
_MANY = 1 << 13  # near pairs in a tile from which centres pay
_CENTRES = 32
# Entries from which compiled passes are taken.  The size alone decides, so that one call gives one result
# whatever has been loaded; loading takes as long as some ten matrices of this size save.
_COMPILED = 1 << 22


def passes(entries: int) -> ModuleType | None:
    """Return the compiled passes if so many entries are to be computed and numba is there."""
    return _fused() if entries >= _COMPILED else None


@lru_cache(maxsize=1)
def _fused() -> ModuleType | None:
    try:
        from theory.kernel import fused  # noqa: PLC0415
    except ImportError:
        return None
    return fused


def unit_rows(
    X: Floats,
    *,
    weight_variance: float = 1.0,
    bias_variance: float = 1.0,
    compiled: ModuleType | None = None,
) -> Floats:
    """Return unit vectors along (σ_w x/√d, σ_b), shape (N, d + 1).

    Rows are scaled before squaring where a square could over- or underflow.  `compiled` as in `gram`.
    """
    U = np.empty((len(X), X.shape[1] + 1), dtype=X.dtype)
    # A compiled pass takes row by row, and no temporary arrays.
    height = max(_ROWS, 0 if compiled is None else math.ceil(len(X) / threads.count()))

    def work(start: int) -> None:
        part = slice(start, start + height)
        _unit_rows(X[part], U[part], weight_variance, bias_variance, compiled)

    threads.run(work, range(0, len(X), height))
    return U


def _unit_rows(
    X: Floats, U: Floats, weight_variance: float, bias_variance: float, compiled: ModuleType | None
) -> None:
    dim = X.shape[1]
    factor, bias = map(X.dtype.type, (math.sqrt(weight_variance / dim), math.sqrt(bias_variance)))
    if compiled is not None:
        squares = np.empty(len(X))
        compiled.unit_rows(X, U, factor, bias, squares)
    else:
        with np.errstate(over="ignore", under="ignore"):
            np.multiply(X, factor, out=U[:, :dim])
            U[:, dim] = bias
            squares = np.sum(U * U, axis=1)  # in pairs: einsum's plain sum loses digits of rows of one sign
    limits = np.finfo(X.dtype)
    extreme = ~((squares > limits.tiny / limits.eps**2) & (squares < limits.max))
    if extreme.any():
        # √(weight variance) could itself push a row out of range: scale the data first.
        rows = X[extreme]
        largest = np.maximum(np.abs(rows).max(axis=1, keepdims=True), math.sqrt(bias_variance) or 0.0)
        with np.errstate(under="ignore"):
            rows = np.concatenate(
                [
                    rows / largest * math.sqrt(weight_variance / dim),
                    math.sqrt(bias_variance) / largest,
                ],
                axis=1,
            )
            rows /= np.abs(rows).max(axis=1, keepdims=True)
            squares[extreme] = np.sum(rows * rows, axis=1)
            U[extreme] = rows if compiled is None else rows / np.sqrt(squares[extreme])[:, None]
    if compiled is None:
        U /= np.sqrt(squares)[:, None]


@dataclass(frozen=True)
class Arcsine:
    """The function ρ ↦ offset + scale · arcsin ρ = offset + scale · (π/2 − θ), in place."""

    scale: float
    offset: float

    def __call__(self, k: Floats) -> None:
        """Turn ρ into the result, in place."""
        np.arcsin(k, out=k)
        np.multiply(k, k.dtype.type(self.scale), out=k)
        np.add(k, k.dtype.type(self.offset), out=k)


def gram(
    U: Floats,
    V: Floats | None,
    *,
    far: Callable[[Floats], None],
    near: Callable[[Floats], Floats],
    compiled: ModuleType | None = None,
    added: float | None = None,
    weights: Floats | None = None,
    products: Floats | None = None,
) -> Floats:
    """Return a function of the angle θ between all pairs of rows, from ρ = ⟨u, v⟩ or, near pairs, from θ.

    Parameters
    ----------
    U : array, shape (N, D), float32 or float64
        Unit rows.
    V : array, shape (Q, D), or None
        Other unit rows; None: `U` itself, the result symmetric and its diagonal exactly near(0).
    far : callable
        Turns ρ, |ρ| ≤ 1 − `NEAR`, into the result, in place; see `Arcsine`.
    near : callable
        The same function of the angle, in a form that is accurate there.
    compiled : module, optional
        The passes to take, of `passes`; by the size of the result if absent.
    added : float, optional
        Multiply by ⟨x, z⟩ + added, x and z the points of `unit_rows` at variances 1; takes `compiled` and V.
    weights : array, shape (N, Q) or (1, Q), dtype of `U`, optional
        Sum the result times these over columns instead; takes `compiled` and V.
    products : array, shape (N, Q), dtype of `U`, optional
        Room for the products, and for the result without `weights`.

    Returns
    -------
    array, shape (N, Q), or (N,) with `weights`, dtype of `U`
    """
    compiled = compiled or passes(len(U) * len(U if V is None else V))
    panel = _Panel(far, near, compiled if isinstance(far, Arcsine) else None, added)
    if V is None:
        return _symmetric(U, panel)
    K = np.empty((len(U), len(V)), dtype=U.dtype) if products is None else products
    sums = np.empty(0 if weights is None else len(U), dtype=U.dtype)
    height = max(_FEWEST, math.ceil(len(U) / threads.count()))

    def work(start: int) -> None:
        rows = slice(start, start + height)
        own = weights if weights is None or len(weights) == 1 else weights[rows]
        panel.multiply(U[rows], V, K[rows])
        panel.finish(K[rows], U[rows], V, weights=own, sums=sums[rows])

    threads.run(work, range(0, len(U), height))
    return K if weights is None else sums


def _symmetric(U: Floats, panel: _Panel) -> Floats:
    N = len(U)
    K = np.empty((N, N), dtype=U.dtype)
    diagonal = panel.near(np.zeros(1, dtype=U.dtype))[0]
    below = np.tri(_PANEL, k=-1, dtype=np.bool_)

    def work(top: int) -> None:
        """Compute rows of the upper triangle and copy them to the columns of the lower one."""
        bottom = min(top + _PANEL, N)
        rows, right = slice(top, bottom), slice(bottom, N)
        square = K[rows, rows]
        panel.multiply(U[rows], U[rows], square)  # by the rank-k routine, as numpy sees
        panel.multiply(U[rows], U[right], K[rows, right])
        # Known: ρ = 0 keeps it from being found near, row by row.
        np.fill_diagonal(square, 0 if panel.compiled is None else -(U[rows, -1] ** 2))
        panel.finish(K[rows], U[rows], U, first=top)
        np.fill_diagonal(square, diagonal)
        np.copyto(square, square.T.copy(), where=below[: len(square), : len(square)])
        for left in range(bottom, N, _PANEL):
            columns = slice(left, left + _PANEL)
            K[columns, rows] = K[rows, columns].T

    threads.run(work, range(0, N, _PANEL))
    return K


@dataclass(frozen=True)
class _Panel:
    """What is done to a panel of the matrix; with compiled passes products leave the last column out."""

    far: Callable[[Floats], None]
    near: Callable[[Floats], Floats]
    compiled: ModuleType | None
    added: float | None

    def multiply(self, U: Floats, V: Floats, K: Floats) -> None:
        last = None if self.compiled is None else -1
        np.matmul(U[:, :last], V[:, :last].T, out=K)

    def finish(
        self,
        K: Floats,
        U: Floats,
        V: Floats,
        *,
        first: int = 0,
        weights: Floats | None = None,
        sums: Floats | None = None,
    ) -> None:
        """Turn products into the result, in place, from a column on, a group of rows after the other."""
        rows = max(1, _GROUP // K.shape[1])
        for start in range(0, len(K), rows):
            group = slice(start, start + rows)
            if self.compiled is None:
                self._finish_group(K[group], U[group], V, first)
            else:
                own = weights if weights is None or len(weights) == 1 else weights[group]
                self._finish_compiled(
                    K[group], U[group], V, first, own, None if sums is None else sums[group]
                )

    def _finish_group(self, K: Floats, U: Floats, V: Floats, first: int) -> None:
        height = max(1, _CHUNK // K.shape[1])
        parts = [
            _chunk(K[start : start + height, first:], start, first, self.far)
            for start in range(0, len(K), height)
        ]
        i, j, opposite = map(np.concatenate, zip(*parts, strict=True))
        if len(i):
            K[i, j] = self.near(near_angles(U, V, i, j, opposite, None))

    def _finish_compiled(
        self, K: Floats, U: Floats, V: Floats, first: int, weights: Floats | None, sums: Floats | None
    ) -> None:
        assert self.compiled is not None
        assert isinstance(self.far, Arcsine)
        none = np.empty(0, K.dtype)
        p = q = none
        if self.added is not None:
            p, q = (math.sqrt(U.shape[1] - 1) / one[:, -1] for one in (U, V))
        weights, sums = (none[:, None], none) if weights is None or sums is None else (weights, sums)
        added = 1.0 if self.added is None else self.added
        numbers = self.compiled.numbers(K.dtype, 1 - NEAR, self.far.scale, self.far.offset, added)
        i, j, opposite, factors = self.compiled.arcsine(
            K, first, U[:, -1].copy(), V[:, -1].copy(), p, q, weights, sums, *numbers
        )
        if not len(i):
            return
        values = self.near(near_angles(U, V, i, j, opposite, self.compiled)) * factors
        if len(weights):
            np.add.at(sums, i, values * weights[i % len(weights), j])
        else:
            K[i, j] = values


def _chunk(
    k: Floats, top: int, left: int, far: Callable[[Floats], None]
) -> tuple[Indices, Indices, NDArray[np.bool_]]:
    """Turn correlations into the result, in place, but for the near pairs, which are returned."""
    limit = 1 - NEAR
    i, j, opposite = np.empty(0, np.intp), np.empty(0, np.intp), np.empty(0, np.bool_)
    if k.max() > limit or k.min() < -limit:
        i, j = np.nonzero(np.abs(k) > limit)
        opposite = k[i, j] < 0
        np.clip(k, -limit, limit, out=k)
    far(k)
    return i + top, j + left, opposite


# Near pairs ----------------------------------------------------------------------------------------


def near_angles(
    U: Floats,
    V: Floats,
    i: Indices,
    j: Indices,
    opposite: NDArray[np.bool_],
    compiled: ModuleType | None,
) -> Floats:
    """Return the angle of each pair (i, j); `opposite` where ρ < 0."""
    theta = np.empty(len(i), dtype=U.dtype)
    left = np.arange(len(i))
    for _ in range(_CENTRES):
        if len(left) < _MANY:
            break
        left = _around_a_centre(U, V, i, j, opposite, theta, left)
    if compiled is not None:
        alone = np.empty(len(left), dtype=U.dtype)
        compiled.chords(U, V, i[left], j[left], alone)
        theta[left] = alone
        return theta
    step = max(1, _BLOCK // U.shape[1])
    for start in range(0, len(left), step):
        part = left[start : start + step]
        u, v = U[i[part]], V[j[part]]
        difference, total = np.linalg.norm(u - v, axis=1), np.linalg.norm(u + v, axis=1)
        theta[part] = 2 * np.arctan2(difference, total)
    return theta


def _around_a_centre(
    U: Floats,
    V: Floats,
    i: Indices,
    j: Indices,
    opposite: NDArray[np.bool_],
    theta: Floats,
    left: Indices,
) -> Indices:
    """Compute the pairs near one row, with that row as the centre; return the pairs that remain."""
    chosen = int(np.bincount(i[left]).argmax())
    mine = left[i[left] == chosen]
    columns = j[mine]
    column_sign = np.where(opposite[mine], -1, 1).astype(U.dtype)
    place = np.full(len(V), -1, dtype=np.intp)
    place[columns] = np.arange(len(columns))
    pairs = left[place[j[left]] >= 0]
    rows = np.unique(i[pairs])
    # Turn opposite vectors round, so that all lie on the side of the centre.
    centre = U[chosen]
    row_sign = np.where(U[rows] @ centre < 0, -1, 1).astype(U.dtype)
    P = U[rows] * row_sign[:, None] - centre
    Q = V[columns] * column_sign[:, None] - centre
    lengths = np.einsum("ij,ij->i", P, P)[:, None] + np.einsum("ij,ij->i", Q, Q)
    squares = lengths - 2 * (P @ Q.T)
    row_place = np.searchsorted(rows, i[pairs])
    column_place = place[j[pairs]]
    square, length = squares[row_place, column_place], lengths[row_place, column_place]
    turned = row_sign[row_place] * column_sign[column_place] < 0
    trusted = (square >= _TRUSTED * length) & (square < 2)
    # θ' of the turned vectors; π − θ' between the original ones where one of the two was turned.
    angle = 2 * np.arcsin(np.sqrt(square[trusted]) / 2)
    flip = turned[trusted]
    theta[pairs[trusted]] = np.where(flip, U.dtype.type(np.pi) - angle, angle)
    done = np.zeros(len(theta), dtype=bool)
    done[pairs[trusted]] = True
    return left[~done[left]]
