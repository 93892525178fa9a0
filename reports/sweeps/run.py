"""What `perturblearn sweep` is asked for: a published block, a study, a plan file, or fields and axes."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from itertools import chain
from pathlib import Path
from typing import Any

from empirics.campaigns import campaign
from empirics.campaigns.wide import STUDIES, Part
from empirics.config import ExperimentConfig
from empirics.data import ArrayData, FileData, IdxData
from empirics.data.file import OPTIONS
from empirics.deep import DEEP, DeepConfig
from empirics.deep.builtin import placed
from empirics.deep.config import architecture_text
from empirics.deep.expected import HOWS, expected_error, law
from empirics.deep.experiment import check_pair
from empirics.experiment import load_data
from empirics.laws import LAWS
from empirics.plan_text import axis_of_text, plan_of_toml, value_of_text
from empirics.sweep import Experiment, executors
from empirics.sweep.plan import Axis, Block, Plan, plan_of_configs, seeds_axis
from empirics.sweep.store import ResultFolder
from empirics.wide import WIDE
from reports import terminal, text
from reports.claims.sweeps.architectures import LINEAR, PREDICTED_BY
from reports.options import Sweep
from reports.presets import two_names
from reports.provenance import check_device
from reports.running import SEEDS, carry_out, check_together, read_folder, set_fields
from reports.sweeps.page import EXPERIMENTS, read_parts, write_page
from theory.deep import Architecture

# What --solver sets in a plan of fields.
_SOLVERS: dict[str, dict[str, Any]] = {
    "flow": {"solver": "flow"},
    "gd": {"solver": "gd"},
    "gd-momentum": {"solver": "gd", "momentum": 0.9},
}
# Fields that tell which experiment a plan is of.
_OWN: dict[Experiment[Any], set[str]] = {
    LAWS: {"compare"},
    DEEP: {one.name for one in fields(DeepConfig)} - {one.name for one in fields(ExperimentConfig)},
}
_FIELDS = ("data", *OPTIONS, "classes", "set", "axis")
_NEEDS = {
    "sweeps": ("published", "study"),
    "size": ("published",),
    "balanced": ("published",),
    "solver": ("published", "data", "set", "axis"),
    "seeds": ("published", "study", "data", "set", "axis"),
}


def run(plan_file: Path | None, options: Sweep, show: terminal.Show) -> str:
    """Run the command; return what to print.  It raises as `carry_out`."""
    check_device(options.device)
    plan, part = _asked(plan_file, options)
    experiment = _experiment(plan, part, options.out)
    if plan is not None and experiment is DEEP:
        plan = _placed(plan)
    serial = options.device != "cpu"
    pool = executors.parse(options.executor or ("serial" if serial else "processes"), jobs=options.jobs)
    if plan is not None:
        check_plan(plan, experiment)
    parts: list[Part] | None = None
    if plan is not None and not options.dry_run:
        parts = [] if part is None else [part]
        wider = set() if part is None else set(part.configs())
        kept = read_parts(options.out) if options.merge else ()
        parts = [*(old for old in kept if not set(old.configs()) <= wider), *parts]
    return carry_out(
        experiment,
        plan,
        parts,
        options,
        show,
        pool=pool,
        finish=write_page,
        device=options.device,
        retry_failed=options.retry_failed,
        merge=options.merge,
    )


def _experiment(plan: Plan | None, part: Part | None, folder: Path) -> Experiment[Any]:
    """Return what a plan, if absent that of the folder, is of: any architecture, if a field says so."""
    if part is not None:
        return part.experiment
    if plan is None:
        ResultFolder(folder).check()
        held = read_folder(folder, EXPERIMENTS, Part)
        return WIDE if held is None else EXPERIMENTS[held.kind]
    named = {name for b in plan.blocks for name in (*b.base, *(f for axis in b.axes for f in axis.fields))}
    return next((experiment for experiment, own in _OWN.items() if named & own), WIDE)


def _placed(plan: Plan) -> Plan:
    """Return a plan with the whole paths of modules, which is carried out from any folder."""

    def value(name: str, given: Any) -> Any:  # noqa: ANN401
        return placed(given) if name in {"module", "module_g"} and isinstance(given, str) else given

    def axis(one: Axis) -> Axis:
        rows = (tuple(map(value, one.fields, row)) for row in one.values)
        return replace(one, values=tuple(rows))

    return Plan(
        blocks=tuple(
            Block(base={n: value(n, v) for n, v in block.base.items()}, axes=tuple(map(axis, block.axes)))
            for block in plan.blocks
        )
    )


def check_plan(plan: Plan, experiment: Experiment[Any]) -> None:
    """Refuse bad data and modules before any run; say what the user's own data were understood to be.

    And which networks are too narrow for their depth.
    """
    configs = [*chain.from_iterable(block.configs(experiment.make) for block in plan.blocks)]
    for config in {
        one.data: one for one in configs if isinstance(one.data, (ArrayData, FileData, IdxData))
    }.values():
        terminal.notify(load_data(config))
    if experiment is DEEP:
        for config in {(one.data, one.module, one.module_g): one for one in reversed(configs)}.values():
            check_pair(config)
        for line in _too_narrow(configs):
            terminal.complain(line)


def _too_narrow(configs: Sequence[DeepConfig]) -> Iterator[str]:
    """Yield which widths are too narrow for the depth, by the errors expected before training."""
    for how in HOWS:
        narrow: dict[Architecture, dict[int, float]] = {}
        for config in configs:  # of given times how far outputs grow is known with the data
            for one in (config.f, config.g) if config.T_f is config.T_g is None else ():
                error = expected_error(how, one, config.width, config.times)
                if isinstance(one, Architecture) and error is not None and error > LINEAR:
                    narrow.setdefault(one, {})[config.width] = error
        for one, errors in narrow.items():
            widths = ", ".join(map(text.count, sorted(errors)))
            asked = text.count(math.ceil(law(how, str(one.rates)).width(one.depth, LINEAR)))
            largest = text.number(max(errors.values()), 2)
            yield (
                f"m = {widths} is too narrow for {architecture_text(one)}: expected errors of the prediction "
                f"by {PREDICTED_BY[how]} up to {largest}, above {LINEAR:g} below m = {asked}; its claims "
                "there: hypothesis not met"
            )


def _asked(plan_file: Path | None, options: Sweep) -> tuple[Plan | None, Part | None]:
    """Return the plan that was declared, None if none was, and the block or study that it is of."""
    asked = [name for name in ("published", "study", *_FIELDS) if getattr(options, name) not in (None, False)]
    kinds = {None if name in _FIELDS else name for name in asked} | ({"plan"} if plan_file else set())
    if len(kinds) > 1:
        msg = "sweep must be one of --published, --study, a plan file, or --data with --set and --axis"
        raise ValueError(msg)
    check_together(options, asked, _NEEDS)
    if plan_file is not None:
        return _read(plan_file), None
    if options.published is None and options.study is None:
        return (_plan(options) if asked else None), None
    if options.solver == "gd-momentum":
        msg = "solver must be flow or gd with --published: its gd has momentum .9 already"
        raise ValueError(msg)
    part = Part(
        kind="published" if options.study is None else "study",
        name=options.published or options.study or "",
        seeds=_default_seeds(options.study) if options.seeds is None else options.seeds,
        solver="flow" if options.solver == "flow" else "gd",
        size=options.size or "full",
        balanced=options.balanced,
        sweeps=None if options.sweeps is None else tuple(map(str.strip, options.sweeps.split(","))),
    )
    return plan_of_configs(part.experiment, part.configs()), part


def _default_seeds(study: str | None) -> int:
    """Return how many seeds a study asks for; a name that is none is refused with the others."""
    return campaign(study).seeds if study in STUDIES else SEEDS


def _plan(options: Sweep) -> Plan:
    """Return the plan of fields and axes."""
    named: dict[str, Any] = {} if options.data is None else {"data.source": options.data}
    named |= {f"data.{name}": value for name, value in options.asked.items()}
    named |= {} if options.classes is None else {"data.classes": list(two_names(options.classes))}
    named |= _SOLVERS[options.solver] if options.solver is not None else {}
    set_fields(options.set, value_of_text, named)
    axes = [axis_of_text(text) for text in options.axis or ()]
    if options.seeds is not None:
        axes.append(seeds_axis(options.seeds))
    return Plan(blocks=(Block(base=named, axes=tuple(axes)),))


def _read(path: Path) -> Plan:
    if not path.is_file():
        msg = f"plan must be a file that exists, got {str(path)!r}"
        raise FileNotFoundError(msg)
    try:
        return plan_of_toml(path.read_bytes().decode("utf-8-sig"))  # editors on Windows write the mark
    except (ValueError, TypeError) as error:
        msg = f"{error} (in {path})"
        raise ValueError(msg) from error
