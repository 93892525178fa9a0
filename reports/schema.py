"""What a results.json must look like, and the one way to read it.

A file of results has a version, the fields and lists of `reports.schema_fields`, and the
SHA-256 of all else where the command wrote it.  Reading refuses everything that is not so, with one error
that names the file, the field and the rule.
"""

import json
import math
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_args

from empirics.sweep.plain import digest, to_json
from reports.build import SCHEMA_VERSION
from reports.schema_fields import FIELDS, PARTIAL, TOGETHER
from reports.verdicts import Outcome

RESULTS = "results.json"
_PLAN = "plan.json"  # of a folder of results that is no report
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


class SchemaError(ValueError):
    """Something that is not the results of a report."""


def read(path: Path) -> dict[str, Any]:
    """Return the results in a file, checked.

    Parameters
    ----------
    path : Path
        A results.json, or the folder of a report.

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
        msg = f"results must be a file that exists, got '{file}'{_instead(path)}"
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
            check(results)
            if digest(results) != signed:
                msg = f"results must have the {_CHECKSUM} written in them, but were changed since"
                raise SchemaError(msg)
        else:
            check(results)
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


def check(results: Any) -> None:  # noqa: ANN401
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
    if version != SCHEMA_VERSION or isinstance(version, bool):
        msg = (
            f"schema_version must be {SCHEMA_VERSION} here, got {_short(version)}: "
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
            lengths = {
                name: len(value[name]) for name in names if value is not None and value[name] is not None
            }
            if len(set(lengths.values())) > 1:
                shown = ", ".join(f"{name} {length}" for name, length in lengths.items())
                msg = f"{place} must have lists of one length, got {shown}"
                raise SchemaError(msg)
    _check_relations(results)


def fields(results: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return the paths and kinds that these results must have."""
    return FIELDS + (PARTIAL if "partial" in results else ())


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
        for number, row in enumerate(section["drift"]):
            for network in ("f", "g"):
                if row[network] is not None and len(row[network]["measured"]) != len(row["edges"]) - 1:
                    got = f"{len(row[network]['measured'])} for {len(row['edges'])} edges"
                    msg = f"{place}.drift[{number}].{network} must have one count a bin, got {got}"
                    raise SchemaError(msg)


def _instead(folder: Path) -> str:
    """Return what to call for a folder that holds no report but a sweep or a study of orthogonal samples."""
    try:
        plan = json.loads((folder / _PLAN).read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    of_orthogonal = isinstance(plan, dict) and plan.get("kind") == "orthogonal"
    what, command = ("a study of orthogonal samples", "orthogonal") if of_orthogonal else ("a sweep", "sweep")
    place = shlex.quote(str(folder))
    return (
        f": the folder holds {what}, and render and compare are for reports; its page again: "
        f"perturblearn {command} --out {place}; a list of several: perturblearn index {place} ..."
    )


def _refuse_constant(name: str) -> NoReturn:
    msg = f"numbers must be finite, got {name}"
    raise ValueError(msg)


def _wrong(place: str, rule: str, value: Any) -> NoReturn:  # noqa: ANN401
    msg = f"{place} must be {rule}, got {_short(value)}"
    raise SchemaError(msg)


def _short(value: Any) -> str:  # noqa: ANN401
    text = ascii(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
