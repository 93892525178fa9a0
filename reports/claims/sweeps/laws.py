"""Laws of agreement beside what is measured, nothing trained: condition (c), long training, the floor."""

import math
from collections.abc import Iterator, Sequence

from reports import svg, text
from reports._matplotlib import Axes
from reports.claims.sweeps.rows import Section, WidePanel, WidePoint, flipped, in_pairs, sampling_noise
from reports.judging import CONFIDENCE, SEEDS, at_all_points, judge_mean
from reports.page import Block, Table, fold
from reports.shown import finish, line, spread
from reports.statistics import mean
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim

LAW = "law_agreement_test"
OFF = 0.1  # relative error of predicted disagreement that is excluded where a claim holds


def claims(section: Section) -> list[Claim]:
    """Return a line a sweep: measured disagreement over that of the law."""
    return [_claim(panel) for panel in _panels(section)]


def _panels(section: Section) -> list[WidePanel]:
    """Return the panels of which all points have a law, and no networks that are trained."""
    return [
        panel
        for panel in section.panels
        if panel.points and all(LAW in point.deep and flipped(point) == math.inf for point in panel.points)
    ]


def _claim(panel: WidePanel) -> Claim:
    ratios = [_ratios(point) for point in panel.points]
    judged = [
        judge_mean(
            values,
            low=1 - OFF,
            high=1 + OFF,
            least_sd=sampling_noise(point) / max(_disagreement(point, LAW), 1e-9),
            tests=len(panel.points),
            what="measured over predicted disagreement",
        )
        for point, values in zip(panel.points, ratios, strict=True)
    ]
    found = [known for values in ratios if (known := mean([one for one in values if one is not None]))]
    ends = " to ".join(dict.fromkeys(text.number(end(found)) for end in (min, max))) if found else ""
    said = f"measured over predicted disagreement {ends}" if found else "not measured"
    return Claim(
        source="derived here",
        statement=f"{panel.sweep}: disagreement is that of the law, which knows sizes and architecture alone",
        rule=(
            f"holds if at every point the t interval of the ratio over seeds at {CONFIDENCE} lies within "
            f"1 ± {OFF:g}, fails if one at {FALSE_ALARM:g}, shared by the points, lies outside; {SEEDS}"
        ),
        predicted=", ".join(text.number(_disagreement(point, LAW)) for point in panel.points),
        measured=f"{said} at {many(len(panel.points), 'point')}",
        **at_all_points(judged).given(True),
        numbers={"least": min(found, default=None), "largest": max(found, default=None)},
    )


def _disagreement(point: WidePoint, column: str) -> float:
    value = point.deep[column].mean
    return 0.0 if value is None else 1 - value


def _ratios(point: WidePoint) -> list[float | None]:
    pairs = in_pairs(point, LAW)
    return [None if pair is None or pair[0] == 1 else (1 - pair[1]) / (1 - pair[0]) for pair in pairs]


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield disagreement against law, on logarithmic axes, of all sweeps with one x axis, and a table."""
    panels = _panels(section)
    if not panels:
        return
    for index, label in enumerate(dict.fromkeys(panel.x_label for panel in panels)):
        yield _figure([panel for panel in panels if panel.x_label == label], f"{key}-law-{index}")
    columns = ("agreement_test", LAW, "label_agreement_test")
    rows = [
        (
            panel.sweep,
            f"{point.x:g}",
            *(spread(point.deep[name]) if name in point.deep else text.DASH for name in columns),
            text.number(mean([one for one in _ratios(point) if one is not None])),
        )
        for panel in panels
        for point in panel.points
    ]
    names = ("sweep", "x", "agreement", "law", "random labels", "disagreement over law")
    yield fold("Agreement beside its law, point by point", Table(names, tuple(rows), wide=True).filled)


def _figure(panels: Sequence[WidePanel], key: str) -> Block:
    colors = (svg.F, svg.G, svg.THIRD, svg.SHADE)

    def draw(axes: Axes) -> None:
        for index, panel in enumerate(panels):
            color, xs = colors[index % len(colors)], [point.x for point in panel.points]
            cells = [point.deep["agreement_test"] for point in panel.points]
            values = [_disagreement(point, "agreement_test") for point in panel.points]
            errors = [(cell.sd or 0.0) / max(cell.n, 1) ** 0.5 for cell in cells]
            law = [(point.x, _disagreement(point, LAW)) for point in panel.points]
            line(axes, law, color=color, single="_")
            axes.errorbar(xs, values, yerr=errors, fmt="o", color=color, markersize=4, label=panel.sweep)
        axes.set(ylabel="disagreement")
        finish(axes, panels[0], columns=1)
        svg.log_log(axes)

    alt = f"Disagreement against {panels[0].x_label}: measured, and the law"
    caption = "Disagreement: measured, with the standard error of its mean over seeds, and the law (lines)."
    return svg.figure(draw, key, "", alt, caption)
