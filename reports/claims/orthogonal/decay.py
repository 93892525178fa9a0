"""Where the conditions end and where the prediction does, along the ratio N/d."""

from collections.abc import Iterator, Sequence
from itertools import cycle, product, takewhile

from reports import svg
from reports._matplotlib import Axes
from reports.claims.orthogonal.rows import (
    ENOUGH_SEEDS,
    LEVEL,
    PERCENT,
    VIOLATION,
    OrthogonalPanel,
    OrthogonalPoint,
    Results,
    Run,
    claim,
    of_converged,
    of_holding,
    of_runs,
    unknown,
)
from reports.claims.orthogonal.signs import CONDITIONS
from reports.judging import CONFIDENCE, judge_share, together
from reports.page import Block, Section, table
from reports.shown import SAID, band, finish, of_metric, ranged, spread
from reports.verdicts import FALSE_ALARM, Claim

_STYLES = tuple(product(("-", "--", ":"), (svg.F, svg.G, svg.THIRD, svg.SHADE)))


def claims(results: Results, _runs: Sequence[Run]) -> list[Claim]:
    """Say where the conditions end and where the prediction does, slope by slope, for that study."""
    if not _asked(results):
        return []
    said, inside = [], []
    for series in results.panels[0].series:
        points = results.panels[0].of(series)
        held = [_last(points, f"{c}_f") for c in CONDITIONS]
        below = _first_below(points)
        places = ", ".join("none" if x is None else f"{x:g}" for x in held)
        said.append(f"{series}: {places}; {'not seen' if below is None else f'{below:g}'}")
        reach = held[2]
        inside += [point for point in points if reach is not None and point.x <= reach]
    wrong = [_wrong(point) for point in inside]
    made = claim(
        f"The prediction fails only beyond where the λ system holds: the mean share of equal signs is at "
        f"least {PERCENT} up to there",
        "derived here",
        "for each slope and each N/d up to the largest where λ > 0 and the pattern hold for all seeds, "
        "converged or not: fails if a mean share of wrong signs of "
        f"{1 - LEVEL:.2g} or less is excluded at one (false alarm {FALSE_ALARM:g} over all), holds if one of "
        f"{VIOLATION:g} or more is excluded at each at {CONFIDENCE}; {ENOUGH_SEEDS} seeds without a wrong "
        "sign are enough",
        "prediction outlasts the condition at every slope where it holds somewhere",
        "largest N/d up to which all seeds meet the published, the derived condition, the λ system; "
        "first N/d "
        f"below {PERCENT}: " + ". ".join(said),
        bool(inside),
        together(
            *(
                judge_share(
                    known,
                    allowed=1 - LEVEL,
                    violation=VIOLATION,
                    what="mean share of wrong signs at an N/d",
                    doubtful=doubtful,
                    tests=len(wrong),
                )
                for known, doubtful in wrong
            )
        ),
    )
    return [made]


def _wrong(point: OrthogonalPoint) -> tuple[list[float], list[float]]:
    """Return the shares of wrong signs by seed, what is not known as none and as all."""
    known = [1 - share for share in point.metrics["signs_f"].values.values()]
    lacking = point.totals.configurations - len(known)
    return known + [0.0] * lacking, known + [1.0] * lacking


def _last(points: Sequence[OrthogonalPoint], column: str) -> float | None:
    """Return the largest x up to which a verdict holds for all runs."""
    held = takewhile(lambda point: point.verdicts[column]["holds"] == point.totals.configurations, points)
    return max((point.x for point in held), default=None)


def _first_below(points: Sequence[OrthogonalPoint]) -> float | None:
    """Return the first x whose mean share of equal signs is below the level."""
    cells = [(point, point.metrics["signs_f"]) for point in points]
    below = (
        point.x
        for point, cell in cells
        if cell.n == point.totals.configurations and cell.mean is not None and cell.mean < LEVEL
    )
    return next(below, None)


def _asked(results: Results) -> bool:
    return (results.part.kind, results.part.name) == ("study", "orthogonality")


def sections(results: Results) -> Iterator[Section]:
    """Yield shares of equal signs of network and limit, with both conditions, point by point."""
    if _asked(results):
        yield Section("Point by point", tuple(_points(results.panels[0], "p1")), "p1")


def _points(panel: OrthogonalPanel, key: str) -> Iterator[Block]:
    def draw(axes: Axes) -> None:
        axes.axhline(LEVEL, color=svg.INK, linewidth=0.8, linestyle=(0, (1, 3)), zorder=0)
        for (stroke, color), series in zip(cycle(_STYLES), panel.series, strict=False):
            points = panel.of(series)
            band(axes, of_metric(points, "signs_f"), color=color, label=series, stroke=stroke)
            for point in points:
                _condition_marks(axes, point, color)
        for marker, fill, size, label in (
            ("o", svg.INK, 5, "λ system: all seeds"),
            ("o", "none", 5, "λ system: some"),
            ("x", svg.INK, 5, "λ system: none"),
            ("s", "none", 10, "published: all seeds"),
            ("D", "none", 10, "published: some"),
        ):
            axes.plot([], [], marker, color=svg.INK, mfc=fill, markersize=size, label=label)
        axes.set(ylabel="test signs of network = limit")
        finish(axes, panel, columns=3)

    alt = (
        "Share of test points where the trained network and the limit have one sign, against N/d, for each "
        "slope, with marks where the published condition and the λ system hold for all, some or no seeds"
    )
    if not unknown(panel, "signs_f"):
        yield svg.figure(draw, key, "", alt, SAID["orthogonal"]["decay"], size=(7.2, 5.0))
    yield table(
        panel.points,
        {
            "slope": lambda p: p.series,
            "N/d": lambda p: f"{p.x:g}",
            "N": lambda p: str(p.config.num_train),
            "equal signs: mean ± sd [min, max]": lambda p: ranged(p.metrics["signs_f"]),
            "cosine": lambda p: spread(p.metrics["cosine_f"]),
            "published holds": lambda p: of_holding(p, "orthogonal_f"),
            "derived holds": lambda p: of_holding(p, "orthogonal_rows_f"),
            "λ system holds": lambda p: of_holding(p, "multipliers_f"),
            "converged": lambda p: of_converged(p.converged["f"]),
            "seeds": of_runs,
        },
        wide=True,
    )


def _condition_marks(axes: Axes, point: OrthogonalPoint, color: str) -> None:
    mean, runs = point.metrics["signs_f"].mean, point.totals.configurations
    if mean is None:
        return
    held, published = (point.verdicts[name]["holds"] for name in ("multipliers_f", "orthogonal_f"))
    marker, fill = ("o", color) if held == runs else ("o", "none") if held else ("x", color)
    axes.plot([point.x], [mean], marker, color=color, mfc=fill, markersize=5)
    if published:
        axes.plot(
            [point.x], [mean], "s" if published == runs else "D", color=color, mfc="none", markersize=10
        )
