"""Pairs of networks as the records that are kept of them, and why f and g disagree over all of them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from msgspec.structs import replace

from empirics.measure import agreement, certified
from empirics.measure.certified import Certified
from empirics.measure.conditions import ConditionCounts
from empirics.measure.diagnosis import CAUSES, CONDITIONS, NONE, UNKNOWN, Examined, Sizes, examine
from empirics.measure.result import Agreement, Cosines, ExperimentResult, Measures
from empirics.measure.simulated import SimulatedRun
from empirics.measure.times import AtTime
from empirics.record import Count, Name, Number, OfBoth, Record

# Below this share of equal signs a run counts as failed: hardly more than a coin.
FAILED = 0.6


class Run(OfBoth[Measures[Number]], frozen=True, kw_only=True):
    """One pair of networks."""

    width: Count
    seed: Count
    cosines: Cosines[Number]
    agreement: Agreement[Number]
    conditions: list[ConditionCounts]
    zero_gradients: Count
    certificates: dict[str, Certified]
    diagnosis: Examined
    simulated: SimulatedRun | None = None
    over_times: tuple[AtTime, ...] = ()

    def relative_error(self, network: str) -> float | None:
        """Return the error of a network relative to the size of what is predicted."""
        error, scale = self[network].error, self[network].scale
        return error / scale if error is not None and scale else None


def measure(
    result: ExperimentResult, *, in_hand: bool, simulated: SimulatedRun | None = None
) -> tuple[Run, Sizes]:
    """Return the record of one experiment, and the sizes of `examine`; `in_hand` as in `certified.counts`."""
    examined, sizes = examine(result)
    run = Run(
        f=_of_loss(result, "f"),
        g=_of_loss(result, "g"),
        width=result.config.width,
        seed=result.config.seed,
        cosines=result.cosines,
        agreement=result.agreement,
        conditions=list(result.conditions),
        zero_gradients=result.zero_gradients,
        certificates=certified.counts(result, in_hand=in_hand),
        diagnosis=examined,
        simulated=simulated,
        over_times=result.over_times,
    )
    return run, sizes


def _of_loss(result: ExperimentResult, network: Name) -> Measures[float]:
    """With another loss than identity, replace the errors of f_b by those of the lazy limit of that loss."""
    measures = result.f if network == "f" else result.g
    if result.setting.loss == "identity":
        return measures
    velocity = result.velocity(network, result.dataset.X_test)
    error = result.measured_velocity(network) - velocity
    return replace(
        measures,
        error=float(np.sqrt(np.mean(error**2))),
        scale=float(np.sqrt(np.mean(velocity**2))),
        sign_match=agreement(result.side(network).points.final, velocity),
    )


# All runs of a section --------------------------------------------------------------------------------


class DiagnosisAtWidth(Examined, frozen=True, kw_only=True):
    """The counts of all seeds of one width, and medians of |term|/|signal| over the differing points."""

    width: Count
    sizes: dict[str, Number]


class FailedRun(Record, frozen=True, kw_only=True):
    """A run with an agreement below `FAILED`."""

    width: Count
    seed: Count
    agreement: Number
    cause: str  # of most of the differing points
    share: Number  # of these
    unmet: list[str]  # conditions that are not met at most of them


class Diagnosis(Record, frozen=True, kw_only=True):
    """Why f and g differ where they do; causes and terms in order."""

    failed_below: float
    causes: list[str]
    terms: list[str]
    by_width: list[DiagnosisAtWidth]
    failed: list[FailedRun]


def diagnose(measured: Iterable[tuple[Run, Sizes]], widths: Sequence[int]) -> Diagnosis:
    """Add up the runs of a section, from `measure`, width by width."""
    known = list(measured)
    by_width = [_by_width([one for one in known if one[0].width == width], width) for width in widths]
    return Diagnosis(
        failed_below=FAILED,
        causes=[cause for cause in CAUSES if any(cause in row.causes for row in by_width)],
        terms=list(next((row.sizes for row in by_width if row.sizes), {})),
        by_width=by_width,
        failed=[
            _failed(run, agreement)
            for run, _ in known
            if (agreement := run.agreement.measured) is not None and agreement < FAILED
        ],
    )


def _by_width(measured: Sequence[tuple[Run, Sizes]], width: int) -> DiagnosisAtWidth:
    found = [run.diagnosis for run, _ in measured]
    rows = [row for _, sizes in measured for row in sizes]
    return DiagnosisAtWidth(
        width=width,
        points=sum(one.points for one in found),
        differ=sum(one.differ for one in found),
        causes=_add(one.causes for one in found),
        enough=_add(one.enough for one in found),
        unmet=_add(one.unmet for one in found),
        sizes={
            name: float(np.median([np.nan if (size := row[name]) is None else size for row in rows]))
            for name in (rows[0] if rows else ())
        },
    )


def _add(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    added: Counter[str] = Counter()
    for count in counts:
        added.update(count)
    order = [*CAUSES, *CONDITIONS, *NONE]
    return {name: added[name] for name in sorted(added, key=order.index)}


def _failed(run: Run, agreement: float) -> FailedRun:
    """Return the most frequent cause; unknown where two are equally frequent."""
    found = run.diagnosis
    ranked = Counter(found.causes).most_common(2)
    tied = len(ranked) == 2 and ranked[0][1] == ranked[1][1]
    cause, count = ranked[0] if ranked and not tied else (UNKNOWN, found.causes.get(UNKNOWN, 0))
    return FailedRun(
        width=run.width,
        seed=run.seed,
        agreement=agreement,
        cause=cause,
        share=count / found.differ if found.differ else None,
        unmet=[name for name in CONDITIONS if found.unmet[name] > found.differ / 2],
    )
