"""Flow times, ε and widths chosen from the data by the theory, and what the data cannot satisfy.

Nothing is trained here.  Where a report has no values of its own for a data set, `choose` takes

- ε = √d, or the median norm of the training rows where these are not of norm √d;
- T such that the initial network is `INITIAL_SHARE` of the prediction: the median of its standard deviation
  over that of |T f_b(z)|, and the same for g with perturbations along ∇f_b and random targets;
- widths on the grid 1, 3, 10, 30, … up to the first one at which the mean expected free share is at most
  `WIDEST_FREE_SHARE` for both networks, capped.  Where the cap makes that share larger than
  `CAPPED_FREE_SHARE`, times are lowered until it is not, but never below those that make the initial network
  half of the prediction.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from scipy import optimize

import theory
from empirics.data import Dataset
from empirics.measure.result import ExperimentResult
from empirics.perturb import adversarial_inputs, draw_targets, normalised
from empirics.record import NAMES, Count, Name, Number, Record
from reports import text
from theory.setting import Scenario
from theory.validation import Array, check_integer, check_kind

INITIAL_SHARE, LARGEST_INITIAL_SHARE = 0.1, 0.5
WIDEST_FREE_SHARE, CAPPED_FREE_SHARE = 0.05, 0.15
# A step of training reads every input of every neuron for every sample: m N d is held at this.
MOST_WORK = 5e9
_NUM_WIDTHS = 5
_LEAST_CAP = 100  # of widths
_TARGET_DRAWS = 4
_NORM_ROUNDING = 1e-6
# What is too much of an expected free share; share of signs that must agree.
_LAZY_FREE_SHARE = 0.3
_SIGNS = 0.6


class Choice(Record, frozen=True, kw_only=True):
    """What was chosen for one data set, and the numbers that it follows from."""

    T_f: float
    T_g: float
    epsilon: float | None  # None: √d
    widths: tuple[Count, ...]
    width_wanted: Number  # from which both free shares are at most WIDEST_FREE_SHARE at these times
    width_cap: Count
    times_lowered: bool  # for the cap
    initial_share_f: Number  # median σ(z)/median |T f_b(z)| at the times chosen
    initial_share_g: Number
    free_share: Number  # largest mean expected free share of the two networks at the largest width


class Feasible(Record, frozen=True, kw_only=True):
    """A hypothesis that depends on the data: what is asked for, what is here, and whether that is enough."""

    hypothesis: str
    asked: str
    here: str
    met: bool | None  # at this width; None: not known
    remedy: str  # what would meet it, in words
    reachable: bool  # whether anything but other data would


@dataclass(frozen=True)
class _Network:
    """What the times of one network follow from."""

    size: float  # median |f_b(z)|
    deviation: float  # median σ(z)
    rate: Array  # κ(z)/s(z)

    def initial_share(self, T: float) -> float:
        return self.deviation / (T * self.size)

    def time_of_initial_share(self, share: float) -> float:
        return self.deviation / (share * self.size)

    def free_share(self, T: float, width: float) -> float:
        return float(np.mean(2 / np.pi * np.arctan(T * self.rate / math.sqrt(width))))

    def unit_time(self, share: float) -> float:
        """Return T/√m that makes the mean free share this, between those of the largest and smallest rate."""
        ends = math.tan(math.pi * share / 2) / np.array([self.rate.max(), self.rate.min()])
        if not ends[0] * (1 + _NORM_ROUNDING) < ends[1]:  # rates that differ by rounding alone
            return float(ends[0])
        return float(optimize.brentq(lambda t: self.free_share(t, 1.0) - share, *ends))


def choose(
    dataset: Dataset,
    *,
    negative_slope: float = 0.0,
    scenario: Scenario = "a",
    largest_width: int = 100_000,
) -> Choice | None:
    """Choose flow times, ε and widths for a data set by the theory.

    Parameters
    ----------
    dataset : Dataset
    negative_slope : float in [0, 1)
    scenario : {"a", "b"}
    largest_width : int
        Cap of the widths, at least 100; a smaller one may follow from `MOST_WORK`.

    Returns
    -------
    Choice or None
        None where the predictions vanish at half of the test points, so that no time follows from them.

    Raises
    ------
    ValueError, TypeError
        If an argument breaks its rule.

    Notes
    -----
    Source: `theory.initial_deviation` (Derivation 3), `theory.free_fraction` (Derivation 5).

    Examples
    --------
    >>> from empirics import ShiftedGaussianData
    >>> from reports import choose
    >>> choice = choose(ShiftedGaussianData(dim=5, num_train=50, num_test=20).load(seed=0))
    >>> choice.T_f > 0, choice.widths[-1] >= 3000
    (True, True)
    """
    check_kind("dataset", dataset, Dataset, "a Dataset, as a source of data loads")
    check_integer("largest_width", largest_width, minimum=_LEAST_CAP)
    epsilon = usual_epsilon(dataset)
    f, g = _networks(dataset, epsilon=epsilon, negative_slope=negative_slope, scenario=scenario)
    if not all(math.isfinite(one.size) and one.size > 0 and (one.rate > 0).all() for one in (f, g)):
        return None
    cap = _grid_below(min(largest_width, MOST_WORK / dataset.X.size))
    times = [_two_digits(one.time_of_initial_share(INITIAL_SHARE)) for one in (f, g)]
    lowered = False
    for index, one in enumerate((f, g)):
        largest = one.unit_time(CAPPED_FREE_SHARE) * math.sqrt(cap)
        if times[index] > largest:
            lowest = one.time_of_initial_share(LARGEST_INITIAL_SHARE)
            times[index], lowered = _two_digits(max(largest, lowest)), True
    wanted = max((T / one.unit_time(WIDEST_FREE_SHARE)) ** 2 for T, one in zip(times, (f, g), strict=True))
    widest = min(cap, max(_grid_above(wanted), 3_000))
    return Choice(
        T_f=times[0],
        T_g=times[1],
        epsilon=epsilon,
        widths=_widths(widest),
        width_wanted=wanted,
        width_cap=cap,
        times_lowered=lowered,
        initial_share_f=f.initial_share(times[0]),
        initial_share_g=g.initial_share(times[1]),
        free_share=max(one.free_share(T, widest) for T, one in zip(times, (f, g), strict=True)),
    )


def usual_epsilon(dataset: Dataset) -> float | None:
    """Return the median norm of the training rows, to two digits; None, for √d, if all have that norm."""
    norms, root = np.linalg.norm(dataset.X, axis=1), math.sqrt(dataset.X.shape[1])
    if np.allclose(norms, root, rtol=_NORM_ROUNDING, atol=0):
        return None
    return _two_digits(float(np.median(norms))) or None


def _networks(
    dataset: Dataset, *, epsilon: float | None, negative_slope: float, scenario: Scenario
) -> tuple[_Network, _Network]:
    X, y, Z = dataset.X, dataset.y, dataset.X_test
    s = theory.preactivation_scale(Z)
    deviation = float(np.median(theory.initial_deviation(Z, negative_slope=negative_slope)))
    direction = theory.perturbation_direction(X=X, y=y, kind="gradient", negative_slope=negative_slope)
    length = math.sqrt(X.shape[1]) if epsilon is None else epsilon
    sizes, kappas = [], []
    for draw in range(_TARGET_DRAWS):
        targets = draw_targets(len(X), kind="random", rng=np.random.default_rng(draw))
        R = normalised(direction, targets, epsilon=length)
        inputs = adversarial_inputs(X, R, scenario=scenario)
        sizes.append(np.abs(theory.g_predict(Z, X_adv=inputs, y_adv=targets, negative_slope=negative_slope)))
        kappas.append(theory.kappa(Z, X=inputs))
    f_b = theory.f_predict(Z, X=X, y=y, negative_slope=negative_slope)
    return (
        _Network(float(np.median(np.abs(f_b))), deviation, theory.kappa(Z, X=X) / s),
        _Network(float(np.median(sizes)), deviation, np.mean(kappas, axis=0) / s),
    )


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")


def _grid_above(value: float) -> int:
    """Return the first of 1, 3, 10, 30, … that is at least `value`."""
    power = int(10 ** max(0, math.floor(math.log10(max(value, 1)))))
    return next(power * step for step in (1, 3, 10) if power * step >= value)


def _grid_below(value: float) -> int:
    """Return the last of 1, 3, 10, 30, … that is at most `value`, at least `_LEAST_CAP`."""
    power = int(10 ** math.floor(math.log10(max(value, _LEAST_CAP))))
    return power * 3 if power * 3 <= value else power


def _widths(widest: int) -> tuple[int, ...]:
    grid = [step * 10**power for power in range(12) for step in (1, 3)]
    return tuple([width for width in grid if width <= widest][-_NUM_WIDTHS:])


# What the data cannot satisfy -------------------------------------------------------------------------


def feasibility(result: ExperimentResult) -> list[Feasible]:
    """Return the hypotheses that depend on the data, with what is asked for, what is here, and a verdict.

    Parameters
    ----------
    result : ExperimentResult
        At the largest width of a section.

    Returns
    -------
    list of Feasible
    """
    setting, data = result.setting, result.dataset
    return [
        _norm_row(data),
        _fresh_row(data),
        *(_free_row(result, network) for network in NAMES),
        _initial_row(result),
        _width_row(result),
        *_margin_rows(result),
        _sign_row(result),
    ] + ([] if setting.loss == "identity" else [_loss_row(setting.loss)])


def _row(hypothesis: str, asked: str, here: str, met: bool | None, remedy: str, reachable: bool) -> Feasible:
    return Feasible(
        hypothesis=hypothesis,
        asked=asked,
        here=here,
        met=met,
        remedy=remedy if met is False else "",
        reachable=bool(reachable or met),
    )


def largest_norm(data: Dataset) -> float:
    """Return the largest ‖x‖/√d over training and test points; the theory assumes at most 1."""
    norms = [np.linalg.norm(points, axis=1).max() for points in (data.X, data.X_test)]
    return float(max(norms) / math.sqrt(data.X.shape[1]))


def _norm_row(data: Dataset) -> Feasible:
    largest = largest_norm(data)
    return _row(
        "norms of the samples",
        "‖x‖ ≤ √d",
        f"largest ‖x‖/√d {text.number(largest)}",
        largest <= 1 + _NORM_ROUNDING,
        "rows scaled to norm √d (--standardise center); no width helps",
        False,
    )


def _fresh_row(data: Dataset) -> Feasible:
    """Repeated rows of a data set end up on both sides of a split."""
    repeated, distinct = data.repeated, len({row.tobytes() for row in data.X + 0.0})  # 0.0: −0 is 0
    return _row(
        "fresh test points",
        "no test point is a training sample",
        f"{text.count(repeated)} of {text.count(len(data.X_test))} are; {text.count(distinct)} of "
        f"{text.count(len(data.X))} training samples are distinct",
        repeated == 0,
        "data without repeated rows; no width helps",
        False,
    )


def _free_row(result: ExperimentResult, network: Name) -> Feasible:
    setting, side, Z = result.setting, result.side(network), result.dataset.X_test
    rate = theory.kappa(Z, X=side.X) / theory.preactivation_scale(Z)
    one = _Network(math.nan, math.nan, rate * setting.lipschitz)
    label = f"lazy training of {network}"
    asked = f"expected free share ≤ {_LAZY_FREE_SHARE}"
    if not (math.isfinite(setting.lipschitz) and (rate > 0).all()):
        return _row(label, asked, "no law for this loss", None, "", False)
    share = one.free_share(side.T, setting.width)
    needed = (side.T / one.unit_time(_LAZY_FREE_SHARE)) ** 2
    return _row(
        label,
        asked,
        f"{text.number(share)} at m = {setting.width:,}",
        share <= _LAZY_FREE_SHARE,
        f"m ≥ {text.count(math.ceil(needed))}, or a shorter flow time",
        True,
    )


def _initial_row(result: ExperimentResult) -> Feasible:
    setting, Z = result.setting, result.dataset.X_test
    deviation = float(np.median(theory.initial_deviation(Z, negative_slope=setting.negative_slope)))
    size = float(np.median(np.abs(result.points_f.predicted)))
    predicted = setting.T_f * size
    share = deviation / predicted if predicted > 0 else math.inf
    return _row(
        "f outgrows its initial network",
        f"its deviation ≤ {LARGEST_INITIAL_SHARE} of the median |T f_b|",
        text.number(share) if math.isfinite(share) else "the prediction is 0",
        share <= LARGEST_INITIAL_SHARE,
        f"T_f ≥ {text.number(deviation / (LARGEST_INITIAL_SHARE * size))}" if size > 0 else "none",
        size > 0,
    )


def _width_row(result: ExperimentResult) -> Feasible:
    published = float(theory.published_width(result.setting))
    return _row(
        "published width",
        f"m > d² (T_f + T_g)² = {text.count(published)}, constant 1",
        f"m = {result.setting.width:,}",
        result.setting.width > published if math.isfinite(published) else None,
        f"m > {text.count(published)}",
        True,
    )


def _margin_rows(result: ExperimentResult) -> list[Feasible]:
    """Return conditions (a) and (b), met if at half of the test points; thresholds fall with time."""
    setting = result.setting
    values = {"a": np.abs(result.points_f.published), "b": np.abs(result.points_g.published)}
    late = replace(setting, T_f=1e12, T_g=1e12)
    rows = []
    kinds: tuple[tuple[str, theory.LabelNoise, str], ...] = (
        ("a", "published", "(a) |f̂(z)|"),
        ("b", "published", "(b) |ĝ(z)|, ν = d/√N"),
        ("b", "scenario", "(b) |ĝ(z)|, ν of the scenario"),
    )
    for name, noise, label in kinds:
        now, limit = (_threshold(one, name, noise) for one in (setting, late))
        met, ever = (float(np.mean(values[name] > level)) for level in (now, limit))
        rows.append(
            _row(
                f"condition {label}",
                f"> {text.number(now)} at half of the points, constant 1",
                f"median {text.number(float(np.median(values[name])))}, above at {text.number(100 * met)} %",
                met >= 0.5 if math.isfinite(now) else None,
                f"no width matters; however long the training, the threshold is above {text.number(limit)}, "
                f"which {text.number(100 * ever)} % of the points exceed",
                ever >= 0.5,
            )
        )
    return rows


def _threshold(setting: theory.Setting, name: str, noise: theory.LabelNoise) -> float:
    thresholds = theory.margin_thresholds(setting, label_noise=noise)
    return float((thresholds.a if name == "a" else thresholds.b).value)


def _sign_row(result: ExperimentResult) -> Feasible:
    signs = np.sign(result.points_f.published) * np.sign(result.points_g.published)
    share = float(np.mean(signs > 0))
    return _row(
        "condition (c)",
        f"sgn f̂(z) = sgn ĝ(z) at {text.number(100 * _SIGNS)} % of the points or more",
        f"{text.number(100 * share)} %",
        share >= _SIGNS,
        "neither width nor time matters: the perturbations point elsewhere on these data",
        False,
    )


def _loss_row(loss: str) -> Feasible:
    return _row("loss", "identity", loss, False, "--loss identity", True)
