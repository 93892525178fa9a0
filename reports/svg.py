"""One drawing as one inline SVG: the palette, the style, the axes that figures share.

Colours are CSS variables of the page, so that a drawing follows light, dark and print; text stays text.
The same calls give the same bytes, whatever matplotlib's user has set.
"""

import functools
import html
import io
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from markupsafe import Markup

from reports import page
from reports._matplotlib import (
    Axes,
    Axis,
    Figure,
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullFormatter,
    RendererSVG,
    rc_context,
    rcParamsDefault,
)
from reports.inline import SYMBOL, Content
from reports.numbers import Numbers

# Drawn colour → CSS variable of the page (templates/page.css).  Okabe–Ito, safe for colour blindness.
INK, GRID, F, G, THIRD, SHADE = "#101011", "#d0d0d1", "#0072b2", "#d55e00", "#009e73", "#cc79a7"
_VARIABLES = {
    INK: "var(--ink)",
    GRID: "var(--grid)",
    F: "var(--f)",
    G: "var(--g)",
    THIRD: "var(--third)",
    SHADE: "var(--shade)",
}
COLORS = {"f": F, "g": G}
MARKERS = {"f": "o", "g": "s"}
_DPI = 72  # of every SVG that matplotlib writes: sizes on it are points
_IMAGE_DPI = 100
# An index, lowered and small; what follows is on the line again.
_INDEX = r'\1<tspan dy="2.5" font-size="75%">\2</tspan><tspan dy="-2.5">&#8203;</tspan>'
_MARGIN = 3  # points around a drawing
_MOST_OF_A_SIDE = 0.4  # of the width or height, for labels
_STYLE = {
    "svg.fonttype": "none",
    "text.parse_math": False,  # dollars in names are dollars
    "font.family": "sans-serif",
    "font.size": 11,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.markersize": 5,
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


def log_x(axes: Axes) -> None:
    """Make the x axis logarithmic, with powers of ten as text."""
    axes.set_xscale("log")
    powers(axes.xaxis)


def log_log(axes: Axes) -> None:
    """Make both axes logarithmic; the y axis only where a line on it has a positive value."""
    log_x(axes)
    # Where nothing is positive (no flip at all, a perfect cosine) there is no log axis to draw on.
    positive = any(np.any(np.asarray(line.get_ydata(), dtype=float) > 0) for line in axes.lines)
    if positive:
        axes.set_yscale("log", nonpositive="mask")
        powers(axes.yaxis)


def powers(axis: Axis) -> None:
    """Label a logarithmic axis with powers of ten."""
    axis.set_major_formatter(FuncFormatter(power))
    axis.set_minor_formatter(NullFormatter())


def power(value: float, _position: int | None = None) -> str:
    """10³ as text, without TeX."""
    if value <= 0:
        return ""
    exponent = round(float(np.log10(value)))
    if abs(value / 10.0**exponent - 1) > 1e-6:
        return f"{value:g}"
    return "10" + str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))


def _label(axis: Axis) -> None:
    """Label more than powers of ten on a logarithmic axis that shows fewer than two of them.

    Axes whose ticks were chosen are left alone.
    """
    low, high = sorted(axis.get_view_interval())
    chosen = isinstance(axis.get_major_locator(), FixedLocator)
    if axis.get_scale() != "log" or chosen or math.floor(math.log10(high)) > math.ceil(math.log10(low)):
        return
    exponents = np.arange(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [v for v in np.outer(10.0**exponents, (1, 2, 5)).flat if low <= v <= high]
    if len(ticks) < 2:
        ticks = [v for v in MaxNLocator(4).tick_values(low, high) if low <= v <= high]
    axis.set_ticks(ticks, labels=[f"{value:g}" for value in ticks])
    axis.set_ticks([], minor=True)


def drawing(
    draw: Callable[[Axes], None],
    name: str,
    alt: str,
    *,
    size: tuple[float, float] = (4.8, 3.6),
    headroom: float = 0.0,
) -> str:
    """Return what `draw` puts on one pair of axes, as an SVG of the page.

    Parameters
    ----------
    draw : callable
        Draws on the axes it is given.
    name : str
        Unique on the page: identifiers within the SVG begin with it.
    alt : str
        What the drawing shows, for those who do not see it.
    size : tuple of float
        Width and height in inches.
    headroom : float
        Share of a log y axis that is added above the data, for the legend.
    """
    with rc_context(_defaults() | _STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=size, dpi=_DPI)
        axes = figure.add_subplot()
        draw(axes)
        if headroom and axes.get_yscale() == "log":  # room for the legend above the data, on a log axis
            low, high = axes.get_ylim()
            axes.set_ylim(low, high * (high / low) ** headroom)
        for axis in (axes.xaxis, axes.yaxis):
            _label(axis)
        fit(axes)
        stream = io.StringIO()
        figure.savefig(stream, format="svg", dpi=_IMAGE_DPI, metadata={"Date": None, "Creator": None})
    return _inline(stream.getvalue(), name, alt)


def figure(
    draw: Callable[[Axes], None],
    key: str,
    name: str,
    alt: str,
    caption: Content = "",
    numbers: Numbers | None = None,
    **look: Any,  # noqa: ANN401
) -> page.Figure:
    """Return a drawing as a block of a page: `name` is unique in its section, `key` is that of the section.

    All else is as in `drawing` and `reports.page.Figure`.
    """
    svg = drawing(draw, "-".join(filter(None, (key, name.replace("_", "-")))), alt, **look)
    return page.Figure(Markup(svg), caption, name, numbers)


@functools.cache
def _defaults() -> dict[str, object]:
    """Return what matplotlib draws with where its user has set nothing."""
    return {name: value for name, value in rcParamsDefault.items() if name != "backend"}


def fit(axes: Axes) -> None:
    """Leave as much room around the only axes of a figure as their labels take.

    What matplotlib's layout engines do, without the second drawing that takes most of their time: from axes
    that have nearly their size already, so that the ticks stay what they are.
    """
    figure = axes.figure
    figure.subplots_adjust(left=0.15, right=0.97, bottom=0.15, top=0.97)
    outer = axes.get_tightbbox(RendererSVG(*figure.bbox.size, io.StringIO()))
    if outer is None:
        raise AssertionError
    inner, whole, margin = axes.bbox, figure.bbox, _MARGIN
    sides = (
        (inner.x0 - outer.x0 + margin) / whole.width,
        (inner.y0 - outer.y0 + margin) / whole.height,
        (outer.x1 - inner.x1 + margin) / whole.width,
        (outer.y1 - inner.y1 + margin) / whole.height,
    )
    # Labels that leave no room for the axes are cut off.
    left, bottom, right, top = (min(share, _MOST_OF_A_SIDE) for share in sides)
    figure.subplots_adjust(left=left, bottom=bottom, right=1 - right, top=1 - top)


def lowered(label: str) -> str:
    """Return the text of a drawing with indices of symbols below the line."""
    return SYMBOL.sub(_INDEX, label)


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
    rest = re.sub(r"(?<=>)[^<>]*_[^<>]*(?=</text>)", lambda found: lowered(found[0]), rest)
    rest = re.sub(r"\s*\n\s*", "\n", rest)
    return f'<svg viewBox="{view.group(1)}" role="img" aria-label="{html.escape(alt)}">{rest.strip()}'
