"""The opening of a report: what happened, what draws it, and the verdicts, the published theorem's first."""

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace

from reports.claim_text import spread
from reports.claims import agreement, theorem, times
from reports.glossary import THEOREM
from reports.inline import Content, Part, lines, link, rich
from reports.numbers import records
from reports.page import Block, Prose, Table, fold, tally
from reports.presets import SEEDS
from reports.results import Results, Section
from reports.shown import next_steps
from reports.text import count, many, number
from reports.verdicts import PUBLISHED, Claim

_MEANINGS = """**holds**: a violation of the size that its rule states was excluded at 95 %. **fails**: the
    claim itself was excluded, with a false alarm of 0.001. **hypothesis not met**: the theory says nothing
    here. **unknown**: these runs cannot tell; the row says what would be enough. Spreads are one standard
    deviation over seeds; brackets are 95 % intervals of a mean over seeds. “Published” and “derived here” say
    where a claim comes from."""

_INPUTS = {"a": "perturbations of *f* alone", "b": "perturbed samples with labels of their own"}


def verdicts(results: Results) -> Iterator[Block]:
    """Yield a sentence and a figure for each data set, then verdicts: of the paper, and of this project."""
    sections = results.sections
    own = {
        section.name: {c.key: c for c in results.claims if c.section == section.name} for section in sections
    }
    places = {section.name: f"s{n}" for n, section in enumerate(sections, start=1)}
    for section in sections:
        yield Prose(happened(section, own[section.name]["agreement"]), "short")
    rows: list[tuple[Content, ...]] = [("", *(link(name, f"#{place}") for name, place in places.items()))]
    rows.append((THEOREM, *(_theorem(s, own[s.name].values()) for s in sections)))
    derived = ([c for c in claims.values() if c.source not in PUBLISHED] for claims in own.values())
    rows.append(("What this project derives", *(tally(claims) for claims in derived)))
    for section in sections:
        place = places[section.name]
        yield replace(agreement.figure(section, place), name=f"agreement-{place}")
    yield Table((), tuple(rows), name="opening")
    open_ = (
        (link(f"Which hypotheses can {name} meet?", f"#{place}-feasible"), " ")
        for name, place in places.items()
    )
    asked = next_steps(steps(sections[0], own[sections[0].name].values(), results.provenance.command))
    yield Table((), (("What to do next", (asked, lines((*open_,)))),), name="next")
    yield fold(
        "Every claim, and what the verdicts mean", Prose(rich(_MEANINGS), ""), _glance(results, places)
    )


def happened(section: Section, claim: Claim) -> Content:
    """Say whether f and g agreed, whether it was predicted, and what no training of f would give."""
    measured, widest = spread(section.by_width[-1].agreement.measured), count(section.widths[-1])
    though = ", though its hypothesis is not met" if claim.verdict == "hypothesis not met" else ""
    floor = times.untrained(section)
    beside = "" if floor is None else f" With an *f* that was never trained it would be {number(floor)}."
    return rich(
        f"""On **{{}}**, *g*, which was trained on {_INPUTS[section.setting.scenario]}, agrees with *f* at
        **{{}}** of fresh points (m = {{}}). Predicted without training{though}: **{{}}**.{beside}""",
        *(section.name, measured, widest, claim.predicted),
    )


def _theorem(section: Section, claims: Iterable[Claim]) -> Content:
    """Say what the published theorem says here, then count the other published statements."""
    others = [c for c in claims if c.source in PUBLISHED and c.evidence != theorem.EVIDENCE]
    counted = ("Other published statements: ", tally(others))
    return theorem.in_words(section), " ", Part("small", counted)


def steps(section: Section, claims: Iterable[Claim], command: str) -> Iterator[tuple[str, str]]:
    """Yield what is open on a data set, with the command that answers it, on the same data."""
    given = section.config.data
    said = _said(command)
    name = str(given.get("path") or given.get("folder") or given["source"])
    name = "my.csv" if given["source"] == "arrays" else name  # the command line takes no arrays
    data = f"--data {shlex.quote(name)}"
    if given.get("classes"):
        data += f" --classes {shlex.quote(','.join(section.classes[::-1]))}"  # the class +1 first
    # What was said of other data of the report does not apply to these.
    of_data = [words for flag, words in said if flag in {*given} - {"classes", "source"}]
    data = " ".join([data, *map(shlex.join, of_data)])
    unknown, own = sum(claim.verdict == "unknown" for claim in claims), f"--out my-{given['source']}"
    if unknown:
        seeds = f"--seeds {max(SEEDS, 2 * len(section.seeds))}"
        asked = f"{many(unknown, 'claim')} on {section.name} cannot be decided yet; more seeds may do it:"
        same = [shlex.join(words) for flag, words in said if flag not in {"seeds", "overwrite"}]
        again = " ".join(["perturblearn report", *same]) if said else f"perturblearn report {data} {own}"
        yield asked, f"{again} {seeds}"
    if section.setting.scenario == "a":
        asked = f"Which times and sizes bring agreement on {section.name} to 95 %?"
        yield asked, f"perturblearn plan {data} --share 0.95 {own}-plan"
    asked = "Do deeper networks learn from their perturbations, too?"
    yield asked, f"perturblearn report {data} --depth 3 {own}-deep"


def _said(command: str) -> list[tuple[str, list[str]]]:
    """Return the options of a command, by name, each with its words; of a call in Python none."""
    start = "perturblearn report "
    found: list[tuple[str, list[str]]] = []
    for word in shlex.split(command.removeprefix(start)) if command.startswith(start) else []:
        if word.startswith("--"):
            found.append((word[2:].partition("=")[0].replace("-", "_"), [word]))
        elif found:
            found[-1][1].append(word)
    return found


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
