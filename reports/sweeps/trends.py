"""Does agreement rise along a sweep as the published conditions let one expect?  One row a sweep and metric.

The published theorem has sgn f(z) = sgn g(z) where (a) |f̂(z)| > Õ(1 + 1/T_f), (b) |ĝ(z)| > Õ(1/T_f +
(√d/ε)(1/T_g + d/√N)) and (c) the signs of both agree, at width m > Õ(d²(T_f + T_g)²).  That is sufficient,
not necessary: what makes it easier to meet is a trend to expect, and a row can fail.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from reports.sweeps.parts import Part
from reports.sweeps.statistics import rank_correlation, sign_flip

Json = dict[str, Any]

# Probability that any row of a table that has no trend is given one: Bonferroni over its tested rows.
FALSE_ALARM = 0.05
SERIES = ("agreement", "acc_g")

_LESS_NOISE = "the limit of (b) falls"
_EXPECTED = {
    "N": _LESS_NOISE,
    "eps": _LESS_NOISE,
    "eps_logistic": _LESS_NOISE,
    "T_f": "the limits of (a) and (b) fall",
    "T_g": _LESS_NOISE,
    "m": "the width condition is met sooner",
}
_SEPARATED = "|f̂| of separated classes grows with d, the limit of (a) does not; ε ∝ √d"


def expected(part: Part, sweep: str) -> str | None:
    """Return why agreement is to rise along a sweep; None where the published conditions do not say.

    Nothing is said of the slope γ, and of d where labels are random: both sides of (b) move with d.
    """
    if sweep in {"d", "d_logistic"}:
        return _SEPARATED if part.name.startswith("msg") else None
    return _EXPECTED.get(sweep)


def trends(part: Part, panels: Sequence[Mapping[str, Any]]) -> Json | None:
    """Return the trend of each sweep of a published block, by the seeds of its panels.

    Parameters
    ----------
    part : Part
    panels : sequence of mapping
        From `reports.sweeps.reproduction.build`.

    Returns
    -------
    dict or None
        None for a study.  ``false_alarm``; ``level``: of one row, the former over the number of rows about
        which something is expected (None without one); ``rows``: ``sweep``, ``series``, ``basis``,
        ``published_correlation`` and ``published_n`` (Spearman's, of the values read off), ``correlations``
        (of each seed that has a value everywhere), ``mean`` of these, ``n``, ``incomplete`` seeds,
        ``p_value``, ``verdict``.

    Notes
    -----
    A seed gives one number, Spearman's rank correlation of its values with x; 0 if they are all equal.
    Seeds are independent, points of a seed are not.  Tested is that these numbers are as likely negative as
    positive (`sign_flip`).  Rejected at the level: "holds" if their mean is positive, "fails" if it is
    negative; else "unknown".  Below some number of seeds nothing can be rejected.
    """
    if part.kind != "published":
        return None
    rows = [_row(part, panel, series) for panel in panels for series in SERIES if len(panel["points"]) > 2]
    tested = sum(row["basis"] is not None for row in rows)
    level = FALSE_ALARM / tested if tested else None
    for row in rows:
        row["verdict"] = _verdict(row, level)
    return {"false_alarm": FALSE_ALARM, "level": level, "rows": rows}


def _row(part: Part, panel: Mapping[str, Any], series: str) -> Json:
    xs = [float(point["x"]) for point in panel["points"]]
    cells = [point["metrics"][series] for point in panel["points"]]
    seeds = sorted({int(seed) for cell in cells for seed in cell["values"]})
    whole = [str(seed) for seed in seeds if all(str(seed) in cell["values"] for cell in cells)]
    found = {seed: rank_correlation(xs, [cell["values"][seed] for cell in cells]) for seed in whole}
    read = [(x, c["published"]) for x, c in zip(xs, cells, strict=True) if c["published"] is not None]
    values = list(found.values())
    return {
        "sweep": panel["sweep"],
        "series": series,
        "basis": expected(part, panel["sweep"]),
        "published_correlation": rank_correlation(*zip(*read, strict=True)) if len(read) > 2 else None,
        "published_n": len(read),
        "correlations": found,
        "mean": sum(values) / len(values) if values else None,
        "n": len(values),
        "incomplete": len(seeds) - len(whole),
        "p_value": sign_flip(values) if values else None,
    }


def _verdict(row: Json, level: float | None) -> str:
    if row["basis"] is None or level is None or row["p_value"] is None or row["p_value"] > level:
        return "unknown"
    return "holds" if row["mean"] > 0 else "fails"
