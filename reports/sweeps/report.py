"""A report of networks of any depth or architecture: a sweep over widths, or times, and seeds."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import json

from empirics.campaigns.wide import Part
from empirics.config import ExperimentConfig
from empirics.data import DataSource
from empirics.deep import DEEP, DeepConfig
from empirics.deep.builtin import check_module, has_width
from empirics.deep.config import FULLY_CONNECTED
from empirics.sweep import executors
from empirics.sweep.plan import Block, Plan, axis_of, seeds_axis
from empirics.sweep.runner import run_sweep, stored
from reports import formats, inline, terminal
from reports.claims.sweeps.rows import Runs, SweepResults
from reports.options import Report, Setting, Sweep
from reports.page import Prose
from reports.presets import check_widths
from reports.running import carry_out, claims_said, read_folder
from reports.runs import NUMBERS, Row, rows_of
from reports.sweeps.opening import openings
from reports.sweeps.page import EXPERIMENTS, write_page, write_results
from reports.sweeps.reproduction import build
from reports.sweeps.run import check_plan
from theory.validation import check_integer

_WIDTHS = {None: (125, 250, 500, 1000, 2000), "cnn": (16, 32, 64, 128, 256)}
_MODULE_WIDTHS = (64, 128, 256, 512, 1024)
# Of a module without a width.  A factor on its outputs would be no other axis: with the identity loss it is a
# factor on the time.
_TIMES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
_SEEDS = 14  # two of them may be out of the linear regime where it is said to hold
_ONLY_WIDE = {one.name for one in fields(ExperimentConfig)} - {one.name for one in fields(DeepConfig)}


def plan_of(
    sources: Sequence[DataSource],
    named: Mapping[str, Any],
    *,
    widths: Sequence[int] | None = None,
    seeds: int | None = None,
) -> Plan:
    """Return the plan of a report: for each data set widths, or times of a module without one, and seeds.

    Parameters
    ----------
    sources : sequence of DataSource
    named : mapping
        Fields of `DeepConfig`, ``depth`` or ``module`` among them.
    widths : sequence of int, optional
        Increasing.
    seeds : int, optional
        At least 2; 14 if absent.

    Raises
    ------
    ValueError, TypeError
        If a field does not go with these networks, or breaks its rule.
    """
    module = named.get("module")
    if module is not None and named.get("depth") is not None:
        msg = f"depth must be left out with module {module!r}, which has its own, got {named['depth']}"
        raise ValueError(msg)
    for name, value in named.items():
        if name in _ONLY_WIDE:
            msg = (
                f"{name} must be left out with depth and module: their networks are trained by descent, "
                f"got {value!r}"
            )
            raise ValueError(msg)
    given = {name: value for name, value in named.items() if name not in _ONLY_WIDE}
    if module is not None:
        check_module("module", module, FULLY_CONNECTED)
    wide = module is None or has_width(module)
    if not wide and widths is not None:
        msg = f"widths must be left out with {module}, whose function has no argument width, got {widths}"
        raise ValueError(msg)
    for name in ("T_f", "T_g"):
        if not wide and given.get(name) is not None:
            msg = f"{name} must be left out with {module}, whose axis is times, got {given[name]}"
            raise ValueError(msg)
    axis = axis_of("times", _TIMES)
    if wide:
        usual = _WIDTHS.get(module, _MODULE_WIDTHS)
        axis = axis_of("width", check_widths(usual if widths is None else widths))
    over = seeds_axis(check_integer("seeds", _SEEDS if seeds is None else seeds, minimum=2))
    blocks = []
    for data in sources:
        base = DEEP.fields(DeepConfig(**{"data": data, "width": 1, **given}))
        base = {name: value for name, value in base.items() if name not in {*axis.fields, *over.fields}}
        blocks.append(Block(base=base, axes=(axis, over)))
    return Plan(blocks=tuple(blocks))


def check_quick(*, preset: str, device: str) -> None:
    """Refuse presets and devices that these reports do not have."""
    for name, value, only in (("preset", preset, "quick"), ("device", device, "cpu")):
        if value != only:
            msg = f"{name} must be {only} with depth and module, got {value!r}"
            raise ValueError(msg)


def make(
    options: Report,
    sources: Sequence[DataSource],
    setting: Setting,
    widths: Sequence[int] | None,
    show: terminal.Show,
) -> str:
    """Run the command; return what to print.  It raises as `reports.running.carry_out`."""
    check_quick(preset=options.preset, device=options.device)
    named = {name: value for name, value in vars(setting).items() if value is not None and name != "widths"}
    plan = plan_of(sources, named, widths=widths, seeds=options.seeds)
    _check(plan, options.out, overwrite=options.overwrite)
    pool = executors.parse(options.executor or "processes", jobs=options.jobs)
    try:
        return carry_out(
            DEEP,
            plan,
            [],
            Sweep(out=options.out, executor=options.executor, jobs=options.jobs),
            show,
            pool=pool,
            finish=partial(write_page, format=options.format),
            said=_said,
            replace=options.overwrite,
        )
    except KeyboardInterrupt as error:
        terminal.complain("interrupted; making a report of what is done (Ctrl-C: stop)")
        msg = f"{error}; {_partial(plan, options)}"
        raise KeyboardInterrupt(msg) from None


def report(plan: Plan, out: Path | None, *, overwrite: bool = False) -> SweepResults:
    """Carry a plan out in this process, in a folder or in none that stays, and return what its page shows."""
    with tempfile.TemporaryDirectory(prefix="perturblearn-") as temporary:
        folder = Path(temporary) / "report" if out is None else out
        _check(plan, folder, overwrite=overwrite)
        run_sweep(DEEP, plan, folder, replace=overwrite, about={"parts": []}, finish=write_page)
        return _read(folder)


def _check(plan: Plan, folder: Path, *, overwrite: bool) -> None:
    """Check that a report can be made and written; say what limits it."""
    asked = plan.configs(DEEP)
    held = read_folder(folder, EXPERIMENTS, Part)
    if not overwrite and held is not None:
        there = {DEEP.name: DEEP}.get(held.kind)
        if there is None or not held.plan.configs(there).keys() <= asked.keys():
            msg = formats.another(folder)
            raise FileExistsError(msg)
    check_plan(plan, DEEP)


def _read(folder: Path) -> SweepResults:
    return json.decode((folder / NUMBERS).read_bytes(), type=SweepResults)


def _said(folder: Path) -> str:
    """Return what happened, and the claims with their verdicts."""
    results = _read(folder)
    opened = (b for b in openings(results) if isinstance(b, Prose) and b.style == "short")
    return "\n".join([*(inline.plain(block.text) for block in opened), *claims_said(results.claims)])


def _partial(plan: Plan, options: Report) -> str:
    """Write the page of what is done; return what was written."""
    configs = plan.configs(DEEP)
    known = stored(DEEP, configs.values(), options.out)
    if not known:
        return "no partial report: nothing is done"
    lines = [
        {"hash": name, "status": "done", **(known[config].record or {})}
        for name, config in configs.items()
        if config in known
    ]
    results = build(plan, Runs(rows_of(lines, Row), DEEP), [])
    return f"partial report: {write_results(options.out, results, options.format)}"
