"""From where on along a study agreement is reached."""

from collections.abc import Mapping
from typing import Any

from reports.text import many
from reports.verdicts import Claim

Json = Mapping[str, Any]


def reached(section: Json) -> list[Claim]:
    """Return a line a panel whose seeds are complete."""
    made = []
    for panel in section["panels"]:
        reach = panel["reach"]
        if reach is None or not reach["n"] or len(panel["points"]) < 2:
            continue
        share = f"reached by {reach['reached']} of {many(reach['n'], 'seed')}"
        if reach["max"] is not None:
            share = f"median {reach['median']:g}, {reach['min']:g} to {reach['max']:g}; {share}"
        elif reach["min"] is not None:
            share = f"{share}; smallest {reach['min']:g}"
        made.append(
            Claim(
                source="measured",
                verdict=None,
                statement=f"{panel['sweep']}: {panel['x_label']} from which on agreement is at least "
                f"{reach['level']:g}",
                measured=share,
                rule="first of the values tried, for each seed by itself"
                + (f"; {many(reach['incomplete'], 'seed')} without a run" if reach["incomplete"] else ""),
            )
        )
    return made
