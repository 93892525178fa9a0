"""A report in one line of Python: data in, a `Report` out."""

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from empirics.data import ArrayData, DataSource
from empirics.experiment import load_data
from reports import formats, terminal
from reports.build import build
from reports.document import Report
from reports.making import RUNS
from reports.presets import series, source
from reports.provenance import provenance


def report(
    data: Any,  # noqa: ANN401  (arrays of any library)
    y: Any = None,  # noqa: ANN401
    X_test: Any = None,  # noqa: ANN401
    y_test: Any = None,  # noqa: ANN401
    *,
    preset: str = "quick",
    seeds: int = 3,
    out: Path | str | None = None,
    widths: Sequence[int] | None = None,
    device: str = "cpu",
    **options: Any,  # noqa: ANN401
) -> Report:
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
    seeds : int
        At least 2.
    out : path, optional
        Folder to which the report is written, with the arrays beside it; what is trained is kept there.
    widths : sequence of int, optional
        In place of the preset's.
    device : str
        "cpu" or "cuda".
    **options
        Of the data, ``name``, ``classes``, ``test_fraction``, ``standardise`` (of a name or file those of
        `reports.source`); others are fields of the experiment, such as ``num_steps``.

    Returns
    -------
    Report

    Raises
    ------
    ValueError, TypeError, FileNotFoundError
        If data or an option break their rules; nothing is trained then.
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
    of_data = {name: options.pop(name) for name in _DATA_OPTIONS if name in options}
    command = ["perturblearn", "report", "--data"]
    chosen: DataSource
    if isinstance(data, (str, Path)):
        data = str(data)
        _refuse_labels(y, X_test, y_test)
        chosen = source(data, preset=preset, **of_data)
        command.append(data)
    elif isinstance(data, get_args(DataSource)):
        _refuse_labels(y, X_test, y_test, *of_data.values())
        chosen, command = data, [f"reports.report({data!r})"]
    else:
        chosen = ArrayData(data, y, X_test, y_test, **of_data)
        command = (
            ["reports.report(X, y)"] if out is None else [*command, str(Path(out) / f"{chosen.name}.npz")]
        )
    made = series(chosen, preset=preset, num_seeds=seeds, fields=options)
    made = made if widths is None else replace(made, widths=tuple(widths))
    if out is not None:
        formats.check_output(Path(out), "html")
    for seed in made.seeds:  # bad data must be known before anything is trained
        found = load_data(replace(made.base, seed=seed))
        if seed == made.seeds[0]:
            terminal.notify(found)
    if out is not None and isinstance(chosen, ArrayData):
        formats.write(Path(out), {f"{chosen.name}.npz": chosen.archive()})
    if len(command) > 1:
        command += [f"--preset={preset}", f"--seeds={seeds}", *_flags(of_data, widths, options)]
        command += ["--out", str(out)] if out is not None else []
    line = command[0] if len(command) == 1 else shlex.join(command)
    results = build(
        [made],
        provenance=provenance(command=line, device=device),
        device=device,
        folder=None if out is None else Path(out) / RUNS,
    )
    written = Report(results=results)
    if out is not None:
        written.write(out)
    return written


_DATA_OPTIONS = (
    *("name", "classes", "test_fraction", "standardise", "dim", "num_train", "num_test", "shift"),
    *("header", "label", "index", "drop_missing", "decimal"),
)


def _refuse_labels(*values: object) -> None:
    if any(value is not None for value in values):
        msg = "y, X_test, y_test and options of data must come with arrays: a source has its own"
        raise ValueError(msg)


def _flags(of_data: dict[str, Any], widths: Sequence[int] | None, fields: dict[str, Any]) -> list[str]:
    """Return the options of the command that say the same."""
    said = {name: value for name, value in of_data.items() if name != "name"} | fields
    if said.get("classes") is not None:
        said["classes"] = ",".join(said["classes"])
    if widths is not None:
        said["widths"] = ",".join(map(str, widths))
    if said.pop("drop_missing", False):
        said["drop_missing"] = True
    return [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in said.items()
        if value is not None
    ]
