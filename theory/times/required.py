"""What a mean agreement needs: training times of g and f, ε, or a number of samples; or why nothing will do.

Derivation 18.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Literal

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
_MEANS = "the signs of F and of the mean of G"
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

    def __str__(self) -> str:
        name, wanted = _NAMES.get(self.of, self.of), f"a mean agreement of {self.share:g}"
        if self.value == 0:
            return (
                f"{wanted.capitalize()} is reached {_WITHOUT[self.of]}: it is {self.floor:.3f} at {name} = 0."
            )
        how = ", if label noise alone falls with it" if self.of == "N" else ""
        if self.cause is None:
            value = f"= {self.value:.3g}" if math.isfinite(self.value) else "→ ∞"
            return f"{wanted.capitalize()} is reached at {name} {value}{how}."
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
    Source: Derivation 18.  Agreement is not monotone in any of them: the first crossing is returned, among
    values that are tried over ten decades about the natural size, four in a decade (T_g: 24).

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
    options: dict[str, Any] = {"T_f": T_f, "T_g": T_g, "epsilon": epsilon, "targets": targets}
    options |= {"negative_slope": negative_slope, "architecture": architecture, "scenario": scenario}
    return search(Z, X, y, of=of, **options).required(share)


def search(
    Z: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    *,
    of: Quantity,
    T_f: float | None = None,
    T_g: float = math.inf,
    epsilon: float | None = None,
    targets: Targets | ArrayLike = "random",
    negative_slope: float = 0.0,
    architecture: Architecture | None = None,
    scenario: Scenario = "a",
) -> Search:
    """Return what `required` looks through, for one mean agreement after another."""
    check_choice("of", of, _QUANTITIES)
    pair = Pair.checked(Z, X, y, targets, negative_slope, architecture, scenario)
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

    def at(self, value: float) -> tuple[AgreementLaw, float]:
        """Return the law at one value, and the time of g."""
        if self.of == "T_g":
            assert self.base is not None
            return self.base, value
        if self.of == "N":
            assert self.base is not None
            noise = self.base.label_noise * len(self.pair.X) / value
            return replace(self.base, label_noise=noise), self.end
        if self.of == "epsilon":
            return self.pair.law(self.fixed, value), self.end
        return self.pair.law(np.array(value), self.size), value if self.of == "both" else self.end

    def got(self, values: Array) -> Array:
        """Return mean agreement at values."""
        if self.of == "T_g":
            assert self.base is not None
            return self.base.share(values)
        if self.of in ("T_f", "both"):
            law = self.pair.law(values, self.size)
            return law.share(self.end) if self.of == "T_f" else np.diagonal(law.share(values))
        return np.array([law.share(time) for law, time in map(self.at, values)])

    @cached_property
    def tried(self) -> tuple[Array, Array]:
        """Values, and mean agreement at them."""
        values = _tried(self.of, self.pair, self.base, self.size)
        shares = self.got(values)
        if np.isnan(shares).any():
            msg = "the law is not known: entries of X or Z are too large for its sums"
            raise FloatingPointError(msg)
        return values, shares

    def required(self, share: float) -> Requirement:
        """Return the first value at which mean agreement reaches a share."""
        values, shares = self.tried
        floor, k, top = float(shares[0]), int(np.argmax(shares >= share)), int(np.argmax(shares))
        value = float(values[k])

        @cache
        def missing(value: float) -> float:
            return float(self.got(np.array([value]))[0]) - share

        if shares[top] < share:
            value = math.inf
        elif k > 0 and value < math.inf:
            # A law of one time and one of many differ by rounding, which decides where shares are equal.
            ends = [missing(end) for end in values[k - 1 : k + 1]]
            value = float(values[k - 1]) if ends[0] >= 0 else value
            if ends[0] < 0 < ends[1]:
                value = optimize.brentq(missing, values[k - 1], value, rtol=1e-9, xtol=1e-12 * value)
        return Requirement(
            of=self.of,
            share=share,
            value=math.ceil(value) if self.of == "N" and value < math.inf else value,
            floor=floor,
            limit=float(shares[top]),
            best=float(values[top]),
            cause=_cause(*self.at(values[top]), share) if shares[top] < share else None,
        )


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


def _cause(law: AgreementLaw, T_g: float, share: float) -> str:
    """Return the part without which mean agreement would be highest, if it is much of what is missing.

    Where there is none, an f that is not trained, or else the means.
    """
    reached = float(law.share(T_g))
    without = {part: float(np.max(remove(law).share(T_g))) for part, remove in _PARTS.items()}
    part = max(without, key=lambda name: without[name])
    if without[part] > reached + _MUCH * (share - reached):
        return part
    if T_g == 0:
        return _NO_TIME
    return _MEANS if law.T_f > 0 else _UNTRAINED
