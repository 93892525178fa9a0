"""Reading report.json of a sweep, a report of any architecture or orthogonal samples, and its page again."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from reports.claims.orthogonal.rows import Results as OrthogonalResults
from reports.claims.sweeps.rows import SweepResults
from reports.orthogonal.build import SCHEMA_VERSION as OF_ORTHOGONAL
from reports.orthogonal.page import found, page_of as page_of_orthogonal
from reports.page import Block, Page
from reports.runs import NUMBERS, shown
from reports.schema import SchemaError
from reports.sweeps.opening import openings
from reports.sweeps.page import page_of
from reports.sweeps.reproduction import SCHEMA_VERSION

Numbers = SweepResults | OrthogonalResults


def read(folder: Path) -> Numbers:
    """Return the numbers of a folder.

    Raises
    ------
    reports.schema.SchemaError
        If they are not as written, or by another version.
    """
    file = folder / NUMBERS
    try:
        found = msgspec.json.decode(file.read_bytes())
        of_sweep = "sections" in found
        version = SCHEMA_VERSION if of_sweep else OF_ORTHOGONAL
        if found["schema_version"] != version:
            msg = f"schema_version must be {version} here, got {found['schema_version']!a:.60}: make it again"
            raise ValueError(msg)
        if of_sweep:
            return msgspec.convert(found, SweepResults, str_keys=True)
        return msgspec.convert(found, OrthogonalResults, str_keys=True)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        msg = f"{file} must hold the numbers of a sweep or of perturblearn orthogonal, whole: {error}"
        raise SchemaError(msg) from error


def first_screen(numbers: Numbers) -> Iterator[Block]:
    """Yield what the first screen of a page says and draws."""
    return openings(numbers) if isinstance(numbers, SweepResults) else found(numbers.claims)


def page(numbers: Numbers) -> Page:
    """Return the page of numbers."""
    if isinstance(numbers, SweepResults):
        return shown(numbers, page_of)
    return shown(numbers, page_of_orthogonal)
