"""The velocity of a sliding neuron: against scipy, conditions of optimality, ends of intervals, mutants."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import optimize

import empirics.quadratic
from empirics.quadratic import least_norm

EPS = np.finfo(np.float64).eps


def problem(seed, *, count, dim, kind):
    """Return A, r, low and high of: minimise ½ ‖Aᵀ ξ + r‖², low ≤ ξ ≤ high."""
    rng = np.random.default_rng(seed)
    inputs, rest = rng.normal(size=(count, dim)), rng.normal(size=dim)
    if kind == "grid":  # dependent rows, minima at the ends, multipliers that vanish
        inputs, rest = rng.integers(-2, 3, size=(count, dim)) * 1.0, rng.integers(-3, 4, size=dim) * 1.0
    elif kind == "equal rows":
        inputs = inputs[rng.integers(0, max(1, count // 2), size=count)]
    elif kind == "in balance":
        rest = -rng.uniform(0.4, 1.0, count) @ inputs
    low = -rng.integers(1, 4, size=count) / 2.0
    return inputs, rest, low, low * rng.choice([0.0, 0.3, 0.9])


KINDS = ("random", "grid", "equal rows", "in balance")


def solve(inputs, rest, low, high, place, function=least_norm):
    """Start at the given places, a free one in the middle; return ξ, the places and the tolerance."""
    lengths = np.linalg.norm(inputs, axis=1)
    scale = np.linalg.norm(rest) + np.abs(low) @ lengths
    tolerance = 1024 * EPS * lengths * scale
    force = np.where(place < 0, low, np.where(place > 0, high, (low + high) / 2))
    place = place.astype(float)
    found, optimal = function(inputs @ inputs.T, inputs @ rest, force, low, high, place, tolerance)
    assert optimal
    return found, place, tolerance


def assert_optimal(inputs, rest, low, high, found, place, tolerance):
    """The conditions of Karush, Kuhn and Tucker, which are sufficient as the problem is convex."""
    gradient = inputs @ (inputs.T @ found + rest)
    assert ((low <= found + 4 * EPS * np.abs(low)) & (found <= high + 4 * EPS * np.abs(low))).all()
    assert (found[place < 0] == low[place < 0]).all()
    assert (found[place > 0] == high[place > 0]).all()
    assert (gradient[place < 0] >= -2 * tolerance[place < 0]).all()
    assert (gradient[place > 0] <= 2 * tolerance[place > 0]).all()
    # Between the ends it is 0, up to the rounding of a solve whose pivots are above 1e-13 of their diagonal.
    assert (np.abs(gradient[place == 0]) <= 20 * tolerance[place == 0]).all()


@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 12),
    dim=st.integers(1, 6),
    kind=st.sampled_from(KINDS),
    data=st.data(),
)
def test_velocity_is_the_shortest_of_all(seed, count, dim, kind, data):
    inputs, rest, low, high = problem(seed, count=count, dim=dim, kind=kind)
    # Free at the start: independent ones, as those that a neuron slides on.
    place = np.array(data.draw(st.lists(st.sampled_from([-1, 1]), min_size=count, max_size=count)))
    if data.draw(st.booleans()) and np.linalg.norm(inputs[0]) > 0:
        place[0] = 0
    found, place, tolerance = solve(inputs, rest, low, high, place)
    assert_optimal(inputs, rest, low, high, found, place, tolerance)
    bounded = optimize.lsq_linear(inputs.T, -rest, (low, high), method="bvls", tol=1e-15, max_iter=1000).x
    # ξ need not be unique, the velocity is; ‖v − v*‖² ≤ 2 (goal − least goal), a goal right to rounding.
    velocity, expected = inputs.T @ found + rest, inputs.T @ bounded + rest
    scale = np.linalg.norm(rest) + np.abs(low) @ np.linalg.norm(inputs, axis=1)
    assert np.linalg.norm(velocity) <= np.linalg.norm(expected) + 1e-12 * scale
    assert np.linalg.norm(velocity - expected) <= 1e-7 * scale


@pytest.mark.parametrize("kind", KINDS)
def test_many_kinks_at_once(kind):
    for seed in range(6):
        inputs, rest, low, high = problem(seed, count=60, dim=8, kind=kind)
        found, place, tolerance = solve(inputs, rest, low, high, np.ones(60))
        assert_optimal(inputs, rest, low, high, found, place, tolerance)
        # Those between their ends are independent.
        assert np.linalg.matrix_rank(inputs[place == 0]) == (place == 0).sum() <= 8


@pytest.mark.parametrize(
    ("base", "force", "end"), [(3.0, -1.0, -1), (1.0, -0.5, 0), (0.1, -0.2, 1), (2.0, -1.0, None)]
)
def test_one_sample_by_hand(base, force, end):
    # ½ · 2 ξ² + ξ base over [−1, −.2]: ξ = −base/2 within, else the nearer end.
    place = np.array([1.0])
    one = np.array([1.0])
    found, optimal = least_norm(2 * np.eye(1), base * one, -0.2 * one, -one, -0.2 * one, place, 1e-12 * one)
    assert optimal
    assert found == pytest.approx([force], abs=4 * EPS)
    assert end is None or place[0] == end


def test_equal_samples_share_a_force_that_one_alone_cannot_give():
    # Two times the same sample, ‖x̃‖ = 1: −3/2 in all, each in [−1, 0].
    gram, ones = np.ones((2, 2)), np.ones(2)
    place = ones.copy()
    found, optimal = least_norm(gram, 1.5 * ones, 0 * ones, -ones, 0 * ones, place, 1e-12 * ones)
    assert optimal
    assert found.sum() == pytest.approx(-1.5, abs=8 * EPS)
    assert (place == 0).sum() <= 1


@pytest.mark.parametrize(
    ("gram", "base"), [(math.nan, 1.0), (1.0, math.nan), (1.5e308, 0.0), (math.inf, 1.0)]
)
def test_what_is_not_finite_is_not_called_optimal(gram, base):
    # Two samples at −1: their gradient base − 2 gram leaves float64.
    ones = np.ones(2)
    _, optimal = least_norm(
        np.full((2, 2), gram), base * ones, -ones, -ones, 0 * ones, -ones.copy(), 1e-12 * ones
    )
    assert not optimal


def test_a_cap_that_is_reached_is_told():
    names = interpreted([("range(20 * count + 20)", "range(1)")])
    inputs, rest, low, high = problem(0, count=12, dim=4, kind="in balance")
    ends, place = np.ones(12), np.ones(12)
    gram = inputs @ inputs.T
    _, optimal = names["least_norm"](gram, inputs @ rest, high.copy(), low, high, place, 1e-12 * ends)
    assert not optimal


@pytest.mark.parametrize("norm", [1.0, 1e8, 1e14])
def test_a_small_force_is_not_rounded_like_the_large_one_that_it_was(norm):
    # ½ S² ξ² + S ξ over [−1, 0], from ξ = −1: −1/S, far below the rounding of 1.
    one = np.ones(1)
    found, optimal = least_norm(
        norm**2 * np.eye(1), norm * one, -one, -one, 0 * one, 0 * one, 1024 * EPS * norm * one
    )
    assert optimal
    assert found[0] == pytest.approx(-1 / norm, rel=1e-12)


def test_scales():
    inputs, rest, low, high = problem(1, count=6, dim=4, kind="random")
    expected, places, _ = solve(inputs, rest, low, high, np.ones(6))
    for factor in (2.0**-400, 2.0**-200, 2.0**200, 2.0**400):
        found, place, _ = solve(inputs * factor, rest * factor, low, high, np.ones(6))
        assert (found == expected).all()
        assert (place == places).all()


# Each text stands once in the source.
MUTANTS = {
    "multiplier of the wrong sign": ("if place[i] * gradient > worst", "if -place[i] * gradient > worst"),
    "ends exchanged": ("end = high[free[i]] if way[i] > 0", "end = high[free[i]] if way[i] < 0"),
    "stays at the wrong end": ("place[k] = 1.0 if way[hit] > 0", "place[k] = 1.0 if way[hit] < 0"),
    "stops at the first end": ("finished = num == 0 or (reached and longest == 1)", "finished = True"),
    "base forgotten": ("way[i] = -base[free[i]]", "way[i] = 0.0"),
    "gives up": (
        "which < 0:\n            narrowest = 1.0",
        "which < 0:\n            narrowest = 0.0",
    ),
    "half a back substitution": ("right[row] -= factor[k, row] * right[k]", "pass"),
}


def interpreted(changes):
    """Return the names of the source run by the interpreter, after changes that each fit exactly once."""
    source = Path(empirics.quadratic.__file__).read_text()
    source = re.sub(r"^from theory\.compiled .*$", "", source, flags=re.MULTILINE)
    for old, new in changes:
        assert source.count(old) == 1, old
        source = source.replace(old, new)
    names = {"compiled": lambda function: function}
    exec(compile(source, "mutant", "exec"), names)
    return names


def is_right(changes):
    """Whether the source after changes solves 40 problems; a wrong mutant may leave the interval or raise."""
    names = interpreted(changes)
    rounds = iter(range(3000))
    move = names["_move"]

    def limited(*arguments):
        next(rounds)  # a mutant may go in circles
        return move(*arguments)

    names["_move"] = limited
    for seed in range(40):
        inputs, rest, low, high = problem(seed, count=7, dim=1 + seed % 5, kind=KINDS[seed % 4])
        try:
            with np.errstate(all="ignore"):
                solved = solve(inputs, rest, low, high, np.ones(7), names["least_norm"])
            assert_optimal(inputs, rest, low, high, *solved)
        except (AssertionError, StopIteration):
            return False
    return True


# A second solution mends what is left of the first, also where a mutant left it.
ONE_SOLUTION = ("if rough:", "if False:")


@pytest.mark.parametrize("changes", [[], [ONE_SOLUTION]])
def test_the_interpreted_source_is_right(changes):
    assert is_right(changes)


@pytest.mark.parametrize("name", MUTANTS)
def test_mutants_are_caught(name):
    assert not is_right([MUTANTS[name], ONE_SOLUTION])
