"""Predictions of agreement over times beside trained networks: claims, times of shares, table, figures."""

import math

import numpy as np
import pytest
from msgspec import structs

from empirics.campaigns.wide import Part
from reports.claims.sweeps import laws, times
from reports.claims.sweeps.rows import Section
from reports.page import Figure, Table
from reports.runs import Totals
from reports.statistics import Spread, jackknife
from tests.test_reports.made_up_sweeps import built, panel

XS, SEEDS = (0.05, 0.15, 0.5, 1.5, 5.0), 12
(LIKE,) = panel([[0.5]]).points


def curve(x, late=1.0):
    """A share that is .61 at .15 and .91 at 5, or that much later, linear in log x."""
    return 0.61 + 0.3 * math.log(x / 0.15 / late) / math.log(5.0 / 0.15)


def section(
    *,
    offset=0.0,
    own=0.0,
    flipped=0.02,
    late=1.0,
    noise=0.001,
    seeds=SEEDS,
    lost=0,
    given=True,
    xs=XS,
    most=1.0,
):
    """Return one curve; the law is off by `offset`, and the wide limit of the pairs themselves by `own`.

    Measured agreement is `most` at most; it has a noise, the same for all points of a seed, that the wide
    limit of a pair knows of, and little of its own.
    """
    points, shifts, rng = [], noise * np.linspace(-1, 1, seeds), np.random.default_rng(1)
    for x in xs:
        share = min(curve(x, late), most)
        columns = {"law_agreement_test": np.full(seeds, curve(x) + offset)}
        columns |= {"law_limit_test": np.full(seeds, 0.97), "law_floor_test": np.full(seeds, 0.7)}
        if given:
            columns |= {times.GIVEN: share + own + shifts, times.OTHERS: np.full(seeds, share + own)}
        measured = share + shifts + 1e-5 * rng.standard_normal(seeds)
        columns = {name: Spread.of(dict(enumerate(values.tolist()))) for name, values in columns.items()}
        changed = {
            "regime": {"flipped_f": flipped, "flipped_g": flipped},
            "metrics": {"agreement": Spread.of(dict(enumerate(measured.tolist())))},
            "totals": Totals(configurations=seeds + lost, done=seeds, failed=lost, missing=0),
        }
        points.append(structs.replace(LIKE, x=x, law=columns, **changed))
    made = structs.replace(panel([[0.5]]), sweep="curve", x_label="flow time of g", points=tuple(points))
    return Section(title="Study", panels=(made,))


@pytest.mark.parametrize(
    ("options", "verdicts"),  # agreement and times by the law, then by the wide limit from initial weights
    [
        ({}, ["holds"] * 4),
        ({"noise": 0.2}, ["holds"] * 4),  # known beforehand, and taken out
        ({"noise": 0.2, "given": False}, ["unknown"] * 2),
        ({"offset": 0.1}, ["fails", "fails", "holds", "holds"]),
        ({"offset": 0.015}, ["holds", "fails", "holds", "holds"]),  # 19 % of a time
        ({"own": 0.1}, ["holds", "holds", "fails", "fails"]),
        ({"late": 1.3}, ["fails", "fails", "holds", "holds"]),
        ({"late": 1.3, "xs": XS[2:]}, ["fails", "fails", "holds", "holds"]),
        ({"flipped": 0.2}, ["hypothesis not met", "unknown"] * 2),
        ({"lost": 1}, ["unknown"] * 4),
        ({"seeds": 4}, ["unknown"] * 4),
        ({"xs": (0.5,)}, ["holds", "unknown"] * 2),
    ],
    ids=str,
)
def test_verdicts(options, verdicts):
    assert [claim.verdict for claim in times.claims(section(**options))] == verdicts


def test_numbers_of_the_claims():
    agreement, of_times, *_ = times.claims(section(offset=0.015))
    assert agreement.numbers["rms"] == pytest.approx(0.015, abs=1e-5)
    assert agreement.numbers["mean"] == pytest.approx(0.015, abs=1e-5)
    assert (agreement.numbers["points"], agreement.numbers["met"], agreement.numbers["missed"]) == (5, 5, 0)
    ratio = (5 / 0.15) ** (0.015 / 0.3)  # the law is early by that much
    assert [of_times.numbers[name] for name in ("least", "largest")] == pytest.approx([ratio] * 2, rel=1e-3)
    assert (of_times.numbers["times"], of_times.numbers["determined"]) == (4, 4)  # .95 is not reached
    (off, *_) = times.claims(section(offset=0.1))
    assert off.measured.endswith("points missed: " + ", ".join(f"curve at {x:g} (0.1)" for x in XS))


def test_a_flat_curve_determines_no_time():
    """A mean whose standard error is .015 is known to .15 3.5/.3 = 18 % of time, and twice that each way."""
    noisy = section(noise=0.08, given=False)
    _, claim = times.claims(noisy)
    assert (claim.verdict, claim.numbers["determined"]) == ("unknown", 0)
    assert claim.measured == "0 of 4 times determined"
    _, claim = times.claims(section(noise=0.03, given=False, late=2.0))
    assert (claim.verdict, claim.numbers["determined"]) == ("fails", 3)
    assert claim.measured.endswith("times missed: curve at 0.6, curve at 0.7, curve at 0.8, curve at 0.9")


@pytest.mark.parametrize(
    ("options", "missed"),
    [
        ({"most": 0.65}, "curve at 0.7, curve at 0.8, curve at 0.9"),
        ({"most": 0.88}, "curve at 0.9"),
        ({"most": 0.895}, "none"),  # a standard error below, of 500 test points
        # The law is late: .36 to .66.
        ({"offset": -0.25, "xs": XS[1:]}, "curve at 0.6, curve at 0.7, curve at 0.8, curve at 0.9"),
        # .81 from the first point on.
        ({"offset": 0.2, "xs": XS[1:]}, "curve at 0.7, curve at 0.8, curve at 0.9, curve at 0.95"),
    ],
    ids=str,
)
def test_a_share_that_one_curve_never_reaches_is_missed(options, missed):
    """Nothing determines its time."""
    _, claim = times.claims(section(**options, noise=0.005, given=False))
    assert claim.verdict == ("holds" if missed == "none" else "fails")
    assert claim.measured.endswith(f"times missed: {missed}")


def test_the_later_curve_is_looked_at_when_it_is_due():
    """The law, .2 higher, is above .7 from .15 on, and reaches .95 in between; a tenth later is allowed."""
    made = section(offset=0.2, xs=XS[1:], noise=0.005, given=False)
    late = {one.share: np.mean(one.late) for one in times.times_of(made.panels[0], "law")}
    due = 0.15 * (5 / 0.15) ** (0.14 / 0.3) * 1.1  # .61 + .14 + .2 = .95
    assert late[0.7] == pytest.approx(curve(0.15 * 1.1) - 0.7, abs=1e-4)
    assert late[0.95] == pytest.approx(curve(due) - 0.95, abs=1e-4)


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.6, 10**0.5), (0.5, 1.0), (0.45, times.BELOW), (0.7, 10.0), (0.8, times.BEYOND)],
)
def test_a_share_is_reached_between_points_or_before_or_after_them(share, expected):
    assert times.crossing([(1.0, 0.5), (10.0, 0.7), (100.0, 0.6)], share) == pytest.approx(expected)
    assert times.crossing([(0.5, None), (1.0, 0.5), (10.0, 0.7)], share) == pytest.approx(expected)


def test_the_table_says_times_and_beyond_which_points_they_are():
    figure, folded = times.shown(section(offset=0.05, xs=XS[1:]), "key")
    (table,) = folded.blocks
    assert isinstance(table, Table)
    assert isinstance(figure, Figure)
    rows = {(row[2], row[1]): row[3:] for row in table.rows}
    assert ("data", "0.6") not in rows  # both below
    ratio = "1.79 [1.79, 1.79]"  # (5/.15)^(1/6): the law is .05 higher
    assert rows["data", "0.9"] == ("2.48", "4.45", ratio)
    assert rows["data", "0.95"] == ("4.45", "not up to 5", "not determined")
    assert rows["initial weights", "0.7"][-1] == "1 [1, 1]"
    assert ("initial weights", "0.95") not in rows
    _, folded = times.shown(section(offset=0.1, xs=XS[2:]), "key")
    rows = {(row[2], row[1]): row[3:] for row in folded.blocks[0].rows}
    assert rows["data", "0.8"] == ("below 0.5", "1.38", "not determined")
    for word in ("limit", "floor", "predicted", "less noise"):
        assert word in figure.svg


def test_what_is_not_trained_or_has_no_law_is_not_judged():
    bare = Section(title="Study", panels=(panel([[0.5, 0.6]]),))
    untrained = section()
    points = tuple(structs.replace(point, regime={}) for point in untrained.panels[0].points)
    untrained = Section(title="Study", panels=(structs.replace(untrained.panels[0], points=points),))
    for one in (bare, untrained):
        assert times.claims(one) == []
        assert list(times.shown(one, "key")) == []


def test_claims_are_of_the_study_in_which_networks_are_trained():
    def columns(point, config):
        share = 0.9 - 0.4 / (1 + point.x)
        found = dict.fromkeys(("agreement_test", *times.COLUMNS), share + 0.001 * (config.seed % 2))
        flips = {} if part.name == "floor" else {"flipped_f": 0.02, "flipped_g": 0.01}
        return found | flips | {"num_test": 200}

    said = {}
    for name in ("training-time", "floor"):
        part = Part(kind="study", name=name, seeds=4)
        said[name] = [claim.statement for claim in built(part, columns).claims if "time" in claim.statement]
    assert (len(said["training-time"]), said["floor"]) == (4, [])


def test_agreement_of_trained_networks_is_no_law_of_sizes():
    trained = section()
    points = tuple(structs.replace(point, deep=point.law) for point in trained.panels[0].points)
    assert (
        laws.claims(Section(title="Study", panels=(structs.replace(trained.panels[0], points=points),))) == []
    )


def test_jackknife_of_a_quotient_of_means_has_its_deviation():
    """Of 2,000 samples of 40 seeds: deviation of the mean within 10 %, bias within five standard errors."""
    rng = np.random.default_rng(7)
    found, errors = [], []
    for _ in range(2000):
        values = np.array([2.0, 1.0])[:, None] + 0.3 * rng.standard_normal((2, 40))
        made = jackknife(values, lambda means: float(means[0] / means[1]))
        found.append(np.mean(made))
        errors.append(np.std(made, ddof=1) / np.sqrt(40))
    assert np.mean(errors) == pytest.approx(np.std(found), rel=0.1)
    assert np.mean(found) == pytest.approx(2.0, abs=5 * np.std(found) / np.sqrt(2000))
