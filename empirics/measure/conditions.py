"""The published conditions, point by point, beside whether f and g agree there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

import theory
from empirics.data import Dataset
from empirics.record import Count, Record
from theory.setting import Setting
from theory.validation import Array


class ConditionCounts(Record, frozen=True, kw_only=True):
    """Test points by whether the published conditions hold there and whether the signs agree."""

    label_noise: str  # "published" (d/√N) or "scenario" (1/√N in scenario (a))
    width: str  # verdict of m > d² (T_f + T_g)² at constant 1
    threshold_a: float | None
    threshold_b: float | None
    a: Count  # points where each condition holds
    b: Count
    c: Count
    a_agree: Count  # of these, points where the signs agree
    b_agree: Count
    c_agree: Count
    met_agree: Count  # (a), (b) and (c) hold
    met_differ: Count
    unmet_agree: Count
    unmet_differ: Count


class ConditionRow(Record, frozen=True, kw_only=True):
    """One condition crossed with agreement."""

    name: str
    threshold: float | None
    holds_agree: Count
    holds_differ: Count
    fails_agree: Count
    fails_differ: Count


def count_conditions(
    dataset: Dataset, X_adv: Array, setting: Setting, agree: NDArray[np.bool_], label_noise: theory.LabelNoise
) -> ConditionCounts:
    """Count the test points where the conditions hold, and where the signs of f and g `agree`."""
    conditions = theory.conditions.evaluate(
        dataset.X_test, X=dataset.X, y=dataset.y, X_adv=X_adv, setting=setting, label_noise=label_noise
    )
    holds = {name: conditions[name].holds for name in "abc"}
    met = holds["a"] & holds["b"] & holds["c"]
    return ConditionCounts(
        label_noise=label_noise,
        width=conditions["width"].verdicts[0].value,
        threshold_a=float(conditions["a"].rhs[0]),
        threshold_b=float(conditions["b"].rhs[0]),
        **{name: int(one.sum()) for name, one in holds.items()},
        **{f"{name}_agree": int((one & agree).sum()) for name, one in holds.items()},
        met_agree=int((met & agree).sum()),
        met_differ=int((met & ~agree).sum()),
        unmet_agree=int((~met & agree).sum()),
        unmet_differ=int((~met & ~agree).sum()),
    )


def crossed(totals: Sequence[ConditionCounts]) -> list[ConditionRow]:
    """Cross each condition, and all of them together, with agreement."""
    rows = []
    for label, total in zip(("ν = d/√N", "ν = 1/√N in (a)"), totals, strict=True):
        agree = total.met_agree + total.unmet_agree
        points = agree + total.met_differ + total.unmet_differ
        met = {
            "(a)": (total.a, total.a_agree, total.threshold_a),
            "(b)": (total.b, total.b_agree, total.threshold_b),
            "(c)": (total.c, total.c_agree, None),
            "all three": (total.met_agree + total.met_differ, total.met_agree, None),
        }
        rows += [
            ConditionRow(
                name=f"{name}, {label}",
                threshold=threshold,
                holds_agree=both,
                holds_differ=holds - both,
                fails_agree=agree - both,
                fails_differ=points - agree - (holds - both),
            )
            for name, (holds, both, threshold) in met.items()
        ]
    return rows
