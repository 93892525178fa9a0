"""A report in one line of Python: data in, a `Report` out."""

import inspect
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from threadpoolctl import threadpool_limits

from empirics.config import ExperimentConfig
from empirics.data import ArrayData, DataSource
from empirics.deep import DeepConfig
from reports import formats, pairs, terminal
from reports.build import build
from reports.document import Report, SweepReport
from reports.making import RUNS, check_data, check_free
from reports.options import Data, Report as Asked, Setting
from reports.planning import Question, planned
from reports.plans import Plan, Plans, check_output
from reports.presets import DataOptions, Series, check_widths, series, source
from reports.provenance import check_device, provenance
from reports.sweeps.report import check_quick, plan_of, report as carried_out
from theory.validation import check_kind


def report(
    data: Any,  # noqa: ANN401  (arrays of any library)
    y: Any = None,  # noqa: ANN401
    X_test: Any = None,  # noqa: ANN401
    y_test: Any = None,  # noqa: ANN401
    *,
    preset: str = "quick",
    seeds: int | None = None,
    out: Path | str | None = None,
    widths: Sequence[int] | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    **options: Any,  # noqa: ANN401
) -> Report | SweepReport | pairs.Pairs:
    """Train networks on data, compare them with the theory, and return the report.

    Parameters
    ----------
    data : array, str or DataSource
        X, shape (N, d), as for `empirics.data.ArrayData`, with the labels `y`; or a name or file as on the
        command line; or a source of data.
    y, X_test, y_test : arrays, optional
        With arrays: labels, and test points (some of X if absent).
    preset : {"quick", "lazy", "published"}
        Flow times, ε and widths follow from the theory for the data, see `reports.series`.
    seeds : int, optional
        At least 2; 3 if absent, and 14 with `depth` or `module`, whose rules ask for more.
    out : path, optional
        Folder to which the report is written, with the arrays beside it; what is trained is kept there.
    widths : sequence of int, optional
        In place of the preset's.
    device : str
        "cpu" or "cuda".
    overwrite : bool
        Whether a report of other experiments in `out` is replaced.
    **options
        Of the data, ``name``, ``classes``, ``test_fraction``, ``standardise`` (of a name or file those of
        `reports.source`); others are fields of the experiment, such as ``num_steps``.  ``depth`` (with
        ``rates``) or ``module``, as of `empirics.DeepConfig`: the report of these networks.

    Returns
    -------
    Report, SweepReport with ``depth`` or ``module``, or Pairs
        With ``classes="all"`` the reports of all pairs of classes, each in a folder of its own in `out`.

    Raises
    ------
    ValueError, TypeError, OSError
        If data or an option break their rules, or `out` holds a report of other experiments; nothing is
        trained then.
    RuntimeError
        If a run failed.

    Examples
    --------
    >>> import numpy as np
    >>> import reports
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> report = reports.report(X, np.sign(X[:, 0]), widths=[50, 100, 200], seeds=2)
    >>> report.table[0]["claim"], report.table[0]["verdict"]
    ('Φ has a closed form', 'holds')
    """
    deep = _check_options(options)
    widths = None if widths is None else check_widths(widths)
    folder = None if out is None else formats.as_path("out", out)
    check_kind("overwrite", overwrite, bool, "True or False")
    check_device(device)
    of_data = {name: options.pop(name) for name in _DATA_OPTIONS if name in options}
    every = isinstance(classes := of_data.get("classes"), str) and classes == "all"
    if every:
        del of_data["classes"]
    chosen, place = _source(data, (y, X_test, y_test), of_data, preset, out)
    if deep:
        check_quick(preset=preset, device=device)
        of_pairs = pairs.sources(chosen.name, chosen).values() if every else [chosen]
        plan = plan_of([*of_pairs], options, widths=widths, seeds=seeds)
        return SweepReport(results=carried_out(plan, folder, overwrite=overwrite))
    jobs = []
    for name, one in pairs.sources(chosen.name, chosen).items() if every else [("", chosen)]:
        made = series(one, preset=preset, num_seeds=3 if seeds is None else seeds, fields=options)
        made = made if widths is None else replace(made, widths=widths)
        own = None if folder is None else folder / name
        if own is not None:
            formats.check_output(own, "html")
            if not overwrite:
                check_free(own, [made])
        for found in check_data([made]):  # bad data must be known before anything is trained
            terminal.notify(found)
        jobs.append((made, own))
    if out is not None and isinstance(chosen, ArrayData):
        _keep(Path(place), chosen, overwrite=overwrite)
    reports = []
    for made, own in jobs:
        said = {"preset": preset, "seeds": len(made.seeds), "widths": widths, **of_data, **options}
        said |= {"classes": getattr(made.base.data, "classes", None)} if every else {}
        results = build(
            [made],
            provenance=provenance(command=_command(place, made.base.data, said, own), device=device),
            device=device,
            folder=None if own is None else own / RUNS,
        )
        reports.append(Report(results=results))
        if own is not None:
            reports[-1].write(own, overwrite=True)
    if not every:
        return reports[0]
    if folder is not None:
        pairs.write_index(folder, [own.name for _, own in jobs if own is not None])
    return pairs.Pairs(reports=tuple(reports))


_DATA_OPTIONS = ("name", *DataOptions.__annotations__)


def _check_options(options: Mapping[str, Any]) -> bool:
    """Refuse options that there are not; tell whether they are those of networks of any architecture."""
    deep = not {"depth", "module"}.isdisjoint(options)
    kinds = (ExperimentConfig, DeepConfig) if deep else (ExperimentConfig,)
    known = dict.fromkeys([*_DATA_OPTIONS, *(field.name for kind in kinds for field in fields(kind))])
    known = {name: None for name in known if name not in {"data", "width", "seed"}}
    if not deep:
        known |= {"depth": None, "module": None}
    for name in options:
        if name not in known:
            own = [name for name in inspect.signature(report).parameters if name != "options"]
            msg = f"reports.report has no option {name!r}; it has {', '.join([*own, *known])}"
            raise TypeError(msg)
    return deep


def _source(
    data: Any,  # noqa: ANN401
    arrays: tuple[Any, Any, Any],
    of_data: dict[str, Any],
    preset: str,
    out: Path | str | None,
) -> tuple[DataSource, str]:
    """Return a source of data, and how the command line names it; "" where it cannot."""
    if data is None:
        msg = "data must be given: arrays, a name, a file or a source of data, got None"
        raise TypeError(msg)
    if isinstance(data, (str, Path)):
        _refuse_labels(*arrays)
        return source(str(data), preset=preset, **of_data), str(data)
    if isinstance(data, get_args(DataSource)):
        _refuse_labels(*arrays, *of_data.values())
        return data, ""
    chosen = ArrayData(data, *arrays, **of_data)
    return chosen, "" if out is None else str(Path(out) / f"{chosen.name}.npz")


def _refuse_labels(*values: object) -> None:
    if any(value is not None for value in values):
        msg = "y, X_test, y_test and options of data must come with arrays: a source has its own"
        raise ValueError(msg)


def _keep(path: Path, data: ArrayData, *, overwrite: bool) -> None:
    """Write arrays beside the reports that are made of them, over no other file."""
    content = data.archive()
    if path.exists() and not overwrite and path.read_bytes() != content:
        msg = f"{path} must be new or hold these arrays; take another folder or name, or say overwrite"
        raise FileExistsError(msg)
    formats.write(path.parent, {path.name: content})


def _command(place: str, data: DataSource, said: dict[str, Any], out: Path | None) -> str:
    """Return the command that says the same, a call where none can."""
    said = {name: value for name, value in said.items() if value is not None}
    if not place or any("," in name for name in said.get("classes") or ()) or not {*said} <= _FLAGS:
        first = "X, y" if isinstance(data, ArrayData) else repr(place or data)
        said |= {} if out is None else {"out": str(out)}
        return f"reports.report({', '.join([first, *(f'{name}={value!r}' for name, value in said.items())])})"
    words = []
    for name, value in said.items():
        flag = f"--{name.replace('_', '-')}"
        if name in {"classes", "widths"}:
            words.append(f"{flag}={','.join(map(str, value))}")
        elif value is not False and name != "name":
            words.append(flag if value is True else f"{flag}={value}")
    words += [] if out is None else ["--out", str(out)]
    # Runs of arrays are others than those of their file, which the folder keeps.
    words += ["--overwrite"] if isinstance(data, ArrayData) else []
    return shlex.join(["perturblearn", "report", "--data", place, *words])


# Options that the command has as well; the name of arrays is that of their file.
_FLAGS = {"name", *(field.name for kind in (Asked, Data, Setting) for field in fields(kind))}


def plan(
    data: Any,  # noqa: ANN401
    y: Any = None,  # noqa: ANN401
    X_test: Any = None,  # noqa: ANN401
    y_test: Any = None,  # noqa: ANN401
    *,
    out: Path | str | None = None,
    **options: Any,  # noqa: ANN401
) -> Plan | Plans:
    """Return when g will agree with f on data, how long both must train, and the setting of a report.

    Nothing is trained: chances are those of the wide limit, identity loss, scenario (a).

    Parameters
    ----------
    data, y, X_test, y_test
        As in `report`.
    out : path, optional
        Folder to which plan.html and plan.json are written.
    **options
        Of the data as in `report`, and what is asked: ``share`` in (1/2, 1), the mean agreement (0.9);
        ``T_f`` and ``T_g`` ≥ 0, ``epsilon`` > 0 and ``targets`` ("random" or "balanced"), found where absent;
        ``negative_slope``; ``depth`` and ``rates`` ("first" or "all"); ``points``, how many test points are
        used (200, of deep networks 20).

    Returns
    -------
    Plan, or Plans
        With ``classes="all"`` those of all pairs of classes, each in a folder of its own in `out`.

    Raises
    ------
    ValueError, TypeError, OSError
        If data or an option break their rules, or nothing can be written to `out`.

    Notes
    -----
    Source: `theory.times.agreement_law`, Derivation 18.  Targets are random unless these cannot give the
    share and balanced ones are better; ε is the median norm of the samples unless ten times that is.

    Examples
    --------
    >>> import numpy as np
    >>> import reports
    >>> X = np.random.default_rng(0).normal(size=(40, 3))
    >>> plan = reports.plan(X, np.sign(X[:, 0]), share=0.8)
    >>> plan.agreement >= 0.8
    True
    """
    asked = {field.name: options.pop(field.name) for field in fields(Question) if field.name in options}
    if unknown := options.keys() - {*_DATA_OPTIONS}:
        known = (*_DATA_OPTIONS, *(field.name for field in fields(Question)))
        msg = f"reports.plan has no option {min(unknown)!r}; it has {', '.join(known)}"
        raise TypeError(msg)
    question = Question(**asked)
    folder = None if out is None else formats.as_path("out", out)
    every = options.get("classes") == "all"
    chosen, place = _source(
        data,
        (y, X_test, y_test),
        {name: value for name, value in options.items() if not (every and name == "classes")},
        "quick",
        None,
    )
    jobs = pairs.sources(chosen.name, chosen) if every else {"": chosen}
    if folder is not None:
        for name in jobs:
            check_output(folder / name)
    made = []
    for name, one in jobs.items():
        (found,) = check_data([Series(base=ExperimentConfig(data=one, width=1), widths=(1,), seeds=(0,))])
        terminal.notify(found)
        given = {option: value for option, value in options.items() if value is not False}
        given |= {"classes": getattr(one, "classes", None)} if every else {}
        with threadpool_limits(1):  # threads of a BLAS would wait longer than they work
            made.append(planned(found, question, command=partial(_said, place, one, given)))
        if folder is not None:
            made[-1].write(folder / name)
    return Plans(plans=tuple(made)) if every else made[0]


def _said(place: str, data: DataSource, given: dict[str, Any], asked: Mapping[str, Any]) -> str:
    """Return the command of a report that does what a plan says."""
    return _command(place, data, {**given, **asked}, None)
