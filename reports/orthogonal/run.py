"""What `perturblearn orthogonal` does: nearly orthogonal samples beside networks trained to their limit."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empirics.data import Dataset
from empirics.orthogonal import (
    amplitude_for,
    data_digest,
    epsilon_for,
    examine,
    load_given,
)
from empirics.sweep import executors
from empirics.sweep.plan import plan_of_configs
from empirics.sweep.runner import finished, made_by, run_sweep
from empirics.sweep.store import DamagedError, ResultFolder
from reports import terminal
from reports.orthogonal.page import EXAMINATION, NUMBERS, PAGE, read_part, write_page
from reports.orthogonal.parts import LISTS, Part
from reports.presets import source

if TYPE_CHECKING:
    from reports.commands.orthogonal import Orthogonal

_SEEDS = 10


def run(options: "Orthogonal", show: terminal.Show) -> str:
    """Run the command; return what to print.

    Raises
    ------
    AllFailedError
        If every run failed; the page is there and says so.
    ValueError, TypeError, OSError, RuntimeError
        On bad input or a disk that takes no more, as one line.
    KeyboardInterrupt
        If interrupted; the message says that results stay.
    """
    part, data = _part(options)
    if options.dry_run:
        if part is None:
            msg = "orthogonal must be given --published, --study or --data for a dry run"
            raise ValueError(msg)
        return f"{len(part.configs())} runs; nothing was run"
    pool = executors.parse(options.executor or "processes", jobs=options.jobs)
    part = _settled(options.out, part)
    if data is None and part.kind == "data":
        data = _again(options.out, part)
    if data is not None:
        _examine(options.out, part, data)
    experiment = part.experiment(data)
    run_sweep(
        experiment,
        plan_of_configs(experiment, part.configs()),
        options.out,
        pool=pool,
        retry_failed=True,
        about=part.to_json(),
        progress=lambda count, total: show(count / total, f"{count} of {total}"),
        finish=write_page,
    )
    said = f"{summary(options.out)}\npage:    {options.out / PAGE}\n"
    said += f"results: {options.out / 'results.csv'} and .jsonl"
    totals = json.loads((options.out / NUMBERS).read_text(encoding="utf-8"))["totals"]
    if totals["done"] == 0 < totals["failed"]:
        raise terminal.AllFailedError(said)
    return said


def summary(folder: Path) -> str:
    """Return the claims of a finished folder with their verdicts."""
    results: Mapping[str, Any] = json.loads((folder / NUMBERS).read_text(encoding="utf-8"))
    lines = [results["title"]]
    for claim in results["claims"]:
        lines += [
            f"{claim['verdict'] or 'no verdict':<20}{claim['statement']}",
            f"{'':20}{claim['measured']}",
        ]
    totals = results["totals"]
    lines.append(f"{totals['done']} of {totals['configurations']} runs done, {totals['failed']} failed")
    return "\n".join(lines)


def _settled(folder: Path, part: Part | None) -> Part:
    """Return what the folder is to hold.

    What is there already must be part of it: more seeds or sweeps extend a folder.
    """
    ResultFolder(folder).check()
    old = read_part(folder) if (folder / "plan.json").exists() else None
    if part is None:
        if old is None:
            msg = f"orthogonal must be given --published, --study or --data, or a folder of it, got {folder}"
            raise ValueError(msg)
        part = old
    other = old is not None and old.kind == part.kind == "data" and old.content != part.content
    if other and old is not None and {**old.source, "name": ""} == {**part.source, "name": ""}:
        msg = f"data must be those that {folder} was begun with, got others from {part.source['name']!r}"
        raise ValueError(msg)
    if old is not None and not set(old.hashes()) <= set(part.hashes()):
        msg = f"out must be another folder: {folder} holds {old.title!r}, of which some runs are left out now"
        raise ValueError(msg)
    return part


# Data in hand ----------------------------------------------------------------------------------------------


def _again(folder: Path, part: Part) -> Dataset | None:
    """Load the data of a folder again if something is missing; None if all that is needed is there."""
    try:
        examined = ResultFolder(folder).read(EXAMINATION)
    except DamagedError:
        examined = None
    if examined is not None and finished(part.experiment(), part.configs(), folder):
        return None
    data = _load(part.source)
    if data_digest(data) != part.content:
        msg = f"data must be those that {folder} was begun with, got others from {part.source['name']!r}"
        raise ValueError(msg)
    return data


def _load(said: Mapping[str, Any]) -> Dataset:
    classes = said.get("classes")
    asked = source(
        said["name"],
        preset="quick",
        classes=None if classes is None else tuple(classes),
        standardise=said.get("standardise"),
        header=said.get("header"),
    )
    return load_given(asked, num_train=said.get("num_train"))


def _examine(folder: Path, part: Part, data: Dataset) -> None:
    """Write what is said of the data without training."""
    store = ResultFolder(folder)
    found = examine(data, part.configs()[0], num_seeds=part.seeds)
    with store.locked():
        store.write(EXAMINATION, {"found": found, "made_by": made_by(part.experiment())})


# Options ---------------------------------------------------------------------------------------------------


def _part(options: "Orthogonal") -> tuple[Part | None, Dataset | None]:
    """Return what was asked for, None if nothing was, and the data in hand."""
    asked = [name for name in ("published", "study", "data") if getattr(options, name) is not None]
    _refuse_others(options, asked)
    if not asked:
        return None, None
    kind: Any = asked[0]
    name = getattr(options, kind)
    what = name if kind == "study" else kind
    common: dict[str, Any] = {"kind": kind, "seeds": _SEEDS if options.seeds is None else options.seeds}
    fields = _fields(options, LISTS.get(what, ()))
    if kind == "published":
        if options.sweeps is not None:
            common["sweeps"] = tuple(text.strip() for text in options.sweeps.split(","))
        if options.scale is not None:
            common["scale"] = options.scale
        if options.rule is not None:
            common["rule"] = options.rule
    if kind != "data":
        return Part(name=name, options=fields, **common), None
    said = {
        "name": name,
        "classes": None if options.classes is None else [c.strip() for c in options.classes.split(",")],
        "standardise": options.standardise or ("none" if name.endswith((".npz", ".csv")) else None),
        "num_train": options.num_train,
    } | ({} if options.header is None else {"header": options.header})
    data = _load(said)
    sizes = {"dim": data.X.shape[1], "num_train": len(data.X), "num_test": len(data.X_test)}
    fields = {"epsilon": epsilon_for(data.X, fields.get("norm", "L2")), **fields}
    if fields.get("norm") == "L0" and "amplitude" not in fields:
        fields["amplitude"] = amplitude_for(data.X, fields["epsilon"])
    part = Part(name=data.name, options=fields, source=said, sizes=sizes, content=data_digest(data), **common)
    return part, data


def _refuse_others(options: "Orthogonal", asked: list[str]) -> None:
    if len(asked) > 1:
        msg = f"orthogonal must be one of --published, --study, --data, got --{' and --'.join(asked)}"
        raise ValueError(msg)
    needs: dict[str, tuple[str, ...]] = {
        **dict.fromkeys(("sweeps", "scale", "rule"), ("published",)),
        **dict.fromkeys(("classes", "standardise", "num_train", "header"), ("data",)),
        **dict.fromkeys(("loss", "set", "seeds"), ("published", "study", "data")),
    }
    for flag, kinds in needs.items():
        if getattr(options, flag) is not None and not set(asked) & set(kinds):
            msg = f"--{flag.replace('_', '-')} must come with --{' or --'.join(kinds)}"
            raise ValueError(msg)


def _fields(options: "Orthogonal", lists: tuple[str, ...]) -> dict[str, Any]:
    """Return the fields of --loss and --set."""
    made: dict[str, Any] = {} if options.loss is None else {"loss": options.loss}
    for text in options.set or ():
        name, equals, value = text.partition("=")
        if not equals or not name or name in made:
            msg = f"set must look like width=20, each field once, got {text!r}"
            raise ValueError(msg)
        made[name] = [_value(item) for item in value.split(":")] if name in lists else _value(value)
    return made


def _value(word: str) -> int | float | str:
    """Return the number or the text that a word stands for; fields of the configuration are no others."""
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word.strip()
