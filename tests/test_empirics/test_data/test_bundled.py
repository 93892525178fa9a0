"""Bundled data: which classes, what scale, and how split."""

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits

from empirics import BreastCancerData, DigitsData

EPS = np.finfo(np.float64).eps


def rows_with_labels(*pairs):
    """Return rows and their labels as one array, sorted."""
    joined = np.concatenate([np.column_stack([X, y]) for X, y in pairs])
    return joined[np.lexsort(joined.T)]


@pytest.mark.parametrize(("positive", "negative"), [("1", "2"), ("8", "3")])
def test_digits_are_those_of_the_two_classes_split_completely(positive, negative):
    data = DigitsData(classes=(positive, negative), standardise="none").load(0)
    digits = load_digits()
    keep = np.isin(digits.target, [int(positive), int(negative)])
    expected = (digits.data[keep], np.where(digits.target[keep] == int(positive), 1.0, -1.0))
    np.testing.assert_array_equal(
        rows_with_labels((data.X, data.y), (data.X_test, data.y_test)), rows_with_labels(expected)
    )
    assert data.classes == (negative, positive)
    assert data.name == f"digits {positive} vs {negative}"


def test_benign_is_positive_and_malignant_negative():
    data = BreastCancerData(standardise="none").load(0)
    raw = load_breast_cancer()
    benign = list(raw.target_names).index("benign")
    expected = (raw.data, np.where(raw.target == benign, 1.0, -1.0))
    np.testing.assert_array_equal(
        rows_with_labels((data.X, data.y), (data.X_test, data.y_test)), rows_with_labels(expected)
    )
    assert data.classes == ("malignant", "benign")


@pytest.mark.parametrize(
    ("source", "dim", "sizes"), [(DigitsData(), 64, (252, 107)), (BreastCancerData(), 30, (399, 170))]
)
def test_rows_have_norm_root_d_and_three_tenths_are_held_out(source, dim, sizes):
    data = source.load(0)
    assert (len(data.X), len(data.X_test)) == sizes
    norms = np.linalg.norm(np.concatenate([data.X, data.X_test]), axis=1)
    np.testing.assert_allclose(norms, np.sqrt(dim), rtol=(dim + 6) * EPS)


@pytest.mark.parametrize("source", [DigitsData(), BreastCancerData()], ids=lambda source: source.name)
def test_split_depends_on_the_seed_alone(source):
    first, same, other = (source.load(seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.X, same.X)
    np.testing.assert_array_equal(first.y_test, same.y_test)
    assert (first.X != other.X).any()


@pytest.mark.parametrize("source", [DigitsData, BreastCancerData])
def test_options_are_checked_on_construction(source):
    with pytest.raises(ValueError, match=r"test_fraction must lie in \(0, 1\), got 1"):
        source(test_fraction=1)
    with pytest.raises(
        ValueError, match="standardise must be one of none, center, zscore, ball, got 'minmax'"
    ):
        source(standardise="minmax")


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (("1", "10"), "classes must occur in digits, got '10'; present are 0, 1, 2"),
        (("4", "4"), "classes must be two different ones, got '4' twice"),
    ],
)
def test_digits_rejects_classes_on_loading(classes, message):
    with pytest.raises(ValueError, match=message):
        DigitsData(classes=classes).load(0)
