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

from empirics.campaigns import orthogonal, wide
from empirics.sweep.plan import plan_of_configs
from empirics.wide import WIDE
from reports.build import SCHEMA_VERSION
from reports.claims import claims
from reports.claims.orthogonal.rows import OrthogonalRow
from reports.orthogonal import build as orthogonal_results
from reports.runs import Row, rows_of
from reports.schema import check
from reports.sweeps import build as sweep_results

GOLDEN = Path(__file__).parents[1] / "golden"
# Sums of some thousand numbers in another order, times the amplification of differences of means.
ROUNDING = {"rel": 1e-9, "abs": 1e-12}


def recorded(name):
    return json.loads(lzma.decompress((GOLDEN / f"{name}.json.xz").read_bytes()))


def assert_same(made, expected):
    assert [claim.statement for claim in made] == [claim["statement"] for claim in expected]
    for one, other in zip(map(asdict, made), expected, strict=True):
        numbers, known = one.pop("numbers"), other.pop("numbers")
        assert {name: numbers[name] for name in known} == pytest.approx(known, **ROUNDING)
        assert {name: one[name] for name in other} == other


def test_claims_of_the_default_report():
    results = recorded("report") | {"schema_version": SCHEMA_VERSION}
    assert_same(claims(check(results)), results["claims"])


def test_claims_of_a_published_block():
    found = recorded("msg-a")
    part = wide.Part(kind="published", name="msg-a", sweeps=("eps",), solver="flow")
    made = sweep_results(plan_of_configs(WIDE, part.configs()), rows_of(found["rows"], Row), [part])
    assert_same(made.claims, found["claims"])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (
            "orthogonal",
            {
                "kind": "published",
                "name": "L2",
                "sweeps": ("N_adv",),
                "scale": 50,
                "options": {"max_steps": 4000},
            },
        ),
        ("orthogonality", {"kind": "study", "name": "orthogonality", "seeds": 3}),
    ],
)
def test_claims_of_orthogonal_samples(name, options):
    found = recorded(name)
    made = orthogonal_results(orthogonal.Part(**options), rows_of(found["rows"], OrthogonalRow))
    assert_same(made.claims, found["claims"])
