"""The comparison of the two theories: each verdict by its own cause."""

import numpy as np
import pytest

from theory import Setting, Verdict
from theory.orthogonal import hypotheses


def setting(**changes):
    fields = {
        "dim": 50,
        "N": 3,
        "width": 100,
        "negative_slope": 0.5,
        "epsilon": 1.0,
        "T_f": 1.0,
        "T_g": 1.0,
        "loss": "exponential",
    }
    return Setting(**(fields | changes))


def rows(X=None, y=(1, -1, 1), *, given=None, **options):
    X = np.eye(3, 50) if X is None else X
    found = hypotheses(X, y, given or setting(), **options)
    return {(row.aspect, i): (row.wide_verdict, row.orthogonal_verdict) for i, row in enumerate(found)}, found


def test_orthogonal_theory_applies_and_the_wide_one_does_not():
    verdicts, found = rows(converged=True, biases=False, norm="Linf")
    assert all(row.orthogonal_verdict is Verdict.HOLDS for row in found if row.aspect != "margin")
    assert [row.aspect for row in found if row.wide_verdict is Verdict.FAILS] == [
        "width",
        "loss",
        "bias",
        "perturbation",
    ]
    assert verdicts["time", 0] == (Verdict.HOLDS, Verdict.HOLDS)
    assert "= 0.01389 > p_max = 0" in found[1].orthogonal
    assert "= 10,000 with C = 1; m = 100" in found[5].wide


def test_wide_theory_applies_and_the_orthogonal_one_does_not():
    X = np.ones((3, 50)) + np.eye(3, 50)
    given = setting(width=10_001, loss="identity", negative_slope=0.0)
    _, found = rows(X, given=given, converged=False, biases=True)
    others = [row for row in found if row.aspect != "margin"]
    assert all(row.wide_verdict is Verdict.HOLDS for row in others)
    assert [row.orthogonal_verdict for row in others] == [Verdict.FAILS] * 8 + [Verdict.HOLDS]


def test_reasons_are_those_of_the_multipliers():
    """Zero rows and one class alone are verdicts, not errors."""
    X = np.eye(3, 50)
    X[1] = 0
    _, found = rows(X, (1, 1, 1))
    assert [row.orthogonal_verdict for row in found[1:4]] == [Verdict.FAILS] * 3
    assert "samples 1 are 0" in found[3].orthogonal


def test_each_condition_on_the_data_has_its_own_verdict():
    """Unit rows, inner products about .02: the published condition fails, the derived one holds."""
    X = np.eye(3, 50)
    X[:, 10] = np.sqrt(0.02)
    _, found = rows(X)
    assert [row.orthogonal_verdict for row in found[1:4]] == [Verdict.FAILS, Verdict.HOLDS, Verdict.HOLDS]


def test_what_is_not_said_is_unknown():
    _, found = rows()
    unknown = [
        (row.aspect, row.wide_verdict, row.orthogonal_verdict)
        for row in found
        if row.aspect in {"time", "bias"}
    ]
    assert unknown == [
        ("time", Verdict.HOLDS, Verdict.UNKNOWN),
        ("bias", Verdict.UNKNOWN, Verdict.UNKNOWN),
    ]


def test_margins_are_a_row_that_is_not_judged_without_query_points():
    """They are no part of what holds for any samples."""
    _, found = rows(converged=True, biases=True, given=setting(width=10_001, loss="identity"))
    (row,) = [row for row in found if row.aspect == "margin"]
    assert row.wide_verdict is row.orthogonal_verdict is Verdict.UNKNOWN
    assert "query point" in row.wide
    assert {row.wide for row in found if row.aspect == "data"} == {"any samples"}


def test_setting_must_be_that_of_the_data():
    with pytest.raises(ValueError, match=r"X must have the 3 rows that setting\.N says, got 4"):
        hypotheses(np.eye(4, 50), [1, -1, 1, 1], setting())
