"""A page is a list of blocks (claims, figures, tables, lists, prose) in sections, shown as HTML and Markdown.

Each figure and each table has the numbers behind it, which the HTML links as CSV.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from itertools import groupby
from typing import Any, Literal

import jinja2
from markupsafe import Markup

from reports import inline, text
from reports.inline import Content, Part, link, rich
from reports.numbers import Numbers, records
from reports.verdicts import Claim

_MOST_COLUMNS = 20  # of numbers that are shown below a figure


class Bad(str):
    """A cell that is set apart: a value outside of its range, a claim that fails."""

    bad = True


@dataclass(frozen=True)
class Prose:
    """A paragraph or, by its style, a heading."""

    text: Content
    style: Literal["", "small", "short", "warning", "heading", "subheading"] = "small"
    key: str = ""  # that links lead to
    summary: str = ""  # words that it is folded behind, where there are any


def say(template: str, *values: Content) -> Prose:
    """Return a paragraph, written as `reports.inline.rich` reads it."""
    return Prose(rich(template, *values), "")


def note(template: str, *values: Content) -> Prose:
    """Return a paragraph in small type."""
    return Prose(rich(template, *values))


@dataclass(frozen=True)
class List:
    """Items one below the other."""

    items: tuple[Content, ...]
    style: Literal["", "tally", "warning", "steps"] = ""
    summary: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing, what is said below it, and what it draws."""

    svg: Markup
    caption: Content
    name: str = ""  # of its file of numbers
    numbers: Numbers | None = None


@dataclass(frozen=True)
class Table:
    """Rows of cells, the first of each a heading; the last of a short row takes the rest of the columns.

    Without columns there is no row of headings.
    """

    columns: tuple[Content, ...]
    rows: tuple[tuple[Content, ...], ...]
    wide: bool = False  # of a dozen columns, set wider than the text unless it is folded
    summary: str = ""  # words that it is folded behind, where there are any
    name: str = ""  # class, and name of its file of numbers
    numbers: Numbers | None = None  # behind the cells; without them what the cells say
    keys: tuple[str, ...] = ()  # of the rows, that links lead to

    @property
    def linked(self) -> Numbers | None:
        """The numbers that are linked; none for a list of facts without headings."""
        if self.numbers is not None or not self.columns:
            return self.numbers
        said = [tuple(inline.plain(cell).strip("; ") for cell in row) for row in (self.columns, *self.rows)]
        return Numbers(columns=said[0], rows=tuple(said[1:]))


def table(
    rows: Sequence[Any],
    columns: Mapping[Any, Callable[[Any], Content]],
    *,
    name: str = "",
    numbers: Numbers | None = None,
    wide: bool = False,
    summary: str = "",
) -> Table:
    """Return the table of rows: each column has a heading and what it says of a row.

    The numbers behind one with a name are those of the rows, which are records then, unless given.
    """
    cells = tuple(tuple(say(row) for say in columns.values()) for row in rows)
    behind = records(rows) if numbers is None and name else numbers
    return Table(tuple(columns), cells, wide=wide, summary=summary, name=name, numbers=behind)


Block = Claim | Figure | Table | List | Prose


@dataclass(frozen=True)
class Section:
    """A headed part of a page; with a key it is listed in the contents."""

    title: str
    blocks: tuple[Block, ...]
    key: str = ""
    anchors: str = ""  # what the anchors of its claims and of their evidence begin with
    file: str = ""  # what the names of its files of numbers begin with

    def groups(self) -> Iterator[tuple[str, str, list[Block]]]:
        """Return runs of blocks of one kind: its name, the words they are folded behind, the blocks."""
        for (kind, summary), run in groupby(
            self.blocks, lambda block: (type(block).__name__, getattr(block, "summary", ""))
        ):
            blocks = list(run)
            if kind == "Claim":
                shown = [block for block in blocks if isinstance(block, Claim)]
                yield "Table", summary, [claims_table(shown, anchors=self.anchors)]
            else:
                yield kind, summary, blocks

    def csv(self, block: Figure | Table, label: str = "CSV") -> Markup:
        """Return the link to the numbers of a block, empty where there are none."""
        found = block.linked if isinstance(block, Table) else block.numbers
        if self.anchors and block.name == "claims":
            found = None  # all claims of a page with anchors are listed, with their numbers, at its start
        own = block.name.replace("_", "-") or f"table-{self.blocks.index(block) + 1}"
        names = [name for name in (self.file or self.key, own) if name]
        return Markup("") if found is None else found.link("-".join(dict.fromkeys(names)), label)


def claims_table(claims: Sequence[Claim], *, anchors: str = "") -> Table:
    """Return claims as the rows of a table: what was judged in one line, how behind a click."""
    numbers = numbers_of_claims(claims)
    if not any(claim.verdict for claim in claims):
        stated = tuple(
            ((claim.statement, " ", Part("source", claim.section or "")), claim.measured, claim.rule)
            for claim in claims
        )
        return Table(("Quantity", "Measured", "Rests on"), stated, name="glance", numbers=numbers)
    return Table(
        ("Claim", "Predicted", "Measured", "Verdict"),
        tuple((_said(c), c.predicted, c.measured, _judged(c)) for c in claims),
        name="claims",
        numbers=numbers,
        keys=tuple(f"{anchors}claim-{claim.key}" if claim.evidence else "" for claim in claims),
    )


def numbers_of_claims(claims: Sequence[Claim]) -> Numbers:
    """Return everything that is known of claims, one a row."""
    return records([asdict(claim) for claim in claims])


def met_of(claim: Claim) -> str:
    """Return whether the hypothesis of a claim is met."""
    return {True: "met", False: "not met", None: "not known"}[claim.met]


def _said(claim: Claim) -> Content:
    how = inline.lines(
        claim.hypothesis and f"Hypothesis {met_of(claim)}: {claim.hypothesis}",
        claim.rule and f"Rule: {claim.rule}",
        claim.samples and f"Sample: {claim.samples}",
    )
    formula = Part("formula", Part("tex", claim.formula)) if claim.formula else ""
    return (
        Part("strong", claim.statement),
        " ",
        formula,
        Part("source", claim.source),
        *([Part("html", Part("links", link("command", "#command")))] if claim.command else []),
        Part("fold", how, "rule"),
    )


def _judged(claim: Claim) -> Content:
    if claim.verdict is None:
        return Part("small", "no verdict: a guide only")
    return Part("badge", claim.verdict), " ", Part("small", claim.decision)


@dataclass(frozen=True)
class Page:
    """A page with its title, what is said below it, and its sections."""

    title: str
    lead: Content
    sections: tuple[Section, ...]
    note: str = ""  # what is said before all else
    footer: Content = "Made by perturblearn."

    @property
    def figures(self) -> dict[str, str]:
        """The drawings by name."""
        return {
            (f"{section.title}: " if section.anchors else "") + block.name: str(block.svg)
            for section in self.sections
            for block in section.blocks
            if isinstance(block, Figure)
        }

    def html(self) -> str:
        """Return the page as one file that needs no other: the same blocks give the same text."""
        return template("blocks.html").render(page=self)

    def markdown(self) -> str:
        """Return the text and all tables of the page; formulas as TeX, figures by what they show."""
        return "\n\n".join(self._paragraphs()) + "\n"

    def _paragraphs(self) -> Iterator[str]:
        yield f"# {inline.markdown(self.title)}"
        yield from (inline.markdown(said) for said in (self.lead, self.note) if said)
        for section in self.sections:
            if section.title:
                yield f"## {inline.markdown(section.title)}"
            for _, summary, blocks in section.groups():
                if summary:
                    yield inline.markdown(summary)
                for block in blocks:
                    yield from _markdown(block)
        yield inline.markdown(self.footer)


_HEADINGS = {"heading": "### ", "subheading": "#### "}


def _markdown(block: Block) -> Iterator[str]:
    if isinstance(block, Prose):
        yield _HEADINGS.get(block.style, "") + inline.markdown(block.text)
    elif isinstance(block, List):
        yield "\n".join(f"- {inline.markdown(item)}" for item in block.items)
    elif isinstance(block, Figure):
        yield f"Figure (in the HTML page): {inline.markdown(block.caption)}"
        if block.numbers is not None:
            yield from _markdown(numbers_table(block.numbers))
    elif isinstance(block, Table) and block.rows:
        rows = (block.columns, *block.rows) if block.columns else block.rows
        full = [(*row, *[""] * (len(rows[0]) - len(row))) for row in rows]
        lines = ["".join(f"| {inline.markdown(cell, cell=True)} " for cell in row) + "|" for row in full]
        yield "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def numbers_table(numbers: Numbers) -> Table:
    """Return the first numbers of a figure as they are shown below it; none if there are many columns."""
    few = numbers.columns if len(numbers.columns) <= _MOST_COLUMNS else ()
    rows = numbers.shown if few else ()
    return Table(
        few,
        tuple(tuple(v if isinstance(v, str) else text.number(v, 6) for v in row) for row in rows),
        name="numbers",
    )


def template(name: str) -> jinja2.Template:
    """Return a template of this package, in which TeX and lines of text can be written."""
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_template),
    )
    made.filters |= {
        "inline": inline.html,
        "plain": inline.plain,
        "numbers": numbers_table,
        "tex": inline.mathml,
    }
    return made.get_template(name)


def _template(name: str) -> str:
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")
