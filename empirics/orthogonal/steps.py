"""Normalised steps at the samples, compiled: what `empirics.orthogonal.training` does between two looks.

W = W_0 + C L moves by coefficients C, shape (m, N), of the samples L alone, so a step takes one product with
their Gram matrix where there are not many more samples than coordinates.
"""

import math

import numpy as np

from theory.compiled import compiled
from theory.validation import Array

# Part of the step at which the weights q would begin to oscillate, if they stayed as they are.
STEP = 0.5


@compiled
def advance(
    starts: Array,
    pushes: Array,
    coefficients: Array,
    way: Array,
    weights: Array,
    margins: Array,
    factor: Array,
    second: Array,
    y: Array,
    readouts: Array,
    slope: float,
    logistic: bool,
    top: float,
    count: int,
    time: float,
    max_time: float,
) -> tuple[int, float]:
    """Take steps, in place; none after `max_time`.

    Parameters
    ----------
    starts, pushes : arrays, shape (m, N)
        Pre-activations at W_0, and by how much they have moved since.
    coefficients : array, shape (m, N)
        C.
    way : array, shape (m, r)
        Scratch, where `second` is not empty.
    weights : array, shape (N,)
        Sum of η q over the steps.
    margins : array, shape (N,)
        Filled with those after the last step.
    factor, second : arrays, shapes (N, N) and (0, 0), or (N, r) and (r, N)
        L Lᵀ, or L and Lᵀ.
    y : array, shape (N,)
    readouts : array, shape (m,)
        a.
    slope : float
        γ.
    logistic : bool
        Whether that is the loss, not the exponential one.
    top : float
        Largest eigenvalue of the Gram matrix.
    count : int
        Of steps, at most.
    time, max_time : float
        Of flow of the mean loss, before and at most.

    Returns
    -------
    count : int
        Of steps that were taken.
    time : float
        After them.
    """
    width, N = starts.shape
    q = np.empty(N)
    for step in range(count + 1):
        margins[:] = 0.0
        for i in range(width):
            start, push = starts[i], pushes[i]
            for n in range(N):
                u = start[n] + push[n]
                margins[n] += readouts[i] * (u if u > 0 else slope * u)
        for n in range(N):
            margins[n] *= y[n]
        if step == count or time >= max_time:
            break
        rate, time = _weigh(margins, logistic, q, top, time, max_time)
        for n in range(N):
            q[n] *= rate
            weights[n] += q[n]
            q[n] *= y[n]
        for i in range(width):
            start, push, own = starts[i], pushes[i], coefficients[i]
            high, low = readouts[i], readouts[i] * slope
            for n in range(N):
                own[n] += q[n] * (high if start[n] + push[n] > 0 else low)
        if len(second):
            _multiply(coefficients, factor, way)
            _multiply(way, second, pushes)
        else:
            _multiply(coefficients, factor, pushes)
    return step, time


@compiled
def _multiply(one: Array, other: Array, result: Array) -> None:
    np.dot(one, other, result)  # here alone: each call takes as long to compile as half of the rest


@compiled
def _weigh(
    margins: Array, logistic: bool, q: Array, top: float, time: float, max_time: float
) -> tuple[float, float]:
    """Fill in q; return the rate of the next step, and the time after it."""
    largest, total = -np.inf, 0.0
    for n in range(len(q)):
        q[n] = log_slope(margins[n], logistic)
        largest = max(largest, q[n])
    for n in range(len(q)):
        q[n] = math.exp(q[n] - largest)
        total += q[n]
    for n in range(len(q)):
        q[n] /= total
    rate = STEP * total / top  # the largest q is 1/total
    if max_time == np.inf:
        return rate, time
    mean = math.exp(min(max(largest, -700.0), 700.0)) * (total / len(q))  # within the range of floats
    left = (max_time - time) * mean
    return (left, max_time) if left <= rate else (rate, time + rate / mean)


@compiled
def log_slope(margin: float, logistic: bool) -> float:
    """Return log |ℓ'| at a margin y f(x): finite for every finite one, where |ℓ'| itself is 0 beyond 745."""
    if not logistic:
        return -margin
    return -max(margin, 0.0) - math.log1p(math.exp(-abs(margin)))
