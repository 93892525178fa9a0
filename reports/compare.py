"""Two reports side by side: settings that differ, verdicts that changed, and what changed beyond its spread.

Each quantity that a run measures is compared at each width that both reports have.  Where seeds are shared
they are paired (Student's t of the differences), where none is, the means are compared by Welch's t; the
error probability is shared equally by all tests.  Pure functions of results.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
from scipy import stats

from reports.statistics import summarise
from theory.validation import Array, check_probability

COMPARE_VERSION = 1
# That any quantity is called changed where none is, over all tests of a comparison.
ERROR_PROBABILITY = 0.01
# Deviations below this share of the numbers are rounding, no spread.
_ROUNDING = 1e-12
# Not quantities: what a run is, and a p-value, which is judged by its claim.
_LEFT_OUT = frozenset({"width", "seed", "conditions", "free_pvalue"})
_SETTINGS = ("provenance.command", "provenance.revision", "provenance.versions", "provenance.machine")

Outcome = Literal["equal", "within", "beyond", "unknown"]
Results = Mapping[str, Any]


def compare(
    a: Results,
    b: Results,
    *,
    names: tuple[str, str] = ("A", "B"),
    error_probability: float = ERROR_PROBABILITY,
) -> dict[str, Any]:
    """Return the comparison of two reports as one JSON value.

    Parameters
    ----------
    a, b : mapping
        Results, as `reports.schema.read` returns them.
    names : pair of str
        What they are called.
    error_probability : float in (0, 1)
        Bounds the chance that any row is "beyond" although all means are equal, as far as means over seeds
        are normal: Student's and Welch's t are exact and nearly exact there, approximate elsewhere.
        Shared equally by all rows (Bonferroni), which may depend on each other.

    Returns
    -------
    dict
        ``verdicts`` that changed, ``settings`` that differ, ``sections`` (paired by name; two reports of one
        data set each are paired in any case) with rows by quantity and width, ``alone``: names of data sets
        that only one has.  A row is "equal" (every number is), "within" its spread, "beyond" it, or
        "unknown": a number is missing, there are fewer than two seeds, one seed alone is shared, or a
        difference has no spread.

    Raises
    ------
    ValueError, TypeError
        If `error_probability` is not one.
    """
    check_probability("error_probability", error_probability)
    pairs = _pairs(a, b)
    sections = [_section(one, other) for one, other in pairs]
    rows = [row for section in sections for row in section["rows"]]
    # Every row counts, tested or not: which can be tested is a matter of chance.
    level = error_probability / len(rows) if rows else None
    for row in rows:
        if row["outcome"] is None:
            row["low"], row["high"] = _interval(row, level or math.nan)
            row["outcome"] = "beyond" if level is not None and row["p"] <= level else "within"
        del row["df"], row["error"]
    taken = ([one["name"] for one, _ in pairs], [other["name"] for _, other in pairs])
    return {
        "compare_version": COMPARE_VERSION,
        "names": list(names),
        "partial": ["partial" in results for results in (a, b)],
        "error_probability": error_probability,
        "rows": len(rows),
        "tested": sum(row["p"] is not None for row in rows),
        "level": level,
        "counts": {
            outcome: sum(row["outcome"] == outcome for row in rows)
            for outcome in ("beyond", "within", "equal", "unknown")
        },
        "verdicts": _verdicts(a, b, pairs),
        "settings": _settings(a, b, pairs),
        "sections": sections,
        "alone": [
            [section["name"] for section in results["sections"] if section["name"] not in names_taken]
            for results, names_taken in zip((a, b), taken, strict=True)
        ],
    }


def difference(a: Mapping[int, float | None], b: Mapping[int, float | None]) -> dict[str, Any]:
    """Compare one quantity of two reports.

    Parameters
    ----------
    a, b : mapping
        Value by seed; None where a run has none.

    Returns
    -------
    dict
        ``kind``: "paired", "independent" or None; ``n``: numbers of seeds compared; ``difference``: mean of B
        minus mean of A over these; ``error``: its standard error; ``df``; ``p``: two-sided; ``outcome``:
        "equal", "unknown", or None where p decides; ``reason`` where it is unknown.
    """
    shared = [seed for seed in a if seed in b]
    if len(shared) == 1 and not len(a) == len(b) == 1:
        return _untested("one seed in common: neither paired nor independent")
    first, second = [a[seed] for seed in (shared or a)], [b[seed] for seed in (shared or b)]
    known: dict[str, Any] = {
        "kind": "paired" if shared else "independent",
        "n": [len(first), len(second)],
    }
    if any(value is None or not math.isfinite(value) for value in (*first, *second)):
        return _untested("a number is missing") | known
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        gap = float(y.mean() - x.mean())
        known["difference"] = gap if math.isfinite(gap) else None
        error, df = _paired(x, y) if shared else _welch(x, y)
    equal = np.array_equal(x, y) if shared else np.ptp([*x, *y]) == 0
    reason = None
    if min(len(x), len(y)) < 2:
        reason = "fewer than two seeds"
    elif not (math.isfinite(gap) and math.isfinite(error)):
        reason = "overflow"
    elif error <= _ROUNDING * max(np.abs(x).max(), np.abs(y).max()) or not df >= 1:
        reason = "the difference has no spread"
    if equal:
        return _untested(None) | known | {"outcome": "equal"}
    if reason is not None:
        return _untested(reason) | known
    p = float(2 * stats.t.sf(abs(gap) / error, df))
    return known | {"error": error, "df": df, "p": p, "outcome": None, "reason": None}


def _paired(x: Array, y: Array) -> tuple[float, float]:
    """Return standard error and degrees of freedom of the mean difference of pairs."""
    if len(x) < 2:
        return math.nan, math.nan
    return float((y - x).std(ddof=1)) / math.sqrt(len(x)), float(len(x) - 1)


def _welch(x: Array, y: Array) -> tuple[float, float]:
    """Return standard error and Welch's degrees of freedom of the difference of two means."""
    if min(len(x), len(y)) < 2:
        return math.nan, math.nan
    parts = [float(values.var(ddof=1)) / len(values) for values in (x, y)]
    below = sum(part**2 / (len(values) - 1) for part, values in zip(parts, (x, y), strict=True))
    return math.sqrt(sum(parts)), sum(parts) ** 2 / below if below > 0 else math.nan


def _untested(reason: str | None) -> dict[str, Any]:
    return {
        "kind": None,
        "n": None,
        "difference": None,
        "error": None,
        "df": None,
        "p": None,
        "outcome": "unknown",
        "reason": reason,
    }


def _interval(row: Mapping[str, Any], level: float) -> tuple[float | None, float | None]:
    """Return the interval of the difference that fails with probability `level`."""
    reach = float(stats.t.isf(level / 2, row["df"])) * row["error"]
    if not math.isfinite(reach):
        return None, None
    return row["difference"] - reach, row["difference"] + reach


# Which parts belong together ------------------------------------------------------------------------


def _pairs(a: Results, b: Results) -> list[tuple[Results, Results]]:
    if len(a["sections"]) == len(b["sections"]) == 1:
        return [(a["sections"][0], b["sections"][0])]
    others = {section["name"]: section for section in b["sections"]}
    return [(section, others[section["name"]]) for section in a["sections"] if section["name"] in others]


def _section(one: Results, other: Results) -> dict[str, Any]:
    common = [width for width in one["widths"] if width in other["widths"]]
    widths = [(width, width) for width in common] or [(one["widths"][-1], other["widths"][-1])]
    rows = [row for pair in widths for row in _rows(one, other, pair)]
    return {
        "names": [one["name"], other["name"]],
        "widths": [list(pair) for pair in widths],
        "common": bool(common),
        "seeds": [list(one["seeds"]), list(other["seeds"])],
        "rows": rows,
        "fixed": _fixed(one, other),
    }


def _rows(one: Results, other: Results, widths: tuple[int, int]) -> Iterator[dict[str, Any]]:
    tables = [
        {run["seed"]: _quantities(run) for run in section["runs"] if run["width"] == width}
        for section, width in zip((one, other), widths, strict=True)
    ]
    names = dict.fromkeys(name for table in tables for run in table.values() for name in run)
    for name in names:
        columns = [{seed: run.get(name) for seed, run in table.items()} for table in tables]
        if any(all(value is None for value in column.values()) for column in columns):
            continue  # measured in one report alone, or in none
        yield {
            "quantity": name,
            "widths": list(widths),
            "a": _summary(columns[0]),
            "b": _summary(columns[1]),
            "low": None,
            "high": None,
            **difference(*columns),
        }


def _summary(column: Mapping[int, float | None]) -> dict[str, Any]:
    """Mean and spread over the seeds that have a value."""
    known = [value for value in column.values() if value is not None]
    with np.errstate(over="ignore", invalid="ignore"):
        summary = summarise(known)
    finite = [value if math.isfinite(value) else None for value in (summary.mean, summary.sd)]
    return {"mean": finite[0], "sd": finite[1], "n": summary.n}


def _quantities(run: Results) -> dict[str, float | None]:
    """Return every number of a run by its path, and the errors relative to the size of what is predicted."""
    numbers = dict(_numbers(run, ""))
    for network in ("f", "g"):
        error, scale = run[network].get("error"), run[network].get("scale")
        ratio = error / scale if error is not None and scale else math.nan
        numbers[f"{network}.relative_error"] = ratio if math.isfinite(ratio) else None
    return numbers


def _numbers(value: Results, prefix: str, points: int | None = None) -> Iterator[tuple[str, float | None]]:
    """Yield numbers by path; counts among `points` as shares, which another test set has too."""
    points = value.get("points", points)
    for name, item in value.items():
        if name in _LEFT_OUT:
            continue
        if isinstance(item, Mapping):
            yield from _numbers(item, f"{prefix}{name}.", points)
        elif item is None or (isinstance(item, (int, float)) and not isinstance(item, bool)):
            if item is None or points is None:
                yield f"{prefix}{name}", item
            elif name != "points":
                yield f"{prefix}{name}, share of points", item / points


# What has no spread ---------------------------------------------------------------------------------


def _fixed(one: Results, other: Results) -> list[dict[str, Any]]:
    """Return the numbers of a section that are computed once, from the data, and differ."""
    tables = []
    for section in (one, other):
        bounds = section["width_bounds"]
        flat = {"largest norm/√d": section["largest_norm"], "published width": bounds["published"]}
        for row in bounds["rows"]:
            for name in ("from_data_median", "from_data_largest", "from_norms"):
                flat[f"width bound, {row['network']}, {name.replace('_', ' ')}"] = row[name]
        proof = section["certificates"]
        for network, kinds in proof["required"].items():
            for kind, widths in kinds.items():
                for share, width in zip(proof["shares_wanted"], widths, strict=False):
                    flat[f"width that certifies {100 * share:g} %, {network}, {kind}"] = width
        tables.append(flat)
    names = [name for name in tables[0] if name in tables[1]]
    return [
        {"quantity": name, "a": tables[0][name], "b": tables[1][name]}
        for name in names
        if tables[0][name] != tables[1][name]
    ]


def _settings(a: Results, b: Results, pairs: Sequence[tuple[Results, Results]]) -> list[dict[str, Any]]:
    """Return what was asked for, and by which versions, where it differs."""
    rows = []
    for path in _SETTINGS:
        group, name = path.split(".")
        rows += _differing(name, a[group][name], b[group][name], None)
    rows += _differing("schema_version", a["schema_version"], b["schema_version"], None)
    for one, other in pairs:
        place = one["name"]
        for name in ("name", "classes", "preparation", "num_test", "widths", "seeds"):
            rows += _differing(name, one[name], other[name], place)
        rows += _differing("", one["setting"], other["setting"], place)
        told = {key for key in one["setting"] if key in one["config"]}  # as resolved in the setting
        configs = [
            {key: value for key, value in section["config"].items() if key not in told}
            for section in (one, other)
        ]
        rows += _differing("", configs[0], configs[1], place)
    return rows


def _differing(name: str, one: Any, other: Any, section: str | None) -> list[dict[str, Any]]:  # noqa: ANN401
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = dict.fromkeys([*one, *other])
        return [
            row
            for key in keys
            for row in _differing(f"{name}.{key}".lstrip("."), one.get(key), other.get(key), section)
        ]
    if one == other:
        return []
    return [{"section": section, "name": name, "a": one, "b": other}]


def _verdicts(a: Results, b: Results, pairs: Sequence[tuple[Results, Results]]) -> list[dict[str, Any]]:
    """Return the claims whose verdict changed; one that a report does not make has none there."""
    rows = []
    places = [(None, None), *((one["name"], other["name"]) for one, other in pairs)]
    for place in places:
        tables = [
            {claim["key"]: claim for claim in results["claims"] if claim["section"] == name}
            for results, name in zip((a, b), place, strict=True)
        ]
        for key in dict.fromkeys([*tables[0], *tables[1]]):
            one, other = tables[0].get(key), tables[1].get(key)
            if one is not None and other is not None and one["verdict"] == other["verdict"]:
                continue
            known = one if one is not None else other
            if known is None:
                raise AssertionError
            rows.append(
                {
                    "section": place[0],
                    "key": key,
                    "statement": known["statement"],
                    "a": None if one is None else {n: one[n] for n in ("verdict", "predicted", "measured")},
                    "b": None
                    if other is None
                    else {n: other[n] for n in ("verdict", "predicted", "measured")},
                }
            )
    return rows
