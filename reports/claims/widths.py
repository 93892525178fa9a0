"""Quantities over the width, as several claims draw and tabulate them."""

from collections.abc import Sequence

import numpy as np

from reports._matplotlib import Axes
from reports.numbers import Numbers, picked, records
from reports.results import Section
from reports.svg import COLORS, MARKERS, F


def of_widths(section: Section, **wanted: Sequence[str]) -> Numbers:
    """Return the means and spreads by width of some quantities, by group."""
    return records(
        {"width": row.width} | {group: picked(getattr(row, group), *names) for group, names in wanted.items()}
        for row in section.by_width
    )


def over_seeds(section: Section, group: str, name: str, field: str = "mean") -> np.ndarray:
    """Return the mean of a quantity at each width, or its deviation."""
    summaries = [getattr(getattr(row, group), name) for row in section.by_width]
    return np.array([getattr(one, field) for one in summaries], dtype=float)


def draw_spread(
    axes: Axes,
    section: Section,
    group: str,
    name: str,
    label: str,
    *,
    color: str = "",
    marker: str = "",
    hollow: bool = False,
    line: bool = False,
    rest: bool = False,
) -> None:
    """Draw means with one standard deviation over seeds against the width; of 1 − the quantity if `rest`."""
    mean, sd = (over_seeds(section, group, name, field) for field in ("mean", "sd"))
    mean, color = 1 - mean if rest else mean, color or COLORS.get(group, F)
    axes.errorbar(
        section.widths,
        mean,
        yerr=np.minimum(sd, 0.999 * np.abs(mean)),  # stays above 0 on a log axis
        fmt=(marker or MARKERS.get(group, "o")) + "-" * line,
        color=color,
        mfc="none" if hollow else color,
        label=label,
        linewidth=1.0,
        capsize=2,
    )
