"""Rank correlations of agreement along sweeps, one a seed.  One row a sweep and metric."""

from collections.abc import Mapping, Sequence
from typing import Any

from empirics.campaigns.wide import Part
from empirics.config import ExperimentConfig
from empirics.data import FashionMnistData, MnistData
from reports.claims.sweeps.trends import expected, judge_trend
from reports.judging import outcome
from reports.statistics import rank_correlation

Json = dict[str, Any]

SERIES = ("agreement", "acc_g")


def _fixed(configs: Sequence[ExperimentConfig]) -> bool:
    """Tell whether all seeds have the same data: all points of the official split of images."""
    sources = [config.data for config in configs]
    return bool(sources) and all(
        isinstance(data, (MnistData, FashionMnistData)) and data.num_train is None and data.num_test is None
        for data in sources
    )


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
        None for a study.  ``tested``: number of rows about which something is expected; ``rows``: ``sweep``,
        ``series``, ``basis`` (None for the accuracy of g), ``published_correlation`` and ``published_n``
        (Spearman's, of the values read off), ``correlations`` (of each seed that has a value everywhere),
        ``mean`` of these, ``rising`` and ``falling`` (how many are positive and negative), ``n``,
        ``incomplete`` seeds, ``fixed_data`` (seeds vary the networks and targets only), ``verdict`` and
        ``decision``.

    Notes
    -----
    A seed gives one number, Spearman's rank correlation of its values with x; 0 if they are all equal.
    Seeds are independent, points of a seed are not.  Judged are the signs of these numbers (`judge_trend`),
    the false alarm shared by the rows about which something is expected.
    """
    if part.kind != "published":
        return None
    configs: dict[str, list[ExperimentConfig]] = {}
    for point in part.points():
        configs.setdefault(point.sweep, []).extend(point.configs)
    rows = [
        _row(part, panel, series, configs.get(panel["sweep"], []))
        for panel in panels
        for series in SERIES
        if len(panel["points"]) > 2
    ]
    tested = sum(row["basis"] is not None for row in rows)
    return {"tested": tested, "rows": [row | outcome(judge_trend(row, tested)) for row in rows]}


def _row(part: Part, panel: Mapping[str, Any], series: str, configs: Sequence[ExperimentConfig]) -> Json:
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
        "basis": expected(part.name, panel["sweep"], configs) if series == "agreement" else None,
        "published_correlation": rank_correlation(*zip(*read, strict=True)) if len(read) > 2 else None,
        "published_n": len(read),
        "correlations": found,
        "mean": sum(values) / len(values) if values else None,
        "rising": sum(value > 0 for value in values),
        "falling": sum(value < 0 for value in values),
        "n": len(values),
        "incomplete": max(part.seeds, len(seeds)) - len(whole),
        "fixed_data": _fixed(configs),
    }
