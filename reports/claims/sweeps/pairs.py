"""Agreement of all pairs of classes, predicted before training against measured, beyond sampling noise."""

from collections.abc import Iterator, Sequence

import numpy as np

from reports import svg, text
from reports._matplotlib import Axes
from reports.claims.sweeps.rows import Section, WidePanel, WidePoint, differences, sampling_noise
from reports.judging import SEEDS, SQUARE_RULE, judge_mean, judge_root_mean_square
from reports.page import Block, Table, fold
from reports.shown import spread
from reports.statistics import mean
from reports.text import many
from reports.verdicts import FALSE_ALARM, Claim

CLOSE = 0.02  # root mean square error over pairs, and error of one that is named
_HOW = {
    "wide_agreement_test": "the wide limit, from the initial weights of f alone",
    "linear_agreement_test": "both networks linearised at their initial weights",
}
_NAMED = 5  # pairs with words in the figure


def claims(section: Section) -> list[Claim]:
    """Return a line a prediction, and the pairs that it misses."""
    return [_claim(panel, column) for panel in _panels(section) for column in _HOW]


def _panels(section: Section) -> list[WidePanel]:
    if section.part is None or section.part.name != "pairs":
        return []
    return [panel for panel in section.panels if all({*_HOW} <= point.deep.keys() for point in panel.points)]


def _claim(panel: WidePanel, column: str) -> Claim:
    judged, error = judge_root_mean_square(
        [differences(point, column) for point in panel.points],
        limit=CLOSE,
        what="mean square error beyond sampling noise",
    )
    missed = ", ".join(missed_by(panel, column)) or "none"
    return Claim(
        source="derived here",
        statement=f"Over all pairs of classes mean agreement over seeds is predicted by {_HOW[column]}",
        rule=(
            f"{SQUARE_RULE.format('pairs', CLOSE)}; {SEEDS}. A pair is missed if its t interval at "
            f"{FALSE_ALARM:g}, shared by the pairs, lies outside ±{CLOSE:g}"
        ),
        predicted=f"root mean square error ≤ {CLOSE:g}",
        measured=f"{text.number(error)} over {many(len(panel.points), 'pair')}; pairs missed: {missed}",
        **judged.given(True),
        numbers={"error": error, "pairs": len(panel.points)},
    )


def missed_by(panel: WidePanel, column: str) -> list[str]:
    """Return the pairs whose agreement is certainly predicted wrong by more than `CLOSE`, with the error."""
    names = panel.ticks or [f"{point.x:g}" for point in panel.points]
    found = []
    for name, point in zip(names, panel.points, strict=True):
        values = differences(point, column)
        judged = judge_mean(
            values,
            low=-CLOSE,
            high=CLOSE,
            least_sd=sampling_noise(point),
            tests=len(panel.points),
            what="difference",
        )
        if judged.holds is False:
            found.append(f"{name} ({text.number(mean([one for one in values if one is not None]))})")
    return found


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield the scatter of pairs, and all of them by how far they are off."""
    for index, panel in enumerate(_panels(section)):
        column = next(iter(_HOW))
        names = panel.ticks or tuple(f"{point.x:g}" for point in panel.points)
        off = [abs(_mean(point, column) - _mean(point, "agreement_test")) for point in panel.points]
        order = [int(i) for i in np.argsort(off)[::-1]]
        yield _scatter(panel, names, order, column, f"{key}-pairs-{index}")
        columns = ("agreement_test", *_HOW, "wide_error_f", "wide_error_g", "linear_error_f")
        rows = [
            (
                names[i],
                *(spread(panel.points[i].deep[c]) if c in panel.points[i].deep else "" for c in columns),
            )
            for i in order
        ]
        heads = ("pair", "agreement", "wide limit", "linearised", "error of f", "error of g", "f linearised")
        yield fold("All pairs, the worst predicted first", Table(heads, tuple(rows), wide=True))


def _mean(point: WidePoint, column: str) -> float:
    return point.deep[column].mean or 0.0


def _scatter(panel: WidePanel, names: Sequence[str], order: Sequence[int], column: str, key: str) -> Block:
    def draw(axes: Axes) -> None:
        cells = [[point.deep[name] for point in panel.points] for name in (column, "agreement_test")]
        x, y = (np.array([cell.mean for cell in row], dtype=float) for row in cells)
        errors = [(cell.sd or 0.0) / max(cell.n, 1) ** 0.5 for cell in cells[1]]
        low = float(np.nanmin([x, y])) - 0.02
        axes.plot([low, 1], [low, 1], "--", color=svg.INK, linewidth=0.9, label="measured = predicted")
        axes.errorbar(x, y, yerr=errors, fmt="o", color=svg.F, markersize=3.5, linewidth=0.8)
        for i in order[:_NAMED]:
            axes.annotate(names[i], (x[i], y[i]), xytext=(4, 2), textcoords="offset points", fontsize=8)
        axes.set(xlabel="predicted, nothing trained", ylabel="measured agreement")
        axes.legend(loc="upper left")

    alt = "Measured agreement of every pair of classes against that predicted in the wide limit"
    caption = f"Means over seeds with standard errors; named: the {_NAMED} pairs that are predicted worst."
    return svg.figure(draw, key, "", alt, caption)
