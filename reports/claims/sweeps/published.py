"""Published values and cosines within the ranges of our seeds, as one more seed would be."""

from collections.abc import Iterator, Sequence

from empirics.campaigns.wide import COSINES, METRICS
from reports import text
from reports.claims.sweeps.rows import SERIES, Published, Section, WidePanel, stated
from reports.inline import rich
from reports.page import Block, Prose, table
from reports.shown import SAID, WITHIN
from reports.statistics import Within, like_one_more_seed, mean
from reports.verdicts import Claim


def compared(panels: Sequence[WidePanel]) -> Published:
    """Return how many published values lie within the range of our seeds, by metric, by sweep and in all."""
    points = [(panel.sweep, point) for panel in panels for point in panel.points]
    cells = [(sweep, name, cell) for sweep, point in points for name, cell in point.metrics.items()]
    cosines = {name: [point.cosines[name] for _, point in points] for name in COSINES}
    gaps = {
        name: [
            c.mean - c.published
            for c in of
            if c.inside is not None and c.mean is not None and c.published is not None
        ]
        for name, of in cosines.items()
    }
    return Published(
        all=like_one_more_seed(cell for *_, cell in cells),
        by_metric={m: like_one_more_seed(cell for _, name, cell in cells if name == m) for m in METRICS},
        by_sweep={
            panel.sweep: like_one_more_seed(cell for sweep, _, cell in cells if sweep == panel.sweep)
            for panel in panels
        },
        cosines={name: like_one_more_seed(of) for name, of in cosines.items()},
        cosine_difference={name: mean(of) for name, of in gaps.items()},
    )


def claims(section: Section) -> list[Claim]:
    """Return how many published values are within our ranges; unknown beside other images."""
    found = section.published
    if found is None:
        return []
    if section.foreign:
        others = f"the images of {' and '.join(section.foreign)} are not the published files"
        statement = "Published values within the range of our seeds, up to their reading errors"
        rule = "published values are beside another data set: shown, not compared"
        return [stated("published", statement, f"unknown: {others}", rule)]
    made = []
    if found.all.count:
        parts = (
            f"{name.replace('_', ' ')} {row.inside} of {row.count}" for name, row in found.by_metric.items()
        )
        made.append(within_ranges("Published values", found.all, ", ".join(parts)))
    cosines = found.cosines["cosine_published"]
    if cosines.count:
        difference = text.number(found.cosine_difference["cosine_published"], 2)
        made.append(within_ranges("Published cosines with u", cosines, f"mean difference {difference}"))
    return made


def within_ranges(what: str, row: Within, more: str) -> Claim:
    """State how many published values are as one more seed could be; their points share seeds: no verdict.

    Parameters
    ----------
    what : str
    row : Within
        Of a value at least.
    more : str
        Said of them in brackets.
    """
    expected = f"{text.number(row.expected)} or more"
    return stated(
        "published",
        f"{what} within the range of our seeds, up to their reading errors",
        f"{row.inside} of {row.count} ({more}); one more seed: {expected} expected, P(so few) "
        f"{_probability(row.p_value)}",
        "as if points were independent; they share seeds, so the probability is a guide only"
        + (f"; {row.not_compared} more could not be compared" if row.not_compared else ""),
        predicted=f"{expected} of {row.count} within, as of one more seed",
    )


def _probability(value: float | None) -> str:
    return text.number(value, 2) if value is None or value >= 1e-12 else "below 1e-12"


def opening(section: Section, _key: str) -> Iterator[Block]:
    """Say how many published values are among our seeds."""
    found = section.published
    if found is not None and found.all.count and not section.foreign:
        yield Prose(
            rich(
                """**{} of {}** published values lie within the range of our seeds, where {} or more would if
                each were one more seed.""",
                *(str(found.all.inside), str(found.all.count), text.number(found.all.expected)),
            ),
            "short",
        )


def shown(section: Section, _key: str) -> Iterator[Block]:
    """Yield how many published values, and cosines, lie within the ranges of our seeds."""
    published = section.published
    if published is None or section.foreign:
        return
    yield Prose("Published values among our seeds", "heading")
    yield Prose(SAID["sweep"]["seeds"])
    rows = [(label, published.by_metric[name]) for name, label, *_ in SERIES]
    rows += [(f"sweep {name}", row) for name, row in published.by_sweep.items()]
    yield table([*rows, ("all", published.all)], {"values": lambda row: row[0], **WITHIN})
    cosines, gaps = published.cosines, published.cosine_difference
    if not cosines["cosine_published"].count:
        return
    names = {
        "with u, as published": "cosine_published",
        "with ∇f_b, beside the same published values": "cosine_derived",
    }
    yield Prose("Published cosines among our seeds", "heading")
    yield Prose(SAID["sweep"]["cosines"])
    yield table(
        [(label, cosines[name]) for label, name in names.items()],
        {
            "cosines": lambda row: row[0],
            **WITHIN,
            "our mean − published": lambda row: text.number(gaps[names[row[0]]], 2),
        },
    )
