"""A plan of an experiment: what it says, its page, its files."""

import contextlib
import html
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from empirics.perturb import Targets
from empirics.sweep import disk, plain
from reports import formats, schema, svg
from reports._matplotlib import Axes
from reports.inline import Content, rich
from reports.numbers import Numbers
from reports.page import Block, Figure, Page, Prose, Section, Table, note, say
from reports.shown import opening, steps_of
from reports.text import count, legible, many, number, percent
from theory import published_width
from theory.certificates.inverse import WIDEST
from theory.setting import Setting
from theory.tables import Tabular
from theory.times import Requirement

PAGE, NUMBERS = schema.PLAN_PAGE, "plan.json"
FEW = 50  # points at most, for what is said beside the times
WORTH = 0.01  # of mean agreement, for which ε or targets are changed
DELTA, WIDTHS = 0.01, (10**5, WIDEST)  # of certificates: the widest network of most reports, and any
_LEVELS = (0.55, 0.6, 0.7, 0.8, 0.95, 0.99)


@dataclass(frozen=True, kw_only=True)
class Proved:
    """What is proved of sgn f̂ = sgn ĝ for one draw of targets, perturbed along ∇f_b."""

    points: int
    equal: int
    opposite: int


@dataclass(frozen=True, kw_only=True, repr=False)
class Plan(Tabular):
    """When g will agree with f, and the setting of a report; `str` says it, rows are agreement over times."""

    name: str
    N: int
    dim: int
    test_points: int
    points: int  # evenly spaced among the test points
    share: float  # the mean agreement that is asked for
    negative_slope: float
    depth: int
    rates: str
    targets: Targets
    epsilon: float
    T_f: float  # suggested, the least T_f + T_g of those tried, or given
    T_g: float
    agreement: float  # mean at these times
    times_f: tuple[float, ...]
    times_g: tuple[float, ...]
    surface: tuple[tuple[float, ...], ...]  # mean agreement, of each time of f at each of g
    floor: float  # T_f = 0, T_g → ∞
    limit: float  # T_f, T_g → ∞
    required: dict[str, Requirement]  # "T_g" at T_f, "both", and "T_f" at T_g, if that is given, or T_g → ∞
    by_epsilon: dict[float, float]  # limits of other lengths, at a part of the points
    by_targets: dict[
        str, tuple[float, float]
    ]  # agreement at these times, and limits, at a part of the points
    condition_c: Proved | None  # None: not tried, for its time
    certified: dict[int, float]  # by width, the share of a part of the points; only L = 1
    chances: tuple[float, ...]  # of agreement at each point, at these times
    T_g_given: bool
    command: str

    def _columns(self) -> Mapping[str, Any]:
        T_f, T_g = np.meshgrid(self.times_f, self.times_g, indexing="ij")
        return {"T_f": T_f.ravel(), "T_g": T_g.ravel(), "agreement": np.array(self.surface).ravel()}

    def __repr__(self) -> str:
        return "\n".join([self.lines[0], "", *self._table(), "", *self.lines[1:], "", self.command])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>{svg.standalone(str(self._contours().svg))}"

    def _table(self) -> list[str]:
        """Return a part of the surface, in columns."""
        f, g = (np.linspace(0, len(times) - 1, 6).astype(int) for times in (self.times_f, self.times_g))
        rows = [["T_f", *(f"T_g = {number(self.times_g[j], 4)}" for j in g)]]
        rows += [[number(self.times_f[i], 4), *(f"{self.surface[i][j]:.3f}" for j in g)] for i in f]
        return ["".join([row[0].rjust(7), *(cell.rjust(14) for cell in row[1:])]) for row in rows]

    @property
    def lines(self) -> list[str]:
        """What the plan says, a sentence each."""
        T_f, T_g = number(self.T_f), number(self.T_g)
        some = f"{self.points} of {self.test_points}" if self.points < self.test_points else str(self.points)
        short = "" if self.agreement >= self.share else f", short of {number(self.share)}"
        said = [
            f"{legible(self.name)}: N = {self.N}, d = {self.dim}, L = {self.depth}, "
            f"γ = {number(self.negative_slope)}, {some} test points; ε = {number(self.epsilon)}, "
            f"{self.targets} targets.",
            f"Predicted at T_f = {T_f} and T_g = {T_g}: mean agreement {self.agreement:.3f}{short}; "
            f"a tenth of the points are below {np.quantile(self.chances, 0.1):.2f}.",
        ]
        fixed = {
            "T_g": f"At T_f = {T_f}",
            "both": "With equal times",
            "T_f": f"At T_g = {T_g}" if self.T_g_given else "With T_g → ∞",
        }
        for name, start in fixed.items():
            sentence = str(self.required[name])
            said.append(f"{start}, {sentence[0].lower()}{sentence[1:]}")
        enough = ", which is enough" if self.floor >= self.share else ""
        best = max(self.by_epsilon, key=lambda size: self.by_epsilon[size])
        low, *_, high = self.by_epsilon
        few = f"On {FEW} of these points " if self.points > FEW else ""
        loss = self.by_epsilon[best] - self.by_epsilon[self.epsilon]
        said += [
            f"An f that was never trained gives at most {self.floor:.3f}{enough}: read agreement against it.",
            f"The limit of T_f, T_g → ∞ is {self.limit:.3f}.",
            f"{few}ε from {number(low)} to {number(high)} gives at most {self.by_epsilon[best]:.3f} in the "
            f"limit, at {number(best)}; {number(self.epsilon)} loses {loss:.3f}.",
        ]
        if self.by_targets:
            now, end = (b - a for a, b in zip(*map(self.by_targets.get, ("random", "balanced")), strict=True))
            odd = " (of N − 1 samples, as N is odd)" if self.N % 2 else ""
            said.append(
                f"{few}{'r' if few else 'R'}andom targets cost {now:.3f}, and {end:.3f} in the limit, beside "
                f"balanced ones{odd}.".replace("-0.000", "0.000")
            )
        if self.condition_c is None:
            said.append("Condition (c) is not tried: its proof in ball arithmetic would take long.")
        else:
            c = self.condition_c
            said.append(
                f"Condition (c) is proved at {percent(c.equal / c.points)} of {many(c.points, 'point')} and "
                f"refuted at {percent(c.opposite / c.points)}, perturbed along ∇f_b with targets of seed 0."
            )
        if self.certified:
            shares = (
                f"{percent(share)} at m = {svg.power(width)}" for width, share in self.certified.items()
            )
            said.append(
                f"Agreement is certified (δ = {DELTA}) at {' and '.join(shares)} of "
                f"{many(min(self.points, FEW), 'point')}, perturbed so."
            )
        return said

    def page(self) -> Page:
        """Return the page: what is predicted, contours, what is next, then all that is said, chances."""
        lead, found, *said = self.lines
        table = Table(
            ("Time", "Needed", "Floor", "Limit", "Best at"),
            tuple(
                (one.of, *(number(v) for v in (one.value, one.floor, one.limit, one.best)))
                for one in self.required.values()
            ),
            name="required",
        )
        first: tuple[Block, ...] = (
            Prose(rich("{}", found), "short"),
            self._contours(),
            opening(
                [("Do trained networks agree as often?", legible(self.command)), *steps_of("plan")],
                theorem=self._theorem,
            ),
        )
        blocks: tuple[Block, ...] = (*(say("{}", one) for one in said), table, self._histogram())
        method = note(
            """Nothing was trained. Chances are those of the law of `theory.times.agreement_law`, for wide
            networks; agreement of 0.5 is that of coins. A dash is a time that does not exist or is infinite.
            Numbers: `{}`.""",
            NUMBERS,
        )
        sections = (Section("", first), Section("Times, sizes and proofs", (*blocks, method)))
        return Page(f"Plan: {legible(self.name)}", lead, sections)

    @property
    def _theorem(self) -> Content:
        """What the published theorem says at these times; nothing of deep networks."""
        if self.depth > 1:
            return ""
        if min(self.T_f, self.T_g) == 0:
            return "Says nothing of a network that is not trained."
        setting = Setting(dim=self.dim, N=self.N, width=1, T_f=self.T_f, T_g=self.T_g, epsilon=self.epsilon)
        asked = f"m > d² (T_f + T_g)² = {count(published_width(setting))}"
        proved = ""
        if self.condition_c is not None:
            share = percent(self.condition_c.equal / self.condition_c.points)
            proved = f" Its condition (c) is proved at {share} of {many(self.condition_c.points, 'point')}."
        return f"With its hidden constants set to 1 it asks for {asked}.{proved}"

    def _contours(self) -> Figure:
        drawn = min(self.T_f, self.T_g) > 0

        def draw(axes: Axes) -> None:
            axes.set(xscale="log", yscale="log")  # labels are placed on them
            shares = np.array(self.surface)
            for levels, color in ((sorted({*_LEVELS} - {self.share}), svg.INK), ([self.share], svg.F)):
                if found := [level for level in levels if shares.min() < level < shares.max()]:
                    lines = axes.contour(self.times_g, self.times_f, shares, found, colors=color)
                    axes.clabel(lines, fmt="%g", fontsize=9)
            if drawn:
                axes.plot(self.T_g, self.T_f, "o", color=svg.G)
            axes.set(xlabel="flow time T_g of g", ylabel="flow time T_f of f")
            svg.powers(axes.xaxis)
            svg.powers(axes.yaxis)

        columns = self._arrays()
        rows = tuple(zip(*(column.tolist() for column in columns.values()), strict=True))
        place = f"T_f = {number(self.T_f)}, T_g = {number(self.T_g)}"
        caption = (
            f"Mean agreement; dot: {place}." if drawn else f"Mean agreement; {place} is on no such axes."
        )
        numbers = Numbers(columns=tuple(columns), rows=rows)
        return svg.figure(draw, "plan", "contours", "Contours of mean agreement over times", caption, numbers)

    def _histogram(self) -> Figure:
        def draw(axes: Axes) -> None:
            axes.hist(self.chances, bins=np.linspace(0, 1, 21).tolist(), color=svg.F)
            axes.set(xlabel="chance that g agrees with f", ylabel="points", xlim=(0, 1))

        numbers = Numbers(columns=("chance",), rows=tuple((chance,) for chance in self.chances))
        caption = "Chances of agreement point by point, at the dot."
        return svg.figure(draw, "plan", "chances", "Histogram of chances of agreement", caption, numbers)

    def write(self, folder: Path | str) -> list[Path]:
        """Write plan.html and plan.json, both or neither; raise as `check_output`; return their paths."""
        place = formats.as_path("folder", folder)
        check_output(place)
        said = msgspec.to_builtins(self, str_keys=True) | {"lines": self.lines}
        numbers = plain.to_json(plain.finite(formats.plain(said)))
        contents = {PAGE: formats.plain(self.page().html()).encode(), NUMBERS: numbers.encode()}
        formats.write(place, contents)
        return [place / name for name in contents]


@dataclass(frozen=True, kw_only=True, repr=False)
class Plans:
    """The plans of all pairs of classes of a data set; `str` has a line for each."""

    plans: tuple[Plan, ...]

    def __repr__(self) -> str:
        lines = []
        for one in self.plans:
            times = f"T_f = {number(one.T_f)}, T_g = {number(one.T_g)}, ε = {number(one.epsilon)}"
            ends = f"floor {one.floor:.3f}, limit {one.limit:.3f}"
            said = f"mean agreement {one.agreement:.3f} at {times}, {one.targets} targets; {ends}"
            lines.append(f"{legible(one.name)}: {said}")
        return "\n".join(lines)


def read_lines(folder: Path) -> list[str]:
    """Return what the plan in a folder says; `SchemaError` if it is not as written."""
    file = folder / NUMBERS
    try:
        lines = msgspec.convert(msgspec.json.decode(file.read_bytes())["lines"], list[str])
        if len(lines) < 2:
            msg = "it says nothing"
            raise ValueError(msg)
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        msg = f"{file} must hold the numbers of a plan, whole and of this version; make it again: {error}"
        raise schema.SchemaError(msg) from error
    return lines


def has_lines(folder: Path) -> bool:
    """Return whether `read_lines` reads what is there; it does not of a plan of an older version."""
    with contextlib.suppress(schema.SchemaError):
        return bool(read_lines(folder))
    return False


def check_output(folder: Path) -> None:
    """Check that a plan can be written, and that the folder is not one of results, which have a plan.json."""
    disk.check_output(folder / NUMBERS, folder / PAGE)
    if (folder / NUMBERS).exists() and not (folder / PAGE).exists():
        msg = f"output folder must not be one of a sweep or study, got {disk.shown(folder)}"
        raise FileExistsError(msg)
