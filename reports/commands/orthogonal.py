"""`perturblearn orthogonal`: nearly orthogonal samples beside networks trained to their limit."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from reports.commands.options import Classes, Files, Names, Run, Standardise


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Orthogonal(Files):
    """Options of `perturblearn orthogonal`.

    Parameters
    ----------
    published
        Published sweeps of a norm.
    study
        A study.
    data
        Data in hand: a source or a file of `report`.
    sweeps
        With --published: some of d,N,N_adv,eps, separated by commas (all).
    scale
        With --published: 1 for the published sizes (20).
    rule
        With --published: what a smaller size keeps (signal).
    classes
        With --data: two classes A,B: A becomes +1, B becomes -1.
    standardise
        With --data: how features are prepared; scalar-mean: images only (of a file: none).
    num_train
        With --data: keep N training samples.
    loss
        Loss that both networks are trained with (exponential).
    set
        FIELD=VALUE: a field of all experiments, such as width=20 or max_steps=2000; negative_slope is 0.01
        with --published; lists of a study: counts=2:5:10, ratios=0.1:0.5, slopes=0.3:0.8.
    seeds
        Seeds 0 to N-1 (10).
    out
        Folder of results.
    executor
        serial, processes (default) or dask://host:port.
    jobs
        Number of processes (default: one a core).
    dry_run
        Check the options and count, run nothing.
    """

    published: Literal["L2", "Linf", "L0"] | None = None
    study: Literal["turning", "orthogonality"] | None = None
    data: str | None = None
    sweeps: str | None = None
    scale: int | None = None
    rule: Literal["signal", "per-root"] | None = None
    classes: Classes | None = None
    standardise: Standardise | None = None
    num_train: int | None = None
    loss: Literal["exponential", "logistic"] | None = None
    set: Names | None = None
    seeds: int | None = None
    out: Path = Path("perturblearn-orthogonal")
    executor: str | None = None
    jobs: int | None = None
    dry_run: bool = False


def orthogonal(*, options: Orthogonal = Orthogonal()) -> Run:
    """Study the prior work's regime: nearly orthogonal samples, networks trained to their limit.

    Trains networks without biases until their direction converges, on published synthetic sweeps, in a study
    or on your data, beside the limit that the theory of nearly orthogonal samples states. Interrupted, the
    same command does what is missing. Ends with a page, report.html.
    """
    from reports.orthogonal.run import run

    return partial(run, options)
