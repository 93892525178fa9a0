"""The gallery: one page of each kind, made as the documentation is built, with its first figure."""

import json
import lzma
from pathlib import Path
from typing import Any

import numpy as np

import reports
from empirics.campaigns import orthogonal, wide
from empirics.perturb import normalised
from empirics.sweep.plan import plan_of_configs
from empirics.wide import WIDE
from reports import explore, formats, runs, schema, svg
from reports._matplotlib import Axes
from reports.claims.orthogonal.rows import OrthogonalRow
from reports.claims.sweeps.rows import Runs
from reports.compare import compare
from reports.listing import index_page
from reports.orthogonal import build as of_orthogonal, page as orthogonal_page
from reports.pages import comparison
from reports.sweeps import page as sweep_page, reproduction
from theory import agreement_probability, f_predict, g_predict, initial_deviation, perturbation_direction

RECORDED = Path(__file__).parents[1] / "tests/golden"
# Each page by its folder: the command that makes one like it, and what it shows.
PAGES = {
    "report": ("make report", "Every claim about digits and shifted Gaussians, beside trained networks."),
    "msg-a": (
        "perturblearn sweep --published msg-a --sweeps eps --solver flow --out msg-a",
        "A published sweep beside the values of its figure, and beside predictions that train nothing.",
    ),
    "orthogonal": (
        "perturblearn orthogonal --published L2 --sweeps N_adv --scale 50 --out orthogonal",
        "The prior work: where networks end after infinite time on nearly orthogonal samples.",
    ),
    "orthogonality": (
        "perturblearn orthogonal --study orthogonality --seeds 3 --out orthogonality",
        "How that limit fails as samples stop being orthogonal.",
    ),
    "plan": (
        "perturblearn plan --data wine --classes class_0,class_1 --out plan",
        "Before any training: agreement over both training times, and what it needs.",
    ),
    "explore": (
        "perturblearn explore --out explore.html",
        "A plane to play with: samples, boundaries, perturbations, agreement and certificates.",
    ),
    "deep": (
        "perturblearn report --data wine --classes class_0,class_1 --depth 2 --widths 32,64,128 --out deep",
        "Deep networks, or any torch module: predicted before training beside trained.",
    ),
    "comparison": (
        "perturblearn compare wine wine-leaky --out comparison",
        "What changed between two reports beyond its spread.",
    ),
}


def write(folder: Path) -> None:
    """Write the pages, their first figures, and a page that lists the reports."""
    data = reports.source("wine", classes=("class_0", "class_1"))
    small: dict[str, Any] = {"widths": [100, 300, 1000], "seeds": 3}
    plain, leaky = (reports.report(data, **small, negative_slope=slope) for slope in (0.0, 0.3))
    deep = reports.report(data, depth=2, widths=[32, 64, 128], seeds=3)
    plan = reports.plan(data)
    whole = reports.Report(
        results=schema.check(_recorded("report") | {"schema_version": reports.SCHEMA_VERSION})
    )
    figures = {"report": whole.figures, "deep": deep.figures, "plan": plan.page().figures}
    plan.write(folder / "plan")
    for name, one in {"report": whole, "deep": deep}.items():
        one.write(folder / name, overwrite=True)
    part = wide.Part(kind="published", name="msg-a", sweeps=("eps",), solver="flow")
    found = Runs(runs.rows_of(_recorded("msg-a")["rows"], runs.Row))
    numbers: dict[str, Any] = {
        "msg-a": (
            reproduction.build(plan_of_configs(WIDE, part.configs()), found, [part]),
            sweep_page.page_of,
        )
    }
    options = {"max_steps": 4000}
    for name, kind in {
        "orthogonal": {
            "kind": "published",
            "name": "L2",
            "sweeps": ("N_adv",),
            "scale": 50,
            "options": options,
        },
        "orthogonality": {"kind": "study", "name": "orthogonality", "seeds": 3},
    }.items():
        rows = runs.rows_of(_recorded(name)["rows"], OrthogonalRow)
        numbers[name] = (of_orthogonal.build(orthogonal.Part(**kind), rows), orthogonal_page.page_of)
    for name, (results, page_of) in numbers.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        runs.write(folder / name, results, page_of)
        figures[name] = runs.shown(results, page_of).figures
    beside = compare(plain.results, leaky.results, names=("wine, γ = 0", "wine, γ = .3"))
    _page(folder / "comparison", comparison.page(beside).html())
    _page(folder / "explore", explore.page())
    figures["explore"] = {"plane": svg.drawing(_plane, "plane", "Where g agrees with f on a plane")}
    for name, drawn in figures.items():
        first = next(iter(drawn.values()))
        (folder / name / "figure.svg").write_text(svg.standalone(first), encoding="utf-8")
    listed = [folder / name for name in ("report", "deep", *numbers)]
    formats.write(folder, {"index.html": index_page(listed, folder / "index.html").encode()})


def cards() -> str:
    """Return the gallery as HTML, with links relative to a page beside its folder."""
    made = []
    for name, (command, words) in PAGES.items():
        address = f"gallery/{name}/{'plan.html' if name == 'plan' else 'report.html'}"
        figure = f"gallery/{name}/figure.svg"
        picture = "" if name == "comparison" else f'<img src="{figure}" alt="" loading="lazy">'
        made.append(
            f'<a class="card" href="{address}">{picture}<span>{words}</span><code>{command}</code></a>'
        )
    return f'<div class="gallery">{"".join(made)}</div>'


def _recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(lzma.decompress((RECORDED / f"{name}.json.xz").read_bytes()))
    return found


def _page(folder: Path, text: str) -> None:
    formats.write(folder, {"report.html": formats.plain(text).encode()})


def _plane(axes: Axes) -> None:
    """Draw what the interactive page shows first, without an initial network of f."""
    rng = np.random.default_rng(0)
    y = np.where(np.arange(24) % 2, 1.0, -1.0)
    X, targets = np.outer(y, [1, 0.6]) + 0.4 * rng.normal(size=(24, 2)), rng.choice([-1.0, 1.0], size=24)
    R = normalised(perturbation_direction(X=X, y=y), targets, epsilon=1.4)
    ticks = np.linspace(-2.5, 2.5, 81)
    Z = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    f, g = f_predict(Z, X=X, y=y), g_predict(Z, X_adv=R, y_adv=targets)
    chance = agreement_probability(f, g, initial_deviation(Z), T_g=30.0).reshape(81, 81)
    axes.contourf(ticks, ticks, chance, levels=np.linspace(0, 1, 6), cmap="PiYG", alpha=0.6)
    for values, color in ((f, svg.F), (g, svg.G)):
        axes.contour(ticks, ticks, values.reshape(81, 81), levels=[0.0], colors=[color])
    axes.scatter(*X[y > 0].T, marker="+", color="black")
    axes.scatter(*X[y < 0].T, marker="_", color="black")
    axes.quiver(*X.T, *(R / 3).T, angles="xy", scale_units="xy", scale=1, width=0.004)
    axes.set(xticks=[], yticks=[])
