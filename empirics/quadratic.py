"""A small quadratic programme with bounds, compiled: which kinks a neuron slides on, and how.

Stark and Parker, Bounded-variable least squares, Computational Statistics 10 (1995), on the Gram matrix.
"""

import numpy as np
from numpy.typing import NDArray

from theory.compiled import compiled
from theory.validation import Array

Integers = NDArray[np.int64]

# A pivot below this share of its diagonal: the sample lies in the span of those that slide already.
_DEPENDENT = 1e-13
# Rounding of a gradient, over the sum of its terms.
_ROUNDING = 1024 * np.finfo(np.float64).eps


@compiled
def least_norm(
    gram: Array, base: Array, force: Array, low: Array, high: Array, place: Array, tolerance: Array
) -> tuple[Array, float]:
    """Minimise ½ ξᵀ G ξ + ξᵀ base over low ≤ ξ ≤ high by an active-set method (Stark, Parker 1995).

    Parameters
    ----------
    gram : array, shape (k, k)
        Positive semidefinite; dependent rows are allowed.
    base : array, shape (k,)
    force : array, shape (k,)
        A feasible start, overwritten.
    low, high : arrays, shape (k,)
    place : array, shape (k,)
        Where ξ is: −1 at `low`, 1 at `high`, 0 between; overwritten by where it ends.
    tolerance : array, shape (k,)
        How far an entry of G ξ + base may be on the wrong side of 0, beside the rounding of G ξ.

    Returns
    -------
    force : array, shape (k,)
        The minimiser.
    narrowest : float
        The least squared distance of a free sample from the span of those before it, over its squared norm;
        1 without free ones.  0 if the conditions of optimality do not hold, after 20 (k + 1) changes of the
        active set or where a number is not finite: `force` is of no use then.
    """
    count = len(force)
    free = np.empty(count, dtype=np.int64)
    factor = np.empty((count, count))
    way = np.empty(count)
    num = int(np.int64(0))  # a literal would have all that takes it compiled once more
    lengths = np.empty(count)
    for i in range(count):
        lengths[i] = np.sqrt(gram[i, i])
        if place[i] == 0:
            free[num] = i
            num += 1
    for _ in range(20 * count + 20):
        # Minimise over the free ones; whoever meets an end of its interval stays there.
        finished = num == 0
        while not finished:
            for i in range(num):
                way[i] = -base[free[i]]
                for j in range(count):
                    way[i] -= gram[free[i], j] * force[j]
            longest = 1.0
            if not _solve(gram, free, num, way, factor):
                # The last is in the span of the others: the goal is constant along this way.
                _span(gram, free, num, way, factor)
                longest = np.inf
            num, reached = _move(force, low, high, place, free, num, way, longest)
            finished = num == 0 or (reached and longest == 1)
        worst, which, rough = 1.0, -1, False
        rounding = 0.0
        for i in range(count):
            rounding += _ROUNDING * lengths[i] * abs(force[i])
        for i in range(count):
            gradient, most = base[i], tolerance[i] + lengths[i] * rounding
            for j in range(count):
                gradient += gram[i, j] * force[j]
            if not np.isfinite(gradient):
                return force, 0.0
            if place[i] == 0:
                rough |= abs(gradient) > most
            elif place[i] * gradient > worst * most:
                worst, which = place[i] * gradient / most, i
        # The first solution rounds off what a force was before, which can be far more than what it is.
        if rough:
            continue
        if which < 0:
            narrowest = 1.0
            for i in range(num):
                narrowest = min(narrowest, factor[i, i] * factor[i, i] / gram[free[i], free[i]])
            return force, narrowest
        sign = -place[which]
        place[which] = 0.0
        free[num] = which
        num += 1
        # In the span of the free ones the goal is linear along this way: go to the end of an interval.
        if _span(gram, free, num, way, factor) <= _DEPENDENT * gram[which, which]:
            for i in range(num):
                way[i] *= sign
            num, _ = _move(force, low, high, place, free, num, way, np.inf)
    return force, 0.0


@compiled
def _span(gram: Array, free: Integers, num: int, way: Array, factor: Array) -> float:
    """Set `way` to 1 for the last free one, −G_FF⁻¹ G_Fl for the others; return its squared distance."""
    last = free[num - 1]
    for i in range(num - 1):
        way[i] = -gram[free[i], last]
    way[num - 1] = 1.0
    distance = gram[last, last]
    if num > 1 and _solve(gram, free, num - 1, way, factor):
        for i in range(num - 1):
            distance += gram[last, free[i]] * way[i]
    return float(distance)


@compiled
def _move(
    force: Array, low: Array, high: Array, place: Array, free: Integers, num: int, way: Array, longest: float
) -> tuple[int, bool]:
    """Go along `way` up to `longest` or to the first end of an interval, where that one stays.

    Returns the number of free ones left and whether `longest` was reached.
    """
    length, hit = longest, -1
    for i in range(num):
        if way[i] != 0:
            end = high[free[i]] if way[i] > 0 else low[free[i]]
            reach = max((end - force[free[i]]) / way[i], 0.0)
            if reach < length:
                length, hit = reach, i
    for i in range(num):
        if way[i] != 0:
            force[free[i]] += length * way[i]
    if hit < 0:
        return num, True
    k = free[hit]
    force[k] = high[k] if way[hit] > 0 else low[k]
    place[k] = 1.0 if way[hit] > 0 else -1.0
    for i in range(hit, num - 1):
        free[i] = free[i + 1]
    return num - 1, False


@compiled
def _solve(gram: Array, chosen: Integers, count: int, right: Array, factor: Array) -> bool:
    """Solve G_FF x = right in place by Cholesky, F the first `count` of `chosen`; False if F is dependent."""
    for row in range(count):
        for column in range(row + 1):
            value = gram[chosen[row], chosen[column]]
            for k in range(column):
                value -= factor[row, k] * factor[column, k]
            if row > column:
                factor[row, column] = value / factor[column, column]
            elif value > _DEPENDENT * gram[chosen[row], chosen[row]]:
                factor[row, row] = np.sqrt(value)
            else:
                return False
    for row in range(count):
        for k in range(row):
            right[row] -= factor[row, k] * right[k]
        right[row] /= factor[row, row]
    for row in range(count - 1, -1, -1):
        for k in range(row + 1, count):
            right[row] -= factor[k, row] * right[k]
        right[row] /= factor[row, row]
    return True
