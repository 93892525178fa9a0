"""A report from start to end: trained, compared, written; what is done is kept if it is interrupted."""

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec

from empirics.data import Dataset, DataSource
from empirics.experiment import load_data
from empirics.sweep import executors
from empirics.sweep.executors import Pool
from empirics.sweep.outcome import Outcome
from empirics.sweep.plain import digest, finite
from empirics.sweep.runner import FailedError, stored
from empirics.sweep.store import DamagedError, ResultFolder
from empirics.wide import WIDE
from reports import formats, pairs, schema, terminal
from reports.build import build
from reports.measured import Run, experiment, runs_of
from reports.options import Data, Report, Setting
from reports.presets import DEFAULT_DATA, Series, series, source, two_names
from reports.provenance import Origin, check_device, provenance
from reports.render import partial_note
from reports.results import Config, Partial, PartialSection, Results, Section
from reports.sweeps import report
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
    deep = setting.depth is not None or setting.module is not None
    if setting.rates is not None and setting.depth is None:
        msg = f"rates must come with depth, got {setting.rates!r} without"
        raise ValueError(msg)
    images = DEFAULT_DATA[:1] if setting.module == "cnn" else DEFAULT_DATA
    names = images if options.data is None else options.data
    if len(set(names)) < len(names):
        msg = f"data must name each set once, got {' '.join(names)}"
        raise ValueError(msg)
    if options.format == "pdf":
        formats.find_browser()
    every = data.classes == "all"
    classes = None if every or data.classes is None else two_names(data.classes)
    given = vars(data) | {"classes": classes}
    sources = {name: source(name, preset=options.preset, **given) for name in names}
    if deep:
        of_pairs = (pairs.sources(name, one).values() for name, one in sources.items())
        chosen = [*chain.from_iterable(of_pairs)] if every else [*sources.values()]
        widths = None if setting.widths is None else _widths(setting.widths)
        return report.make(options, chosen, setting, widths, show)
    if not every:
        all_series = [_series(one, options, setting) for one in sources.values()]
        _check(options, all_series)
        results, contents = _made(options, all_series, show, command=command)
        return f"{verdicts(results)}\n{places(options.out, contents)}"
    if len(names) != 1:
        msg = f"data must be one set with classes all, got {' '.join(names)}"
        raise ValueError(msg)
    jobs = [
        (replace(options, out=options.out / folder), [_series(one, options, setting)])
        for folder, one in pairs.sources(names[0], sources[names[0]]).items()
    ]
    for own, all_series in jobs:
        _check(own, all_series)
    made = []
    for done, (own, all_series) in enumerate(jobs):

        def shown(share: float, what: str, done: int = done, place: str = own.out.name) -> None:
            show((done + share) / len(jobs), f"{place}: {what}")

        made.append(_made(own, all_series, shown, command=command)[0])
    page = pairs.write_index(options.out, [own.out.name for own, _ in jobs])
    return f"{pairs.listed(made)}\npage:    {page}"


def _check(options: Report, all_series: list[Series]) -> None:
    """Check that a report can be made and written, and say what its data were understood to be."""
    formats.check_output(options.out, options.format, sections=len(all_series))
    if not options.overwrite:
        check_free(options.out, all_series)
    _pool(options, all_series)
    for found in check_data(all_series):
        terminal.notify(found)


def check_free(folder: Path, all_series: list[Series]) -> None:
    """Check that a folder has neither a report nor runs but some of those that are asked for.

    Raises
    ------
    FileExistsError
        If it has.
    """
    configs = [msgspec.convert(finite(one.base.to_json()), Config) for one in all_series]
    about = [(config, one.widths, one.seeds) for config, one in zip(configs, all_series, strict=True)]
    formats.check_replaced(folder, about)
    known: dict[Any, str] = {}
    asked = {
        digest([WIDE.to_json(config), WIDE.content(config, known)])
        for one in all_series
        for config in one.configs()
    }
    runs, fields = ResultFolder(folder / RUNS), WIDE.to_json(all_series[0].base)
    for name in runs.names():
        with suppress(DamagedError, KeyError, TypeError):  # what is none is done again
            entry = runs.read(name) or {}
            if digest([{field: entry["config"][field] for field in fields}, entry["content"]]) not in asked:
                raise FileExistsError(formats.another(folder))


def _made(
    options: Report, all_series: list[Series], show: terminal.Show, *, command: str
) -> tuple[Results, Mapping[str, bytes]]:
    """Train and write a report; return its results and its files."""
    pool = _pool(options, all_series)
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
    return results, contents


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
                what = _explained(error)
                msg = f"{what} (data of seed {seed})" if seed != item.seeds[0] else what
                raise ValueError(msg) from error
            if seed == item.seeds[0]:
                first.append(found)
    return first


def _explained(error: ValueError) -> str:
    """Return what is wrong with data, and the option of the command that would set it right."""
    return f"{error}; on the command line --standardise none" if "use 'none'" in str(error) else str(error)


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
    labels = {"report": "page:", "results": "numbers:"}  # figures of Markdown are not listed
    named = sorted((name.partition(".")[0], name) for name in contents)  # the page first
    return "\n".join(f"{labels[kind]:<8} {folder / name}" for kind, name in named if kind in labels)


def _series(data: DataSource, options: Report, setting: Setting) -> Series:
    fields = {name: value for name, value in vars(setting).items() if value is not None and name != "widths"}
    try:
        chosen = series(data, preset=options.preset, num_seeds=options.seeds, fields=fields)
    except ValueError as error:
        raise ValueError(_explained(error)) from error
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
