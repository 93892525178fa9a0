"""Figures of the page of a sweep: functions of a panel, a section or a prediction, each one inline SVG."""

import numpy as np

from reports._matplotlib import Axes
from reports.claims.sweeps.rows import Prediction, Section, WidePanel
from reports.shown import band, finish, hollow, line, means, of_metric
from reports.svg import GRID, INK, SHADE, THIRD, F, G, drawing, powers

# Key in the results, name on the page, colour, marker.
SERIES = (
    ("acc_f", "accuracy of f", F, "o"),
    ("acc_g", "accuracy of g", G, "s"),
    ("agreement", "agreement", THIRD, "^"),
)
_REGIME = (
    ("free_f", "free, f", F, "-"),
    ("flipped_f", "flipped, f", F, "--"),
    ("tau_f", "τ of f", F, ":"),
    ("free_g", "free, g", G, "-"),
    ("flipped_g", "flipped, g", G, "--"),
    ("tau_g", "τ of g", G, ":"),
)


def panel_figure(panel: WidePanel, key: str) -> str | None:
    """Accuracies and agreement over seeds, beside published values or, where there are none, predictions.

    None where no seed has a value; `key` is unique on the page.
    """
    cells = [point.metrics[name] for point in panel.points for name, *_ in SERIES]
    if all(cell.mean is None for cell in cells):
        return None
    beside = any(cell.published is not None for cell in cells)

    def draw(axes: Axes) -> None:
        for name, label, color, marker in SERIES:
            known = of_metric(panel.points, name)
            if all(cell.mean is None for _, cell in known):
                continue
            band(axes, known, color=color, label=label, single=marker)
            if not hollow(axes, known, color=color, marker=marker):
                predicted = [(point.x, point.predicted[name]) for point in panel.points]
                line(axes, predicted, color=color, stroke=":", single=marker, mfc="none")
        if beside:
            axes.plot([], [], "o", color=INK, mfc="none", markersize=4, label="published")
        elif any(value is not None for point in panel.points for value in point.predicted.values()):
            axes.plot([], [], ":", color=INK, label="predicted")
        axes.set(ylabel="share of points", ylim=(-0.03, 1.03))
        finish(axes, panel)

    alt = f"Accuracy of f, of g and agreement against {panel.x_label}: mean, deviation and range over seeds"
    return drawing(draw, key, f"{alt}, {'published' if beside else 'predicted'} values beside")


def cosine_figure(panel: WidePanel, key: str) -> str | None:
    """Mean |cos| of perturbations with u and with ∇f_b over seeds, beside published values.

    None where no published cosine was read off, or no seed has a value.
    """
    ours, others = (
        [(point.x, point.cosines[name]) for point in panel.points]
        for name in ("cosine_published", "cosine_derived")
    )
    if all(c.published is None for _, c in ours) or all(c.mean is None for _, c in ours):
        return None

    def draw(axes: Axes) -> None:
        band(axes, ours, color=F, label="with u")
        line(axes, means(others), color=G, stroke="--", label="with ∇f_b")
        hollow(axes, ours, color=F, marker="o", label="published, with u")
        axes.set(ylabel="mean |cos|")
        finish(axes, panel)

    alt = f"Mean cosine of perturbations with u and with the gradient of f_b against {panel.x_label}"
    return drawing(draw, key, f"{alt}: mean and range over seeds, published values beside")


def regime_figure(panel: WidePanel, key: str) -> str | None:
    """Shares of free and flipped neurons and τ, means over runs; None where nothing of it is known."""
    # 0 has no place on a log axis.
    known = {name: [(p.x, p.regime[name] or None) for p in panel.points] for name, *_ in _REGIME}
    if all(value is None for pairs in known.values() for _, value in pairs):
        return None

    def draw(axes: Axes) -> None:
        for name, label, color, stroke in _REGIME:
            line(axes, known[name], color=color, stroke=stroke, label=label)
        axes.axhline(1, color=GRID, zorder=0)
        axes.set_yscale("log")
        powers(axes.yaxis)
        axes.set(ylabel="share of neurons; τ")
        finish(axes, panel)

    alt = f"Shares of free and flipped neurons of f and g and their τ against {panel.x_label}"
    return drawing(draw, key, alt)


def overview_figure(section: Section, key: str) -> str | None:
    """Agreement of all sweeps of a study in one figure, means over seeds; None for fewer than two."""
    panels = section.panels
    if len(panels) < 2:
        return None
    colors = (F, G, THIRD, SHADE)
    # More sweeps than colours: sweeps come in pairs (two losses), one colour and two strokes each.
    pairs = len(panels) > len(colors)

    def draw(axes: Axes) -> None:
        for index, panel in enumerate(panels):
            color = colors[(index // 2 if pairs else index) % len(colors)]
            known, stroke = (
                means(of_metric(panel.points, "agreement")),
                ".--" if pairs and index % 2 else ".-",
            )
            line(axes, known, color=color, stroke=stroke, single=".", label=panel.sweep)
        axes.set(ylabel="agreement", ylim=(-0.03, 1.03))
        finish(axes, panels[0], columns=2)

    return drawing(draw, key, f"Agreement against {panels[0].x_label} in all sweeps", size=(6.4, 4.4))


def scatter_figure(prediction: Prediction, key: str) -> str | None:
    """Measured against predicted, run by run, drawn to 1/100; None without a run."""
    if not prediction.scatter:
        return None

    def draw(axes: Axes) -> None:
        predicted, measured, counts = np.array(prediction.scatter, dtype=float).T
        low = min(predicted.min(), measured.min()) - 0.02
        axes.plot([low, 1.02], [low, 1.02], "--", color=INK, linewidth=0.9, label="measured = predicted")
        size = 12 + 10 * np.sqrt(counts)
        axes.scatter(predicted, measured, s=size, color=SHADE, alpha=0.7, linewidths=0)
        axes.set(xlabel="predicted", ylabel="measured", xlim=(low, 1.02), ylim=(low, 1.02))
        axes.legend(loc="upper left")

    alt = f"Measured against predicted {prediction.name}, one mark for runs that fall together"
    return drawing(draw, key, alt)
