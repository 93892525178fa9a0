"""The page of `perturblearn costs`: costs of training on log–log axes.

Times are those of the machine and of what else it does; nothing here judges them.
"""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

from empirics.store import to_json, write_together
from reports import text
from reports._matplotlib import Axes, FuncFormatter, NullFormatter
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
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(
            lambda name: (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")
        ),
    )
    environment.filters |= {
        "number": text.number,
        "mebi": lambda size: size if size is None else size / 2**20,
    }
    axes = list(dict.fromkeys(row["axis"] for row in results["rows"]))
    drawn = []
    for axis in axes:
        figures = [figure(results, axis, quantity) for quantity in QUANTITIES]
        drawn.append(
            {
                "label": LABELS[axis],
                "figures": [Markup(svg) for svg in figures if svg is not None],
                "rows": [row for row in results["rows"] if row["axis"] == axis],
                "slopes": [row for row in results["slopes"] if row["axis"] == axis],
            }
        )
    names = {name: label for name, label, *_ in SOLVERS}
    return environment.get_template("costs.html").render(results=results, axes=drawn, names=names)


def write(folder: Path, results: Json) -> Path:
    """Write ``costs.json`` and ``costs.html``; return the path of the page."""
    numbers = to_json(dict(results))
    page = render(json.loads(numbers))
    write_together({folder / NUMBERS: numbers.encode(), folder / PAGE: page.encode()})
    return folder / PAGE
