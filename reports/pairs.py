"""A report for each pair of classes of a data set, and what they say of the agreement of f and g."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

from empirics.data import ArrayData, DataSource, DigitsData, FileData, IrisData, WineData
from empirics.data.dataset import class_pairs
from reports import formats, listing
from reports.document import Report
from reports.results import Results

INDEX = "index.html"


def sources(name: str, data: DataSource) -> dict[str, DataSource]:
    """Return the data of each pair of classes by the name of a folder.

    Raises
    ------
    ValueError
        If the classes of a source are fixed, or there are no pairs.
    """
    if not isinstance(data, (ArrayData, DigitsData, FileData, IrisData, WineData)):
        msg = f"classes 'all' does not apply to data {name!r}"
        raise ValueError(msg)
    found: dict[str, DataSource] = {}
    for pair in class_pairs(data.read(), source=name):
        short = [re.sub(r"[^\w+-]+", "-", one)[:40] for one in pair]
        folder = base = f"{short[0]}-vs-{short[1]}"
        taken = set(map(str.casefold, found))  # some disks do not tell A from a
        for number in range(2, len(found) + 2):
            folder = f"{base}-{number}" if folder.casefold() in taken else folder
        found[folder] = replace(data, classes=pair)
    return found


def write_index(out: Path, folders: Iterable[str]) -> Path:
    """Write the page that lists the reports of all pairs, and return its path."""
    page = listing.index_page([out / folder for folder in folders], out / INDEX)
    formats.write(out, {INDEX: page.encode()})
    return out / INDEX


def listed(made: Iterable[Results]) -> str:
    """Return one line for each pair: how often f and g agree, and what was predicted."""
    lines = []
    for row in chain.from_iterable(map(listing.agreements, made)):
        classes, width, measured, predicted = row.said
        said = f"f and g agree at {measured}, predicted {predicted}, m = {width}"
        lines.append(f"{row.verdict or 'not judged':<20}  {classes}: {said}")
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True, repr=False)
class Pairs:
    """The reports of all pairs of classes of a data set.

    Attributes
    ----------
    reports : tuple of Report
    """

    reports: tuple[Report, ...]

    @property
    def table(self) -> list[dict[str, Any]]:
        """One row for each pair: agreement of f and g at the largest width, measured and predicted."""
        found = chain.from_iterable(listing.agreements(one.results) for one in self.reports)
        return [vars(row) | {"measured": row.measured.mean, "predicted": row.predicted.mean} for row in found]

    def __repr__(self) -> str:
        return listed(report.results for report in self.reports)
