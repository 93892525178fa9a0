"""Figures of the pages of nearly orthogonal samples: functions of the JSON value, each one inline SVG."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reports._matplotlib import Axes
from reports.claims.orthogonal.rows import LEVEL
from reports.svg import GRID, INK, SHADE, THIRD, F, G, drawing, log_x

Json = Mapping[str, Any]

_COLORS = (F, G, THIRD, SHADE)
_STROKES = ("-", "--", ":")


def accuracy_figure(panel: Json, key: str) -> str | None:
    """Accuracy of g with its spread, attack and control, beside published values and predictions."""
    if all(point["metrics"]["accuracy_g"]["mean"] is None for point in panel["points"]):
        return None

    def draw(axes: Axes) -> None:
        axes.axhline(0.5, color=GRID, linewidth=1.2, zorder=0)
        for series, color, marker in (("adversarial", G, "s"), ("control", SHADE, "o")):
            points = [point for point in panel["points"] if point["series"] == series]
            label = "g, with attack" if series == "adversarial" else "g, without (control)"
            _spread(axes, points, "accuracy_g", color=color, label=label)
            _published(axes, points, color=color, marker=marker)
        attacked = [point for point in panel["points"] if point["series"] == "adversarial"]
        _line(axes, attacked, "accuracy_mean_g", INK, ":", "mean map Σ y x")
        _line(axes, attacked, "accuracy_limit_g", F, "--", "limit Σ λ y x")
        if any(point["metrics"]["accuracy_g"]["published"] is not None for point in panel["points"]):
            axes.plot([], [], "s", color=INK, mfc="none", markersize=4, label="published")
        axes.set(ylabel="accuracy on natural samples", ylim=_limits(axes))
        _finish(axes, panel)

    alt = (
        f"Accuracy of g on natural samples against {panel['x_label']}: mean, deviation and range over seeds "
        "with and without attack, predictions, and published values with reading errors"
    )
    return drawing(draw, key, alt, size=(5.4, 4.2))


def turning_figure(panel: Json, key: str) -> str | None:
    """Cosine of the boundary of g with s of the natural samples, of trained networks and of limits."""
    if all(point["metrics"]["turning"]["mean"] is None for point in panel["points"]):
        return None

    def draw(axes: Axes) -> None:
        for series, color in zip(panel["series"], (G, F), strict=False):
            points = [point for point in panel["points"] if point["series"] == series]
            _spread(axes, points, "turning", color=color, label=f"{series}")
            if series == "trained":
                _line(axes, points, "turning_limit", INK, ":", "limit of the set trained on")
        axes.axhline(1, color=GRID, zorder=0)
        axes.set(ylabel="cosine with s")
        _finish(axes, panel)

    alt = f"Cosine of the boundary of g with that of the natural samples against {panel['x_label']}"
    return drawing(draw, key, alt, size=(5.4, 4.2))


def orthogonality_figure(panel: Json, key: str) -> str | None:
    """Share of equal signs of network and limit, slope by slope, with both conditions marked."""
    if all(point["metrics"]["signs_f"]["mean"] is None for point in panel["points"]):
        return None

    def draw(axes: Axes) -> None:
        axes.axhline(LEVEL, color=INK, linewidth=0.8, linestyle=(0, (1, 3)), zorder=0)
        for index, series in enumerate(panel["series"]):
            points = [point for point in panel["points"] if point["series"] == series]
            color, stroke = _COLORS[index % len(_COLORS)], _STROKES[index // len(_COLORS) % len(_STROKES)]
            _spread(axes, points, "signs_f", color=color, label=series, stroke=stroke)
            for point in points:
                _condition_marks(axes, point, color)
        for marker, fill, size, label in (
            ("o", INK, 5, "λ system: all seeds"),
            ("o", "none", 5, "λ system: some"),
            ("x", INK, 5, "λ system: none"),
            ("s", "none", 10, "published: all seeds"),
            ("D", "none", 10, "published: some"),
        ):
            axes.plot([], [], marker, color=INK, mfc=fill, markersize=size, label=label)
        axes.set(ylabel="test signs of network = limit")
        _finish(axes, panel, columns=3)

    alt = (
        "Share of test points where the trained network and the limit have one sign, against N/d, for each "
        "slope, with marks where the published condition and the λ system hold for all, some or no seeds"
    )
    return drawing(draw, key, alt, size=(7.2, 5.0))


def _condition_marks(axes: Axes, point: Json, color: str) -> None:
    mean = point["metrics"]["signs_f"]["mean"]
    if mean is None:
        return
    held, published = (point["verdicts"][name]["holds"] for name in ("multipliers_f", "orthogonal_f"))
    marker, fill = ("o", color) if held == point["runs"] else ("o", "none") if held else ("x", color)
    axes.plot([point["x"]], [mean], marker, color=color, mfc=fill, markersize=5)
    if published:
        shape = "s" if published == point["runs"] else "D"
        axes.plot([point["x"]], [mean], shape, color=color, mfc="none", markersize=10)


# Helpers ---------------------------------------------------------------------------------------------------


def _limits(axes: Axes) -> tuple[float, float]:
    """Return limits that show all that is drawn, at least accuracies from .3 to 1."""
    low, high = axes.dataLim.intervaly
    return min(0.3, float(low)) - 0.02, max(1.0, float(high)) + 0.03


def _known(points: Sequence[Json], name: str, *fields: str) -> np.ndarray:
    rows = [
        (point["x"], *(np.nan if cell[field] is None else cell[field] for field in fields))
        for point in points
        for cell in [point["metrics"][name]]
        if cell["mean"] is not None
    ]
    return np.array(rows, dtype=float).reshape(-1, 1 + len(fields)).T


def _spread(
    axes: Axes, points: Sequence[Json], name: str, *, color: str, label: str, stroke: str = "-"
) -> None:
    xs, mean, sd, low, high = _known(points, name, "mean", "sd", "min", "max")
    if not len(xs):
        return
    sd = np.nan_to_num(sd)
    axes.fill_between(xs, low, high, color=color, alpha=0.1, linewidth=0)
    inner = np.maximum(mean - sd, low), np.minimum(mean + sd, high)
    axes.fill_between(xs, *inner, color=color, alpha=0.2, linewidth=0)
    axes.plot(xs, mean, stroke, color=color, linewidth=1.4, label=label)
    if len(xs) == 1:
        axes.plot(xs, mean, "o", color=color)


def _line(axes: Axes, points: Sequence[Json], name: str, color: str, stroke: str, label: str) -> None:
    xs, mean = _known(points, name, "mean")
    if len(xs):
        axes.plot(xs, mean, stroke if len(xs) > 1 else "x", color=color, linewidth=1.1, label=label)


def _published(axes: Axes, points: Sequence[Json], *, color: str, marker: str) -> None:
    read = [
        (point["x"], cell["published"], cell["error"])
        for point in points
        for cell in [point["metrics"]["accuracy_g"]]
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
            markersize=4.5,
            linewidth=0.9,
            capsize=2,
        )


def _finish(axes: Axes, panel: Json, *, columns: int = 3) -> None:
    axes.set_xlabel(panel["x_label"])
    if panel["log"]:
        log_x(axes)
    axes.legend(
        ncols=columns,
        fontsize=8.5,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        handlelength=1.6,
        columnspacing=1.0,
    )
