"""Does agreement rise along a sweep as the published conditions let one expect?  One row a sweep and metric.

The published theorem has sgn f(z) = sgn g(z) where (a) |f̂(z)| > Õ(1 + 1/T_f), (b) |ĝ(z)| > Õ(1/T_f +
(√d/ε)(1/T_g + d/√N)) and (c) the signs of both agree, at width m > Õ(d²(T_f + T_g)²).  That is sufficient,
not necessary: what makes it easier to meet is a trend to expect, and a row can fail.

Longer times and more dimensions make (a) or (b) easier and the width condition harder: nothing is expected
of them, unless all experiments of the sweep meet the published width with constant 1, m > d²(T_f + T_g)².
The theorem is about agreement; of the accuracy of g it says nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from msgspec.structs import replace

from empirics.campaigns.wide import Part
from empirics.config import ExperimentConfig
from empirics.data import FashionMnistData, MnistData
from reports import text
from reports.claims.sweeps.rows import Section, Trend, WidePanel, stated
from reports.judging import RISING_RULE, judge_rising, unmeasured
from reports.page import Bad, Block, Prose, table
from reports.runs import whole_seeds
from reports.shown import SAID
from reports.statistics import mean, rank_correlation
from reports.text import many
from reports.verdicts import Claim, verdict
from theory import Setting, published_width

SERIES = {"agreement": "agreement", "acc_g": "accuracy of g"}

# Of the published width condition: its true constant is not known.
WIDTH_CONSTANT = 1.0

_LESS_NOISE = "the limit of (b) falls"
_EXPECTED = {
    "N": _LESS_NOISE,
    "eps": _LESS_NOISE,
    "eps_logistic": _LESS_NOISE,
    "m": "the width condition is met sooner",
}
_SEPARATED = "|f̂| of separated classes grows with d, the limit of (a) does not; ε ∝ √d"
# Along these the width condition becomes harder to meet.
_HARDER = {
    "d": _SEPARATED,
    "d_logistic": _SEPARATED,
    "T_f": "the limits of (a) and (b) fall",
    "T_g": _LESS_NOISE,
}
_WIDE = "; all points meet m > d²(T_f + T_g)²"


def expected(block: str, sweep: str, configs: Sequence[ExperimentConfig]) -> str | None:
    """Return why agreement is to rise along a sweep; None where the published conditions do not say.

    Parameters
    ----------
    block : str
        Name of the published block.
    sweep : str
    configs : sequence of ExperimentConfig
        All experiments of the sweep.

    Notes
    -----
    Nothing is said of the slope γ, and of d where labels are random: both sides of (b) move with d.  Along d,
    T_f and T_g something is said only if every experiment meets the published width with constant 1.
    """
    if sweep not in _HARDER:
        return _EXPECTED.get(sweep)
    if sweep in {"d", "d_logistic"} and not block.startswith("msg"):
        return None
    return _HARDER[sweep] + _WIDE if _wide_enough(configs) else None


def _wide_enough(configs: Sequence[ExperimentConfig]) -> bool:
    """Tell whether all of some experiments meet m > d²(T_f + T_g)²; not where d is not a field (images)."""
    return bool(configs) and all(_wide(config) for config in configs)


def _wide(config: ExperimentConfig) -> bool:
    dim = getattr(config.data, "dim", None)
    if dim is None:
        return False
    # Neither N nor ε enters the width.
    setting = Setting(dim=dim, N=1, width=config.width, epsilon=1.0, T_f=config.T_f, T_g=config.T_g)
    return config.width > published_width(setting, constant=WIDTH_CONSTANT)


def trends_of(part: Part, panels: Sequence[WidePanel]) -> tuple[Trend, ...]:
    """Return the trend of each sweep of a published block, by the seeds of its panels; none for a study.

    A seed gives one number, Spearman's rank correlation of its values with x; 0 if they are all equal.
    Seeds are independent, points of a seed are not.  Judged are the signs of these numbers, the false alarm
    shared by the rows about which something is expected.
    """
    if part.kind != "published":
        return ()
    configs: dict[str, list[ExperimentConfig]] = {}
    for point in part.points():
        configs.setdefault(point.sweep, []).extend(point.configs)
    rows = [
        _row(part, panel, series, configs.get(panel.sweep, []))
        for panel in panels
        for series in SERIES
        if len(panel.points) > 2
    ]
    tested = sum(row.basis is not None for row in rows)
    return tuple(_judged(row, tested) for row in rows)


def _row(part: Part, panel: WidePanel, series: str, configs: Sequence[ExperimentConfig]) -> Trend:
    xs, cells = [point.x for point in panel.points], [point.metrics[series] for point in panel.points]
    whole, some = whole_seeds(cells)
    found = {seed: rank_correlation(xs, [cell.values[seed] for cell in cells]) for seed in whole}
    read = [(x, c.published) for x, c in zip(xs, cells, strict=True) if c.published is not None]
    return Trend(
        sweep=panel.sweep,
        series=series,
        basis=expected(part.name, panel.sweep, configs) if series == "agreement" else None,
        published_correlation=rank_correlation(*zip(*read, strict=True)) if len(read) > 2 else None,
        published_n=len(read),
        correlations=found,
        incomplete=max(part.seeds, len(some)) - len(whole),
        fixed_data=_fixed(configs),
    )


def _fixed(configs: Sequence[ExperimentConfig]) -> bool:
    """Tell whether all seeds have the same data: all points of the official split of images."""
    sources = [config.data for config in configs]
    return bool(sources) and all(
        isinstance(data, (MnistData, FashionMnistData)) and data.num_train is None and data.num_test is None
        for data in sources
    )


def _judged(row: Trend, tested: int) -> Trend:
    if row.basis is None:
        found = unmeasured("nothing expected")
    elif not row.correlations:
        found = unmeasured("no complete seed")
    else:
        found = judge_rising(list(row.correlations.values()), incomplete=row.incomplete, tests=tested)
    return replace(row, verdict=verdict(True, found.holds), decision=found.decision)


def claims(section: Section) -> list[Claim]:
    """Count the sweeps about which something is expected by their verdicts."""
    rows = [row for row in section.trends if row.basis is not None]
    if not any(row.correlations for row in rows):
        return []
    counts = Counter(row.verdict for row in rows)
    failing = ", ".join(row.sweep for row in rows if row.verdict == "fails")
    reasons = Counter(row.decision for row in rows if row.verdict == "unknown")
    unknown = ", ".join(f"{count} {why}" for why, count in reasons.items())
    fixed = ", ".join(row.sweep for row in rows if row.fixed_data)
    made = stated(
        "published",
        "Agreement rises where the published conditions become easier to meet",
        f"holds in {counts['holds']}, fails in {counts['fails']}, unknown in "
        f"{counts['unknown']} of {many(len(rows), 'sweep')}"
        + (f" ({unknown})" if unknown else "")
        + (f"; fails: {failing}" if failing else ""),
        f"signs of rank correlations, one a seed: each sweep {RISING_RULE}; false alarm shared by "
        f"{many(len(rows), 'sweep')}"
        + (f"; seeds vary the networks and targets only, the data are fixed: {fixed}" if fixed else ""),
    )
    return [made]


_TREND: dict[str, Callable[[Trend], str]] = {
    "sweep": lambda row: row.sweep,
    "metric": lambda row: SERIES[row.series],
    "expected to rise, as": lambda row: row.basis or "nothing stated",
    "mean rank correlation": lambda row: text.number(mean(list(row.correlations.values())), 2),
    "seeds": lambda row: (
        f"{len(row.correlations)}"
        + (f", {row.incomplete} without a value somewhere" if row.incomplete else "")
    ),
    "rising, falling": lambda row: ", ".join(
        str(sum(s * c > 0 for c in row.correlations.values())) for s in (1, -1)
    ),
    "verdict": lambda row: Bad("fails") if row.verdict == "fails" else row.verdict,
    "published": lambda row: (
        text.DASH
        if row.published_correlation is None
        else f"{text.number(row.published_correlation, 2)} (n = {row.published_n})"
    ),
    "decision": lambda row: row.decision,
}


def shown(section: Section, _key: str) -> Iterator[Block]:
    """Yield the trend of each sweep."""
    if section.trends:
        yield Prose("Trends", "heading")
        yield Prose(SAID["sweep"]["trends"])
        yield table(section.trends, _TREND)
