"""What the theories ask for, and whether the data and networks of a report have it."""

from collections.abc import Iterator

from msgspec.structs import asdict as fields_of

from reports.glossary import ORTHOGONAL
from reports.inline import Content, rich
from reports.numbers import picked, records
from reports.page import Block, Group, List, Prose, Table, note, say, table
from reports.prior_work import PriorRatios, PriorSizes
from reports.results import ChoiceUsed, Section, Setting
from reports.text import count, number

_MET = {True: "yes", False: "no", None: "not known"}


def feasible(section: Section, key: str) -> Group:
    """Return each hypothesis, what meets it, and how times, ε and widths were chosen."""
    title = "Can these data meet the hypotheses? How times, ε and widths were chosen"
    return Group(title, tuple(_feasible(section)), f"{key}-feasible", folded=True)


def _feasible(section: Section) -> Iterator[Block]:
    rows = section.feasibility
    beyond = [row for row in rows if row.met is False and not row.reachable]
    if beyond:
        yield say("**Not met here, and no width would help:**")
        said = (f"{row.hypothesis}: asked for {row.asked}; here {row.here}; {row.remedy}." for row in beyond)
        yield List(tuple(said), "warning")
    columns = {
        "hypothesis": lambda row: row.hypothesis,
        "asked for": lambda row: row.asked,
        f"here, m = {count(section.widths[-1])}": lambda row: row.here,
        "met": lambda row: _MET[row.met],
        "what would meet it": lambda row: row.remedy,
    }
    yield table(rows, columns, name="feasibility")
    yield note(f"""From the data and perturbations of seed {section.scatter.f.seed}. Limits for long
        training let both times grow.""")
    if section.choice is not None:
        yield from _chosen(section.choice, section.setting, section.seeds[0])


def _chosen(chosen: ChoiceUsed, setting: Setting, seed: int) -> Iterator[Block]:
    shares, applied, own = chosen.shares, chosen.applied, chosen.epsilon is None
    norm = "√d, as every training row has that norm" if own else "the median norm of the training rows"
    lowered = f"""; for that cap times were lowered to a free share of {number(100 * shares["capped_free"])}
        %, but not below an initial network of half the prediction"""
    yield Prose("How times, ε and widths were chosen", "subheading")
    yield say(f"""By the theory, from the data of seed {seed}, nothing trained. ε: {norm}. Flow
        times: such that the deviation of the initial network is {number(100 * shares["initial"])} % of the
        median |T f~b~(z)|, and of |T g~b~(z)| for g with perturbations along ∇f~b~ and random targets.
        Widths: 1, 3, 10, 30, …, up to the first at which the mean expected free share is at most
        {number(100 * shares["widest_free"])} % for both networks ({count(chosen.width_wanted)} or more),
        capped at {count(chosen.width_cap)}{lowered if chosen.times_lowered else ""}.""")

    def used(name: str) -> str:
        return "yes" if getattr(applied, name) else f"no, {number(getattr(setting, name))} was asked for"

    rows: list[tuple[Content, ...]] = []
    times = (("f", chosen.T_f, chosen.initial_share_f), ("g", chosen.T_g, chosen.initial_share_g))
    for network, T, share in times:
        said = f"initial network / prediction of {network} {number(share)}"
        rows.append((rich(f"T~{network}~"), number(T), said, used(f"T_{network}")))
    rows.append(("ε", "√d" if own else number(chosen.epsilon), "", used("epsilon")))
    largest = f"largest expected free share {number(chosen.free_share)} at the largest"
    widths = "yes" if applied.widths else "no, others were asked for"
    rows.append(("widths", ", ".join(map(count, chosen.widths)), largest, widths))
    every = {str(place): width for place, width in enumerate(chosen.widths, start=1)}
    numbers = records([fields_of(chosen) | {"widths": every}])
    yield Table(("chosen", "value", "which makes", "used here"), tuple(rows), name="choice", numbers=numbers)


def prior(section: Section, key: str) -> Group:
    """Return this theory beside its predecessor: what each asks for, and what these runs have of it."""
    title = "Which theory applies here? Wide networks beside orthogonal samples"
    return Group(title, tuple(_prior(section)), f"{key}-prior", folded=True)


def _prior(section: Section) -> Iterator[Block]:
    found = section.prior_work
    ratios, verdicts = found.ratios, found.verdicts
    yield say(
        f"""This theory (wide networks, one finite time) beside its predecessor (the same authors, ICLR 2024,
        {{}}: mutually orthogonal samples, infinite time, any width), at m = {count(found.width)}: what each
        asks for, and whether these runs have it.""",
        ORTHOGONAL,
    )
    names = ("label", "wide", "wide_verdict", "orthogonal", "orthogonal_verdict")
    cells = [tuple(picked(row, *names).values()) for row in found.rows]
    cells.append(("all of them", "", verdicts.wide, "", verdicts.orthogonal))
    columns = ("", "wide networks", "here", "orthogonal samples", "here")
    yield Table(columns, tuple(cells), name="prior", numbers=records(found.rows))
    if ratios.samples is not None and ratios.inputs_of_g is not None:
        yield _ratios(ratios, (ratios.samples, ratios.inputs_of_g))
    yield note(f"""“holds” for the published width says so with constant 1, which proves nothing. Query points
        are the test points of seed {section.scatter.f.seed}: how many meet (a), (b) and (c) of the
        published theorem with constant 1, ν = d/√N (“fails”: none). The networks of this report were stopped
        at a finite time.""")


def _ratios(ratios: PriorRatios, both: tuple[PriorSizes, PriorSizes]) -> Table:
    published = f"m over the published width {count(ratios.published_width)} (constant 1)"
    slope = number(ratios.negative_slope)
    condition = rich(r"$\gamma^3 R_{\min}^4 / (3 N R_{\max}^2)$ over $p_{\max}$, γ = {}", slope)
    sizes = (f"{number(one.p_max)}; {number(one.R_max)}" for one in both)
    rows: tuple[tuple[Content, ...], ...] = (
        (published, number(ratios.width)),
        (condition, *(number(one.ratio) for one in both)),
        ("the same as γ → 1, the largest it can be", *(number(one.best_ratio) for one in both)),
        ("largest |inner product| of two of them; largest norm", *sizes),
    )
    columns = ("ratio, above 1 where the condition is met", "samples of f", "inputs of g")
    return Table(columns, rows, name="prior-ratios", numbers=records([ratios]))
