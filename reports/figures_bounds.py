"""Figures of what is bounded: certified shares, the terms of the bound, how far pre-activations move."""

from typing import Any

import numpy as np

from empirics.measure.drift import Displacements
from reports._matplotlib import Axes
from reports.results import Section
from reports.svg import COLORS, INK, SHADE, THIRD, F, G, drawing, log_x, powers


def certified_figure(section: Section, key: str) -> str:
    """Share of test points that are certified, against width, for f and for agreement."""
    data = section.certificates

    def draw(axes: Axes) -> None:
        for name, color, label in (("f", F, "sign of f"), ("both", G, "agreement of f and g")):
            for dynamics, style in (("descent", "--"), ("flow", "-")):
                shares, named = np.array(data.shares[name][dynamics], float), f"{label}, {dynamics}"
                axes.plot(data.widths, shares, style, color=color, label=named)
        axes.plot(
            np.full(2, data.published_width, float),
            [0, 1],
            ":",
            color=THIRD,
            label="published form, constant 1",
        )
        log_x(axes)
        axes.set(xlabel="width m", ylabel="certified share", ylim=(-0.02, 1.5))
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        axes.legend(fontsize=9, loc="upper left")

    alt = "Share of test points with a certified sign of f and certified agreement, against width"
    return drawing(draw, f"{key}-certified", alt)


def terms_figure(section: Section, key: str) -> str:
    """Median terms of the flow bound, stacked, against width, beside the median prediction."""
    data = section.certificates
    colors = {"initial network and kernel": F, "drift": G, "flip fluctuation": THIRD, "flips": SHADE}
    values = {name: np.array(data.terms[name], dtype=float) for name in colors}

    def draw(axes: Axes) -> None:
        if all(np.isfinite(row).all() for row in values.values()):
            stacked: Any = {"colors": list(colors.values()), "labels": list(values), "alpha": 0.75}
            axes.stackplot(data.widths, list(values.values()), **stacked)
        prediction = data.median_prediction
        if prediction is not None:
            axes.axhline(prediction, color=INK, linestyle="--", label="median |f_b|")
        log_x(axes)
        axes.set(
            xlabel="width m", ylabel="bound of |f(z; T)/T − f_b(z)|", ylim=(0, 4 * (prediction or 0) or 1)
        )
        axes.legend(fontsize=9, loc="upper right")

    alt = "Terms of the bound, stacked, against width, beside the median size of the prediction"
    return drawing(draw, f"{key}-terms", alt)


def drift_figure(section: Section, key: str, network: str) -> str | None:
    """Neurons by how far their pre-activations moved, in units of the bound; None if nothing was trained.

    The widest and the narrowest network that were measured, the prediction for the widest, and of its
    neurons those that changed sign.
    """
    rows = section.moved(network)
    if not rows:
        return None
    edges = np.array(rows[-1][0].edges)

    def share(moved: Displacements, name: str) -> np.ndarray:
        counts = np.array(getattr(moved, name), dtype=float)
        values: np.ndarray = counts / max(sum(moved.measured), 1)
        return np.where(values > 0, values, np.nan)  # 0 has no place on a log axis

    def draw(axes: Axes) -> None:
        (last, widest), (first, narrowest), color = rows[-1], rows[0], COLORS[network]
        floor = float(np.nanmin([*share(widest, "measured"), *share(widest, "crossed"), 0.1])) / 3
        name = f"m = {last.width:,}"

        def stairs(moved: Displacements, what: str, **style: Any) -> None:  # noqa: ANN401
            axes.stairs(share(moved, what), edges, **({"baseline": None} | style))

        stairs(widest, "measured", baseline=floor, color=color, fill=True, alpha=0.35)
        stairs(widest, "measured", color=color, label=f"moved, {name}")
        if np.isfinite(share(widest, "crossed")).any():
            hatched: Any = {"hatch": "////", "linewidth": 0.8, "label": "of these, crossed 0"}
            stairs(widest, "crossed", baseline=floor, color=INK, **hatched)
        if widest.predicted is not None:
            stairs(widest, "predicted", color=INK, linestyle="--", label=f"predicted, {name}")
        if len(rows) > 1:
            narrow = f"moved, m = {first.width:,}"
            stairs(narrowest, "measured", color=THIRD, linestyle=":", linewidth=1.6, label=narrow)
        axes.set_yscale("log")
        powers(axes.yaxis)
        axes.set(xlabel="(u(z; T) − u(z; 0)) / (|a| L T κ(z))", ylabel="share of neurons, a bin")
        axes.set(xlim=(-1, 1), xticks=[-1, -0.5, 0, 0.5, 1])
        axes.legend(fontsize=9, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    alt = (
        f"Share of neurons of {network} by how far their pre-activations moved, in units of the bound, with "
        "those that crossed 0 and the prediction from the initial weights"
    )
    return drawing(draw, f"{key}-drift-{network}", alt)
