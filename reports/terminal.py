"""What the command shows on a terminal: progress, verdicts, results."""

import io
import os
import shutil
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from reports import text
from reports.formats import setting_text
from reports.render import legible, partial_note

_started = time.monotonic()


def progress(share: float, text: str) -> None:
    """One line that is rewritten; silent when nobody watches."""
    if not is_terminal(sys.stderr):
        return
    elapsed = time.monotonic() - _started
    left = f", about {elapsed * (1 - share) / share:.0f} s left" if share > 0.05 else ""
    line = f"{share:4.0%} {legible(text)}{left}"[: shutil.get_terminal_size().columns - 1]
    _write(f"\r\x1b[K{line}" if share < 1 else "\r\x1b[K", sys.stderr)


def show(text: str) -> bool:
    """Print what was done; return whether it could be.

    A reader that has gone or a terminal without Greek does not undo it; a stream that takes nothing is told.
    """
    error = _write(f"{text}\n", sys.stdout)
    if error is not None:
        complain(f"error: standard output must be writable, got {error}")
    return error is None


def complain(text: str) -> None:
    """Print a line on stderr, if it takes one."""
    _write(f"perturblearn: {text}\n", sys.stderr)


def _write(text: str, stream: TextIO | None) -> Exception | None:
    """Write to a stream, and return why it cannot be written to, if so."""
    if stream is None:
        return OSError("none")
    if isinstance(stream, io.TextIOWrapper) and stream.errors != "backslashreplace":
        stream.reconfigure(errors="replace")
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError) as error:  # ValueError: closed
        # Python would try again to write what is left.
        with suppress(OSError, ValueError), Path(os.devnull).open("wb") as nothing:
            os.dup2(nothing.fileno(), stream.fileno())
        return None if isinstance(error, BrokenPipeError) else error
    return None


def is_terminal(stream: TextIO | None) -> bool:
    """Return whether somebody watches a stream."""
    return stream is not None and not stream.closed and stream.isatty()


def verdicts(results: Mapping[str, Any]) -> str:
    """Return every claim with its verdict, prediction and measurement."""
    lines = [note] if (note := partial_note(legible(results))) else []
    width = max(60, min(shutil.get_terminal_size().columns, 110))
    warnings = {section["name"]: _warnings(section) for section in legible(results["sections"])}
    current = object()
    for claim in legible(results["claims"]):
        if claim["section"] != current:
            current = claim["section"]
            lines.append(f"\n{current or 'Φ'}\n{'─' * width}")
            lines += warnings.get(current, [])
        lines.append(f"{_mark(claim['verdict'])}  {claim['statement']}  ({claim['source']})")
        lines.append(f"{'':22}predicted {claim['predicted']}")
        lines.append(f"{'':22}measured  {claim['measured']}")
        if claim["verdict"] in {"unknown", "fails"}:
            lines.append(f"{'':22}{claim['decision']}")
    return "\n".join([*lines, ""])


def _warnings(section: Mapping[str, Any]) -> list[str]:
    """Return the hypotheses that these data do not meet at any width."""
    return [
        f"{'not met':<20}  {row['hypothesis']}: asked {row['asked']}, here {row['here']}; no width would help"
        for row in section.get("feasibility") or ()
        if row["met"] is False and not row["reachable"]
    ]


def _mark(verdict: str) -> str:
    text = f"{verdict:<20}"
    if not is_terminal(sys.stdout) or os.environ.get("NO_COLOR"):
        return text
    color = {"holds": "32", "fails": "31", "unknown": "33"}.get(verdict, "2")
    return f"\x1b[{color}m{text}\x1b[0m"


def comparison(compared: Mapping[str, Any]) -> str:
    """Return what changed between two reports: verdicts, settings, then numbers beyond their spread."""
    c = legible(compared)
    lines = [f"A: {c['names'][0]}", f"B: {c['names'][1]}"]
    lines += [f"\nVerdicts that changed: {len(c['verdicts'])}"]
    for row in c["verdicts"]:
        before, after = (row[side]["verdict"] if row[side] else "not judged" for side in ("a", "b"))
        lines.append(f"  {before} → {after}: {row['statement']}  ({row['section'] or 'Φ'})")
    lines.append(f"\nSettings that differ: {len(c['settings'])}")
    lines += [
        f"  {row['name']}: {setting_text(row['a'])} → {setting_text(row['b'])}  "
        f"({row['section'] or 'whole report'})"
        for row in c["settings"]
    ]
    counts = c["counts"]
    lines.append(
        f"\nNumbers: {counts['beyond']} beyond their spread, {counts['within']} within, "
        f"{counts['equal']} equal, {counts['unknown']} unknown "
        f"(error probability {c['error_probability']:g} over {c['rows']} rows)"
    )
    for section in c["sections"]:
        for row in section["rows"]:
            if row["outcome"] == "beyond":
                sides = (text.spread(row[side]["mean"], row[side]["sd"]) for side in ("a", "b"))
                where = f"m = {text.count(row['widths'][0])}: {' → '.join(sides)}"
                lines.append(f"  {row['quantity']}, {where}  ({section['names'][0]})")
    for side, names in zip("AB", c["alone"], strict=True):
        lines += [f"Only in {side}: {name}" for name in names]
    return "\n".join(lines)
