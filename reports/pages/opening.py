"""The opening of a report: what happened, how many claims hold, and all claims at a glance."""

from collections.abc import Iterator, Mapping, Sequence

from reports.claim_text import spread
from reports.inline import Content, Part, link, rich
from reports.page import Block, List, Prose, Table, numbers_of_claims
from reports.results import Results, Section
from reports.schema import VERDICTS
from reports.text import count
from reports.verdicts import Claim

_PLURALS = {"holds": "hold", "fails": "fail"}
_MEANINGS = """**holds**: a violation of the size that its rule states was excluded at 95 %. **fails**: the
    claim itself was excluded, with a false alarm of 0.001. **hypothesis not met**: the theory says nothing
    here. **unknown**: these runs cannot tell; the row says what would be enough. Spreads are one standard
    deviation over seeds; brackets are 95 % intervals of a mean over seeds. “Published” and “derived here” say
    where a claim comes from."""


def verdicts(results: Results) -> Iterator[Block]:
    """Yield one sentence for each data set, the tally, and the verdicts of all claims side by side."""
    claims, sections = results.claims, results.sections
    for section in sections:
        yield Prose(_short(section, {c.key: c for c in claims if c.section == section.name}), "short")
    places = {None: "phi"} | {section.name: f"s{n}" for n, section in enumerate(sections, start=1)}
    tally = (
        (link(name or "Φ", f"#{key}"), ": ", *_tally([c.verdict for c in claims if c.section == name]))
        for name, key in places.items()
    )
    yield List(tuple(tally), "tally")
    yield Prose(rich(_MEANINGS), summary="What the verdicts mean")
    rows: list[tuple[Content, ...]] = []
    for key in dict.fromkeys(claim.key for claim in claims):
        found = {claim.section: claim for claim in claims if claim.key == key}
        first = next(iter(found.values()))
        cells = (
            _verdict(found.get(name), place)
            for name, place in places.items()
            if (name is None) == (None in found)
        )
        rows.append(((first.statement, " ", Part("source", first.source)), *cells))
    names = ("Claim and source", *(section.name for section in sections))
    yield Table(names, tuple(rows), name="glance", numbers=numbers_of_claims(claims))


def _short(section: Section, claims: Mapping[str, Claim]) -> Content:
    """Say in one sentence whether f and g agreed, whether it was predicted, what the theorem says."""
    theorem = claims["theorem-published"]
    said = {
        None: "cannot be judged here.",
        True: f"predicts agreement where its conditions hold: {theorem.measured}.",
        False: "says nothing here, as its conditions are not met.",
    }
    measured, widest = spread(section.by_width[-1].agreement.measured), count(section.widths[-1])
    return rich(
        f"""**{{}}**: *f* and *g* agree at **{measured}** of the test points at m = {widest}. Before any
        training {{}} was predicted. The published theorem, with its hidden constants set to 1, {{}}""",
        *(section.name, claims["agreement"].predicted, said[theorem.met]),
    )


def _tally(found: Sequence[str | None]) -> Iterator[Content]:
    for verdict in VERDICTS:
        n = found.count(verdict)
        if n:
            yield Part("tallied", f"{n} {_PLURALS.get(verdict, verdict) if n > 1 else verdict}", verdict)
            yield " "


def _verdict(claim: Claim | None, place: str) -> Content:
    """Return the verdict, which leads to the claim."""
    if claim is None:
        return ""
    anchors = f"{place}-" if claim.section else ""
    return link(Part("badge", str(claim.verdict)), f"#{anchors}claim-{claim.key}")
