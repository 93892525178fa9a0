"""A page is a list of blocks: claims, figures, tables and prose in sections, rendered by one template."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from markupsafe import Markup

from reports.render import environment
from reports.verdicts import Claim


class Bad(str):
    """A cell that is set apart: a value outside of its range, a claim that fails."""

    bad = True


@dataclass(frozen=True)
class Prose:
    """A paragraph: text, or HTML where it is `Markup`."""

    text: str
    style: Literal["", "small", "warning", "heading"] = "small"


@dataclass(frozen=True)
class Figure:
    """A drawing and what is said below it."""

    svg: Markup
    caption: str


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first of each a heading; without columns there is no row of headings."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    wide: bool = False  # of a dozen columns, set wider than the text unless it is folded
    summary: str = ""  # words that it is folded behind, where there are any


Block = Claim | Figure | Table | Prose


@dataclass(frozen=True)
class Section:
    """A headed part of a page; with a key it is listed in the contents."""

    title: str
    blocks: tuple[Block, ...]
    key: str = ""

    def groups(self) -> Iterator[tuple[str, str, list[Block]]]:
        """Return runs of blocks of one kind: its name, the words they are folded behind, the blocks."""
        for (kind, summary), blocks in groupby(
            self.blocks, lambda block: (type(block).__name__, getattr(block, "summary", ""))
        ):
            yield kind, summary, list(blocks)


@dataclass(frozen=True)
class Page:
    """A page with its title, what is said below it, and its sections."""

    title: str
    lead: Markup
    sections: tuple[Section, ...]

    def html(self) -> str:
        """Return the page: whole on its own, the same blocks give the same text."""
        return environment().get_template("blocks.html").render(page=self)
