"""How well what is predicted run by run is measured."""

from collections.abc import Mapping
from typing import Any

from reports import text
from reports.claims.sweeps.criterion import RULE_RUNS
from reports.text import many
from reports.verdicts import Claim

Json = Mapping[str, Any]


def explained(section: Json) -> list[Claim]:
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
                Claim(
                    source="derived here",
                    verdict=None,
                    statement=f"Predicted {row['name']}",
                    measured=f"{_quality(row)}{of_subset}",
                    rule=f"run by run; {chosen['runs']}" + (f"; subset: {RULE_RUNS}" if of_subset else ""),
                )
            )
    return made


def _quality(row: Json) -> str:
    correlation = "not defined" if row["correlation"] is None else text.number(row["correlation"], 4)
    return (
        f"mean absolute error {text.number(row['mean_error'])}, correlation {correlation}, "
        f"{many(row['n'], 'run')}"
    )
