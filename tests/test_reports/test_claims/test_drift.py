"""The bound of displacements in a report: which networks are counted, what is drawn of them, the claim."""

import pytest
from msgspec.structs import replace

from reports.claims.drift import BLIND, claims, shown
from reports.page import Figure, say
from reports.schema import check


def test_narrowest_and_widest_of_the_first_seed_are_in_the_results(tiny_results):
    for section in tiny_results["sections"]:
        assert [(row["width"], row["seed"]) for row in section["drift"]] == [(16, 0), (256, 0)]
        assert not any("drift" in run for run in section["runs"])


def test_nothing_trained_is_nothing_to_draw(tiny):
    section = tiny.sections[0]
    found = replace(section, drift=[replace(section.drift[0], f=None)])
    (drawn,) = (block for block in shown(found, "s1") if isinstance(block, Figure))
    assert drawn.name == "drift_g"
    assert "crossed 0" in drawn.svg
    (said,) = shown(replace(found, drift=[replace(found.drift[0], g=None)]), "s1")
    assert said == say("Nothing was trained.")


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, "holds"),
        ({"blind": BLIND}, "unknown"),
        ({"blind": None}, "unknown"),
        ({"blind": 0.5, "outside": 1}, "fails"),  # beyond by more than rounding all the same
    ],
)
def test_claim_is_unknown_where_rounding_hides_the_bound(fresh_results, fields, verdict):
    (first, *_) = fresh_results["sections"][0]["drift"]
    fresh_results["sections"][0]["drift"] = [first | {"g": first["g"] | {"blind": 0.0} | fields}]
    (made,) = claims(check(fresh_results).sections[0])
    assert made.verdict == verdict
