"""Gradient descent of the identity loss at the samples, one neuron after the other, compiled.

Between sign changes of its pre-activations a neuron's gradient does not change.  With the Gram matrix G
of the x̃ a step therefore costs as many operations as there are samples, and a sign change as many again,
where products with the data cost d + 1 times as many in every step.
"""

import numpy as np

from empirics.compiled import compiled
from empirics.events import add
from empirics.quadratic import Integers
from theory._validation import Array

# Samples looked at together.
_LANES = 64


@compiled
def descend_all(
    inputs: Array,
    gram: Array,
    labels: Array,
    slope: float,
    starts: Array,
    readouts: Array,
    rate: float,
    momentum: float,
    stops: Integers,
) -> Array:
    """Train neurons by full-batch gradient descent with heavy-ball momentum.

    Parameters
    ----------
    inputs : array, shape (n, D)
        The x̃ in some orthonormal basis.
    gram : array, shape (n, n)
        Their inner products.
    labels : array, shape (n,)
        Sum of the labels of each distinct sample over N.
    slope : float
        γ; φ'(0) = γ.
    starts : array, shape (q, n)
        Pre-activations before training.
    readouts : array, shape (q,)
        a.
    rate, momentum : float
        η and μ: v ← μ v + gradient, parameters ← parameters − η v.
    stops : array of int, shape (K,)
        Increasing numbers of steps.

    Returns
    -------
    array, shape (K, q, D)
        Minus η Σ v over the steps, over a: the weights move by a times it.
    """
    n, dim = inputs.shape
    ways = np.zeros((len(stops), len(readouts), dim))
    for i in range(len(readouts)):
        p = starts[i].copy()
        side = np.where(p > 0, 1.0, -1.0)
        weights = labels * np.where(p > 0, 1.0, slope)
        push, force = np.dot(gram, weights), np.dot(weights, inputs)
        speed, velocity, way = np.zeros(n), np.zeros(dim), np.zeros(dim)  # each over a
        flipped = np.empty(n, dtype=np.int64)
        done = 0
        for index in range(len(stops)):
            for _ in range(done, stops[index]):
                for j in range(dim):
                    velocity[j] = momentum * velocity[j] + force[j]
                    way[j] += rate * velocity[j]
                for k in range(_advance(p, speed, push, side, readouts[i] * rate, momentum, flipped)):
                    event = flipped[k]
                    change = (slope - 1) * side[event] * labels[event]
                    side[event] = -side[event]
                    add(push, change, gram[event])
                    add(force, change, inputs[event])
            done = stops[index]
            ways[index, i] = way
    return ways


@compiled
def _advance(
    p: Array, speed: Array, push: Array, side: Array, rate: float, momentum: float, flipped: Integers
) -> int:
    """Take one step; return how many samples are on the other side of their kink, first in `flipped`."""
    count = 0
    for start in range(0, len(p), _LANES):
        # Slices, whose indices begin at 0, are what the compiler can vectorise.
        at, fast, pushed, sides = (
            p[start : start + _LANES],
            speed[start : start + _LANES],
            push[start : start + _LANES],
            side[start : start + _LANES],
        )
        met = 0
        for k in range(len(at)):
            fast[k] = momentum * fast[k] + pushed[k]
            at[k] += rate * fast[k]
            met |= at[k] * sides[k] <= 0
        if met:
            for k in range(len(at)):
                if (at[k] > 0) != (sides[k] > 0):
                    flipped[count] = start + k
                    count += 1
    return count
