"""The page of a comparison of two reports."""

from collections.abc import Iterator, Sequence
from typing import Any

from reports import text
from reports.claim_text import spread
from reports.compare import Comparison, Judged, Paired, Row
from reports.inline import Content, Part, lines, rich
from reports.page import Block, Page, Prose, Section, Table, fold, note, say, table
from reports.presets import SEEDS
from reports.shown import opening, steps_of
from reports.text import count, many, number


def page(comparison: Comparison) -> Page:
    """Return the page of a comparison from `reports.compare.compare`."""
    c = text.legible(comparison)
    named = [
        (f"{side}: ", Part("bdi", name), " (partial)" if partial else "")
        for side, name, partial in zip("AB", c.names, c.partial, strict=True)
    ]
    return Page(
        "Two reports compared",
        lines(*named),
        (
            Section("", (Prose(_short(c), "short"), opening(_steps(c), theorem=_theorem(c)))),
            Section("Verdicts that changed", tuple(_verdicts(c)), "verdicts"),
            Section("Settings that differ", tuple(_settings(c)), "settings"),
            *(
                Section(section.label, tuple(_section(section)), f"s{place}")
                for place, section in enumerate(c.sections, start=1)
            ),
        ),
        note=" ".join(c.apart),
    )


def _short(c: Comparison) -> Content:
    """Say in a sentence what changed."""
    return rich(
        "**{}** changed, **{}** of {} of numbers differ beyond their spread, and {}.",
        *(many(len(c.verdicts), "verdict"), count(c.counts["beyond"]), many(c.rows, "row")),
        many(len(c.settings), "setting differs", "settings differ"),
    )


def _theorem(c: Comparison) -> Content:
    """Return what the published theorem says of each data set in A and in B."""
    said = []
    for section in c.sections:
        where = f"{section.label}: " if len(c.sections) > 1 else ""
        one, other = section.theorem
        said += [f"{where}{one}"] if one == other else [f"{where}A: {one}", f"{where}B: {other}"]
    return lines(*said) if said else ""


def _steps(c: Comparison) -> list[tuple[str, str]]:
    """Return questions that the comparison leaves, each with the command that answers it."""
    most = max((len(seeds) for section in c.sections for seeds in section.seeds), default=0)
    unknown = c.counts["unknown"]
    asked = f"""{many(unknown, "number")} cannot be told apart yet; more seeds may do it, with the commands of
        both reports again, the same --out and"""
    more = f"--seeds {max(SEEDS, 2 * most)}"
    return [(" ".join(asked.split()), more)] * (unknown > 0) + steps_of("comparison")


def setting_text(value: Any) -> str:  # noqa: ANN401
    """Return a setting as text."""
    if value is None:
        return text.DASH
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value, 6)
    if isinstance(value, int):
        return count(value)
    if isinstance(value, list):
        return ", ".join(map(setting_text, value))
    return str(value)


def _verdicts(c: Comparison) -> Iterator[Block]:
    columns = {
        "Claim": lambda row: row.statement,
        "Data": lambda row: "Φ" if row.section is None else row.section,
        "A": lambda row: _judged(row.a),
        "B": lambda row: _judged(row.b),
    }
    yield table(c.verdicts, columns, name="verdicts") if c.verdicts else say("No verdict changed.")
    found, level = c.counts, ""
    if c.level is not None:
        level = f", {number(c.level)} for each of the {c.rows} rows"
    yield say(f"""Of {c.rows} rows of numbers {found["beyond"]} differ beyond their spread,
        {found["within"]} within it, {found["equal"]} are equal and {found["unknown"]} unknown.""")
    yield note(f"""Quantities over seeds: mean ± standard deviation. Where both reports have the same seeds
        these are paired (Student’s t of the differences), where they have none in common Welch’s t compares
        the means. Error probability {number(c.error_probability)} that any row is called “beyond” though
        all means are equal{level}: exact or nearly so for normal values, approximate for others. Brackets are
        intervals at that level. “Unknown”: a number is missing, there are too few seeds, or a difference has
        no spread to compare it with.""")


def _judged(claim: Judged | None) -> Content:
    if claim is None:
        return Part("small", "not judged")
    said = lines(("predicted ", claim.predicted), ("measured ", claim.measured))
    return Part("badge", str(claim.verdict)), " ", said


def _settings(c: Comparison) -> Iterator[Block]:
    columns = {
        "Setting": lambda row: row.name,
        "Data": lambda row: "whole report" if row.section is None else row.section,
        "A": lambda row: Part("bdi", setting_text(row.a)),
        "B": lambda row: Part("bdi", setting_text(row.b)),
    }
    yield table(c.settings, columns, name="settings") if c.settings else say("No setting differs.")


def _section(section: Paired) -> Iterator[Block]:
    here, there = section.seeds
    apart = (
        "" if section.common else "The reports have no width in common: their widest networks are compared."
    )
    yield note(f"Seeds: A {len(here)}, B {len(there)}. {apart}")
    yield Prose("Beyond the spread", "heading")
    beyond = [row for row in section.rows if row.outcome == "beyond"]
    yield _numbers(beyond, "beyond") if beyond else say("Nothing.")
    if section.fixed:
        columns = {
            "Number without a spread that differs": lambda row: row.quantity,
            "A": lambda row: number(row.a, 4),
            "B": lambda row: number(row.b, 4),
        }
        yield Prose("Computed once from the data", "heading")
        yield table(section.fixed, columns, name="fixed")
    yield fold(f"All {len(section.rows)} rows", _numbers(section.rows, "rows"))


def _numbers(rows: Sequence[Row], name: str) -> Table:
    columns = {
        "Quantity": lambda row: row.quantity,
        "Width": lambda row: " and ".join(map(count, dict.fromkeys(row.widths))),
        "A": lambda row: spread(row.a),
        "B": lambda row: spread(row.b),
        "B − A, interval": _interval,
        "Seeds": _seeds,
        "Result": lambda row: ": ".join(filter(None, (row.outcome, row.reason))),
    }
    return table(rows, columns, name=name)


def _interval(row: Row) -> str:
    if row.low is None:
        return number(row.difference)
    return text.interval(row.difference, row.low, row.high)


def _seeds(row: Row) -> str:
    if row.n is None:
        return text.DASH
    return f"{row.n[0]} pairs" if row.kind == "paired" else f"{row.n[0]} and {row.n[1]}"
