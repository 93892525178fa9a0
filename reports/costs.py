"""The page of `perturblearn costs`: costs of training and of theory on log–log axes.

Times are those of the machine and of what else it does; nothing here judges them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from msgspec import to_builtins

from empirics.costs import THEORY, TRAINING, Costs, Quantity, Solver
from empirics.record import Count
from empirics.sweep.disk import write_together
from empirics.sweep.plain import to_json
from reports import svg, text
from reports._matplotlib import Axes
from reports.numbers import records
from reports.page import Block, Figure, Page, Prose, Section, fold, note, table
from reports.provenance import Origin
from reports.shown import opening, steps_of
from reports.svg import INK, THIRD, F, G

SCHEMA_VERSION = 3
PAGE, NUMBERS = "costs.html", "costs.json"
# Key in the results, name on the page, colour, marker.
SOLVERS: tuple[tuple[Solver, str, str, str], ...] = (
    ("flow", "exact flow", F, "o"),
    ("samples", "descent at the samples", G, "s"),
    ("products", "descent by matrix products", THIRD, "^"),
    ("phi", "Φ(Z, X)", F, "o"),
    ("f_hat", "f̂", G, "s"),
    ("certify", "certificate", THIRD, "^"),
    ("agreement_law", "law of a plan", INK, "D"),
)
GROUPS = {"training": TRAINING, "theory": THEORY}
LABELS = {
    "N": "number of samples N",
    "dim": "dimension d",
    "width": "width m",
    "queries": "number of queries Q",
}
QUANTITIES: dict[Quantity, str] = {"seconds": "seconds", "bytes": "MiB above the start"}
_LABEL_DIGITS = 2
ROOM = 1 << 18  # bytes, about those of the page


class Made(Origin, frozen=True, kw_only=True):
    """How the costs were measured."""

    blas_threads: Count


class Results(Costs, frozen=True, kw_only=True):
    """Costs, and how they were measured."""

    schema_version: int
    provenance: Made


def figure(results: Costs, axis: str, quantity: Quantity, group: str = "training") -> Figure | None:
    """Draw time or memory against one size, with fitted slopes; None where there is none.

    Parameters
    ----------
    results : Costs
    axis : str
        "N", "dim", "width" or "queries".
    quantity : str
        "seconds" or "bytes".
    group : str
        "training" or "theory".
    """
    curves = {name: _curve(results, axis, name, quantity) for name in GROUPS[group]}
    if not any(len(xs) for xs, _ in curves.values()):
        return None

    def draw(axes: Axes) -> None:
        for name, label, color, marker in SOLVERS:
            xs, values = curves.get(name, (np.empty(0), np.empty(0)))
            if not len(xs):
                continue
            slope = _slope(results, axis, name, quantity)
            exponent = "" if slope is None else f": slope {text.number(slope, _LABEL_DIGITS)}"
            axes.plot(xs, values, marker, color=color, label=f"{label}{exponent}")
            if slope is not None:
                middle = np.exp(np.log(xs).mean()), np.exp(np.log(values).mean())
                ends = np.array([xs.min(), xs.max()])
                axes.plot(ends, middle[1] * (ends / middle[0]) ** slope, "-", color=color, linewidth=1.0)
        axes.set(xlabel=LABELS[axis], ylabel=QUANTITIES[quantity], xscale="log", yscale="log")
        svg.powers(axes.xaxis)
        svg.powers(axes.yaxis)
        xs = np.unique(np.concatenate([xs for xs, _ in curves.values()]))
        axes.set_xticks(xs, [f"{x:g}" for x in xs], color=INK)
        axes.legend(fontsize=8.5, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    what = {"seconds": "Wall time", "bytes": "Peak memory"}[quantity]
    alt = f"{what} of {group} against {LABELS[axis]}"
    numbers = records(row for row in results.rows if row.axis == axis and row.solver in GROUPS[group])
    return svg.figure(draw, f"{axis}-{group}", quantity, alt, "Fitted power laws.", numbers)


def _curve(results: Costs, axis: str, solver: Solver, quantity: Quantity) -> tuple[np.ndarray, np.ndarray]:
    unit = {"seconds": 1.0, "bytes": 2.0**20}[quantity]
    rows = [row for row in results.rows if (row.axis, row.solver) == (axis, solver)]
    known = [(row.x, cost / unit) for row in rows if (cost := row.cost(quantity))]
    pairs = np.array(known, dtype=float).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _slope(results: Costs, axis: str, solver: Solver, quantity: Quantity) -> float | None:
    wanted = axis, solver, quantity
    found = [row.slope for row in results.slopes if (row.axis, row.solver, row.quantity) == wanted]
    return found[0] if found else None


def render(results: Results) -> str:
    """Return the HTML page; the same results give the same text, and nothing is loaded from elsewhere.

    Parameters
    ----------
    results : Results
    """
    axes = dict.fromkeys(row.axis for row in results.rows)
    made, origin = results.base, results.provenance
    how = note(f"""Exact gradient flow to T = {text.number(made["T"])} and {made["num_steps"]} steps of
        descent to the same flow time, and Φ, f̂, certificates and the law of a plan, identity loss, shifted
        Gaussian data. One size is varied at a time from N = {made["N"]}, d = {made["dim"]},
        m = {made["width"]}, Q = {made["queries"]} query points. Each run has a process of its own; times are
        the least of {results.repeats} repetitions after a small run that is not counted, memory is the peak
        of the first repetition above what the process held before it, drawn from 1 MiB on. Slopes are least
        squares over all sizes on log–log axes: fixed costs flatten them, so they are no asymptotic orders.
        Descent has one number of steps throughout, the flow as many events as it needs.""")
    said = note(
        "{}, {} threads of the BLAS; revision {}; {}. Made by `{}`. Numbers: `costs.json`, schema {}.",
        origin.machine.system,
        str(origin.blas_threads),
        "not known" if origin.revision is None else origin.revision,
        ", ".join(f"{name} {version}" for name, version in origin.versions.items()),
        origin.command,
        str(results.schema_version),
    )
    blocks = {axis: [*_against(results, axis)] for axis in axes}
    drawn = next(([own.pop(0)] for own in blocks.values() if isinstance(own[0], Figure)), [])
    first = Section("", (*_found(results), *drawn, opening(steps_of("costs"))), file="first")
    sections = [Section(f"Against {LABELS[axis]}", tuple(own), file=axis) for axis, own in blocks.items()]
    provenance = Section("How this was measured", (how, said))
    lead = "Time and memory of training and of what the theory computes, on this machine."
    return Page("Costs of training and theory", lead, (first, *sections, provenance)).html()


def _found(results: Costs) -> Iterator[Prose]:
    """Say how time grows with the first size that was varied."""
    names = {name: label for name, label, *_ in SOLVERS}
    rows = [row for row in results.slopes if row.quantity == "seconds" and row.axis == results.slopes[0].axis]
    grown = [f"{text.number(row.slope, _LABEL_DIGITS)} for {names[row.solver]}" for row in rows]
    if grown:
        said = f"Time grows with a power of the {LABELS[rows[0].axis]}, fitted over all sizes:"
        yield Prose(f"{said} {', '.join(grown)}.", "short")


def _against(results: Costs, axis: str) -> Iterator[Block]:
    names = {name: label for name, label, *_ in SOLVERS}
    rows = [row for row in results.rows if row.axis == axis]
    slopes = [row for row in results.slopes if row.axis == axis]
    drawn = (figure(results, axis, quantity, group) for group in GROUPS for quantity in QUANTITIES)
    yield from (one for one in drawn if one is not None)
    columns = {
        LABELS[axis]: lambda row: str(row.x),
        "what": lambda row: names[row.solver],
        "least seconds": lambda row: text.number(row.least),
        "most": lambda row: text.number(max(row.seconds)),
        "peak MiB": lambda row: text.number(None if row.peak_bytes is None else row.peak_bytes / 2**20),
    }
    runs = table(rows, columns, name="runs")
    columns = {
        "what": lambda row: names[row.solver],
        "quantity": lambda row: {"seconds": "time", "bytes": "memory"}[row.quantity],
        "slope": lambda row: text.number(row.slope),
        "sizes": lambda row: str(row.n),
    }
    yield fold(f"Numbers against {LABELS[axis]}", runs, table(slopes, columns, name="slopes"))


def write(folder: Path, results: Results) -> Path:
    """Write ``costs.json`` and ``costs.html``; return the path of the page."""
    numbers = to_json(to_builtins(results))
    write_together({folder / NUMBERS: numbers.encode(), folder / PAGE: render(results).encode()})
    return folder / PAGE
