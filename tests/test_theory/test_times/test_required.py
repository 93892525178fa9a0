"""What a mean agreement needs, or why nothing will do."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, strategies as st
from scipy import optimize

from theory.times import agreement_law, required
from theory.times.curve import Pair
from theory.times.required import _beside_maxima, search

RNG = np.random.default_rng(2)
y = np.where(np.arange(40) % 2, 1.0, -1.0)
X = RNG.standard_normal((40, 20)) + 0.3 * y[:, None]
Z = RNG.standard_normal((15, 20)) + 0.3 * RNG.choice([-1, 1], (15, 1))
DATA = {"Z": Z, "X": X, "y": y}


def share_at(of, value, T_f=3.0, T_g=math.inf, epsilon=None):
    """The mean share at one value of what was asked for."""
    if of == "T_g":
        return agreement_law(**DATA, T_f=T_f).share(value)
    if of == "T_f":
        return agreement_law(**DATA, T_f=value).share(T_g)
    if of == "both":
        return agreement_law(**DATA, T_f=value).share(value)
    return agreement_law(**DATA, T_f=T_f, epsilon=value).share(T_g)


@pytest.mark.parametrize("of", ["T_g", "T_f", "both", "epsilon"])
def test_the_share_is_that_at_the_value_and_below_it_before(of):
    given_times = {} if of in ("T_f", "both") else {"T_f": 3.0}
    found = required(**DATA, share=0.8, of=of, **given_times)
    assert 0 < found.value < math.inf
    assert found.cause is None
    assert share_at(of, found.value) == pytest.approx(0.8, abs=1e-8)
    assert found.floor == pytest.approx(share_at(of, 0.0), abs=1e-12)
    for part in (0.1, 0.5, 0.9):
        assert share_at(of, part * found.value) < 0.8
    assert str(found).startswith("A mean agreement of 0.8 is reached at ")


@given(st.floats(0.51, 0.85), st.floats(0.51, 0.85))
def test_more_agreement_needs_more_time(one, other):
    first, second = (required(**DATA, share=share, T_f=3.0) for share in sorted((one, other)))
    assert first.value <= second.value
    assert first.limit == second.limit == pytest.approx(float(share_at("T_g", math.inf)))


def test_the_largest_share_and_a_narrow_range_are_found_between_the_values_that_are_tried():
    """Targets of one class, equal times: long training follows these, short training the initial network."""
    given = {"targets": np.ones(40), "epsilon": 1.0}

    def at(time):
        return float(agreement_law(**DATA, **given, T_f=time).share(time))

    found = required(**DATA, **given, of="both", share=0.99999)
    best = optimize.minimize_scalar(
        lambda log: -at(math.exp(log)), math.log(found.best) + np.array([-0.5, 0.5])
    )
    assert -best.fun - 1e-6 <= found.limit <= -best.fun + 1e-12
    assert found.best == pytest.approx(math.exp(best.x), rel=0.03)
    assert at(found.best) == pytest.approx(found.limit, abs=1e-12)
    assert at(found.best * 10**0.125) < found.limit - 1e-4
    share = found.limit - 1e-5  # a range of a tenth of the distance of the values that are tried
    narrow = required(**DATA, **given, of="both", share=share)
    assert 0.9 * found.best < narrow.value < found.best
    assert at(narrow.value) == pytest.approx(share, abs=1e-9)


def test_values_are_put_beside_the_largest_and_what_may_come_first():
    """A local maximum below a share that is reached later, but no maximum behind, nor steps of rounding."""
    values = np.array([0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, math.inf])
    shares = np.array([0.5, 0.6, 0.69, 0.6, 0.9, 0.8, 0.85, 0.7])
    beside = np.geomspace(1, 10, 6)[1:-1]
    found = _beside_maxima(values, shares, 0.7)
    np.testing.assert_allclose(found, [*beside, *10 * beside])
    np.testing.assert_allclose(_beside_maxima(values, shares, 0.65), [])
    found = _beside_maxima(values, shares, 0.95)
    np.testing.assert_allclose(np.sort(found), np.concatenate([beside * 10**k for k in (0, 1, 2, 3, 4)]))
    flat = 0.6 + np.array([0, 1, 2, 1, 2, 1, 0, 1]) * 1e-15
    assert not _beside_maxima(values, flat, 0.5).size


def test_of_lengths_without_noise_the_smallest_that_is_tried_is_said():
    """Balanced targets, T_g → ∞: as ε → 0 agreement tends to more than is asked for, and at 0 it is 1/2."""
    found = required(**DATA, of="epsilon", T_f=math.inf, targets="balanced", share=0.8)
    assert found.floor == 0.5
    assert found.value == pytest.approx(math.sqrt(20) * 1e-5)
    assert "is reached at ε = 4.47e-05, the smallest that was tried." in str(found)


def test_the_same_points_with_both_labels_are_to_blame():
    data = {"Z": Z, "X": np.vstack([X, X]), "y": np.repeat([1.0, -1.0], 40)}
    floor = agreement_law(**data, T_f=0.0).share(math.inf)
    for of, best in (("T_f", 0.0), ("T_g", math.inf), ("both", math.inf)):
        found = required(**data, of=of, share=0.9, T_f=None if of in ("T_f", "both") else 3.0)
        assert (found.value, found.best) == (math.inf, best)
        assert found.limit == pytest.approx(floor, abs=1e-9)
        assert str(found).endswith(
            "and that f learns nothing, up to rounding, at 15 of 15 points forbids more."
        )


def test_samples_that_are_needed_bring_label_noise_down_to_the_limit():
    few = {"epsilon": 0.3, "T_f": 30.0}
    law = agreement_law(**DATA, **few)
    share = 0.98 * required(**DATA, **few, share=0.999, of="N").limit
    found = required(**DATA, **few, share=share, of="N")
    assert found.value == int(found.value)

    def at(N):
        return replace(law, label_noise=law.label_noise * len(X) / N).share(math.inf)

    assert at(found.value - 1) < share <= at(found.value)
    assert required(**DATA, **few, share=0.51, of="N").value == 1


def test_below_the_floor_nothing_is_trained():
    found = required(**DATA, share=0.6, of="T_f")
    assert found.value == 0
    assert found.floor == pytest.approx(share_at("T_f", 0.0), abs=1e-12)
    assert str(found) == (
        f"A mean agreement of 0.6 is reached without training f: it is {found.floor:.3f} at T_f = 0."
    )


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"T_f": 0.5, "targets": "balanced"}, "the initial network of f"),
        ({"T_f": 1e4, "epsilon": 0.05}, "label noise"),
        ({"of": "T_f", "T_g": 1e-3}, "the initial network of g"),
        (
            {"T_f": math.inf, "targets": np.ones(40), "epsilon": 0.02},
            "the signs of what f and g learn, which differ at some points,",
        ),
    ],
)
def test_where_there_is_none_a_part_is_to_blame(changes, cause):
    found = required(**DATA, share=0.99999, **changes)
    assert found.value == math.inf
    assert found.cause == cause
    assert 0.5 < found.limit < 0.99999
    sentence = str(found)
    assert sentence.startswith("No ")
    assert f"at most {found.limit:.3f}, at " in sentence
    assert cause in sentence


def test_what_is_not_trained_is_to_blame():
    assert required(**DATA, share=0.95, T_f=0.0).cause == "that f is not trained"
    assert required(**DATA, share=0.95, of="T_f", T_g=0.0).cause == "that g is not trained"


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_equal_times_are_found_where_those_of_f_and_g_are_far_apart(scale):
    """Of long samples f is fast, and g, on perturbations of norm √d, is not."""
    data = DATA | {"X": scale * X, "Z": scale * Z}
    found = required(**data, share=0.7, of="both")
    assert 0 < found.value < math.inf
    assert agreement_law(**data, T_f=found.value).share(found.value) == pytest.approx(0.7, abs=1e-3)


def test_without_a_perturbation_there_is_no_time():
    found = required(**DATA, share=0.6, T_f=3.0, epsilon=0.0)
    assert (found.value, found.floor, found.limit) == (math.inf, 0.5, pytest.approx(0.5))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"share": 0.5}, ValueError, r"share must lie in \(0.5, 1\).*got 0.5"),
        ({"T_f": None}, ValueError, "T_f must be given unless it is asked for, got of='T_g' alone"),
        ({"of": "width"}, ValueError, "of must be one of T_g, T_f, both, epsilon, N, got 'width'"),
        ({"of": "N", "targets": y}, ValueError, "targets must be random or balanced where N is asked for"),
        (
            {"X": 1e200 * X, "Z": 1e200 * Z},
            FloatingPointError,
            "the law is not known: entries of X or Z are too large",
        ),
    ],
)
def test_bad_input_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        required(**DATA | {"share": 0.7, "T_f": 1.0} | changes)


def test_one_search_answers_for_several_shares_as_each_alone():
    for of, times in (("T_g", {"T_f": 3.0}), ("both", {})):
        pair = Pair.checked(Z, X, y, "random", 0.0, None, "a")
        several = search(pair, of, None, **times)
        for share in (0.6, 0.8, 0.999):
            assert several.required(share) == required(**DATA, share=share, of=of, **times)
