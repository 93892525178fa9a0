"""Run the experiments of a report and collect every number that it shows.

Provenance, the check of Φ, one section a data set, the claims.  Rendering reads them and computes nothing.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from itertools import chain
from pathlib import Path

from msgspec import convert, json
from msgspec.structs import asdict, replace

from empirics.measure import runs as pairs, simulated
from empirics.measure.conditions import crossed
from empirics.record import added
from empirics.sweep.executors import Pool
from empirics.sweep.outcome import Outcome
from empirics.sweep.plain import finite
from empirics.sweep.plan import plan_of_configs
from empirics.sweep.runner import outcomes, run_sweep, stored
from reports import choice, measured
from reports.claims import claims
from reports.claims.simulated import total as total_of_simulated
from reports.claims.theorem import trends
from reports.measured import Measured
from reports.phi_check import PhiCheck, check_phi
from reports.presets import Series
from reports.provenance import Origin
from reports.results import (
    SCHEMA_VERSION,
    Applied,
    AtWidth,
    ChoiceUsed,
    Config,
    Provenance,
    Results,
    Section,
)
from reports.text import legible
from reports.verdicts import Claim

Progress = Callable[[float, str], None]


def build(
    all_series: Sequence[Series],
    *,
    provenance: Origin,
    device: str = "cpu",
    progress: Progress = lambda _share, _text: None,
    pool: Pool | None = None,
    folder: Path | None = None,
    known: Mapping[measured.Run, Outcome] | None = None,
) -> Results:
    """Run all experiments and return the results of a report.

    Parameters
    ----------
    all_series : sequence of Series
        One section each.
    provenance : Origin
        Of `reports.provenance`.
    device : str
        "cpu" or "cuda".
    progress : callable
        Told the share done, in [0, 1], and what comes next.
    pool : Pool, optional
        Where experiments run; in this process, one after the other, if absent.
    folder : Path, optional
        Where results are kept as they come, and taken from if they are there.
    known : mapping, optional
        Results that are there, if there is no folder.

    Returns
    -------
    Results

    Raises
    ------
    ValueError, OSError
        If data cannot be loaded, or the folder cannot be written to.
    FailedError
        If an experiment failed.
    """
    started = time.monotonic()
    experiment = measured.experiment(device)
    asked = [measured.runs_of(series) for series in all_series]
    flat = list(chain.from_iterable(asked))
    phi: Future[PhiCheck] = Future()

    def report(finished: int, total: int) -> None:
        progress(finished / total, f"{finished} of {total} runs")
        if phi.done():
            phi.result()  # what went wrong there ends the runs

    # What interrupts the runs does not wait for it.
    threading.Thread(target=_check, args=(phi,), name="phi", daemon=True).start()
    if pool is None or pool.open is None or pool.here:  # tasks here may need the precision that it sets
        progress(0.0, "checking Φ")
        phi.result()
    if folder is None:
        found = outcomes(experiment, flat, known=known, pool=pool, device=device, progress=report)
    else:
        plan = plan_of_configs(experiment, flat)
        run_sweep(experiment, plan, folder, pool=pool, device=device, progress=report)
        found = stored(experiment, flat, folder)
    sections = [
        _section(series, [Measured.of(found[run]) for run in part])
        for series, part in zip(all_series, asked, strict=True)
    ]
    seconds = round(time.monotonic() - started, 1)
    results = Results(
        schema_version=SCHEMA_VERSION,
        provenance=Provenance(**(asdict(provenance) | {"seconds": seconds})),
        phi=phi.result(),
        sections=list(_named_apart(sections)),
        trends=trends(),
    )
    judged = convert(finite([vars(claim) for claim in claims(results)]), tuple[Claim, ...])
    progress(1.0, "done")
    return replace(results, claims=judged)


def _check(phi: Future[PhiCheck]) -> None:
    try:
        phi.set_result(check_phi())
    except BaseException as error:  # for whoever asks for the result
        phi.set_exception(error)


def _named_apart(sections: Sequence[Section]) -> Iterator[Section]:
    """Add numbers to the sections whose data have one name, since claims refer to sections by name."""
    seen: Counter[str] = Counter()
    for section in sections:
        name = legible(section.name)
        seen[name] += 1
        yield section if seen[name] == 1 else replace(section, name=f"{section.name} ({seen[name]})")


# One data set ---------------------------------------------------------------------------------------


def _section(series: Series, measured: Sequence[Measured]) -> Section:
    runs = [one.run for one in measured]
    (drawn,) = [one.drawn for one in measured if one.drawn is not None]
    scan = next((one.scan for one in measured if one.scan is not None), None)
    plan = simulated.plan(series.base, series.widths, series.seeds)
    widest = [run.conditions for run in runs if run.width == series.widths[-1]]
    conditions = [added(counts) for counts in zip(*widest, strict=True)]
    section = Section(
        **asdict(drawn),
        config=convert(finite(series.base.to_json()), Config),  # and texts of a class of their own are plain
        widths=list(series.widths),
        seeds=list(series.seeds),
        runs=runs,
        by_width=[AtWidth.of([run for run in runs if run.width == width]) for width in series.widths],
        condition_rows=crossed(conditions),
        condition_totals=conditions,
        diagnosis=pairs.diagnose([(one.run, one.sizes) for one in measured], series.widths),
        drift=[one.drift for one in measured if one.drift is not None],
        choice=_choice(series),
        simulated=total_of_simulated(plan, runs, scan) if plan and scan else None,
    )
    return json.decode(json.encode(section), type=Section)  # what is not finite is then None


def _choice(series: Series) -> ChoiceUsed | None:
    """Return what was chosen from the data, and which of it these experiments have."""
    if series.choice is None:
        return None
    base, chosen = series.base, series.choice
    return ChoiceUsed(
        **asdict(chosen),
        applied=Applied(
            T_f=base.T_f == chosen.T_f,
            T_g=base.T_g == chosen.T_g,
            epsilon=base.epsilon == chosen.epsilon,
            widths=series.widths == chosen.widths,
        ),
        shares={
            "initial": choice.INITIAL_SHARE,
            "largest_initial": choice.LARGEST_INITIAL_SHARE,
            "widest_free": choice.WIDEST_FREE_SHARE,
            "capped_free": choice.CAPPED_FREE_SHARE,
            "work": choice.MOST_WORK,
        },
    )
