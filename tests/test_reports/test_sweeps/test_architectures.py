"""What is claimed of networks of any architecture: every verdict can come out, from numbers that say so."""

import numpy as np
import pytest
from msgspec import structs

from reports.claims.sweeps.architectures import CLOSE, LINEAR, claims, opening, shown
from reports.claims.sweeps.rows import Section, WidePanel, WidePoint
from reports.inline import plain
from reports.page import Figure, Table
from reports.runs import Totals
from reports.statistics import Spread

RNG = np.random.default_rng(5)
SEEDS = 12


def cell(mean, sd=0.0, seeds=SEEDS):
    return Spread.of({seed: float(mean + sd * RNG.standard_normal()) for seed in range(seeds)})


def point(x, seeds=SEEDS, failed=0, **columns):
    known = {"agreement_test": 0.9, "num_test": 500, "linear_error_f": 0.1, "linear_error_g": 0.1} | columns
    deep = {
        name: cell(*value if isinstance(value, tuple) else (value,), seeds=seeds)
        for name, value in known.items()
    }
    totals = Totals(configurations=seeds + failed, done=seeds, failed=failed, missing=0)
    nothing = {"cosines": {}, "predicted": {}, "predicted_by": {}, "regime": {}, "metrics": {}}
    return WidePoint(x=x, totals=totals, deep=deep, **nothing)


def section(*panels, x_label="hidden layers L", ticks=None):
    made = tuple(
        WidePanel(sweep=name, x_label=x_label, points=tuple(points), ticks=ticks) for name, points in panels
    )
    return Section(title="Study", panels=made)


@pytest.mark.parametrize(
    ("difference", "options", "verdict"),
    [
        (0.0, {}, "holds"),
        (2 * CLOSE, {}, "fails"),
        (CLOSE, {}, "unknown"),
        (0.0, {"linear_error_f": 1.1 * LINEAR}, "hypothesis not met"),
        (0.0, {"linear_error_g": float("nan")}, "hypothesis not met"),
        (0.0, {"seeds": 5}, "unknown"),
        (0.0, {"failed": 1}, "unknown"),
    ],
)
def test_agreement_is_predicted(difference, options, verdict):
    made = point(1, linear_agreement_test=(0.9 + difference, 0.005), **options)
    (claim,) = claims(section(("depth", [made])))
    assert claim.verdict == verdict


def test_one_point_that_differs_is_enough_to_fail():
    good, bad = (point(x, linear_agreement_test=(0.9 + d, 0.005)) for x, d in ((1, 0.0), (2, 0.1)))
    (claim,) = claims(section(("depth", [good, bad])))
    assert claim.verdict == "fails"


@pytest.mark.parametrize(("exponent", "verdict"), [(-0.5, "holds"), (-0.2, "fails")])
def test_errors_fall_with_the_width(exponent, verdict):
    points = [point(m, wide_error_f=(m**exponent, 1e-3 * m**exponent)) for m in (100, 200, 400)]
    _, claim, _ = claims(section(("width", points), x_label="width m"))
    assert claim.verdict == verdict
    assert claim.numbers["exponent"] == pytest.approx(exponent, abs=0.01)


def test_rates_are_about_training_that_is_lazy_at_every_width():
    points = [point(m, wide_error_f=m**-0.5, linear_error_f=100 / m) for m in (100, 200, 400)]
    _, claim, _ = claims(section(("width", points), x_label="width m"))
    assert claim.verdict == "hypothesis not met"


@pytest.mark.parametrize(("exponent", "verdict"), [(-0.25, "holds"), (-0.5, "fails")])
def test_directions_fall_at_half_that_rate(exponent, verdict):
    points = [point(m, trained_cosine=(np.cos(np.arctan(2 * m**exponent)), 1e-4)) for m in (100, 200, 400)]
    _, claim, _ = claims(section(("width", points), x_label="width m"))
    assert claim.verdict == verdict


@pytest.mark.parametrize("cosine", [0.0, -0.1])
def test_directions_that_are_not_along_have_no_rate(cosine):
    points = [point(m, trained_cosine=(value, 0.0)) for m, value in ((100, cosine), (200, 0.5), (400, 0.9))]
    _, claim, _ = claims(section(("width", points), x_label="width m"))
    assert claim.verdict == "unknown"
    assert claim.numbers["exponent"] is None


@pytest.mark.parametrize(("gain", "verdict"), [(0.05, "holds"), (-0.05, "fails")])
def test_balance(gain, verdict):
    old, new = [point(1, agreement_test=(0.8, 1e-3))], [point(1, agreement_test=(0.8 + gain, 1e-3))]
    (claim,) = claims(section(("random targets", old), ("balanced targets", new)))
    assert claim.verdict == verdict


def test_seeds_that_fail_everywhere_are_not_left_out():
    """Of 25 seeds 20 have no value at all: the rising 5 are not enough."""
    old, new = (point(1, seeds=5, failed=20, agreement_test=(mean, 1e-3)) for mean in (0.8, 0.9))
    (claim,) = claims(section(("random targets", [old]), ("balanced targets", [new])))
    assert claim.verdict == "unknown"
    points = [point(m, failed=1, wide_error_f=(m**-0.5, 1e-3 * m**-0.5)) for m in (100, 200, 400)]
    _, claim, _ = claims(section(("width", points), x_label="width m"))
    assert claim.verdict == "unknown"


NAMES = ("linear_error_f", "linear_error_g")
DEPARTURES = {"departure_f": 0.6, "departure_g": 0.4}


@pytest.mark.parametrize(
    ("errors", "options", "verdict", "measured"),
    [
        ((0.5, 0.2, 0.1), {}, "holds", "linear at m = 200, 400; not linear at m = 100"),
        ((0.5, 0.5, 0.5), {}, "fails", "not linear at m = 100, 200, 400"),
        ((0.5, 0.5, 0.1), {}, "fails", "linear at m = 400; not linear at m = 100, 200"),
        ((0.5, 0.2, 0.1), {"seeds": 4}, "unknown", "undecided at m = 100, 200, 400"),
        ((0.5, 0.2, 0.1), {"failed": 3}, "unknown", "not linear at m = 100; undecided at m = 200, 400"),
    ],
)
def test_where_training_is_linear(errors, options, verdict, measured):
    """The rule asks for m ≥ 200 before training; what it does not ask for decides nothing."""
    expected = dict(zip((100, 200, 400), (1.1 * LINEAR, LINEAR, 0.5 * LINEAR), strict=True))
    points = [
        point(m, **dict.fromkeys(NAMES, e), **DEPARTURES, expected_linear_error=expected[m], **options)
        for m, e in zip(expected, errors, strict=True)
    ]
    regime, *_, departure = claims(section(("digits: width", points), x_label="width"))
    assert regime.verdict == verdict
    assert regime.statement.endswith("from m = 200 on")
    assert regime.measured == measured
    assert departure.measured == "of f 0.6 → 0.6, of g 0.4 → 0.4 (m = 100 → m = 400)"
    assert departure.verdict is None


def test_networks_that_are_too_narrow_say_nothing():
    columns = {"expected_linear_error": 0.4, "expected_wide_error": 0.4, "wide_error_f": 0.1}
    columns |= {"wide_error_g": 0.1, "linear_agreement_test": 0.9, "wide_agreement_test": 0.5}
    points = [point(m, **columns) for m in (10, 20)]
    found = claims(section(("width", points), x_label="width"))
    judged = [claim for claim in found if claim.verdict is not None]
    assert len(judged) == 3
    assert {claim.verdict for claim in judged} == {"hypothesis not met"}
    assert "2 too narrow for the depth" in judged[-1].measured


@pytest.mark.parametrize(("errors", "verdict"), [((0.1, 0.5), "holds"), ((0.5, 0.1), "fails")])
def test_a_module_without_a_width_is_linear_for_short_times(errors, verdict):
    points = [point(t, **dict.fromkeys(NAMES, e)) for t, e in zip((0.5, 8.0), errors, strict=True)]
    made = section(("mine: times", points), x_label="times the initial outputs")
    regime, departure = claims(made)
    assert regime.verdict == verdict
    assert regime.statement.endswith("at 0.5 times the initial outputs")
    assert departure.measured.startswith("all; relative errors of f")
    said, figure, explained = opening(made, "s1")
    assert "a module without a width" in plain(explained.text).lower()
    linear = "0.5" if verdict == "holds" else "8"
    assert f"of the test points ({linear} times the initial outputs). " in plain(said.text)
    assert isinstance(figure, Figure)


def test_the_opening_says_what_happened_at_the_widest_linear_networks():
    columns = {"linear_agreement_test": 0.88, "wide_agreement_test": 0.86, "agreement_test": 0.9}
    points = [point(m, **columns, **dict.fromkeys(NAMES, e)) for m, e in ((100, 0.5), (200, 0.1))]
    said, _ = opening(section(("digits: width", points), x_label="width"), "s1")
    assert plain(said.text) == (
        "On digits: width, f and g agree at 0.9 ± 0 of the test points (m = 200). Predicted before training: "
        "0.88 ± 0 by both networks linearised, 0.86 ± 0 by the wide limit. There training is linear."
    )


def test_pairs_of_architectures_are_a_map_and_a_table():
    rows = [(name, [point(x, linear_agreement_test=0.88) for x in (0, 1)]) for name in ("f: a", "f: b")]
    figure, table = shown(section(*rows, ticks=("a", "b"), x_label="architecture of g"), "s1")
    assert isinstance(figure, Figure)
    assert "0.90" in figure.svg
    assert "0.88" in figure.svg
    (table,) = table.blocks
    assert isinstance(table, Table)
    assert [row[:2] for row in table.rows] == [("f: a", "a"), ("f: a", "b"), ("f: b", "a"), ("f: b", "b")]


def test_other_sweeps_have_nothing_of_it():
    empty = section(("width", [structs.replace(point(1), deep={})]))
    assert claims(empty) == []
    assert not list(shown(empty, "s1"))
