"""No pre-activation moves further than its bound, of what `empirics.measure.drift` has counted."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from msgspec.structs import asdict as fields_of

from empirics.measure.drift import Displacements, Drift
from reports import svg
from reports._matplotlib import Axes
from reports.inline import rich
from reports.judging import Judgement, refuted, unmeasured
from reports.numbers import lists_of, picked, records
from reports.page import Block, Figure, say, table
from reports.results import Section
from reports.text import count, number
from reports.verdicts import Claim, all_finite

EVIDENCE, TITLE = "drift", "How far pre-activations move"
# Share of pairs that may be blind: whose rounding could hide a displacement as large as the bound.
BLIND = 0.01
# The largest ratio that a network must reach: a bound of this part of ours would be refuted.
TIGHT = 0.5
_Rows = Sequence[tuple[Drift, Displacements]]


def claims(section: Section) -> list[Claim]:
    """Judge the bound of the displacement by the neurons that moved further."""
    found = [moved for row in section.drift for moved in (row.f, row.g) if moved is not None]
    largest = [moved.largest for moved in found]
    blind = [moved.blind for moved in found]
    total, most, least = None, None, 0.0
    if all_finite(largest):
        total, most, least = sum(moved.outside for moved in found), max(largest), min(largest)
    most_blind = max(blind) if all_finite(blind) else None
    sees = most_blind is not None and most_blind < BLIND
    widths = " and ".join(f"{row.width:,}" for row in section.drift)
    made = Claim(
        key="drift",
        statement="No pre-activation moves further than its bound",
        formula=r"\frac{|\xi_i(z, T) - \xi_i(z, 0)|}{|a_i| L T \kappa(z)} \le 1",
        source="derived here",
        hypothesis="full-batch training, frozen readout",
        predicted="ratio at most 1" + "; its distribution from the initial weights" * _identity(section),
        measured=(
            f"largest ratio {number(most, 6)}; "
            f"{count(total)} beyond 1 by more than rounding"
            f"; rounding as large as the bound in at most {number(most_blind, 2)} of the pairs"
        ),
        samples=f"{len(found)} networks (m = {widths}, one seed) × {max(row.points for row in section.drift)}"
        " points, every neuron",
        rule="fails if a pair of neuron and point is beyond the bound by more than rounding of the weights; "
        f"holds if in every network a bound of {TIGHT:g} of this one would be refuted, and rounding is as "
        f"large as the bound in less than {BLIND:.0%} of the pairs; no statement about other seeds",
        numbers={"outside": total, "largest": most, "blind": most_blind},
        **_within_bound(total, sees=sees, least=least).given(True),
    )
    return [made]


def _identity(section: Section) -> bool:
    return section.setting.loss == "identity"


def _within_bound(total: int | None, *, sees: bool, least: float) -> Judgement:
    """Judge the bound; that nothing is beyond says something only where it would have been seen."""
    if total:
        return refuted("the bound, at every neuron")
    if total is None:
        return unmeasured()
    if not sees:
        return unmeasured("rounding hides too many displacements: take longer times or higher precision")
    if least < TIGHT:
        return unmeasured(f"no neuron of a network reaches {TIGHT:g} of the bound")
    # No probability: the networks in hand show it.
    return Judgement(True, f"excluded in these networks: a bound {number(least, 6)} times as large")


def shown(section: Section, key: str) -> Iterator[Block]:
    """Yield how far pre-activations moved, in units of their bound."""
    moved = {n: rows for n in ("f", "g") if (rows := section.moved(n))}
    if not moved:
        yield say("Nothing was trained.")
        return
    if _identity(section):
        yield say(r"""In the lazy limit the ratio, with a sign, depends on the initial weights alone:
            $$\operatorname{sgn}(a_i) \frac{1}{N} \sum_n y_n \varphi'(\xi_i(x_n, 0)) (\langle x_n, z \rangle +
            1) / \kappa(z)$$""")
    else:
        yield say("No prediction is drawn: that of the lazy limit is for the identity loss.")
    for network, rows in moved.items():
        yield _figure(network, rows, key)
    columns = {
        "network": lambda row: row["network"],
        "m": lambda row: count(row["width"]),
        "largest ratio": lambda row: number(row["largest"], 6),
        "beyond 1, more than rounding": lambda row: count(row["outside"]),
        "crossed 0": lambda row: f"{count(sum(row['crossed']))} of {count(sum(row['measured']))}",
        "root mean square of measured − predicted, relative": lambda row: number(row["difference"]),
    }
    every = [
        {"network": n} | picked(row, "width", "seed", "points") | fields_of(part)
        for n, rows in moved.items()
        for row, part in rows
    ]
    yield table(every, columns, name="drift")


def _figure(network: str, rows: _Rows, key: str) -> Figure:
    """Draw neurons by how far they moved: of the widest and the narrowest network that were measured.

    With the prediction for the widest, and of its neurons those that changed sign.
    """
    (last, widest), (first, narrowest), color = rows[-1], rows[0], svg.COLORS[network]

    def share(moved: Displacements, name: str) -> np.ndarray:
        counts = np.array(getattr(moved, name), dtype=float)
        values: np.ndarray = counts / max(sum(moved.measured), 1)
        return np.where(values > 0, values, np.nan)  # 0 has no place on a log axis

    def draw(axes: Axes) -> None:
        floor = float(np.nanmin([*share(widest, "measured"), *share(widest, "crossed"), 0.1])) / 3
        name = f"m = {last.width:,}"

        def stairs(moved: Displacements, what: str, **style: Any) -> None:  # noqa: ANN401
            axes.stairs(share(moved, what), last.edges, **({"baseline": None} | style))

        stairs(widest, "measured", baseline=floor, color=color, fill=True, alpha=0.35)
        stairs(widest, "measured", color=color, label=f"moved, {name}")
        if np.isfinite(share(widest, "crossed")).any():
            hatched: Any = {"hatch": "////", "linewidth": 0.8, "label": "of these, crossed 0"}
            stairs(widest, "crossed", baseline=floor, color=svg.INK, **hatched)
        if widest.predicted is not None:
            stairs(widest, "predicted", color=svg.INK, linestyle="--", label=f"predicted, {name}")
        if len(rows) > 1:
            narrow = f"moved, m = {first.width:,}"
            stairs(narrowest, "measured", color=svg.THIRD, linestyle=":", linewidth=1.6, label=narrow)
        axes.set_yscale("log")
        svg.powers(axes.yaxis)
        axes.set(xlabel="(ξ(z; T) − ξ(z; 0)) / (|a| L T κ(z))", ylabel="share of neurons, a bin")
        axes.set(xlim=(-1, 1), xticks=[-1, -0.5, 0, 0.5, 1])
        axes.legend(fontsize=9, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))

    alt = (
        f"Share of neurons of {network} by how far their pre-activations moved, in units of the bound, with "
        "those that crossed 0 and the prediction from the initial weights"
    )
    caption = rich(f"""Neurons of {network} by how far they moved, seed {last.seed}, {last.points} test
        points; near 0 a neuron stayed where it was drawn. Hatched: those whose activation changed. Dashed:
        predicted from the initial weights.""")
    bins = records(
        {"width": row.width, "from": low, "to": high}
        | {name: values[place] for name, values in lists_of(part).items()}
        for row, part in rows
        for place, (low, high) in enumerate(zip(row.edges, row.edges[1:], strict=False))
    )
    return svg.figure(draw, key, f"drift_{network}", alt, caption, bins)
