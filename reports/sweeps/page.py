"""The page of a sweep: ``report.html`` and ``report.json``, made from the files of its folder alone."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from empirics.plan import Plan
from empirics.store import DamagedError, ResultFolder, to_json, write_json, write_together
from reports import text
from reports.sweeps import figures
from reports.sweeps.claims import claims
from reports.sweeps.parts import Part
from reports.sweeps.reproduction import build
from reports.text import legible, many

# Which published blocks and studies a folder holds.
PARTS = "parts.json"
PAGE, NUMBERS = "report.html", "report.json"


def read_parts(folder: Path) -> tuple[Part, ...]:
    """Return the published blocks and studies that a folder holds; none if nothing says so.

    Raises
    ------
    DamagedError
        If what says so is not as written.
    """
    path = folder / PARTS
    if not path.exists():
        return ()
    try:
        return tuple(
            Part.from_json(fields) for fields in json.loads(path.read_text(encoding="utf-8"))["parts"]
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        msg = (
            f"{PARTS} is not what was written ({error}): give --published or --study again, once for each "
            "that the folder holds, with --merge if those are several"
        )
        raise DamagedError(msg) from error


def write_parts(folder: Path, parts: Sequence[Part]) -> None:
    """Write which published blocks and studies a folder holds; nothing for none, where nothing is."""
    if parts or (folder / PARTS).exists():
        write_json(folder / PARTS, {"parts": [part.to_json() for part in parts]})


def write_page(folder: Path) -> Path:
    """Write the page of a folder whose sweep has ended, and its numbers; return the path of the page.

    The same files of results give the same bytes.

    Raises
    ------
    ValueError
        If the plan or the parts of the folder are missing or not as written.
    OSError
        If there are no tables, or nothing can be written.
    """
    plan = ResultFolder(folder).read_plan()
    if plan is None:
        msg = f"folder must hold a sweep, got none in {folder}"
        raise ValueError(msg)
    lines = (folder / "results.jsonl").read_text(encoding="utf-8").splitlines()
    results = build(
        Plan.from_json(plan["blocks"]),
        [json.loads(line) for line in lines],
        read_parts(folder),
        provenance={"device": plan["device"], "versions": plan["versions"]},
    )
    # As a reader gets it: what the page shows is in the file.
    numbers = to_json({**results, "claims": claims(results)})
    page = render(json.loads(numbers))
    write_together({folder / NUMBERS: numbers.encode(), folder / PAGE: page.encode()})
    return folder / PAGE


def render(results: Mapping[str, Any]) -> str:
    """Return the HTML page of a sweep.

    Parameters
    ----------
    results : mapping
        From `reports.sweeps.reproduction.build`, with ``claims``.

    Returns
    -------
    str
        Works offline: no script, font, image or style from elsewhere.  The same results give the same text.
    """
    results = legible(results)
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(_template),
    )
    environment.filters |= {
        "number": text.number,
        "count": text.count,
        "many": many,
        "place": place,
        "spread": lambda cell: (
            text.spread(cell["mean"], cell["sd"]) if cell["n"] > 1 else text.number(cell["mean"])
        ),
    }
    sections = [_drawn(section, f"s{index}") for index, section in enumerate(results["sections"], start=1)]
    return environment.get_template("sweep.html").render(
        results=results, sections=sections, series=[(name, label) for name, label, *_ in figures.SERIES]
    )


def place(panel: Mapping[str, Any], index: int) -> str:
    """Return the x of a point as text: its name where x only counts the points."""
    if panel["ticks"] is not None:
        return str(panel["ticks"][index])
    return f"{panel['points'][index]['x']:g}"


def _drawn(section: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return a section with its figures."""
    panels = []
    for index, panel in enumerate(section["panels"]):
        drawn = figures.panel_figure(panel, f"{key}-{index}")
        regime = figures.regime_figure(panel, f"{key}-{index}-regime")
        cosine = figures.cosine_figure(panel, f"{key}-{index}-cosine")
        panels.append(
            {
                **panel,
                "figure": None if drawn is None else Markup(drawn),
                "regime_figure": None if regime is None else Markup(regime),
                "cosine_figure": None if cosine is None else Markup(cosine),
            }
        )
    study = section["part"] is not None and section["part"]["kind"] == "study"
    overview = figures.overview_figure(section, f"{key}-overview") if study else None
    scatters = []
    chosen = section["explained"][section["explained_shown"]]
    for index, comparison in enumerate(chosen["predictions"]):
        drawn = figures.scatter_figure(comparison, f"{key}-scatter-{index}")
        if drawn is not None:
            scatters.append({**comparison, "figure": Markup(drawn)})
    return {
        **section,
        "key": key,
        "overview": None if overview is None else Markup(overview),
        "panels": panels,
        "scatters": scatters,
    }


def _template(name: str) -> str:
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")
