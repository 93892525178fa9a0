"""What a sweep shows, in a few lines with numbers: pure functions of its JSON value."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from reports import text
from reports.judging import CONFIDENCE
from reports.sweeps.explained import RULE_RUNS
from reports.sweeps.statistics import RISING_RULE
from reports.text import many
from reports.verdicts import FALSE_ALARM

Json = Mapping[str, Any]


def claims(results: Json) -> list[dict[str, str]]:
    """Return the lines: section, statement, what was measured, and what it rests on.

    Parameters
    ----------
    results : mapping
        From `reports.sweeps.reproduction.build`.
    """
    made = []
    for section in results["sections"]:
        rows = [row for lines in _LINES for row in lines(section)]
        made += [{"section": section["title"], **row} for row in rows]
    return made


def _published(section: Json) -> list[dict[str, str]]:
    compared = section["published"]
    if compared is None:
        return []
    if section["foreign"]:
        return [
            {
                "statement": "Published values within the range of our seeds, up to their reading errors",
                "measured": f"unknown: {_others(section)} not the published files",
                "basis": "published values are beside another data set: shown, not compared",
            }
        ]
    made = []
    parts = ", ".join(
        f"{name.replace('_', ' ')} {row['inside']} of {row['count']}"
        for name, row in compared["by_metric"].items()
    )
    if compared["all"]["count"]:
        made.append(_within("Published values", compared["all"], parts))
    cosines = compared["cosines"]["cosine_published"]
    if cosines["count"]:
        difference = text.number(compared["cosine_difference"]["cosine_published"], 2)
        made.append(_within("Published cosines with u", cosines, f"mean difference {difference}"))
    return made


def _others(section: Json) -> str:
    """Return which images are not the published ones, with the verb that follows."""
    names = [name for name, same in section["images"].items() if not same]
    return f"the images of {' and '.join(names)} are"


def _within(what: str, row: Json, more: str) -> dict[str, str]:
    return {
        "statement": f"{what} within the range of our seeds, up to their reading errors",
        "measured": f"{row['inside']} of {row['count']} ({more}); one more seed: "
        f"{text.number(row['expected'])} or more expected, P(so few) {_probability(row['p_value'])}",
        "basis": "as if points were independent; they share seeds, so the probability is a guide only"
        + (f"; {row['not_compared']} more could not be compared" if row["not_compared"] else ""),
    }


def _trends(section: Json) -> list[dict[str, str]]:
    found = section["trends"]
    rows = [] if found is None else [row for row in found["rows"] if row["basis"] is not None]
    if not any(row["n"] for row in rows):
        return []
    counts = Counter(row["verdict"] for row in rows)
    failing = ", ".join(row["sweep"] for row in rows if row["verdict"] == "fails")
    reasons = Counter(row["decision"] for row in rows if row["verdict"] == "unknown")
    unknown = ", ".join(f"{count} {why}" for why, count in reasons.items())
    fixed = ", ".join(row["sweep"] for row in rows if row["fixed_data"])
    return [
        {
            "statement": "Agreement rises where the published conditions become easier to meet",
            "measured": f"holds in {counts['holds']}, fails in {counts['fails']}, unknown in "
            f"{counts['unknown']} of {many(len(rows), 'sweep')}"
            + (f" ({unknown})" if unknown else "")
            + (f"; fails: {failing}" if failing else ""),
            "basis": f"signs of rank correlations, one a seed: each sweep {RISING_RULE}; false alarm "
            f"shared by {many(found['tested'], 'sweep')}"
            + (f"; seeds vary the networks and targets only, the data are fixed: {fixed}" if fixed else ""),
        }
    ]


def _explained(section: Json) -> list[dict[str, str]]:
    """Return a line a predictor: the widest set, and beside it the subset of the two-number rule."""
    made = []
    chosen = section["explained"][section["explained_shown"]]
    study = section["part"] is not None and section["part"]["kind"] == "study"
    special = [one for one in section["explained"] if one["runs"] == RULE_RUNS]
    for index, row in enumerate(chosen["predictions"]):
        if row["n"] and (not study or row["name"].startswith("agreement")):  # what studies are about
            subset = special[0]["predictions"][index] if special else {"n": 0}
            of_subset = f"; of the subset {_quality(subset)}" if subset["n"] else ""
            made.append(
                {
                    "statement": f"Predicted {row['name']}",
                    "measured": f"{_quality(row)}{of_subset}",
                    "basis": f"run by run; {chosen['runs']}"
                    + (f"; subset: {RULE_RUNS}" if of_subset else ""),
                }
            )
    return made


def _quality(row: Json) -> str:
    correlation = "not defined" if row["correlation"] is None else text.number(row["correlation"], 4)
    return (
        f"mean absolute error {text.number(row['mean_error'])}, correlation {correlation}, "
        f"{many(row['n'], 'run')}"
    )


def _criterion(section: Json) -> list[dict[str, str]]:
    found = section["criterion"]
    if found is None or not found["rows"]:
        return []
    alone = _verdicts(row for row in found["rows"] if not row["trained"])
    beside = _verdicts(row for row in found["rows"] if row["trained"])
    return [
        {
            "statement": f"Accuracy of g predicted with correlation ≥ {found['correlation']:g} and mean "
            f"absolute error ≤ {found['mean_error']:g}",
            "measured": f"without training: {alone or 'no prediction'}"
            + (f". Beside it, with training: {beside}" if beside else ""),
            "basis": f"{many(found['total'], 'run')}: {found['runs']}; means over seeds, not rounded: "
            f"holds if the t intervals at {CONFIDENCE} exclude less and more, fails if one excludes the "
            f"limit itself, false alarm {FALSE_ALARM:g} a predictor",
        }
    ]


def _verdicts(rows: Iterable[Json]) -> str:
    """Return the names of predictors by verdict, each with what decided it."""
    names: dict[str, list[str]] = {"holds": [], "fails": [], "unknown": []}
    for row in rows:
        names[row["verdict"]].append(f"{row['name'].partition(', ')[2]} ({row['decision']})")
    return "; ".join(f"{verdict}: {', '.join(some)}" for verdict, some in names.items() if some)


def _reached(section: Json) -> list[dict[str, str]]:
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
            {
                "statement": f"{panel['sweep']}: {panel['x_label']} from which on agreement is at least "
                f"{reach['level']:g}",
                "measured": share,
                "basis": "first of the values tried, for each seed by itself"
                + (f"; {many(reach['incomplete'], 'seed')} without a run" if reach["incomplete"] else ""),
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


_LINES = (_published, _trends, _reached, _explained, _criterion, _failures)
