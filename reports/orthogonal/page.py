"""The page of a folder of `perturblearn orthogonal`, and its numbers, from its files alone."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from markupsafe import Markup

from empirics.sweep.disk import write_together
from empirics.sweep.plain import to_json
from empirics.sweep.store import DamagedError, ResultFolder
from reports.claims import claims_of_orthogonal
from reports.orthogonal import figures, tables
from reports.orthogonal.build import build
from reports.orthogonal.parts import Part
from reports.page import Figure, Page, Prose, Section, Table
from reports.text import legible, many
from reports.verdicts import Claim

Json = Mapping[str, Any]

PAGE, NUMBERS = "report.html", "report.json"
PLAN_KIND = "orthogonal"
EXAMINATION = "examination"  # name of the result that holds what is said of data in hand

_LEAD = Markup(
    "Networks without biases, trained until their direction meets the KKT conditions of the max-margin "
    "problem to a stated\ntolerance. <i>f</i> learns natural samples; <i>g</i> learns points perturbed "
    "towards "
    "random targets. The limit is the linear\nmap ⟨s, ·⟩, s = Σ λ<sub>n</sub>y<sub>n</sub>x<sub>n</sub>, of "
    "the λ system M λ = 1 (Derivation 15)."
)
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
    if plan.get("kind") != PLAN_KIND or "blocks" not in plan:
        what = "another command" if plan.get("kind") != PLAN_KIND else "an older version"
        msg = f"out must be a folder of perturblearn orthogonal, got one of {what}: {folder}"
        raise DamagedError(msg)
    try:
        return Part.from_json(plan["about"])
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
    versions = plan["versions"]
    if examined is not None and examined["made_by"] not in versions:
        versions = [*versions, examined["made_by"]]
    results = build(
        part,
        _rows(folder / "results.jsonl"),
        examination=None if examined is None else examined["found"],
        provenance={"versions": versions},
    )
    numbers = to_json({**results, "claims": [asdict(claim) for claim in claims_of_orthogonal(results)]})
    page = render(json.loads(numbers))
    write_together({folder / NUMBERS: numbers.encode(), folder / PAGE: page.encode()})
    return folder / PAGE


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except ValueError as error:
        msg = f"{path} must hold a result a line, got {error}; remove it, and the same command makes it again"
        raise DamagedError(msg) from error
    if not all(isinstance(row, dict) and "hash" in row and "status" in row for row in rows):
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
    totals = results["totals"]
    warning: tuple[Prose, ...] = ()
    if totals["failed"] or totals["missing"]:
        said = Markup("{} of {} runs failed and {} are missing; <code>failures.json</code> says why.").format(
            totals["failed"], totals["configurations"], totals["missing"]
        )
        warning = (Prose(said, "warning"),)
    claims = tuple(Claim(**claim) for claim in results["claims"])
    return Page(
        f"Nearly orthogonal samples: {results['title']}",
        _LEAD,
        (
            Section("Claims", (*warning, *claims), "claims"),
            *_sections(results),
            Section("Provenance", (_provenance(results),), "provenance"),
        ),
    ).html()


def _provenance(results: Json) -> Table:
    part, totals = results["part"], results["totals"]
    rows = [
        (
            "runs",
            f"{totals['configurations']}: {totals['done']} done, {totals['failed']} failed, "
            f"{totals['missing']} missing; {many(part['seeds'], 'seed')} a point",
        )
    ]
    if part["kind"] == "published":
        rows.append(
            (
                "sizes",
                f"1/{part['scale']} of the published ones, rule “{part['rule']}”; sweeps "
                f"{', '.join(part['sweeps'])}",
            )
        )
    options = ", ".join(f"{name} = {value}" for name, value in part["options"].items())
    rows.append(("options", options or "defaults"))
    if part["content"]:
        source = "".join(f"{name} {value}, " for name, value in part["source"].items() if value is not None)
        hashed = Markup("{}SHA-256 of the samples <code>{}</code>").format(source, part["content"])
        rows.append(("data", hashed))
    versions = results["provenance"]["versions"]
    rows.append(("versions", "; ".join(", ".join(f"{n} {v}" for n, v in made.items()) for made in versions)))
    numbers = Markup(
        "<code>report.json</code> beside this page, schema version {}; every run in <code>results.csv</code>"
    ).format(results["schema_version"])
    return Table((), (*rows, ("numbers", numbers)))


def _sections(results: Json) -> list[Section]:
    kind, name = results["part"]["kind"], results["part"]["name"]
    norm = results["part"]["options"].get("norm")
    made = [
        _panel(panel, kind, name, f"p{index}", norm=norm)
        for index, panel in enumerate(results["panels"], start=1)
    ]
    found = results["examination"]
    if kind == "data" and found is not None:
        made = [*_examined(found, results), *made]
    said = (
        "Networks whose KKT residual fell to the tolerance, by what holds for the set they were trained on; "
        "a "
        "network that several runs share counts once. Signs are compared at test points where the limit "
        "predicts one: where ⟨s, z⟩ is 0 but for rounding there is nothing to compare. A share below 99 % is "
        "undecided where the tolerance of training explains the exceptions, and among fewer than 100 points "
        "unless they are many. The λ system alone proves a KKT point, not that training finds it."
    )
    ends = (Prose(said), tables.networks(results["networks"]))
    return [*made, Section("Where trained networks end", ends, "networks")]


def _panel(panel: Json, kind: str, name: str, key: str, *, norm: str | None) -> Section:
    if kind == "published":
        said = (
            "If a published value were one more seed, it would lie within the range of n seeds "
            "with chance at least (n − 1)/(n + 1), and a reading error adds to that. Points share seeds, so "
            "the probability is a guide. Smaller sizes keep the score of the linear mean map, not its "
            "corrections."
        )
        drawn = _figure(figures.accuracy_figure(panel, key), _ACCURACY)
        shown = tables.published_points(panel), tables.one_more_seed(panel)
        return Section(f"Sweep over {panel['name']}", (Prose(said), *drawn, *shown), key)
    if kind == "data":
        said = "Seeds are those of initialisations and of the random targets; the data stay."
        said += _AMPLITUDE if norm == "L0" else ""
        return Section("Networks trained on it", (Prose(said), tables.trained(panel["points"][0])), key)
    if name == "turning":
        drawn = _figure(figures.turning_figure(panel, key), _TURNING)
        return Section("Point by point", (*drawn, tables.turning_points(panel)), key)
    drawn = _figure(figures.orthogonality_figure(panel, key), _DECAY)
    return Section("Point by point", (*drawn, tables.orthogonality_points(panel)), key)


def _examined(found: Json, results: Json) -> list[Section]:
    done, asked = results["panels"][0]["points"][0]["converged_f"]
    table, whole = tables.hypotheses(found, converged=_converged(done, asked, results["part"]["seeds"]))
    conditions = Prose("Nothing is trained here; rounding errors are part of the verdicts.")
    theories = Prose(
        "For the networks of this page, without biases, all but the margins: wide networks "
        f"{whole['wide']}, orthogonal samples {whole['orthogonal']}. Where λ > 0 and the pattern hold "
        "without a condition of orthogonality the latter is unknown: there may be other KKT points. The "
        "row of time is from the networks trained below; wide networks are asked at flow time 1, and "
        "perturblearn report trains those, with biases and the identity loss."
    )
    return [
        Section("Conditions", (conditions, tables.examined(found)), "examined"),
        Section("Which theory applies", (theories, table), "theories"),
    ]


def _converged(done: int, asked: int, seeds: int) -> str:
    """Return whether every f converged; unknown while one has no result."""
    return "fails" if done < asked else "holds" if asked == seeds else "unknown"


def _figure(drawn: str | None, caption: str) -> tuple[Figure, ...]:
    return () if drawn is None else (Figure(Markup(drawn), caption),)
