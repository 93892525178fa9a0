"""Counts of conditions: they add up over seeds, and are crossed with agreement."""

from msgspec import json, structs

from empirics.measure.conditions import ConditionCounts, crossed
from empirics.record import added

COUNTS = {"a": 9, "b": 8, "c": 12, "a_agree": 6, "b_agree": 3, "c_agree": 7}
COUNTS |= {"met_agree": 2, "met_differ": 3, "unmet_agree": 20, "unmet_differ": 10}


def _counts(threshold, noise="published"):
    return ConditionCounts(
        label_noise=noise, width="fails", threshold_a=threshold, threshold_b=None, **COUNTS
    )


def test_counts_are_added_and_what_is_none_is_kept():
    total = structs.asdict(added([_counts(2.5)] * 3))
    assert total == structs.asdict(_counts(2.5)) | {name: 3 * count for name, count in COUNTS.items()}


def test_thresholds_that_json_writes_as_integers_are_no_counts():
    one = json.decode(json.encode(_counts(2.0)).replace(b"2.0", b"2"), type=ConditionCounts)
    assert added([one, one]).threshold_a == 2.0


def test_conditions_are_crossed_with_agreement():
    rows = crossed([_counts(2.5), _counts(2.5, "scenario")])
    assert len(rows) == 8
    first, last = rows[0], rows[3]
    assert (first.name, first.threshold) == ("(a), ν = d/√N", 2.5)
    # Of 35 points 22 agree; 9 meet (a), of which 6 agree.
    assert (first.holds_agree, first.holds_differ, first.fails_agree, first.fails_differ) == (6, 3, 16, 10)
    assert (last.holds_agree, last.holds_differ, last.fails_agree, last.fails_differ) == (2, 3, 20, 10)
