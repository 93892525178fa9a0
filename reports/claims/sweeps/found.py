"""What was found, in a sentence or two for the first screen of a study or a sweep."""

from collections.abc import Iterator, Sequence

from reports import text
from reports.claims.sweeps.architectures import along
from reports.claims.sweeps.laws import LAW
from reports.claims.sweeps.rows import Section, WidePanel, WidePoint
from reports.inline import Content, rich
from reports.page import Block, Prose
from reports.text import many

_MOST = 2  # sweeps that have a sentence of their own


def opening(section: Section, _key: str) -> Iterator[Block]:
    """Say how far f and g agree along the first sweeps, or between which values over all pairs.

    Nothing of published blocks, and of what `architectures` speaks about.
    """
    told = section.published is not None or along(section)
    panels = [panel for panel in section.panels if not told and _known(panel)]
    if any(panel.ticks for panel in panels):
        yield Prose(_between(panels), "short")
    else:
        yield from (Prose(_along(panel), "short") for panel in panels[:_MOST])


def _known(panel: WidePanel) -> list[WidePoint]:
    return [point for point in panel.points if point.metrics["agreement"].mean is not None]


def _share(point: WidePoint) -> float:
    return point.metrics["agreement"].mean or 0.0


def _along(panel: WidePanel) -> Content:
    first, *others = _known(panel)
    start = _told(first), f"{panel.x_label} = {first.x:g}"
    # Of a law f and g are predictors, not networks.
    what = "the signs of *f* and *g*" if LAW in first.deep else "*f* and *g*"
    template = f"**{{}}**: {what} agree at **{{}}** of the test points at {{}}"
    if not others:
        return rich(f"{template}.", panel.sweep, *start)
    return rich(
        f"{template}, and at **{{}}** at {{}}.", panel.sweep, *start, _told(others[-1]), f"{others[-1].x:g}"
    )


def _told(point: WidePoint) -> str:
    return text.number(_share(point))


def _between(panels: Sequence[WidePanel]) -> Content:
    """Say which pairs agree least and most."""
    found = []
    for panel in panels:
        names = panel.ticks or tuple(f"{point.x:g}" for point in panel.points)
        of_panel = f"{panel.sweep}, " if len(panels) > 1 else ""
        for name, point in zip(names, panel.points, strict=True):
            if point.metrics["agreement"].mean is not None:
                axis = panels[0].x_label.removeprefix("architecture of ")
                found.append((_share(point), f"{of_panel}{axis}: {name}"))
    (low, least), (high, most) = min(found), max(found)
    return rich(
        """Over {} *f* and *g* agree at **{}** ({}) to **{}** ({}) of the test points.""",
        *(many(len(found), "pair"), text.number(low), least, text.number(high), most),
    )
