"""Data for the tests of this folder, and exact answers in rational arithmetic."""

from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat


def near_orthogonal(rng, N, dim, *, spread=0.3):
    """Return Gaussian rows of length about 1 with norms that differ by a factor of up to 1 + `spread`."""
    X = rng.standard_normal((N, dim)) / np.sqrt(dim)
    return X * rng.uniform(1, 1 + spread, (N, 1)), rng.choice([-1.0, 1.0], N)


def _exact(value):
    return fmpq(*float(value).as_integer_ratio())


def exact_multipliers(X, y, slope):
    """Return λ as fractions, from the definition of M with c_ik, or None if M is singular."""
    N, gamma = len(X), _exact(slope)
    rows = fmpq_mat(N, len(X[0]), [_exact(entry) for row in X for entry in row])
    inner = rows * rows.transpose()
    pairs = [(i, k) for i in range(N) for k in range(N)]
    c = {1: (1 + gamma**2) / 2, -1: -gamma}
    matrix = fmpq_mat(N, N, [c[int(y[i] * y[k])] * inner[i, k] for i, k in pairs])
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
