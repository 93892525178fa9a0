"""Pages as lists of blocks: what each becomes, and that a new claim is one function in one list."""

from importlib import import_module

import html5lib
import pytest
from markupsafe import Markup

from reports.claims.sweeps.rows import Section as Measured
from reports.page import Bad, Figure, Page, Prose, Section, Table
from reports.verdicts import Claim

claims = import_module("reports.claims")
TOY = Claim(statement="2 < 3", source="derived here", measured="1 & 1", rule="count", verdict="holds")


def parsed(*blocks):
    page = Page("T", Markup("<i>f</i>"), (Section("S", blocks, "s"), Section("U", ())))
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(page.html()).find("body")


def texts(element, path):
    return [" ".join("".join(one.itertext()).split()) for one in element.iterfind(path)]


def test_text_is_escaped_and_markup_is_not():
    body = parsed(Prose("a < b"), Prose(Markup("<code>c</code>"), "warning"), Prose("H", "heading"))
    assert texts(body, ".//section/p") == ["a < b", "c"]
    assert texts(body, ".//p[@class='warning']/code") == ["c"]
    assert texts(body, ".//h3") == ["H"]
    assert texts(body, ".//nav//a") == ["S"]  # a section without a key is not listed


def test_blocks_stay_in_order_and_those_of_one_kind_stand_together():
    drawn = [Figure(Markup("<svg></svg>"), str(index)) for index in range(3)]
    body = parsed(*drawn[:2], Prose("between"), drawn[2], Table(("x",), (("1",),)))
    assert [child.tag for child in body.find(".//section")] == ["h2", "div", "p", "div", "div"]
    assert texts(body, ".//figcaption") == ["0", "1", "2"]


def test_tables_of_one_summary_are_folded_together():
    first, second = Table(("x",), (("1", Bad("2")),), summary="more"), Table((), (("3",),), summary="more")
    body = parsed(first, second)
    assert texts(body, ".//details/summary") == ["more"]
    assert texts(body, ".//details//tbody//*[@scope='row']") == ["1", "3"]
    assert texts(body, ".//td[@class='out']") == ["2"]


@pytest.mark.parametrize(
    ("fields", "head"),
    [
        ({}, ["Claim", "Rule", "Predicted", "Measured", "Verdict"]),
        ({"verdict": None}, ["Quantity", "Measured", "Rests on"]),
    ],
)
def test_claims_have_a_verdict_or_say_what_they_rest_on(fields, head):
    claim = Claim(**(vars(TOY) | fields))
    body = parsed(claim, claim)
    assert texts(body, ".//thead//th") == head
    assert len(texts(body, ".//tbody/tr")) == 2
    assert "1 & 1" in texts(body, ".//tbody//td[@data-label='Measured']")


def test_a_claim_is_added_by_its_function_in_the_list(monkeypatch):
    monkeypatch.setattr(claims, "OF_SWEEPS", (lambda section: [TOY] if section.title == "A" else [],))
    (made,) = claims.claims_of_sweeps([Measured(title=title, panels=()) for title in "AB"])
    assert (made.statement, made.section, made.verdict) == ("2 < 3", "A", "holds")
