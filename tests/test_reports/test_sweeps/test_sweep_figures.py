"""Cosines, trends and the criterion on the page of a sweep, from its JSON value."""

import html5lib
import pytest
from msgspec.structs import replace

from empirics.campaigns import Reading
from empirics.campaigns.wide import METRICS, Part, cosine_reading
from reports.statistics import Spread
from reports.sweeps.figures import of_panel
from reports.sweeps.page import page_of
from tests.test_reports.made_up_sweeps import built
from tests.test_reports.parsed import content

HTML = "{http://www.w3.org/1999/xhtml}"
PART = Part(kind="published", name="msg-a", seeds=10, sweeps=("T_f", "slope"), solver="flow")


@pytest.fixture(scope="module")
def results():
    """Agreement rises with T_f, and falls with the slope; cosines near those published."""

    def columns(point, config):
        rising = 0.5 + (config.T_f - config.negative_slope * 4e5) / 1e6
        reading = cosine_reading("MSG_a", point.sweep, point.x)
        cosine = {} if reading is None else {"cosine_published": reading.value + 0.02 * config.seed - 0.05}
        known = dict.fromkeys(METRICS.values(), rising) | {"two_point_accuracy_g_train": rising}
        return known | {"cosine_derived": 0.5} | cosine

    return built(PART, columns)


@pytest.fixture(scope="module")
def tables(results):
    parser = html5lib.HTMLParser(strict=True, tree=html5lib.getTreeBuilder("etree"))
    page = parser.parse(page_of(results).html())
    found = {}
    for table in page.iter(f"{HTML}table"):
        rows = [[content(cell) for cell in row] for row in table.iter(f"{HTML}tr")]
        found[rows[0][1 if table.get("class") == "points" else 0]] = rows[1:]
    return found


def panel(results, sweep):
    (found,) = [one for one in results.sections[0].panels if one.sweep == sweep]
    return found


def cosine_figure(results, shown):
    drawn = {one.svg for one in of_panel(results.sections[0], shown, "key") if one.name == "cosine"}
    return drawn.pop() if drawn else None


def test_cosine_figure_has_both_directions_and_the_published_values(results):
    drawn = cosine_figure(results, panel(results, "T_f"))
    for label in ("with u", "with ∇f<", "published, with u"):  # an index is a part of its own
        assert f">{label}" in drawn
    assert drawn == cosine_figure(results, panel(results, "T_f"))


def test_no_cosine_figure_without_published_or_measured_cosines(results):
    assert cosine_figure(results, panel(results, "slope")) is None
    known = panel(results, "T_f")
    read = Spread.of({}, Reading(0.5, 0.1))
    points = tuple(replace(p, cosines=dict.fromkeys(p.cosines, read)) for p in known.points)
    assert cosine_figure(results, replace(known, points=points)) is None


def test_table_of_cosines_has_the_published_values(tables):
    rows = tables["|cos| with u: mean ± sd [min, max]"]
    assert len(rows) == 10
    assert rows[2][0] == "3"
    assert rows[2][1:3] == ["0.54 ± 0.06 [0.45, 0.63]", "0.5 ± 0.006 ✓"]
    assert rows[2][3:] == ["0.5 ± 0 [0.5, 0.5]", "10"]
    assert tables["cosines"][0][:3] == ["with u, as published", "10", "10"]


def test_table_of_trends_has_a_verdict_for_each_row(tables, results):
    rows = {(row[0], row[1]): row for row in tables["sweep"]}
    assert len(rows) == 4
    assert rows["T_f", "agreement"][2:6] == ["nothing stated", "1", "10", "10, 0"]
    assert rows["slope", "agreement"][2:6] == ["nothing stated", "−1", "10", "0, 10"]
    assert {(row[6], row[8]) for row in rows.values()} == {("unknown", "not decided: nothing expected")}
    assert not [c for c in results.claims if c.statement.startswith("Agreement rises")]


def test_criterion_says_that_sweeps_are_missing(results):
    page = page_of(results).html()
    assert "not decided: not all sweeps of the block are here" in page
    assert "two samples (g trained on two points): unknown" in page
