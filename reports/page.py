"""A page is a list of blocks (claims, figures, tables, lists, prose) in sections, shown as HTML and Markdown.

Each figure and each table has the numbers behind it, which the HTML links as CSV.
"""

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib import resources
from itertools import compress, groupby
from typing import Any, Literal, get_args

import jinja2
from markupsafe import Markup

from reports import inline, text
from reports.inline import Content, Part, link, plain, rich
from reports.numbers import Numbers, records
from reports.verdicts import Claim, Outcome

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
    style: Literal["", "warning", "steps"] = ""


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
    wide: bool = False  # of a dozen columns, set wider than the text unless it is in a group
    name: str = ""  # class, and name of its file of numbers
    numbers: Numbers | None = None  # behind the cells; without them what the cells say
    keys: tuple[str, ...] = ()  # of the rows, that links lead to

    @property
    def filled(self) -> "Table":
        """The same without columns of which every cell is empty or a dash."""
        known = [
            place == 0 or any(plain(row[place]).strip(f" []{text.DASH},") for row in self.rows)
            for place in range(len(self.columns))
        ]
        columns, *rows = (tuple(compress(row, known)) for row in (self.columns, *self.rows))
        return replace(self, columns=columns, rows=tuple(rows))

    @property
    def linked(self) -> Numbers | None:
        """The numbers that are linked; none for a list of facts without headings."""
        if self.numbers is not None or not self.columns:
            return self.numbers
        said = [tuple(plain(cell).strip("; ") for cell in row) for row in (self.columns, *self.rows)]
        return Numbers(columns=said[0], rows=tuple(said[1:]))


def table(
    rows: Sequence[Any],
    columns: Mapping[Any, Callable[[Any], Content]],
    *,
    name: str = "",
    numbers: Numbers | None = None,
    wide: bool = False,
) -> Table:
    """Return the table of rows: each column has a heading and what it says of a row.

    The numbers behind one with a name are those of the rows, which are records then, unless given.
    """
    cells = tuple(tuple(say(row) for say in columns.values()) for row in rows)
    behind = records(rows) if numbers is None and name else numbers
    return Table(tuple(columns), cells, wide=wide, name=name, numbers=behind)


@dataclass(frozen=True)
class Group:
    """Blocks under a title of their own; groups in a row stand side by side, folded ones behind a click."""

    title: str
    blocks: tuple["Block", ...]
    key: str = ""  # that links lead to
    folded: bool = False


def fold(title: str, *blocks: "Block") -> Group:
    """Return blocks behind a click."""
    return Group(title, blocks, folded=True)


Block = Claim | Figure | Table | List | Prose | Group


def flat(blocks: Sequence[Block]) -> Iterator[Block]:
    """Yield blocks, and those of groups in the place of the groups."""
    for block in blocks:
        if isinstance(block, Group):
            yield from flat(block.blocks)
        else:
            yield block


@dataclass(frozen=True)
class Section:
    """A headed part of a page; with a key it is listed in the contents."""

    title: str
    blocks: tuple[Block, ...]
    key: str = ""
    anchors: str = ""  # what the anchors of its claims and of their evidence begin with
    file: str = ""  # what the names of its files of numbers begin with

    def csv(self, block: Figure | Table, label: str = "CSV") -> Markup:
        """Return the link to the numbers of a block, empty where there are none."""
        found = block.linked if isinstance(block, Table) else block.numbers
        if self.anchors and block.name == "claims":
            found = None  # all claims of a page with anchors are listed, with their numbers, at its start
        return Markup("") if found is None else found.link(self.stem(block), label)

    def stem(self, block: Figure | Table) -> str:
        """Return the name of the files of a figure or table, without their ending."""
        own = block.name.replace("_", "-") or f"table-{list(flat(self.blocks)).index(block) + 1}"
        return "-".join(dict.fromkeys(name for name in (self.file or self.key, own) if name))


def runs(blocks: Sequence[Block]) -> Iterator[tuple[str, list[Block]]]:
    """Yield what stands together, under the name of its kind: figures, claims, groups in a row."""
    for kind, run in groupby(blocks, lambda block: "fold" if _folded(block) else type(block).__name__):
        yield kind, list(run)


def _folded(block: Block) -> bool:
    return isinstance(block, Group) and block.folded


def claims_table(claims: Sequence[Claim]) -> Table:
    """Return claims as the rows of a table: in Markdown, and their numbers in HTML."""
    numbers = records([asdict(claim) for claim in claims])
    rows = tuple((_said(c), c.predicted, c.measured, _judged(c)) for c in claims)
    return Table(("Claim", "Predicted", "Measured", "Verdict"), rows, name="claims", numbers=numbers)


_PLURALS = {"holds": "hold", "fails": "fail"}


def tally(claims: Iterable[Claim]) -> Content:
    """Return how many claims have each verdict: "11 hold, 1 unknown"."""
    found = [claim.verdict for claim in claims]
    parts: list[Content] = []
    for verdict in get_args(Outcome):
        if n := found.count(verdict):
            words = _PLURALS.get(verdict, verdict) if n > 1 else verdict
            parts += [Part("tallied", f"{n} {words}", verdict), " "]
    return tuple(parts)


def met_of(claim: Claim) -> str:
    """Return whether the hypothesis of a claim is met."""
    return {True: "met", False: "not met", None: "not known"}[claim.met]


def how(claim: Claim) -> Content:
    """Return what a card of a claim has behind a click: formula, source, hypothesis, rule, sample."""
    formula = Part("formula", Part("tex", claim.formula)) if claim.formula else ""
    said = inline.lines(
        claim.source.capitalize() + (f": {claim.decision}" if claim.decision else ""),
        claim.hypothesis and f"Hypothesis {met_of(claim)}: {claim.hypothesis}",
        claim.rule and f"{'Rule' if claim.verdict else 'Rests on'}: {claim.rule}",
        claim.samples and f"Sample: {claim.samples}",
    )
    command = Part("html", Part("links", link("command", "#command"))) if claim.command else ""
    return formula, said, command


def _said(claim: Claim) -> Content:
    return Part("strong", claim.statement), "; ", how(claim)


def _judged(claim: Claim) -> Content:
    return "no verdict: a guide only" if claim.verdict is None else Part("badge", claim.verdict)


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
            for block in flat(section.blocks)
            if isinstance(block, Figure)
        }

    def html(self) -> str:
        """Return the page as one file that needs no other: the same blocks give the same text."""
        return template("blocks.html").render(page=self)

    def markdown(self) -> str:
        """Return the text and all tables of the page; formulas as TeX, figures as links to `drawings`."""
        return "\n\n".join(self._paragraphs()) + "\n"

    @property
    def drawings(self) -> dict[str, str]:
        """The drawings by the names of their files, as the Markdown has them."""
        found = ((s, block) for s in self.sections for block in flat(s.blocks) if isinstance(block, Figure))
        return {f"{section.stem(block)}.svg": str(block.svg) for section, block in found}

    def _paragraphs(self) -> Iterator[str]:
        yield f"# {inline.markdown(self.title)}"
        yield from (inline.markdown(said) for said in (self.lead, self.note) if said)
        for section in self.sections:
            if section.title:
                yield f"## {inline.markdown(section.title)}"
            yield from _paragraphs(section, section.blocks, "###" if section.title else "##")
        yield inline.markdown(self.footer)


def _paragraphs(section: Section, blocks: Sequence[Block], marks: str) -> Iterator[str]:
    for kind, some in runs(blocks):
        if kind == "Claim":
            yield from _markdown(claims_table([block for block in some if isinstance(block, Claim)]))
            continue
        for block in some:
            if isinstance(block, Group):
                yield f"{marks} {inline.markdown(block.title)}"
                yield from _paragraphs(section, block.blocks, f"{marks}#")
            elif isinstance(block, Figure):
                yield f"![{inline.markdown(block.caption)}]({section.stem(block)}.svg)"
                if block.numbers is not None:
                    yield from _markdown(numbers_table(block.numbers))
            else:
                yield from _markdown(block)


_HEADINGS = {"heading": "### ", "subheading": "#### "}


def _markdown(block: Block) -> Iterator[str]:
    if isinstance(block, Prose):
        yield _HEADINGS.get(block.style, "") + inline.markdown(block.text)
    elif isinstance(block, List):
        yield "\n".join(f"- {inline.markdown(item)}" for item in block.items)
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
        tuple(Part("bdi", name) for name in few),  # as in the CSV
        tuple(tuple(v if isinstance(v, str) else text.number(v, 6) for v in row) for row in rows),
        name="numbers",
    )


@functools.cache  # compiling takes as long as a page
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
        "runs": runs,
        "how": how,
        "claims_table": claims_table,
    }
    return made.get_template(name)


def _template(name: str) -> str:
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")
