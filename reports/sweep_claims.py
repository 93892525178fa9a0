"""What a sweep shows, in a few lines with numbers: pure functions of its JSON value."""

from collections.abc import Mapping
from typing import Any

from reports import text

Json = Mapping[str, Any]


def claims(results: Json) -> list[dict[str, str]]:
    """Return the lines: section, statement, what was measured, and what it rests on.

    Parameters
    ----------
    results : mapping
        From `reports.reproduction.build`.
    """
    made = []
    for section in results["sections"]:
        rows = [*_published(section), *_reached(section), *_explained(section), *_failures(section)]
        made += [{"section": section["title"], **row} for row in rows]
    return made


def _published(section: Json) -> list[dict[str, str]]:
    compared = section["published"]
    if compared is None or not compared["all"]["count"]:
        return []
    whole = compared["all"]
    parts = ", ".join(
        f"{name.replace('_', ' ')} {row['inside']} of {row['count']}"
        for name, row in compared["by_metric"].items()
    )
    return [
        {
            "statement": "Published values within the range of our seeds, up to their reading errors",
            "measured": f"{whole['inside']} of {whole['count']} ({parts}); one more seed: "
            f"{text.number(whole['expected'])} or more expected, P(so few) {_probability(whole['p_value'])}",
            "basis": "as if points were independent; they share seeds, so the probability is a guide only"
            + (f"; {whole['not_compared']} more could not be compared" if whole["not_compared"] else ""),
        }
    ]


def _explained(section: Json) -> list[dict[str, str]]:
    made = []
    chosen = section["explained"][section["explained_shown"]]
    study = section["part"] is not None and section["part"]["kind"] == "study"
    for row in chosen["predictions"]:
        if row["n"] and (not study or row["name"].startswith("agreement")):  # what studies are about
            correlation = "not defined" if row["correlation"] is None else text.number(row["correlation"])
            made.append(
                {
                    "statement": f"Predicted {row['name']}",
                    "measured": f"mean absolute error {text.number(row['mean_error'])}, "
                    f"correlation {correlation}, {text.count(row['n'])} runs",
                    "basis": f"run by run; {chosen['runs']}",
                }
            )
    return made


def _reached(section: Json) -> list[dict[str, str]]:
    made = []
    for panel in section["panels"]:
        reach = panel["reach"]
        if reach is None or not reach["n"] or len(panel["points"]) < 2:
            continue
        share = f"reached by {reach['reached']} of {reach['n']} seeds"
        if reach["max"] is not None:
            share = f"median {reach['median']:g}, {reach['min']:g} to {reach['max']:g}; {share}"
        elif reach["min"] is not None:
            share = f"{share}; smallest {reach['min']:g}"
        made.append(
            {
                "statement": f"{panel['sweep']}: {panel['x_label']} from which on agreement is at least "
                f"{reach['level']:g}",
                "measured": share,
                "basis": "first of the values tried, for each seed by itself"
                + (f"; {reach['incomplete']} seeds lack a run" if reach["incomplete"] else ""),
            }
        )
    return made


def _failures(section: Json) -> list[dict[str, str]]:
    points = [point for panel in section["panels"] for point in panel["points"]]
    failed, missing = (sum(point[state] for point in points) for state in ("failed", "missing"))
    if not failed and not missing:
        return []
    return [
        {
            "statement": "Runs without a result",
            "measured": f"{failed} failed, {missing} missing, of {sum(point['runs'] for point in points)}",
            "basis": "a run that several points share counts for each",
        }
    ]


def _probability(value: float) -> str:
    return text.number(value, 2) if value >= 1e-12 else "below 1e-12"
