"""`perturblearn report`: networks trained, compared with the theory, and a page of it."""

from functools import partial

from reports.options import Data, Report, Run, Setting, Typed


def report(
    *, options: Report = Report(), data: Data = Data(), setting: Setting = Setting(), command: Typed
) -> Run:
    """Train networks, compare them with the theory, write an HTML page and results.json."""
    if options.executor is None and options.jobs != 1:
        from empirics.sweep.executors import prepare

        prepare("reports.measured", "sklearn.datasets")  # and what reads data, with pandas in it
    from reports.making import make

    return partial(make, options, data, setting, command=command)
