"""Agreement over the training time of g: measured along its training, predicted before any."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from empirics.config import ExperimentConfig
from empirics.data import Dataset
from empirics.record import Number, Record
from empirics.sweep.outcome import Cell
from theory import prove_agreement
from theory.setting import Loss
from theory.times import agreement_law, sampled_agreement
from theory.times.curve import Pair
from theory.times.required import search
from theory.validation import Array

_GRID = (1e-2, 1e2, 12)  # times of g, over its own, at which agreement is predicted
# Of laws and proofs, whose time grows with N² and with points; of points for minimal times and proofs.
_MOST_SAMPLES, _MOST_POINTS = 3000, 200
NO_LAW = (
    "Agreement over times has a law for the identity loss, perturbations alone (a) and descent without "
    f"momentum; it is computed for at most {_MOST_SAMPLES:,} samples."
)
# At the times, in the limit T_g → ∞, and there for an f that was never trained.
LAW_COLUMNS = ("law_agreement_test", "law_limit_test", "law_floor_test")
_SHARES = (0.7, 0.8, 0.9, 0.95, 0.99)  # of points, whose minimal times are asked for


class AtTime(Record, frozen=True, kw_only=True):
    """Mean agreement over test points when g was trained for some time."""

    T_g: Number  # ∞ for the limit
    measured: Number  # NaN where g was not looked at
    predicted: Number  # by `theory.times` for these target labels; nothing trained
    untrained: Number  # the same for an f that was never trained


class Signs(Record, frozen=True, kw_only=True):
    """At how many test points floats prove condition (c), refute it, and prove it by weights alone."""

    points: int
    equal: int
    opposite: int
    by_weights: int


class Needed(Record, frozen=True, kw_only=True):
    """Times that a mean agreement needs by `theory.times`, ∞ where none will do."""

    share: float
    T_g: Number  # at this T_f
    both: Number  # T_f = T_g
    said: str  # of T_g, in a sentence


def has_law(config: ExperimentConfig, dataset: Dataset) -> bool:
    """Return whether agreement over times has a law that is computed: see `NO_LAW`."""
    told = (config.loss, config.scenario, config.momentum)
    return told == ("identity", "a", 0.0) and len(dataset.X) <= _MOST_SAMPLES


def over_times(
    config: ExperimentConfig, dataset: Dataset, targets: Array, measured: Mapping[float, float]
) -> Iterator[AtTime]:
    """Yield agreement at times of g: where it was measured, on a grid, and in the limit."""
    if not has_law(config, dataset):
        return
    grid = np.unique([*measured, *(config.T_g * np.geomspace(*_GRID)), math.inf])
    try:
        law = agreement_law(dataset.X_test, T_f=[0.0, config.T_f], **_given(config, dataset, targets))
    except FloatingPointError:  # features too large for its sums
        return
    for T_g, untrained, predicted in np.column_stack([grid, *law.share(grid)]).tolist():
        yield AtTime(T_g=T_g, measured=measured.get(T_g, math.nan), predicted=predicted, untrained=untrained)


def law_of_times(
    data: Dataset,
    *,
    T_f: float,
    T_g: float,
    loss: Loss,
    seed: int,
    num_networks: int = 12,
    **given: Any,  # noqa: ANN401
) -> dict[str, Cell]:
    """Return the mean agreement over test points that the law over times predicts, Derivation 18.

    Identity loss: from the data alone; also its limit at T_g = ∞, and the floor, that with T_f = 0.  Other
    losses: averaged over untrained networks f, drawn from a seed; nothing where that overflows.

    Parameters
    ----------
    data : Dataset
    T_f, T_g : float
    loss : str
    seed, num_networks : int
        Of the untrained networks.
    given
        As `theory.times.agreement_law` takes it.
    """
    given |= {"X": data.X, "y": data.y}
    try:
        if loss == "identity":
            law = agreement_law(data.X_test, **given, T_f=[T_f, 0.0])
            shares = (law.share(T_g)[0], *law.share(np.inf))
            return dict(zip(LAW_COLUMNS, map(float, shares), strict=True))
        given |= {"num_networks": num_networks, "rng": np.random.default_rng(seed)}
        found = sampled_agreement(data.X_test, **given, T_f=T_f, T_g=T_g, loss=loss)
    except FloatingPointError:  # weights that could not be found to their tolerance
        return {}
    return {LAW_COLUMNS[0]: float(found.share[0, 0])}


def needed(config: ExperimentConfig, dataset: Dataset, targets: Array) -> Iterator[Needed]:
    """Yield what mean agreements need."""
    if not has_law(config, dataset):
        return
    samples, Z = (dataset.X, dataset.y), dataset.X_test[:_MOST_POINTS]
    pair = Pair.checked(Z, *samples, targets, config.negative_slope, None, config.scenario)
    try:
        of_g, of_both = (search(pair, of, config.epsilon, config.T_f) for of in ("T_g", "both"))
        for share in _SHARES:
            T_g, both = of_g.required(share), of_both.required(share)
            yield Needed(share=share, T_g=float(T_g.value), both=float(both.value), said=str(T_g))
    except FloatingPointError:
        return


def signs(config: ExperimentConfig, dataset: Dataset, X_adv: Array) -> Signs | None:
    """Return what is proved of sgn f̂ = sgn ĝ at some points, in a time of order N²; None for many samples."""
    if len(dataset.X) > _MOST_SAMPLES:
        return None
    Z, slope = dataset.X_test[:_MOST_POINTS], config.negative_slope
    found = prove_agreement(Z, X=dataset.X, y=dataset.y, X_adv=X_adv, negative_slope=slope)
    equal, opposite = (int(where.sum()) for where in (found["c"].holds, found["c"].fails))
    by_weights = int(found["weights"].holds.sum())
    return Signs(points=len(found["c"].lhs), equal=equal, opposite=opposite, by_weights=by_weights)


def _given(config: ExperimentConfig, dataset: Dataset, targets: Array) -> dict[str, Any]:
    own = {"epsilon": config.epsilon, "negative_slope": config.negative_slope}
    return {"X": dataset.X, "y": dataset.y, "targets": targets, **own}
