"""The law of agreement over times beside trained networks: its claim, its table and its figures."""

import math

import pytest
from msgspec import structs

from empirics.campaigns.wide import Part
from reports.claims.sweeps import times
from reports.claims.sweeps.rows import Section
from reports.page import Figure, Table
from reports.statistics import Spread
from tests.test_reports.made_up_sweeps import built, panel

PART = Part(kind="study", name="training-time", seeds=12, sweeps=("digits (identity loss)",))


def columns(point, config, offset=0.0, flipped=0.02):
    """A curve that reaches .6 at T_g = .15 and .9 at T_g = 5, and a law that is off by a number."""
    share = 0.6 + 0.3 * math.log(point.x / 0.15) / math.log(5.0 / 0.15)
    law = {"law_agreement_test": share + offset, "law_limit_test": 0.97, "law_floor_test": 0.7}
    noise = 0.001 * (config.seed - 5.5)
    return {"agreement_test": share + noise, "flipped_f": flipped, "flipped_g": flipped, **law}


def test_the_claim_counts_what_is_near_lazy_and_means_differences():
    (claim,) = times.claims(built(PART, columns).sections[0])
    assert claim.verdict == "holds"
    assert claim.numbers == {"points": 6, "met": 6, "mean": pytest.approx(0.0, abs=1e-12)}
    assert claim.measured == "6 of 6 points met the hypothesis; mean absolute difference of means 0"
    (off,) = times.claims(built(PART, lambda *one: columns(*one, offset=0.1)).sections[0])
    assert off.verdict == "fails"
    assert off.numbers["mean"] == pytest.approx(0.1)
    (far,) = times.claims(built(PART, lambda *one: columns(*one, flipped=0.2)).sections[0])
    assert (far.verdict, far.numbers["met"]) == ("hypothesis not met", 0)


def test_runs_that_are_missing_decide_nothing():
    def some(point, config):
        found = columns(point, config)
        if config.seed == 3 and point.x == 0.5:
            del found["law_agreement_test"]
        return found

    (claim,) = times.claims(built(PART, some).sections[0])
    assert claim.verdict == "unknown"


def test_times_of_shares_are_where_the_curves_cross():
    section = built(PART, lambda *one: columns(*one, offset=0.05)).sections[0]
    figure, folded = times.shown(section, "key")
    (table,) = folded.blocks
    assert isinstance(table, Table)
    assert isinstance(figure, Figure)
    rows = {row[1]: row[2:] for row in table.rows}
    assert rows["0.6"] == ("0.0836", "0.15")  # .15 (5/.15)^(−1/6): the law is .05 higher
    assert rows["0.9"] == ("2.79", "5")
    assert rows["0.95"] == ("5", "8.97")
    for word in ("limit", "floor", "predicted", "measured"):
        assert word in str(figure.svg if hasattr(figure, "svg") else figure).lower()


def test_a_share_that_is_never_reached_has_no_time():
    cells = [(1.0, 0.5), (10.0, 0.7), (100.0, 0.6)]
    assert times._crossing(cells, 0.6) == pytest.approx(10**0.5)
    assert times._crossing(cells, 0.5) == 1.0
    assert times._crossing(cells, 0.8) is None
    assert times._crossing([(1.0, None), (10.0, 0.7)], 0.6) == 10.0


def test_without_a_law_there_is_nothing():
    section = Section(title="Study", panels=(panel([[0.5, 0.6]]),))
    assert times.claims(section) == []
    assert list(times.shown(section, "key")) == []
    assert structs.asdict(section.panels[0].points[0])["law"] == {}
    assert Spread.of({}).mean is None
