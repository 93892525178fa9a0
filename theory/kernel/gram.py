"""Matrices of angles between unit vectors, fast and to the last digits, on numpy arrays.

Most entries come from one matrix product, as a function of ρ such as arcsin ρ, whose error is that of ρ
divided by cos(arcsin ρ).
*Near* pairs, |ρ| > 1 − `NEAR`, would lose digits, up to half of them, and are computed again:

- few of them: one by one, θ = 2·atan2(‖u − v‖, ‖u + v‖) (W. Kahan);
- many, because whole sets are nearly parallel: after subtracting a common centre c, which leaves
  ‖u − v‖² = ‖u − c‖² + ‖v − c‖² − 2⟨u − c, v − c⟩ and takes the cancellation away, by a product again.

Work is done in place, on panels of rows, one a thread, in chunks that stay in cache.  Derivation 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
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


def unit_rows(X: Floats, *, weight_variance: float = 1.0, bias_variance: float = 1.0) -> Floats:
    """Return unit vectors along (σ_w x/√d, σ_b), shape (N, d + 1).

    Rows are scaled before squaring where a square could over- or underflow.
    """
    U = np.empty((len(X), X.shape[1] + 1), dtype=X.dtype)

    def work(start: int) -> None:
        part = slice(start, start + _ROWS)
        _unit_rows(X[part], U[part], weight_variance, bias_variance)

    threads.run(work, range(0, len(X), _ROWS))
    return U


def _unit_rows(X: Floats, U: Floats, weight_variance: float, bias_variance: float) -> None:
    dim = X.shape[1]
    with np.errstate(over="ignore", under="ignore"):
        np.multiply(X, X.dtype.type(math.sqrt(weight_variance / dim)), out=U[:, :dim])
        U[:, dim] = math.sqrt(bias_variance)
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
            U[extreme] = rows
            squares[extreme] = np.sum(rows * rows, axis=1)
    U /= np.sqrt(squares)[:, None]


def arcsine(scale: float, offset: float) -> Callable[[Floats], None]:
    """Return the function ρ ↦ offset + scale · arcsin ρ = offset + scale · (π/2 − θ), in place."""

    def far(k: Floats) -> None:
        np.arcsin(k, out=k)
        np.multiply(k, k.dtype.type(scale), out=k)
        np.add(k, k.dtype.type(offset), out=k)

    return far


def gram(
    U: Floats,
    V: Floats | None,
    *,
    far: Callable[[Floats], None],
    near: Callable[[Floats], Floats],
) -> Floats:
    """Return a function of the angle θ between all pairs of rows, from ρ = ⟨u, v⟩ or, near pairs, from θ.

    Parameters
    ----------
    U : array, shape (N, D), float32 or float64
        Unit rows.
    V : array, shape (Q, D), or None
        Other unit rows; None: `U` itself, the result symmetric and its diagonal exactly near(0).
    far : callable
        Turns ρ, |ρ| ≤ 1 − `NEAR`, into the result, in place; see `arcsine`.
    near : callable
        The same function of the angle, in a form that is accurate there.

    Returns
    -------
    array, shape (N, Q), dtype of `U`
    """
    if V is None:
        return _symmetric(U, far, near)
    K = np.empty((len(U), len(V)), dtype=U.dtype)
    height = max(_FEWEST, math.ceil(len(U) / threads.count()))

    def work(start: int) -> None:
        rows = slice(start, start + height)
        np.matmul(U[rows], V.T, out=K[rows])
        _finish(K[rows], U[rows], V, far, near)

    threads.run(work, range(0, len(U), height))
    return K


def _symmetric(U: Floats, far: Callable[[Floats], None], near: Callable[[Floats], Floats]) -> Floats:
    N = len(U)
    K = np.empty((N, N), dtype=U.dtype)
    diagonal = near(np.zeros(1, dtype=U.dtype))[0]
    below = np.tri(_PANEL, k=-1, dtype=np.bool_)

    def work(top: int) -> None:
        """Compute rows of the upper triangle and copy them to the columns of the lower one."""
        bottom = min(top + _PANEL, N)
        rows, right = slice(top, bottom), slice(top, N)
        np.matmul(U[rows], U[right].T, out=K[rows, right])
        square = K[rows, rows]
        np.fill_diagonal(square, 0)  # known: keeps it from being found near, row by row
        _finish(K[rows, right], U[rows], U[right], far, near)
        np.fill_diagonal(square, diagonal)
        np.copyto(square, square.T.copy(), where=below[: len(square), : len(square)])
        for left in range(bottom, N, _PANEL):
            columns = slice(left, left + _PANEL)
            K[columns, rows] = K[rows, columns].T

    threads.run(work, range(0, N, _PANEL))
    return K


def _finish(
    K: Floats, U: Floats, V: Floats, far: Callable[[Floats], None], near: Callable[[Floats], Floats]
) -> None:
    """Turn a panel of correlations into the result, in place, a group of rows after the other."""
    rows = max(1, _GROUP // K.shape[1])
    for start in range(0, len(K), rows):
        group = slice(start, start + rows)
        _finish_group(K[group], U[group], V, far, near)


def _finish_group(
    K: Floats, U: Floats, V: Floats, far: Callable[[Floats], None], near: Callable[[Floats], Floats]
) -> None:
    height = max(1, _CHUNK // K.shape[1])
    parts = [_chunk(K[start : start + height], start, far) for start in range(0, len(K), height)]
    found = [part for part in parts if part is not None]
    if not found:
        return
    i = np.concatenate([part[0] for part in found])
    j = np.concatenate([part[1] for part in found])
    opposite = np.concatenate([part[2] for part in found]) < 0
    K[i, j] = near(_near_angles(U, V, i, j, opposite))


def _chunk(k: Floats, start: int, far: Callable[[Floats], None]) -> tuple[Indices, Indices, Floats] | None:
    """Turn correlations into the result, in place, but for the near pairs, which are returned."""
    limit = 1 - NEAR
    found = None
    if k.max() > limit or k.min() < -limit:
        i, j = np.nonzero(np.abs(k) > limit)
        found = (i + start, j, k[i, j])
        np.clip(k, -limit, limit, out=k)
    far(k)
    return found


# Near pairs ----------------------------------------------------------------------------------------


def _near_angles(U: Floats, V: Floats, i: Indices, j: Indices, opposite: NDArray[np.bool_]) -> Floats:
    """Return the angle of each pair (i, j); `opposite` where ρ < 0."""
    theta = np.empty(len(i), dtype=U.dtype)
    left = np.arange(len(i))
    for _ in range(_CENTRES):
        if len(left) < _MANY:
            break
        left = _around_a_centre(U, V, i, j, opposite, theta, left)
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
