"""What a mean agreement needs: training times of g and f, ε, or a number of samples; or why nothing will do.

Derivation 18.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

from theory.deep.architecture import Architecture
from theory.setting import Scenario
from theory.times.curve import AgreementLaw, Pair, Targets, check_times
from theory.times.success import check_share
from theory.validation import Array, check_choice, data_by_keyword

Quantity = Literal["T_g", "T_f", "both", "epsilon", "N"]
_QUANTITIES = ("T_g", "T_f", "both", "epsilon", "N")
_NAMES = {"both": "T_f = T_g", "epsilon": "ε"}
_WITHOUT = {
    "T_g": "without training g",
    "T_f": "without training f",
    "both": "without training",
    "epsilon": "without perturbations",
    "N": "with one sample",
}
_PER_DECADE, _PER_DECADE_G = 4, 24  # values that are tried; those of T_g cost little
_ROUNDS, _BETWEEN = 3, 4  # in which so many values are put on either side of a largest one
_EQUAL = 1e-12  # difference of shares that may be rounding
_DECADES = 5  # below and above the natural size of a quantity
# A part of the law, and the law without it.
_PARTS: dict[str, Callable[[AgreementLaw], AgreementLaw]] = {
    "label noise": lambda law: replace(law, label_noise=0 * law.label_noise),
    # Its outputs and its gradients, which alone would not do: they are what the floor at T_f = 0 is made of.
    "the initial network of f": lambda law: replace(
        law,
        deviation_f=0 * law.deviation_f,
        signal_noise=0 * law.signal_noise,
        initial=0 * law.initial,
    ),
    "the initial network of g": lambda law: replace(law, deviation_g=0 * law.deviation_g),
}
_MEANS = "the signs of what f and g learn, which differ at some points,"
_STILL = "that f learns nothing, up to rounding, at {} of {} points"
_UNTRAINED, _NO_TIME = "that f is not trained", "that g is not trained"
_MUCH = 0.1  # share of what is missing that a part must make up to be blamed


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """What a mean agreement needs, or why nothing will do; `str` is one sentence."""

    of: Quantity
    share: float  # the mean agreement that is asked for
    value: float  # the smallest one that will do; 0: it is reached without training; ∞: there is none
    floor: float  # mean agreement at 0 (of N: at one sample)
    limit: float  # the largest mean agreement of all values
    best: float  # the value at which it is reached, ∞ allowed
    cause: str | None  # where there is none: the part of the law without which the limit would be highest
    smallest: bool = False  # the value is the smallest that was tried, and a smaller one may do

    def __str__(self) -> str:
        name, wanted = _NAMES.get(self.of, self.of), f"a mean agreement of {self.share:g}"
        if self.value == 0:
            return (
                f"{wanted.capitalize()} is reached {_WITHOUT[self.of]}: it is {self.floor:.3f} at {name} = 0."
            )
        how = ", if label noise alone falls with it" if self.of == "N" else ""
        if self.cause is None:
            value = f"= {self.value:.3g}" if math.isfinite(self.value) else "→ ∞"
            last = ", the smallest that was tried" if self.smallest else ""
            return f"{wanted.capitalize()} is reached at {name} {value}{last}{how}."
        best = f"{name} = {self.best:.3g}" if math.isfinite(self.best) else f"{name} → ∞"
        verb = "forbid" if self.cause == _MEANS else "forbids"
        most = f"it is at most {self.limit:.3f}, at {best}, and {self.cause} {verb} more"
        return f"No {name} gives {wanted}{how}: {most}."


@data_by_keyword
def required(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    share: float,
    of: Quantity = "T_g",
    T_f: float | None = None,
    T_g: float = math.inf,
    epsilon: float | None = None,
    targets: Targets | ArrayLike = "random",
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    scenario: Scenario = "a",
) -> Requirement:
    """Return the smallest T_g, T_f, T_f = T_g, ε or N at which g agrees with f on a mean share of the points.

    Parameters
    ----------
    Z, X, y, epsilon, targets, negative_slope, architecture, scenario
        As in `agreement_law`.
    share : float in (1/2, 1)
        The mean over the points of the probability of agreement.
    of : {"T_g", "T_f", "both", "epsilon", "N"}
        What is asked for.  "both": T_f = T_g.  "N": so many samples like those given, whose means stay and
        whose label noise falls as 1/N.
    T_f : float, optional
        Flow time of f; needed unless it is asked for.
    T_g : float
        Flow time of g, ∞ by default; not used where it is asked for.

    Returns
    -------
    Requirement

    Raises
    ------
    ValueError
        As `agreement_law`; if `T_f` is missing, or given targets are to be more.

    Notes
    -----
    Source: Derivation 18.  Agreement is not monotone in any of them.  Values are tried over ten decades about
    the natural size, four in a decade (T_g: 24), and more on both sides of every local maximum that may
    matter: `value` is where the first of these that will do is first reached, to a relative 1e-9, and `limit`
    is within 1e-6 of the local maximum that it belongs to.  A range of values that will do is missed only if
    it lies between two neighbours that are tried and raises neither above its other neighbour.

    Examples
    --------
    >>> from theory.times import required
    >>> data = {"X": [[1.0, 0.0], [0.0, 2.0]], "y": [1, -1]}
    >>> found = required([[1.0, 1.0], [0.0, 3.0]], **data, share=0.6, T_f=2.0)
    >>> round(found.value, 2)
    0.68
    >>> print(required([[1.0, 1.0], [0.0, 3.0]], **data, share=0.9, T_f=9.0))
    No T_g gives a mean agreement of 0.9: it is at most 0.889, at T_g → ∞, and label noise forbids more.
    """
    share = check_share(share)
    check_choice("of", of, _QUANTITIES)
    pair = Pair.checked(Z, X, y, targets, negative_slope, architecture, scenario)
    return search(pair, of, epsilon, T_f, T_g).required(share)


def search(
    pair: Pair, of: Quantity, epsilon: float | None, T_f: float | None = None, T_g: float = math.inf
) -> Search:
    """Return what `required` looks through, for one mean agreement after another."""
    size = pair.epsilon(epsilon)
    if T_f is None and of not in ("T_f", "both"):
        msg = f"T_f must be given unless it is asked for, got of={of!r} alone"
        raise ValueError(msg)
    if of == "N" and not isinstance(pair.targets, str):
        msg = "targets must be random or balanced where N is asked for, got given ones"
        raise ValueError(msg)
    fixed, end = check_times("T_f", 0.0 if T_f is None else T_f), float(check_times("T_g", T_g))
    base = None if of in ("T_f", "both", "epsilon") else pair.law(fixed, size)
    return Search(of=of, pair=pair, fixed=fixed, end=end, size=size, base=base)


@dataclass(frozen=True, kw_only=True)
class Search:
    """Mean agreement over the values of a quantity."""

    of: Quantity
    pair: Pair
    fixed: Array  # time of f, unless it is asked for
    end: float  # time of g
    size: float  # ε
    base: AgreementLaw | None  # where it does not depend on the quantity

    def at(self, values: Array) -> tuple[AgreementLaw, Array]:
        """Return the law of several values, and for each its time of g."""
        ends = np.full(values.shape, self.end)
        if self.of == "epsilon":
            return self.pair.law(np.full(values.shape, self.fixed), values), ends
        if self.of in ("T_f", "both"):
            return self.pair.law(values, self.size), values if self.of == "both" else ends
        assert self.base is not None
        parts, count = vars(self.base).items(), len(values)
        same = {name: np.broadcast_to(part, (count, *part.shape)) for name, part in parts}
        if self.of == "T_g":
            return AgreementLaw(**same), values
        fewer = len(self.pair.X) / values.reshape(-1, *np.ones(self.base.signal.ndim, int))
        return AgreementLaw(**same | {"label_noise": same["label_noise"] * fewer}), ends

    def got(self, values: Array) -> Array:
        """Return mean agreement at values."""
        law, times = self.at(values)
        chances = law.paired(times)
        return np.asarray(chances.mean(axis=tuple(range(1, chances.ndim))))

    @cached_property
    def tried(self) -> tuple[Array, Array]:
        """Values, and mean agreement at them, whatever share is asked for."""
        values = _tried(self.of, self.pair, self.base, self.size)
        shares = self.got(values)
        if np.isnan(shares).any():
            msg = "the law is not known: entries of X or Z are too large for its sums"
            raise FloatingPointError(msg)
        return values, shares

    def required(self, share: float) -> Requirement:
        """Return the first value at which mean agreement reaches a share."""
        values, shares = self.tried
        for _ in range(_ROUNDS):
            more = _beside_maxima(values, shares, share)
            if not more.size:
                break
            values = np.concatenate([values, more])
            order = np.argsort(values)
            values, shares = values[order], np.concatenate([shares, self.got(more)])[order]
        k, top = int(np.argmax(shares >= share)), int(np.argmax(shares >= shares.max() - _EQUAL))
        value = float(values[k]) if shares[top] >= share else math.inf
        smallest = (
            self.of == "epsilon" and k == 1
        )  # no limit at 0: without noise of g any perturbation may do
        if k > 0 and value < math.inf and not smallest:

            def missing(value: float) -> float:
                return float(self.got(np.array([value]))[0]) - share

            value = optimize.brentq(missing, values[k - 1], value, rtol=1e-9, xtol=1e-12 * value)
        law, times = self.at(values[top : top + 1])
        return Requirement(
            of=self.of,
            share=share,
            value=math.ceil(value) if self.of == "N" and value < math.inf else value,
            floor=float(shares[0]),
            limit=float(shares[top]),
            best=float(values[top]),
            cause=_cause(law, float(times[0]), share, self.pair.velocity) if shares[top] < share else None,
            smallest=smallest,
        )


def _beside_maxima(values: Array, shares: Array, share: float) -> Array:
    """Return values on both sides of the largest share, and of local maxima below a share not yet reached."""
    top, first = int(np.argmax(shares)), int(np.argmax(np.append(shares, share) >= share))
    rises = np.diff(shares) > _EQUAL, np.diff(shares) < -_EQUAL
    local = 1 + np.flatnonzero(rises[0][:-1] & rises[1][1:])
    more = []
    for k in {*local[local < first].tolist(), *([top] if shares[top] < share else [])}:
        for low, high in ((k - 1, k), (k, k + 1)):
            if low >= 0 and high < len(values) and values[low] > 0 and values[high] < math.inf:
                more.append(np.geomspace(values[low], values[high], _BETWEEN + 2)[1:-1])
    return np.concatenate([np.empty(0), *more])


def _tried(of: Quantity, pair: Pair, base: AgreementLaw | None, epsilon: float) -> Array:
    """Return 0 (of N: 1), values about the natural size of a quantity, and ∞ for times."""
    natural, count, start, ends = 10.0**_DECADES, _PER_DECADE, [0.0], [math.inf]
    other = math.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        if of == "T_g":
            assert base is not None
            speed = np.sqrt(base.signal**2 + base.signal_noise + base.label_noise)
            natural, count = float(np.median(base.deviation_g / speed)), _PER_DECADE_G
        elif of in ("T_f", "both"):
            natural = float(np.median(pair.deviation / np.abs(pair.velocity)))
            if of == "both":  # which may be far apart
                law = pair.law(np.array(math.inf), epsilon)
                speed = np.sqrt(law.signal**2 + law.signal_noise + law.label_noise)
                other = float(np.median(law.deviation_g / speed))
        elif of == "epsilon":
            natural, ends = pair.epsilon(None), []
        else:
            start, ends = [1.0], []
    natural = natural if 0 < natural < math.inf else 1.0
    other = other if 0 < other < math.inf else natural
    low, high = sorted((natural, other))
    steps = 2 * _DECADES * count + 1 + math.ceil(count * math.log10(high / low))
    return np.array([*start, *np.geomspace(low * 10.0**-_DECADES, high * 10.0**_DECADES, steps), *ends])


def _cause(law: AgreementLaw, T_g: float, share: float, F: Array) -> str:
    """Return the part without which mean agreement would be highest, if it is much of what is missing.

    Where there is none, points where F is 0, an f that is not trained, or else the means.
    """
    reached = float(np.max(law.share(T_g)))
    without = {part: float(np.max(remove(law).share(T_g))) for part, remove in _PARTS.items()}
    part = max(without, key=lambda name: without[name])
    if without[part] > reached + _MUCH * (share - reached):
        return part
    if T_g == 0:
        return _NO_TIME
    if (F == 0).sum() > (1 - share) * F.size:
        return _STILL.format((F == 0).sum(), F.size)
    return _MEANS if law.T_f > 0 else _UNTRAINED
