"""Sums of what was simulated."""

import numpy as np
import pytest


def test_totals_are_those_of_the_runs(tiny_results):
    for section in tiny_results["sections"]:
        found = section["simulated"]
        records = [run["simulated"] for run in section["runs"] if "simulated" in run]
        assert [run["seed"] for run in section["runs"] if "simulated" in run] == found["seeds"]
        assert {run["width"] for run in section["runs"] if "simulated" in run} == {found["width"]}
        for kind, totals in found["totals"].items():
            for name, total in totals.items():
                assert total == sum(record["counts"][kind][name] for record in records)
        for group in ("sign_match", "error"):
            for network in ("f", "g"):
                for name, summary in found[group][network].items():
                    values = [record[group][network][name] for record in records]
                    assert summary["n"] == len(values)
                    assert summary["mean"] == pytest.approx(np.mean(values), rel=1e-12)
        for name in ("f", "g"):
            known = [r["failure"][name] for r in records if r["failure"][name] is not None]
            assert found["failure"][name] == max(known, default=None)
