"""The page of a folder of `perturblearn orthogonal`, and its numbers, from its files alone."""

import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from empirics.store import DamagedError, ResultFolder, to_json, write_together
from reports import text
from reports.orthogonal import figures, tables
from reports.orthogonal.build import build
from reports.orthogonal.claims import claims
from reports.orthogonal.parts import Part
from reports.text import legible

Json = Mapping[str, Any]

PAGE, NUMBERS = "report.html", "report.json"
PLAN_KIND = "orthogonal"
EXAMINATION = "examination"  # name of the result that holds what is said of data in hand

_ACCURACY = (
    "Mean over seeds; bands: one standard deviation and, lighter, smallest to largest seed. Hollow: "
    "published, with reading errors. Dotted and dashed: predictions from the perturbed set alone, no g "
    "trained."
)
_TURNING = (
    "Mean over seeds with deviation and range. Limit: no network trained, perturbations along s. Dotted: the "
    "limit of the very set that each g was trained on."
)
_DECAY = (
    "Share of fresh test points where network and limit have one sign, of those where the limit predicts "
    "one, over all seeds, converged or not. "
    "Filled, hollow, cross: the λ system holds for all, some, no seeds. Square, diamond: the published "
    "condition holds for all, some. Dotted line: 99 %."
)


_AMPLITUDE = (
    " An L0 step moves a coordinate by the amplitude among the options below; if it was not set, half of the "
    "smallest norm of a sample that is not 0, over the root of the number of coordinates that may change."
)


def read_part(folder: Path) -> Part | None:
    """Return what a folder holds, None if nothing says so.

    Raises
    ------
    DamagedError
        If what says so is damaged, or the folder is one of another command.
    """
    plan = ResultFolder(folder).read_plan()
    if plan is None:
        return None
    if plan.get("kind") != PLAN_KIND:
        msg = f"out must be a folder of perturblearn orthogonal, got one of another command: {folder}"
        raise DamagedError(msg)
    try:
        return Part.from_json(plan["part"])
    except (ValueError, TypeError, KeyError) as error:
        msg = f"plan.json is not what was written ({error})"
        raise DamagedError(msg) from error


def write_page(folder: Path) -> Path:
    """Write the page of a folder and its numbers; return the path of the page.

    The same files of results give the same bytes.

    Raises
    ------
    ValueError
        If the plan of the folder is missing or not as written.
    OSError
        If there are no tables, or nothing can be written.
    """
    store, part = ResultFolder(folder), read_part(folder)
    plan = store.read_plan()
    if part is None or plan is None:
        msg = f"folder must hold a plan of perturblearn orthogonal, got none in {folder}"
        raise ValueError(msg)
    examined = store.read(EXAMINATION) if part.kind == "data" else None
    results = build(
        part,
        _rows(folder / "results.jsonl"),
        examination=None if examined is None else examined["found"],
        provenance={"versions": plan["versions"]},
    )
    numbers = to_json({**results, "claims": claims(results)})
    page = render(json.loads(numbers))
    write_together({folder / NUMBERS: numbers.encode(), folder / PAGE: page.encode()})
    return folder / PAGE


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        msg = f"{path} must hold a result a line, got {error}; remove it, and the same command makes it again"
        raise DamagedError(msg) from error
    if not all(isinstance(row, dict) and "hash" in row and "error" in row for row in rows):
        msg = f"{path} must hold a result a line; remove it, and the same command makes it again"
        raise DamagedError(msg)
    return rows


def render(results: Json) -> str:
    """Return the HTML page.

    Parameters
    ----------
    results : mapping
        From `build`, with ``claims``.

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
    environment.filters |= {"number": text.number, "count": text.count}
    return environment.get_template("orthogonal.html").render(
        results=results, part=results["part"], sections=_sections(results)
    )


def _sections(results: Json) -> list[dict[str, Any]]:
    kind, name = results["part"]["kind"], results["part"]["name"]
    norm = results["part"]["options"].get("norm")
    made = [
        _panel(panel, kind, name, f"p{index}", norm=norm)
        for index, panel in enumerate(results["panels"], start=1)
    ]
    if kind == "data":
        found = results["examination"]
        made = [*([] if found is None else _examined(found, results)), *made]
    made.append(
        {
            "key": "networks",
            "title": "Where trained networks end",
            "text": "Networks whose KKT residual fell to the tolerance, by what holds for the set they were "
            "trained on; a network that several runs share counts once. Signs are compared at test points "
            "where the limit predicts one: where ⟨s, z⟩ is 0 but for rounding there is nothing to compare. A "
            "share below 99 % is undecided where the tolerance of training explains the exceptions, and "
            "among fewer than 100 points unless they are many. The λ system "
            "alone proves a KKT point, not that training finds it.",
            "figures": [],
            "tables": [tables.networks(results["networks"])],
        }
    )
    return made


def _panel(panel: Json, kind: str, name: str, key: str, *, norm: str | None) -> dict[str, Any]:
    section: dict[str, Any] = {"key": key, "text": "", "figures": [], "tables": []}
    if kind == "published":
        drawn = figures.accuracy_figure(panel, key)
        return section | {
            "title": f"Sweep over {panel['name']}",
            "text": "If a published value were one more seed, it would lie within the range of n seeds "
            "with chance at least (n − 1)/(n + 1), and a reading error adds to that. Points share seeds, so "
            "the probability is a guide. Smaller sizes keep the score of the linear mean map, not its "
            "corrections.",
            "figures": _figure(drawn, _ACCURACY),
            "tables": [tables.published_points(panel), tables.one_more_seed(panel)],
        }
    if kind == "data":
        return section | {
            "title": "Networks trained on it",
            "text": "Seeds are those of initialisations and of the random targets; the data stay."
            + (_AMPLITUDE if norm == "L0" else ""),
            "tables": [tables.trained(panel["points"][0])],
        }
    if name == "turning":
        drawn, caption, table = figures.turning_figure(panel, key), _TURNING, tables.turning_points(panel)
    else:
        drawn, caption = figures.orthogonality_figure(panel, key), _DECAY
        table = tables.orthogonality_points(panel)
    return section | {"title": "Point by point", "figures": _figure(drawn, caption), "tables": [table]}


def _examined(found: Json, results: Json) -> list[dict[str, Any]]:
    done, asked = results["panels"][0]["points"][0]["converged_f"]
    converged = _converged(done, asked, results["part"]["seeds"])
    table, whole = tables.hypotheses(found, converged=converged)
    return [
        {
            "key": "examined",
            "title": "Conditions",
            "text": "Nothing is trained here; rounding errors are part of the verdicts.",
            "figures": [],
            "tables": [tables.examined(found)],
        },
        {
            "key": "theories",
            "title": "Which theory applies",
            "text": f"For the networks of this page, without biases, all but the margins: wide networks "
            f"{whole['wide']}, orthogonal samples {whole['orthogonal']}. Where λ > 0 and the pattern hold "
            "without a condition of orthogonality the latter is unknown: there may be other KKT points. The "
            "row of time is from the networks trained below; wide networks are asked at flow time 1, and "
            "perturblearn report trains those, with biases and the identity loss.",
            "figures": [],
            "tables": [table],
        },
    ]


def _converged(done: int, asked: int, seeds: int) -> str:
    """Return whether every f converged; unknown while one has no result."""
    return "fails" if done < asked else "holds" if asked == seeds else "unknown"


def _figure(drawn: str | None, caption: str) -> list[dict[str, Any]]:
    return [] if drawn is None else [{"svg": Markup(drawn), "caption": caption}]


def _template(name: str) -> str:
    return (resources.files("reports") / "templates" / name).read_text(encoding="utf-8")
