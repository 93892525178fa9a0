"""`perturblearn sweep`: many experiments, in a folder that any interruption leaves whole."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from reports.commands.options import Classes, Files, Names, Run


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Sweep(Files):
    """Options of `perturblearn sweep`.

    Parameters
    ----------
    published
        A block of the published grid.
    study
        A study.
    sweeps
        Some sweeps of a block (d, N, eps, m, ...) or study, separated by commas.
    solver
        Gradient flow, descent, or descent with momentum .9; of a published block, whose optimiser has
        momentum: flow or gd.
    size
        Size of a published block; small: smaller data, same ratios, of images bundled digits (8x8) in place
        of MNIST and Fashion-MNIST (default: full).
    balanced
        In a published block, as many target labels +1 as −1.
    data
        A source, or a file as of `report`.
    classes
        With --data: two classes A,B: A becomes +1, B becomes -1.
    set
        FIELD=VALUE: a field of all experiments, such as width=100 or data.dim=20; two classes:
        data.classes=3:8.
    axis
        FIELD=V,V,...: values of a field, such as width or data.dim; several axes: their product;
        T_f,T_g=1:1,2:4 for fields that go together; pairs of classes: data.classes=1:2,3:8.
    seeds
        Seeds 0 to N-1 (blocks and studies: 10).
    out
        Folder of results.
    device
        cpu, cuda or cuda:N; one for all results of a folder.
    executor
        serial, processes or dask://host:port (default: processes; serial on a GPU).
    jobs
        Number of processes (default: one a core).
    retry_failed
        Try failed experiments again.
    merge
        Add the plan to the folder's, where it does not contain it.
    dry_run
        Check the plan and count, run nothing.
    """

    published: (
        Literal["msg-a", "msg-b", "g-a", "g-b", "mnist-a", "mnist-b", "fmnist-a", "fmnist-b"] | None
    ) = None
    study: Literal["dimension", "perturbation-size", "width", "lazy", "training-time"] | None = None
    sweeps: str | None = None
    solver: Literal["flow", "gd", "gd-momentum"] | None = None
    size: Literal["full", "small"] | None = None
    balanced: bool = False
    data: str | None = None
    classes: Classes | None = None
    set: Names | None = None
    axis: Names | None = None
    seeds: int | None = None
    out: Path = Path("perturblearn-sweep")
    device: str = "cpu"
    executor: str | None = None
    jobs: int | None = None
    retry_failed: bool = False
    merge: bool = False
    dry_run: bool = False


def sweep(plan: Path | None = None, /, *, options: Sweep = Sweep()) -> Run:
    """Run an experiment for many values of its fields, and write one row for each.

    Interrupted, killed or out of disk, the same command does what is missing. Without a plan or fields: the
    plan of the folder. Ends with a page, report.html.

    Parameters
    ----------
    plan
        A .toml file with base, seeds and [[sweep]] tables of axes.
    """
    from reports.sweeps.run import run

    return partial(run, plan, options)
