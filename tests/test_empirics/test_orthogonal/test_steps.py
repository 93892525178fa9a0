"""Compiled steps are gradient descent of the scaled loss, compiled or run by the interpreter."""

import math

import numpy as np
import pytest
from scipy.special import log_expit, logsumexp

from empirics.orthogonal.steps import advance, log_slope

LOSSES = ("exponential", "logistic")


def _plain(W, X, y, a, slope, loss, count, max_time):
    """Return weights, sums of η q, margins, time and the number of steps, written out in all coordinates."""
    time, sums, top, steps = 0.0, np.zeros(len(X)), np.linalg.eigvalsh(X @ X.T)[-1], 0
    while True:
        U = W @ X.T
        slopes = a[:, None] * np.where(U > 0, 1.0, slope)
        margins = y * (slopes * U).sum(axis=0)
        if steps == count or time >= max_time:
            return W, sums, margins, time, steps
        logs = -margins if loss == "exponential" else log_expit(-margins)
        q = np.exp(logs - logsumexp(logs))
        eta = 0.5 / (q.max() * top)
        if math.isfinite(max_time):
            eta = min(eta, (max_time - time) * np.exp(logs).mean())
            time += eta / np.exp(logs).mean()
            time = max_time if abs(time - max_time) < 1e-12 * max_time else time
        W, sums, steps = W + eta * ((slopes * (q * y)) @ X), sums + eta * q, steps + 1


@pytest.mark.parametrize("run", [advance, advance.py_func], ids=["compiled", "interpreted"])
@pytest.mark.parametrize("max_time", [math.inf, 2.0])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("held", [True, False])
def test_it_matches_plain_descent(held, loss, max_time, run):
    rng = np.random.default_rng(3)
    N, dim, width, slope = 9, 4, 6, 0.3
    X, y = rng.standard_normal((N, dim)), rng.choice([-1.0, 1.0], N)
    W, a = rng.standard_normal((width, dim)), rng.standard_normal(width)
    starts, time, steps = W @ X.T, 0.0, 0
    (margins, sums), (pushes, coefficients) = np.zeros((2, N)), np.zeros((2, width, N))
    factor, second = (X @ X.T, np.empty((0, 0))) if held else (X, X.T.copy())
    top = np.linalg.eigvalsh(X @ X.T)[-1]
    for count in (1, 0, 29):  # a call goes on where the one before stopped
        taken, time = run(
            starts,
            pushes,
            coefficients,
            np.empty_like(W),
            sums,
            margins,
            factor,
            second,
            y,
            a,
            slope,
            loss == "logistic",
            top,
            count,
            time,
            max_time,
        )
        steps += taken
    expected, *others = _plain(W, X, y, a, slope, loss, 30, max_time)
    np.testing.assert_allclose(W + coefficients @ X, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(pushes, (expected - W) @ X.T, rtol=0, atol=1e-12)
    for found, known in zip((sums, margins, time, steps), others, strict=True):
        np.testing.assert_allclose(found, known, rtol=1e-11)
    assert (steps < 30) == math.isfinite(max_time)
    assert ((expected @ X.T > 0) != (starts > 0)).any()  # signs have changed on the way


@pytest.mark.parametrize("loss", LOSSES)
def test_log_slopes_are_finite_and_exact(loss):
    margins = np.array([-1e6, -30.0, 0.0, 30.0, 1e6])
    logs = np.array([log_slope(margin, loss == "logistic") for margin in margins])
    with np.errstate(over="ignore"):
        slopes = np.exp(-margins) if loss == "exponential" else 1 / (1 + np.exp(margins))
    middle = slice(1, 4)
    np.testing.assert_allclose(np.exp(logs[middle]), slopes[middle], rtol=1e-13)
    assert logs[-1] == -1e6
    assert np.isfinite(logs).all()
