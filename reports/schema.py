"""Reading and writing results.json: `reports.results.Results`, and last the SHA-256 of all else.

Reading refuses everything that is not so, with one error that names the file, the place and the rule.
"""

import json
import shlex
from pathlib import Path
from typing import Any, get_args

import msgspec

from empirics.sweep.plain import digest, to_json
from reports.results import SCHEMA_VERSION, Results
from reports.verdicts import Outcome

RESULTS = "results.json"
PLAN_PAGE = "plan.html"  # of what is to be trained; its folder has a plan.json, too
_PLAN = "plan.json"  # of a folder of results that is no report
_CHECKSUM = "sha256"
VERDICTS = get_args(Outcome)


class SchemaError(ValueError):
    """What was read is not the results of a report."""


def read(path: Path) -> Results:
    """Return the results in a file, checked.

    Parameters
    ----------
    path : Path
        A results.json, or the folder of a report.

    Returns
    -------
    Results

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
        results = msgspec.json.decode(file.read_bytes())
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        msg = f"{file} must hold JSON, but is damaged or truncated: {str(error) or type(error).__name__}"
        raise SchemaError(msg) from error
    try:
        signed = results.pop(_CHECKSUM, None) if isinstance(results, dict) else None
        checked = check(results)
        if signed is not None and digest(results) != signed:
            msg = f"results must have the {_CHECKSUM} written in them, but were changed since"
            raise SchemaError(msg)
    except SchemaError as error:
        msg = f"{file}: {error}"
        raise SchemaError(msg) from error
    return checked


def written(results: Results) -> str:
    """Return the text of results.json: the results, and last the SHA-256 of their canonical JSON.

    Raises
    ------
    ValueError
        If a number is not finite.
    """
    plain = msgspec.to_builtins(results)
    return to_json({**plain, _CHECKSUM: digest(plain)})


def check(results: Any) -> Results:  # noqa: ANN401
    """Return a value as results.

    Raises
    ------
    SchemaError
        If it has not their form, with the place and the rule.
    """
    version = results.get("schema_version") if isinstance(results, dict) else None
    if version is not None and (version != SCHEMA_VERSION or isinstance(version, bool)):
        msg = (
            f"schema_version must be {SCHEMA_VERSION} here, got {version!a:.60}: "
            "use the perturblearn that made the report, or make it again"
        )
        raise SchemaError(msg)
    try:
        return msgspec.convert(results, Results)
    except msgspec.ValidationError as error:
        rule, _, place = str(error).partition(" - at `$")
        found = place.removesuffix("`").lstrip(".") or "results"
        msg = f"{found} must have the form of a report's results: {rule[:1].lower()}{rule[1:]}"
        raise SchemaError(msg) from error


def _instead(folder: Path) -> str:
    """Return what to call for a folder that holds no report but a sweep or a study of orthogonal samples."""
    if (folder / PLAN_PAGE).exists():
        return ": the folder holds a plan, of which nothing was trained"
    try:
        plan = json.loads((folder / _PLAN).read_bytes().decode("utf-8"))
    except (OSError, ValueError, RecursionError):
        return ""
    of_orthogonal = isinstance(plan, dict) and plan.get("kind") == "orthogonal"
    what, command = ("a study of orthogonal samples", "orthogonal") if of_orthogonal else ("a sweep", "sweep")
    place = shlex.quote(str(folder))
    return (
        f": the folder holds {what}, which has none; its page again: "
        f"perturblearn {command} --out {place}; a list of several: perturblearn index {place} ..."
    )
