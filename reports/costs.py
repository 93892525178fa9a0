"""The page of `perturblearn costs`: costs of training on log–log axes.

Times are those of the machine and of what else it does; nothing here judges them.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from empirics.sweep.disk import write_together
from empirics.sweep.plain import to_json
from reports import text
from reports._matplotlib import Axes, FuncFormatter, NullFormatter
from reports.page import Block, Figure, Page, Prose, Section, Table
from reports.svg import INK, THIRD, F, G, drawing, power

Json = Mapping[str, Any]
SCHEMA_VERSION = 1
PAGE, NUMBERS = "costs.html", "costs.json"
# Key in the results, name on the page, colour, marker.
SOLVERS = (
    ("flow", "exact flow", F, "o"),
    ("samples", "descent at the samples", G, "s"),
    ("products", "descent by matrix products", THIRD, "^"),
)
LABELS = {"N": "number of samples N", "dim": "dimension d", "width": "width m"}
QUANTITIES = {"seconds": "seconds", "bytes": "MiB above the start"}
_LABEL_DIGITS = 2
ROOM = 1 << 18  # bytes, about those of the page


def figure(results: Json, axis: str, quantity: str) -> str | None:
    """Time or memory against one size, with fitted slopes; None where there is no positive value.

    Parameters
    ----------
    results : mapping
        From `empirics.costs.measure`.
    axis : str
        "N", "dim" or "width".
    quantity : str
        "seconds" or "bytes".
    """
    curves = {name: _curve(results, axis, name, quantity) for name, *_ in SOLVERS}
    if not any(len(xs) for xs, _ in curves.values()):
        return None

    def draw(axes: Axes) -> None:
        for name, label, color, marker in SOLVERS:
            xs, values = curves[name]
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
        for one in (axes.xaxis, axes.yaxis):
            one.set_major_formatter(FuncFormatter(power))
            one.set_minor_formatter(NullFormatter())
        xs = np.unique(np.concatenate([xs for xs, _ in curves.values()]))
        axes.set_xticks(xs, [f"{x:g}" for x in xs], color=INK)
        axes.legend(fontsize=8.5, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    what = {"seconds": "Wall time", "bytes": "Peak memory"}[quantity]
    return drawing(draw, f"{axis}-{quantity}", f"{what} of training by three solvers against {LABELS[axis]}")


def _curve(results: Json, axis: str, solver: str, quantity: str) -> tuple[np.ndarray, np.ndarray]:
    key, unit = {"seconds": ("median", 1.0), "bytes": ("peak_bytes", 2.0**20)}[quantity]
    rows = [row for row in results["rows"] if (row["axis"], row["solver"]) == (axis, solver)]
    pairs = np.array([(row["x"], row[key] / unit) for row in rows if row[key]], dtype=float).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _slope(results: Json, axis: str, solver: str, quantity: str) -> float | None:
    wanted = axis, solver, quantity
    found = [r["slope"] for r in results["slopes"] if (r["axis"], r["solver"], r["quantity"]) == wanted]
    return found[0] if found else None


def render(results: Json) -> str:
    """Return the HTML page; the same results give the same text, and nothing is loaded from elsewhere.

    Parameters
    ----------
    results : mapping
        From `empirics.costs.measure`, with ``schema_version`` and ``provenance``.
    """
    axes = dict.fromkeys(row["axis"] for row in results["rows"])
    sections = [Section(f"Against {LABELS[axis]}", _against(results, axis)) for axis in axes]
    made, origin = results["base"], results["provenance"]
    lead = Markup(
        "Exact gradient flow to T = {} and {} steps of descent to the same flow time, identity loss, "
        "shifted\n"
        "Gaussian data. One size is varied at a time from N = {}, d = {}, m = {}. Each run has a process of "
        "its "
        "own;\ntimes are medians of {} repetitions after a small run that is not counted, memory is the "
        "peak of "
        "the first repetition above what\nthe process held before it. Slopes are least squares over all "
        "sizes on "
        "log–log axes: fixed costs flatten them, so they are no\nasymptotic orders. Descent has one number "
        "of "
        "steps throughout, the flow as many events as it needs."
    ).format(
        *(text.number(made["T"]), made["num_steps"], made["N"], made["dim"], made["width"]),
        results["repeats"],
    )
    said = Markup(
        "{}, {} threads of the BLAS; revision {};\n{}. Made by <code>{}</code>.\n"
        "Numbers: <code>costs.json</code>, schema version {}."
    ).format(
        origin["machine"]["system"],
        origin["blas_threads"],
        "not known" if origin["revision"] is None else origin["revision"],
        ", ".join(f"{name} {version}" for name, version in origin["versions"].items()),
        origin["command"],
        results["schema_version"],
    )
    sections.append(Section("Provenance", (Prose(said),)))
    return Page("Costs of training: time and memory", lead, tuple(sections)).html()


def _against(results: Json, axis: str) -> tuple[Block, ...]:
    drawn = [figure(results, axis, quantity) for quantity in QUANTITIES]
    names = {name: label for name, label, *_ in SOLVERS}
    rows = [
        (
            str(row["x"]),
            names[row["solver"]],
            text.number(row["median"]),
            f"{text.number(min(row['seconds']))}, {text.number(max(row['seconds']))}",
            text.number(None if row["peak_bytes"] is None else row["peak_bytes"] / 2**20),
        )
        for row in results["rows"]
        if row["axis"] == axis
    ]
    kinds = {"seconds": "time", "bytes": "memory"}
    slopes = [
        (names[row["solver"]], kinds[row["quantity"]], text.number(row["slope"]), str(row["n"]))
        for row in results["slopes"]
        if row["axis"] == axis
    ]
    columns = LABELS[axis], "solver", "median seconds", "smallest, largest", "peak MiB"
    summary = f"Numbers against {LABELS[axis]}"
    return (
        *(Figure(Markup(svg), "Medians with fitted power laws.") for svg in drawn if svg is not None),
        Table(columns, tuple(rows), summary=summary),
        Table(("solver", "quantity", "slope", "sizes"), tuple(slopes), summary=summary),
    )


def write(folder: Path, results: Json) -> Path:
    """Write ``costs.json`` and ``costs.html``; return the path of the page."""
    numbers = to_json(dict(results))
    page = render(json.loads(numbers))
    write_together({folder / NUMBERS: numbers.encode(), folder / PAGE: page.encode()})
    return folder / PAGE
