"""Gradient descent of the identity loss at the samples, one neuron after the other, compiled.

Between sign changes of its pre-activations a neuron's gradient does not change.  With the Gram matrix G
of the x̃ a step therefore costs as many operations as there are samples, and a sign change as many again,
where products with the data cost d + 1 times as many in every step.  Steps in which no sign can change are
taken in one: with a constant gradient F heavy-ball descent has, A_k = Σ_{j<k} μ^j and B_k = Σ_{j≤k} A_j::

    v_k = μ^k v_0 + A_k F,    p_k = p_0 + η (μ A_k v_0 + B_k F).

Descent is linear in the gradients: a change of F that begins k steps before the end moves the weights by
η B_k times it.  So they are not followed, only how far each sample moves them.

As v_k lies between v_0 and l = F/(1 − μ), no sign changes in the first k steps if k η max(|v_0|, |l|),
over those of the two that point to the kink, is less than the distance from it.
"""

import numpy as np

from empirics.events import add
from empirics.quadratic import Integers
from theory.compiled import compiled
from theory.validation import Array

# Samples looked at together.
_LANES = 64
# Up to how many steps sums of momentum are kept: 8 MiB.
_TABLE = 1 << 20
# A sample that covers less of its distance in a step does not change its side.
_LEAST_SHARE = 1e-15


@compiled
def descend_all(
    inputs: Array,
    gram: Array,
    labels: Array,
    slope: float,
    starts: Array,
    forces: Array,
    pushes: Array,
    readouts: Array,
    rate: float,
    momentum: float,
    stops: Integers,
) -> Array:
    """Train neurons by full-batch gradient descent with heavy-ball momentum.

    Parameters
    ----------
    inputs : array, shape (n, D)
        The x̃ in some orthonormal basis, in float64 or float32.
    gram : array, shape (n, n)
        Their inner products, in the same.
    labels : array, shape (n,)
        Sum of the labels of each distinct sample over N.
    slope : float
        γ; φ'(0) = γ.
    starts : array, shape (q, n)
        Pre-activations before training; their memory is used, and that of `pushes`.
    forces : array, shape (q, D)
        Minus the gradients there, over a: Σ labels_k φ'(p_k) x̃_k.
    pushes : array, shape (q, n)
        Their inner products with the x̃.
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
    ways = np.empty((len(stops), len(readouts), dim))
    flipped, changes, lanes = np.empty(n, dtype=np.int64), np.empty(n), np.empty(_LANES)
    moved = np.empty((len(stops), n))  # how far each sample's changes have moved the weights, in η x̃
    last = stops[len(stops) - 1]
    sums = _table(momentum, min(last + 1, _TABLE))
    for i in range(len(readouts)):
        p, push, speed = starts[i], pushes[i], np.zeros(n)  # but p over a
        side = np.empty(n)
        for k in range(n):
            side[k] = 1.0 if p[k] > 0 else -1.0
        moved[:] = 0.0
        pace = readouts[i] * rate
        done, index, quiet = 0, 0, False
        while True:
            # Looking ahead costs about as much as two steps, and is in vain where signs change in each.
            ahead = _steps_ahead(p, speed, push, side, pace, momentum, last - done, lanes) if quiet else 0
            if done + ahead >= last:
                break
            if ahead:
                _leap(p, speed, push, ahead, pace, momentum)
            count = _advance(p, speed, push, side, pace, momentum, flipped)
            done += ahead + 1
            while index < len(stops) and stops[index] <= done:
                index += 1
            for k in range(count):
                event = flipped[k]
                changes[k] = (slope - 1) * side[event] * labels[event]
                side[event] = -side[event]
                for j in range(index, len(stops)):
                    moved[j, event] += changes[k] * _sum(sums, stops[j] - done, momentum)
            _add_rows(push, changes, gram, flipped, count)
            quiet = count == 0
        for j in range(len(stops)):
            whole = _sum(sums, stops[j], momentum)
            for k in range(dim):
                ways[j, i, k] = whole * forces[i, k]
            count = 0
            for k in range(n):
                if moved[j, k] != 0:
                    flipped[count], changes[count] = k, moved[j, k]
                    count += 1
            _add_rows(ways[j, i], changes, inputs, flipped, count)
    ways *= rate
    return ways


@compiled
def _add_rows(total: Array, factors: Array, rows: Array, which: Integers, count: int) -> None:
    """Add Σ_k factors_k · rows[which_k] in place, k < count; four at a time, as it waits for memory."""
    whole = count - count % 4
    for k in range(0, whole, 4):
        one, two, three, four = (
            rows[which[k]],
            rows[which[k + 1]],
            rows[which[k + 2]],
            rows[which[k + 3]],
        )
        a, b, c, d = factors[k], factors[k + 1], factors[k + 2], factors[k + 3]
        for j in range(len(total)):
            total[j] += (a * one[j] + b * two[j]) + (c * three[j] + d * four[j])
    for k in range(whole, count):
        add(total, factors[k], rows[which[k]])


@compiled
def _table(momentum: float, count: int) -> Array:
    """Return B_k for k < `count`."""
    sums = np.zeros(count)
    single = 0.0
    for k in range(1, count):
        single = 1 + momentum * single
        sums[k] = sums[k - 1] + single
    return sums


@compiled
def _sum(sums: Array, count: int, momentum: float) -> float:
    """Return B_k, k = `count`."""
    return sums[count] if count < len(sums) else momentum_sums(count, momentum)[2]


@compiled
def _steps_ahead(
    p: Array, speed: Array, push: Array, side: Array, rate: float, momentum: float, left: int, lanes: Array
) -> int:
    """Return a number of steps from here in which no sample changes its side, `left` if that is all of them.

    `lanes` is scratch.
    """
    lanes[:] = 0.0
    lasting, whole, some = 1 / (1 - momentum), float(left), False
    for start in range(0, len(p), _LANES):
        at, fast, pushed, sides = (
            p[start : start + _LANES],
            speed[start : start + _LANES],
            push[start : start + _LANES],
            side[start : start + _LANES],
        )
        met = 0
        for k in range(len(at)):
            now, later = -rate * sides[k] * fast[k], -rate * sides[k] * lasting * pushed[k]
            met |= whole * (now if now > later else later) >= abs(at[k])
        if met:  # else none gets there, and there is nothing to divide
            some = True
            for k in range(len(at)):
                now, later = -rate * sides[k] * fast[k], -rate * sides[k] * lasting * pushed[k]
                share = (now if now > later else later) / abs(at[k])  # of the distance, a step; NaN is 0
                lanes[k] = share if share > lanes[k] else lanes[k]
    share = 0.0
    for k in range(_LANES if some else 0):
        share = max(share, lanes[k])
    # A step is left, more than rounding.
    return min(left, max(0, int(1 / share) - 1)) if share > _LEAST_SHARE else left


@compiled
def _leap(place: Array, speed: Array, push: Array, count: int, rate: float, momentum: float) -> None:
    """Take `count` steps with a constant gradient, in place."""
    power, single, double = momentum_sums(count, momentum)
    for k in range(len(place)):
        place[k] += rate * (momentum * single * speed[k] + double * push[k])
        speed[k] = power * speed[k] + single * push[k]


@compiled
def momentum_sums(count: int, momentum: float) -> tuple[float, float, float]:
    """Return μ^k, A_k and B_k of the formulas above, for k = `count`.

    By doubling, A_(j+k) = A_j + μ^j A_k and B_(j+k) = B_j + B_k + μ A_j A_k, from positive terms alone: the
    closed forms cancel for μ near 1.  Powers are not squared, which would double their errors.
    """
    done, single, double = 0.0, 0.0, 0.0
    steps, of_single, of_double = 1.0, 1.0, 1.0  # for 1, 2, 4, ... steps
    while count > 0:
        if count % 2 == 1:
            double += of_double + momentum * single * of_single
            single += momentum**done * of_single
            done += steps
        of_double = 2 * of_double + momentum * of_single * of_single
        of_single += momentum**steps * of_single
        steps *= 2
        count //= 2
    return momentum**done, single, double


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
