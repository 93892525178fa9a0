"""Errors expected before training, from recorded measurements."""

import csv
from importlib import resources

import numpy as np
import pytest

from empirics.deep.expected import HOWS, TIMES, expected_error, law
from theory.deep import Architecture, Rates

ROWS = [
    {name: cell if name in {"rates", "data"} else float(cell) for name, cell in row.items()}
    for row in csv.DictReader(
        resources.files("empirics.deep").joinpath("errors.csv").read_text("utf-8").splitlines()
    )
]
ENOUGH = 0.3  # the error up to which reports call training linear


@pytest.mark.parametrize("rates", ["first", "all"])
@pytest.mark.parametrize("how", HOWS)
def test_laws_describe_what_was_recorded(how, rates):
    """Within a factor of 1.5 at the deepest and the shallowest, and they sort networks at the limit of .3."""
    found = law(how, rates)
    sorted_right = []
    for row in (row for row in ROWS if row["rates"] == rates):
        measured = max(row[f"{how}_f"], row[f"{how}_g"])
        expected = found.error(int(row["depth"]), int(row["width"]))
        if measured <= 1:
            assert abs(np.log(measured / expected)) < np.log(1.5)
        sorted_right.append((measured <= ENOUGH) == (expected <= ENOUGH))
    assert np.mean(sorted_right) >= 0.9
    assert found.spread < 0.2


def test_laws_have_the_rates_of_the_theory():
    """The wide limit is approached as m^(−1/2) where the first layer learns (Derivation 17), within .05."""
    assert law("wide", "first").of_width == pytest.approx(-1 / 2, abs=0.05)
    assert law("linear", "first").of_width < law("wide", "first").of_width  # departures fall faster
    for how in HOWS:
        first, every = law(how, "first"), law(how, "all")
        assert 0 < first.of_depth < every.of_depth
        assert every.of_width < first.of_width < 0


def test_the_width_asked_for_has_the_error_asked_for():
    for rates, depth in (("first", 1), ("all", 5)):
        width = law("wide", rates).width(depth, 0.1)
        assert law("wide", rates).error(depth, 1) * width ** law("wide", rates).of_width == pytest.approx(0.1)


def test_nothing_is_expected_of_what_was_not_measured():
    plain = Architecture(depth=3)
    assert expected_error("wide", plain, 100, TIMES) == law("wide", "first").error(3, 100)
    for other in ("mlp", Architecture(depth=3, residual=1.0), Architecture(rates=Rates())):
        assert expected_error("wide", other, 100, TIMES) is None
    assert expected_error("wide", plain, 100, 2 * TIMES) is None
