"""What `perturblearn orthogonal` is asked for: published sweeps, a study, or data in hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import json, to_builtins

from empirics.campaigns.orthogonal import Part, lists
from empirics.data import Dataset
from empirics.data.file import ENDINGS, OPTIONS
from empirics.orthogonal import amplitude_for, data_digest, epsilon_for, examine, load_given
from empirics.plan_text import number_or_text
from empirics.sweep import executors
from empirics.sweep.plan import plan_of_configs
from empirics.sweep.runner import finished, made_by
from empirics.sweep.store import DamagedError, ResultFolder
from reports import terminal
from reports.claims.orthogonal.rows import Results
from reports.options import Orthogonal
from reports.orthogonal.page import EXAMINATION, NUMBERS, read_part, write_page
from reports.presets import source, two_names
from reports.provenance import check_device
from reports.running import SEEDS, carry_out, check_together, claims_said, set_fields

_KINDS = ("published", "study", "data")
_NEEDS = {
    **dict.fromkeys(("sweeps", "scale", "rule"), ("published",)),
    **dict.fromkeys(("classes", "standardise", "num_train", *OPTIONS), ("data",)),
    **dict.fromkeys(("loss", "set", "seeds"), _KINDS),
}


def run(options: Orthogonal, show: terminal.Show) -> str:
    """Run the command; return what to print.  It raises as `carry_out`."""
    check_device(options.device)
    part, data = _asked(options)
    serial = options.device != "cpu"
    pool = executors.parse(options.executor or ("serial" if serial else "processes"), jobs=options.jobs)
    if not options.dry_run:
        part = _settled(options.out, part)
        if data is None and part.kind == "data":
            data = _again(options.out, part)
        if data is not None:
            _examine(options.out, part, data)
    elif part is None:
        msg = "orthogonal must be given --published, --study or --data for a dry run"
        raise ValueError(msg)
    experiment = part.experiment(data)
    plan = plan_of_configs(experiment, part.configs())
    return carry_out(
        experiment,
        plan,
        [part],
        options,
        show,
        pool=pool,
        finish=write_page,
        said=claims,
        device=options.device,
    )


def claims(folder: Path) -> str:
    """Return the claims of a finished folder with their verdicts."""
    results = json.decode((folder / NUMBERS).read_bytes(), type=Results)
    return "\n".join([results.title, *claims_said(results.claims)])


def _settled(folder: Path, part: Part | None) -> Part:
    """Return what the folder is to hold.

    What is there already must be part of it: more seeds or sweeps extend a folder.
    """
    ResultFolder(folder).check()
    old = read_part(folder)
    if part is None:
        if old is None:
            msg = f"orthogonal must be given --published, --study or --data, or a folder of it, got {folder}"
            raise ValueError(msg)
        return old
    if old is not None and not set(old.hashes()) <= set(part.hashes()):
        other = old.kind == part.kind == "data" and old.content != part.content
        if other and {**old.source, "name": ""} == {**part.source, "name": ""}:
            raise _other_data(folder, part)
        msg = f"out must be another folder: {folder} holds {old.title!r}, of which some runs are left out now"
        raise ValueError(msg)
    return part


def _other_data(folder: Path, part: Part) -> ValueError:
    name = part.source["name"]
    return ValueError(f"data must be those that {folder} was begun with, got others from {name!r}")


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
        raise _other_data(folder, part)
    return data


def _load(said: Mapping[str, Any]) -> Dataset:
    given = {name: value for name, value in said.items() if name not in {"name", "num_train"}}
    if given.get("classes") is not None:
        given["classes"] = tuple(given["classes"])
    return load_given(source(said["name"], preset="quick", **given), num_train=said.get("num_train"))


def _examine(folder: Path, part: Part, data: Dataset) -> None:
    """Write what is said of the data without training."""
    store = ResultFolder(folder)
    found = examine(data, part.configs()[0], num_seeds=part.seeds)
    with store.locked():
        store.write(EXAMINATION, {"found": to_builtins(found), "made_by": made_by(part.experiment())})


# Options ---------------------------------------------------------------------------------------------------


def _asked(options: Orthogonal) -> tuple[Part | None, Dataset | None]:
    """Return what was asked for, None if nothing was, and the data in hand."""
    asked = [name for name in _KINDS if getattr(options, name) is not None]
    if len(asked) > 1:
        msg = f"orthogonal must be one of --published, --study, --data, got --{' and --'.join(asked)}"
        raise ValueError(msg)
    check_together(options, asked, _NEEDS)
    if not asked:
        return None, None
    kind: Any = asked[0]
    name = getattr(options, kind)
    fields: dict[str, Any] = {} if options.loss is None else {"loss": options.loss}
    listed = lists(kind, name)
    set_fields(
        options.set,
        lambda text, field: (
            [number_or_text(item) for item in text.split(":")] if field in listed else number_or_text(text)
        ),
        fields,
    )
    common: dict[str, Any] = {"kind": kind, "seeds": SEEDS if options.seeds is None else options.seeds}
    if kind != "data":
        common |= {key: value for key in ("scale", "rule") if (value := getattr(options, key)) is not None}
        if options.sweeps is not None:
            common["sweeps"] = tuple(text.strip() for text in options.sweeps.split(","))
        return Part(name=name, options=fields, **common), None
    said = {
        "name": name,
        "classes": None if options.classes is None else list(two_names(options.classes)),
        "standardise": options.standardise or ("none" if name.endswith(ENDINGS) else None),
        "num_train": options.num_train,
    } | options.asked
    data = _load(said)
    terminal.notify(data)
    sizes = {"dim": data.X.shape[1], "num_train": len(data.X), "num_test": len(data.X_test)}
    fields = {"epsilon": epsilon_for(data.X, fields.get("norm", "L2")), **fields}
    if fields.get("norm") == "L0" and "amplitude" not in fields:
        fields["amplitude"] = amplitude_for(data.X, fields["epsilon"])
    part = Part(name=data.name, options=fields, source=said, sizes=sizes, content=data_digest(data), **common)
    return part, data
