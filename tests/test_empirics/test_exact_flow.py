"""Exact gradient flow: closed forms, an independent solver, descent, symmetries, ties, mutants.

The independent solver below is numpy and scipy's `lsq_linear`; it shares no code with `empirics.events`.
"""

import itertools
import math
import re
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
import torch
from scipy import optimize, stats
from threadpoolctl import threadpool_limits

import empirics.events
import empirics.quadratic
from empirics import TwoLayerNet, train
from empirics.exact_flow import distinct, flow

EPS = np.finfo(np.float64).eps
SLOPES = (0.0, 0.3, 0.9)
# Two ways of adding up the same flow: at most 2e-14 of the largest parameter was seen over the cases below.
CLOSE = 1e-12


def network_of(parameters, readout, slope, dtype=torch.float64):
    parameters = torch.tensor(np.asarray(parameters, dtype=float), dtype=dtype)
    readout = torch.tensor(np.asarray(readout, dtype=float), dtype=dtype)
    weight, bias = parameters[:, :-1].contiguous(), parameters[:, -1].contiguous()
    return TwoLayerNet(weight, bias, readout, negative_slope=slope)


def parameters_of(network):
    return torch.cat([network.weight, network.bias[:, None]], dim=1).detach().double().numpy()


def reached(network, X, y, T):
    """Return (w_i, b_i) at time T, shape (m, d + 1)."""
    return parameters_of(flow(network, X, y, T=T).trained[0].final)


def problem(seed, *, num_points, dim, width, slope, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(num_points, dim)), rng.choice([-1.0, 1.0], num_points)
    return TwoLayerNet.initialise(dim, width, negative_slope=slope, seed=seed, dtype=dtype), X, y


def assert_close(one, other, tolerance=CLOSE):
    assert np.abs(one - other).max() <= tolerance * max(np.abs(other).max(), 1e-300)


def extend(X):
    return np.column_stack([X, np.ones(len(X))])


def loss(parameters, network, X, y):
    u = extend(X) @ parameters.T
    return -np.mean(y * (np.maximum(u, network.negative_slope * u) @ network.readout.numpy()))


# An independent solver ------------------------------------------------------------------------------


def least_norm_velocity(inputs, c, s, free, slope):
    rest = (c * s)[~free] @ inputs[~free]
    if not free.any():
        return rest
    pull = inputs[free].T * c[free]
    found = optimize.lsq_linear(pull, -rest, (slope, 1), method="bvls", tol=1e-15, max_iter=1000)
    return rest + pull @ found.x


def reference(inputs, c, slope, start, time):
    """Follow dw/dr = Σ c_k s_k x̃_k up to r = time, event by event; c includes the sign of the readout."""
    w, now = start.copy(), 0.0
    if len(inputs) == 0:
        return w
    p = inputs @ w
    lengths = np.linalg.norm(inputs, axis=1)
    scale = lengths * (np.abs(c) @ lengths)
    side, kink = np.where(p > 0, 1.0, -1.0), (p == 0) & (c < 0)
    for _ in range(100 * len(c) + 1000):
        velocity = least_norm_velocity(inputs, c, np.where(side > 0, 1.0, slope), kink, slope)
        rate = inputs @ velocity
        leaves = kink & (np.abs(rate) > 1e-10 * scale)
        side[leaves] = np.sign(rate[leaves])
        kink &= ~leaves
        rate[kink] = 0.0
        wait = np.full(len(c), np.inf)
        comes = ~kink & (-side * rate > 1e-12 * scale)
        wait[comes] = np.maximum(side * p, 0)[comes] / (-side * rate)[comes]
        k = int(np.argmin(wait))
        step = min(wait[k], time - now)
        w, p, now = w + step * velocity, p + step * rate, now + step
        if step < wait[k]:
            return w
        p[k] = 0.0
        if c[k] > 0:
            side[k] = -side[k]
        else:
            kink[k] = True
    msg = "the reference did not end"
    raise AssertionError(msg)


def reference_of(network, X, y, T):
    inputs, labels = distinct(X, y)
    pairs = zip(parameters_of(network), network.readout.double().numpy(), strict=True)
    slope = network.negative_slope
    return np.array([reference(inputs, np.sign(a) * labels, slope, w, abs(a) * T) for w, a in pairs])


@pytest.mark.parametrize("slope", SLOPES)
def test_flow_is_that_of_an_independent_solver(slope):
    """120 problems a slope, seeds 0 to 119: N from 1 to 14, d from 3 to 6, m = 3, T from .1 to 1000."""
    stops = departures = 0
    for seed in range(120):
        rng = np.random.default_rng(1000 + seed)
        N, d, T = int(rng.integers(1, 15)), int(rng.integers(3, 7)), 10 ** rng.uniform(-1, 3)
        network, X, y = problem(seed, num_points=N, dim=d, width=3, slope=slope)
        found = flow(network, X, y, T=T)
        stops, departures = stops + found.stops, departures + found.departures
        assert_close(parameters_of(found.trained[0].final), reference_of(network, X, y, T))
    assert stops >= (30 if slope < 0.5 else 2)
    assert departures >= (5 if slope < 0.5 else 0)


WINDOWED = [(2000, 2, 100.0, 0.3), (1600, 3, 1e4, 0.0), (2500, 20, 200.0, 0.9), (1700, 5, 300.0, 0.0)]


@pytest.mark.parametrize(("N", "d", "T", "slope"), WINDOWED)
def test_many_samples_are_followed_in_windows_as_one_by_one(N, d, T, slope):
    network, X, y = problem(N, num_points=N, dim=d, width=4, slope=slope)
    found = flow(network, X, y, T=T)
    assert found.distinct == N > empirics.events._FEW
    assert found.looks > 4 * network.width
    assert found.crossings > 100
    assert_close(parameters_of(found.trained[0].final), reference_of(network, X, y, T))


# Far and close samples, against 100 digits -----------------------------------------------------------


def shortest_by_trial(rows, base, c, slope, tiny):
    """Return the shortest base + Σ ξ_j x̃_j, c_j ≤ ξ_j ≤ γ c_j, and at which end ξ_j is: 1, −1, 0 between."""
    lengths = [mp.sqrt(mp.fdot(row, row)) for row in rows]
    units = [[value / length for value in row] for row, length in zip(rows, lengths, strict=True)]
    for signs in itertools.product((0, 1, -1), repeat=len(rows)):
        xi = [force * (slope if sign < 0 else 1) for force, sign in zip(c, signs, strict=True)]
        free = [j for j, sign in enumerate(signs) if sign == 0]
        rest = [j for j, sign in enumerate(signs) if sign]
        v = [b + mp.fsum(xi[j] * rows[j][i] for j in rest) for i, b in enumerate(base)]
        if free:
            gram = mp.matrix([[mp.fdot(units[i], units[j]) for j in free] for i in free])
            if abs(mp.det(gram)) < tiny:
                continue
            found = mp.lu_solve(gram, mp.matrix([-mp.fdot(units[i], v) for i in free]))
            if any(not c[j] <= f / lengths[j] <= slope * c[j] for j, f in zip(free, found, strict=True)):
                continue
            v = [
                b + mp.fsum(f * units[j][i] for j, f in zip(free, found, strict=True))
                for i, b in enumerate(v)
            ]
        if all(signs[j] * mp.fdot(v, units[j]) >= -tiny for j in rest):
            return v, signs
    return None


def precise_reference(inputs, totals, N, slope, start, time, digits):
    """Follow one neuron, c_k = totals_k / N; None where two kinks are met at one moment."""
    with mp.workdps(digits):
        tiny = mp.mpf(10) ** (-digits * 3 // 5)
        rows, w = [[mp.mpf(v) for v in row] for row in inputs.tolist()], [mp.mpf(v) for v in start.tolist()]
        c, slope, left, kinks = [mp.mpf(total) / N for total in totals], mp.mpf(slope), mp.mpf(time), []
        side = [1 if mp.fdot(row, w) > 0 else -1 for row in rows]
        while True:
            others = [k for k in range(len(c)) if k not in kinks]
            pull = {k: c[k] * (1 if side[k] > 0 else slope) for k in others}
            v = [mp.fsum(pull[k] * rows[k][i] for k in others) for i in range(len(w))]
            if kinks:
                v, signs = shortest_by_trial([rows[k] for k in kinks], v, [c[k] for k in kinks], slope, tiny)
                for k, sign in zip(kinks, signs, strict=True):
                    side[k] = sign or side[k]
                kinks = [k for k, sign in zip(kinks, signs, strict=True) if sign == 0]
            waits = []
            for k in set(range(len(c))) - set(kinks):
                speed, size = (
                    -side[k] * mp.fdot(rows[k], v),
                    mp.sqrt(mp.fdot(rows[k], rows[k]) * mp.fdot(v, v)),
                )
                if speed > tiny * size:
                    waits.append((max(side[k] * mp.fdot(rows[k], w), 0) / speed, k))
            waits.sort()
            step = min(waits[0][0], left) if waits else left
            w = [at + step * speed for at, speed in zip(w, v, strict=True)]
            left -= step
            if not waits or left <= 0:
                return np.array([float(value) for value in w])
            if len(waits) > 1 and waits[1][0] - step <= tiny * (waits[1][0] + time):
                return None
            k = waits[0][1]
            if c[k] > 0:
                side[k] = -side[k]
            else:
                kinks.append(k)


def far_or_close(kind, seed):
    """Return X, y, w̃, a, γ and T: samples of norm up to 1e15, of 1e-150, nearly equal, or a long time."""
    rng = np.random.default_rng(seed)
    N, d = int(rng.integers(3, 7)), int(rng.integers(1, 5))
    X, y, start = rng.normal(size=(N, d)), rng.choice([-1.0, 1.0], N), rng.normal(size=d + 1)
    slope, T = rng.choice([0.0, 0.0, 0.3, 0.9]), 10 ** rng.uniform(0, 5)
    far = 10 ** rng.uniform(9, 15)
    if kind in ("dead", "alive", "leaky"):
        X[0] *= far * np.sign(X[0] @ start[:-1]) * (1 if kind == "alive" else -1)
        slope = 0.3 if kind == "leaky" else 0.0
    elif kind == "several":
        X[:3] *= 10 ** rng.uniform(6, 15, (3, 1))
    elif kind == "close":
        X[1] = X[0] + 10 ** rng.uniform(-14, -3) * X[1]
        T = 10 ** rng.uniform(0, 16)
    elif kind == "far and close":
        X[0] *= far
        X[1] += X[0]
    elif kind == "equal":
        X[1:3] = X[0] = X[0] * far
    elif kind == "long":
        X[0] *= far
        T = 10 ** rng.uniform(8, 30)
    elif kind == "slope near 1":
        X[0], slope = X[0] * far, 1 - 10 ** rng.uniform(-15, -2)
    elif kind == "tiny":
        X[1:] *= 1e-150
    elif kind == "one":
        X, y = X[:1] * far, y[:1]
    elif kind == "ratio 1e6":
        X *= 10 ** rng.uniform(0, 6, (N, 1))
    return X, y, start, rng.choice([-1.0, 2.0]), float(slope), float(T)


# Kind: how many of 25 may be errors.
FAR = {
    "dead": 1,
    "alive": 1,
    "leaky": 1,
    "several": 3,
    "close": 5,
    "far and close": 15,
    "equal": 1,
    "long": 3,
}
FAR |= {"slope near 1": 1, "tiny": 15, "one": 0, "ratio 1e6": 0}


@pytest.mark.parametrize("kind", FAR)
def test_far_and_close_samples_give_the_right_path_or_an_error(kind):
    """25 neurons a kind, and of each kind some that a tolerance which counts dead samples gets wrong."""
    errors = right = 0
    for seed in range(25):
        X, y, start, a, slope, T = far_or_close(kind, seed)
        inputs, labels = distinct(X, y)
        totals = np.rint(np.sign(a) * labels * len(X)).astype(int).tolist()
        time = mp.mpf(abs(a)) * mp.mpf(T)
        expected = precise_reference(
            inputs, totals, len(X), slope, start, time, 500 if kind == "tiny" else 100
        )
        if expected is None:
            continue
        try:
            end = reached(network_of([start], [a], slope), X, y, T)[0]
        except FloatingPointError:
            errors += 1
            continue
        # Ends at 0 are right to the rounding of the start.
        assert np.abs(end - expected).max() <= 1e-6 * max(np.abs(expected).max(), 1e-6 * np.abs(start).max())
        right += 1
    assert errors <= FAR[kind]
    assert right >= 8


@pytest.mark.parametrize("distance", [4.0, 1e6, 1e9, 1e12, 1e14, 1e17])
def test_a_dead_sample_hides_no_kink_however_far_it_is(distance):
    # v = ⅓(x̃₃ − x̃₂) until u₂ = 0 at t = 3/g; then v = ⅓(x̃₃ − (1 − g/2) x̃₂), as ⟨x̃₃, x̃₂⟩ = 2 − g.
    g, T = 1e-4, 1e5
    X, y = np.array([[-distance, 0.0], [0.0, 1.0], [0.0, 1.0 - g]]), np.array([1.0, -1.0, 1.0])
    found = flow(network_of([[1.0, 0.5, 0.5]], [1.0], 0.0), X, y, T=T)
    u = extend(X) @ parameters_of(found.trained[0].final)[0]
    g = 1 - X[2, 1]
    met = 3 / g
    assert abs(u[1]) < 1e-11
    # u₃ = u₂ − g w₂, and w₂ falls by g/3 a unit of time until then, by g/6 afterwards.
    assert u[2] == pytest.approx(-g * (0.5 - g * met / 3 - g * (T - met) / 6), rel=1e-6)
    assert (found.stops, found.crossings) == (1, 0)


@pytest.mark.parametrize("scale", [1.0, 1e8, 1e15, 1e17])
def test_a_sample_across_the_weights_is_on_the_side_that_exact_sums_say(scale):
    # w = (1, −1/3): ⟨w, x⟩ of x = (S/3, S) is rounding of terms as large as S/3, b = 1e-9 S ε.
    X, b = np.array([[scale / 3, scale]]), 1e-9 * scale * EPS
    exact = Fraction(X[0, 0]) - Fraction(1 / 3) * Fraction(X[0, 1])
    for bias in (float(-exact) + b, float(-exact) - b):
        end = reached(network_of([[1.0, -1 / 3, bias]], [1.0], 0.0), X, np.ones(1), 1.0)[0]
        moves = exact + Fraction(bias) > 0
        assert (end != [1.0, -1 / 3, bias]).any() == moves


def test_a_speed_that_rounding_hides_is_an_error():
    # u₃ of ordinary samples moves by 1e-14 a unit of time, its kink is 1e-7 away.
    X, y = np.array([[1.0], [1.0 - 1e-7]]), np.array([-1.0, 1.0])
    network = network_of([[1.0, 0.5]], [1.0], 0.0)
    with pytest.raises(
        FloatingPointError, match=r"flow must be decided, got neuron 0 whose path to T = 1e\+15"
    ):
        flow(network, X, y, T=1e15)


# Closed forms ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize(("label", "readout"), [(-1.0, 2.0), (1.0, -2.0), (1.0, 2.0), (-1.0, -2.0)])
def test_one_sample_stops_at_its_kink_or_crosses_it(label, readout, slope):
    x = np.array([1.0, 1.0])  # (x, 1) with x = 1: ‖x̃‖² = 2
    start = np.array([2.0, 1.0])  # u = 3
    for T in (0.25, 0.75, 1.5, 40.0):
        pull = label * readout
        if pull > 0:
            expected = start + T * pull * x
        else:  # u falls by 4 a unit of time: 0 at T = ¾.  Then by 4γ: the kink is where a ReLU stays.
            expected = start + pull * (min(T, 0.75) + slope * max(T - 0.75, 0)) * x
        network = network_of([start], [readout], slope)
        end = reached(network, np.array([[1.0]]), np.array([label]), T)[0]
        assert np.abs(end - expected).max() <= 8 * EPS * max(3, np.abs(expected).max())


@pytest.mark.parametrize(("slope", "slides"), [(0.0, True), (0.3, True), (0.7, False)])
def test_two_samples_hold_a_neuron_on_a_kink_if_both_sides_push_towards_it(slope, slides):
    # x̃₁ = (1, 1) pulls down, x̃₂ = (0, 1) up, a = 1, N = 2: u₁ moves by ½(1 − 2φ'₁), > 0 below 0 if γ < ½.
    X, y = np.array([[1.0], [0.0]]), np.array([-1.0, 1.0])
    network = network_of([[1.0, 0.5]], [1.0], slope)  # u = (1.5, .5); u₁ falls by ½ until T = 3
    found = flow(network, X, y, T=[1.0, 3.0, 11.0])
    ends = [parameters_of(trained.final)[0] for trained in found.trained]
    assert np.abs(ends[0] - [0.5, 0.5]).max() <= 4 * EPS
    assert np.abs(ends[1] - [-0.5, 0.5]).max() <= 4 * EPS
    # ½(x̃₂ − φ'₁ x̃₁): φ'₁ = ½ keeps u₁ at 0, else φ'₁ = γ.
    velocity = np.array([-0.25, 0.25]) if slides else np.array([-slope, 1 - slope]) / 2
    assert np.abs(ends[2] - ([-0.5, 0.5] + 8 * velocity)).max() <= 16 * EPS
    assert (found.stops, found.crossings, found.departures) == ((1, 0, 0) if slides else (0, 1, 0))


def test_a_neuron_leaves_a_kink_when_another_sample_changes_the_pull():
    # x̃₁, x̃₂ as above with γ = 0 and a third coordinate 0, x̃₃ = (½, 1, 1), N = 3, first u = (1.5, .5, −.25).
    X, y = np.array([[1.0, 0.0], [0.0, 0.0], [0.5, 1.0]]), np.array([-1.0, 1.0, 1.0])
    network = network_of([[1.0, -1.25, 0.5]], [1.0], 0.0)
    found = flow(network, X, y, T=[4.5, 16.5, 22.5])
    # ⅓(x̃₂ − x̃₁) until u₁ = 0; ⅓(x̃₂ − ½ x̃₁) until u₃ = 0; then holding u₁ would need φ'₁ = 5/4:
    # ⅓(x̃₂ + x̃₃ − x̃₁), and u₁ rises.
    expected = [[-0.5, -1.25, 0.5], [-2.5, -1.25, 2.5], [-3.5, 0.75, 4.5]]
    ends = np.array([parameters_of(trained.final)[0] for trained in found.trained])
    assert np.abs(ends - expected).max() <= 32 * EPS
    assert (found.stops, found.crossings, found.departures) == (1, 1, 1)


@pytest.mark.parametrize("slope", SLOPES)
def test_before_the_first_event_a_neuron_moves_by_the_gradient(slope):
    for seed in range(20):
        network, X, y = problem(seed, num_points=12, dim=4, width=5, slope=slope)
        points = torch.tensor(X)
        (-(torch.tensor(y) * network(points)).mean()).backward()
        gradient = torch.cat([network.weight.grad, network.bias.grad[:, None]], dim=1).numpy()
        start = parameters_of(network)
        u, speed = start @ extend(X).T, np.abs(gradient @ extend(X).T)
        T = 0.99 / float((speed / np.abs(u)).max())
        end = reached(network, X, y, T)
        size = np.abs(start).max() + T * np.abs(extend(X)).max() * np.abs(network.readout.numpy()).max()
        # Two sums of N products, rounded at every term.
        assert np.abs(end - (start - T * gradient)).max() <= 2 * (len(X) + 4) * EPS * size
        assert flow(network, X, y, T=T).crossings == 0


# Descent --------------------------------------------------------------------------------------------

STEPS, SEEDS = (250, 1000, 4000), 6


@pytest.mark.parametrize("slope", SLOPES)
@pytest.mark.parametrize(("num_points", "dim", "T", "slides"), [(40, 8, 20.0, False), (6, 4, 30.0, True)])
def test_gap_to_descent_falls_like_one_over_steps(num_points, dim, T, slides, slope):
    """Seeds 0 to 5, m = 20 each; gap of all parameters, mean over seeds; slopes from −.95 to −1.06 seen."""
    gaps = np.zeros(len(STEPS))
    stops = 0
    for seed in range(SEEDS):
        network, X, y = problem(seed, num_points=num_points, dim=dim, width=20, slope=slope)
        found = flow(network, X, y, T=T)
        stops += found.stops
        exact = parameters_of(found.trained[0].final)
        for index, num_steps in enumerate(STEPS):
            descent = train(network, torch.tensor(X), torch.tensor(y), T=T, num_steps=num_steps).final
            gaps[index] += np.linalg.norm(parameters_of(descent) - exact) / np.linalg.norm(exact) / SEEDS
    assert slides <= (stops > 0)
    rate = stats.linregress(np.log(STEPS), np.log(gaps)).slope
    assert rate == pytest.approx(-1, abs=0.15)
    assert gaps[-1] < 2e-3


# What every trajectory does -------------------------------------------------------------------------


@pytest.mark.parametrize("slope", SLOPES)
def test_each_sample_acts_with_a_slope_between_gamma_and_one(slope):
    """∫φ' dt in [γ T, T], read off the weights where the x̃ are independent; 40 problems, N = 8, d = 9."""
    inside = 0
    for seed in range(40):
        network, X, y = problem(seed, num_points=8, dim=9, width=6, slope=slope)
        start, readout, T = parameters_of(network), network.readout.numpy(), 50.0
        moved = (reached(network, X, y, T) - start) / readout[:, None]
        total = np.linalg.lstsq((extend(X) * y[:, None]).T / len(X), moved.T, rcond=None)[0] / T
        accuracy = 1e-12 * np.linalg.cond(extend(X))
        assert (total >= slope - accuracy).all()
        assert (total <= 1 + accuracy).all()
        inside += int(((total > slope + 0.01) & (total < 1 - 0.01)).sum())
    assert inside > 40


@pytest.mark.parametrize("slope", SLOPES)
def test_loss_falls_by_at_least_the_squared_speed(slope):
    """−ΔL ≥ Σ ‖Δw_i‖²/Δt, as dL/dt = −‖velocity‖², with equality where no event lies between."""
    for seed in range(15):
        network, X, y = problem(seed, num_points=10, dim=4, width=1, slope=slope)
        times = np.linspace(0, 60, 41)
        found = flow(network, X, y, T=list(times))
        path = [parameters_of(trained.final) for trained in found.trained]
        losses = np.array([loss(parameters, network, X, y) for parameters in path])
        speeds = np.array([np.sum((b - a) ** 2) for a, b in pairwise(path)]) / np.diff(times)
        excess = -np.diff(losses) - speeds
        rounding = 1e-12 * np.abs(losses).max()
        assert (excess >= -rounding).all()
        assert (excess > rounding).sum() <= found.crossings + found.stops + found.departures


def test_a_neuron_without_readout_does_not_move():
    network, X, y = problem(0, num_points=9, dim=3, width=5, slope=0.3)
    network.readout[2] = 0.0
    start, end = parameters_of(network), reached(network, X, y, 30.0)
    assert (end[2] == start[2]).all()
    assert (end[[0, 1, 3, 4]] != start[[0, 1, 3, 4]]).all()


@pytest.mark.parametrize("slope", SLOPES)
def test_flow_can_be_stopped_and_taken_up_again(slope):
    stops = 0
    for seed in range(20):
        network, X, y = problem(seed, num_points=6, dim=5, width=10, slope=slope)
        first = flow(network, X, y, T=7.0)
        stops += first.stops
        assert_close(reached(first.trained[0].final, X, y, 13.0), reached(network, X, y, 20.0))
    assert stops > (20 if slope < 0.5 else 0)


@pytest.mark.parametrize("slope", SLOPES)
def test_symmetries(slope):
    rng = np.random.default_rng(5)
    for seed in range(10):
        network, X, y = problem(seed, num_points=12, dim=6, width=8, slope=slope)
        start, readout, T = parameters_of(network), network.readout.numpy(), 40.0
        end = reached(network, X, y, T)
        order = rng.permutation(len(X))
        assert_close(reached(network, X[order], y[order], T), end)
        order = rng.permutation(network.width)
        assert_close(reached(network_of(start[order], readout[order], slope), X, y, T), end[order])
        turn = stats.ortho_group.rvs(6, random_state=rng)
        turned = np.column_stack([start[:, :-1] @ turn, start[:, -1]])
        expected = np.column_stack([end[:, :-1] @ turn, end[:, -1]])
        assert_close(reached(network_of(turned, readout, slope), X @ turn, y, T), expected)
        # Larger readouts, shorter time; all labels and readouts with the other sign.  Powers of 2: exactly.
        assert (reached(network_of(start, 4 * readout, slope), X, y, T / 4) == end).all()
        assert (reached(network_of(start, -readout, slope), X, -y, T) == end).all()


def test_equal_samples_are_one_sample_of_their_total_label():
    network, X, y = problem(3, num_points=8, dim=4, width=10, slope=0.3)
    twice = flow(network, np.vstack([X, X]), np.r_[y, y], T=20.0)
    assert twice.distinct == 8
    assert_close(parameters_of(twice.trained[0].final), reached(network, X, y, 20.0))
    # Opposite labels cancel: as if absent, but counted in N.
    both = flow(network, np.vstack([X, X[:2] + 9, X[:2] + 9]), np.r_[y, 1, 1, -1, -1], T=20.0)
    assert both.distinct == 8
    assert_close(parameters_of(both.trained[0].final), reached(network, X, y, 20.0 * 8 / 12))
    nothing = flow(network, np.vstack([X, X]), np.r_[y, -y], T=[1.0, 20.0])
    assert nothing.distinct == 0
    for trained in nothing.trained:
        assert torch.equal(trained.final.weight, network.weight)
    assert flow(network, np.array([[0.0] * 4, [-0.0] * 4]), np.ones(2), T=1.0).distinct == 1


def test_several_times_in_one_call_are_those_of_separate_calls():
    for num_points, slope in ((6, 0.0), (12, 0.3), (1600, 0.3)):
        network, X, y = problem(2, num_points=num_points, dim=4, width=6, slope=slope)
        times = [0.0, 1e-3, 0.5, 3.0, 3.0 + 1e-9, 70.0]
        found = flow(network, X, y, T=times)
        assert [trained.T for trained in found.trained] == times
        assert torch.equal(found.trained[0].final.weight, network.weight)
        for trained in found.trained[1:]:
            assert_close(parameters_of(trained.final), reached(network, X, y, trained.T))


def test_threads_do_not_change_the_result():
    network, X, y = problem(4, num_points=20, dim=5, width=501, slope=0.3)
    many = flow(network, X, y, T=20.0)
    with threadpool_limits(limits=1):
        one = flow(network, X, y, T=20.0)
    # The products before and after the events are cut differently, and their sums round differently.
    assert_close(parameters_of(many.trained[0].final), parameters_of(one.trained[0].final))
    assert (many.crossings, many.stops, many.departures) == (one.crossings, one.stops, one.departures)


def test_networks_in_single_precision_are_followed_in_double():
    network, X, y = problem(6, num_points=10, dim=3, width=20, slope=0.3, dtype=torch.float32)
    end = flow(network, X, y, T=20.0).trained[0].final
    double = network_of(parameters_of(network), network.readout.numpy(), 0.3)
    assert end.weight.dtype == end.bias.dtype == torch.float32
    assert (parameters_of(end) == reached(double, X, y, 20.0).astype(np.float32)).all()


# Ties and extremes ----------------------------------------------------------------------------------


def tie(seed, kind):
    """Samples on a small grid, their weights too, so that many kinks are met together."""
    rng = np.random.default_rng(seed)
    N, d = int(rng.integers(3, 9)), int(rng.integers(1, 3))
    X = rng.integers(-2, 3, size=(N, d)).astype(float)
    X = {"pairs": np.vstack([X, -X]), "on a line": np.outer(X[:, 0], np.ones(d))}.get(kind, X)
    y = rng.choice([-1.0, 1.0], len(X))
    start = rng.integers(-2, 3, size=(2, d + 1)) * (kind != "zero network")
    return X, y, network_of(start, rng.choice([-2.0, -1.0, 1.0, 2.0], 2), rng.choice([0.0, 0.3, 0.5, 0.9]))


def inclusion_gap(inputs, c, slope, signs, velocity):
    """Return how far a velocity is from all Σ c_k s_k x̃_k with s_k = φ' off the kinks, in [γ, 1] on them."""
    free = signs == 0
    gap = velocity - (c * np.where(signs > 0, 1.0, slope))[~free] @ inputs[~free]
    if free.any():
        pull = inputs[free].T * c[free]
        gap = gap - pull @ optimize.lsq_linear(pull, gap, (slope, 1), method="bvls", tol=1e-15).x
    return np.abs(gap).max()


@pytest.mark.parametrize("kind", ["grid", "pairs", "on a line", "zero network"])
def test_with_ties_the_result_is_a_solution(kind):
    """Seeds 0 to 59, 40 pieces of time each: constant sign patterns move by a velocity of the inclusion.

    Where kinks are met together solutions need not be unique (Derivation 14): none is compared with another.
    """
    on_kinks = pieces = 0
    for seed in range(60):
        X, y, network = tie(seed, kind)
        T = (1.0, 10.0, 100.0)[seed % 3]
        times = np.r_[0.0, T * (np.arange(40) + 1 / math.pi) / 40]
        found = flow(network, X, y, T=list(times))
        path = np.array([parameters_of(trained.final) for trained in found.trained])
        assert np.isfinite(path).all()
        inputs, labels = distinct(X, y)
        if len(inputs) == 0:
            continue
        changes = 0
        for i, a in enumerate(network.readout.numpy()):
            u = path[:, i] @ inputs.T
            signs = np.sign(np.where(np.abs(u) <= 1e-11 * (1 + np.abs(u).max()), 0.0, u))
            for k in range(1, len(times) - 1):
                if (signs[k] != signs[k + 1]).any():
                    changes += 1
                    continue
                velocity = (path[k + 1, i] - path[k, i]) / (times[k + 1] - times[k]) / a
                gap = inclusion_gap(inputs, labels, network.negative_slope, signs[k], velocity)
                assert gap <= 1e-10 * np.abs(inputs).max() * (1 + 1 / T)
                on_kinks, pieces = on_kinks + int((signs[k] == 0).any()), pieces + 1
        assert changes <= found.crossings + found.stops + found.departures
    assert on_kinks > pieces / 20


def test_a_neuron_held_on_as_many_kinks_as_parameters_has_several_solutions():
    # Derivation 14: x̃ of −2 and 2 hold w̃ at 0, where all kinks are.  To stay is one solution, leaving
    # with velocity (⅛, ¼) in r = 2t another.
    X = np.repeat([[-2.0], [0.0], [1.0], [2.0]], [1, 3, 1, 3], axis=0)
    y = np.array([-1.0, 1, 1, 1, 1, -1, -1, 1])
    network = network_of([[0.0, -2.0]], [2.0], 0.3)
    inputs, c = distinct(X, y)
    assert (c == np.array([-1, 3, 1, -1]) / 8).all()
    ray = np.array([1, 2]) / 8
    assert inclusion_gap(inputs, c, 0.3, np.zeros(4), np.zeros(2)) < 1e-15
    assert inclusion_gap(inputs, c, 0.3, np.sign(inputs @ ray), ray) < 1e-15
    found = flow(network, X, y, T=[20 / 3, 160 / 9, 18.0])
    ends = np.array([parameters_of(trained.final)[0] for trained in found.trained])
    assert np.abs(ends[0] @ [2, 1]) < 1e-14
    assert np.abs(ends[1]).max() < 1e-14
    assert min(np.abs(ends[2]).max(), np.abs(ends[2] - ray * 2 * (18 - 160 / 9)).max()) < 1e-14


@pytest.mark.parametrize("dim", [1, 2, 5])
def test_three_samples_on_a_line_let_a_neuron_stay_or_leave(dim):
    # Derivation 14: kinks of −2e, 0, 2e met together, with other weights that take no part; d = 1 is w̃ = 0.
    line = np.eye(dim)[0]
    X = np.repeat(np.outer([-2.0, 0.0, 2.0], line), [1, 3, 1], axis=0)
    y = np.array([-1.0, 1, 1, 1, -1])
    inputs, c = distinct(X, y)
    ray = np.append(0 * line, 1.0) / len(X)
    assert inclusion_gap(inputs, c, 0.3, np.zeros(3), np.zeros(dim + 1)) < 1e-15
    assert inclusion_gap(inputs, c, 0.3, np.sign(inputs @ ray), ray) < 1e-15
    start = np.append(1.0 - line, 0.0)
    end = reached(network_of([start], [1.0], 0.3), X, y, 8.0)[0]
    assert min(np.abs(end - start).max(), np.abs(end - start - 8 * ray).max()) < 1e-14


def test_a_neuron_at_rest_on_every_kink_follows_the_least_norm():
    # w̃ = 0: one sample pulls up (concave, φ'(0) = γ), one down (convex).  x̃ = (1, 1), (0, 1), N = 2, γ = ½:
    # ½(½ x̃₁ − q x̃₂) is least for q = ½, (¼, 0): u₁ rises at once, φ'₁ = 1, then q = 1: (½, 0), and u₂ = 0.
    network = network_of([[0.0, 0.0]], [1.0], 0.5)
    end = reached(network, np.array([[1.0], [0.0]]), np.array([1.0, -1.0]), 6.0)
    assert np.abs(end - [[3.0, 0.0]]).max() <= 16 * EPS


def extremes():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(8, 3)), rng.choice([-1.0, 1.0], 8)
    start, readout = rng.normal(size=(2, 4)), np.array([1.0, -1.0])
    for scale in (1e8, 1e100, 1e150):
        yield f"X × {scale:g}", X * scale, y, start, readout, 0.3, 10.0
    for scale in (1e-300, 1e-150, 1e-20):  # one point in float64, and one label, so that no order matters
        yield f"X × {scale:g}", X * scale, -np.ones(8), start, readout, 0.3, 10.0
    for scale in (1e-300, 1e-150, 1e150, 1e300):
        yield f"w × {scale:g}", X, y, start * scale, readout, 0.3, 10.0
        yield f"a × {scale:g}", X, y, start, readout * scale, 0.3, 10.0
    for T in (1e-300, 1e-12, 1e12, 1e100, 1e300):
        yield f"T = {T:g}", X, y, start, readout, 0.3, T
    for slope in (1 - 1e-9, 1 - EPS):
        yield f"γ = 1 − {1 - slope:g}", X, y, start, readout, slope, 1e3
    yield "rows of many scales", X * 10.0 ** np.linspace(-6, 6, 8)[:, None], y, start, readout, 0.3, 1e3
    # Opposite labels must be further apart than rounding: which of their kinks is met first decides.
    yield "nearly equal", np.vstack([X, X + 1e-15, X * (1 + 1e-9)]), np.r_[y, y, -y], start, readout, 0.0, 1e3
    yield "one sample, one neuron", X[:1], y[:1], start[:1], readout[:1], 0.0, 1e12


@pytest.mark.parametrize("case", list(extremes()), ids=lambda case: case[0])
def test_extreme_scales_are_right(case):
    _, X, y, start, readout, slope, T = case
    network = network_of(start, readout, slope)
    assert_close(reached(network, X, y, T), reference_of(network, X, y, T))


def test_norms_that_spread_over_sixteen_decades_take_a_bounded_number_of_looks():
    """Three samples of norm about 1e8, 1597 of norm about 1e-8, whose kinks are met at nearly one moment."""
    N, width = 1600, 8
    network, X, y = problem(7, num_points=N, dim=2, width=width, slope=0.0)
    X *= 10.0 ** np.where(np.arange(N) < 3, 8, -8)[:, None]
    found = flow(network, X, y, T=1e3)
    assert found.distinct == N
    doublings = math.ceil(math.log2(math.sqrt(N) / empirics.events._NEAR))
    assert found.looks <= width * empirics.events._PATIENCE * (doublings + 1)
    assert found.looks > empirics.events._PATIENCE
    end, expected = parameters_of(found.trained[0].final), reference_of(network, X, y, 1e3)
    # A velocity of 0 is rounding of a sum whose terms are as large as the largest speed.
    inputs, c = distinct(X, y)
    fastest = np.abs(network.readout.numpy()) * (np.abs(c) @ np.linalg.norm(inputs, axis=1))
    assert (np.abs(end - expected).max(axis=1) <= 64 * EPS * (1 + 1e3 * fastest)).all()


@pytest.mark.parametrize("scale", [1e154, 1e200, 1e300])
def test_what_can_leave_float64_is_an_error(scale):
    network, X, y = problem(0, num_points=5, dim=3, width=2, slope=0.0)
    with pytest.raises(FloatingPointError, match=r"flow must stay within float64, got samples of norm"):
        flow(network, X * scale, y, T=10.0)


def test_thousands_of_nearly_equal_samples_and_a_long_time_come_to_an_end():
    rng = np.random.default_rng(0)
    n = 2000
    X = np.column_stack([1 + EPS * np.arange(n), np.ones(n)])
    network = network_of([[1e3, 0.0, 0.0], [-1e3, 0.0, 0.0]], [1.0, 1.0], 0.3)
    # Their kinks are met at one moment, and which comes first decides.
    with pytest.raises(FloatingPointError, match="neuron 0 whose path to T = 1e\\+12 rounding hides"):
        flow(network, X, np.where(np.arange(n) % 3 == 0, 1.0, -1.0), T=1e12)
    # Half pull up, half down: the weight of the first coordinate grows by ½ ε, at φ' = γ by ½ γ ε.
    end = reached(network, X, np.where(np.arange(n) % 2, 1.0, -1.0), 1e12)
    assert np.abs(end[:, 0] - [1e3 + 0.5e12 * EPS, -1e3 + 0.15e12 * EPS]).max() < 1e-4
    grid = rng.integers(-40, 41, size=(4000, 2)).astype(float)
    network = network_of([[1, 2, 0], [0, 0, 0], [-1, 1, 3]], [1.0, 1.0, -1.0], 0.0)
    assert np.isfinite(reached(network, grid, rng.choice([-1.0, 1.0], 4000), 1e3)).all()


@pytest.mark.parametrize(("seed", "draws", "start"), [(41, 0, (2.0, 1.0, -1.0)), (44, 3, None)])
def test_a_neuron_at_which_thousands_of_kinks_meet_is_followed_to_the_end(seed, draws, start):
    # Looks ahead by less than the clock or the positions can tell apart were repeated for ever.
    rng = np.random.default_rng(seed)
    X = rng.integers(-40, 41, size=(3000, 2)).astype(float)
    y = rng.choice([-1.0, 1.0], 3000)
    start = start or [rng.normal(size=3) for _ in range(draws)][-1]
    found = flow(network_of([start], [-1.0], 0.0), X, y, T=1e3)
    assert found.looks < 1000
    assert np.isfinite(parameters_of(found.trained[0].final)).all()


@pytest.mark.parametrize("slope", SLOPES)
def test_all_kinks_of_a_grid_met_at_once_are_decided(slope):
    """40 grids of 300 samples, seeds 0 to 39, and a network of zeros."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        X, y = rng.integers(-8, 9, size=(300, 2)).astype(float), rng.choice([-1.0, 1.0], 300)
        network = network_of(np.zeros((2, 3)), [1.0, -1.0], slope)
        path = [parameters_of(trained.final) for trained in flow(network, X, y, T=[1.0, 2.0]).trained]
        # Homogeneous: from 0 it leaves on a ray, at constant velocity v: the loss falls by ‖v‖² t.
        assert_close(path[1], 2 * path[0])
        fall = -loss(path[0], network, X, y)
        assert fall == pytest.approx((path[0] ** 2).sum(), rel=1e-10)


@pytest.mark.parametrize("count", [1, 2, 3, 50, 1001])
def test_the_value_of_a_rank_is_that_of_sorting(count):
    rng = np.random.default_rng(count)
    for values in (rng.normal(size=count), rng.integers(0, 4, count) * 1.0, np.arange(count)[::-1] * 1.0):
        for rank in {0, count // 3, count - 1}:
            assert empirics.events._smallest(values.copy(), rank) == np.sort(values)[rank]


def test_close_samples_are_grouped_and_told_by_their_labels():
    """Pairs and triples within 1e-6 of their norm, some of both labels, and four samples by themselves."""
    rng = np.random.default_rng(0)
    at = np.repeat(np.arange(8), [2, 3, 2, 3, 1, 1, 1, 1])
    inputs = rng.normal(size=(8, 5))[at] + 1e-7 * rng.normal(size=(14, 5))
    labels = np.where(np.arange(14) < 5, -1.0, 1.0)
    labels[[5, 9]] = -1.0
    order = rng.permutation(14)
    found = empirics.events._mixed(inputs[order], labels[order], 1e-5)[np.argsort(order)]
    assert (found[5:10] == 1).all()
    assert (found[10:] == 0).all()
    assert found[0] == found[1] != found[2] == found[3] == found[4]
    assert found[:5].max() < 0


def test_rounding_does_not_depend_on_how_neurons_are_divided():
    rng = np.random.default_rng(0)
    inputs, labels = distinct(rng.normal(size=(1600, 5)), rng.choice([-1.0, 1.0], 1600))
    starts, readouts, times = rng.normal(size=(19, 6)) @ inputs.T, np.ones(19), np.array([1.0, 20.0])

    def ways(part):
        return empirics.events.follow_all(inputs, labels, 0.3, starts[part], readouts[part], times)[0]

    at_once, parts = ways(slice(19)), [ways(part) for part in (slice(7), slice(7, 19))]
    assert (at_once == np.concatenate(parts, axis=1)).all()


def test_a_velocity_that_is_not_found_is_an_error(monkeypatch):
    # A network of zeros is on all kinks, convex for the loss as the samples pull down.
    X = np.random.default_rng(0).normal(size=(30, 3))
    inputs, labels = distinct(X, -np.ones(30))
    arguments = inputs, labels, 0.3, np.zeros((1, 30)), np.ones(1), np.ones(1)
    for cap, end in (
        ("20 * count + 20", (-1, empirics.events.DECIDED)),
        ("0", (0, empirics.events.UNSOLVED)),
    ):
        follow_all = interpreted([("range(20 * count + 20)", f"range({cap})")])["follow_all"]
        with np.errstate(invalid="ignore"):
            assert follow_all(*arguments)[2:] == end
    monkeypatch.setattr("empirics.exact_flow.follow_all", follow_all)
    with pytest.raises(FloatingPointError, match="neuron 0 on kinks where no shortest velocity was found"):
        flow(network_of(np.zeros((1, 4)), [1.0], 0.3), X, -np.ones(30), T=1.0)


GOOD = {"X": np.array([[1.0, 2.0], [3.0, 4.0]]), "y": np.array([1.0, -1.0]), "T": [1.0]}
BAD = {
    "no times": ({"T": []}, "T must be at least one and increase, got none"),
    "times fall": ({"T": [2.0, 1.0]}, "T must be at least one and increase, got 2, 1"),
    "times stay": ({"T": [1.0, 1.0]}, "T must be at least one and increase, got 1, 1"),
    "before 0": ({"T": [-1.0]}, "T must be >= 0, got -1.0"),
    "no number": ({"T": [math.nan]}, "T must be finite, got nan"),
    "for ever": ({"T": [math.inf]}, "T must be finite, got inf"),
    "labels": ({"y": np.array([1.0, 0.0])}, "y must be -1 or +1, got 0"),
    "few labels": ({"y": np.array([1.0])}, "y must have shape (2,), one label a point, got (1,)"),
    "one axis": ({"X": np.ones(2)}, "X must have shape (n, d) with n, d >= 1, got (2,)"),
    "dimension": ({"X": np.ones((2, 3))}, "X must have 2 columns, the input dimension of the network, got 3"),
    "X": ({"X": np.array([[1.0, math.nan], [3.0, 4.0]])}, "X must be finite, got nan"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name):
    change, message = BAD[name]
    arguments = GOOD | change
    network = network_of([[1.0, 1.0, 1.0]], [1.0], 0.0)
    with pytest.raises(ValueError, match=re.escape(message)):
        flow(network, arguments["X"], arguments["y"], T=arguments["T"])


# Mutants --------------------------------------------------------------------------------------------


def interpreted(changes):
    """Return the names of the source run by the interpreter, after changes that each fit exactly once."""
    source = "\n".join(Path(module.__file__).read_text() for module in (empirics.quadratic, empirics.events))
    source = re.sub(r"^from (theory\.compiled|empirics\.quadratic) .*$", "", source, flags=re.MULTILINE)
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    names = {"compiled": lambda function: function}
    exec(compile(source, "mutant", "exec"), names)
    return names


SMALL_WINDOWS = [("_FEW = 1500", "_FEW = 0"), ("_NEAR = 2.0", "_NEAR = 0.5")]
# Windows that soon hold all samples, whose products are not kept.
GROWING_WINDOWS = [*SMALL_WINDOWS, ("_PATIENCE = 256", "_PATIENCE = 1"), ("_HELD = 4096", "_HELD = 0")]


def limited(function, most):
    """A mutant may go in circles."""
    calls = iter(range(most))

    def counted(*arguments):
        if next(calls, None) is None:
            msg = "too many calls"
            raise RecursionError(msg)
        return function(*arguments)

    return counted


def case(seed):
    """Return inputs, c, γ, w and a: random ones, or all kinks met at once, all convex but one."""
    rng = np.random.default_rng(seed)
    n, dim = (6, 3) if seed < 12 else (25, 4)
    inputs = np.column_stack([rng.normal(size=(n, dim - 1)), np.ones(n)])
    c, a, w = rng.choice([-1.0, 1.0], n) / n, rng.choice([-2.0, 0.5]), rng.normal(size=dim)
    if seed % 7 == 0:
        w, c = np.zeros(dim), np.full(n, -np.sign(a) / n)
        inputs[0], c[0] = -3 * inputs[1:].mean(axis=0), -c[0]
    return inputs, c, (0.0, 0.3, 0.6)[seed % 3], w, a


TIMES = np.array([0.7, 25.0])
EXPECTED = {
    seed: np.array([reference(x, np.sign(a) * c, slope, w, abs(a) * time) for time in TIMES])
    for seed in range(21)
    for x, c, slope, w, a in [case(seed)]
}


def is_right(changes):
    """Whether 21 problems are solved as by the reference, followed at once and in windows."""
    for windows in ([], SMALL_WINDOWS, GROWING_WINDOWS):
        for seed, expected in EXPECTED.items():
            names = interpreted(changes + windows)
            for name in ("_next", "_solve", "_window"):
                names[name] = limited(names[name], 3000)
            inputs, c, slope, w, a = case(seed)
            try:
                with np.errstate(all="ignore"):
                    start = (inputs @ w)[None]
                    ways, _, undecided, _ = names["follow_all"](inputs, c, slope, start, np.array([a]), TIMES)
            except RecursionError:
                return False
            gap = np.abs(w + a * ways[:, 0] - expected).max()
            if undecided >= 0 or not gap <= 1e-10 * np.abs(expected).max():
                return False
    return True


MUTANTS = {
    "never slides": ("if weights[event] > 0 or (", "if weights[event] != 0 or ("),
    "crosses where it slides": (
        "beyond * side[event] < -lengths[event] * known[_ERROR]",
        "beyond * side[event] > 0",
    ),
    "velocity not updated": (
        "_push(rate, velocity, weights[event] * change",
        "_push(rate, velocity.copy(), weights[event] * change",
    ),
    "rates stale": (
        "_push(rate, velocity, weights[event] * change",
        "_push(rate.copy(), velocity, weights[event] * change",
    ),
    "rates stale while sliding": ("_push(rate, velocity, chosen", "_push(rate.copy(), velocity, chosen"),
    "slope of the wrong side": (
        "(1.0, 1.0) if start[k] > 0 else (-1.0, slope)",
        "(1.0, slope) if start[k] > 0 else (-1.0, 1.0)",
    ),
    "wrong slope after a slide": ("s[k] = 1.0 if place[i] < 0", "s[k] = 1.0 if place[i] > 0"),
    "slope 0 for γ on a kink": ("weights[k], slope * weights[k], _ROUNDING", "weights[k], 0.0, _ROUNDING"),
    "sign of the readout lost": ("velocity[i, j] *= np.sign(readouts[i])", "pass"),
    "sign of the readout lost in a window": ("sign * labels[of]", "labels[of]"),
    "way not added to the start": ("np.dot(way, inputs.T, p)", "p[:] = 0"),
    "clock stands": ("now += step", "now += 0"),
    "push of the others doubled": ("add(base, -1.0, pulls)", "pass"),
    "leaves no end of an interval": (
        "if place[i] * gradient > worst",
        "if place[i] * gradient > np.inf * worst",
    ),
    "ends exchanged": ("end = high[free[i]] if way[i] > 0", "end = high[free[i]] if way[i] < 0"),
    "straying ignored by the look": ("straying * lengths[k] + max", "1e-9 * straying * lengths[k] + max"),
    "straying not watched": ("if longest < step:", "if longest < -1:"),
    "products that are not kept": ("np.dot(inputs, inputs[k], products)", "products[:] = 0"),
    "state of a window forgotten": ("all_slopes[members[k]] = s[k]", "pass"),
}


def test_the_interpreted_source_is_right():
    assert is_right([])


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(name):
    assert not is_right([MUTANTS[name]])
