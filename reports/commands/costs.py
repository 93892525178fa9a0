"""`perturblearn costs`: time and memory of training and theory on this machine."""

from dataclasses import dataclass
from pathlib import Path

from cyclopts import Parameter

from reports.options import Run
from reports.terminal import Show


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Costs:
    """Options of `perturblearn costs`.

    Parameters
    ----------
    out
        Output folder.
    repeats
        Timed repetitions of each run, >= 1.
    """

    out: Path = Path("perturblearn-costs")
    repeats: int = 3


def costs(*, options: Costs = Costs()) -> Run:
    """Measure time and memory of training and theory, and draw them on log–log axes.

    Times are those of the machine and of what else it does; nothing here judges them.
    """
    from msgspec.structs import asdict

    from empirics import costs as measured_by
    from empirics.sweep import disk
    from reports import costs as page
    from reports.provenance import provenance
    from theory.kernel import threads

    def run(show: Show) -> str:
        disk.check_output(options.out / page.NUMBERS, options.out / page.PAGE, room=page.ROOM)
        measured = measured_by.measure(
            repeats=options.repeats,
            progress=lambda done, total: show(done / total, f"{done} of {total} runs"),
        )
        command = f"perturblearn costs --repeats {options.repeats}"
        origin = provenance(command=command, device="cpu")
        results = page.Results(
            **asdict(measured),
            schema_version=page.SCHEMA_VERSION,
            provenance=page.Made(**asdict(origin), blas_threads=threads.count()),
        )
        return f"page:    {page.write(options.out, results)}"

    return run
