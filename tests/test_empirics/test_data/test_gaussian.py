"""Synthetic sources: their laws, labels and seeds."""

import math

import numpy as np
import pytest
from scipy import stats

from empirics import GaussianData, ShiftedGaussianData

# Probability that a test of randomness fails although the claim is true (the seeds are fixed).
FAILURE = 1e-6
SOURCES = [GaussianData(dim=3, num_train=5, num_test=4), ShiftedGaussianData(dim=3, num_train=5, num_test=4)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_data_depends_on_the_seed_alone(source):
    first, same, other = (source.load(seed) for seed in (1, 1, 2))
    for name in ("X", "y", "X_test", "y_test"):
        np.testing.assert_array_equal(getattr(first, name), getattr(same, name))
    assert (first.X != other.X).all()
    assert (first.X_test != other.X_test).all()


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_sizes_are_those_asked_for_and_test_points_are_fresh(source):
    data = source.load(0)
    assert (data.X.shape, data.X_test.shape) == ((5, 3), (4, 3))
    assert (data.y.shape, data.y_test.shape) == ((5,), (4,))
    assert not np.isin(data.X_test, data.X).any()


def test_gaussian_points_are_standard_normal_with_fair_independent_labels():
    data = GaussianData(dim=20, num_train=4_000, num_test=1_000).load(0)
    pvalues = []
    for X, y in ((data.X, data.y), (data.X_test, data.y_test)):
        pvalues += [
            stats.kstest(X.ravel(), "norm").pvalue,
            # y x is standard normal too if y is independent of x.
            stats.kstest((y[:, None] * X).ravel(), "norm").pvalue,
            stats.binomtest(int((y > 0).sum()), len(y)).pvalue,
        ]
    assert min(pvalues) >= FAILURE / len(pvalues)


@pytest.mark.parametrize("shift", [0.5, -2.0, 0.0])
def test_shifted_classes_are_normal_around_their_means(shift):
    data = ShiftedGaussianData(dim=20, num_train=2_000, num_test=1_000, shift=shift).load(0)
    pvalues = [
        stats.kstest((X - shift * y[:, None]).ravel(), "norm").pvalue
        for X, y in ((data.X, data.y), (data.X_test, data.y_test))
    ]
    assert min(pvalues) >= FAILURE / len(pvalues)


@pytest.mark.parametrize(("num_train", "num_test"), [(6, 3), (7, 1), (1, 2)])
def test_shifted_classes_are_balanced_up_to_one_more_positive(num_train, num_test):
    data = ShiftedGaussianData(dim=2, num_train=num_train, num_test=num_test).load(0)
    assert data.y.sum() == num_train % 2
    assert data.y_test.sum() == num_test % 2


@pytest.mark.parametrize("source", [GaussianData, ShiftedGaussianData])
@pytest.mark.parametrize("field", ["dim", "num_train", "num_test"])
def test_sizes_must_be_positive_integers(source, field):
    sizes = {"dim": 2, "num_train": 3, "num_test": 4}
    with pytest.raises(ValueError, match=f"{field} must be >= 1, got 0"):
        source(**{**sizes, field: 0})
    with pytest.raises(TypeError, match=f"{field} must be an integer, got 2.5"):
        source(**{**sizes, field: 2.5})


@pytest.mark.parametrize(
    ("shift", "error", "message"),
    [
        (math.inf, ValueError, "shift must be finite, got inf"),
        (math.nan, ValueError, "shift must be finite, got nan"),
        ("0.5", TypeError, "shift must be a real number, got '0.5'"),
    ],
)
def test_shift_must_be_finite(shift, error, message):
    with pytest.raises(error, match=message):
        ShiftedGaussianData(dim=2, num_train=3, shift=shift)
