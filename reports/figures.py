"""Figures of a report: functions of results only, each returning one inline SVG.

Colours are CSS variables of the page, so that a figure follows light, dark and print; text stays text.
The same results give the same bytes.
"""

from typing import Any

import numpy as np

from reports._matplotlib import Axes
from reports.phi_check import PhiCheck
from reports.results import Section
from reports.svg import (
    COLORS,
    GRID,
    INK,
    MARKERS,
    SHADE,
    THIRD,
    F,
    G,
    drawing,
    log_log,
    log_x,
    with_spread,
)


def phi_figure(phi: PhiCheck) -> str:
    """Φ against ρ in closed form, with its quadrature values."""

    def draw(axes: Axes) -> None:
        for curve, color in zip(phi.curves, (F, G, THIRD), strict=True):
            slope = curve.negative_slope
            axes.plot(curve.rho, curve.closed_form, color=color, label=f"γ = {slope:g}")
            rows = [row for row in phi.quadrature if row.negative_slope == slope]
            axes.plot([r.rho for r in rows], [r.quadrature for r in rows], "o", color=color, mfc="none")
        axes.set(xlabel="correlation ρ", ylabel="Φ", xticks=[-1, -0.5, 0, 0.5, 1])
        axes.legend(loc="center left", bbox_to_anchor=(0.02, 0.74), ncols=3)

    alt = "Closed form of Φ against the correlation for three slopes, with quadrature values"
    return drawing(draw, "phi", alt)


def monte_carlo_figure(phi: PhiCheck) -> str:
    """Monte Carlo minus closed form, in standard errors, pair by pair."""
    sampled = phi.monte_carlo
    exact, mean, error = map(np.array, (sampled.exact, sampled.mean, sampled.standard_error))

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=INK, linewidth=0.8)
        axes.errorbar(exact, mean - exact, yerr=error, fmt="o", color=F, markersize=3, linewidth=0.8)
        axes.set(xlabel="Φ, closed form", ylabel="Monte Carlo − closed form")
        axes.ticklabel_format(axis="y", style="plain")

    alt = "Monte Carlo estimates of Φ minus the closed form, with their standard errors"
    return drawing(draw, "monte-carlo", alt)


def free_figure(section: Section, key: str) -> str:
    """Share of free and of flipped neurons against width, with the arctan law."""

    def draw(axes: Axes) -> None:
        for network in ("f", "g"):
            style: Any = {"color": COLORS[network], "marker": MARKERS[network]}
            widths, law = _series(section, network, "free_predicted")
            axes.plot(widths, law["mean"], color=COLORS[network], label=f"{network}: arctan law")
            for name, label in (("free_measured", "free, measured"), ("flipped", "flipped")):
                _, values = _series(section, network, name)
                hollow = name == "flipped"
                with_spread(axes, widths, values, label=f"{network}: {label}", hollow=hollow, **style)
        log_log(axes)
        axes.set(xlabel="width m", ylabel="share of neurons")
        axes.legend(ncols=2, fontsize=9)

    alt = "Share of free neurons against width for f and g, with the arctan law, and share of flipped neurons"
    return drawing(draw, f"{key}-free", alt, headroom=0.35)


def error_figure(section: Section, key: str) -> str:
    """Relative error of the predicted velocity against width, log–log, with slope −1/2."""

    def draw(axes: Axes) -> None:
        for network in ("f", "g"):
            widths, error = _series(section, network, "relative_error")
            color = COLORS[network]
            limit = _limit(section, network)
            label = f"{network}: ‖measured − {limit}‖/‖{limit}‖"
            with_spread(axes, widths, error, color=color, marker=MARKERS[network], label=label, line=True)
        anchor = section.by_width[-1].f.relative_error.mean
        if anchor:
            widths = np.array(section.widths, dtype=float)
            axes.plot(widths, anchor * np.sqrt(widths[-1] / widths), "--", color=INK, label="slope −1/2")
        log_log(axes)
        axes.set(xlabel="width m", ylabel="relative error")
        axes.legend()

    alt = "Relative error of the predicted velocities of f and g against width, beside a line of slope −1/2"
    return drawing(draw, f"{key}-error", alt)


def scatter_figure(section: Section, key: str, network: str) -> str:
    """Measured against predicted velocity at every test point of one run."""
    data = section.scatter[network]
    pairs = [pair for pair in zip(data.predicted, data.measured, strict=True) if None not in pair]

    def draw(axes: Axes) -> None:
        if pairs:
            points = np.array(pairs)
            ends = [points.min(), points.max()]
            axes.plot(ends, ends, "--", color=INK, linewidth=0.9, label="measured = predicted")
            axes.plot(*points.T, MARKERS[network], color=COLORS[network], markersize=3, alpha=0.6)
        axes.axhline(0, color=GRID)
        axes.axvline(0, color=GRID)
        time = f"T_{network}"
        measured = f"measured ({network}(z; {time}) − {network}(z; 0))/{time}"
        axes.set(xlabel=f"predicted {_limit(section, network)}(z)", ylabel=measured)
        if pairs:
            axes.legend(loc="upper left")

    alt = f"Measured against predicted velocity of {network} at the test points, with the diagonal"
    return drawing(draw, f"{key}-scatter-{network}", alt)


def cosine_figure(section: Section, key: str) -> str:
    """1 − cosine of the trained part of the gradient with both predicted directions."""

    def draw(axes: Axes) -> None:
        paper, gradient = (G, "s", "with u (published)"), (F, "o", "with ∇f_b (derived)")
        for name, (color, marker, label) in (("trained_paper", paper), ("trained_gradient", gradient)):
            widths, values = _series(section, "cosines", name)
            values = values | {"mean": 1 - values["mean"]}
            with_spread(axes, widths, values, color=color, marker=marker, label=label, line=True)
        _, between = _series(section, "cosines", "between")
        limit = 1 - between["mean"]
        if np.isfinite(limit).all() and (limit > 0).all():
            axes.plot(section.widths, limit, "--", color=INK, label="1 − cos(u, ∇f_b)")
        log_log(axes)
        axes.set(xlabel="width m", ylabel="1 − cosine (0 is perfect)")
        axes.legend()

    alt = "One minus the cosine of the trained gradient with both predicted directions, against width"
    return drawing(draw, f"{key}-cosine", alt)


def agreement_figure(section: Section, key: str) -> str:
    """Share of fresh points where f and g agree, measured and predicted, against width."""

    def draw(axes: Axes) -> None:
        widths, predicted = _series(section, "agreement", "predicted")
        axes.plot(widths, predicted["mean"], "--", color=INK, label="predicted, nothing trained")
        widths, measured = _series(section, "agreement", "measured")
        with_spread(axes, widths, measured, color=F, marker="o", label="measured")
        _, accuracy = _series(section, "g", "accuracy_test")
        with_spread(axes, widths, accuracy, color=G, marker="s", label="test accuracy of g")
        axes.axhline(0.5, color=GRID)
        log_x(axes)
        lowest = np.nanmin([*measured["mean"], *accuracy["mean"], 0.5])
        axes.set(xlabel="width m", ylabel="share of test points", ylim=(lowest - 0.05, 1.02))
        axes.legend(loc="lower right")

    alt = "Share of test points where f and g agree, measured and predicted, against width"
    return drawing(draw, f"{key}-agreement", alt)


def map_figure(section: Section, key: str) -> str | None:
    """Signs of f and g on a plane through the data; None if the results have no plane."""
    data = section.map
    if data is None:
        return None
    ticks = np.array(data.ticks)
    shape = (len(ticks), len(ticks))
    f, g, f_b, g_b = (np.array(drawn, float).reshape(shape) for drawn in (data.f, data.g, data.f_b, data.g_b))
    points, labels = np.array(data.data), np.array(data.labels)

    def draw(axes: Axes) -> None:
        differ = np.where(np.sign(f) != np.sign(g), 1.0, 0.0)
        if differ.any():
            axes.contourf(ticks, ticks, differ, levels=[0.5, 1.5], colors=[SHADE], alpha=0.35)
        lines = (
            (f, F, "-", "f = 0"),
            (g, G, "-", "g = 0"),
            (f_b, F, ":", f"{_limit(section, 'f')} = 0"),
            (g_b, G, ":", f"{_limit(section, 'g')} = 0"),
        )
        for values, color, style, label in lines:
            if values.min() < 0 < values.max():
                axes.contour(ticks, ticks, values, levels=[0.0], colors=[color], linestyles=[style])
            axes.plot([], [], style, color=color, label=label)
        if data.certified is not None and any(data.certified):
            proved = np.array(data.certified, dtype=float).reshape(shape)
            axes.contourf(ticks, ticks, proved, levels=[0.5, 1.5], colors=[THIRD], alpha=0.18)
        for sign, marker in ((1, "+"), (-1, "x")):
            chosen = points[labels == sign]
            drawn: Any = {"color": INK, "markersize": 3.5, "alpha": 0.55, "linestyle": "none"}
            axes.plot(*chosen.T, marker, **drawn)
        axes.set(xlabel="along the class-mean difference", ylabel="main orthogonal direction", aspect="equal")
        axes.grid(visible=False)
        axes.legend(ncols=4, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=1.4)

    alt = (
        "Plane through the data with the zero lines of f, g and their predictions; shaded where signs differ"
    )
    return drawing(draw, f"{key}-map", alt, size=(4.8, 4.9))


def predictors_figure(section: Section, key: str) -> str | None:
    """Error of the three predictors of the trained part, at the width where neurons are simulated."""
    far = section.simulated
    if far is None:
        return None
    kinds = (("published", "T f̂, T ĝ"), ("derived", "T f_b, T g_b"), ("simulated", "E f, E g"))

    def draw(axes: Axes) -> None:
        for network, offset in (("f", -0.12), ("g", 0.12)):
            shown = [
                (place + offset, far.error[network][name])
                for place, (name, _) in enumerate(kinds)
                if (network, name) != ("g", "published")  # on another scale
            ]
            known = [(x, row.mean, row.sd or 0.0) for x, row in shown if row.mean is not None]
            places, means = [x for x, *_ in known], [mean for _, mean, _ in known]
            bars = [min(sd, 0.999 * abs(mean)) for _, mean, sd in known]
            style: Any = {"fmt": MARKERS[network], "color": COLORS[network], "capsize": 2}
            axes.errorbar(places, means, yerr=bars, label=f"trained part of {network}", **style)
        axes.set(ylabel="relative error", xlim=(-0.5, 2.5))
        axes.set_ylim(bottom=0)
        axes.set_xticks(range(len(kinds)), [label for _, label in kinds])
        axes.legend()

    alt = "Relative error of the published, the lazy and the simulated prediction of the trained outputs"
    return drawing(draw, f"{key}-predictors", alt)


def causes_figure(section: Section, key: str) -> str | None:
    """Share of test points where f and g differ, against width, stacked by cause; None if none differs."""
    rows = section.diagnosis.by_width
    totals: dict[str, int] = {}
    for row in rows:
        for cause, count in row.causes.items():
            totals[cause] = totals.get(cause, 0) + count
    if not totals:
        return None
    ranked = sorted(totals, key=lambda cause: (-totals[cause], cause))
    shown, others = ranked[:4], ranked[4:]
    fills = ((F, ""), (G, "//"), (THIRD, ".."), (SHADE, "xx"))

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))
        base = np.zeros(len(rows))
        layers = [([cause], cause, fill) for cause, fill in zip(shown, fills, strict=False)]
        layers += [(others, "other causes", (GRID, ""))] if others else []
        for causes, label, (color, hatch) in layers:
            heights = np.array([sum(row.causes.get(c, 0) for c in causes) / row.points for row in rows])
            axes.bar(places, heights, 0.6, bottom=base, color=color, edgecolor=INK, label=label, hatch=hatch)
            base += heights
        axes.set_xticks(places, [f"{row.width:,}" for row in rows])
        axes.set(xlabel="width m", ylabel="share of points that differ", ylim=(0, 1.7 * base.max()))
        axes.legend(fontsize=9, loc="upper right")

    alt = "Share of test points where the signs of f and g differ, against width, stacked by cause"
    return drawing(draw, f"{key}-causes", alt)


# Helpers -------------------------------------------------------------------------------------------


def _limit(section: Section, network: str) -> str:
    """Name the predicted velocity: f_b, or that of `theory.lazy_predict` for another loss than identity."""
    return f"{network}_b" if section.setting.loss == "identity" else f"{network}_lazy"


def _series(section: Section, group: str, name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rows = section.by_width
    summaries = [getattr(getattr(row, group), name) for row in rows]
    values = {
        field: np.array([getattr(one, field) for one in summaries], dtype=float) for field in ("mean", "sd")
    }
    return np.array([row.width for row in rows], dtype=float), values
