"""Perturbations as pictures: an inline SVG from results alone, in the colours of the page.

Squares of equal level are one path, so that 28 × 28 pixels take few bytes.
"""

import html

from reports.results import Section
from reports.svg import lowered

_PICTURES = (
    ("sample", "sample"),
    ("perturbation", "perturbation"),
    ("gradient", "∇f_b (derived)"),
    ("paper", "u (published)"),
)
_LEVELS = 8  # of each sign in a picture
_CELL, _MARGIN, _HEAD = 100, 12, 26


def images_figure(section: Section, key: str) -> str | None:
    """Return samples beside their perturbations and the two predicted directions; None for other data."""
    data = section.images
    if data is None:
        return None
    count, side = len(data.classes), int(data.side)
    width, step = _MARGIN + len(_PICTURES) * (_CELL + _MARGIN), _CELL + _MARGIN + 16
    parts = []
    for column, (name, label) in enumerate(_PICTURES):
        left = _MARGIN + column * (_CELL + _MARGIN)
        parts.append(_label(left + _CELL / 2, 16, label))
        for row in range(count):
            top = _HEAD + row * step
            parts.append(_picture(data.pictures[name][row], side, left, top))
            below = f"class {data.classes[row]}" if name == "sample" else ""
            if name in data.cosines:
                value = data.cosines[name][row]
                below = "" if value is None else f"cosine {float(value):.3f}"
            parts.append(_label(left + _CELL / 2, top + _CELL + 14, below))
    alt = (
        "Training images beside their perturbations and the two predicted directions; "
        "blue is positive, orange negative"
    )
    return (
        f'<svg viewBox="0 0 {width} {_HEAD + count * step}" role="img" aria-label="{html.escape(alt)}" '
        f'id="{key}-images">{"".join(parts)}</svg>'
    )


def _label(x: float, y: float, content: str) -> str:
    if not content:
        return ""
    style = "font-size: 11px; text-anchor: middle; fill: var(--ink)"
    return f'<text x="{x:g}" y="{y:g}" style="{style}">{lowered(html.escape(content))}</text>'


def _picture(values: list[float], side: int, left: float, top: float) -> str:
    """Return pixels in [−1, 1] as squares, one path a level; the colours of f and g are the two signs."""
    paths: dict[int, list[str]] = {}
    for index, value in enumerate(values):
        level = round(_LEVELS * float(value))
        if level:
            row, column = divmod(index, side)
            paths.setdefault(level, []).append(f"M{column} {row}h1v1h-1z")
    drawn = "".join(
        f'<path d="{"".join(cells)}" style="fill: var(--{"f" if level > 0 else "g"}); '
        f'fill-opacity: {abs(level) / _LEVELS:g}"/>'
        for level, cells in sorted(paths.items())
    )
    frame = (
        f'<path d="M0 0h{side}v{side}h-{side}z" style="fill: none; stroke: var(--grid); stroke-width: 0.1"/>'
    )
    return (
        f'<g transform="translate({left:g} {top:g}) scale({_CELL / side:g})" '
        f'shape-rendering="crispEdges">{drawn}{frame}</g>'
    )
