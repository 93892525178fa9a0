"""Figures of a report: functions of results only, each returning one inline SVG.

Colours are CSS variables of the page, so that a figure follows light, dark and print; text stays text.
The same results give the same bytes.
"""

import html
import io
import re
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from reports import pictures

Section = dict[str, Any]

# Drawn colour → CSS variable of the page (templates/page.html).  Okabe–Ito, safe for colour blindness.
_INK, _GRID, _F, _G, _THIRD, _SHADE = "#101011", "#d0d0d1", "#0072b2", "#d55e00", "#009e73", "#cc79a7"
_VARIABLES = {
    _INK: "var(--ink)",
    _GRID: "var(--grid)",
    _F: "var(--f)",
    _G: "var(--g)",
    _THIRD: "var(--third)",
    _SHADE: "var(--shade)",
}
_COLORS = {"f": _F, "g": _G}
_MARKERS = {"f": "o", "g": "s"}
_STYLE = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.markersize": 5,
}


def phi_figure(phi: dict[str, Any]) -> str:
    """Φ against ρ in closed form, with its quadrature values."""

    def draw(axes: Axes) -> None:
        for curve, color in zip(phi["curves"], (_F, _G, _THIRD), strict=True):
            slope = curve["negative_slope"]
            axes.plot(curve["rho"], curve["closed_form"], color=color, label=f"γ = {slope:g}")
            rows = [row for row in phi["quadrature"] if row["negative_slope"] == slope]
            axes.plot([r["rho"] for r in rows], [r["quadrature"] for r in rows], "o", color=color, mfc="none")
        axes.set(xlabel="correlation ρ", ylabel="Φ", xticks=[-1, -0.5, 0, 0.5, 1])
        axes.legend(loc="center left", bbox_to_anchor=(0.02, 0.74), ncols=3)

    return _svg(
        draw, "phi", "Closed form of Φ against the correlation for three slopes, with quadrature values"
    )


def monte_carlo_figure(phi: dict[str, Any]) -> str:
    """Monte Carlo minus closed form, in standard errors, pair by pair."""
    sampled = phi["monte_carlo"]
    exact, mean, error = (np.array(sampled[name]) for name in ("exact", "mean", "standard_error"))

    def draw(axes: Axes) -> None:
        axes.axhline(0, color=_INK, linewidth=0.8)
        axes.errorbar(exact, mean - exact, yerr=error, fmt="o", color=_F, markersize=3, linewidth=0.8)
        axes.set(xlabel="Φ, closed form", ylabel="Monte Carlo − closed form")
        axes.ticklabel_format(axis="y", style="plain")

    return _svg(
        draw,
        "monte-carlo",
        "Monte Carlo estimates of Φ minus the closed form, with their standard errors",
    )


def free_figure(section: Section, key: str) -> str:
    """Share of free and of flipped neurons against width, with the arctan law."""

    def draw(axes: Axes) -> None:
        for network in ("f", "g"):
            color, marker = _COLORS[network], _MARKERS[network]
            widths, law = _series(section, network, "free_predicted")
            axes.plot(widths, law["mean"], color=color, label=f"{network}: arctan law")
            widths, free = _series(section, network, "free_measured")
            _points(axes, widths, free, color=color, marker=marker, label=f"{network}: free, measured")
            widths, flipped = _series(section, network, "flipped")
            _points(
                axes, widths, flipped, color=color, marker=marker, hollow=True, label=f"{network}: flipped"
            )
        _log_log(axes)
        axes.set(xlabel="width m", ylabel="share of neurons")
        axes.legend(ncols=2, fontsize=9)

    alt = "Share of free neurons against width for f and g, with the arctan law, and share of flipped neurons"
    return _svg(draw, f"{key}-free", alt, headroom=0.35)


def error_figure(section: Section, key: str) -> str:
    """Relative error of the predicted velocity against width, log–log, with slope −1/2."""

    def draw(axes: Axes) -> None:
        for network in ("f", "g"):
            widths, error = _series(section, network, "relative_error")
            color = _COLORS[network]
            limit = _limit(section, network)
            label = f"{network}: ‖measured − {limit}‖/‖{limit}‖"
            _points(axes, widths, error, color=color, marker=_MARKERS[network], label=label, line=True)
        anchor = section["by_width"][-1]["f"]["relative_error"]["mean"]
        if anchor:
            widths = np.array(section["widths"], dtype=float)
            axes.plot(widths, anchor * np.sqrt(widths[-1] / widths), "--", color=_INK, label="slope −1/2")
        _log_log(axes)
        axes.set(xlabel="width m", ylabel="relative error")
        axes.legend()

    alt = "Relative error of the predicted velocities of f and g against width, beside a line of slope −1/2"
    return _svg(draw, f"{key}-error", alt)


def scatter_figure(section: Section, key: str, network: str) -> str:
    """Measured against predicted velocity at every test point of one run."""
    data = section["scatter"][network]
    pairs = [
        (p, q)
        for p, q in zip(data["predicted"], data["measured"], strict=True)
        if p is not None and q is not None
    ]

    def draw(axes: Axes) -> None:
        if pairs:
            predicted, measured = np.array(pairs).T
            ends = [min(predicted.min(), measured.min()), max(predicted.max(), measured.max())]
            axes.plot(ends, ends, "--", color=_INK, linewidth=0.9, label="measured = predicted")
            axes.plot(predicted, measured, _MARKERS[network], color=_COLORS[network], markersize=3, alpha=0.6)
        axes.axhline(0, color=_GRID)
        axes.axvline(0, color=_GRID)
        time = f"T_{network}"
        axes.set(
            xlabel=f"predicted {_limit(section, network)}(z)",
            ylabel=f"measured ({network}(z; {time}) − {network}(z; 0))/{time}",
        )
        if pairs:
            axes.legend(loc="upper left")

    alt = f"Measured against predicted velocity of {network} at the test points, with the diagonal"
    return _svg(draw, f"{key}-scatter-{network}", alt)


def cosine_figure(section: Section, key: str) -> str:
    """1 − cosine of the trained part of the gradient with both predicted directions."""

    def draw(axes: Axes) -> None:
        rows = (
            ("trained_paper", _G, "s", "with u (published)"),
            ("trained_gradient", _F, "o", "with ∇f_b (derived)"),
        )
        for name, color, marker, label in rows:
            widths, values = _series(section, "cosines", name)
            values = values | {"mean": 1 - values["mean"]}
            _points(axes, widths, values, color=color, marker=marker, label=label, line=True)
        _, between = _series(section, "cosines", "between")
        limit = 1 - between["mean"]
        if np.isfinite(limit).all() and (limit > 0).all():
            axes.plot(section["widths"], limit, "--", color=_INK, label="1 − cos(u, ∇f_b)")
        _log_log(axes)
        axes.set(xlabel="width m", ylabel="1 − cosine (0 is perfect)")
        axes.legend()

    alt = "One minus the cosine of the trained gradient with both predicted directions, against width"
    return _svg(draw, f"{key}-cosine", alt)


def agreement_figure(section: Section, key: str) -> str:
    """Share of fresh points where f and g agree, measured and predicted, against width."""

    def draw(axes: Axes) -> None:
        widths, predicted = _series(section, "agreement", "predicted")
        axes.plot(widths, predicted["mean"], "--", color=_INK, label="predicted, nothing trained")
        widths, measured = _series(section, "agreement", "measured")
        _points(axes, widths, measured, color=_F, marker="o", label="measured")
        _, accuracy = _series(section, "g", "accuracy_test")
        _points(axes, widths, accuracy, color=_G, marker="s", label="test accuracy of g")
        axes.axhline(0.5, color=_GRID)
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(_power))
        axes.xaxis.set_minor_formatter(NullFormatter())
        lowest = np.nanmin([*measured["mean"], *accuracy["mean"], 0.5])
        axes.set(xlabel="width m", ylabel="share of test points", ylim=(lowest - 0.05, 1.02))
        axes.legend(loc="lower right")

    alt = "Share of test points where f and g agree, measured and predicted, against width"
    return _svg(draw, f"{key}-agreement", alt)


def certified_figure(section: Section, key: str) -> str:
    """Share of test points that are certified, against width, for f and for agreement."""
    data = section["certificates"]

    def draw(axes: Axes) -> None:
        for name, color, label in (("f", _F, "sign of f"), ("both", _G, "agreement of f and g")):
            for dynamics, style in (("descent", "--"), ("flow", "-")):
                axes.plot(
                    data["widths"],
                    data["shares"][name][dynamics],
                    style,
                    color=color,
                    label=f"{label}, {dynamics}",
                )
        axes.plot(
            [data["published_width"]] * 2, [0, 1], ":", color=_THIRD, label="published form, constant 1"
        )
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(_power))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(
            xlabel="width m", ylabel="certified share", ylim=(-0.02, 1.5), yticks=[0, 0.25, 0.5, 0.75, 1]
        )
        axes.legend(fontsize=9, loc="upper left")

    alt = "Share of test points with a certified sign of f and certified agreement, against width"
    return _svg(draw, f"{key}-certified", alt)


def terms_figure(section: Section, key: str) -> str:
    """Median terms of the flow bound, stacked, against width, beside the median prediction."""
    data = section["certificates"]
    colors = {
        "initial network and kernel": _F,
        "drift": _G,
        "flip fluctuation": _THIRD,
        "flips": _SHADE,
    }
    values = {name: np.array([np.nan if v is None else v for v in data["terms"][name]]) for name in colors}

    def draw(axes: Axes) -> None:
        if all(np.isfinite(row).all() for row in values.values()):
            axes.stackplot(
                data["widths"],
                list(values.values()),
                colors=list(colors.values()),
                labels=list(values),
                alpha=0.75,
            )
        prediction = data["median_prediction"]
        axes.axhline(prediction, color=_INK, linestyle="--", label="median |f_b|")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(_power))
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set(xlabel="width m", ylabel="bound of |f(z; T)/T − f_b(z)|", ylim=(0, 4 * prediction or 1))
        axes.legend(fontsize=9, loc="upper right")

    alt = "Terms of the bound, stacked, against width, beside the median size of the prediction"
    return _svg(draw, f"{key}-terms", alt)


def map_figure(section: Section, key: str) -> str | None:
    """Signs of f and g on a plane through the data; None if the results have no plane."""
    data = section["map"]
    if data is None:
        return None
    ticks = np.array(data["ticks"])
    shape = (len(ticks), len(ticks))
    f, g, f_b, g_b = (np.array(data[name], dtype=float).reshape(shape) for name in ("f", "g", "f_b", "g_b"))
    points, labels = np.array(data["data"]), np.array(data["labels"])

    def draw(axes: Axes) -> None:
        differ = np.where(np.sign(f) != np.sign(g), 1.0, 0.0)
        if differ.any():
            axes.contourf(ticks, ticks, differ, levels=[0.5, 1.5], colors=[_SHADE], alpha=0.35)
        lines = (
            (f, _F, "-", "f = 0"),
            (g, _G, "-", "g = 0"),
            (f_b, _F, ":", f"{_limit(section, 'f')} = 0"),
            (g_b, _G, ":", f"{_limit(section, 'g')} = 0"),
        )
        for values, color, style, label in lines:
            if values.min() < 0 < values.max():
                axes.contour(ticks, ticks, values, levels=[0.0], colors=[color], linestyles=[style])
            axes.plot([], [], style, color=color, label=label)
        if data["certified"] is not None and any(data["certified"]):
            proved = np.array(data["certified"], dtype=float).reshape(shape)
            axes.contourf(ticks, ticks, proved, levels=[0.5, 1.5], colors=[_THIRD], alpha=0.18)
        for sign, marker in ((1, "+"), (-1, "x")):
            chosen = points[labels == sign]
            axes.plot(
                chosen[:, 0], chosen[:, 1], marker, color=_INK, markersize=3.5, alpha=0.55, linestyle="none"
            )
        axes.set(xlabel="along the class-mean difference", ylabel="main orthogonal direction", aspect="equal")
        axes.grid(visible=False)
        axes.legend(ncols=4, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.0), handlelength=1.4)

    alt = (
        "Plane through the data with the zero lines of f, g and their predictions; shaded where signs differ"
    )
    return _svg(draw, f"{key}-map", alt, size=(4.8, 4.9))


def predictors_figure(section: Section, key: str) -> str | None:
    """Error of the three predictors of the trained part, at the width where neurons are simulated."""
    far = section["simulated"]
    if far is None:
        return None
    kinds = (("published", "T f̂, T ĝ"), ("derived", "T f_b, T g_b"), ("simulated", "E f, E g"))

    def draw(axes: Axes) -> None:
        for network, offset in (("f", -0.12), ("g", 0.12)):
            shown = [
                (place + offset, far["error"][network][name])
                for place, (name, _) in enumerate(kinds)
                if (network, name) != ("g", "published")  # on another scale
            ]
            known = [(x, row) for x, row in shown if row["mean"] is not None]
            axes.errorbar(
                [x for x, _ in known],
                [row["mean"] for _, row in known],
                yerr=[min(row["sd"] or 0.0, 0.999 * abs(row["mean"])) for _, row in known],
                fmt=_MARKERS[network],
                color=_COLORS[network],
                label=f"trained part of {network}",
                capsize=2,
            )
        axes.set(ylabel="relative error", xlim=(-0.5, 2.5))
        axes.set_ylim(bottom=0)
        axes.set_xticks(range(len(kinds)), [label for _, label in kinds])
        axes.legend()

    alt = "Relative error of the published, the lazy and the simulated prediction of the trained outputs"
    return _svg(draw, f"{key}-predictors", alt)


def causes_figure(section: Section, key: str) -> str | None:
    """Share of test points where f and g differ, against width, stacked by cause; None if none differs."""
    rows = section["diagnosis"]["by_width"]
    totals: dict[str, int] = {}
    for row in rows:
        for cause, count in row["causes"].items():
            totals[cause] = totals.get(cause, 0) + count
    if not totals:
        return None
    ranked = sorted(totals, key=lambda cause: (-totals[cause], cause))
    shown, others = ranked[:4], ranked[4:]
    fills = ((_F, ""), (_G, "//"), (_THIRD, ".."), (_SHADE, "xx"))

    def draw(axes: Axes) -> None:
        places = np.arange(len(rows))
        base = np.zeros(len(rows))
        layers = [([cause], cause, fill) for cause, fill in zip(shown, fills, strict=False)]
        layers += [(others, "other causes", (_GRID, ""))] if others else []
        for causes, label, (color, hatch) in layers:
            heights = np.array([sum(row["causes"].get(c, 0) for c in causes) / row["points"] for row in rows])
            axes.bar(places, heights, 0.6, bottom=base, color=color, edgecolor=_INK, label=label, hatch=hatch)
            base += heights
        axes.set_xticks(places, [f"{row['width']:,}" for row in rows])
        axes.set(xlabel="width m", ylabel="share of points that differ", ylim=(0, 1.7 * base.max()))
        axes.legend(fontsize=9, loc="upper right")

    alt = "Share of test points where the signs of f and g differ, against width, stacked by cause"
    return _svg(draw, f"{key}-causes", alt)


def section_figures(section: Section, key: str) -> dict[str, str | None]:
    """Return every figure of a data set by name; None where the results have nothing to draw."""
    return {
        "free": free_figure(section, key),
        "error": error_figure(section, key),
        "scatter_f": scatter_figure(section, key, "f"),
        "scatter_g": scatter_figure(section, key, "g"),
        "cosine": cosine_figure(section, key),
        "agreement": agreement_figure(section, key),
        "certified": certified_figure(section, key),
        "terms": terms_figure(section, key),
        "map": map_figure(section, key),
        "predictors": predictors_figure(section, key),
        "causes": causes_figure(section, key),
        "images": pictures.images_figure(section, key),
    }


def standalone(svg: str) -> str:
    """Return a figure that needs no page: literal colours on white."""
    for color, variable in _VARIABLES.items():
        svg = svg.replace(variable, color)
    opening = svg.index(">") + 1
    return (
        svg[:opening].replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
        + '<rect width="100%" height="100%" fill="#ffffff"/>'
        + svg[opening:]
        + "\n"
    )


# Helpers -------------------------------------------------------------------------------------------


def _limit(section: Section, network: str) -> str:
    """Name the predicted velocity: f_b, or that of `theory.lazy_predict` for another loss than identity."""
    return f"{network}_b" if section["setting"]["loss"] == "identity" else f"{network}_lazy"


def _series(section: Section, group: str, name: str) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rows = section["by_width"]
    summaries = [row[group][name] for row in rows]
    values = {
        field: np.array([s[field] if s[field] is not None else np.nan for s in summaries], dtype=float)
        for field in ("mean", "sd")
    }
    return np.array([row["width"] for row in rows], dtype=float), values


def _points(
    axes: Axes,
    widths: np.ndarray,
    values: dict[str, np.ndarray],
    *,
    color: str,
    marker: str,
    label: str,
    hollow: bool = False,
    line: bool = False,
) -> None:
    """Means with one standard deviation over seeds."""
    axes.errorbar(
        widths,
        values["mean"],
        yerr=np.minimum(values["sd"], 0.999 * np.abs(values["mean"])),  # stays above 0 on a log axis
        fmt=f"{marker}{'-' if line else ''}",
        color=color,
        mfc="none" if hollow else color,
        label=label,
        linewidth=1.0,
        capsize=2,
    )


def _log_log(axes: Axes) -> None:
    axes.set_xscale("log")
    # Where nothing is positive (no flip at all, a perfect cosine) there is no log axis to draw on.
    positive = any(np.any(np.asarray(line.get_ydata(), dtype=float) > 0) for line in axes.lines)
    if positive:
        axes.set_yscale("log", nonpositive="mask")
    for axis in (axes.xaxis, *((axes.yaxis,) if positive else ())):
        axis.set_major_formatter(FuncFormatter(_power))
        axis.set_minor_formatter(NullFormatter())


def _power(value: float, _position: int | None = None) -> str:
    """10³ as text, without TeX."""
    if value <= 0:
        return ""
    exponent = round(float(np.log10(value)))
    if abs(value / 10.0**exponent - 1) > 1e-6:
        return f"{value:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _svg(
    draw: Callable[[Axes], None],
    name: str,
    alt: str,
    *,
    size: tuple[float, float] = (4.8, 3.6),
    headroom: float = 0.0,
) -> str:
    with mpl.rc_context(_STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        if headroom and axes.get_yscale() == "log":  # room for the legend above the data, on a log axis
            low, high = axes.get_ylim()
            axes.set_ylim(low, high * (high / low) ** headroom)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return _inline(stream.getvalue(), name, alt)


def _inline(svg: str, name: str, alt: str) -> str:
    """Strip the XML header, size and metadata; make identifiers unique on the page; colours to variables."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    opening, rest = svg[: svg.index(">") + 1], svg[svg.index(">") + 1 :]
    view = re.search(r'viewBox="([^"]*)"', opening)
    if view is None:
        raise AssertionError
    rest = re.sub(r'\sid="([^"]*)"', rf' id="{name}-\1"', rest)
    rest = re.sub(r"url\(#([^)]*)\)", rf"url(#{name}-\1)", rest)
    rest = re.sub(r'xlink:href="#([^"]*)"', rf'href="#{name}-\1"', rest)
    for color, variable in _VARIABLES.items():
        rest = rest.replace(color, variable)
    # The page sets the font and the line joins; a style element here would apply to all of it.
    rest = re.sub(r"font-family: [^;\"]*; ", "", rest)
    rest = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", rest, flags=re.DOTALL)
    rest = re.sub(r"\s*\n\s*", "\n", rest)
    return f'<svg viewBox="{view.group(1)}" role="img" aria-label="{html.escape(alt)}">{rest.strip()}'
