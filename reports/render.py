"""The page of a report: one self-contained HTML file made from results alone."""

import re
from importlib import resources
from typing import Any

import jinja2
from latex2mathml.converter import convert
from markupsafe import Markup

from reports import figures, text


def render(results: dict[str, Any]) -> str:
    """Return the HTML page of a report.

    Parameters
    ----------
    results : dict
        From `reports.build`.

    Returns
    -------
    str
        Works offline: no script, font, image or style from elsewhere.  The same results give the same
        text; nothing is computed here beyond formatting.
    """
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_template),
    )
    environment.filters |= {"math": mathml, "number": text.number, "spread": _spread, "count": text.count}
    sections = [_drawn(section, f"s{index}") for index, section in enumerate(results["sections"], start=1)]
    phi_figures = [
        Markup(figures.phi_figure(results["phi"])),
        Markup(figures.monte_carlo_figure(results["phi"])),
    ]
    return environment.get_template("page.html").render(
        results=results, sections=sections, phi_figures=phi_figures
    )


def mathml(tex: str, *, display: bool = False) -> Markup:
    """Return TeX as MathML.

    Raises
    ------
    ValueError
        If a command is not understood: it would be printed as it is.
    """
    converted = convert(tex, display="block" if display else "inline")
    if "\\" in re.sub(r"<[^>]*>", "", converted):
        msg = f"TeX must be convertible to MathML, got {tex!r}"
        raise ValueError(msg)
    return Markup(converted)


def _spread(summary: dict[str, Any]) -> str:
    return text.spread(summary["mean"], summary["sd"])


def _drawn(section: dict[str, Any], key: str) -> dict[str, Any]:
    drawn_map = figures.map_figure(section, key)
    return section | {
        "key": key,
        "figures": {
            "free": Markup(figures.free_figure(section, key)),
            "error": Markup(figures.error_figure(section, key)),
            "scatter_f": Markup(figures.scatter_figure(section, key, "f")),
            "scatter_g": Markup(figures.scatter_figure(section, key, "g")),
            "cosine": Markup(figures.cosine_figure(section, key)),
            "agreement": Markup(figures.agreement_figure(section, key)),
            "certified": Markup(figures.certified_figure(section, key)),
            "terms": Markup(figures.terms_figure(section, key)),
            "map": None if drawn_map is None else Markup(drawn_map),
        },
    }


def _template(name: str) -> str:
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")
