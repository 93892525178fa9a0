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

from theory.compiled import allowing

Floats = NDArray[Any]  # float32 or float64
Indices = NDArray[np.intp]

# A product and a sum with one rounding, which takes none of the bounds away: less is rounded.
compiled = allowing("contract")

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
# Coefficients of Q of `_angle`, of odd and of even powers: a loop of all of them would stay a loop.
ANGLE = (
    (
        0.6629475548369097,
        3.7316474816315224,
        2.573508064401593,
        0.46581061083892006,
        0.033823977477227554,
        0.011985559032731258,
        0.017354730668996843,
        0.030381946078023858,
        0.07500000000008983,
    ),
    (
        -2.277990489441633,
        -3.7415993002001366,
        -1.258681300394588,
        -0.1174784139555458,
        0.0058919623838489124,
        0.013929824301362788,
        0.022372086303686842,
        0.04464285712358516,
        0.1666666666666666,
    ),
)
CLOSE = 0.02  # δ below which sin θ − θ cos θ is summed
ARCSIN_ERROR = 3  # machine epsilons, on [−1, 1]
_LINE, _SHORT = 1024, 256  # entries of a row that are worked on together; of a row with many arrays
_TOGETHER = 128  # terms of a partial sum: few roundings in a row


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
    angle = s + s * (square * _horner(square, terms))
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
    weights: Floats,
    sums: Floats,
    values: tuple[Any, ...],
    terms: tuple[Any, ...],
) -> tuple[Indices, Indices, NDArray[np.bool_], Floats]:
    """Turn k into (offset + scale · arcsin ρ) (k p q + added) in place, ρ = k + b c, from a column on.

    Without the second factor if p is empty, and added = 1.  With `weights`, one row of them or as many as of
    K, fill `sums` with the sums of the result times them instead, and leave K.

    `values`: as of `numbers`, with the limit of |ρ|, scale, offset and added.  Pairs beyond the limit are
    left to the caller, and out of sums: rows, columns, whether ρ < 0, and the second factor are returned.
    """
    half, quarter, limit, scale, offset, added = values
    line = np.empty(_LINE, K.dtype)
    found, total = _no_pairs(len(K), K), 0
    for i in range(len(K)):
        summed, p_i = 0.0, p[i] if len(p) else K.dtype.type(0)
        for start in range(first, K.shape[1], _LINE):
            part = slice(start, min(start + _LINE, K.shape[1]))
            row, of_c, of_q = K[i, part], c[part], q[part] if len(p) else c[part]
            near = False  # not their number, whose type would halve the numbers in a vector
            if len(weights):
                own = weights[i % len(weights), part]
                of_part, near = _weighted(row, b[i], of_c, p_i, of_q, own, values, terms)
                summed += of_part
            else:
                for j in range(len(row)):
                    rho = row[j] + b[i] * of_c[j]
                    line[j] = offset + scale * arcsin(rho, half, quarter, terms)
                    near |= abs(rho) > limit
                if len(p):
                    for j in range(len(row)):
                        line[j] *= row[j] * p_i * of_q[j] + added
            if near:
                found, total = _add_near(found, total, (i, start), row, b[i], of_c, p_i, of_q, added, limit)
            if not len(weights):
                for j in range(len(row)):
                    row[j] = line[j]
        if len(weights):
            sums[i] = summed
    return found[0][:total], found[1][:total], found[2][:total], found[3][:total]


@allowing("contract", "reassoc")
def _weighted(
    row: Floats,
    b: Any,  # noqa: ANN401
    c: Floats,
    p: Any,  # noqa: ANN401
    q: Floats,
    weights: Floats,
    values: tuple[Any, ...],
    terms: tuple[Any, ...],
) -> tuple[float, bool]:
    """Return the weighted sum of far pairs, in float64 and in any order, and whether others are there."""
    half, quarter, limit, scale, offset, added = values
    total, near = 0.0, False
    for j in range(len(row)):
        rho = row[j] + b * c[j]
        factor = (row[j] * p * q[j] + added) * weights[j]
        value = np.float64((offset + scale * arcsin(rho, half, quarter, terms)) * factor)
        beyond = abs(rho) > limit
        total += 0.0 if beyond else value
        near |= beyond
    return total, near


@allowing("contract", "reassoc")
def _inner(x: Floats, z: Floats) -> float:
    """Return ⟨x, z⟩, in float64 and in any order: partial sums for every number in a vector."""
    total = 0.0
    for j in range(len(z)):
        total += np.float64(x[j]) * np.float64(z[j])
    return total


@compiled
def deep(
    K: Floats,
    left: int,
    b: Floats,
    c: Floats,
    of_z: Floats,
    of_x: Floats,
    architecture: tuple[float, ...],
    kind: int,
    limit: float,
    dim: int,
    series: tuple[float, ...],
) -> tuple[Indices, Indices, NDArray[np.bool_], Floats]:
    """Turn k into K^L, Θ or Φ^(L), as `kind` is 0, 1 or 2, from a column on: `layers.kernels` of far pairs.

    `of_z`, `of_x`: lengths s; from layer to layer the root of the variance of inputs and what `_sum` needs of
    a point, of residual blocks as much of their branches; and the root of the last variance.  What is
    returned is as of `arcsine`, with ⟨x, z⟩.
    """
    gamma, g0, c0, weight, beta, branch, first, by_weights, by_biases, readout = architecture
    step, each = c0 / g0, 10 if beta > 0 else 5
    deficit, tangent, product = np.empty(_SHORT), np.empty(_SHORT), np.empty(_SHORT)
    delta, angle, after = np.empty(_SHORT), np.empty(_SHORT), np.empty(_SHORT)
    found, total = _no_pairs(len(K), K), 0
    for i in range(len(K)):
        s_z, b_i = of_z[0, i], b[i]
        for start in range(left, K.shape[1], _SHORT):
            part = slice(start, min(start + _SHORT, K.shape[1]))
            row, of_c, s_x = K[i, part], c[part], of_x[0, part]
            num, near = len(row), False
            for j in range(num):
                rho = row[j] + b_i * of_c[j]
                theta, bracket = _angle(1 - rho)
                product[j] = gamma + c0 * (math.pi - theta)
                tangent[j] = first * (dim * (row[j] * s_z * s_x[j]) + 1) * product[j]
                deficit[j] = (1 - rho) - step * bracket
                near |= abs(rho) > limit
            if near:
                found, total = _add_near(found, total, (i, start), row, b_i, of_c, dim * s_z, s_x, 0.0, limit)
            for at in range(1, len(of_z) - 1, each):
                root_z, root_x = of_z[at, i], of_x[at, part]
                z, (a, d, sine, cosine) = _at(of_z, at + 1, i), _rows(of_x, at + 1, part)
                close = False
                for j in range(num):
                    delta[j] = _sum(deficit[j], 0.0, z, a[j], d[j], sine[j], cosine[j])
                    angle[j], bracket = _angle(delta[j])
                    after[j] = delta[j] - step * bracket
                    close |= delta[j] < CLOSE
                for j in range(num if close else 0):
                    cube = angle[j] * (angle[j] * angle[j])
                    summed = delta[j] - step * (cube * _horner(angle[j] * angle[j], series))
                    after[j] = summed if delta[j] < CLOSE else after[j]
                if beta > 0:
                    branch_z, branch_x = of_z[at + 5, i], of_x[at + 5, part]
                    z, (a, d, sine, cosine) = _at(of_z, at + 6, i), _rows(of_x, at + 6, part)
                    for j in range(num):
                        value = root_z * root_x[j] * (1 - deficit[j])
                        of_branch = branch_z * branch_x[j] * (1 - after[j])
                        phi = gamma + c0 * (math.pi - angle[j])
                        moved = phi * (weight * tangent[j] + by_weights * value + by_biases)
                        tangent[j] += beta * moved + branch * of_branch
                        product[j] *= 1 + beta * (weight * phi)
                        deficit[j] = _sum(deficit[j], after[j], z, a[j], d[j], sine[j], cosine[j])
                else:
                    for j in range(num):
                        value = root_z * root_x[j] * (1 - deficit[j])
                        phi = gamma + c0 * (math.pi - angle[j])
                        tangent[j] = phi * (weight * tangent[j] + by_weights * value + by_biases)
                        product[j] *= weight * phi
                        deficit[j] = after[j]
            last_z, last_x = of_z[-1, i], of_x[-1, part]
            for j in range(num):
                value = last_z * last_x[j] * (1 - deficit[j])
                row[j] = value if kind == 0 else tangent[j] + readout * value if kind == 1 else product[j]
    return found[0][:total], found[1][:total], found[2][:total], found[3][:total]


@compiled
def _at(of_z: Floats, at: int, i: int) -> tuple[float, float, float, float]:
    return of_z[at, i], of_z[at + 1, i], of_z[at + 2, i], of_z[at + 3, i]


@compiled
def _rows(of_x: Floats, at: int, part: slice) -> tuple[Floats, Floats, Floats, Floats]:
    return of_x[at, part], of_x[at + 1, part], of_x[at + 2, part], of_x[at + 3, part]


@allowing("contract", inline=True)
def _sum(
    of_a: float,
    of_b: float,
    z: tuple[float, float, float, float],
    a: float,
    b: float,
    sine: float,
    cosine: float,
) -> float:
    """Return the deficit of a sum of covariances, from the numbers of both points."""
    turned = z[2] * cosine - z[3] * sine
    return z[0] * a * of_a + z[1] * b * of_b + 2 * turned * turned


@allowing("contract", inline=True)
def _angle(deficit: float) -> tuple[float, float]:
    """Return θ = arccos(1 − δ) and sin θ − θ cos θ, which loses digits near 0.

    θ = 2√t (1 + t Q(t)), t = δ/2 ≤ 1/2, and beyond θ = π − θ' of δ' = 2 − δ.
    """
    t = 0.5 * (2 - deficit if deficit > 1 else deficit)
    s, square = np.sqrt(t), t * t
    half = s + s * (t * (t * _horner(square, ANGLE[0]) + _horner(square, ANGLE[1])))
    theta = math.pi - 2 * half if deficit > 1 else 2 * half
    return theta, np.sqrt(deficit * (2 - deficit)) - theta * (1 - deficit)


@compiled
def _horner(x: Any, terms: Any) -> Any:  # noqa: ANN401
    total = terms[0]
    for k in range(1, len(terms)):
        total = total * x + terms[k]
    return total


@compiled
def _no_pairs(room: int, K: Floats) -> Any:  # noqa: ANN401
    """Return lists with room for so many pairs: rows, columns, whether ρ < 0, factors."""
    return np.empty(room, np.intp), np.empty(room, np.intp), np.empty(room, np.bool_), np.empty(room, K.dtype)


@compiled
def _add_near(
    found: Any,  # noqa: ANN401
    total: int,
    at: tuple[int, int],
    row: Floats,
    b: float,
    c: Floats,
    p: float,
    q: Floats,
    added: float,
    limit: float,
) -> Any:  # noqa: ANN401
    """Return the lists with the pairs of a part of a row that are beyond the limit, and their number."""
    count = 0
    for j in range(len(row)):
        count += 1 if abs(row[j] + b * c[j]) > limit else 0
    if total + count > len(found[0]):
        room = 2 * (total + count)
        found = (
            _longer(found[0], room),
            _longer(found[1], room),
            _longer(found[2], room),
            _longer(found[3], room),
        )
    rows, columns, opposite, factors = found
    return found, _list(rows, columns, opposite, factors, total, at, row, b, c, p, q, added, limit)


@compiled
def _list(
    rows: Indices,
    columns: Indices,
    opposite: NDArray[np.bool_],
    factors: Floats,
    total: int,
    at: tuple[int, int],
    row: Floats,
    b: float,
    c: Floats,
    p: float,
    q: Floats,
    added: float,
    limit: float,
) -> int:
    """Add to the lists; apart, since arrays that were replaced in a branch would be counted at every turn."""
    for j in range(len(row)):
        rho = row[j] + b * c[j]
        if abs(rho) > limit:
            rows[total], columns[total], opposite[total] = at[0], at[1] + j, rho < 0
            factors[total] = row[j] * p * q[j] + added
            total += 1
    return total


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
    for i in range(len(X)):
        for k in range(dim):
            U[i, k] = factor * X[i, k]
        squares[i] = np.float64(bias) * np.float64(bias) + _inner(U[i, :dim], U[i, :dim])
        length = X.dtype.type(np.sqrt(squares[i]))
        for k in range(dim):
            U[i, k] /= length
        U[i, dim] = bias / length
