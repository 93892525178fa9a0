"""What a results.json must look like, and the one way to read it.

A file of results has a version, a table of fields (`FIELDS`), lists that go together (`TOGETHER`), and the
SHA-256 of all else where the command wrote it.  Reading refuses everything that is not so, with one error
that names the file, the field and the rule.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from empirics.store import digest, to_json
from reports.build import SCHEMA_VERSION
from reports.verdicts import Outcome

# The first version of which reports can be compared and listed; they are shown by the version that made them.
OLDEST = 3
RESULTS = "results.json"
_CHECKSUM = "sha256"
VERDICTS = get_args(Outcome)


def _is_number(value: Any) -> bool:  # noqa: ANN401
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond float64
        return False


def _is_count(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "text": ("a text", lambda v: isinstance(v, str)),
    "text?": ("a text or null", lambda v: v is None or isinstance(v, str)),
    "number": ("a finite number", _is_number),
    "number?": ("a finite number or null", lambda v: v is None or _is_number(v)),
    "count": ("an integer >= 0", _is_count),
    "count?": (
        "an integer >= 0 or null",
        lambda v: v is None or _is_count(v),
    ),
    "any": ("there", lambda _: True),
    "list": ("a list", lambda v: isinstance(v, list)),
    "object": ("an object", lambda v: isinstance(v, dict)),
    "flag": ("true or false", lambda v: isinstance(v, bool)),
    "flag?": ("true, false or null", lambda v: v is None or isinstance(v, bool)),
    "verdict": (f"one of {', '.join(VERDICTS)}", lambda v: isinstance(v, str) and v in VERDICTS),
}

# Path and kind.  "[]": each item of a list; "*": each value of an object; "?" after a name: may be null.
FIELDS: tuple[tuple[str, str], ...] = (
    ("schema_version", "count"),
    ("provenance.command", "text"),
    ("provenance.versions.*", "text?"),
    ("provenance.revision", "text?"),
    ("provenance.machine.system", "text"),
    ("provenance.machine.threads", "count"),
    ("provenance.machine.device", "text"),
    ("provenance.seconds", "number"),
    ("phi.curves[].negative_slope", "number"),
    ("phi.curves[].rho[]", "number"),
    ("phi.curves[].closed_form[]", "number"),
    ("phi.routes.*[].statement", "text"),
    ("phi.routes.*[].latex", "text"),
    ("phi.routes.*[].holds", "flag"),
    ("phi.quadrature[].rho", "number"),
    ("phi.quadrature[].negative_slope", "number"),
    ("phi.quadrature[].closed_form", "number"),
    ("phi.quadrature[].quadrature", "number"),
    ("phi.largest_difference", "number?"),
    ("phi.monte_carlo.negative_slope", "number"),
    ("phi.monte_carlo.num_draws", "count"),
    ("phi.monte_carlo.exact[]", "number"),
    ("phi.monte_carlo.mean[]", "number"),
    ("phi.monte_carlo.standard_error[]", "number"),
    ("phi.monte_carlo.largest_deviation", "number?"),
    ("sections[].name", "text"),
    ("sections[].classes[]", "text"),
    ("sections[].preparation", "text"),
    ("sections[].num_test", "count"),
    ("sections[].largest_norm", "number?"),
    ("sections[].setting.dim", "count"),
    ("sections[].setting.N", "count"),
    ("sections[].setting.negative_slope", "number"),
    ("sections[].setting.epsilon", "number"),
    ("sections[].setting.T_f", "number"),
    ("sections[].setting.T_g", "number"),
    ("sections[].setting.scenario", "text"),
    ("sections[].setting.loss", "text"),
    ("sections[].config.data.source", "text"),
    ("sections[].config.targets", "text"),
    ("sections[].config.precision", "text"),
    ("sections[].config.num_steps", "count"),
    ("sections[].config.momentum", "number"),
    ("sections[].widths[]", "count"),
    ("sections[].seeds[]", "count"),
    ("sections[].width_bounds.free_share", "number"),
    ("sections[].width_bounds.published", "number?"),
    ("sections[].width_bounds.rows[].network", "text"),
    ("sections[].width_bounds.rows[].from_data_median", "number?"),
    ("sections[].width_bounds.rows[].from_data_largest", "number?"),
    ("sections[].width_bounds.rows[].from_norms", "number?"),
    *(
        (f"sections[].scatter.{network}.{name}", kind)
        for network in ("f", "g")
        for name, kind in (
            ("width", "count"),
            ("seed", "count"),
            ("predicted[]", "number?"),
            ("measured[]", "number?"),
        )
    ),
    ("sections[].certificates.delta", "number"),
    ("sections[].certificates.shares_wanted[]", "number"),
    ("sections[].certificates.widths[]", "number"),
    ("sections[].certificates.shares.*.*[]", "number?"),
    ("sections[].certificates.required.*.*[]", "number?"),
    ("sections[].certificates.terms.*[]", "number?"),
    ("sections[].certificates.median_prediction", "number?"),
    ("sections[].certificates.published_width", "number?"),
    ("sections[].map?.ticks[]", "number"),
    ("sections[].map?.width", "count"),
    ("sections[].map?.seed", "count"),
    *((f"sections[].map?.{name}[]", "number?") for name in ("f", "g", "f_hat", "g_hat", "f_b", "g_b")),
    ("sections[].map?.data[][]", "number?"),
    ("sections[].map?.labels[]", "number"),
    ("sections[].runs[].width", "count"),
    ("sections[].runs[].seed", "count"),
    *((f"sections[].runs[].{group}.*", "number?") for group in ("f", "g", "cosines", "agreement")),
    ("sections[].runs[].zero_gradients", "count?"),
    ("sections[].by_width[].width", "count"),
    *(
        (f"sections[].by_width[].{group}.*.{name}", "count" if name == "n" else "number?")
        for group in ("f", "g", "cosines", "agreement")
        for name in ("mean", "sd", "low", "high", "n")
    ),
    ("sections[].condition_rows[].name", "text"),
    ("sections[].condition_rows[].threshold", "number?"),
    *(
        (f"sections[].condition_rows[].{name}", "count")
        for name in ("holds_agree", "holds_differ", "fails_agree", "fails_differ")
    ),
    ("sections[].condition_totals[].width", "text"),
    *(
        (f"claims[].{name}", "text")
        for name in (
            "key",
            "statement",
            "formula",
            "source",
            "hypothesis",
            "predicted",
            "measured",
            "samples",
        )
    ),
    ("claims[].section", "text?"),
    ("claims[].met", "flag?"),
    ("claims[].rule", "text"),
    ("claims[].verdict", "verdict"),
    ("claims[].numbers.*", "number?"),
)

# From version 4 on.
FIELDS_4: tuple[tuple[str, str], ...] = (
    ("trends", "list"),
    ("sections[].beside", "object"),
    ("sections[].prior_work.width", "count"),
    ("sections[].prior_work.rows", "list"),
    ("sections[].diagnosis.causes[]", "text"),
    ("sections[].diagnosis.by_width", "list"),
    ("sections[].feasibility", "any"),
    ("sections[].choice", "any"),
    ("sections[].images", "any"),
    ("sections[].simulated", "any"),
    ("claims[].evidence", "text"),
    ("claims[].command", "text"),
)

# What a report that was interrupted says of itself.
PARTIAL: tuple[tuple[str, str], ...] = (
    ("partial.done", "count"),
    ("partial.planned", "count"),
    ("partial.missing[]", "text"),
    ("partial.sections[].name", "text"),
    *(
        (f"partial.sections[].{name}[]", "count")
        for name in ("widths", "planned_widths", "seeds", "planned_seeds")
    ),
)

# Lists of one length within one object.
TOGETHER: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("phi.curves[]", ("rho", "closed_form")),
    ("phi.monte_carlo", ("exact", "mean", "standard_error")),
    ("sections[].scatter.*", ("predicted", "measured")),
    ("sections[]", ("widths", "by_width")),
    ("sections[].map?", ("f", "g", "f_hat", "g_hat", "f_b", "g_b")),
    ("sections[].map?", ("data", "labels")),
)


class SchemaError(ValueError):
    """Something that is not the results of a report."""


def read(path: Path, *, oldest: int = SCHEMA_VERSION) -> dict[str, Any]:
    """Return the results in a file, checked.

    Parameters
    ----------
    path : Path
        A results.json, or the folder of a report.
    oldest : int
        First version that is accepted; the last is `reports.SCHEMA_VERSION`.

    Returns
    -------
    dict
        As `reports.build` returned it.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    SchemaError
        If it was damaged, truncated, written by another version, or never was a file of results.
    """
    file = path / RESULTS if path.is_dir() else path
    if not file.is_file():
        msg = f"results must be a file that exists, got '{file}'"
        raise FileNotFoundError(msg)
    try:
        results = json.loads(file.read_bytes().decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        what = str(error) or type(error).__name__
        msg = f"{file} must hold JSON, but is damaged or truncated: {what}"
        raise SchemaError(msg) from error
    try:
        if isinstance(results, dict) and _CHECKSUM in results:
            signed = results.pop(_CHECKSUM)
            check(results, oldest=oldest)
            if digest(results) != signed:
                msg = f"results must have the {_CHECKSUM} written in them, but were changed since"
                raise SchemaError(msg)
        else:
            check(results, oldest=oldest)
    except SchemaError as error:
        msg = f"{file}: {error}"
        raise SchemaError(msg) from error
    return dict(results)


def written(results: dict[str, Any]) -> str:
    """Return the text of results.json: the results, and last the SHA-256 of their canonical JSON.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    plain = json.loads(to_json(results))
    return to_json({**plain, _CHECKSUM: digest(plain)})


def check(results: Any, *, oldest: int = SCHEMA_VERSION) -> None:  # noqa: ANN401
    """Check that a value has the form of results.

    Raises
    ------
    SchemaError
        With the field, the rule and the value.
    """
    if not isinstance(results, dict):
        _wrong("results", "an object", results)
    if "schema_version" not in results:
        msg = "results of a report must have schema_version, got none"
        raise SchemaError(msg)
    version = results["schema_version"]
    if not isinstance(version, int) or isinstance(version, bool) or not oldest <= version <= SCHEMA_VERSION:
        known = str(SCHEMA_VERSION) if oldest == SCHEMA_VERSION else f"{oldest} to {SCHEMA_VERSION}"
        msg = (
            f"schema_version must be {known} here, got {_short(version)}: "
            "use the perturblearn that made the report, or make it again"
        )
        raise SchemaError(msg)
    for path, kind in fields(results):
        rule, fits = _KINDS[kind]
        for place, value in values(results, path):
            if not fits(value):
                _wrong(place, rule, value)
    for path, names in TOGETHER:
        for place, value in values(results, path):
            lengths = {name: len(value[name]) for name in names if value is not None}
            if len(set(lengths.values())) > 1:
                shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
                msg = f"{place} must have lists of one length, got {shown}"
                raise SchemaError(msg)
    _check_relations(results)


def fields(results: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the paths and kinds that these results must have."""
    return (
        FIELDS
        + (FIELDS_4 if results["schema_version"] >= 4 else ())
        + (PARTIAL if "partial" in results else ())
    )


def values(results: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Give the place and value of each field that a path of `FIELDS` names.

    Raises
    ------
    SchemaError
        If one is missing, or has no such parts.
    """
    parts = path.replace("[]", ".[]").split(".")
    return _walk(results, parts, "")


def _walk(value: Any, parts: Sequence[str], place: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if not parts:
        yield place, value
        return
    part, rest = parts[0], parts[1:]
    if part == "[]":
        if not isinstance(value, list):
            _wrong(place, "a list", value)
        for index, item in enumerate(value):
            yield from _walk(item, rest, f"{place}[{index}]")
        return
    if not isinstance(value, dict):
        _wrong(place or "results", "an object", value)
    if part == "*":
        for key, item in value.items():
            yield from _walk(item, rest, f"{place}.{key}")
        return
    name = part.removesuffix("?")
    here = f"{place}.{name}" if place else name
    if name not in value:
        msg = f"results must have {here}, got none"
        raise SchemaError(msg)
    if part.endswith("?") and value[name] is None:
        return
    yield from _walk(value[name], rest, here)


def _check_relations(results: dict[str, Any]) -> None:
    """Check what one part of the results says of another."""
    names = [section["name"] for section in results["sections"]]
    if not names or len(set(names)) < len(names):
        msg = f"sections must have names that differ, at least one, got {_short(names)}"
        raise SchemaError(msg)
    for index, claim in enumerate(results["claims"]):
        if claim["section"] is not None and claim["section"] not in names:
            _wrong(f"claims[{index}].section", "the name of a section or null", claim["section"])
    for index, section in enumerate(results["sections"]):
        place = f"sections[{index}]"
        grid = [(width, seed) for width in section["widths"] for seed in section["seeds"]]
        if not grid:
            msg = f"{place} must have widths and seeds, got none"
            raise SchemaError(msg)
        runs = [(run["width"], run["seed"]) for run in section["runs"]]
        if runs != grid:
            missing = [pair for pair in grid if pair not in runs]
            got = f"{len(runs)}, without {missing[0]}" if missing else f"{len(runs)} in another order"
            msg = f"{place}.runs must be one for each width and seed ({len(grid)}), got {got}"
            raise SchemaError(msg)
        if [row["width"] for row in section["by_width"]] != section["widths"]:
            _wrong(f"{place}.by_width", "one row for each width", [r["width"] for r in section["by_width"]])
        if len(section["classes"]) != 2:
            _wrong(f"{place}.classes", "two names", section["classes"])
        drawn = section["map"]
        if drawn is not None and len(drawn["f"]) != len(drawn["ticks"]) ** 2:
            msg = f"{place}.map.f must have {len(drawn['ticks']) ** 2} entries, got {len(drawn['f'])}"
            raise SchemaError(msg)


def _refuse_constant(name: str) -> NoReturn:
    msg = f"numbers must be finite, got {name}"
    raise ValueError(msg)


def _wrong(place: str, rule: str, value: Any) -> NoReturn:  # noqa: ANN401
    msg = f"{place} must be {rule}, got {_short(value)}"
    raise SchemaError(msg)


def _short(value: Any) -> str:  # noqa: ANN401
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
