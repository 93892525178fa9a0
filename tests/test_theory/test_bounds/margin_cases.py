"""Independent neurons trained by descent with the identity loss: what the margin bounds are compared with."""

import numpy as np


def train(X, y, at, slope, T, steps, *, W, b, a):
    """Return φ(u_i(z; T)) and φ(u_i(z; 0)), shapes (Q, m): each neuron by itself, in its own arrays."""
    W, b = W.copy(), b.copy()

    def activation(u):
        return np.where(u > 0, u, slope * u)

    start = activation(at @ W.T + b)
    for _ in range(steps):
        u = X @ W.T + b
        force = (y[:, None] * np.where(u > 0, 1.0, slope)) * (a * T / steps / len(X))
        W += force.T @ X
        b += force.sum(axis=0)
    return activation(at @ W.T + b), start


def draw(rng, m, d, width):
    """Return weights, biases and readouts of m neurons of a network of the given width."""
    W, b = rng.normal(size=(m, d)) / np.sqrt(d), rng.normal(size=m)
    return {"W": W, "b": b, "a": rng.normal(size=m) / np.sqrt(width)}


def data(rng, N, d, kind="shifted"):
    """Return points and labels of one geometry."""
    y = np.where(np.arange(N) % 2, 1.0, -1.0)
    X = rng.normal(size=(N, d))
    if kind == "shifted":
        X += 0.5 * y[:, None]
    elif kind == "duplicated":
        X[:] = X[0] * np.where(rng.random(N) < 0.5, 1, -1)[:, None]
    elif kind == "random labels":
        y = np.where(rng.random(N) < 0.5, 1.0, -1.0)
    elif kind == "clustered":
        X = 1.5 * y[:, None] + 0.3 * X
    elif kind == "large":
        X *= 3
    return X, y
