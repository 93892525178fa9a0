"""Runs without a result, which are said and not left out."""

from reports.claims.sweeps.rows import Section, stated
from reports.page import Block
from reports.verdicts import Claim


def shown(_section: Section, _key: str) -> tuple[Block, ...]:
    """Return nothing: the tables of points count them."""
    return ()


def claims(section: Section) -> list[Claim]:
    """Count runs that failed or are missing; nothing if all are done."""
    totals = [point.totals for panel in section.panels for point in panel.points]
    failed, missing = sum(one.failed for one in totals), sum(one.missing for one in totals)
    if not failed and not missing:
        return []
    every = sum(one.configurations for one in totals)
    said = f"{failed} failed, {missing} missing, of {every}"
    return [
        stated("measured", "Runs without a result", said, "a run that several points share counts for each")
    ]
