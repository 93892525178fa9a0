"""How points and spreads are shown on pages of sweeps: cells of tables, series of figures."""

import tomllib
from collections.abc import Callable, Iterable, Sequence
from importlib import resources
from typing import Any, TypeVar

import numpy as np

from reports import text
from reports._matplotlib import Axes, Axis
from reports.glossary import THEOREM
from reports.inline import Content, Part, lines, rich
from reports.page import Section, Table, tally
from reports.runs import Panel, Point, Provenance, Totals
from reports.statistics import Spread, Within
from reports.svg import log_x
from reports.verdicts import PUBLISHED, Claim

T = TypeVar("T")

# By page and name: what is said beside numbers.
SAID: dict[str, dict[str, str]] = tomllib.loads(
    resources.files("reports").joinpath("templates", "sweeps.toml").read_text(encoding="utf-8")
)

# Of rows of a name and how many published values are as one more seed.
WITHIN: dict[str, Callable[[tuple[str, Within]], str]] = {
    "within": lambda row: str(row[1].inside),
    "of": lambda row: str(row[1].count),
    "expected, at least": lambda row: text.number(row[1].expected),
    "p-value": lambda row: text.number(row[1].p_value, 2),
    "not compared": lambda row: str(row[1].not_compared),
}
_STEPS = 3  # that a page names
_FEW = 6  # points whose values all stand under an axis
_MOST_TICKS = 12  # names under an axis that can be read
_LONGEST_TICK = 32  # letters of one; tables have the whole


def provenance(
    totals: Totals, made: Provenance, version: int, rows: Iterable[tuple[Content, ...]]
) -> Section:
    """Return the part of a page about its runs and what made them, with rows of its own between."""
    said = f"{totals.configurations}: {totals.done} done, {totals.failed} failed, {totals.missing} missing"
    versions = (("versions", ", ".join(f"{n} {v}" for n, v in one.items())) for one in made.versions)
    numbers = rich(
        """`report.json` beside this page, schema version {}; every run in `results.csv`, its plan in
        `plan.json`""",
        str(version),
    )
    facts = (("configurations", said), *rows, *versions, ("device", made.device), ("numbers", numbers))
    return Section("Provenance", (Table((), facts),), "provenance")


def steps_of(name: str) -> list[tuple[str, str]]:
    """Return what to do next on the page of a study or a kind of experiment: questions and commands."""
    parts = (line.partition(" | ") for line in SAID["next"].get(name, "").splitlines())
    return [(question, command) for question, _, command in parts]


def opening(
    steps: Sequence[tuple[str, str]], *, theorem: Content = "", claims: Sequence[Claim] | None = None
) -> Table:
    """Return what the published theorem says, the verdicts of the paper and of this project, what is next.

    Parameters
    ----------
    steps : sequence of (str, str)
        Questions that the page leaves, each with the command that answers it; three are shown.
    theorem : content, optional
        Absent where it says nothing.
    claims : sequence of Claim, optional
        Absent on pages that make none.
    """
    rows: list[tuple[Content, ...]] = [(THEOREM, theorem)] if theorem else []
    if claims is not None:
        others = [claim for claim in claims if claim.source in PUBLISHED and claim.verdict]
        derived = [claim for claim in claims if claim.source not in PUBLISHED and claim.verdict]
        rows += [("Other published statements", tally(others))] if others else []
        rows.append(("What this project derives", tally(derived) if derived else "Nothing is judged here."))
    rows.append(("What to do next", next_steps(steps[:_STEPS])))
    return Table((), tuple(rows), name="opening")


def next_steps(steps: Iterable[tuple[str, str]]) -> Content:
    """Return questions one below the other, each with its command."""
    return lines(*((f"{question} ", Part("code", command)) for question, command in steps))


def spread(cell: Spread) -> str:
    """Return mean ± deviation, of one value the value."""
    return text.spread(cell.mean, cell.sd) if cell.n > 1 else text.number(cell.mean)


def ranged(cell: Spread) -> str:
    """Return a mean with the smallest and the largest value, all to the same decimals."""
    shown = spread(cell)
    mean = shown.split(" ")[0]
    if mean == text.DASH or "e" in mean or cell.min is None or cell.max is None:
        return f"{shown} [{text.number(cell.min)}, {text.number(cell.max)}]"
    places = len(mean.partition(".")[2])
    return f"{shown} [{cell.min:.{places}f}, {cell.max:.{places}f}]"


# Figures ---------------------------------------------------------------------------------------------------


def line(
    axes: Axes,
    known: Iterable[tuple[float, float | None]],
    *,
    color: str,
    label: str | None = None,
    stroke: str = "-",
    single: str = "o",
    mfc: str | None = None,
) -> None:
    """Draw what is known of y against x, a single point by its own marker."""
    pairs = [(x, y) for x, y in known if y is not None]
    if pairs:
        stroke = stroke if len(pairs) > 1 else single
        axes.plot(*zip(*pairs, strict=True), stroke, color=color, linewidth=1.3, label=label, mfc=mfc)


def band(
    axes: Axes,
    cells: Sequence[tuple[float, Spread]],
    *,
    color: str,
    label: str,
    stroke: str = "-",
    single: str = "o",
) -> None:
    """Draw means over seeds with a band of one deviation, and a lighter one from least to largest."""
    known = [(x, c.mean, c.sd or 0.0, c.min, c.max) for x, c in cells if c.mean is not None]
    if known:
        xs, mean, sd, low, high = np.array(known, dtype=float).T
        axes.fill_between(xs, low, high, color=color, alpha=0.12, linewidth=0)
        inner = np.maximum(mean - sd, low), np.minimum(mean + sd, high)
        axes.fill_between(xs, *inner, color=color, alpha=0.22, linewidth=0)
    line(axes, means(cells), color=color, label=label, stroke=stroke, single=single)


def means(cells: Iterable[tuple[float, Spread]]) -> list[tuple[float, float | None]]:
    """Return x and the mean over seeds."""
    return [(x, cell.mean) for x, cell in cells]


def of_metric(points: Iterable[Point], name: str) -> list[tuple[float, Spread]]:
    """Return x and the spread of a metric."""
    return [(point.x, point.metrics[name]) for point in points]


def hollow(
    axes: Axes, cells: Iterable[tuple[float, Spread]], *, color: str, marker: str, label: str | None = None
) -> bool:
    """Draw published values with their reading errors; tell whether there are any."""
    read = [(x, c.published, c.error) for x, c in cells if c.published is not None]
    if read:
        xs, values, errors = np.array(read, dtype=float).T
        style: dict[str, Any] = {"mfc": "none", "markersize": 4, "linewidth": 0.9, "capsize": 1.5}
        axes.errorbar(xs, values, yerr=errors, fmt=marker, color=color, label=label, **style)
    return bool(read)


def short(name: str) -> str:
    """Return the end of a long name, as of a file."""
    return name if len(name) <= _LONGEST_TICK else "…" + name[1 - _LONGEST_TICK :]


def ticks(axis: Axis, values: Sequence[float]) -> None:
    """Label just these values of a logarithmic axis."""
    axis.set_ticks(values, labels=[f"{value:g}" for value in values])
    axis.set_ticks([], minor=True)


def finish(axes: Axes, panel: Panel[Any], *, columns: int | None = None) -> None:
    """Set the x axis, and the legend above the data."""
    axes.set_xlabel(panel.x_label)
    if panel.log:
        log_x(axes)
    xs = [point.x for point in panel.points]
    if not panel.log and panel.ticks is None and all(x == int(x) for x in xs) and len(xs) <= _FEW:
        axes.set_xticks(xs)  # such as numbers of layers
    if panel.ticks is not None:
        shown = range(0, len(panel.ticks), -(-len(panel.ticks) // _MOST_TICKS))
        axes.set_xticks(shown, [short(panel.ticks[index]) for index in shown], rotation=30, ha="right")
    handles = axes.get_legend_handles_labels()[0]
    axes.legend(
        ncols=columns or (4 if len(handles) <= 4 else 3),
        fontsize=8.5,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        handlelength=1.5,
        columnspacing=1.0,
    )
