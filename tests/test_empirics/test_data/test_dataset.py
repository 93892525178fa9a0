"""What real sources share: two classes out of many, the split, the preparation, and the result type."""

import math

import numpy as np
import pytest
from hypothesis import given, strategies as st

from empirics.data import ArrayData, FileData
from empirics.data.dataset import (
    Dataset,
    check_preparation,
    class_name,
    split,
    standardised,
    two_classes,
    understood,
)

EPS = np.finfo(np.float64).eps


def numbered(count, dim=3):
    """Return points whose first coordinate is their number, and alternating labels."""
    X = np.random.default_rng(5).normal(size=(count, dim))
    X[:, 0] = np.arange(count)
    return X, np.where(np.arange(count) % 2 == 0, 1.0, -1.0)


def split_of(X, y, *, test_fraction=0.3, standardise="none", seed=0):
    return split(X, y, ("odd", "even"), test_fraction, standardise, seed=seed, name="numbers")


# Splits ---------------------------------------------------------------------------------------------


# From 40 rows on, half of which are kept, a training part of one class has probability below 1e-11.
@given(count=st.integers(40, 120), fraction=st.floats(0.001, 0.5), seed=st.integers(0, 2**32))
def test_split_is_disjoint_and_complete(count, fraction, seed):
    X, y = numbered(count)
    data = split_of(X, y, test_fraction=fraction, seed=seed)
    assert len(data.X_test) == max(1, math.floor(fraction * count))
    rows = np.concatenate([data.X, data.X_test])
    labels = np.concatenate([data.y, data.y_test])
    order = np.argsort(rows[:, 0])
    np.testing.assert_array_equal(rows[order], X)
    np.testing.assert_array_equal(labels[order], y)
    assert (data.name, data.classes) == ("numbers", ("odd", "even"))


@pytest.mark.parametrize("standardise", ["none", "center", "zscore"])
def test_split_depends_on_its_seed_alone(standardise):
    X, y = numbered(50)
    first, same, other = (split_of(X, y, standardise=standardise, seed=seed) for seed in (3, 3, 4))
    for name in ("X", "y", "X_test", "y_test"):
        np.testing.assert_array_equal(getattr(first, name), getattr(same, name))
    assert (first.X != other.X).any()
    assert (first.X_test != other.X_test).any()


def test_split_leaves_its_arguments_alone():
    X, y = numbered(20)
    split_of(X, y, standardise="zscore")
    np.testing.assert_array_equal(X, numbered(20)[0])
    np.testing.assert_array_equal(y, numbered(20)[1])


@pytest.mark.parametrize("standardise", ["center", "zscore"])
def test_features_are_prepared_with_the_statistics_of_the_training_part(standardise):
    X, y = numbered(60, dim=4)
    X[:, 1] = 100 + 0.01 * X[:, 1]
    raw, data = split_of(X, y), split_of(X, y, standardise=standardise)
    mean = raw.X.mean(axis=0)
    deviation = raw.X.std(axis=0) if standardise == "zscore" else np.ones(4)
    for part, before in ((data.X, raw.X), (data.X_test, raw.X_test)):
        rows = (before - mean) / deviation
        expected = rows * (2 / np.linalg.norm(rows, axis=1, keepdims=True))  # √d = 2
        # The second feature loses 1e4 in the difference from its mean of 100.
        np.testing.assert_allclose(part, expected, rtol=0, atol=1e4 * 20 * EPS)
        np.testing.assert_allclose(np.linalg.norm(part, axis=1), 2, rtol=10 * EPS)


def test_constant_feature_becomes_zero():
    X, y = numbered(30)
    X[:, 1] = 0.5  # a sum of halves is exact: a mean of 0.5, a deviation of 0
    data = split_of(X, y, standardise="zscore")
    assert (data.X[:, 1] == 0).all()
    assert (data.X_test[:, 1] == 0).all()
    np.testing.assert_allclose(np.linalg.norm(data.X, axis=1), np.sqrt(3), rtol=10 * EPS)


@pytest.mark.parametrize(
    ("X", "y", "options", "message"),
    [
        (np.eye(3), [1, -1, 1], {}, "at least 4 rows of the two classes, got 3 in numbers"),
        (np.full((5, 2), 7.0), [1, -1, 1, -1, 1], {}, "must not be constant, got 5 equal rows in numbers"),
        (np.eye(5), [1] * 5, {}, "both classes in its training part, got one in numbers"),
        (np.eye(5), [1, -1, 1, -1, 1], {"test_fraction": 0.99}, "both classes in its training part"),
    ],
)
def test_split_rejects_data_that_cannot_be_used(X, y, options, message):
    with pytest.raises(ValueError, match=message):
        split_of(X, np.array(y, dtype=float), **options)


def test_row_equal_to_the_mean_cannot_be_scaled():
    held_out = int(split_of(*numbered(20), test_fraction=0.05).X_test[0, 0])
    X = np.ones((20, 2))
    X[held_out] = 3.0
    with pytest.raises(
        ValueError, match=r"must differ from the mean to be scaled, .* in numbers; use 'none'"
    ):
        split_of(X, numbered(20)[1], test_fraction=0.05, standardise="center")


@pytest.mark.parametrize(
    ("fraction", "standardise", "error", "message"),
    [
        (0.0, "none", ValueError, "test_fraction must be > 0, got 0.0"),
        (-0.1, "none", ValueError, "test_fraction must be > 0, got -0.1"),
        (1.0, "none", ValueError, r"test_fraction must lie in \(0, 1\), got 1.0"),
        (math.nan, "none", ValueError, "test_fraction must be finite, got nan"),
        ("0.3", "none", TypeError, "test_fraction must be a real number, got '0.3'"),
        (0.3, "scale", ValueError, "standardise must be one of none, center, zscore, ball, got 'scale'"),
    ],
)
def test_preparation_rejects_bad_options(fraction, standardise, error, message):
    with pytest.raises(error, match=message):
        check_preparation(fraction, standardise)


# Classes --------------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(["cat", "dog", "owl"]), min_size=1).filter({"cat", "dog"}.issubset))
def test_two_classes_keeps_the_rows_of_the_two(labels):
    X = np.arange(len(labels), dtype=float)[:, None]
    kept, y, classes = two_classes(X, np.array(labels), ("dog", "cat"), source="zoo")
    assert kept[:, 0].tolist() == [row for row, name in enumerate(labels) if name != "owl"]
    assert y.tolist() == [{"dog": 1.0, "cat": -1.0}[name] for name in labels if name != "owl"]
    assert classes == ("cat", "dog")  # of −1 and +1


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([1, -1, 1], None),
        ([1.0, -1.0, 1.0], None),
        (["1", "-1", "1"], None),
        ([5, 3, 5], ("5", "3")),
        ([5.0, 3.0, 5.0], ("5", "3")),
        ([2.5, 0.1, 2.5], ("2.5", "0.1")),
        ([True, False, True], ("True", "False")),
    ],
)
def test_classes_are_compared_as_text(labels, classes):
    _, y, _ = two_classes(np.eye(3), np.array(labels), classes, source="data")
    assert y.tolist() == [1.0, -1.0, 1.0]


@pytest.mark.parametrize(
    ("labels", "positive"),
    [
        ([0, 1], "1"),
        ([2, 1], "2"),
        ([10, 9], "10"),
        (["10", "9"], "10"),
        (["010", "9"], "9"),  # not as a number is written: text
        ([-1, 1], "1"),
        ([-1, -2], "-1"),
        ([0.5, 2.5], "2.5"),
        (["yes", "no"], "yes"),
        ([True, False], "True"),
        (["M", "B"], "M"),
        (["+", "-"], "+"),
        (["apple", "Banana"], "Banana"),
        (["1", "x"], "x"),
    ],
)
def test_two_values_are_two_classes_in_their_order(labels, positive):
    X = np.arange(4.0)[:, None]
    kept, y, classes = two_classes(X, np.array(labels + labels), None, source="data")
    expected = [1.0 if str(label) == positive else -1.0 for label in labels + labels]
    assert y.tolist() == expected
    assert classes[1] == positive
    said = understood(kept, y, classes, label="label 'kind'", total=5)
    assert said == (
        f"4 rows (1 of other classes left out), 1 feature, label 'kind': {positive} → +1 (2), "
        f"{classes[0]} → −1 (2)"
    )


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        ([1, 1, 1], None, "classes must be two, but data has 1 in its labels: 1$"),
        (
            range(12),
            None,
            r"has 12 in its labels: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, \.\.\.; .* --classes 1,0, in",
        ),
        (
            ["10", "1E1", "9", "9"],
            None,
            r"10, 1E1, 9, where 10 and 1E1 .*: --classes '9,10\|1E1', in .* classes=\('9', '10\|1E1'\)$",
        ),
        (
            ["NO", "no", "Yes", "yes", "?"],
            None,
            r"\?, NO, no, Yes, yes, where NO and no, Yes and yes differ in spelling alone; name two, the "
            r"first becomes \+1, \| joins what is one: --classes 'Yes\|yes,NO\|no', in Python ",
        ),
        (["yes", "Yes"], None, r"2 in .*: Yes, yes, where .* alone; .*: --classes yes,Yes, in Python"),
        (["007", "7"], None, r"where 007 and 7 differ in spelling alone; .*: --classes 7,007, in Python"),
        (["1e-99999999999999999999", "0", "1"], None, "name two, the first becomes"),
        (["a b", "c", "c", "d", "a b"], None, "becomes [+]1: --classes 'c,a b', in Python"),
        (["a,b", "c", "d"], None, r"becomes [+]1: classes=\('c', 'a,b'\)$"),
        (np.linspace(0, 1, 21), None, "; these labels look continuous: 21 values in 21 rows"),
        (range(20), None, "name two, the first becomes"),
        (list("abcdefghijklmnopqrstuvwxyz"), None, "name two, the first becomes"),
        ([0, 1, 0], ("1", "2"), "classes must occur in data, got '2'; present are 0, 1"),
        (["a", "b", "a"], ("A", "b"), "classes must occur in data, got 'A'; present are a, b"),
        ([0, 1, 0], ("1", "1"), "classes must be two different ones, got '1' twice"),
        ([0, 1, 2], ("0|1", "1.0|2"), "classes must be two different ones, got '1' twice"),
        ([0, 1, 2], ("0|3", "1"), "classes must occur in data, got '3'; present are 0, 1, 2"),
    ],
)
def test_two_classes_rejects(labels, classes, message):
    with pytest.raises(ValueError, match=message):
        two_classes(np.zeros((len(labels), 1)), np.array(labels), classes, source="data")


@pytest.mark.parametrize(
    ("spellings", "name"),
    [
        (["1", "1.0", "+1", "1.", "1.000e+00", 1, 1.0, np.float32(1), b"1.0"], "1"),
        (["-0", "0", "0.00", 0.0, -0.0], "0"),
        (["100000000000000003"], "100000000000000003"),
        ([1e17, "1e+17"], "100000000000000000"),
        (["2.50", "+2.5", 2.5], "2.5"),
        (["1.5e-300"], "1.5E-300"),
        *(([text], text) for text in ("007", "1E1", "1_0", "٣", "inf", "x")),
    ],
)
def test_equal_numbers_are_one_class(spellings, name):
    assert {class_name(one) for one in spellings} == {name}


def test_classes_are_joined_where_asked():
    labels = np.array(["yes", "Yes", "no", "NO", "other"])
    X, y, classes = two_classes(np.arange(5.0)[:, None], labels, ("yes|Yes", "no|NO"), source="data")
    assert (X[:, 0].tolist(), y.tolist(), classes) == ([0, 1, 2, 3], [1, 1, -1, -1], ("no|NO", "yes|Yes"))
    labels = np.array(["a|b", "a", "b"])  # a class of this name comes first
    assert two_classes(np.eye(3), labels, ("a|b", "a"), source="data")[1].tolist() == [1, -1]


def test_digits_that_are_lost_are_named():
    """Numbers of rows such as 1e17 + 3i differ by less than a few of their roundings."""
    X = np.column_stack([np.random.default_rng(0).normal(size=60), 1e17 + 3 * np.arange(60)])
    for how in ("center", "zscore", "ball"):
        with pytest.raises(
            ValueError, match=r"up to 1e\+17 that differ by 112 at most in feature 2 of mine, which"
        ):
            standardised(X[:40], X[40:], how, "mine")
    X[:, 1] = 1.7e9 + np.arange(60)  # seconds since 1970 keep theirs
    assert np.isfinite(standardised(X[:40], X[40:], "zscore", "mine")[0]).all()


# Dataset --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "error", "message"),
    [
        ("X", np.ones(3), ValueError, r"X must have shape \(n, d\) with n, d >= 1, got \(3,\)"),
        ("X", np.full((2, 2), np.nan), ValueError, r"X must be finite, got nan \(4 of 4 entries\)"),
        ("y", np.ones(3), ValueError, r"y must have shape \(2,\), one label a point, got \(3,\)"),
        ("y", np.array([1.0, 0.0]), ValueError, "y must be -1 or [+]1, got 0"),
        ("X_test", np.ones((1, 3)), ValueError, "X_test must have 2 columns, as the other points do, got 3"),
        ("X_test", np.ones((0, 2)), ValueError, r"X_test must have shape \(n, d\).* got \(0, 2\)"),
        ("y_test", np.array([2.0]), ValueError, "y_test must be -1 or [+]1, got 2"),
        ("y_test", np.array(["1"]), TypeError, "y_test must be an array of real numbers, got dtype <U1"),
    ],
)
def test_dataset_rejects_bad_fields(field, value, error, message):
    fields = {"X": np.eye(2), "y": np.array([1.0, -1.0]), "X_test": np.ones((1, 2)), "y_test": np.ones(1)}
    with pytest.raises(error, match=message):
        Dataset(name="data", classes=("-", "+"), preparation="none", **{**fields, field: value})


@pytest.mark.parametrize("how", ["center", "zscore", "ball"])
@pytest.mark.parametrize("size", [1e300, 1e-200])
def test_features_that_cannot_be_squared_are_refused_rather_than_lost(how, size):
    """Their deviation overflows, or vanishes, and a feature that varies would become 0."""
    train = np.random.default_rng(0).normal(size=(9, 2)) * [1.0, size]
    with pytest.raises(ValueError, match=r"got entries up to .*e[+-]\d+ in feature 2 of mine; rescale it"):
        standardised(train, train, how, "mine")


def test_labels_of_a_series_keep_its_name():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": np.arange(20.0), "b": np.arange(20.0) ** 2})
    data = ArrayData(frame, pandas.Series([0, 1] * 10, name="ill"))
    assert data.load(0).notices[0] == "20 rows, 2 features, ill: 1 → +1 (10), 0 → −1 (10)"


def test_what_commas_and_semicolons_mean_is_said(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("a;b;ill\n" + "".join(f"{n},5;{n * n},25;{n % 2}\n" for n in range(20)))
    data = FileData(path=str(path))
    assert data.load(0).notices[1:3] == ("semicolons separate the columns", "the comma is the decimal mark")
    assert data.read().X[3].tolist() == [3.5, 9.25]
