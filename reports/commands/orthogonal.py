"""`perturblearn orthogonal`: nearly orthogonal samples beside networks trained to their limit."""

from functools import partial

from reports.options import Orthogonal, Run


def orthogonal(*, options: Orthogonal = Orthogonal()) -> Run:
    """Study the prior work's regime: nearly orthogonal samples, networks trained to their limit.

    Trains networks without biases until their direction converges, on published synthetic sweeps, in a study
    or on your data, beside the limit that the theory of nearly orthogonal samples states. Interrupted, the
    same command does what is missing. Ends with a page, report.html.
    """
    if options.executor is None and options.jobs != 1 and not options.dry_run:
        from empirics.sweep.executors import prepare

        prepare("empirics.orthogonal.experiment")
    from reports.orthogonal.run import run

    return partial(run, options)
