"""Figures of the page of a sweep: functions of its JSON value only, each returning one inline SVG."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reports._matplotlib import Axes, FuncFormatter, NullFormatter
from reports.svg import GRID, INK, SHADE, THIRD, F, G, drawing, power

Json = Mapping[str, Any]

# Key in the results, name on the page, colour, marker.
SERIES = (
    ("acc_f", "accuracy of f", F, "o"),
    ("acc_g", "accuracy of g", G, "s"),
    ("agreement", "agreement", THIRD, "^"),
)
_MOST_TICKS = 12  # names under an axis that can be read
_LONGEST_TICK = 32  # letters of one; tables have the whole


def panel_figure(panel: Json, key: str) -> str | None:
    """Accuracies and agreement over seeds, beside published values or, where there are none, predictions.

    None where no seed has a value.

    Parameters
    ----------
    panel : mapping
        From `reports.sweeps.reproduction.build`.
    key : str
        Unique on the page.

    Returns
    -------
    str or None
        Inline SVG.
    """
    points = panel["points"]
    if all(point["metrics"][name]["mean"] is None for point in points for name, *_ in SERIES):
        return None
    beside = any(point["metrics"][name]["published"] is not None for point in points for name, *_ in SERIES)

    def draw(axes: Axes) -> None:
        for name, label, color, marker in SERIES:
            cells = [point["metrics"][name] for point in points]
            xs, mean, low, high, sd = _known(points, cells, ("mean", "min", "max", "sd"))
            if not len(xs):
                continue
            sd = np.nan_to_num(sd)
            axes.fill_between(xs, low, high, color=color, alpha=0.13, linewidth=0)
            axes.fill_between(
                xs,
                np.maximum(mean - sd, low),
                np.minimum(mean + sd, high),
                color=color,
                alpha=0.22,
                linewidth=0,
            )
            axes.plot(xs, mean, color=color, linewidth=1.3, label=label)
            if len(xs) == 1:
                axes.plot(xs, mean, marker, color=color)
            _beside(axes, points, name, color=color, marker=marker)
        if beside:
            axes.plot([], [], "o", color=INK, mfc="none", markersize=4, label="published")
        elif any(value is not None for point in points for value in point["predicted"].values()):
            axes.plot([], [], ":", color=INK, label="predicted")
        axes.set(ylabel="share of points", ylim=(-0.03, 1.03))
        _finish(axes, panel)

    alt = (
        f"Accuracy of f, of g and agreement against {panel['x_label']}: mean, deviation and range over seeds"
    )
    return drawing(draw, key, f"{alt}, {'published' if beside else 'predicted'} values beside")


def cosine_figure(panel: Json, key: str) -> str | None:
    """Mean |cos| of perturbations with u and with ∇f_b over seeds, beside published values.

    None where no published cosine was read off, or no seed has a value.

    Parameters
    ----------
    panel : mapping
        From `reports.sweeps.reproduction.build`.
    key : str
        Unique on the page.
    """
    points = panel["points"]
    cells = [point["cosines"]["cosine_published"] for point in points]
    if all(c["published"] is None for c in cells) or all(c["mean"] is None for c in cells):
        return None

    def draw(axes: Axes) -> None:
        xs, mean, low, high = _known(points, cells, ("mean", "min", "max"))
        axes.fill_between(xs, low, high, color=F, alpha=0.2, linewidth=0)
        axes.plot(xs, mean, color=F, linewidth=1.3, label="with u")
        others = [point["cosines"]["cosine_derived"] for point in points]
        xs, mean = _known(points, others, ("mean",))
        axes.plot(xs, mean, "--", color=G, linewidth=1.3, label="with ∇f_b")
        read = [
            (p["x"], c["published"], c["error"])
            for p, c in zip(points, cells, strict=True)
            if c["published"] is not None
        ]
        xs, values, errors = np.array(read, dtype=float).T
        axes.errorbar(
            xs,
            values,
            yerr=errors,
            fmt="o",
            color=F,
            mfc="none",
            markersize=4,
            linewidth=0.9,
            capsize=1.5,
            label="published, with u",
        )
        axes.set(ylabel="mean |cos|")
        _finish(axes, panel)

    alt = f"Mean cosine of perturbations with u and with the gradient of f_b against {panel['x_label']}"
    return drawing(draw, key, f"{alt}: mean and range over seeds, published values beside")


def regime_figure(panel: Json, key: str) -> str | None:
    """Shares of free and flipped neurons and τ, means over runs; None where nothing of it is known.

    Parameters
    ----------
    panel : mapping
        From `reports.sweeps.reproduction.build`.
    key : str
        Unique on the page.
    """
    rows = (
        ("free_f", "free, f", F, "-"),
        ("flipped_f", "flipped, f", F, "--"),
        ("tau_f", "τ of f", F, ":"),
        ("free_g", "free, g", G, "-"),
        ("flipped_g", "flipped, g", G, "--"),
        ("tau_g", "τ of g", G, ":"),
    )
    points = panel["points"]
    known = {
        name: [(p["x"], p["regime"][name]) for p in points if p["regime"][name]] for name, *_ in rows
    }  # 0 has no place on a log axis
    if not any(known.values()):
        return None

    def draw(axes: Axes) -> None:
        for name, label, color, style in rows:
            if known[name]:
                xs, values = np.array(known[name], dtype=float).T
                axes.plot(xs, values, style, color=color, linewidth=1.3, label=label)
                if len(xs) == 1:
                    axes.plot(xs, values, "o", color=color)
        axes.axhline(1, color=GRID, zorder=0)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(FuncFormatter(power))
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set(ylabel="share of neurons; τ")
        _finish(axes, panel)

    alt = f"Shares of free and flipped neurons of f and g and their τ against {panel['x_label']}"
    return drawing(draw, key, alt)


def overview_figure(section: Json, key: str) -> str | None:
    """Agreement of all sweeps of a study in one figure, means over seeds; None for fewer than two.

    Parameters
    ----------
    section : mapping
        From `reports.sweeps.reproduction.build`.
    key : str
        Unique on the page.
    """
    panels = section["panels"]
    if len(panels) < 2:
        return None
    colors = (F, G, THIRD, SHADE)
    # More sweeps than colours: sweeps come in pairs (two losses), one colour and two strokes each.
    pairs = len(panels) > len(colors)

    def draw(axes: Axes) -> None:
        for index, panel in enumerate(panels):
            cells = [point["metrics"]["agreement"] for point in panel["points"]]
            xs, mean = _known(panel["points"], cells, ("mean",))
            color = colors[(index // 2 if pairs else index) % len(colors)]
            axes.plot(
                xs,
                mean,
                "--" if pairs and index % 2 else "-",
                marker=".",
                color=color,
                linewidth=1.2,
                label=panel["sweep"],
            )
        axes.set(ylabel="agreement", ylim=(-0.03, 1.03))
        _finish(axes, panels[0], columns=2)

    return drawing(draw, key, f"Agreement against {panels[0]['x_label']} in all sweeps", size=(6.4, 4.4))


def scatter_figure(comparison: Json, key: str) -> str | None:
    """Measured against predicted, run by run, drawn to 1/100; None without a run."""
    cells = comparison["scatter"]
    if not cells:
        return None

    def draw(axes: Axes) -> None:
        predicted, measured, counts = np.array(cells, dtype=float).T
        low = min(predicted.min(), measured.min()) - 0.02
        axes.plot([low, 1.02], [low, 1.02], "--", color=INK, linewidth=0.9, label="measured = predicted")
        size = 12 + 10 * np.sqrt(counts)
        axes.scatter(predicted, measured, s=size, color=SHADE, alpha=0.7, linewidths=0)
        axes.set(xlabel="predicted", ylabel="measured", xlim=(low, 1.02), ylim=(low, 1.02))
        axes.legend(loc="upper left")

    return drawing(
        draw, key, f"Measured against predicted {comparison['name']}, one mark for runs that fall together"
    )


# Helpers ---------------------------------------------------------------------------------------------------


def _known(points: Sequence[Json], cells: Sequence[Json], names: Sequence[str]) -> list[np.ndarray]:
    """Return x and columns of the points that have a mean."""
    rows = [
        (point["x"], *(np.nan if cell[name] is None else cell[name] for name in names))
        for point, cell in zip(points, cells, strict=True)
        if cell["mean"] is not None
    ]
    return list(np.array(rows, dtype=float).reshape(-1, 1 + len(names)).T)


def _beside(axes: Axes, points: Sequence[Json], name: str, *, color: str, marker: str) -> None:
    """Draw published values with their reading errors, or predictions where there are none."""
    read = [
        (point["x"], cell["published"], cell["error"])
        for point in points
        for cell in [point["metrics"][name]]
        if cell["published"] is not None
    ]
    if read:
        xs, values, errors = np.array(read, dtype=float).T
        axes.errorbar(
            xs,
            values,
            yerr=errors,
            fmt=marker,
            color=color,
            mfc="none",
            markersize=4,
            linewidth=0.9,
            capsize=1.5,
        )
        return
    predicted = [(p["x"], p["predicted"][name]) for p in points if p["predicted"][name] is not None]
    if predicted:
        xs, values = np.array(predicted, dtype=float).T
        axes.plot(xs, values, ":" if len(xs) > 1 else marker, color=color, mfc="none", linewidth=1.1)


def short(name: str) -> str:
    """Return the end of a long name, as of a file."""
    return name if len(name) <= _LONGEST_TICK else "…" + name[1 - _LONGEST_TICK :]


def _finish(axes: Axes, panel: Json, *, columns: int | None = None) -> None:
    """Set the x axis, and the legend above the data."""
    axes.set_xlabel(panel["x_label"])
    if panel["log"]:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(power))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if panel["ticks"] is not None:
        every = -(-len(panel["ticks"]) // _MOST_TICKS)
        shown = range(0, len(panel["ticks"]), every)
        names = [short(panel["ticks"][index]) for index in shown]
        axes.set_xticks(shown, names, rotation=30, ha="right")
    handles = axes.get_legend_handles_labels()[0]
    axes.legend(
        ncols=columns or (4 if len(handles) <= 4 else 3),
        fontsize=8.5,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        handlelength=1.5,
        columnspacing=1.0,
    )
