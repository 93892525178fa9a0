"""The opening of a report: what happened, what draws it, and the verdicts, the published theorem's first."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace

from reports.claim_text import spread
from reports.claims import agreement, theorem
from reports.inline import Content, Part, link, rich, symbols
from reports.numbers import records
from reports.page import Block, Prose, Table, fold, tally
from reports.results import Results, Section
from reports.text import count, many
from reports.verdicts import Claim

_MEANINGS = """**holds**: a violation of the size that its rule states was excluded at 95 %. **fails**: the
    claim itself was excluded, with a false alarm of 0.001. **hypothesis not met**: the theory says nothing
    here. **unknown**: these runs cannot tell; the row says what would be enough. Spreads are one standard
    deviation over seeds; brackets are 95 % intervals of a mean over seeds. “Published” and “derived here” say
    where a claim comes from."""

_INPUTS = {"a": "perturbations of f alone", "b": "perturbed samples with labels of their own"}


def verdicts(results: Results) -> Iterator[Block]:
    """Yield a sentence and a figure for each data set, then verdicts: of the paper, and of this project."""
    sections = results.sections
    own = {
        section.name: {c.key: c for c in results.claims if c.section == section.name} for section in sections
    }
    places = {section.name: f"s{n}" for n, section in enumerate(sections, start=1)}
    for section in sections:
        yield Prose(_happened(section, own[section.name]), "short")
    rows: list[tuple[Content, ...]] = [("", *(link(name, f"#{place}") for name, place in places.items()))]
    rows.append(("The published theorem", *(_theorem(s, own[s.name].values()) for s in sections)))
    derived = ([c for c in claims.values() if not _is_published(c)] for claims in own.values())
    rows.append(("What this project derives", *(tally(claims) for claims in derived)))
    rows.append(("What to do next", *(_next(own[s.name].values(), places[s.name]) for s in sections)))
    for section in sections:
        place = places[section.name]
        yield replace(agreement.figure(section, place), name=f"agreement-{place}")
    yield Table((), tuple(rows), name="opening")
    yield fold(
        "Every claim, and what the verdicts mean", Prose(rich(_MEANINGS), ""), _glance(results, places)
    )


def _happened(section: Section, claims: Mapping[str, Claim]) -> Content:
    """Say in one sentence whether f and g agreed, and whether it was predicted."""
    measured, widest = spread(section.by_width[-1].agreement.measured), count(section.widths[-1])
    return rich(
        """On **{}**, *g*, which was trained on {}, agrees with *f* at **{}** of fresh points (m = {}).
        Predicted without training: **{}**.""",
        *(section.name, _INPUTS[section.setting.scenario], measured, widest, claims["agreement"].predicted),
    )


def _theorem(section: Section, claims: Iterable[Claim]) -> Content:
    """Say what the published theorem says here, then count the other published statements."""
    others = [c for c in claims if _is_published(c) and c.evidence != theorem.EVIDENCE]
    counted = ("Other published statements: ", tally(others))
    return symbols(theorem.in_words(section)), " ", Part("small", counted)


def _is_published(claim: Claim) -> bool:
    return claim.source in {"published", "variant"}


def _next(claims: Iterable[Claim], place: str) -> Content:
    """Say how to decide what is not decided, and where the hypotheses stand."""
    unknown = sum(claim.verdict == "unknown" for claim in claims)
    said = f"Run more seeds or wider networks: {many(unknown, 'claim')} cannot be decided yet. "
    return said if unknown else "", link("See which hypotheses these data can meet", f"#{place}-feasible")


def _glance(results: Results, places: Mapping[str, str]) -> Table:
    """Return the verdicts of all claims side by side."""
    claims = results.claims
    columns = dict[str | None, str](places) | {None: "phi"}
    rows: list[tuple[Content, ...]] = []
    for key in dict.fromkeys(claim.key for claim in claims):
        found = {claim.section: claim for claim in claims if claim.key == key}
        first = next(iter(found.values()))
        cells = (
            _verdict(found.get(name), place)
            for name, place in columns.items()
            if (name is None) == (None in found)
        )
        rows.append(((first.statement, " ", Part("source", first.source)), *cells))
    numbers = records([asdict(claim) for claim in claims])
    return Table(("Claim and source", *places), tuple(rows), name="glance", numbers=numbers)


def _verdict(claim: Claim | None, place: str) -> Content:
    """Return the verdict, which leads to the claim."""
    if claim is None:
        return ""
    anchors = f"{place}-" if claim.section else ""
    return link(Part("badge", str(claim.verdict)), f"#{anchors}claim-{claim.key}")
