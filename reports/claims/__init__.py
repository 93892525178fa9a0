"""The claims of the theory, each judged against what was measured: one file a family, one list of all.

A claim has a statement, a source, a hypothesis, a prediction, a measurement and a verdict: *holds*,
*fails*, *hypothesis not met*, or *unknown*.  Every rule is written out in `rule`; what is missing or not
finite makes a claim unknown, never true.  Pure functions of results.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from reports import page
from reports.claims import (
    agreement,
    certificates,
    directions,
    drift,
    free_neurons,
    phi,
    rates,
    simulated,
    theorem,
    times,
)
from reports.claims.orthogonal import (
    attack,
    decay,
    examined,
    published as published_orthogonal,
    rows as of_orthogonal,
    signs,
    turning,
)
from reports.claims.sweeps import (
    architectures,
    explained,
    failures,
    found,
    laws,
    pairs,
    published,
    reached,
    rows as of_sweeps,
    times as times_of_sweeps,
    trends,
)
from reports.judging import seeds_without_violation, unmeasured
from reports.page import Block, Figure, Group, fold
from reports.results import Results, Section
from reports.text import many
from reports.verdicts import Claim
from theory.validation import check_kind

__all__ = [
    "FAMILIES",
    "OF_ORTHOGONAL",
    "OF_SWEEPS",
    "OPENINGS",
    "Family",
    "claims",
    "claims_of_orthogonal",
    "claims_of_sweeps",
    "shown",
]

# Share of points that may differ from all others, which the points of a data set must be able to show.
DIFFERENT = 0.2

_S_contra = TypeVar("_S_contra", contravariant=True)


class OfSection(Protocol[_S_contra]):
    """What a file of claims has: how they are judged, and what shows them on the page."""

    def claims(self, section: _S_contra, /) -> Iterable[Claim]:
        """Judge what was found on a data set, or in a sweep."""

    def shown(self, section: _S_contra, key: str, /) -> Iterable[Block]:
        """Yield what is said, drawn and tabulated; names of drawings begin with the key of the section."""


class Family(OfSection[Section], Protocol):
    """A file of claims about a data set.

    Attributes
    ----------
    EVIDENCE : str
        Anchor of its part of the page, after the key of the data set.
    TITLE : str
        Heading of that part.
    """

    EVIDENCE: str
    TITLE: str


class OfOrthogonal(Protocol):
    """A file of claims about nearly orthogonal samples; none where a page is about something else."""

    def claims(self, results: of_orthogonal.Results, runs: Sequence[of_orthogonal.Run], /) -> Iterable[Claim]:
        """Judge the runs."""

    def sections(self, results: of_orthogonal.Results, /) -> Iterable[page.Section]:
        """Yield what is said, drawn and tabulated."""


# Of each data set, in the order of the page.
FAMILIES: tuple[Family, ...] = (
    free_neurons,
    drift,
    rates,
    directions,
    agreement,
    times,
    certificates,
    simulated,
    theorem,
)
OF_ORTHOGONAL: tuple[OfOrthogonal, ...] = (published_orthogonal, examined, turning, signs, decay, attack)
# Of each section of the page of a sweep.
OF_SWEEPS: tuple[OfSection[of_sweeps.Section], ...] = (
    published,
    trends,
    reached,
    times_of_sweeps,
    architectures,
    laws,
    pairs,
    explained,
    failures,
)
# Those that have a sentence for the first screen.
OPENINGS = (architectures, published, found, explained)


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
    check_kind("results", results, Results, "the results of a report, such as Report.read(path).results")
    judged = [replace(claim, evidence=phi.EVIDENCE) for claim in phi.claims(results.phi)]
    judged += [
        replace(_seen(claim, section), section=section.name, evidence=family.EVIDENCE)
        for section in results.sections
        for family in FAMILIES
        for claim in family.claims(section)
    ]
    command = results.provenance.command
    # What is not tested is not decided.
    return [replace(claim, command=command, decision=claim.decision if claim.met else "") for claim in judged]


def shown(section: Section, claims: Sequence[Claim], key: str) -> Iterator[Block]:
    """Yield the part of the page about a data set: of each family its claims and what shows them."""
    left = [claim for claim in claims if claim.section == section.name]
    for family in FAMILIES:
        own = [claim for claim in left if claim.evidence == family.EVIDENCE]
        blocks = [*own, *with_details(family.shown(section, key))]
        yield Group(family.TITLE, tuple(blocks), f"{key}-{family.EVIDENCE}")
        left = [claim for claim in left if claim.evidence != family.EVIDENCE]
    yield from left  # of results of another version of this program


def with_details(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yield the first figure; all else is behind a click."""
    first: Figure | None = None
    rest: list[Block] = []
    for block in blocks:
        if first is None and isinstance(block, Figure):
            first = block
            yield first
        else:
            rest.append(block)
    if rest:
        yield fold("Figures and tables" if first else "Tables", *rest)


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
    return tuple(claim for family in OF_ORTHOGONAL for claim in family.claims(results, runs))


def claims_of_sweeps(sections: Sequence[of_sweeps.Section]) -> tuple[Claim, ...]:
    """Return the claims of the sections of a sweep."""
    return tuple(
        replace(claim, section=section.title)
        for section in sections
        for family in OF_SWEEPS
        for claim in family.claims(section)
    )
