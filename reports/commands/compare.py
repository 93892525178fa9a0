"""`perturblearn compare`: two reports side by side."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from reports import text
from reports.options import Run
from reports.terminal import Show

if TYPE_CHECKING:
    from reports.compare import Comparison


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Compare:
    """Options of `perturblearn compare`.

    Parameters
    ----------
    out
        Output folder.
    error_probability
        Probability in (0, 1) that any number is called changed where none is, over all rows.
    """

    out: Path = Path("perturblearn-compare")
    error_probability: float = 0.01


def compare(a: Path, b: Path, /, *, options: Compare = Compare()) -> Run:
    """Put two reports side by side: verdicts, settings and numbers that changed.

    Parameters
    ----------
    a
        A results.json, or the folder of a report.
    b
        Another.
    """
    from msgspec import to_builtins

    from empirics.sweep import disk, plain
    from reports import compare as compared_by, formats, schema
    from reports.pages import comparison

    page, numbers = (options.out / f"compare.{ending}" for ending in ("html", "json"))

    def run(_show: Show) -> str:
        disk.check_output(page, numbers)
        one, other = (schema.read(path) for path in (a, b))
        compared = formats.plain(
            compared_by.compare(
                one, other, names=(str(a), str(b)), error_probability=options.error_probability
            )
        )
        contents = {page: comparison.page(compared).html(), numbers: plain.to_json(to_builtins(compared))}
        formats.write(options.out, {path.name: content.encode() for path, content in contents.items()})
        return f"{shown(compared)}\n\npage:    {page}\nnumbers: {numbers}"

    return run


def shown(compared: "Comparison") -> str:
    """Return what changed between two reports: verdicts, settings, then numbers beyond their spread."""
    from reports.pages.comparison import setting_text

    c = text.legible(compared)
    lines = [f"A: {c.names[0]}", f"B: {c.names[1]}", *c.apart]
    lines += [f"\nVerdicts that changed: {len(c.verdicts)}"]
    for row in c.verdicts:
        before, after = (side.verdict if side else "not judged" for side in (row.a, row.b))
        lines.append(f"  {before} → {after}: {row.statement}  ({row.section or 'Φ'})")
    lines.append(f"\nSettings that differ: {len(c.settings)}")
    lines += [
        f"  {row.name}: {setting_text(row.a)} → {setting_text(row.b)}  ({row.section or 'whole report'})"
        for row in c.settings
    ]
    counts = c.counts
    lines.append(
        f"\nNumbers: {counts['beyond']} beyond their spread, {counts['within']} within, "
        f"{counts['equal']} equal, {counts['unknown']} unknown "
        f"(error probability {c.error_probability:g} over {c.rows} rows)"
    )
    for section in c.sections:
        for one in section.rows:
            if one.outcome == "beyond":
                sides = (text.spread(side.mean, side.sd) for side in (one.a, one.b))
                where = f"m = {text.count(one.widths[0])}: {' → '.join(sides)}"
                lines.append(f"  {one.quantity}, {where}  ({section.label})")
    return "\n".join(lines)
