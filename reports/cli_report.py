"""The commands about reports: `report`, `render`, `compare` and `index`."""

import argparse
import shlex
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2

from empirics.data import DataSource, FileData
from empirics.experiment import load_data
from empirics.sweep import executors, store
from empirics.sweep.interrupts import undisturbed
from empirics.threads import cores
from reports import formats, listing, schema, terminal
from reports.build import build
from reports.compare import compare
from reports.partial import Recorder, build_partial
from reports.presets import Series, series, source
from reports.provenance import provenance

LARGEST = 2**63 - 1  # what arrays can count
_PARTIAL = "making a report of what is done (Ctrl-C: stop, nothing written)"
# Neuron updates from which starting processes (seconds each) pays.
_WORK_OF_A_PROCESS = 1 << 22


def run_report(options: argparse.Namespace, *, command: str) -> str:
    """Train, compare with the theory, write the report; return what to print.

    Raises
    ------
    ValueError, TypeError, OSError
        On bad input or a disk that takes no more; nothing is written then.
    RuntimeError, KeyboardInterrupt
        If a worker process ended, or if interrupted; the message says what was written.
    """
    all_series = [_series(name, options) for name in options.data]
    if len(set(options.data)) < len(options.data):
        msg = f"data must name each set once, got {' '.join(options.data)}"
        raise ValueError(msg)
    if options.format == "pdf":
        formats.find_browser()
    formats.check_output(options.out, options.format, sections=len(all_series))
    _check_data(all_series)
    origin = provenance(command=command, device=options.device)
    recorder = Recorder()
    try:
        with _workers(options, all_series) as executor:
            recorder.inner = executor
            results = build(
                all_series,
                provenance=origin,
                device=options.device,
                progress=terminal.progress,
                executor=recorder,
            )
    except KeyboardInterrupt:
        if not recorder.started:
            raise
        terminal.complain(f"interrupted; {_PARTIAL}")
        raise KeyboardInterrupt(_write_partial(options, all_series, recorder, origin)) from None
    except BrokenExecutor as error:
        what = "a process of --jobs ended before its task did, as for want of memory"
        terminal.complain(f"{what}; {_PARTIAL}")
        msg = f"{what}; {_write_partial(options, all_series, recorder, origin)}"
        raise RuntimeError(msg) from error
    try:
        contents = formats.files(results, options.format)
    except (Exception, KeyboardInterrupt) as error:  # what was trained is kept, whatever a page lacks
        _write(options.out, formats.files(results, "json"))
        numbers = options.out / schema.RESULTS
        msg = f"{numbers} is whole; for the page: perturblearn render {shlex.quote(str(numbers))}"
        if isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(msg) from None
        msg = f"{error}; {msg}"
        raise RuntimeError(msg) from error
    _write(options.out, contents)
    return f"{terminal.verdicts(results)}\n{_places(options.out, contents)}"


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
    if isinstance(data, FileData) and data.path.endswith(".csv") and Path(data.path).is_file():
        parts.append("in a .csv file commas separate the columns, and the last one is the label")
    return "; ".join(parts)


def _write_partial(
    options: argparse.Namespace, all_series: list[Series], recorder: Recorder, origin: dict[str, Any]
) -> str:
    """Write the report of what is done; return what was written.

    Beside a report that is there already, not over it.
    """
    try:
        results = build_partial(
            all_series, recorder, provenance=origin, device=options.device, progress=terminal.progress
        )
        contents = None if results is None else formats.files(results, options.format)
    except (ValueError, TypeError, OSError, ArithmeticError, MemoryError, RuntimeError) as error:
        return f"nothing written: no report can be made of what is done ({error})"
    if results is None or contents is None:
        return "nothing written: fewer than two seeds are done"
    folder = options.out / "partial" if (options.out / schema.RESULTS).exists() else options.out
    _write(folder, contents)
    terminal.show(f"{terminal.verdicts(results)}\n{_places(folder, contents)}")
    partial = results["partial"]
    return f"partial report of {partial['done']} of {partial['planned']} runs: {folder}"


def _write(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files that belong together; Ctrl-C does not come between, so that none is missing."""
    with undisturbed():
        formats.write(folder, contents)


def _places(folder: Path, contents: dict[str, bytes]) -> str:
    labels = {schema.RESULTS: "numbers"}
    named = sorted(contents, key=lambda name: name == schema.RESULTS)  # the page first
    return "\n".join(f"{labels.get(name, 'page') + ':':<8} {folder / name}" for name in named)


def run_render(options: argparse.Namespace, *, command: str) -> str:
    """Make a report again from its results, in any format; return what to print.

    Raises
    ------
    ValueError, OSError
        If they are damaged or of another version, or nothing can be written.
    """
    results = schema.read(options.results)
    file = options.results / schema.RESULTS if options.results.is_dir() else options.results
    folder = file.parent if options.out is None else options.out
    formats.check_output(folder, options.format)
    own = folder / schema.RESULTS
    if options.out is None and own.exists() and not own.samefile(file):
        msg = f"out must be given: {store.shown(folder)} holds the results of another report than {file.name}"
        raise ValueError(msg)
    try:
        contents = formats.files(results, options.format)
    except (jinja2.TemplateError, LookupError, TypeError, ValueError, AttributeError) as error:
        msg = f"{file} must hold all that the page shows, but {type(error).__name__}: {error}"
        raise schema.SchemaError(msg) from error
    if own.exists() and own.samefile(file) and options.format != "json":
        del contents[schema.RESULTS]  # what one reads from stays as it is
    _write(folder, contents)
    return _places(folder, contents)


def run_compare(options: argparse.Namespace, *, command: str) -> str:
    """Put two reports side by side; return what to print.

    Raises
    ------
    ValueError, OSError
        If one is damaged or of an unknown version, or nothing can be written.
    """
    page, numbers = (options.out / f"compare.{ending}" for ending in ("html", "json"))
    store.check_output(page, numbers)
    pair = (options.a, options.b)
    a, b = (schema.read(path) for path in pair)
    compared = formats.plain(
        compare(a, b, names=(str(pair[0]), str(pair[1])), error_probability=options.error_probability)
    )
    _write(
        options.out,
        {
            page.name: formats.compare_page(compared).encode(),
            numbers.name: store.to_json(compared).encode(),
        },
    )
    return f"{terminal.comparison(compared)}\n\npage:    {page}\nnumbers: {numbers}"


def run_index(options: argparse.Namespace, *, command: str) -> str:
    """Write a page that lists reports and sweeps; return what to print.

    Raises
    ------
    ValueError, OSError
        If a folder has neither, one is damaged, or nothing can be written.
    """
    if options.out.suffix != ".html":
        msg = f"out must end in .html, got {str(options.out)!r}"
        raise ValueError(msg)
    store.check_output(options.out)
    page = listing.index_page(options.folders, options.out)
    _write(options.out.parent, {options.out.name: page.encode()})
    return f"page:    {options.out}"


def _series(name: str, options: argparse.Namespace) -> Series:
    classes = None
    if options.classes is not None:
        parts = [part.strip() for part in options.classes.split(",")]
        if len(parts) != 2 or not all(parts):
            msg = f"classes must be two names separated by a comma, got {options.classes!r}"
            raise ValueError(msg)
        classes = (parts[0], parts[1])
    data = source(
        name,
        preset=options.preset,
        classes=classes,
        dim=options.dim,
        num_train=options.num_train,
        num_test=options.num_test,
        shift=options.shift,
        standardise=options.standardise,
        test_fraction=options.test_fraction,
        header=options.header,
    )
    names = (
        "negative_slope",
        "loss",
        "scenario",
        "epsilon",
        "T_f",
        "T_g",
        "num_steps",
        "momentum",
        "targets",
        "precision",
    )
    fields = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    try:
        chosen = series(data, preset=options.preset, num_seeds=options.seeds, fields=fields)
    except ValueError as error:
        raise ValueError(_explained(error, data)) from error
    if options.widths is not None:
        chosen = replace(chosen, widths=_widths(options.widths))
    return chosen


def _widths(text: str) -> tuple[int, ...]:
    try:
        widths = tuple(int(part) for part in text.split(","))
    except ValueError as error:
        msg = f"widths must be integers separated by commas, got {text!r}"
        raise ValueError(msg) from error
    if max(widths) > LARGEST:
        msg = f"widths must lie within ±{LARGEST}, got {text!r}"
        raise ValueError(msg)
    return widths


@contextmanager
def _workers(options: argparse.Namespace, all_series: list[Series]) -> Iterator[Executor | None]:
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
