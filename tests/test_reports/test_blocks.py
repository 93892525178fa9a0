"""Pages as lists of blocks: what each becomes, and that a new claim is one file in one list."""

import csv
import io
from importlib import import_module
from types import SimpleNamespace
from urllib.parse import unquote

import html5lib
import pytest
from markupsafe import Markup, escape
from msgspec import structs

from reports import svg
from reports.claims.sweeps.rows import Section as Measured
from reports.compare import compare
from reports.document import Report
from reports.inline import Part, html, lines, link, markdown, mathml, rich
from reports.numbers import records
from reports.page import Bad, Figure, Group, List, Page, Prose, Section, Table, fold, note, say, table
from reports.pages import comparison
from reports.verdicts import Claim

# The package has functions of these names.
claims, render = import_module("reports.claims"), import_module("reports.render")
TOY = Claim(statement="2 < 3", source="derived here", measured="1 & 1", rule="count", verdict="holds")


def parsed(*blocks):
    page = Page("T", Markup("<i>f</i>"), (Section("S", blocks, "s"), Section("U", ())))
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(page.html()).find("body")


def texts(element, path):
    return [" ".join("".join(one.itertext()).split()) for one in element.iterfind(path)]


def test_text_is_escaped_and_markup_is_not():
    body = parsed(Prose("a < b"), Prose(Markup("<code>c</code>"), "warning"), Prose("H", "heading"))
    assert texts(body, ".//section/p") == ["a < b", "c"]
    assert texts(body, ".//p[@class='warning']/code") == ["c"]
    assert texts(body, ".//h3") == ["H"]
    assert texts(body, ".//nav//a") == ["S"]  # a section without a key is not listed


def test_blocks_stay_in_order_and_those_of_one_kind_stand_together():
    drawn = [Figure(Markup("<svg></svg>"), str(index)) for index in range(3)]
    body = parsed(*drawn[:2], Prose("between"), drawn[2], Table(("x",), (("1",),)))
    assert [child.tag for child in body.find(".//section")] == ["h2", "div", "p", "div", "div", "p"]
    assert texts(body, ".//figcaption") == ["0", "1", "2"]


def test_groups_stand_side_by_side_and_folds_are_closed():
    rows = Table(("x",), (("1", Bad("2")),)), Table((), (("3",),))
    body = parsed(
        Group("G", (Prose("p", ""), fold("F", *rows)), "g"), Group("H", ()), fold("more", Prose("q", ""))
    )
    assert texts(body, ".//div[@class='panels']/div/h3") == ["G", "H"]
    assert texts(body, ".//h3[@id='g']/../p") == ["p"]
    assert texts(body, ".//details/summary") == ["F", "more"]
    assert [details.get("open") for details in body.iter("details")] == [None, None]
    assert texts(body, ".//details//tbody//*[@scope='row']") == ["1", "3"]
    assert texts(body, ".//td[@class='out']") == ["2"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, ["holds 2 < 3", "measured: 1 & 1", "rule"]),
        ({"verdict": None}, ["2 < 3", "1 & 1", "what it rests on"]),
    ],
)
def test_claims_are_cards_that_have_a_verdict_or_say_what_they_rest_on(fields, said):
    claim = Claim(**(vars(TOY) | fields))
    body = parsed(claim, claim)
    assert [texts(card, "p") + texts(card, "details/summary") for card in body.iter("article")] == [said] * 2
    assert "count" in texts(body, ".//details")[0]


def test_symbols_are_formulas_and_names_and_code_are_left():
    formulas = mathml("f_{b}"), mathml(r"N_{\text{adv}}")
    said = "{} of a_f_b, {} < a_b, f_b.csv, max_steps"
    assert html(said.format("f_b", "N_adv")) == str(escape(said)).format(*formulas)
    assert html((Part("code", "f_b"), Part("bdi", "T_f"))) == "<code>f_b</code><bdi>T_f</bdi>"


def test_a_claim_is_added_by_its_function_in_the_list(monkeypatch):
    toy = SimpleNamespace(claims=lambda section: [TOY] if section.title == "A" else [])
    monkeypatch.setattr(claims, "OF_SWEEPS", (toy,))
    (made,) = claims.claims_of_sweeps([Measured(title=title, panels=()) for title in "AB"])
    assert (made.statement, made.section, made.verdict) == ("2 < 3", "A", "holds")


# Lines of text ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("template", "as_html", "as_markdown"),
    [
        ("*f* and **g**", "<i>f</i> and <strong>g</strong>", "f and g"),
        ("T~f~ = 10^15^", "T<sub>f</sub> = 10<sup>15</sup>", "T_f = 10^15"),
        ("`a_b` < *t~n~*", "<code>a_b</code> &lt; <i>t<sub>n</sub></i>", "a_b \\< t_n"),
        ("two\n  lines", "two lines", "two lines"),
        ("1. {}", "1. &lt;b&gt; *x* $y$", r"1\. \<b\> \*x\* \$y\$"),
    ],
)
def test_a_line_is_written_once_for_html_and_markdown(template, as_html, as_markdown):
    line = rich(template, "<b> *x* $y$") if "{}" in template else rich(template)
    assert html(line) == as_html
    assert markdown(line) == as_markdown


def test_formulas_are_mathml_and_tex():
    line = rich(r"where $|x| \ge 1$: {}", Part("display", r"\|x\|"))
    assert html(line).count("<math") == 2
    assert markdown(line) == r"where `|x| \ge 1`: `\|x\|`"
    assert markdown(line, cell=True) == r"where `\vert x\vert \ge 1`: `\Vert x\Vert`"


def test_parts_of_a_cell():
    cell = (
        Part("badge", "hypothesis not met"),
        " ",
        lines("a", "", ("b", link("c", "#d"))),
        Part("html", "e"),
    )
    assert html(cell) == (
        '<span class="badge hypothesis-not-met">hypothesis not met</span> <span class="cell">a</span>'
        '<span class="cell">b<a href="#d">c</a></span>e'
    )
    assert markdown(cell, cell=True) == "hypothesis not met; a; bc"
    assert (
        html(Part("fold", "<x>", "rule"))
        == '<details class="small"><summary>rule</summary>&lt;x&gt;</details>'
    )


def test_a_table_of_words_is_linked_as_it_is_read():
    said = Table((rich("*x*"), "y"), ((link("a", "#b"), lines("c", Part("bdi", "d"))),)).linked
    assert (said.columns, said.rows) == (("x", "y"), (("a", "c; d"),))
    assert Table((), (("a", "b"),)).linked is None  # a list of facts


def test_every_table_of_a_section_has_a_file_of_its_own():
    tables = (Table(("x",), (("1",),)), Table(("x",), (("2",),)), Table(("x",), (("3",),), name="third"))
    links = parsed(*tables).iterfind(".//a[@download]")
    assert [link.get("download") for link in links] == ["s-table-1.csv", "s-table-2.csv", "s-third.csv"]


def test_a_page_as_markdown():
    drawn = Figure(Markup("<svg></svg>"), "what it shows", "drawn", records([{"x": 0.123456789}]))
    facts = Table((), (("a|b", "c"),))
    blocks = (
        Prose("H", "heading"),
        say("*f* # {}", "#1"),
        note("# no heading"),
        List(("i", "j")),
        drawn,
        facts,
    )
    shown = Page("T", "lead", (Section("S", blocks, "s"),)).markdown()
    assert shown.split("\n\n") == [
        *("# T", "lead", "## S", "### H", "f # #1", r"\# no heading", "- i\n- j"),
        "![what it shows](s-drawn.svg)",
        "| x |\n| --- |\n| 0.123457 |",
        "| a\\|b | c |\n| --- | --- |",
        "Made by perturblearn.\n",
    ]


# A newcomer's claim: all that is added is this class in the list of claims -------------------------------


class _Doubling:
    """Twice the width is odd: what is stated, how it is judged, and the figure and table that show it."""

    EVIDENCE, TITLE = "doubling", "Twice the width"

    def claims(self, section):
        yield Claim(
            key="doubling",
            statement="Twice the width is odd",
            formula=r"2 m \equiv 1",
            source="derived here",
            hypothesis="none",
            measured=f"2 m = {2 * section.widths[-1]}",
            samples="one width",
            rule="remainder by 2",
            verdict="fails",
            numbers={"twice": 2.0 * section.widths[-1]},
        )

    def shown(self, section, key):
        rows = [{"width": width, "twice": 2 * width} for width in section.widths]
        alt = "twice the width against the width"
        yield svg.figure(
            lambda axes: axes.plot([0, 1]), key, "doubling", alt, "Twice the width.", records(rows)
        )
        columns = {"m": lambda row: str(row["width"]), "2 m": lambda row: str(row["twice"])}
        yield table(rows, columns, name="doubled")


@pytest.mark.usefixtures("no_drawings")
def test_a_newcomers_claim_is_everywhere(monkeypatch, tiny):
    monkeypatch.setattr(claims, "FAMILIES", (*claims.FAMILIES, _Doubling()))
    report = Report(results=structs.replace(tiny, claims=claims.claims(tiny)))
    page, figures = render.page(report.results), report.figures
    body = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page.html()).find("body")
    rows = [["16", "32"], ["64", "128"], ["256", "512"]]
    for key, section in zip(("s1", "s2"), report.results.sections, strict=True):
        (card,) = body.iterfind(f".//article[@id='{key}-claim-doubling']")
        assert texts(card, "p") == ["fails Twice the width is odd", "measured: 2 m = 512"]
        assert body.find(f".//h3[@id='{key}-doubling']") is not None
        assert f'id="{key}-doubling"' in figures[f"{section.name}: doubling"]
    files = {
        link.get("download"): link.get("href").partition(",")[2] for link in body.iterfind(".//a[@download]")
    }
    for name in ("shifted-gaussian-doubling.csv", "digits-1-vs-2-doubled.csv"):
        assert list(csv.reader(io.StringIO(unquote(files[name])))) == [["width", "twice"], *rows]
    assert ",512.0" in unquote(files["verdicts-glance.csv"])
    shown = page.markdown()
    assert shown.count("| Twice the width is odd") == 3  # at a glance, and in both sections
    assert "| m | 2 m |\n| --- | --- |\n| 16 | 32 |" in shown
    assert [row["measured"] for row in report.table if row["claim"] == "Twice the width is odd"] == [
        "2 m = 512"
    ] * 2
    changed = compare(tiny, report.results)
    assert {(row.key, row.a, row.b.verdict) for row in changed.verdicts} == {("doubling", None, "fails")}
    assert comparison.page(changed).html().count("Twice the width is odd") == 2  # once for each data set
