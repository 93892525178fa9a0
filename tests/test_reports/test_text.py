"""Numbers as text: as many decimals as the spread supports, and a dash for what is not a number."""

import math

import numpy as np
import pytest

from reports import text

MISSING = [None, math.nan, math.inf, -math.inf]


@pytest.mark.parametrize(
    ("mean", "sd", "expected"),
    [
        (0.98765, 0.034, "0.99 ± 0.03"),
        (0.98765, 0.0123, "0.988 ± 0.012"),  # two digits of a deviation that starts with 1
        (0.5, 0.2, "0.5 ± 0.2"),
        (4567.8, 123.4, "4568 ± 123"),
        (-0.5, 0.1, "−0.50 ± 0.10"),
        (0.25, 0.0, "0.25 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (0.998, 1.4e-16, "0.998 ± 0"),  # three equal values, rounded
    ],
)
def test_mean_has_the_decimals_of_its_spread(mean, sd, expected):
    assert text.spread(mean, sd) == expected


def test_printed_spread_is_within_a_quarter_of_the_real_one():
    # One digit d >= 2 is rounded by at most 0.5 of 2; two digits of at least 10 by 0.5 of 10.
    for sd in np.exp(np.random.default_rng(0).uniform(math.log(1e-8), math.log(10), size=500)).tolist():
        mean, _, printed = text.spread(0.5, sd).partition(" ± ")
        assert abs(float(printed) - sd) <= 0.25 * sd * (1 + 1e-12), sd
        assert len(mean.partition(".")[2]) == len(printed.partition(".")[2]), sd


@pytest.mark.parametrize("missing", MISSING)
def test_what_is_not_finite_is_a_dash(missing):
    assert text.number(missing) == text.DASH
    assert text.count(missing) == text.DASH
    assert text.spread(missing, 0.1) == text.spread(0.1, missing) == text.DASH
    intervals = ((missing, 0.0, 1.0), (0.5, missing, 1.0), (0.5, 0.0, missing))
    assert [text.interval(*values) for values in intervals] == [text.DASH] * 3


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [(0.123456, 3, "0.123"), (-2.5, 3, "−2.5"), (8.0, 4, "8"), (1e-5, 3, "1e-05"), (-1e-5, 3, "−1e-05")],
)
def test_number_has_significant_digits_and_a_real_minus(value, digits, expected):
    assert text.number(value, digits) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(0, "0"), (999.6, "1,000"), (1_234_567, "1,234,567"), (-1500, "−1,500")]
)
def test_count_is_rounded_and_separated(value, expected):
    assert text.count(value) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((0.5, 0.4, 0.6), "0.50 [0.40, 0.60]"),
        ((-0.5, -0.8, -0.2), "−0.50 [−0.80, −0.20]"),
        ((0.00212, 0.00209, 0.00215), "0.002120 [0.002090, 0.002150]"),
        ((0.003, -0.0247, 0.030003), "0.003 [−0.025, 0.030]"),
        ((2e-9, -1.5e-8, 1.9e-8), "2e-09 [−1.5e-08, 1.9e-08]"),
        ((0.25, 0.25, 0.25), "0.25 [0.25, 0.25]"),
        ((150.0, 50.0, 250.0), "150 [50, 250]"),
    ],
)
def test_interval_has_the_decimals_of_its_half_width(values, expected):
    assert text.interval(*values) == expected
