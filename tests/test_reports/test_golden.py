"""Recorded results: verdicts and words of claims are those that were recorded, numbers up to rounding.

``tests/golden`` holds the raw results of `make report` (digits, shifted Gaussians; without maps and pictures)
and of its sweeps, each with the claims that were made of them.  Where a rule is changed on purpose, record
again.
"""

import json
import lzma
from dataclasses import asdict
from pathlib import Path

import pytest

from reports.build import SCHEMA_VERSION
from reports.claims import claims
from reports.schema import check

GOLDEN = Path(__file__).parents[1] / "golden"
# Sums of some thousand numbers in another order, times the amplification of differences of means.
ROUNDING = {"rel": 1e-9, "abs": 1e-12}


def recorded(name):
    return json.loads(lzma.decompress((GOLDEN / f"{name}.json.xz").read_bytes()))


def assert_same(made, expected):
    assert [claim["key"] for claim in made] == [claim["key"] for claim in expected]
    for one, other in zip(made, expected, strict=True):
        assert one.pop("numbers") == pytest.approx(other.pop("numbers"), **ROUNDING)
        assert {name: one[name] for name in other} == other


def test_claims_of_the_default_report():
    results = recorded("report") | {"schema_version": SCHEMA_VERSION}
    assert_same([asdict(claim) for claim in claims(check(results))], results["claims"])
