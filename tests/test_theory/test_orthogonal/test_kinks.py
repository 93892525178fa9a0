"""How far kinks turn gradients from s: a bound that is attained, with and without orthogonality."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from theory.orthogonal import (
    gradient_cosine,
    kink_cosine,
    limit_network,
    multipliers,
)

ROUNDING = 1e-12  # of the cosines here: sums of at most 20 numbers of order 1, divided by norms above 1e-2


def _cosine(a, b):
    return a @ b / np.linalg.norm(a) / np.linalg.norm(b)


def _kinds(X, y, slope):
    """Return s and the gradients of the limit network by the signs of v·z and u·z."""
    v, u = limit_network(X, y, negative_slope=slope, width=2)
    return v - u, np.array([v - u, v - slope * u, slope * v - u, slope * (v - u)])


def _case(seed, shift):
    """Return N samples whose classes share a mean of size `shift`, several a class."""
    rng = np.random.default_rng(seed)
    N, dim = int(rng.integers(2, 7)), 12
    return rng.standard_normal((N, dim)) / 3 + shift, np.where(np.arange(N) % 2, 1.0, -1.0), rng


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 2.0]), st.floats(0.01, 0.99))
def test_no_sum_of_gradients_is_farther_from_s(seed, shift, slope):
    X, y, rng = _case(seed, shift)
    s, kinds = _kinds(X, y, slope)
    bound = gradient_cosine(X, y, negative_slope=slope)
    weights = rng.exponential(size=(50, 4)) ** 4  # some far larger than others
    cosines = [_cosine(gradient, s) for gradient in np.vstack([kinds, weights @ kinds])]
    assert min(cosines) >= bound - ROUNDING
    assert min(cosines[:4]) == pytest.approx(bound, abs=1e-9)  # attained


def test_a_shared_mean_breaks_the_orthogonal_bound_and_not_the_general_one():
    X, y, _ = _case(3, 2.0)
    bound = gradient_cosine(X, y, negative_slope=0.3)
    s, kinds = _kinds(X, y, 0.3)
    assert bound < kink_cosine(0.3) - 0.1
    assert min(_cosine(gradient, s) for gradient in kinds) < kink_cosine(0.3) - 0.1


@given(st.integers(0, 2**32 - 1), st.floats(0.001, 0.999))
def test_orthogonal_classes_are_above_the_kantorovich_bound(seed, slope):
    rng = np.random.default_rng(seed)
    X = np.diag(rng.uniform(0.1, 3, 5))
    y = np.array([1.0, -1, 1, -1, -1])
    assert gradient_cosine(X, y, negative_slope=slope) >= kink_cosine(slope) - ROUNDING


@pytest.mark.parametrize("slope", [0.01, 0.1, 0.5, 0.9])
def test_the_orthogonal_bound_is_attained(slope):
    y = np.array([1.0, -1.0])
    found = [
        gradient_cosine(np.diag([1.0, size]), y, negative_slope=slope) for size in np.geomspace(0.02, 50, 400)
    ]
    assert min(found) >= kink_cosine(slope) - ROUNDING
    # The grid has steps of 2 %.
    assert min(found) == pytest.approx(kink_cosine(slope), abs=1e-3)


def test_kink_cosine_stays_in_its_range():
    slopes = [*(1 - np.geomspace(1e-16, 1e-3, 2000)), *np.linspace(1e-9, 0.999, 500)]
    values = [kink_cosine(float(slope)) for slope in slopes if slope < 1]
    assert 0 < min(values) <= max(values) <= 1


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.95), st.floats(1e-4, 0.05))
def test_networks_near_the_limit_keep_their_bound(seed, slope, deviation):
    """Weights off the limit by `deviation`, towards the kinks of each neuron, have no gradient beyond."""
    X, y, rng = _case(seed, 0.0)
    width = 6
    v, u = limit_network(X, y, negative_slope=slope, width=width)
    limit = np.repeat([v, u], width // 2, axis=0) * rng.exponential()
    readout = np.repeat([1.0, -1.0], width // 2) / math.sqrt(width)
    s = v - u
    bound = gradient_cosine(X, y, negative_slope=slope, deviation=deviation)
    for _ in range(10):
        # Random, or all against s, which turns most.
        away = rng.standard_normal(limit.shape[1])
        away -= (away @ s) / (s @ s) * s
        noise = rng.standard_normal(limit.shape) if rng.random() < 0.5 else np.outer(readout, away)
        W = limit + deviation * np.linalg.norm(limit) / np.linalg.norm(noise) * noise
        slopes = np.where(rng.standard_normal((20, limit.shape[1])) @ W.T > 0, 1.0, slope)
        gradients = (slopes * readout) @ W
        assert min(_cosine(gradient, s) for gradient in gradients) >= bound - ROUNDING


def test_the_deviation_costs_an_angle_and_then_everything():
    X, y, _ = _case(1, 0.0)
    found = [gradient_cosine(X, y, negative_slope=0.5, deviation=part) for part in (0.0, 0.01, 0.05, 0.5)]
    assert found[0] > found[1] > found[2] > 0
    assert found[3] == -1
    # sin η of a class alone: v, −γv; √2 ‖(v, u)‖/(γ(1 + γ)‖P‖ …) by hand: V = P, U = γP.
    one = gradient_cosine(np.eye(1, 3), [1.0], negative_slope=0.5, deviation=0.01)
    sine = 0.01 * math.sqrt(2 * (1 + 0.25)) / (0.5 * (1 + 0.5))
    assert one == pytest.approx(math.sqrt(1 - sine**2), rel=1e-12)


def test_nothing_is_said_without_a_direction():
    X = np.vstack([np.eye(3), np.eye(3)])
    assert math.isnan(gradient_cosine(np.zeros((2, 3)), [1, -1], negative_slope=0.5))
    assert not gradient_cosine(1e200 * X[:2], [1, -1], negative_slope=0.5) > 0  # beyond 1e±140
    with pytest.raises(ValueError, match="deviation must be >= 0"):
        gradient_cosine(X[:2], [1, -1], negative_slope=0.5, deviation=-1.0)


def test_given_multipliers_are_used():
    X, y, _ = _case(2, 0.0)
    known = multipliers(X, y, negative_slope=0.5)
    assert gradient_cosine(X, y, negative_slope=0.5, multipliers=known) == gradient_cosine(
        X, y, negative_slope=0.5
    )
