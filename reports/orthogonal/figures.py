"""Figures of the pages of nearly orthogonal samples: functions of a panel, each one inline SVG."""

from itertools import cycle, product

from reports._matplotlib import Axes
from reports.claims.orthogonal.rows import LEVEL, OrthogonalPanel, OrthogonalPoint
from reports.shown import band, finish, hollow, line, means, of_metric
from reports.svg import GRID, INK, SHADE, THIRD, F, G, drawing

_STYLES = tuple(product(("-", "--", ":"), (F, G, THIRD, SHADE)))


def _unknown(panel: OrthogonalPanel, name: str) -> bool:
    return all(point.metrics[name].mean is None for point in panel.points)


def accuracy_figure(panel: OrthogonalPanel, key: str) -> str | None:
    """Accuracy of g with its spread, attack and control, beside published values and predictions."""
    if _unknown(panel, "accuracy_g"):
        return None

    def draw(axes: Axes) -> None:
        axes.axhline(0.5, color=GRID, linewidth=1.2, zorder=0)
        read = []
        for series, color, marker, label in (
            ("adversarial", G, "s", "g, with attack"),
            ("control", SHADE, "o", "g, without (control)"),
        ):
            cells = of_metric(panel.of(series), "accuracy_g")
            band(axes, cells, color=color, label=label)
            read.append(hollow(axes, cells, color=color, marker=marker))
        for name, color, stroke, label in (
            ("accuracy_mean_g", INK, ":", "mean map Σ y x"),
            ("accuracy_limit_g", F, "--", "limit Σ λ y x"),
        ):
            known = means(of_metric(panel.of("adversarial"), name))
            line(axes, known, color=color, stroke=stroke, label=label, single="x")
        if any(read):
            axes.plot([], [], "s", color=INK, mfc="none", markersize=4, label="published")
        low, high = axes.dataLim.intervaly  # all that is drawn, at least accuracies from .3 to 1
        axes.set_ylim(min(0.3, float(low)) - 0.02, max(1.0, float(high)) + 0.03)
        axes.set_ylabel("accuracy on natural samples")
        finish(axes, panel, columns=3)

    alt = (
        f"Accuracy of g on natural samples against {panel.x_label}: mean, deviation and range over seeds "
        "with and without attack, predictions, and published values with reading errors"
    )
    return drawing(draw, key, alt, size=(5.4, 4.2))


def turning_figure(panel: OrthogonalPanel, key: str) -> str | None:
    """Cosine of the boundary of g with s of the natural samples, of trained networks and of limits."""
    if _unknown(panel, "turning"):
        return None

    def draw(axes: Axes) -> None:
        for series, color in zip(panel.series, (G, F), strict=False):
            band(axes, of_metric(panel.of(series), "turning"), color=color, label=series)
            if series == "trained":
                known = means(of_metric(panel.of(series), "turning_limit"))
                line(axes, known, color=INK, stroke=":", label="limit of the set trained on", single="x")
        axes.axhline(1, color=GRID, zorder=0)
        axes.set(ylabel="cosine with s")
        finish(axes, panel, columns=3)

    alt = f"Cosine of the boundary of g with that of the natural samples against {panel.x_label}"
    return drawing(draw, key, alt, size=(5.4, 4.2))


def orthogonality_figure(panel: OrthogonalPanel, key: str) -> str | None:
    """Share of equal signs of network and limit, slope by slope, with both conditions marked."""
    if _unknown(panel, "signs_f"):
        return None

    def draw(axes: Axes) -> None:
        axes.axhline(LEVEL, color=INK, linewidth=0.8, linestyle=(0, (1, 3)), zorder=0)
        for (stroke, color), series in zip(cycle(_STYLES), panel.series, strict=False):
            points = panel.of(series)
            band(axes, of_metric(points, "signs_f"), color=color, label=series, stroke=stroke)
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
        finish(axes, panel, columns=3)

    alt = (
        "Share of test points where the trained network and the limit have one sign, against N/d, for each "
        "slope, with marks where the published condition and the λ system hold for all, some or no seeds"
    )
    return drawing(draw, key, alt, size=(7.2, 5.0))


def _condition_marks(axes: Axes, point: OrthogonalPoint, color: str) -> None:
    mean, runs = point.metrics["signs_f"].mean, point.totals.configurations
    if mean is None:
        return
    held, published = (point.verdicts[name]["holds"] for name in ("multipliers_f", "orthogonal_f"))
    marker, fill = ("o", color) if held == runs else ("o", "none") if held else ("x", color)
    axes.plot([point.x], [mean], marker, color=color, mfc=fill, markersize=5)
    if published:
        axes.plot(
            [point.x], [mean], "s" if published == runs else "D", color=color, mfc="none", markersize=10
        )
