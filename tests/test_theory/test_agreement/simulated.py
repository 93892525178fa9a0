"""Measured agreement of f̂ and ĝ over many label draws, and data sets of mixtures of two Gaussians."""

import numpy as np

from theory import deep


def labels(rng, N, draws, balanced):
    """Return labels as columns, by fair coins or exactly balanced."""
    if balanced:
        return rng.permuted(np.tile(np.arange(N) % 2 * 2.0 - 1, (draws, 1)), axis=1).T
    return rng.choice([-1.0, 1.0], (N, draws))


def disagreements(
    rng, architecture, dim, N, *, separation=0.0, balanced=False, sets=8, draws=100, points=200
):
    """Return the share of sgn f̂(z) ≠ sgn ĝ(z) of each data set, for small perturbations; f̂, ĝ written out."""
    found = []
    for _ in range(sets):
        mu = np.zeros(dim)
        mu[0] = separation
        X, Z = rng.normal(size=(N, dim)), rng.normal(size=(points, dim))
        Z += rng.choice([-1.0, 1.0], (points, 1)) * mu
        if separation:  # the class moves a sample: labels belong to it
            y = labels(rng, N, 1, balanced)
            X, columns = X + y * mu, y
        else:
            columns = labels(rng, N, draws, balanced)
        inner, square = Z @ X.T, deep.phi(X, architecture=architecture)
        f = (inner * deep.phi(Z, X, architecture=architecture)) @ columns
        g = (inner * square.mean(axis=0)) @ columns
        found.append(np.mean(np.sign(f) != np.sign(g)))
    return np.array(found)
