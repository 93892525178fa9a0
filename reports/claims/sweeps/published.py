"""Published values and cosines within the ranges of our seeds, as one more seed would be."""

from collections.abc import Mapping
from typing import Any

from reports import text
from reports.verdicts import Claim

Json = Mapping[str, Any]


def published_values(section: Json) -> list[Claim]:
    """Return how many published values are within our ranges; unknown beside other images."""
    compared = section["published"]
    if compared is None:
        return []
    if section["foreign"]:
        return [
            Claim(
                source="published",
                verdict=None,
                statement="Published values within the range of our seeds, up to their reading errors",
                measured=f"unknown: {_others(section)} not the published files",
                rule="published values are beside another data set: shown, not compared",
            )
        ]
    made = []
    parts = ", ".join(
        f"{name.replace('_', ' ')} {row['inside']} of {row['count']}"
        for name, row in compared["by_metric"].items()
    )
    if compared["all"]["count"]:
        made.append(within_ranges("Published values", compared["all"], parts))
    cosines = compared["cosines"]["cosine_published"]
    if cosines["count"]:
        difference = text.number(compared["cosine_difference"]["cosine_published"], 2)
        made.append(within_ranges("Published cosines with u", cosines, f"mean difference {difference}"))
    return made


def _others(section: Json) -> str:
    """Return which images are not the published ones, with the verb that follows."""
    names = [name for name, same in section["images"].items() if not same]
    return f"the images of {' and '.join(names)} are"


def within_ranges(what: str, row: Json, more: str) -> Claim:
    """State how many published values are as one more seed could be; their points share seeds: no verdict.

    Parameters
    ----------
    what : str
    row : mapping
        From `reports.statistics.like_one_more_seed`, of a value at least.
    more : str
        Said of them in brackets.
    """
    return Claim(
        source="published",
        verdict=None,
        statement=f"{what} within the range of our seeds, up to their reading errors",
        predicted=f"{text.number(row['expected'])} or more of {row['count']} within, as of one more seed",
        measured=f"{row['inside']} of {row['count']} ({more}); one more seed: "
        f"{text.number(row['expected'])} or more expected, P(so few) {_probability(row['p_value'])}",
        rule="as if points were independent; they share seeds, so the probability is a guide only"
        + (f"; {row['not_compared']} more could not be compared" if row["not_compared"] else ""),
    )


def _probability(value: float) -> str:
    return text.number(value, 2) if value >= 1e-12 else "below 1e-12"
