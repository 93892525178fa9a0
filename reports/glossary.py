"""The symbols of a page, each with a line of words, and the papers that it speaks of: its last part."""

import html
import re
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources

from reports.inline import Content, link, plain, rich
from reports.page import Block, Figure, Group, List, Page, Prose, Section, Table, flat, fold, how
from reports.verdicts import Claim

WIDE = link("arXiv 2410.23677", "https://arxiv.org/abs/2410.23677")
ORTHOGONAL = link("arXiv 2402.10470", "https://arxiv.org/abs/2402.10470")
THEOREM: Content = ("The published theorem, ", WIDE)  # heads what it says
_ENTRIES: dict[str, dict[str, dict[str, str]]] = tomllib.loads(
    resources.files("reports").joinpath("glossary.toml").read_text(encoding="utf-8")
)
_PRIOR = "Nearly orthogonal samples"  # where letters mean something else


def with_symbols(page: Page, *, orthogonal: bool = False) -> Page:
    """Return a page that ends with its symbols and its papers, behind a click."""
    said = " ".join(_texts(page))
    terms = [
        one for title, part in _ENTRIES.items() if (title == _PRIOR) == orthogonal for one in part.values()
    ]
    found = [
        rich(f"${one['tex']}$: {one['words']}")
        for one in terms
        if "pattern" in one and re.search(one["pattern"], said)
    ]
    papers: tuple[Content, ...] = (
        rich("Wide two-layer networks: S. Kumano, H. Kera, T. Yamasaki, NeurIPS 2024, {}.", WIDE),
        rich("Orthogonal samples, its predecessor: the same authors, ICLR 2024, {}.", ORTHOGONAL),
    )
    of_page = fold("Symbols of this page, and the papers", List((*found, *papers)))
    return replace(page, sections=(*page.sections, Section("", (of_page,), "symbols")))


def _texts(page: Page) -> Iterator[str]:
    yield plain(page.lead)
    for section in page.sections:
        yield section.title
        for block in flat(section.blocks):
            yield from _of_block(block)


def _of_block(block: Block) -> Iterator[str]:
    if isinstance(block, Prose):
        yield plain(block.text)
    elif isinstance(block, List):
        yield from map(plain, block.items)
    elif isinstance(block, Figure):
        yield plain(block.caption)
        yield html.unescape(
            re.sub("<[^>]*>", " ", re.sub(r"<tspan[^>]*>([^<&]+)</tspan>", r"_\1", block.svg))
        )
    elif isinstance(block, Table):
        yield from (plain(cell) for row in (block.columns, *block.rows) for cell in row)
    elif isinstance(block, Claim):
        yield f"{block.statement} {block.predicted} {block.measured} {plain(how(block))}"
    elif isinstance(block, Group):
        raise AssertionError  # `flat` has none
