"""Recorded results: verdicts and words of claims are those that were recorded, numbers up to rounding.

``tests/golden`` holds the raw results of `make report` (digits, shifted Gaussians; without maps and pictures)
and of its sweeps, each with the claims that were made of them.  Where a rule is changed on purpose, record
again.
"""

import csv
import io
import json
import lzma
import re
from dataclasses import asdict
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest
from msgspec import structs

from empirics.campaigns import orthogonal, wide
from empirics.measure.conditions import crossed
from empirics.measure.runs import diagnose
from empirics.measure.simulated import Plan, Scan
from empirics.record import added
from empirics.sweep.plan import plan_of_configs
from empirics.wide import WIDE
from reports.claims import claims
from reports.claims.orthogonal.rows import OrthogonalRow
from reports.claims.simulated import total
from reports.claims.sweeps.rows import Runs
from reports.orthogonal.build import build as orthogonal_results
from reports.render import render
from reports.results import SCHEMA_VERSION, AtWidth
from reports.runs import Row, rows_of
from reports.schema import check
from reports.sweeps.reproduction import build as sweep_results
from tests.test_reports.made_up import plain

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


def test_claims_of_a_published_block():
    found = recorded("msg-a")
    part = wide.Part(kind="published", name="msg-a", sweeps=("eps",), solver="flow")
    runs = Runs(rows_of(found["rows"], Row))
    made = sweep_results(plan_of_configs(WIDE, part.configs()), runs, [part])
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


@pytest.fixture(scope="module")
def report():
    return recorded("report") | {"schema_version": SCHEMA_VERSION}


def test_claims_of_the_default_report(report):
    assert_same(claims(check(report)), report["claims"])


def numbers(value, place=()):
    """Yield what is nested by its place, so that it can be compared up to rounding."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from numbers(item, (*place, key))
    if not isinstance(value, (dict, list)):
        yield place, value


def test_sums_of_the_default_report_follow_from_its_runs(report):
    for section, recorded_section in zip(check(report).sections, report["sections"], strict=True):
        widths, runs, found = section.widths, section.runs, section.simulated
        widest = [run.conditions for run in runs if run.width == widths[-1]]
        totals = [added(counts) for counts in zip(*widest, strict=True)]
        plan = Plan(width=found.width, seeds=tuple(found.seeds), num_neurons=found.num_neurons)
        made = {
            "by_width": [AtWidth.of([run for run in runs if run.width == width]) for width in widths],
            "condition_totals": totals,
            "condition_rows": crossed(totals),
            "simulated": total(plan, runs, msgspec.convert(recorded_section["simulated"], Scan)),
            "diagnosis": structs.replace(
                diagnose([(run, []) for run in runs], widths), terms=section.diagnosis.terms
            ),
        }
        for name, part in made.items():
            # Medians are of single points, which are not recorded.
            expected = [item for item in numbers(plain(getattr(section, name))) if "sizes" not in item[0]]
            for (place, value), (same, known) in zip(
                sorted(numbers(plain(part))), sorted(expected), strict=True
            ):
                assert place == same
                if isinstance(known, float):
                    assert value == pytest.approx(known, **ROUNDING), (name, *place)
                else:
                    assert value == known, (name, *place)


def test_files_of_numbers_hold_what_was_recorded(report):
    page = re.findall(r'download="([^"]*)" href="data:text/csv;charset=utf-8,([^"]*)"', render(check(report)))
    files = {name: list(csv.DictReader(io.StringIO(unquote(content)))) for name, content in page}
    for section, name in zip(report["sections"], ("digits-1-vs-2", "shifted-gaussian"), strict=True):
        for file, part in (("by-width", "by_width"), ("runs", "runs"), ("conditions", "condition_rows")):
            rows = files[f"{name}-{file}.csv"]
            for row, record in zip(rows, section[part], strict=True):
                recorded_numbers = {".".join(map(str, place)): value for place, value in numbers(record)}
                assert row == {
                    column: "" if recorded_numbers[column] is None else str(recorded_numbers[column])
                    for column in row
                }
