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
SERIES = 0.2  # angle below which sin θ − θ cos θ is summed
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
        rows, columns, opposite, factors = _with_room(rows, columns, opposite, factors, total + near)
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
def deep(
    K: Floats,
    T: Floats,
    P: Floats,
    b: Floats,
    c: Floats,
    of_z: Floats,
    of_x: Floats,
    architecture: tuple[float, ...],
    limit: float,
    dim: int,
    series: tuple[float, ...],
    values: tuple[Any, ...],
    terms: tuple[Any, ...],
) -> tuple[Indices, Indices, NDArray[np.bool_], Floats]:
    """Turn k into K^L, and fill T and P with Θ and Φ^(L): `theory.deep.layers.kernels` of far pairs.

    `of_z`, `of_x`, shape (2L, number): lengths s, and from layer to layer the roots of variances, of inputs C
    and of pre-activations u.  What is returned is as of `arcsine`, with ⟨x, z⟩.
    """
    half, quarter = values
    gamma, g0, c0, weight, bias, beta, branch, first, by_weights, by_biases, readout = architecture
    step, root, widen, narrow = c0 / g0, np.sqrt(bias), np.sqrt(weight), np.sqrt(g0)
    num, layers = K.shape[1], len(of_z) // 2
    deficit, tangent, product, D = np.empty(num), np.empty(num), np.empty(num), np.empty(num)
    delta, after, moved, factor = np.empty(num), np.empty(num), np.empty(num), np.empty(num)
    rows, columns = np.empty(len(K), np.intp), np.empty(len(K), np.intp)
    opposite, inners = np.empty(len(K), np.bool_), np.empty(len(K))
    total = 0
    for i in range(len(K)):
        row, s_z, s_x, b_i = K[i], of_z[0, i], of_x[0], b[i]
        near = 0
        for j in range(num):
            rho = row[j] + b_i * c[j]
            theta = quarter - arcsin(rho, half, quarter, terms)
            phi = gamma + c0 * (2 * quarter - theta)
            D[j] = (s_x[j] - s_z) * (s_x[j] + s_z)
            tangent[j] = first * (dim * (row[j] * s_z * s_x[j]) + 1) * phi
            product[j] = phi
            deficit[j] = (1 - rho) - step * _bracket(theta, 1 - rho, series)
            near += 1 if abs(rho) > limit else 0
        rows, columns, opposite, inners = _with_room(rows, columns, opposite, inners, total + near)
        if near:
            for j in range(num):
                rho = row[j] + b_i * c[j]
                if abs(rho) > limit:
                    rows[total], columns[total], opposite[total] = i, j, rho < 0
                    inners[total] = dim * (row[j] * s_z * s_x[j])
                    total += 1
        share = g0  # of D
        for layer in range(1, layers):
            C_z, C_x = of_z[2 * layer - 1, i], of_x[2 * layer - 1]
            u_z, u_x = of_z[2 * layer, i], of_x[2 * layer]
            next_z, next_x = of_z[2 * layer + 1, i], of_x[2 * layer + 1]
            scale = weight * share
            if bias > 0:
                for j in range(num):
                    a_z, a_x = widen * C_z, widen * C_x[j]
                    size = u_z * u_x[j]
                    delta[j] = _plus(deficit[j], 0.0, a_z, a_x, root, root, scale * D[j], 0.0, size)
            else:
                delta[:] = deficit
            for j in range(num):
                s = np.sqrt(half * delta[j])
                theta = 2 * arcsin(1.0 if s > 1.0 else s, half, quarter, terms)
                phi = gamma + c0 * (2 * quarter - theta)
                value = C_z * C_x[j] * (1 - deficit[j])
                moved[j] = phi * (weight * tangent[j] + by_weights * value + by_biases)
                factor[j] = weight * phi
                after[j] = delta[j] - step * _bracket(theta, delta[j], series)
            if beta > 0:
                for j in range(num):
                    E_z, E_x = narrow * u_z, narrow * u_x[j]
                    tangent[j] += beta * moved[j] + branch * (E_z * E_x * (1 - after[j]))
                    product[j] *= 1 + beta * factor[j]
                    b_z, b_x, size = np.sqrt(beta) * E_z, np.sqrt(beta) * E_x, next_z * next_x[j]
                    d_a, d_b = share * D[j], beta * g0 * scale * D[j]
                    deficit[j] = _plus(deficit[j], after[j], C_z, C_x[j], b_z, b_x, d_a, d_b, size)
            else:
                for j in range(num):
                    tangent[j] = moved[j]
                    product[j] *= factor[j]
                    deficit[j] = after[j]
            share = share * (1 + beta * g0 * weight) if beta > 0 else share * g0 * weight
        last_z, last_x = of_z[2 * layers - 1, i], of_x[2 * layers - 1]
        for j in range(num):
            row[j] = last_z * last_x[j] * (1 - deficit[j])
            T[i, j] = tangent[j] + readout * row[j]
            P[i, j] = product[j]
    return rows[:total], columns[:total], opposite[:total], inners[:total]


@compiled
def _plus(
    of_a: float,
    of_b: float,
    a_z: float,
    a_x: float,
    b_z: float,
    b_x: float,
    D_a: float,
    D_b: float,
    size: float,
) -> float:
    """Return the deficit of a sum of covariances: `theory.deep.layers.Covariance.plus`, of roots."""
    crossed = D_a * (b_x * b_x) - a_x * a_x * D_b if D_a < 0 else D_a * (b_z * b_z) - a_z * a_z * D_b
    if crossed != 0:
        crossed /= a_x * b_z + a_z * b_x
    a, b = a_z * a_x, b_z * b_x
    return (a * of_a + b * of_b + crossed * crossed / (size + a + b)) / size


@compiled
def _bracket(theta: float, deficit: float, series: tuple[float, ...]) -> float:
    """Return sin θ − θ cos θ, θ = arccos(1 − δ); sin θ from δ, as θ is."""
    square = theta * theta
    total = series[0]
    for k in range(1, len(series)):
        total = total * square + series[k]
    beyond = np.sqrt(deficit * (2 - deficit)) - theta * (1 - deficit)
    return theta * square * total if theta < SERIES else beyond


@compiled
def _with_room(rows: Indices, columns: Indices, opposite: Any, values: Floats, least: int) -> Any:  # noqa: ANN401
    """Return lists of pairs that hold at least so many."""
    if least <= len(rows):
        return rows, columns, opposite, values
    room = 2 * least
    return _longer(rows, room), _longer(columns, room), _longer(opposite, room), _longer(values, room)


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
