"""The page of a report: one self-contained HTML file made from results alone."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from importlib import resources
from typing import Any

import jinja2
from latex2mathml.converter import convert
from markupsafe import Markup

from reports import figures, numbers, text
from reports.claim_text import spread

_MATHML = "{http://www.w3.org/1998/Math/MathML}"
# What formulas are made of.  Links, styles and HTML within text are refused: results may come from anyone.
_ELEMENTS = set(
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover mstyle "  # noqa: SIM905
    "mtable mtr mtd mpadded mphantom menclose".split()
)
_ATTRIBUTES = set(
    "display stretchy mathvariant fence form separator accent accentunder linethickness width height depth "  # noqa: SIM905
    "lspace rspace minsize maxsize columnalign rowspacing columnspacing displaystyle scriptlevel largeop "
    "movablelimits symmetric notation align".split()
)


def render(results: dict[str, Any]) -> str:
    """Return the HTML page of a report.

    Parameters
    ----------
    results : dict
        From `reports.build`, or read by `reports.schema.read`.

    Returns
    -------
    str
        Works offline: no script, font, image or style from elsewhere.  The same results give the same
        text; nothing is computed here beyond formatting.
    """
    return filled(results, environment(), Markup)


def filled(results: Mapping[str, Any], templates: jinja2.Environment, place: Callable[[str], Markup]) -> str:
    """Return the page with each figure as `place` puts it there."""
    shown = text.legible(results)
    sections = [
        _drawn(section, shown["claims"], f"s{index}", place)
        for index, section in enumerate(shown["sections"], start=1)
    ]
    phi_figures = [
        place(figures.phi_figure(shown["phi"])),
        place(figures.monte_carlo_figure(shown["phi"])),
    ]
    page = templates.get_template("page.html").render(
        results=shown,
        sections=sections,
        phi_figures=phi_figures,
        phi_numbers=numbers.of_phi(shown["phi"]),
    )
    return _with_partial_note(page, shown)


def environment(
    math: Callable[[str], Markup] | None = None, csv: Callable[..., str] = numbers.Numbers.link
) -> jinja2.Environment:
    """Return the templates with their filters; text is escaped, a name that is missing is an error.

    `math` shows a formula, `csv` the link to `numbers.Numbers`.
    """
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_template),
    )
    made.filters |= {
        "math": math or mathml,
        "csv": csv,
        "number": text.number,
        "spread": spread,
        "count": text.count,
    }
    return made


def mathml(tex: str, *, display: bool = False) -> Markup:
    """Return TeX as MathML.

    Raises
    ------
    ValueError
        If a command is not understood (it would be printed as it is), or makes more than a formula.
    """
    converted = convert(tex, display="block" if display else "inline")
    if "\\" in re.sub(r"<[^>]*>", "", converted):
        msg = f"TeX must be convertible to MathML, got {tex!r}"
        raise ValueError(msg)
    try:
        elements = list(ET.fromstring(converted).iter())
    except ET.ParseError as error:
        msg = f"TeX must be convertible to MathML, got {tex!r}"
        raise ValueError(msg) from error
    names = {element.tag.removeprefix(_MATHML) for element in elements} - _ELEMENTS
    names |= {name for element in elements for name in element.attrib} - _ATTRIBUTES
    if names:
        msg = f"TeX must be a plain formula, got {', '.join(sorted(names))} in {tex!r}"
        raise ValueError(msg)
    return Markup(converted)


def partial_note(results: Mapping[str, Any]) -> str | None:
    """Return what a report that was interrupted says of itself; None for a whole one.

    Reads ``partial``: done and planned (numbers of runs), sections (name, widths and seeds in the report,
    planned_widths and planned_seeds), missing (names of data sets without a section).
    """
    partial = results.get("partial")
    if partial is None:
        return None
    parts = [
        f"{item['name']}: widths {_listed(item['widths'])} of {_listed(item['planned_widths'])}, "
        f"{len(item['seeds'])} of {len(item['planned_seeds'])} seeds"
        for item in partial["sections"]
    ]
    parts += [f"{name}: nothing" for name in partial["missing"]]
    return (
        f"Partial report: interrupted after {partial['done']} of {partial['planned']} runs. In it are "
        + "; ".join(parts)
        + ". Every claim is judged on these alone, as in a report that asked for no more."
    )


def _with_partial_note(page: str, results: Mapping[str, Any]) -> str:
    """Return a page with the note of a partial report before its first part."""
    note = partial_note(results)
    if note is None:
        return page
    if page.count("<main>") != 1:
        raise AssertionError
    banner = Markup(
        '<aside class="partial" style="margin:1rem 0;padding:.3rem 1rem;'
        'border:2px solid var(--bad);border-radius:6px"><p><strong>{}</strong></p></aside>\n'
    ).format(note)
    page = page.replace("<title>", "<title>Partial: ", 1)
    return page.replace("<main>", f"<main>\n{banner}", 1)


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(text.count, numbers))


def _drawn(
    section: dict[str, Any], claims: list[dict[str, Any]], key: str, place: Callable[[str], Markup]
) -> dict[str, Any]:
    drawn = figures.section_figures(section, key)
    placed = {name: None if svg is None else place(svg) for name, svg in drawn.items()}
    return section | {
        "key": key,
        "slug": re.sub(r"[^a-z0-9]+", "-", section["name"].lower()).strip("-") or key,  # of files to save
        "figures": placed,
        "numbers": numbers.of_section(section, claims),
    }


def _template(name: str) -> str:
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")
