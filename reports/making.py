"""A report from start to end: trained, compared, written; what is done is kept if it is interrupted."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empirics.data import DataSource, FileData
from empirics.experiment import load_data
from empirics.sweep import executors
from empirics.threads import cores
from reports import formats, schema, terminal
from reports.build import build
from reports.partial import Recorder, build_partial
from reports.presets import DEFAULT_DATA, Series, series, source
from reports.provenance import check_device, provenance
from reports.render import partial_note
from reports.text import legible

if TYPE_CHECKING:
    from reports.commands.report import Data, Report, Setting

_LARGEST = 2**63 - 1  # what arrays can count
_PARTIAL = "making a report of what is done (Ctrl-C: stop, nothing written)"
# Neuron updates from which starting processes (seconds each) pays.
_WORK_OF_A_PROCESS = 1 << 22


def make(options: "Report", data: "Data", setting: "Setting", show: terminal.Show, *, command: str) -> str:
    """Train, compare with the theory, write the report; return what to print.

    Raises
    ------
    ValueError, TypeError, OSError
        On bad input or a disk that takes no more; nothing is written then.
    RuntimeError, KeyboardInterrupt
        If a worker process ended, or if interrupted; the message says what was written.
    """
    check_device(options.device)
    names = DEFAULT_DATA if options.data is None else options.data
    all_series = [_series(name, options, data, setting) for name in names]
    if len(set(names)) < len(names):
        msg = f"data must name each set once, got {' '.join(names)}"
        raise ValueError(msg)
    if options.format == "pdf":
        formats.find_browser()
    formats.check_output(options.out, options.format, sections=len(all_series))
    _check_data(all_series)
    results = _trained(options, all_series, provenance(command=command, device=options.device), show)
    try:
        contents = formats.files(results, options.format)
    except (Exception, KeyboardInterrupt) as error:  # what was trained is kept, whatever a page lacks
        formats.write(options.out, formats.files(results, "json"))
        numbers = options.out / schema.RESULTS
        msg = f"{numbers} is whole; for the page: perturblearn render {shlex.quote(str(numbers))}"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(msg) from None
        msg = f"{error}; {msg}"
        raise RuntimeError(msg) from error
    formats.write(options.out, contents)
    return f"{verdicts(results)}\n{places(options.out, contents)}"


def _trained(
    options: "Report", all_series: list[Series], origin: dict[str, Any], show: terminal.Show
) -> dict[str, Any]:
    """Return the results; if that is interrupted, write a report of what is done and raise."""
    recorder = Recorder()
    try:
        with _workers(options, all_series) as executor:
            recorder.inner = executor
            return build(
                all_series, provenance=origin, device=options.device, progress=show, executor=recorder
            )
    except KeyboardInterrupt:
        if not recorder.started:
            raise
        terminal.complain(f"interrupted; {_PARTIAL}")
        raise KeyboardInterrupt(_write_partial(options, all_series, recorder, origin, show)) from None
    except BrokenExecutor as error:
        what = "a process of --jobs ended before its task did, as for want of memory"
        terminal.complain(f"{what}; {_PARTIAL}")
        msg = f"{what}; {_write_partial(options, all_series, recorder, origin, show)}"
        raise RuntimeError(msg) from error


def _check_data(all_series: list[Series]) -> None:
    """Bad data must be known before anything is trained."""
    for item in all_series:
        for seed in item.seeds:
            try:
                item.base.setting(load_data(replace(item.base, seed=seed)))
            except ValueError as error:
                what = _explained(error, item.base.data)
                msg = f"{what} (data of seed {seed})" if seed != item.seeds[0] else what
                raise ValueError(msg) from error


def _explained(error: ValueError, data: DataSource) -> str:
    """Return what is wrong with data, and what of it a file or an option of the command would set right."""
    parts = [str(error)]
    if parts[0].startswith("classes must be named"):
        parts.append("on the command line --classes A,B")
    if "use 'none'" in parts[0]:
        parts.append("on the command line --standardise none")
    of_file = isinstance(data, FileData) and data.path.endswith(".csv") and Path(data.path).name in parts[0]
    if of_file:
        parts.append("in a .csv file commas separate the columns, and the last one is the label")
    return "; ".join(parts)


def _write_partial(
    options: "Report",
    all_series: list[Series],
    recorder: Recorder,
    origin: dict[str, Any],
    show: terminal.Show,
) -> str:
    """Write the report of what is done; return what was written.

    Beside a report that is there already, not over it.
    """
    try:
        results = build_partial(all_series, recorder, provenance=origin, device=options.device, progress=show)
        contents = None if results is None else formats.files(results, options.format)
    except (ValueError, TypeError, OSError, ArithmeticError, MemoryError, RuntimeError) as error:
        return f"nothing written: no report can be made of what is done ({error})"
    if results is None or contents is None:
        return "nothing written: fewer than two seeds are done"
    folder = options.out / "partial" if (options.out / schema.RESULTS).exists() else options.out
    formats.write(folder, contents)
    terminal.show(f"{verdicts(results)}\n{places(folder, contents)}")
    partial = results["partial"]
    return f"partial report of {partial['done']} of {partial['planned']} runs: {folder}"


def places(folder: Path, contents: Mapping[str, bytes]) -> str:
    """Return where the files of a report are."""
    labels = {schema.RESULTS: "numbers"}
    named = sorted(contents, key=lambda name: name == schema.RESULTS)  # the page first
    return "\n".join(f"{labels.get(name, 'page') + ':':<8} {folder / name}" for name in named)


def _series(name: str, options: "Report", given: "Data", setting: "Setting") -> Series:
    classes = None
    if given.classes is not None:
        parts = [part.strip() for part in given.classes.split(",")]
        if len(parts) != 2 or not all(parts):
            msg = f"classes must be two names separated by a comma, got {given.classes!r}"
            raise ValueError(msg)
        classes = (parts[0], parts[1])
    data = source(name, preset=options.preset, **(vars(given) | {"classes": classes}))
    fields = {name: value for name, value in vars(setting).items() if value is not None and name != "widths"}
    try:
        chosen = series(data, preset=options.preset, num_seeds=options.seeds, fields=fields)
    except ValueError as error:
        raise ValueError(_explained(error, data)) from error
    return chosen if setting.widths is None else replace(chosen, widths=_widths(setting.widths))


def _widths(text: str) -> tuple[int, ...]:
    try:
        if "_" in text:
            raise ValueError
        widths = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        msg = f"widths must be integers separated by commas, got {text!r}"
        raise ValueError(msg) from error
    if max(widths) > _LARGEST:
        msg = f"widths must lie within ±{_LARGEST}, got {text!r}"
        raise ValueError(msg)
    return widths


@contextmanager
def _workers(options: "Report", all_series: list[Series]) -> Iterator[Executor | None]:
    """One process a core, each on one thread: threads that wait for each other are slow on busy machines."""
    if options.jobs is not None and options.jobs < 1:
        msg = f"jobs must be >= 1, got {options.jobs}"
        raise ValueError(msg)
    jobs = options.jobs or (cores() if options.device == "cpu" else 1)
    work = sum(config.width * config.num_steps for series in all_series for config in series.configs())
    if jobs == 1 or (options.jobs is None and work < _WORK_OF_A_PROCESS):
        yield None
        return
    with executors.started(jobs, threads=max(1, cores() // jobs)) as executor:
        yield executor


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
    if not terminal.is_terminal(sys.stdout) or os.environ.get("NO_COLOR"):
        return text
    color = {"holds": "32", "fails": "31", "unknown": "33"}.get(verdict, "2")
    return f"\x1b[{color}m{text}\x1b[0m"
