"""Figures of a panel of the page of a sweep; what claims draw is in their files."""

from reports._matplotlib import Axes
from reports.claims.sweeps.architectures import of_errors
from reports.claims.sweeps.rows import SERIES, Section, WidePanel
from reports.page import Figure
from reports.shown import SAID, band, finish, hollow, line, means, of_metric
from reports.svg import GRID, INK, F, G, figure, powers

_REGIME = (
    ("free_f", "free, f", F, "-"),
    ("flipped_f", "flipped, f", F, "--"),
    ("tau_f", "τ of f", F, ":"),
    ("free_g", "free, g", G, "-"),
    ("flipped_g", "flipped, g", G, "--"),
    ("tau_g", "τ of g", G, ":"),
)


def of_panel(section: Section, panel: WidePanel, key: str) -> tuple[Figure, ...]:
    """Return what is drawn of a panel; nothing where no seed has an accuracy or an agreement.

    `key` is unique on the page.
    """
    if all(point.metrics[name].mean is None for point in panel.points for name, *_ in SERIES):
        return ()
    drawn = _metrics(section, panel, key), _regime(panel, key), of_errors(panel, key), _cosines(panel, key)
    return tuple(one for one in drawn if one is not None)


def _metrics(section: Section, panel: WidePanel, key: str) -> Figure:
    """Draw accuracies and agreement over seeds, beside published values or, without these, predictions."""
    cells = [point.metrics[name] for point in panel.points for name, *_ in SERIES]
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
    caption = "Mean over seeds; bands: one standard deviation and, lighter, smallest to largest seed."
    if section.published is not None:
        others = ", of other images." if section.foreign else "."
        caption += f" Hollow: published, with reading errors{others}"
    else:
        caption += " Dotted: predicted without training f or its perturbations."
    return figure(draw, key, "", f"{alt}, {'published' if beside else 'predicted'} values beside", caption)


def _cosines(panel: WidePanel, key: str) -> Figure | None:
    """Draw mean |cos| of perturbations with u and with ∇f_b over seeds, beside published values.

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
    alt += ": mean and range over seeds, published values beside"
    return figure(draw, key, "cosine", alt, SAID["sweep"]["cosine"])


def _regime(panel: WidePanel, key: str) -> Figure | None:
    """Draw shares of free and flipped neurons and τ, means over runs; None where nothing of it is known."""
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
    return figure(draw, key, "regime", alt, SAID["sweep"]["regime"])
