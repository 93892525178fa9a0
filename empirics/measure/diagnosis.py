"""Where f and g disagree, and why: an account of both outputs that adds up exactly, point by point.

With the identity loss, for f on (x_n, y_n) and for g on its inputs with labels t_n::

    output = signal + initial network + sample labels + label imbalance + other bias
             + kernel fluctuation + flips,

signal: T (1/N) Σ Φ y_n ⟨x_n, z⟩ for f, T (1/N) Σ Φ t_n ⟨r_n, z⟩ for g.  The last two are what the wide limit
leaves out: the kernel of the untrained network in hand minus Φ, and everything that this kernel does not
explain, which is the change of activations (and rounding).  The theory reads the sign off the signals; where
f and g differ, a term that outweighs one of them is to blame, or the signals themselves differ.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

import theory
from empirics.measure.counts import agrees
from empirics.measure.result import ExperimentResult
from empirics.model import TwoLayerNet, activation_slopes, blocks
from empirics.record import NAMES, Count, Counts, Number, Record
from theory.validation import Array

TERMS = (
    "initial network",
    "sample labels",
    "label imbalance",
    "other bias",
    "kernel fluctuation",
    "flips",
)
# The signals differ: as f̂ and ĝ do (condition (c) is not met), or because the perturbations of the trained f,
# with its initial network and finite width, are not those that ĝ is made of.
CONDITION_C, STRAYED = "condition (c)", "perturbations stray from the prediction"
NO_SIGNAL, UNKNOWN = "no signal", "unknown"
CAUSES = (
    *(f"{network}: {term}" for network in NAMES for term in TERMS),
    CONDITION_C,
    STRAYED,
    NO_SIGNAL,
    UNKNOWN,
)
CONDITIONS = ("width", "a", "b", "b, scenario", "c")
NONE = ("none", "none, scenario")

Sizes = list[dict[str, Number]]  # |term|/|signal| by term, of each point where signs differ


class Examined(Record, frozen=True, kw_only=True):
    """Why signs differ where they do, counted by cause and by condition.

    Attributes
    ----------
    points, differ : int
    causes, enough : dict from `CAUSES` to int
        Points by cause; of these, those where it is enough alone.
    unmet : dict from `CONDITIONS` to int
        Differing points at which a condition is not met; "none" and "none, scenario": all of them hold.
    """

    points: Count
    differ: Count
    causes: Counts
    enough: Counts
    unmet: Counts


@dataclass(frozen=True, kw_only=True, eq=False)
class Account:
    """One network at Q points.

    Attributes
    ----------
    output : array, shape (Q,)
        f(z; T).
    signal : array, shape (Q,)
    terms : mapping from `TERMS` to arrays, shape (Q,)
        output = signal + Σ terms, up to rounding.
    """

    output: Array
    signal: Array
    terms: Mapping[str, Array]


def account(
    Z: Array,
    inputs: Array,
    labels: Array,
    *,
    signal_inputs: Array,
    T: float,
    negative_slope: float,
    initial: Array,
    final: Array,
    kernel: Array,
) -> Account:
    """Split the output of a network into the terms of the prediction and what it leaves out.

    Parameters
    ----------
    Z : array, shape (Q, d)
    inputs, labels : arrays, shapes (N, d) and (N,)
        What the network was trained on.
    signal_inputs : array, shape (N, d)
        Part of `inputs` that the signal is made of: all of it for f, the perturbations for g.
    T : float
        Flow time, ≥ 0.
    negative_slope : float in [0, 1)
    initial, final : arrays, shape (Q,)
        f(z; 0) and f(z; T).
    kernel : array, shape (N, Q)
        Σ_i a_i² φ'(u_i(x_n; 0)) φ'(u_i(z; 0)) of the untrained network.

    Returns
    -------
    Account

    Notes
    -----
    Source: `expressions.F_B`; Derivation 3.  Identity loss, full batch.
    """
    scale = T / len(inputs)
    phi = theory.phi(inputs, Z, negative_slope=negative_slope)
    weighted = labels[:, None] * phi
    signal = scale * (weighted * (signal_inputs @ Z.T)).sum(axis=0)
    imbalance = T * labels.mean() * phi.mean(axis=0)
    augmented = labels[:, None] * (inputs @ Z.T + 1)
    limit, at_start = scale * (augmented * phi).sum(axis=0), scale * (augmented * kernel).sum(axis=0)
    terms = {
        "initial network": initial,
        "sample labels": scale * (weighted * ((inputs - signal_inputs) @ Z.T)).sum(axis=0),
        "label imbalance": imbalance,
        "other bias": scale * weighted.sum(axis=0) - imbalance,
        "kernel fluctuation": at_start - limit,
        "flips": final - initial - at_start,
    }
    return Account(output=final, signal=signal, terms=terms)


@torch.no_grad()
def initial_kernel(network: TwoLayerNet, inputs: Array, Z: Array) -> Array:
    """Return Σ_i a_i² φ'(u_i(x_n)) φ'(u_i(z)), shape (N, Q), float64, block by block."""
    points = torch.as_tensor(np.concatenate([inputs, Z])).to(network.weight)
    total = torch.zeros(len(inputs), len(Z), dtype=torch.float64, device=points.device)
    for part in blocks(network.width, len(points)):
        hidden = network.preactivations(points, part)
        slopes = activation_slopes(hidden, network.negative_slope, inplace=True).mul_(network.readout[part])
        total += (slopes[: len(inputs)] @ slopes[len(inputs) :].T).double()
    return np.asarray(total.cpu().numpy())


def blame(f: Account, g: Account, same: NDArray[np.bool_]) -> tuple[list[str], list[bool]]:
    """Return for each point, taken as one where the signs differ, the cause, and whether it is enough alone.

    Where the signals of f and g have different signs, they are the cause: condition (c) if f̂ and ĝ differ
    there as well, else the perturbations of the trained f.  Where the signals agree, a network whose output
    does not have their sign is at fault, by the term that opposes it most, relative to the signal; it is
    enough alone if the output without it has the right sign.  A number that is not finite makes it unknown.

    Parameters
    ----------
    f, g : Account
        At the same points.
    same : array of bool, shape (Q,)
        Whether condition (c) holds: sgn f̂(z) = sgn ĝ(z).

    Returns
    -------
    causes : list of str, length Q
        From `CAUSES`.
    enough : list of bool, length Q
    """
    causes, enough = [], []
    for index in range(len(f.output)):
        cause, alone = _blame_one({"f": _at(f, index), "g": _at(g, index)}, bool(same[index]))
        causes.append(cause)
        enough.append(alone)
    return causes, enough


_Point = tuple[float, float, dict[str, float]]  # output, signal, terms


def _at(one: Account, index: int) -> _Point:
    terms = {name: float(values[index]) for name, values in one.terms.items()}
    return float(one.output[index]), float(one.signal[index]), terms


def _blame_one(both: Mapping[str, _Point], same: bool) -> tuple[str, bool]:
    if not np.isfinite([[output, signal, *terms.values()] for output, signal, terms in both.values()]).all():
        return UNKNOWN, False
    signs = {float(np.sign(signal)) for _, signal, _ in both.values()}
    if 0.0 in signs:
        return NO_SIGNAL, False
    if len(signs) == 2:
        return (STRAYED if same else CONDITION_C), True
    (sign,) = signs
    opposing = [
        (-sign * value / abs(signal), f"{network}: {name}", sign * (output - value) > 0)
        for network, (output, signal, terms) in both.items()
        if not sign * output > 0
        for name, value in terms.items()
    ]
    if not opposing:  # both have the sign of the signals: they do not differ
        return UNKNOWN, False
    worst, cause, alone = max(opposing)
    return (cause, alone) if worst > 0 else (UNKNOWN, False)


# One run ----------------------------------------------------------------------------------------------


def examine(result: ExperimentResult) -> tuple[Examined, Sizes]:
    """Return counts over the test points where signs differ, and the sizes of the terms at each of them.

    Parameters
    ----------
    result : ExperimentResult
        Of any loss; causes and sizes are known for the identity loss.
    """
    differ = ~agrees(result.points_f.final, result.points_g.final)
    count = int(differ.sum())
    unmet, same = dict.fromkeys([*CONDITIONS, *NONE], 0), differ
    causes: dict[str, int] = {}
    enough: dict[str, int] = {}
    sizes: Sizes = []
    if count:
        unmet, same = _conditions(result, differ)
    if count and result.setting.loss != "identity":
        causes = {UNKNOWN: count}
    elif count:
        f, g = _accounts(result, differ)
        named, alone = blame(f, g, same)
        causes = Counter(named)
        enough = Counter(cause for cause, one in zip(named, alone, strict=True) if one)
        sizes = _sizes(f, g)
    return Examined(points=len(differ), differ=count, causes=causes, enough=enough, unmet=unmet), sizes


def _accounts(result: ExperimentResult, chosen: NDArray[np.bool_]) -> tuple[Account, Account]:
    setting, Z = result.setting, result.dataset.X_test[chosen]
    f, g = (
        account(
            Z,
            side.X,
            side.y,
            signal_inputs=signal_inputs,
            T=side.T,
            negative_slope=setting.negative_slope,
            initial=side.points.initial[chosen],
            final=side.points.final[chosen],
            kernel=initial_kernel(side.trained.initial, side.X, Z),
        )
        for side, signal_inputs in (
            (result.side("f"), result.dataset.X),
            (result.side("g"), result.perturbations),
        )
    )
    return f, g


def _conditions(
    result: ExperimentResult, chosen: NDArray[np.bool_]
) -> tuple[dict[str, int], NDArray[np.bool_]]:
    """Return at how many points each condition is not met, and where (c) is."""
    data, setting = result.dataset, result.setting
    evaluated = {
        noise: theory.conditions.evaluate(
            data.X_test[chosen], X=data.X, y=data.y, X_adv=result.X_adv, setting=setting, label_noise=noise
        )
        for noise in ("published", "scenario")
    }
    published, scenario = evaluated["published"], evaluated["scenario"]
    holds = {name: np.broadcast_to(published[name].holds, int(chosen.sum())) for name in published}
    holds["b, scenario"] = scenario["b"].holds
    others = holds["width"] & holds["a"] & holds["c"]
    counts = {name: int((~holds[name]).sum()) for name in CONDITIONS} | {
        "none": int((others & holds["b"]).sum()),
        "none, scenario": int((others & holds["b, scenario"]).sum()),
    }
    return counts, published["c"].holds


def _sizes(f: Account, g: Account) -> Sizes:
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            f"{network}: {name}": np.abs(values / one.signal)
            for network, one in zip(NAMES, (f, g), strict=True)
            for name, values in one.terms.items()
        }
    return [
        {name: float(column[index]) for name, column in columns.items()} for index in range(len(f.output))
    ]
