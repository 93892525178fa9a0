"""A report from start to end: trained, compared, written; what is done is kept if it is interrupted."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from empirics.data import Dataset, DataSource, FileData
from empirics.data.table import TABLES
from empirics.experiment import load_data
from empirics.sweep import executors
from empirics.sweep.executors import Pool
from empirics.sweep.outcome import Outcome
from empirics.sweep.runner import FailedError, stored
from reports import formats, schema, terminal
from reports.build import build
from reports.measured import Run, experiment, runs_of
from reports.options import Data, Report, Setting
from reports.presets import DEFAULT_DATA, Series, series, source, two_names
from reports.provenance import Origin, check_device, provenance
from reports.render import partial_note
from reports.results import Partial, PartialSection, Results, Section
from reports.text import legible

_LARGEST = 2**63 - 1  # what arrays can count
RUNS = "runs"  # the folder in that of a report where the results of its runs are
_PARTIAL = "making a report of what is done (Ctrl-C: stop)"
# Neuron updates from which starting processes (seconds each) pays.
_WORK_OF_A_PROCESS = 1 << 22


def make(options: Report, data: Data, setting: Setting, show: terminal.Show, *, command: str) -> str:
    """Train, compare with the theory, write the report; return what to print.

    Raises
    ------
    ValueError, TypeError, OSError
        On bad input or a disk that takes no more; nothing is written then.
    RuntimeError, KeyboardInterrupt
        If a run failed, or if interrupted; the message says what was written.
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
    pool = _pool(options, all_series)
    for found in check_data(all_series):
        terminal.notify(found)
    results = _trained(options, all_series, pool, provenance(command=command, device=options.device), show)
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
    options: Report, all_series: list[Series], pool: Pool, origin: Origin, show: terminal.Show
) -> Results:
    """Return the results; if that is interrupted, write a report of what is done and raise."""
    folder = options.out / RUNS
    try:
        return build(
            all_series, provenance=origin, device=options.device, progress=show, pool=pool, folder=folder
        )
    except (KeyboardInterrupt, FailedError) as error:
        asked = [run for series in all_series for run in runs_of(series)]
        known = stored(experiment(options.device), asked, folder)
        if not known:
            raise
        failed = isinstance(error, FailedError)
        terminal.complain(f"{'a run failed' if failed else 'interrupted'}; {_PARTIAL}")
        said = _write_partial(options, all_series, known, origin, show)
        said = "; ".join(filter(None, [str(error), said]))
        raise (FailedError if failed else KeyboardInterrupt)(said) from None


def check_data(all_series: list[Series]) -> list[Dataset]:
    """Return the data of the first seed of each series; bad ones must be known before anything is trained."""
    first = []
    for item in all_series:
        for seed in item.seeds:
            try:
                found = load_data(replace(item.base, seed=seed))
                item.base.setting(found)
            except ValueError as error:
                what = _explained(error, item.base.data)
                msg = f"{what} (data of seed {seed})" if seed != item.seeds[0] else what
                raise ValueError(msg) from error
            if seed == item.seeds[0]:
                first.append(found)
    return first


def _explained(error: ValueError, data: DataSource) -> str:
    """Return what is wrong with data, and what of it a file or an option of the command would set right."""
    parts = [str(error)]
    if "use 'none'" in parts[0]:
        parts.append("on the command line --standardise none")
    if isinstance(data, FileData) and data.path.endswith(TABLES) and Path(data.path).name in parts[0]:
        parts.append("the label is in the last column unless --label says which")
    return "; ".join(parts)


def _write_partial(
    options: Report,
    all_series: list[Series],
    known: Mapping[Run, Outcome],
    origin: Origin,
    show: terminal.Show,
) -> str:
    """Write the report of what is done; return what was written.

    As if no more had been asked for: what a report draws of its widest networks, and these were not the
    widest, is run again.  Beside a report that is there already, not over it.
    """
    done = {run.config for run in known}
    try:
        parts = [(series, series.part_of(done)) for series in all_series]
        kept = [(series, part) for series, part in parts if part is not None]
        if not kept:
            return "no partial report: fewer than two seeds are done"
        results = build(
            [part for _, part in kept], provenance=origin, device=options.device, progress=show, known=known
        )
        partial = Partial(
            done=len(done),
            planned=sum(len(series.configs()) for series in all_series),
            sections=[
                PartialSection(
                    name=section.name,
                    widths=list(part.widths),
                    planned_widths=list(series.widths),
                    seeds=list(part.seeds),
                    planned_seeds=list(series.seeds),
                )
                for section, (series, part) in zip(results.sections, kept, strict=True)
            ],
            missing=[series.base.data.name for series, part in parts if part is None],
        )
        results = msgspec.structs.replace(results, partial=partial)
        contents = formats.files(results, options.format)
    except (Exception, KeyboardInterrupt) as error:
        return f"no partial report: {str(error) or 'interrupted again'}"
    folder = options.out / "partial" if (options.out / schema.RESULTS).exists() else options.out
    formats.write(folder, contents)
    terminal.show(f"{verdicts(results)}\n{places(folder, contents)}")
    return f"partial report: {folder}"


def places(folder: Path, contents: Mapping[str, bytes]) -> str:
    """Return where the files of a report are."""
    labels = {schema.RESULTS: "numbers"}
    named = sorted(contents, key=lambda name: name == schema.RESULTS)  # the page first
    return "\n".join(f"{labels.get(name, 'page') + ':':<8} {folder / name}" for name in named)


def _series(name: str, options: Report, given: Data, setting: Setting) -> Series:
    classes = None if given.classes is None else two_names(given.classes)
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


def _pool(options: Report, all_series: list[Series]) -> Pool:
    work = sum(config.width * config.num_steps for series in all_series for config in series.configs())
    small = work < _WORK_OF_A_PROCESS or options.device != "cpu"
    if options.executor is None and (small if options.jobs is None else options.jobs == 1):
        return executors.serial()
    return executors.parse(options.executor or "processes", jobs=options.jobs)


def verdicts(results: Results) -> str:
    """Return every claim with its verdict, prediction and measurement."""
    shown = legible(results)
    lines = [note] if (note := partial_note(shown)) else []
    width = max(60, min(shutil.get_terminal_size().columns, 110))
    warnings = {section.name: _warnings(section) for section in shown.sections}
    current: object = ...
    for claim in shown.claims:
        if claim.section != current:
            current = claim.section
            lines.append(f"\n{current or 'Φ'}\n{'─' * width}")
            lines += warnings.get(claim.section or "", [])
        lines.append(f"{_mark(claim.verdict)}  {claim.statement}  ({claim.source})")
        lines.append(f"{'':22}predicted {claim.predicted}")
        lines.append(f"{'':22}measured  {claim.measured}")
        if claim.verdict in {"unknown", "fails"}:
            lines.append(f"{'':22}{claim.decision}")
    return "\n".join([*lines, ""])


def _warnings(section: Section) -> list[str]:
    """Return the hypotheses that these data do not meet at any width."""
    return [
        f"{'not met':<20}  {row.hypothesis}: asked {row.asked}, here {row.here}; no width would help"
        for row in section.feasibility
        if row.met is False and not row.reachable
    ]


def _mark(verdict: str | None) -> str:
    text = f"{verdict:<20}"
    if not terminal.is_terminal(sys.stdout) or os.environ.get("NO_COLOR"):
        return text
    color = {"holds": "32", "fails": "31", "unknown": "33"}.get(verdict or "", "2")
    return f"\x1b[{color}m{text}\x1b[0m"
