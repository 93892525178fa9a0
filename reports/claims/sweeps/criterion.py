"""Which predictors of the accuracy of g do at least as well as the two-number rule did."""

from collections.abc import Iterable, Mapping
from typing import Any

from reports.judging import CONFIDENCE, Judgement, judge_mean, together, unmeasured
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim

Json = Mapping[str, Any]

# The runs that the two-number rule was measured on, and what it reached there: 77 runs of MSG(a).
RULE_RUNS = "identity loss, learning rates 1, m ≥ 30, N ≥ 100"
RULE_CORRELATION, RULE_ERROR = 0.997, 0.010


def judge_criterion(row: Json, total: int, *, whole: bool) -> Judgement:
    """Judge a predictor by its correlation and mean error of each seed."""
    if not whole:
        return unmeasured("not all sweeps of the block are here")
    if row["n"] < total:
        return unmeasured(f"{total - row['n']} of {many(total, 'run')} without a value")
    correlations, errors = zip(*row["seeds"].values(), strict=True)
    return together(
        judge_mean(correlations, low=RULE_CORRELATION, what="correlation of a seed", tests=2),
        judge_mean(errors, high=RULE_ERROR, what="mean absolute error of a seed", tests=2),
    )


def criterion(section: Json) -> list[Claim]:
    """Name the predictors by verdict, those without training first."""
    found = section["criterion"]
    if found is None or not found["rows"]:
        return []
    alone = _verdicts(row for row in found["rows"] if not row["trained"])
    beside = _verdicts(row for row in found["rows"] if row["trained"])
    return [
        Claim(
            source="derived here",
            verdict=None,
            statement=f"Accuracy of g predicted with correlation ≥ {found['correlation']:g} and mean "
            f"absolute error ≤ {found['mean_error']:g}",
            measured=f"without training: {alone or 'no prediction'}"
            + (f". Beside it, with training: {beside}" if beside else ""),
            rule=f"{many(found['total'], 'run')}: {found['runs']}; means over seeds, not rounded: "
            f"holds if the t intervals at {CONFIDENCE} exclude less and more, fails if one excludes the "
            f"limit itself, false alarm {FALSE_ALARM:g} a predictor",
        )
    ]


def _verdicts(rows: Iterable[Json]) -> str:
    """Return the names of predictors by verdict, each with what decided it."""
    names: dict[str, list[str]] = {"holds": [], "fails": [], "unknown": []}
    for row in rows:
        names[row["verdict"]].append(f"{row['name'].partition(', ')[2]} ({row['decision']})")
    return "; ".join(f"{verdict}: {', '.join(some)}" for verdict, some in names.items() if some)
