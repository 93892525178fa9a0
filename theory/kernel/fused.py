"""What stands between a product and its use, compiled: one pass over a block while it is in cache.

arcsin s = s + s³ P(s²) for 0 ≤ s ≤ 1/2, P a polynomial, and arcsin s = π/2 − 2 arcsin √((1 − s)/2) beyond.
P interpolates at Chebyshev points of s² in [0, 1/4]; relative to s its part is off by less than 6e-17
(float64) and 3e-9 (float32), and arcsin with its roundings by less than `ARCSIN_ERROR` (Derivation 1;
tests/test_theory/test_kernel/test_fused.py).

Correlations come in two parts, ρ = k + b c, k from the product of all columns of unit rows but the last, b
and c those of the bias: k alone is ⟨x, z⟩ over two lengths, without the cancellation of ρ − b c.

`gram` loads this file where it pays and numba is there, and does the same in numpy elsewhere.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from theory.compiled import compiled

Floats = NDArray[Any]  # float32 or float64
Indices = NDArray[np.intp]

# Coefficients of P, of the highest power first.
TERMS = {
    np.dtype(np.float32): (
        0.03369084720283012,
        0.017149238357677253,
        0.03110066273549457,
        0.04459940152851218,
        0.07500094543497424,
        0.16666666337430908,
    ),
    np.dtype(np.float64): (
        0.028169218060881414,
        -0.010749050339697808,
        0.01603551434914882,
        0.0078029494773533175,
        0.011875494382636922,
        0.013929652902326633,
        0.017355259955786323,
        0.02237204763174451,
        0.03038194736709848,
        0.044642857103423646,
        0.07500000000020764,
        0.1666666666666665,
    ),
}
ARCSIN_ERROR = 3  # machine epsilons, on [−1, 1]
_LANES, _TOGETHER = 8, 128  # partial sums, and terms of each eight: few roundings in a row


def numbers(dtype: Any, *values: float) -> tuple[tuple[Any, ...], tuple[Any, ...]]:  # noqa: ANN401
    """Return 1/2, π/2 and more numbers, and the coefficients of P, in the given precision."""
    kind = np.dtype(dtype)
    return tuple(map(kind.type, (0.5, math.pi / 2, *values))), tuple(map(kind.type, TERMS[kind]))


@compiled
def arcsin(x: Any, half: Any, quarter: Any, terms: Any) -> Any:  # noqa: ANN401
    """Return arcsin x; NaN beyond [−1, 1]."""
    size = abs(x)
    outer = size > half
    square = half - half * size if outer else size * size
    s = np.sqrt(square) if outer else size
    total = terms[0]
    for k in range(1, len(terms)):
        total = total * square + terms[k]
    angle = s + s * (square * total)
    angle = quarter - (angle + angle) if outer else angle
    return angle if x >= 0 else -angle


@compiled
def arcsine(
    K: Floats,
    first: int,
    b: Floats,
    c: Floats,
    p: Floats,
    q: Floats,
    values: tuple[Any, ...],
    terms: tuple[Any, ...],
) -> tuple[Indices, Indices, NDArray[np.bool_], Floats]:
    """Turn k into (offset + scale · arcsin ρ) (k p q + added) in place, ρ = k + b c, from a column on.

    `values`: as of `numbers`, with the limit of |ρ|, scale, offset and added.  Pairs beyond the limit are
    left to the caller: rows, columns, whether ρ < 0, and k p q + added are returned for them.
    """
    half, quarter, limit, scale, offset, added = values
    c, q = c[first:], q[first:]
    line = np.empty_like(c)
    rows, columns = np.empty(len(K), np.intp), np.empty(len(K), np.intp)
    opposite, factors = np.empty(len(K), np.bool_), np.empty(len(K), K.dtype)
    total = 0
    for i in range(len(K)):
        row = K[i, first:]  # from 0 on: an index that could be negative keeps loops from being vectorised
        near = 0
        for j in range(len(row)):
            rho = row[j] + b[i] * c[j]
            line[j] = (offset + scale * arcsin(rho, half, quarter, terms)) * (row[j] * p[i] * q[j] + added)
            near += 1 if abs(rho) > limit else 0
        if total + near > len(rows):
            room = 2 * (total + near)
            rows, columns = _longer(rows, room), _longer(columns, room)
            opposite, factors = _longer(opposite, room), _longer(factors, room)
        if near:
            for j in range(len(row)):
                rho = row[j] + b[i] * c[j]
                if abs(rho) > limit:
                    rows[total], columns[total], opposite[total] = i, first + j, rho < 0
                    factors[total] = row[j] * p[i] * q[j] + added
                    total += 1
        for j in range(len(row)):
            row[j] = line[j]
    return rows[:total], columns[:total], opposite[:total], factors[:total]


@compiled
def _longer(values: Any, length: int) -> Any:  # noqa: ANN401
    longer = np.empty(length, values.dtype)
    longer[: len(values)] = values
    return longer


@compiled
def chords(U: Floats, V: Floats, rows: Indices, columns: Indices, angles: Floats) -> None:
    """Fill `angles` with 2 atan2(‖u − v‖, ‖u + v‖) for each pair, of sums in float64."""
    for pair in range(len(rows)):
        u, v = U[rows[pair]], V[columns[pair]]
        difference, total = 0.0, 0.0
        for start in range(0, len(u), _TOGETHER):
            of_difference, of_total = 0.0, 0.0
            for k in range(start, min(start + _TOGETHER, len(u))):
                of_difference += (np.float64(u[k]) - np.float64(v[k])) ** 2
                of_total += (np.float64(u[k]) + np.float64(v[k])) ** 2
            difference += of_difference
            total += of_total
        angles[pair] = 2 * np.arctan2(np.sqrt(difference), np.sqrt(total))


@compiled
def unit_rows(X: Floats, U: Floats, factor: Any, bias: Any, squares: NDArray[np.float64]) -> None:  # noqa: ANN401
    """Fill `U` with (factor · x, bias) over its length, and `squares` with the squares of lengths."""
    dim = X.shape[1]
    lanes = np.empty(_LANES)
    for i in range(len(X)):
        whole = np.float64(bias) * np.float64(bias)
        for k in range(dim):
            U[i, k] = factor * X[i, k]
        for start in range(0, dim, _TOGETHER):
            stop = min(start + _TOGETHER, dim)
            even = start + (stop - start) // _LANES * _LANES
            lanes[:] = 0
            for k in range(start, even, _LANES):
                for lane in range(_LANES):
                    lanes[lane] += np.float64(U[i, k + lane]) * np.float64(U[i, k + lane])
            part = (lanes[0] + lanes[4]) + (lanes[1] + lanes[5])
            part += (lanes[2] + lanes[6]) + (lanes[3] + lanes[7])
            for k in range(even, stop):
                part += np.float64(U[i, k]) * np.float64(U[i, k])
            whole += part
        squares[i] = whole
        length = X.dtype.type(np.sqrt(whole))
        for k in range(dim):
            U[i, k] /= length
        U[i, dim] = bias / length
