"""The claims of the theory, each judged against what was measured: one file a family, one list of all.

A claim has a statement, a source, a hypothesis, a prediction, a measurement and a verdict: *holds*,
*fails*, *hypothesis not met*, or *unknown*.  Every rule is written out in `rule`; what is missing or not
finite makes a claim unknown, never true.  Pure functions of results.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from reports.claims.agreement import agreement, width_trend
from reports.claims.certificates import certificates
from reports.claims.directions import gradient_direction, kink_term, paper_direction, perturbation
from reports.claims.drift import drift
from reports.claims.free_neurons import free_share, only_free_flip
from reports.claims.orthogonal import (
    attack,
    converged,
    decay,
    examined,
    published_sweep,
    rows as of_orthogonal,
    signs,
    turning,
)
from reports.claims.phi import closed_form
from reports.claims.rates import rate
from reports.claims.simulated import simulated
from reports.claims.sweeps import (
    criterion,
    explained,
    failures,
    published_values,
    reached,
    rows as of_sweeps,
    trends,
)
from reports.claims.theorem import theorem
from reports.judging import seeds_without_violation, unmeasured
from reports.page import Block
from reports.results import Results, Section
from reports.text import many
from reports.verdicts import Claim

__all__ = [
    "OF_ORTHOGONAL",
    "OF_SECTIONS",
    "OF_SWEEPS",
    "claims",
    "claims_of_orthogonal",
    "claims_of_sweeps",
    "shown",
]

# Share of points that may differ from all others, which the points of a data set must be able to show.
DIFFERENT = 0.2

OfSweeps = Callable[[of_sweeps.Section], list[Claim]]
OfOrthogonal = Callable[[of_orthogonal.Results, Sequence[of_orthogonal.Run]], list[Claim]]

# Of each data set, in the order of the page.
OF_SECTIONS: tuple[Callable[[Section], Claim], ...] = (
    free_share,
    only_free_flip,
    drift,
    lambda section: rate(section, "f"),
    lambda section: rate(section, "g"),
    gradient_direction,
    paper_direction,
    kink_term,
    perturbation,
    agreement,
    width_trend,
    certificates,
    simulated,
    lambda section: theorem(section, "published"),
    lambda section: theorem(section, "scenario"),
)
# Of a page of nearly orthogonal samples; none where a page is about something else.
OF_ORTHOGONAL: tuple[OfOrthogonal, ...] = (
    published_sweep,
    examined,
    turning,
    converged,
    signs,
    decay,
    attack,
)
# Of each section of the page of a sweep.
OF_SWEEPS: tuple[OfSweeps, ...] = (published_values, trends, reached, explained, criterion, failures)


def claims(results: Results) -> list[Claim]:
    """Judge every claim that the results can speak to.

    Parameters
    ----------
    results : Results

    Returns
    -------
    list of Claim
        Φ first, then each section in the same order.

    Examples
    --------
    >>> from empirics import ExperimentConfig, ShiftedGaussianData
    >>> from reports import Series, build, claims
    >>> data = ShiftedGaussianData(dim=3, num_train=8, num_test=6)
    >>> made = Series(base=ExperimentConfig(data=data, width=1), widths=(16, 64, 256), seeds=(0, 1))
    >>> claims(build(made).results)[0].verdict
    'holds'
    """
    judged = [closed_form(results.phi)]
    judged += [_seen(judge(section), section) for section in results.sections for judge in OF_SECTIONS]
    command = results.provenance.command
    # What is not tested is not decided.
    return [replace(claim, command=command, decision=claim.decision if claim.met else "") for claim in judged]


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield the blocks of a data set that come with its claims: of what judges one and has a `shown`, too.

    Anchors and drawings are named after the key of the data set.
    """
    for judge in OF_SECTIONS:
        yield from getattr(judge, "shown", lambda *_: ())(section, key)


def _seen(claim: Claim, section: Section) -> Claim:
    """Take no claim for true on so few points that a share `DIFFERENT` of all could differ unseen."""
    points = min(section.setting.N, section.num_test)
    enough = seeds_without_violation(DIFFERENT)
    if claim.verdict != "holds" or points >= enough:
        return claim
    few = unmeasured(f"{many(points, 'training or test point')}; {enough} of each are asked for")
    return replace(claim, verdict="unknown", decision=few.decision)


def claims_of_orthogonal(
    results: of_orthogonal.Results, runs: Sequence[of_orthogonal.Run]
) -> tuple[Claim, ...]:
    """Return the claims of a page of nearly orthogonal samples; those of `results` are not there yet."""
    return tuple(claim for family in OF_ORTHOGONAL for claim in family(results, runs))


def claims_of_sweeps(sections: Sequence[of_sweeps.Section]) -> tuple[Claim, ...]:
    """Return the claims of the sections of a sweep."""
    return tuple(
        replace(claim, section=section.title)
        for section in sections
        for family in OF_SWEEPS
        for claim in family(section)
    )
