"""The limit boundary and its network: one sign, unit margins, whatever the width; perturbations along it."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, strategies as st

from tests.test_theory.test_orthogonal.cases import (
    exact_inner,
    exact_multipliers,
    exact_network,
    near_orthogonal,
)
from theory.orthogonal import (
    limit_direction,
    limit_network,
    limit_output,
    limit_perturbations,
    multipliers,
    network_output,
)
from theory.testing import orthogonal_sets


@given(orthogonal_sets(max_share=20.0), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_network_has_unit_margins_and_the_sign_of_the_boundary(case, half, seed):
    X, y, slope = case
    Z = np.random.default_rng(seed).standard_normal((5, X.shape[1]))
    v, u = limit_network(X, y, negative_slope=slope, width=2 * half)
    options = {"width": 2 * half, "negative_slope": slope}
    assert y * network_output(X, v=v, u=u, **options) == pytest.approx(np.ones(len(X)), rel=1e-9)
    boundary = limit_output(Z, X=X, y=y, negative_slope=slope)
    output = network_output(Z, v=v, u=u, **options)
    clear = np.abs(boundary) > 1e-12 * np.abs(boundary).max()
    assert (np.sign(boundary) == np.sign(output))[clear].all()
    difference = (1 + slope) / np.sqrt(2 * half) * limit_direction(X, y, negative_slope=slope)
    assert v - u == pytest.approx(difference, rel=1e-9, abs=1e-12 * np.abs(difference).max())


def test_network_matches_exact_arithmetic():
    rng = np.random.default_rng(2)
    X, y = near_orthogonal(rng, 4, 9)
    exact = exact_network(X, y, 0.25, exact_multipliers(X, y, 0.25))
    for weights, expected in zip(limit_network(X, y, negative_slope=0.25, width=4), exact, strict=True):
        assert 2 * weights == pytest.approx([float(value) for value in expected], rel=1e-12, abs=1e-13)
    z = rng.standard_normal(9)
    expected = sum(
        value * int(label) * exact_inner([Fraction(float(entry)) for entry in row], z)
        for value, label, row in zip(exact_multipliers(X, y, 0.25), y, X, strict=True)
    )
    assert limit_output([z], X=X, y=y, negative_slope=0.25) == pytest.approx([float(expected)], rel=1e-12)


def test_known_multipliers_are_used_and_checked():
    X, y = near_orthogonal(np.random.default_rng(1), 4, 30)
    known = multipliers(X, y, negative_slope=0.5)
    Z = np.eye(30)
    again = limit_output(Z, X=X, y=y, negative_slope=0.5, multipliers=known)
    assert (again == limit_output(Z, X=X, y=y, negative_slope=0.5)).all()
    for X_other, y_other, slope in ((X[:3], y[:3], 0.5), (X, y, 0.25)):
        with pytest.raises(ValueError, match="multipliers must be of this data and slope"):
            limit_output(Z, X=X_other, y=y_other, negative_slope=slope, multipliers=known)


@pytest.mark.parametrize("width", [0, 3])
def test_widths_that_cannot_be_halved_are_refused(width):
    with pytest.raises(ValueError, match="width must be"):
        limit_network(np.eye(2), [1, -1], negative_slope=0.5, width=width)
    with pytest.raises(ValueError, match="width must be"):
        network_output(np.eye(2), v=[1, 0], u=[0, 1], negative_slope=0.5, width=width)


def test_network_of_another_dimension_is_refused():
    with pytest.raises(ValueError, match="u must have shape"):
        network_output(np.eye(2), v=[1, 0], u=[0, 1, 0], negative_slope=0.5, width=2)


# Perturbations ----------------------------------------------------------------------------------------

DIRECTION = np.array([3.0, -4.0, 0.0, 4.0, 1.0])
ORIGIN = np.zeros((2, 5))


def test_perturbations_by_norm():
    """ε s/‖s‖; ε sgn s; sgn s on ⌈εd⌉ coordinates, the earlier of two equal ones first."""
    two = limit_perturbations(ORIGIN, DIRECTION, [1, -1], norm="L2", epsilon=0.7)
    assert two == pytest.approx(np.outer([1, -1], 0.7 * DIRECTION / np.sqrt(42)), rel=1e-15)
    largest = limit_perturbations(ORIGIN, DIRECTION, [1, -1], norm="Linf", epsilon=0.7)
    assert largest == pytest.approx(np.outer([1, -1], 0.7 * np.sign(DIRECTION)), rel=1e-15)
    for share, chosen in (
        (0.2, [1]),
        (0.21, [1, 3]),
        (0.4, [1, 3]),
        (0.41, [0, 1, 3]),
        (1.0, [0, 1, 3, 4]),
        (0, []),
    ):
        expected = np.zeros(5)
        expected[chosen] = 2.5 * np.sign(DIRECTION)[chosen]
        sparse = limit_perturbations(ORIGIN, DIRECTION, [1, -1], norm="L0", epsilon=share, amplitude=2.5)
        assert sparse == pytest.approx(np.outer([1, -1], expected), rel=1e-15)


def test_perturbations_of_the_published_steps():
    """L2 as above; ε s/‖s‖_∞; .3 A (k − j + 1) s/‖s‖_∞ on the k = ⌊εd⌋ largest, j the rank."""
    for norm, expected in (("L2", 0.7 * DIRECTION / np.sqrt(42)), ("Linf", 0.7 * DIRECTION / 4)):
        made = limit_perturbations(ORIGIN, DIRECTION, [1, -1], norm=norm, epsilon=0.7, steps="published")
        assert made == pytest.approx(np.outer([1, -1], expected), rel=1e-15)
    for share, counts in (
        (0.19, [0, 0, 0, 0, 0]),
        (0.2, [0, 1, 0, 0, 0]),
        (0.59, [0, 2, 0, 1, 0]),
        (0.6, [1, 3, 0, 2, 0]),
        (1.0, [3, 5, 0, 4, 2]),  # the coordinate with s = 0 is touched last, and stays
    ):
        made = limit_perturbations(
            ORIGIN, DIRECTION, [1, -1], norm="L0", epsilon=share, amplitude=2.5, steps="published"
        )
        assert made == pytest.approx(np.outer([1, -1], 0.75 * np.array(counts) * DIRECTION / 4), rel=1e-15)


@given(st.sampled_from(["L2", "Linf", "L0"]), st.sampled_from(["steepest", "published"]))
def test_a_box_clamps_perturbed_samples(norm, steps):
    base = np.array([[0.9, -0.2, 0.1, 0.0, -0.95], [-0.9, 0.9, 0.0, 0.3, 0.4]])
    options = {"norm": norm, "epsilon": 0.6, "steps": steps}
    free = limit_perturbations(base, DIRECTION, [1, -1], **options)
    clamped = limit_perturbations(base, DIRECTION, [1, -1], box=0.95, **options)
    assert (clamped == np.clip(free, -0.95, 0.95)).all()
    assert (clamped != free).any()


@pytest.mark.parametrize(("steps", "share"), [("steepest", 0.07), ("published", 0.29)])
def test_share_of_coordinates_forgives_rounding(steps, share):
    """In float64 0.07 · 100 is above 7, and 0.29 · 100 below 29."""
    assert (share * 100) % 1 > 0
    changed = limit_perturbations(
        np.zeros((1, 100)), np.arange(1.0, 101), [1], norm="L0", epsilon=share, steps=steps
    )
    assert np.count_nonzero(changed) == round(share * 100)


@given(st.sampled_from(["L2", "Linf", "L0"]), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_perturbed_samples_are_base_plus_target_times_step(norm, epsilon, seed):
    rng = np.random.default_rng(seed)
    base, s, t = rng.standard_normal((4, 6)), rng.standard_normal(6), rng.choice([-1.0, 1.0], 4)
    options = {"norm": norm, "epsilon": epsilon}
    step = limit_perturbations(np.zeros((1, 6)), s, [1], **options)
    assert limit_perturbations(base, s, t, **options) == pytest.approx(base + t[:, None] * step, rel=1e-15)
    assert limit_perturbations(base, s * 2.0**400, t, **options) == pytest.approx(
        limit_perturbations(base, s, t, **options), rel=1e-15
    )
    assert (step @ s >= 0).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"direction": np.zeros(5)}, "direction must not be 0"),
        ({"direction": np.ones(4)}, r"direction must have shape \(5,\)"),
        ({"norm": "L1"}, "norm must be one of L2, Linf, L0"),
        ({"norm": "L0", "epsilon": 1.5}, "epsilon must be <= 1 for L0"),
        ({"norm": "L0", "amplitude": -1.0}, "amplitude must be >= 0"),
        ({"epsilon": -0.1}, "epsilon must be >= 0"),
        ({"targets": [1, 0]}, "targets must be -1 or"),
        ({"steps": "largest"}, "steps must be one of steepest, published, got 'largest'"),
        ({"box": 0.0}, "box must be > 0, got 0"),
        ({"base": np.full((2, 5), -2.0), "box": 1.5}, "box must be >= 2, got 1.5"),
    ],
)
def test_bad_perturbations_are_refused(changes, message):
    asked = {"base": ORIGIN, "direction": DIRECTION, "targets": [1, -1], "norm": "L2", "epsilon": 0.5}
    with pytest.raises(ValueError, match=message):
        limit_perturbations(**asked | changes)
