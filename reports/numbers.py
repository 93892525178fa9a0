"""The numbers behind each figure and table of a page, as rows: functions of results only.

What a figure draws, and what a table rounds, is here as it stands in ``results.json``; the page links it as
CSV and shows the first rows.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import numpy as np
from markupsafe import Markup

Section = Mapping[str, Any]
Cell = str | float | None

SHOWN = 40  # rows of a figure's numbers that the page shows
# Characters that need no escape in a data URI within an attribute in double quotes.
_PLAIN = "/?:@!$()*,;="
# Text that begins so, spaces aside, is a formula to a spreadsheet.
_FORMULA = ("=", "+", "-", "@")
_CONTROL = ("\t", "\r")


@dataclass(frozen=True, kw_only=True)
class Numbers:
    """A table of numbers.

    Attributes
    ----------
    columns : tuple of str
    rows : tuple of tuple
        Numbers as in the results, text, or None.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def csv(self) -> str:
        """Return the rows as CSV: numbers so that they read back as they are, empty where there is none."""
        stream = io.StringIO()
        lines = [[_cell(value) for value in line] for line in (self.columns, *self.rows)]
        # Without quotes a carriage return in a text would end its row.
        returns = any("\r" in cell for line in lines for cell in line)
        writer = csv.writer(
            stream, lineterminator="\n", quoting=csv.QUOTE_ALL if returns else csv.QUOTE_MINIMAL
        )
        writer.writerows(lines)
        return stream.getvalue()

    def link(self, name: str, label: str = "CSV") -> Markup:
        """Return a link that holds the CSV itself, saved as `name`.csv."""
        content = quote(self.csv(), safe=_PLAIN)
        pattern = '<a class="csv" download="{}.csv" href="data:text/csv;charset=utf-8,{}">{}</a>'
        return Markup(pattern).format(name, content, label)

    @property
    def shown(self) -> tuple[tuple[Cell, ...], ...]:
        """The rows that the page shows below a figure."""
        return self.rows[:SHOWN]


def _cell(value: Cell) -> str:
    """Return a cell; text that a spreadsheet would compute gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, str):
        formula = value.startswith(_CONTROL) or value.lstrip().startswith(_FORMULA)
        return f"'{value}" if formula else value
    # Of plain numbers: those of numpy would show their type.
    return repr(value.item() if isinstance(value, np.generic) else value)


def records(rows: Iterable[Mapping[str, Any]]) -> Numbers:
    """Return objects as rows; parts of parts become columns such as ``f.error.mean``, lists are left out."""
    flat = [dict(_leaves(row, "")) for row in rows]
    columns = tuple(dict.fromkeys(name for row in flat for name in row))
    return Numbers(columns=columns, rows=tuple(tuple(row.get(name) for name in columns) for row in flat))


def _leaves(value: Mapping[str, Any], place: str) -> Iterable[tuple[str, Cell]]:
    for key, item in value.items():
        name = f"{place}.{key}" if place else str(key)
        if isinstance(item, Mapping):
            yield from _leaves(item, name)
        elif not isinstance(item, (list, tuple)):
            yield name, item


def together(columns: Mapping[str, Sequence[Cell]]) -> Numbers:
    """Return columns of one length as a table."""
    return Numbers(columns=tuple(columns), rows=tuple(zip(*columns.values(), strict=True)))


def of_phi(phi: Mapping[str, Any]) -> dict[str, Numbers]:
    """Return the numbers of the figures of Φ by name."""
    curves = [
        {"kind": "closed form", "negative_slope": curve["negative_slope"], "rho": rho, "value": value}
        for curve in phi["curves"]
        for rho, value in zip(curve["rho"], curve["closed_form"], strict=True)
    ]
    points = [
        {"kind": "quadrature", "negative_slope": row["negative_slope"], "rho": row["rho"]}
        | {"value": row["quadrature"]}
        for row in phi["quadrature"]
    ]
    sampled = phi["monte_carlo"]
    return {
        "phi": records(curves + points),
        "monte-carlo": together({name: sampled[name] for name in ("exact", "mean", "standard_error")}),
    }


def of_section(section: Section, claims: Sequence[Mapping[str, Any]]) -> dict[str, Numbers]:
    """Return the numbers of every figure and table of a data set by name; none for what is not drawn."""
    return (
        {"claims": records(claim for claim in claims if claim["section"] == section["name"])}
        | _of_widths(section)
        | _of_proofs(section)
        | _of_simulation(section)
        | _of_points(section)
        | _of_diagnosis(section)
    )


def _of_widths(section: Section) -> dict[str, Numbers]:
    """Return what is measured at each width: means and spreads, the part that a figure shows, each run."""
    rows = section["by_width"]

    def part(**wanted: Sequence[str]) -> Numbers:
        return records(
            {"width": row["width"]}
            | {group: {name: row[group][name] for name in names} for group, names in wanted.items()}
            for row in rows
        )

    free = ("free_predicted", "free_measured", "flipped")
    return {
        "free": part(f=free, g=free),
        "error": part(f=("relative_error",), g=("relative_error",)),
        "cosine": part(cosines=("trained_paper", "trained_gradient", "between")),
        "agreement": part(agreement=("measured", "predicted"), g=("accuracy_test",)),
        "cosines": records({"width": row["width"], "cosines": row["cosines"]} for row in rows),
        "by-width": records(rows),
        "runs": records(
            {name: run[name] for name in ("width", "seed", "f", "g", "cosines", "agreement")}
            for run in section["runs"]
        ),
        "widths": records(section["width_bounds"]["rows"]),
        "conditions": records(section["condition_rows"]),
    }


def _of_proofs(section: Section) -> dict[str, Numbers]:
    """Return certified shares, terms of the bound, required widths, thresholds, other theories."""
    proof, beside = section["certificates"], section["beside"]
    shares = {
        f"{name}.{dynamics}": values
        for name, kinds in proof["shares"].items()
        for dynamics, values in kinds.items()
    }
    required = {
        f"{name}.{dynamics}": values
        for name, kinds in proof["required"].items()
        for dynamics, values in kinds.items()
    }
    kinds = beside["widths"]["ours"]
    prior = section["prior_work"]["ratios"]
    found = {
        "certified": together({"width": proof["widths"]} | shares),
        "terms": together({"width": proof["widths"]} | proof["terms"]),
        "required": together({"share of the points": proof["shares_wanted"]} | required),
        "thresholds": records({"network": name} | row for name, row in beside["networks"].items()),
        "required-beside": together(
            {
                "share of the points": proof["shares_wanted"],
                "published": [beside["widths"]["published"]] * len(proof["shares_wanted"]),
            }
            | {f"ours.{kind}": values for kind, values in kinds.items()}
            | {f"ours / published.{kind}": values for kind, values in beside["widths"]["factors"].items()}
        ),
        "feasibility": records(section["feasibility"]),
        "prior": records(section["prior_work"]["rows"]),
        "prior-ratios": records([prior]),
    }
    if section["choice"] is not None:
        widths = {str(number): width for number, width in enumerate(section["choice"]["widths"], start=1)}
        found["choice"] = records([section["choice"] | {"widths": widths}])
    return found


def _of_simulation(section: Section) -> dict[str, Numbers]:
    far = section["simulated"]
    if far is None:
        return {}
    predictors = records(
        {"network": network, "quantity": group, "predictor": name, **row}
        for group in ("sign_match", "error")
        for network in ("f", "g")
        for name, row in far[group][network].items()
    )
    return {
        "predictors": predictors,
        "simulated": records({"certificate": kind} | row for kind, row in far["totals"].items()),
        "simulated-widths": records(far["scan"]),
    }


def _of_points(section: Section) -> dict[str, Numbers]:
    """Return what is drawn of single networks: points, displacements, the map, pixels."""
    found = {f"scatter_{n}": together(_lists(section["scatter"][n])) for n in ("f", "g")}
    for network in ("f", "g"):
        rows = [row for row in section["drift"] if row[network] is not None]
        if rows:
            found[f"drift_{network}"] = records(
                {"width": row["width"], "from": low, "to": high}
                | {name: values[index] for name, values in _lists(row[network]).items()}
                for row in rows
                for index, (low, high) in enumerate(zip(row["edges"], row["edges"][1:], strict=False))
            )
    found["drift"] = records(
        {"network": network, "width": row["width"], "seed": row["seed"], "points": row["points"]}
        | {name: row[network].get(name) for name in ("largest", "outside", "blind", "difference")}
        for network in ("f", "g")
        for row in section["drift"]
        if row[network] is not None
    )
    if section["map"] is not None:
        found["map"] = _map(section["map"])
        found["map-points"] = _map_points(section["map"])
    if section["images"] is not None:
        found["images"] = _pixels(section["images"])
    return found


def _lists(value: Mapping[str, Any]) -> dict[str, list[Cell]]:
    return {name: item for name, item in value.items() if isinstance(item, list)}


def _map(drawn: Mapping[str, Any]) -> Numbers:
    """Return the values on the grid, a row for each quantity and place on the second axis."""
    ticks = drawn["ticks"]
    grids = {name: drawn[name] for name in ("f", "g", "f_b", "g_b")}
    if drawn["certified"] is not None:
        grids["certified"] = drawn["certified"]
    size = len(ticks)
    rows: list[tuple[Cell, ...]] = [
        (name, y, *values[index * size : (index + 1) * size])
        for name, values in grids.items()
        for index, y in enumerate(ticks)
    ]
    columns = ("quantity", "second axis", *(f"first axis {tick!r}" for tick in ticks))
    return Numbers(columns=columns, rows=tuple(rows))


def _map_points(drawn: Mapping[str, Any]) -> Numbers:
    """Return the training points on the axes of the map."""
    first, second = ([point[axis] for point in drawn["data"]] for axis in (0, 1))
    return together({"label": drawn["labels"], "first axis": first, "second axis": second})


def _pixels(drawn: Mapping[str, Any]) -> Numbers:
    """Return one row a pixel, row by row of the picture, one column a picture."""
    columns: dict[str, Sequence[Cell]] = {
        f"{name} {number}": values
        for name, pictures in drawn["pictures"].items()
        for number, values in enumerate(pictures, start=1)
    }
    return together(columns)


def _of_diagnosis(section: Section) -> dict[str, Numbers]:
    found = section["diagnosis"]
    rows = found["by_width"]

    def part(name: str) -> Numbers:
        return records({key: row[key] for key in ("width", "points", "differ", name)} for row in rows)

    causes = records(
        {key: row[key] for key in ("width", "points", "differ", "causes", "enough")} for row in rows
    )
    return {
        "causes": causes,
        "unmet": part("unmet"),
        "sizes": part("sizes"),
        "failed": records(found["failed"]),
    }
