"""The first screen of the page of a sweep: what was found, its figure, the verdicts, and what to do next."""

from collections.abc import Iterator, Sequence

from empirics.deep import DEEP
from empirics.laws import LAWS
from empirics.wide import WIDE
from reports.claims import OPENINGS
from reports.claims.sweeps.rows import Section, SweepResults
from reports.inline import Content, rich
from reports.page import Block, Figure, Table
from reports.running import SEEDS
from reports.shown import opening, steps_of
from reports.text import many

# What the published theorem says of the networks of a page; of published blocks their trends are counted.
_THEOREM = {
    DEEP.name: """Says nothing here of networks with several hidden layers or of another architecture: it is
        about two layers of leaky ReLU, of which the first learns. `perturblearn report` examines those.""",
    LAWS.name: """Says nothing here: it is about trained networks, and none is trained. What is counted are
        the signs that its condition (c) compares, of published or derived predictors.""",
    WIDE.name: "Not examined on this page: `perturblearn report` tells at how many points it applies.",
}


def openings(results: SweepResults) -> Iterator[Block]:
    """Yield what is said and drawn before the claims, sentences first."""
    found = [
        block
        for index, section in enumerate(results.sections, start=1)
        for family in OPENINGS
        for block in family.opening(section, f"s{index}")
    ]
    yield from sorted(found, key=lambda block: isinstance(block, Figure))


def verdicts(results: SweepResults) -> Table:
    """Return what the published theorem says, what this project derives, and what to do next."""
    return opening(steps(results), theorem=_theorem(results), claims=results.claims)


def _theorem(results: SweepResults) -> Content:
    trends = [row for section in results.sections for row in section.trends if row.basis is not None]
    if trends:
        risen = sum(row.verdict == "holds" for row in trends)
        return rich(
            """Its conditions are sufficient, and are not examined point by point here. Where they become
            easier to meet, agreement should rise: that holds in {} of {}.""",
            *(str(risen), many(len(trends), "sweep")),
        )
    return rich(_THEOREM[kind_of(results.sections)])


def kind_of(sections: Sequence[Section]) -> str:
    """Return the name of the experiment that a page is of."""
    (name, *others) = {_kind(section) for section in sections} or {WIDE.name}
    return WIDE.name if others else name


def _kind(section: Section) -> str:
    if section.part is not None:
        return section.part.experiment.name
    columns = {name for panel in section.panels for point in panel.points for name in point.deep}
    return DEEP.name if "linear_agreement_test" in columns else LAWS.name if columns else WIDE.name


def steps(results: SweepResults) -> list[tuple[str, str]]:
    """Return questions that the page leaves, each with the command that answers it."""
    found = []
    unknown = sum(claim.verdict == "unknown" for claim in results.claims)
    seeds = max((len(s) for s in _seeds(results.sections)), default=0)
    for section in results.sections:
        part = section.part
        if unknown and seeds:
            more = f"--seeds {max(SEEDS, 2 * seeds)}"
            command = f"the command of this page, with {more} and the same --out"
            if part is not None:
                command = f"perturblearn sweep --{part.kind} {part.name} {more} --out my-{part.name}"
            found.append((f"{many(unknown, 'claim')} cannot be decided yet; more seeds may do it:", command))
        name = kind_of([section]) if part is None else part.name if part.kind == "study" else "published"
        found += steps_of(name)
    return found


def _seeds(sections: Sequence[Section]) -> Iterator[set[int]]:
    for section in sections:
        for panel in section.panels:
            for point in panel.points:
                yield {*point.metrics["agreement"].values}
