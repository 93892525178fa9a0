"""Runs without a result, which are said and not left out."""

from collections.abc import Mapping
from typing import Any

from reports.verdicts import Claim

Json = Mapping[str, Any]


def failures(section: Json) -> list[Claim]:
    """Count runs that failed or are missing; nothing if all are done."""
    points = [point for panel in section["panels"] for point in panel["points"]]
    failed, missing = (sum(point[state] for point in points) for state in ("failed", "missing"))
    if not failed and not missing:
        return []
    return [
        Claim(
            source="measured",
            verdict=None,
            statement="Runs without a result",
            measured=f"{failed} failed, {missing} missing, of {sum(point['runs'] for point in points)}",
            rule="a run that several points share counts for each",
        )
    ]
