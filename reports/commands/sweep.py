"""`perturblearn sweep`: many experiments, in a folder that any interruption leaves whole."""

from functools import partial
from pathlib import Path

from reports.options import Run, Sweep


def sweep(plan: Path | None = None, /, *, options: Sweep = Sweep()) -> Run:
    """Run an experiment for many values of its fields, and write one row for each.

    Interrupted, killed or out of disk, the same command does what is missing. Without a plan or fields: the
    plan of the folder. Ends with a page, report.html.

    Parameters
    ----------
    plan
        A .toml file with base, seeds and [[sweep]] tables of axes.
    """
    if options.executor is None and options.jobs != 1 and not options.dry_run:
        from empirics.sweep.executors import prepare

        prepare("empirics.families")
    from reports.sweeps.run import run

    return partial(run, plan, options)
