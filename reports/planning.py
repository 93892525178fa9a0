"""How a plan is found: when g will agree with f on data in hand, and what to train; nothing is trained here.

Chances of agreement are those of `theory.times.agreement_law` (Derivation 18), at times around the natural
ones of the data; between them a mean agreement is a cubic spline of the logarithm of time.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy import interpolate

import theory
from empirics.data import Dataset
from empirics.perturb import TARGETS, Targets, draw_targets, normalised
from empirics.seeds import seeds_of
from reports.choice import usual_epsilon
from reports.plans import DELTA, FEW, WIDTHS, WORTH, Plan, Proved
from theory.agreement import enclose_signs
from theory.deep import Architecture
from theory.times import AgreementLaw, Quantity, Requirement, required
from theory.times.curve import Pair
from theory.times.success import check_share
from theory.validation import Array, check_choice, check_integer, check_real

POINTS, DEEP_POINTS = 200, 20  # test points, by default; of deep networks each takes a time of order N² L
_TIMES = 20  # of f and of g, with 0 and ∞
_APART = 10.0  # of the grids of f and g, from which equal times are tried on both
_LENGTHS = 9  # of ε, from a tenth to ten times the usual one
_SHORTEST, _LONGEST = 1e-2, 1e3  # in units of the natural time
_BALLS = 200_000  # N² × points that are enclosed in ball arithmetic, which takes seconds
_UNKNOWN = "the law is not known: entries of X or X_test are too large for its sums"
_ALL = 1 - 1e-9  # a share that is out of reach where a smaller one is


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked; None: to be found.

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.
    """

    share: float = 0.9
    T_f: float | None = None
    T_g: float | None = None
    epsilon: float | None = None
    targets: Targets | None = None
    negative_slope: float = 0.0
    depth: int = 1
    rates: Literal["first", "all"] = "first"
    points: int | None = None

    def __post_init__(self) -> None:
        check_share(self.share)
        for name in ("T_f", "T_g", "epsilon"):
            if (value := getattr(self, name)) is not None:
                check_real(name, value, minimum=0, exclusive=name == "epsilon")
        if self.targets is not None:
            check_choice("targets", self.targets, TARGETS)
        if self.points is not None:
            check_integer("points", self.points, minimum=1)
        _ = self.architecture

    @property
    def architecture(self) -> Architecture:
        """The networks that are asked about."""
        return Architecture(depth=self.depth, negative_slope=self.negative_slope, rates=self.rates)


def planned(data: Dataset, asked: Question, *, command: Callable[[Mapping[str, Any]], str]) -> Plan:
    """Return the plan of a data set.

    Parameters
    ----------
    data : Dataset
    asked : Question
    command : callable
        Returns the command of a report from its options by name.

    Raises
    ------
    ValueError
        If targets of a single sample are to be balanced.
    FloatingPointError
        If entries are too large for the law.
    """
    Z = _thinned(data.X_test, asked.points or (POINTS if asked.depth == 1 else DEEP_POINTS))
    few = _thinned(np.arange(len(Z)), FEW)
    pair = _pair(data, asked, Z, "random")
    targets, epsilon, by_epsilon = _inputs(data, asked, pair.at(Z[few], "random"))
    pair = _pair_of(data, asked, pair, targets, Z)
    found = _Times.of(pair, asked, epsilon)
    row, T_g = found.suggested(asked)
    T_f, chances = float(found.law.T_f[row]), found.law.probability(T_g)[row]

    def requirement(of: Quantity, times: Array, shares: Array) -> Requirement:
        fine, values = _refined(times, shares)
        top, cause = int(np.argmax(values)), None
        if values[top] < asked.share:
            end = math.inf if asked.T_g is None else asked.T_g
            fixed: dict[str, Any] = {"T_f": T_f} if of == "T_g" else {"T_g": end}
            given = _samples(data, targets) | {"epsilon": epsilon, "architecture": asked.architecture}
            cause = required(Z[few], **given, **fixed, share=_ALL, of=of).cause or "the other time"
        return Requirement(
            of=of,
            share=asked.share,
            value=_first(times, shares, asked.share),
            floor=float(values[0]),
            limit=float(values[top]),
            best=float(fine[top]),
            cause=cause,
        )

    law, ends, surface = found.law, found.ends, found.surface
    by_targets: dict[str, tuple[float, float]] = {}
    if len(data.X) > 1:
        kinds: tuple[Targets, Targets] = ("random", "balanced")
        for kind in kinds:
            if kind == targets and len(data.X) % 2 == 0:
                shares = chances[few].mean(), law.limit[-1, few].mean()
            else:
                even = _even(data)
                one = _pair_of(even, asked, pair, kind, Z[few]).law(np.array([T_f, math.inf]), epsilon)
                shares = one.share(T_g)[0], one.share(math.inf)[1]
            by_targets[kind] = float(shares[0]), float(shares[1])
    drawn = draw_targets(len(data.X), kind=targets, rng=np.random.default_rng(seeds_of(0)[3]))
    directions = theory.perturbation_direction(X=data.X, y=data.y, architecture=asked.architecture)
    perturbed = normalised(directions, drawn, epsilon=epsilon)
    times: dict[str, Any] = {"T_f": T_f, "T_g": T_g, "epsilon": epsilon}
    said: dict[str, Any] = times | {"targets": targets}
    said |= {"negative_slope": asked.negative_slope} if asked.negative_slope else {}
    said |= {"depth": asked.depth, "rates": asked.rates} if asked.depth > 1 else {}
    return Plan(
        name=data.name,
        N=len(data.X),
        dim=data.X.shape[1],
        test_points=len(data.X_test),
        points=len(Z),
        share=asked.share,
        negative_slope=asked.negative_slope,
        depth=asked.depth,
        rates=asked.rates,
        targets=targets,
        **times,
        agreement=float(chances.mean()),
        times_f=tuple(law.T_f[1:-1].tolist()),
        times_g=tuple(ends[1:-1].tolist()),
        surface=tuple(map(tuple, surface[1:-1, 1:-1].tolist())),
        floor=float(surface[0, -1]),
        limit=float(surface[-1, -1]),
        required={
            "T_g": requirement("T_g", ends, surface[row]),
            "both": requirement("both", *found.equal(pair, epsilon)),
            "T_f": requirement("T_f", law.T_f, surface[:, -1 if asked.T_g is None else _at(ends, asked.T_g)]),
        },
        by_epsilon=by_epsilon,
        by_targets=by_targets,
        condition_c=_proved(data, Z[few], perturbed, asked.architecture),
        certified=_certified(data, asked, Z[few], (perturbed, drawn), times),
        chances=tuple(chances.tolist()),
        T_g_given=asked.T_g is not None,
        command=command(said),
    )


@dataclass(frozen=True)
class _Times:
    """The law at some times of f, and mean agreement at those and some times of g, 0 and ∞ among both."""

    law: AgreementLaw
    ends: Array  # times of g
    surface: Array

    @classmethod
    def of(cls, pair: Pair, asked: Question, epsilon: float) -> "_Times":
        with np.errstate(all="ignore"):  # what is not finite has no natural time
            times = _spread(pair.deviation / np.abs(pair.velocity), _TIMES, asked.T_f)
            try:
                law = pair.law(times, epsilon)
            except np.linalg.LinAlgError as error:
                raise FloatingPointError(_UNKNOWN) from error
            speed = np.sqrt(law.signal**2 + law.signal_noise + law.label_noise)[-1]
            ends = _spread(pair.deviation / speed, _TIMES, asked.T_g)
        surface = law.share(ends)
        if not np.isfinite(surface).all():
            raise FloatingPointError(_UNKNOWN)
        return cls(law, ends, surface)

    def equal(self, pair: Pair, epsilon: float) -> tuple[Array, Array]:
        """Return equal times of both networks and mean agreement at them."""
        times, law = self.law.T_f, self.law
        if max(self.ends[1:-1].max() / times[-2], times[1] / self.ends[1:-1].min()) > _APART:
            times = np.unique([*times, *self.ends])
            law = pair.law(times, epsilon)
        return times, law.paired(times).mean(axis=-1)

    def suggested(self, asked: Question) -> tuple[int, float]:
        """Return the place of T_f, and T_g: the least sum of times that do, or do nearly as well as any."""
        times = self.law.T_f
        rows = np.arange(1, len(times) - 1) if asked.T_f is None else np.array([_at(times, asked.T_f)])
        columns = slice(1, -1) if asked.T_g is None else [_at(self.ends, asked.T_g)]
        shares = self.surface[rows][:, columns]
        wanted = min(asked.share, shares.max() - (shares.max() < asked.share) * WORTH)
        if asked.T_g is None:
            needed = np.array([_first(self.ends, shares, wanted) for shares in self.surface[rows]])
            place = int(np.argmin(times[rows] + needed))
            return int(rows[place]), _rounded_up(max(needed[place], self.ends[1]))
        return int(rows[np.argmax(shares[:, 0] >= wanted)]), asked.T_g


def _inputs(data: Dataset, asked: Question, pair: Pair) -> tuple[Targets, float, dict[float, float]]:
    """Return targets and ε, the usual one unless others are better, and limits at some lengths."""
    root = float(f"{math.sqrt(data.X.shape[1]):.4g}")
    usual = asked.epsilon or usual_epsilon(data) or root
    sizes = {float(f"{usual * factor:.4g}") for factor in np.geomspace(0.1, 10, _LENGTHS)} | {usual}
    lengths = np.array(sorted(sizes))
    targets: Targets = asked.targets or "random"

    def limits(kind: Targets) -> dict[float, float]:
        law = _pair_of(data, asked, pair, kind, pair.Z).law(np.full(lengths.shape, math.inf), lengths)
        shares = law.share(math.inf).tolist()
        if not np.isfinite(shares).all():
            raise FloatingPointError(_UNKNOWN)
        return dict(zip(lengths.tolist(), shares, strict=True))

    by_epsilon = limits(targets)
    if asked.targets is None and len(data.X) > 1 and max(by_epsilon.values()) < asked.share:
        balanced = limits("balanced")
        if max(balanced.values()) > max(by_epsilon.values()) + WORTH:
            targets, by_epsilon = "balanced", balanced
    good = [size for size, limit in by_epsilon.items() if limit >= max(by_epsilon.values()) - WORTH]
    nearest = min(good, key=lambda size: abs(math.log(size / usual)))
    return targets, usual if asked.epsilon else nearest, by_epsilon


def _pair(data: Dataset, asked: Question, Z: Array, targets: Targets) -> Pair:
    samples = _samples(data, targets)
    return Pair.checked(Z, **samples, negative_slope=0.0, architecture=asked.architecture, scenario="a")


def _pair_of(data: Dataset, asked: Question, pair: Pair, targets: Targets, Z: Array) -> Pair:
    """Return a pair at other points and targets, by what another has made if its samples are those."""
    if len(_samples(data, targets)["X"]) == len(pair.X):
        return pair.at(Z, targets)
    return _pair(data, asked, Z, targets)


def _samples(data: Dataset, targets: Targets) -> dict[str, Any]:
    """Return what f and g are made of; the law of balanced targets, half of them +1, has an even number."""
    used = _even(data) if targets == "balanced" else data
    return {"X": used.X, "y": used.y, "targets": targets}


def _even(data: Dataset) -> Dataset:
    """Return the data without the last sample of an odd number above 1."""
    rows = len(data.X) - len(data.X) % 2 or 1
    return replace(data, X=data.X[:rows], y=data.y[:rows])


def _thinned(rows: np.ndarray, most: int) -> np.ndarray:
    """Return at most so many rows, evenly spaced."""
    return np.asarray(rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int)])


def _spread(natural: Array, number_of: int, given: float | None) -> Array:
    """Return 0, times of two digits about the median of the natural ones with one that is given, and ∞."""
    middle = float(np.median(natural))
    steps = np.geomspace(_SHORTEST, _LONGEST, number_of - 2) * (middle if 0 < middle < math.inf else 1.0)
    times = {0.0, *(float(f"{time:.2g}") for time in steps), *([given] if given else []), math.inf}
    return np.array(sorted(times))


def _at(times: Array, time: float) -> int:
    return int(np.searchsorted(times, time))


def _refined(times: Array, shares: Array) -> tuple[Array, Array]:
    """Return 0, many times and ∞, and a mean agreement at them from that at fewer."""
    logs = np.log(times[1:-1])
    fine = np.unique([*np.linspace(logs[0], logs[-1], 1000), *logs])
    between = interpolate.CubicSpline(logs, shares[1:-1])(fine)
    return np.array([0, *np.exp(fine), math.inf]), np.array([shares[0], *between, shares[-1]])


def _first(times: Array, shares: Array, wanted: float) -> float:
    """Return the first time at which a mean agreement is reached, ∞ if there is none."""
    fine, values = _refined(times, shares)
    k = int(np.argmax(values >= wanted))
    if k == 0:
        return 0.0 if values[0] >= wanted else math.inf
    # Linear in T up to the first time, and in 1/T² from the last one on, as noise of the initial networks is.
    part = (wanted - values[k - 1]) / (values[k] - values[k - 1])
    low, high = fine[k - 1 : k + 1]
    return float(low / math.sqrt(1 - part) if high == math.inf else low + part * (high - low))


def _rounded_up(value: float) -> float:
    """Return two digits, rounded up."""
    scale = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / scale) * scale:.2g}")


def _proved(data: Dataset, Z: Array, perturbed: Array, architecture: Architecture) -> Proved | None:
    if architecture.depth > 1:
        Z = Z[: _BALLS // len(data.X) ** 2]
    if not len(Z):
        return None
    product = enclose_signs(Z, X=data.X, y=data.y, X_adv=perturbed, architecture=architecture).product
    return Proved(points=len(Z), equal=int((product > 0).sum()), opposite=int((product < 0).sum()))


def _certified(
    data: Dataset, asked: Question, Z: Array, inputs: tuple[Array, Array], times: Mapping[str, Any]
) -> dict[int, float]:
    if asked.depth > 1:
        return {}
    N, dim = data.X.shape
    setting = theory.Setting(dim=dim, N=N, width=1, negative_slope=asked.negative_slope, **times)
    pair: dict[str, Any] = {"X": data.X, "y": data.y, "X_adv": inputs[0], "y_adv": inputs[1]}
    shares = theory.certified_share(Z, **pair, setting=setting, delta=DELTA, widths=WIDTHS)
    return dict(zip(WIDTHS, shares.tolist(), strict=True))
