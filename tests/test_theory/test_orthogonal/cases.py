"""Data for the tests of this folder, and exact answers in rational arithmetic."""

from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat


def near_orthogonal(rng, N, dim, *, spread=0.3):
    """Return Gaussian rows of length about 1 with norms that differ by a factor of up to 1 + `spread`."""
    X = rng.standard_normal((N, dim)) / np.sqrt(dim)
    return X * rng.uniform(1, 1 + spread, (N, 1)), rng.choice([-1.0, 1.0], N)


def exact_matrix(X, y, slope):
    """Return M as fractions, from the definition with c_ik."""
    rows = [[Fraction(float(entry)) for entry in row] for row in X]
    gamma = Fraction(float(slope))
    inner = [[sum(a * b for a, b in zip(left, right, strict=True)) for right in rows] for left in rows]
    same, different = (1 + gamma**2) / 2, gamma
    return [
        [int(y[i] * y[k]) * (same if y[i] == y[k] else different) * inner[i][k] for k in range(len(rows))]
        for i in range(len(rows))
    ]


def exact_multipliers(X, y, slope):
    """Return λ as fractions, or None if M is singular."""
    M = exact_matrix(X, y, slope)
    N = len(M)
    matrix = fmpq_mat(N, N, [fmpq(entry.numerator, entry.denominator) for row in M for entry in row])
    if matrix.det() == 0:
        return None
    solution = matrix.solve(fmpq_mat(N, 1, [1] * N))
    return [Fraction(int(solution[i, 0].p), int(solution[i, 0].q)) for i in range(N)]


def exact_network(X, y, slope, values):
    """Return √m v and √m u as lists of fractions."""
    gamma = Fraction(float(slope))
    dim = len(X[0])
    own = [value if label > 0 else -gamma * value for value, label in zip(values, y, strict=True)]
    other = [value if label < 0 else -gamma * value for value, label in zip(values, y, strict=True)]
    return tuple(
        [sum(w * Fraction(float(row[j])) for w, row in zip(weights, X, strict=True)) for j in range(dim)]
        for weights in (own, other)
    )


def exact_inner(left, right):
    """Return the inner product of fractions with floats or fractions."""
    return sum((a * Fraction(b) for a, b in zip(left, right, strict=True)), start=Fraction(0))


def exact_kkt(X, y, slope, values):
    """Return whether (v, u) built from `values` is feasible, and tight and aligned where λ > 0."""
    gamma = Fraction(float(slope))
    v, u = exact_network(X, y, slope, values)

    def phi(value):
        return value if value > 0 else gamma * value

    for row, label, value in zip(X, y, values, strict=True):
        at_v, at_u = exact_inner(v, row), exact_inner(u, row)
        margin = int(label) * (phi(at_v) - phi(at_u)) / 2
        if value < 0 or margin < 1 or (value > 0 and margin != 1):
            return False
        if value > 0 and not (label * at_v > 0 > label * at_u):
            return False
    return True
