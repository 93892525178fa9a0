"""The event loop of exact gradient flow, compiled; each neuron has events of its own.

At n distinct samples a neuron has the pre-activations p_k = u(x_k), which move with velocity ṗ = L v, v
= Lᵀ ξ, ξ_k = c_k s_k.  L is the matrix of the x̃ = (x, 1) in some orthonormal basis, c_k the weight of a
sample (the sum of its labels over N, times the sign of the readout), s_k = φ'(p_k) ∈ {γ, 1}, or some
value of [γ, 1] while p_k stays 0.  Time is r = |a| t.  Derivation 14.

A kink with c_k < 0 is convex for the loss: both sides may push towards it, and the neuron then slides on it.
A kink with c_k > 0 is concave and always crossed.

Between two looks at all samples only those near their kinks are followed.  The others are safe as long as the
neuron strays from the line that it was on by less than their distance: |p_k − p_k(line)| ≤ ‖x̃_k‖ ‖stray‖.

Compiled code has loops in place of array expressions: numba compiles those and most functions of numpy for as
long as everything else here together.
"""

import numpy as np

from empirics.quadratic import Integers, least_norm
from theory.compiled import compiled
from theory.validation import Array

# Rounding of a velocity, over the forces it was summed from event by event.
_ROUNDING = 1024 * np.finfo(np.float64).eps
# The share of it that may push a neuron the same way all the time.
_STEADY = 1 / 16
# Forces that fell below this share of what they were are summed anew, without the rounding that those left.
_FADED = 1e-3
# Speeds below so many times their error are noise for a close sample of one slid on: it would join and leave
# again without time between.
_NOISE = 16.0
# Where the rounding so far may have moved a neuron by more than this share of its way its path is not known.
_LOST = 1e-4
# Samples as close as this share of their norm: their inner products keep little of the difference.
_CLOSE = 1e-5
# Events without time between them, over the number of samples, from which their order is undecided.
_STUCK = 20
# Up to so many samples are followed all the time.
_FEW = 1500
# Samples looked at together.
_LANES = 64
# Times and positions closer than this share of their size are the same.
_SAME = 64 * np.finfo(np.float64).eps
# The least straying expected, over the largest speed possible.
_SLOWEST = 1e-9
# Samples followed between two looks, over √n; the count of kinks that it slides on is added.
_NEAR = 2.0
# Neurons that look together, fewer where their pre-activations would take more than so many entries.
_GROUP = 16
_ROOM = 1 << 21
# Looks of one neuron after which twice as many samples are followed, in the end all of them.  Most problems
# take fewer; norms that spread over 16 decades took more than 20,000 looks without it.
_PATIENCE = 256
# Up to so many samples their inner products are kept (128 MiB); for more they are computed when needed.
_HELD = 4096

COUNTS = ("crossings", "stops", "departures", "looks")
_CROSSINGS, _STOPS, _DEPARTURES, _LOOKS = range(4)

# How the path of a neuron ends; what follows after any but the first is not known.
DECIDED, STUCK, UNSOLVED, UNSURE = range(4)

# What is known of a neuron: how far rounding may have turned its velocity and moved it (both norms: a sample
# of norm l has l times the speed and the distance), the sum of the forces on it, Σ |c_k| s_k ‖x̃_k‖, the
# largest there was since they were last summed, how large its weights were at the start, the largest norm.
_ERROR, _DRIFT, _FORCE, _PEAK, _SIZE, _WIDEST = range(6)


def follow_all(
    inputs: Array, labels: Array, slope: float, starts: Array, readouts: Array, times: Array
) -> tuple[Array, Integers, int, int]:
    """Follow neurons, some at a time.

    Parameters
    ----------
    inputs : array, shape (n, D), contiguous
        L.
    labels : array, shape (n,)
        Sum of the labels of each distinct sample over N, not 0.
    slope : float
        γ.
    starts : array, shape (q, n)
        Pre-activations at time 0.
    readouts : array, shape (q,)
        a.
    times : array, shape (K,)
        Increasing flow times t ≥ 0.

    Returns
    -------
    ways : array, shape (K, q, D)
        Σ_k labels_k L_k ∫ φ'(u_i(x_k)) dt: the weights move by a times it.
    counts : array of int, shape (4,)
        Over all neurons, in the order of `COUNTS`: kinks crossed, kinks stopped at, kinks left after sliding,
        looks at all samples.
    undecided : int
        A neuron whose path is not known to the end, or −1; not all others are followed to theirs then.
    why : int
        `STUCK`: its events piled up without time between them.  `UNSOLVED`: no shortest velocity was found on
        the kinks where it was.  `UNSURE`: rounding hides what it does next.  `DECIDED` if there is none.
    """
    q, n, dim = len(readouts), *inputs.shape
    together = max(1, min(_GROUP, _ROOM // n))
    # As many rows for the last ones, so that rounding does not depend on how neurons are divided.
    rows = -(-q // together) * together
    group, own, reached = np.zeros((rows, n)), np.zeros(rows), np.zeros((rows, len(times), dim))
    group[:q], own[:q] = starts, readouts
    twins, counts = _mixed(inputs, labels, _CLOSE), np.zeros(len(COUNTS), dtype=np.int64)
    undecided, why = _follow(inputs, labels, twins, slope, group, own, times, together, reached, counts)
    ways = np.zeros((len(times), q, dim))
    np.divide(reached[:q].swapaxes(0, 1), readouts[:, None], out=ways, where=readouts[:, None] != 0)
    return ways, counts, undecided, why


def _mixed(inputs: Array, labels: Array, nearness: float) -> Array:
    """Tell which samples are as close as this share of their norm: 1 in a group that has both labels.

    In a group of one label it is a negative number of the group, and 0 for a sample by itself.
    """
    # Close ones are neighbours in the order of a projection on no special direction.
    direction = np.cos(np.arange(inputs.shape[1]) + 1.0)
    at, near = inputs @ direction, nearness * np.sqrt(np.einsum("kj, kj -> k", inputs, inputs))
    order = np.argsort(at, kind="stable")
    # Twice, for the rounding of the projection.
    joined = np.diff(at[order]) <= 2 * np.sqrt(direction @ direction) * near[order[1:]]
    maybe = np.flatnonzero(joined)
    here, last = order[maybe + 1], order[maybe]
    joined[maybe] = np.sum((inputs[here] - inputs[last]) ** 2, axis=1) <= near[here] ** 2
    group = np.empty_like(order)
    group[order] = np.cumsum(np.r_[0, ~joined])
    size, positive = np.bincount(group), np.bincount(group, weights=labels > 0)
    kind = np.where((positive > 0) & (positive < size), 1.0, -1.0 - np.arange(len(size)))
    mixed: Array = np.where(size > 1, kind, 0.0)[group]
    return mixed


@compiled
def _follow(
    inputs: Array,
    labels: Array,
    twins: Array,
    slope: float,
    starts: Array,
    readouts: Array,
    times: Array,
    together: int,
    ways: Array,
    counts: Integers,
) -> tuple[int, int]:
    """Fill `ways`, shape (q, K, D), with Σ_k c_k L_k ∫ s_k dr; return whose path is not known, and why.

    So many look at all samples together, which are then read once for all; neurons without readout or at
    their end look on, so that the rounding of one does not depend on the others.
    """
    n, dim = inputs.shape
    lengths, everyone, widest, slowest = np.empty(n), np.empty(n, dtype=np.int64), 0.0, 0.0
    for k in range(n):
        everyone[k], lengths[k] = k, np.sqrt(_inner(inputs[k], inputs[k]))
        widest, slowest = max(widest, lengths[k]), slowest + abs(labels[k]) * lengths[k]
    slowest *= _SLOWEST
    gram = _products(inputs, n <= _FEW)
    side, s = np.empty((together, n)), np.empty((together, n))  # a side is 0 while sliding
    p, rate, weighted = np.empty((together, n)), np.empty((together, n)), np.empty((together, n))
    way, velocity, known = np.empty((together, dim)), np.empty((together, dim)), np.empty((together, 6))
    force, clock = np.empty(together), np.empty((together, len(times)))
    now, straying = np.empty(together), np.empty(together)
    index, standing = np.empty(together, dtype=np.int64), np.empty(together, dtype=np.int64)
    for first in range(0, len(readouts), together):
        looks, share, left = 0, _NEAR, 0
        for i in range(together):
            _begin(
                starts[first + i],
                readouts[first + i],
                lengths,
                slope,
                times,
                side[i],
                s[i],
                known[i],
                clock[i],
            )
            known[i, _WIDEST] = widest
            way[i] = now[i] = standing[i] = 0
            index[i] = len(times) if readouts[first + i] == 0 else 0
            left += index[i] < len(times)
        while left:
            _look(
                inputs,
                labels,
                lengths,
                starts[first:],
                readouts[first:],
                s,
                way,
                weighted,
                force,
                velocity,
                rate,
                p,
            )
            looks += 1
            if looks % _PATIENCE == 0:
                share *= 2
            for i in range(together):
                if index[i] == len(times):
                    continue
                counts[_LOOKS] += 1
                known[i, _FORCE] = known[i, _PEAK] = 0.0
                _note(known[i], force[i], 1.0)
                speed = np.sqrt(_inner(velocity[i], velocity[i]))
                if looks == 1:
                    straying[i] = speed + slowest
                # What clock and positions cannot tell apart is followed together: a look ahead by less would
                # be repeated for ever.
                horizon, members, near, products = np.inf, everyone, inputs, gram
                if len(gram) == 0:
                    least = _SAME * max(now[i], _extent(known[i], way[i]) / (straying[i] + speed))
                    horizon, members = _near(p[i], side[i], rate[i], lengths, straying[i], least, share)
                    near = _rows(inputs, members)
                    products = _products(near, len(near) <= _HELD)
                before = now[i]
                now[i], index[i], stray, ended = _window(
                    near,
                    products,
                    labels,
                    np.sign(readouts[first + i]),
                    slope,
                    p[i],
                    side[i],
                    s[i],
                    rate[i],
                    members,
                    twins,
                    lengths,
                    known[i],
                    velocity[i],
                    way[i],
                    ways[first + i],
                    before,
                    clock[i],
                    index[i],
                    horizon,
                    straying[i] * horizon,
                    counts,
                )
                # The next line will be left about as fast as this one was.
                standing[i] += 1
                if ended != DECIDED or standing[i] > _PATIENCE:
                    return first + i, STUCK if ended == DECIDED else ended
                left -= index[i] == len(times)
                if now[i] > before:
                    standing[i] = 0
                    straying[i] = max(2 * stray / (now[i] - before), straying[i] / 4, slowest)
                else:
                    straying[i] *= 2
    return -1, DECIDED


@compiled
def _begin(
    start: Array,
    readout: float,
    lengths: Array,
    slope: float,
    times: Array,
    side: Array,
    s: Array,
    known: Array,
    clock: Array,
) -> None:
    """Fill in sides, slopes, what is known and the times r of a neuron at its start."""
    size = 0.0
    for k in range(len(start)):
        side[k], s[k] = (1.0, 1.0) if start[k] > 0 else (-1.0, slope)
        size = max(size, abs(start[k]) / lengths[k])
    known[_SIZE], known[_DRIFT] = size, _SAME * size
    for j in range(len(times)):
        clock[j] = abs(readout) * times[j]


@compiled
def _look(
    inputs: Array,
    labels: Array,
    lengths: Array,
    starts: Array,
    readouts: Array,
    s: Array,
    way: Array,
    weighted: Array,
    force: Array,
    velocity: Array,
    rate: Array,
    p: Array,
) -> None:
    """Fill in the sums of the forces, velocities, rates and p from s and the ways; `weighted` is scratch."""
    q, n = p.shape
    for i in range(q):
        for k in range(n):
            weighted[i, k] = abs(labels[k]) * s[i, k]
    np.dot(weighted, lengths, force)
    for i in range(q):
        for k in range(n):
            weighted[i, k] = labels[k] * s[i, k]
    np.dot(weighted, inputs, velocity)
    for i in range(q):
        for j in range(inputs.shape[1]):
            velocity[i, j] *= np.sign(readouts[i])
    np.dot(velocity, inputs.T, rate)
    np.dot(way, inputs.T, p)
    for i in range(q):
        for k in range(n):
            p[i, k] += starts[i, k]


@compiled
def _rows(inputs: Array, members: Integers) -> Array:
    rows = np.empty((len(members), inputs.shape[1]))
    for k in range(len(members)):
        for j in range(inputs.shape[1]):
            rows[k, j] = inputs[members[k], j]
    return rows


@compiled
def _products(inputs: Array, held: bool) -> Array:
    """Return the inner products of samples if they are to be held, else an empty array."""
    size = len(inputs) if held else 0
    products = np.empty((size, size))
    if held:
        np.dot(inputs, inputs.T, products)
    return products


@compiled
def _near(
    p: Array, side: Array, rate: Array, lengths: Array, straying: float, least: float, share: float
) -> tuple[float, Integers]:
    """Return for how long no other sample can meet its kink, and the samples to follow, about `share` √n.

    Safe for as long as the neuron strays from its line by at most `straying` times that time, which is above
    `least`.
    """
    n = len(p)
    members, soonest, ordered = np.empty(n, dtype=np.int64), np.empty(n), np.empty(n)
    most, count = int(share * np.sqrt(n)), 0
    for k in range(n):
        speed = straying * lengths[k] + max(-side[k] * rate[k], 0.0)
        soonest[k] = ordered[k] = max(side[k] * p[k], 0.0) / speed
        most += side[k] == 0
    while most < n:
        horizon = _smallest(ordered, most)
        if horizon > least:
            for k in range(n):
                if soonest[k] < horizon:
                    members[count] = k
                    count += 1
            return horizon, members[:count]
        most = 2 * most
    for k in range(n):
        members[k] = k
    return np.inf, members


@compiled
def _smallest(values: Array, rank: int) -> float:
    """Return the value of this rank, from 0; values change places (Hoare, Algorithm 65: FIND, 1961)."""
    low, high = 0, len(values) - 1
    while low < high:
        pivot, i, j = values[(low + high) // 2], low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return float(values[rank])


@compiled
def _window(
    inputs: Array,
    gram: Array,
    labels: Array,
    sign: float,
    slope: float,
    at: Array,
    all_sides: Array,
    all_slopes: Array,
    rates: Array,
    members: Integers,
    all_twins: Array,
    all_lengths: Array,
    known: Array,
    velocity: Array,
    way: Array,
    ways: Array,
    now: float,
    times: Array,
    index: int,
    horizon: float,
    room: float,
    counts: Integers,
) -> tuple[float, int, float, int]:
    """Follow some samples for the time `horizon`, to the last time, or until the neuron strays by `room`.

    Updates the state, fills `ways` as times are met, and returns the time, the index of the next one, how far
    the neuron strayed from its line, and how it ended.
    """
    line, here, begin = velocity.copy(), way.copy(), now
    n = len(members)
    own, kinks = np.empty((7, n)), np.empty(n, dtype=np.int64)
    sliding = _gather(
        members, sign, labels, at, all_sides, all_slopes, rates, all_twins, all_lengths, now == 0, own, kinks
    )
    p, side, s, rate, weights, twins, lengths = own[0], own[1], own[2], own[3], own[4], own[5], own[6]
    pause, ended = 0, DECIDED
    while True:
        if sliding:
            sliding = _settle(
                inputs,
                gram,
                weights,
                slope,
                kinks,
                sliding,
                p,
                s,
                side,
                rate,
                velocity,
                lengths,
                known,
                counts,
            )
        if sliding < 0:
            ended = UNSOLVED
            break
        # Not where no time has passed since the last look, which would say the same again.
        if now > begin and known[_FORCE] < _FADED * known[_PEAK]:
            break
        longest = min(begin + horizon - now, 2 * (times[-1] - now))
        step, event, sure = _next(p, side, rate, weights, twins, lengths, known, longest, pause > n)
        if not sure:
            ended = UNSURE
            break
        if horizon < np.inf:
            longest = _within(way, here, velocity, line, now - begin, room)
            if longest < step:
                step, event = longest, -1
        # Read off without a stop, so that the answer at one time does not depend on which others are
        # asked for.
        index, ended = _read(way, velocity, ways, times, index, now, step, known)
        if index == len(times) or ended != DECIDED:
            break
        add(p, step, rate)
        add(way, step, velocity)
        now += step
        known[_DRIFT] += step * _STEADY * known[_ERROR]
        if event < 0:
            break
        if _together(event, p, side, weights, twins, lengths, known[_DRIFT]):
            ended = UNSURE
            break
        pause = pause + 1 if step == 0 else 0
        if pause > _STUCK * (n + 1):
            ended = STUCK
            break
        sliding = _meet(
            event,
            inputs,
            gram,
            weights,
            slope,
            kinks,
            sliding,
            p,
            s,
            side,
            rate,
            velocity,
            lengths,
            known,
            counts,
        )
    for k in range(n):
        # What rounding left of a force of 0, while sliding, would be solved for and fade without end.
        if side[k] == 0 and s[k] < slope + _SAME:
            s[k] = slope
        all_sides[members[k]] = side[k]
        all_slopes[members[k]] = s[k]
    for j in range(len(way)):
        here[j] = way[j] - here[j] - (now - begin) * line[j]
    return now, index, np.sqrt(_inner(here, here)), ended


@compiled
def _gather(
    members: Integers,
    sign: float,
    labels: Array,
    p: Array,
    side: Array,
    s: Array,
    rate: Array,
    twins: Array,
    lengths: Array,
    begins: bool,
    own: Array,
    kinks: Integers,
) -> int:
    """Fill `own` with rows p, side, s, rate, weight, twin, length, and `kinks`; return how many those are."""
    sliding = 0
    for k in range(len(members)):
        of = members[k]
        own[0, k], own[1, k], own[2, k], own[3, k] = p[of], side[of], s[of], rate[of]
        own[4, k], own[5, k], own[6, k] = sign * labels[of], twins[of], lengths[of]
        if side[of] == 0 or (begins and p[of] == 0 and own[4, k] < 0):
            kinks[sliding] = k
            sliding += 1
            own[0, k] = 0.0
    return sliding


@compiled
def _read(
    way: Array, velocity: Array, ways: Array, times: Array, index: int, now: float, step: float, known: Array
) -> tuple[int, int]:
    """Fill `ways` for the times of this step; return the index of the next and `DECIDED` or `UNSURE`."""
    ended = DECIDED
    while index < len(times) and times[index] <= now + step:
        for j in range(len(way)):
            ways[index, j] = way[j] + (times[index] - now) * velocity[j]
        drift = known[_DRIFT] + (times[index] - now) * _STEADY * known[_ERROR]
        # From 0 there is no other scale than what the forces could have done.
        size = known[_SIZE] if known[_SIZE] > 0 else known[_PEAK] * times[index]
        if drift > _LOST * (size + np.sqrt(_inner(ways[index], ways[index]))):
            ended = UNSURE
        index += 1
    return index, ended


@compiled
def _within(way: Array, here: Array, velocity: Array, line: Array, time: float, room: float) -> float:
    """Return for how long ‖stray + t (velocity − line)‖ ≤ room: the neuron stays near its line."""
    square, mixed, size = 0.0, 0.0, -room * room
    for j in range(len(way)):
        stray, change = way[j] - here[j] - time * line[j], velocity[j] - line[j]
        square += change * change
        mixed += stray * change
        size += stray * stray
    if square == 0:
        return np.inf
    if size >= 0:
        return 0.0
    # The positive root of square t² + 2 mixed t + size = 0, size < 0, without cancellation.
    root = np.sqrt(mixed * mixed - square * size)
    return float(-size / (mixed + root) if mixed > 0 else (root - mixed) / square)


@compiled
def _next(
    p: Array,
    side: Array,
    rate: Array,
    weights: Array,
    twins: Array,
    lengths: Array,
    known: Array,
    longest: float,
    circling: bool,
) -> tuple[float, int, bool]:
    """Return when the first kink is met, which, and whether rounding leaves no other that might be met.

    They are `longest` and −1 if none is before that.

    Of those that are met now the first comes first, and when events seem to go in circles a convex one.
    Then the velocity is the shortest on the convex kinks whenever a concave one is crossed, which makes the
    shortest one longer: no choice comes back.
    """
    step, event, sure, error, drift = longest, -1, True, known[_ERROR], known[_DRIFT]
    for start in range(0, len(p), _LANES):
        end = min(start + _LANES, len(p))
        # Few pieces hold a kink that is met earlier than those before: looked for without branches first.
        met, near = 0, known[_WIDEST] * (drift + step * error)
        for k in range(start, end):
            met |= side[k] * (p[k] + step * rate[k]) < near
        if met:
            for k in range(start, end):
                speed, gap = -side[k] * rate[k], side[k] * p[k]
                if speed > lengths[k] * error:
                    noise = speed <= _NOISE * lengths[k] * error and _slid_on(twins[k], twins, side)
                    if gap < step * speed and not noise:
                        step, event = max(gap, 0.0) / speed, k
                elif side[k] != 0 and _doubtful(
                    speed, gap, max(twins[k], 0.0) * weights[k], lengths[k], step, error, drift
                ):
                    sure = False
    if not sure:
        sure = True
        for k in range(len(p)):
            sure &= (
                side[k] == 0
                or _slid_on(twins[k], twins, side)
                or not _doubtful(
                    -side[k] * rate[k],
                    side[k] * p[k],
                    max(twins[k], 0.0) * weights[k],
                    lengths[k],
                    step,
                    error,
                    drift,
                )
            )
    if circling and event >= 0 and step == 0 and weights[event] > 0:
        for k in range(event + 1, len(p)):
            if weights[k] < 0 and side[k] * p[k] <= 0 and -side[k] * rate[k] > lengths[k] * error:
                return step, k, sure
    return step, event, sure


@compiled
def _slid_on(group: float, twins: Array, side: Array) -> bool:
    """Whether a neuron slides on a close sample of the same label: which of them it is changes nothing.

    They push alike, so that only the sum of their forces is decided, and that by the others.
    """
    if group < 0:
        for k in range(len(twins)):
            if twins[k] == group and side[k] == 0:
                return True
    return False


@compiled
def _doubtful(
    speed: float, gap: float, twin: float, length: float, step: float, error: float, drift: float
) -> bool:
    """Whether a kink at which a neuron is not may be met in this time by a speed that rounding hides.

    A neuron that is on the kink as far as rounding tells stays on its side, except where the kink is concave
    and only looks like a tie with a convex one close to it: twin > 0.
    """
    least = -np.inf if twin > 0 else length * drift
    return abs(speed) <= length * error and error > 0 and least < gap < length * (drift + step * error)


@compiled
def _together(
    event: int, p: Array, side: Array, weights: Array, twins: Array, lengths: Array, drift: float
) -> bool:
    """Whether rounding hides if the kink of a close sample of the other label is met before: that decides."""
    if twins[event] > 0:
        for k in range(len(p)):
            opposite = twins[k] > 0 and weights[k] * weights[event] < 0 and side[k] != 0
            if opposite and abs(p[k]) <= lengths[k] * drift:
                return True
    return False


@compiled
def _note(known: Array, change: float, narrowest: float) -> None:
    """Add to the sum of the forces; the nearer sliding samples to a span, the larger the error."""
    known[_FORCE] += change
    known[_PEAK] = max(known[_PEAK], known[_FORCE])
    known[_ERROR] = _ROUNDING * known[_PEAK] / np.sqrt(narrowest)


@compiled
def add(total: Array, factor: float, row: Array) -> None:
    """Add factor · row in place."""
    for k in range(len(total)):
        total[k] += factor * row[k]


@compiled
def _inner(one: Array, other: Array) -> float:
    """Return the inner product, summed in order: the BLAS would round differently."""
    total = 0.0
    for k in range(len(one)):
        total += one[k] * other[k]
    return total


@compiled
def _extent(known: Array, way: Array) -> float:
    """Return how large positions may be, over the norms of the samples."""
    return float(known[_SIZE] + np.sqrt(_inner(way, way)))


@compiled
def _product(gram: Array, inputs: Array, k: int, j: int) -> float:
    """Return ⟨L_k, L_j⟩, kept or not."""
    return float(gram[k, j] if len(gram) else _inner(inputs[k], inputs[j]))


@compiled
def _push(rate: Array, velocity: Array, change: float, gram: Array, inputs: Array, k: int) -> None:
    """Change the force of sample k: rates and velocity in place."""
    if len(gram):
        add(rate, change, gram[k])
    else:
        products = np.empty(len(rate))
        np.dot(inputs, inputs[k], products)
        add(rate, change, products)
    add(velocity, change, inputs[k])


@compiled
def _meet(
    event: int,
    inputs: Array,
    gram: Array,
    weights: Array,
    slope: float,
    kinks: Integers,
    sliding: int,
    p: Array,
    s: Array,
    side: Array,
    rate: Array,
    velocity: Array,
    lengths: Array,
    known: Array,
    counts: Integers,
) -> int:
    """Cross the kink of sample `event` or count it among those to slide on; return how many these are."""
    p[event] = 0.0
    change = (slope - 1) * side[event]
    beyond = rate[event] + weights[event] * change * _product(gram, inputs, event, event)
    if weights[event] > 0 or (sliding == 0 and beyond * side[event] < -lengths[event] * known[_ERROR]):
        s[event] += change
        side[event] = -side[event]
        _push(rate, velocity, weights[event] * change, gram, inputs, event)
        _note(known, abs(weights[event]) * change * lengths[event], 1.0)
        counts[_CROSSINGS] += 1
    else:
        kinks[sliding] = event
        sliding += 1
    return sliding


@compiled
def _settle(
    inputs: Array,
    gram: Array,
    weights: Array,
    slope: float,
    kinks: Integers,
    count: int,
    p: Array,
    s: Array,
    side: Array,
    rate: Array,
    velocity: Array,
    lengths: Array,
    known: Array,
    counts: Integers,
) -> int:
    """Choose s on the convex kinks at which the neuron is: the velocity of least norm.

    Updates the state and returns the number of kinks that it slides on, which are then first in `kinks`; −1
    if that velocity was not found, and the state is of no use.
    """
    members = kinks[:count].copy()
    local = np.empty((count, count))
    # ξ = c s lies in [c, γ c], as c < 0; s = 1 is its lower end.
    force, low, high, place = np.empty(count), np.empty(count), np.empty(count), np.empty(count)
    base, tolerance, pulls = np.empty(count), np.empty(count), np.empty(count)
    for i in range(count):
        k = members[i]
        low[i], high[i], tolerance[i] = weights[k], slope * weights[k], _ROUNDING * known[_PEAK] * lengths[k]
        for j in range(count):
            local[i, j] = _product(gram, inputs, k, members[j])
        force[i] = weights[k] * s[k]
        place[i] = -side[k]
        base[i] = rate[k]
    np.dot(local, force, pulls)
    add(base, -1.0, pulls)
    chosen, narrowest = least_norm(local, base, force.copy(), low, high, place, tolerance)
    if narrowest == 0:
        return -1
    change = 0.0
    for i in range(count):
        change += (abs(chosen[i]) - abs(force[i])) * lengths[members[i]]
    _note(known, change, narrowest)
    left = 0
    for i in range(count):
        k = members[i]
        if chosen[i] != force[i]:
            _push(rate, velocity, chosen[i] - force[i], gram, inputs, k)
        slid = side[k] == 0
        if place[i] == 0:
            s[k] = chosen[i] / weights[k]
            kinks[left] = k
            left += 1
            counts[_STOPS] += not slid
        else:
            s[k] = 1.0 if place[i] < 0 else slope
            counts[_CROSSINGS] += (not slid) and side[k] != -place[i]
            counts[_DEPARTURES] += slid
        side[k] = -place[i]
    for i in range(left):
        rate[kinks[i]] = 0.0
        p[kinks[i]] = 0.0
    if left == len(velocity):  # orthogonal to as many samples as there are coordinates
        rate[:] = 0.0
        velocity[:] = 0.0
        known[_ERROR] = 0.0
    return left
