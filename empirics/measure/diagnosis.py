"""Where f and g disagree, and why: an account of both outputs that adds up exactly, point by point.

With the identity loss, for f on (x_n, y_n) and for g on its inputs with labels t_n,

    output = signal + initial network + sample labels + label imbalance + other bias
             + kernel fluctuation + flips,

signal: T (1/N) Σ Φ y_n ⟨x_n, z⟩ for f, T (1/N) Σ Φ t_n ⟨r_n, z⟩ for g.  The last two are what the wide limit
leaves out: the kernel of the untrained network in hand minus Φ, and everything that this kernel does not
explain, which is the change of activations (and rounding).  The theory reads the sign off the signals; where
f and g differ, a term that outweighs one of them is to blame, or the signals themselves differ.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

import theory
from empirics.measure.counts import agrees
from empirics.model import TwoLayerNet, activation_slopes, blocks
from theory.validation import Array

if TYPE_CHECKING:
    from empirics.experiment import ExperimentResult

# Below this share of equal signs a run counts as failed: hardly more than a coin.
FAILED = 0.6
TERMS = (
    "initial network",
    "sample labels",
    "label imbalance",
    "other bias",
    "kernel fluctuation",
    "flips",
)
NETWORKS = ("f", "g")
# The signals differ: as f̂ and ĝ do (condition (c) is not met), or because the perturbations of the trained f,
# with its initial network and finite width, are not those that ĝ is made of.
CONDITION_C, STRAYED = "condition (c)", "perturbations stray from the prediction"
NO_SIGNAL, UNKNOWN = "no signal", "unknown"
CAUSES = (
    *(f"{network}: {term}" for network in NETWORKS for term in TERMS),
    CONDITION_C,
    STRAYED,
    NO_SIGNAL,
    UNKNOWN,
)
CONDITIONS = ("width", "a", "b", "b, scenario", "c")

Json = dict[str, Any]


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
    like: dict[str, Any] = {"dtype": network.weight.dtype, "device": network.weight.device}
    points = torch.as_tensor(np.concatenate([inputs, Z]), **like)
    total = torch.zeros(len(inputs), len(Z), dtype=torch.float64, device=network.weight.device)
    for part in blocks(network.width, len(points)):
        hidden = torch.addmm(network.bias[part], points, network.weight[part].T)
        slopes = activation_slopes(hidden, network.negative_slope) * network.readout[part]
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


def examine(result: "ExperimentResult") -> Json:
    """Return counts over the test points where signs differ, and one row of numbers for each of them.

    Parameters
    ----------
    result : "ExperimentResult"
        Of any loss; causes are known for the identity loss.

    Returns
    -------
    dict
        ``points``, ``differ``, ``causes`` and ``enough`` (counts by cause), ``unmet`` (counts by condition;
        "none" and "none, scenario": all conditions hold), ``rows``: |term|/|signal| by term of each point.
    """
    differ = ~agrees(result.points_f.final, result.points_g.final)
    record: Json = {
        "points": len(differ),
        "differ": int(differ.sum()),
        "causes": {},
        "enough": {},
        "unmet": dict.fromkeys([*CONDITIONS, "none", "none, scenario"], 0),
        "rows": [],
    }
    if not differ.any():
        return record
    record["unmet"], same = _conditions(result, differ)
    if result.setting.loss != "identity":
        return record | {"causes": {UNKNOWN: int(differ.sum())}}
    f, g = _accounts(result, differ)
    causes, enough = blame(f, g, same)
    record["causes"] = dict(Counter(causes))
    record["enough"] = dict(Counter(cause for cause, alone in zip(causes, enough, strict=True) if alone))
    record["rows"] = _sizes(f, g)
    return record


def _accounts(result: "ExperimentResult", chosen: NDArray[np.bool_]) -> tuple[Account, Account]:
    data, setting = result.dataset, result.setting
    Z = data.X_test[chosen]
    R = result.X_adv if setting.scenario == "a" else result.X_adv - data.X
    settings = (
        (result.trained_f, result.points_f, data.X, data.y, data.X, setting.T_f),
        (result.trained_g, result.points_g, result.X_adv, result.y_adv, R, setting.T_g),
    )
    f, g = (
        account(
            Z,
            inputs,
            labels,
            signal_inputs=signal_inputs,
            T=T,
            negative_slope=setting.negative_slope,
            initial=points.initial[chosen],
            final=points.final[chosen],
            kernel=initial_kernel(trained.initial, inputs, Z),
        )
        for trained, points, inputs, labels, signal_inputs, T in settings
    )
    return f, g


def _conditions(
    result: "ExperimentResult", chosen: NDArray[np.bool_]
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


def _sizes(f: Account, g: Account) -> list[dict[str, float]]:
    with np.errstate(divide="ignore", invalid="ignore"):
        columns = {
            f"{network}: {name}": np.abs(values / one.signal)
            for network, one in (("f", f), ("g", g))
            for name, values in one.terms.items()
        }
    return [
        {name: float(column[index]) for name, column in columns.items()} for index in range(len(f.output))
    ]


# All runs of a section --------------------------------------------------------------------------------


def total(runs: Sequence[Json], widths: Sequence[int]) -> Json:
    """Add up the runs of a section, width by width.

    Parameters
    ----------
    runs : sequence of dict
        Records with "width", "seed", "agreement" and "diagnosis" (from `examine`).
    widths : sequence of int

    Returns
    -------
    dict
        ``causes``, ``terms``: names in order; ``by_width``: points, differing points, counts of causes, of
        causes that are enough alone and of conditions not met, medians of |term|/|signal| over the differing
        points; ``failed``: runs with an agreement below `FAILED`, each with the cause of most of its
        differing points, the share of that, and conditions not met at most of them.
    """
    by_width = [_by_width([run for run in runs if run["width"] == width], width) for width in widths]
    return {
        "failed_below": FAILED,
        "causes": [cause for cause in CAUSES if any(cause in row["causes"] for row in by_width)],
        "terms": list(next((row["sizes"] for row in by_width if row["sizes"]), {})),
        "by_width": by_width,
        "failed": [
            {"width": run["width"], "seed": run["seed"], "agreement": run["agreement"]["measured"]}
            | _dominating(run["diagnosis"])
            for run in runs
            if run["agreement"]["measured"] < FAILED
        ],
    }


def _by_width(runs: Sequence[Json], width: int) -> Json:
    found = [run["diagnosis"] for run in runs]
    rows = [row for one in found for row in one["rows"]]
    return {
        "width": width,
        "points": sum(one["points"] for one in found),
        "differ": sum(one["differ"] for one in found),
        **{name: _add([one[name] for one in found]) for name in ("causes", "enough", "unmet")},
        "sizes": {name: float(np.median([row[name] for row in rows])) for name in (rows[0] if rows else ())},
    }


def _add(counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    added: Counter[str] = Counter()
    for count in counts:
        added.update(count)
    order = [*CAUSES, *CONDITIONS, "none", "none, scenario"]
    return {name: added[name] for name in sorted(added, key=order.index)}


def _dominating(found: Json) -> Json:
    """Return the most frequent cause; unknown where two are equally frequent."""
    counted: Counter[str] = Counter(found["causes"])
    ranked = counted.most_common(2)
    tied = len(ranked) == 2 and ranked[0][1] == ranked[1][1]
    cause, count = ranked[0] if ranked and not tied else (UNKNOWN, found["causes"].get(UNKNOWN, 0))
    differ = found["differ"]
    return {
        "cause": cause,
        "share": count / differ if differ else None,
        "unmet": [name for name in CONDITIONS if found["unmet"][name] > differ / 2],
    }
