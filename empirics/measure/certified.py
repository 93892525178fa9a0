"""What the lazy certificates say about an experiment: counts to check them by, curves over width.

Also the published form beside them.  Certificates by simulation of single neurons: `simulated`.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

import theory
from empirics.model import TwoLayerNet
from theory.certificates.inverse import WIDEST
from theory.certificates.lazy import AgreementProof
from theory.certificates.published import compare_published
from theory.validation import Array

if TYPE_CHECKING:
    from empirics.experiment import ExperimentResult

# Probability that a certificate says something wrong about a point, over both initialisations.
DELTA = 0.01
# Shares of test points for which the width that certifies them is tabulated; the first is drawn on the map.
SHARES = (0.5, 0.9)
_WIDTHS = tuple(int(m) for m in np.geomspace(1e3, 1e9, 25))
COUNTS = ("points", "f", "f_wrong", "g", "g_wrong", "both", "both_wrong")
DYNAMICS: tuple[theory.Dynamics, ...] = ("descent", "flow")


def counts(result: "ExperimentResult", *, in_hand: bool) -> dict[str, dict[str, int]]:
    """Count test points whose sign, or agreement, is certified, and those where that is wrong.

    Parameters
    ----------
    result : "ExperimentResult"
    in_hand : bool
        Also with the initial weights of the trained networks, which needs no probability.

    Returns
    -------
    dict
        ``{"descent": {"f": n, "f_wrong": n, …}, "flow": …, "in hand": …}`` with the names `COUNTS`.
    """
    signs = np.sign(result.points_f.final), np.sign(result.points_g.final)
    found: dict[str, dict[str, int]] = {
        dynamics: count_points(lazy_proof(result, result.dataset.X_test, result.setting, dynamics), signs)
        for dynamics in DYNAMICS
    }
    if in_hand:
        pair = theory.AgreementCertificate(
            _of_network(result, result.trained_f.initial, "f"),
            _of_network(result, result.trained_g.initial, "g"),
        )
        found["in hand"] = count_points(pair, signs)
    return found


def curves(result: "ExperimentResult") -> dict[str, Any]:
    """Return certified shares of the test points over width, the terms of the bound, and widths required."""
    Z, setting = result.dataset.X_test, result.setting
    X, y, perturbed = result.dataset.X, result.dataset.y, (result.X_adv, result.y_adv)
    shares: dict[str, dict[str, list[float]]] = {"f": {}, "both": {}}
    required: dict[str, dict[str, list[float]]] = {"f": {}, "both": {}}
    for dynamics in DYNAMICS:
        for name, (X_adv, y_adv) in {"f": (None, None), "both": perturbed}.items():
            more: dict[str, Any] = {"X_adv": X_adv, "y_adv": y_adv, "dynamics": dynamics}
            shares[name][dynamics] = theory.certified_share(
                Z, X=X, y=y, setting=setting, delta=DELTA, widths=_WIDTHS, **more
            ).tolist()
            required[name][dynamics] = [
                theory.required_width(Z, X=X, y=y, setting=setting, delta=DELTA, share=share, **more)
                for share in SHARES
            ]
    bounds = [
        theory.margin_bound(
            Z, X=X, y=y, setting=replace(setting, width=width), delta=DELTA / 2, dynamics="flow", sides=1
        ).terms
        for width in _WIDTHS
    ]
    predicted = theory.f_predict(Z, X=X, y=y, negative_slope=setting.negative_slope)
    return {
        "delta": DELTA,
        "shares_wanted": list(SHARES),
        "widths": list(_WIDTHS),
        "shares": shares,
        "required": required,
        "terms": {name: [float(np.median(terms[name])) for terms in bounds] for name in bounds[0]},
        "median_prediction": float(np.median(np.abs(predicted))),
        "published_width": theory.published_width(setting),
    }


def region(result: "ExperimentResult", points: Array, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return where agreement is certified at the width that `curves` found for flow, if any."""
    width: float = found["required"]["both"]["flow"][0]
    if not math.isfinite(width):
        return {"certified": None, "certified_width": None}
    both = lazy_proof(result, points, replace(result.setting, width=int(width)), "flow")
    return {"certified": both.certified.astype(int).tolist(), "certified_width": width}


def beside(result: "ExperimentResult", found: dict[str, Any]) -> dict[str, Any]:
    """Return the published thresholds and widths beside ours, which `curves` has found.

    Our thresholds are on the scale of f̂ and ĝ, medians over the test points; factors are ours / published.
    """
    data, setting = result.dataset, result.setting
    kinds: dict[str, tuple[theory.Setting, theory.Dynamics]] = {
        "descent": (setting, "descent"),
        "flow": (setting, "flow"),
        "limit": (replace(setting, width=WIDEST), "flow"),
    }
    compared = {
        kind: compare_published(
            data.X_test,
            X=data.X,
            y=data.y,
            X_adv=result.X_adv,
            y_adv=result.y_adv,
            setting=at,
            delta=DELTA,
            dynamics=dynamics,
            certifying_widths=dict(zip(SHARES, found["required"]["both"][dynamics], strict=True)),
        )
        for kind, (at, dynamics) in kinds.items()
    }
    one = compared["descent"]
    networks = {
        "f": (one.published.a, one.f_hat, {kind: (c.ours_f, c.ratio_f) for kind, c in compared.items()}),
        "g": (one.published.b, one.g_hat, {kind: (c.ours_g, c.ratio_g) for kind, c in compared.items()}),
    }
    return {
        "width": setting.width,
        "wide": WIDEST,
        "networks": {
            name: {
                "published": float(threshold.value),
                "met": float(np.mean(np.abs(values) > threshold.value)),
                "size": _median(np.abs(values)),
                "ours": {kind: _median(limit) for kind, (limit, _) in ours.items()},
                "factors": {kind: _median(ratio) for kind, (_, ratio) in ours.items()},
                "proved": {kind: float(np.mean(np.abs(values) > limit)) for kind, (limit, _) in ours.items()},
            }
            for name, (threshold, values, ours) in networks.items()
        },
        "widths": {
            "published": one.published_width,
            "ours": {kind: list(compared[kind].certifying_widths.values()) for kind in DYNAMICS},
            "factors": {kind: list(compared[kind].ratio_widths.values()) for kind in DYNAMICS},
        },
    }


def lazy_proof(
    result: "ExperimentResult", points: Array, setting: theory.Setting, dynamics: theory.Dynamics
) -> theory.AgreementCertificate:
    """Return the certificate of agreement at these points, from the data and the perturbed set."""
    data = result.dataset
    return theory.certify_agreement(
        points,
        X=data.X,
        y=data.y,
        X_adv=result.X_adv,
        y_adv=result.y_adv,
        setting=setting,
        delta=DELTA,
        dynamics=dynamics,
    )


def _of_network(result: "ExperimentResult", initial: TwoLayerNet, network: str) -> theory.Certificate:
    X, y = (result.dataset.X, result.dataset.y) if network == "f" else (result.X_adv, result.y_adv)
    T = result.setting.T_f if network == "f" else result.setting.T_g
    weights, biases, readout = (
        tensor.detach().cpu().double().numpy() for tensor in (initial.weight, initial.bias, initial.readout)
    )
    if result.setting.loss != "identity" or T == 0:
        unknown = np.full(len(result.dataset.X_test), np.nan)
        return theory.Certificate(unknown, theory.Bound())
    return theory.certify_network(
        result.dataset.X_test,
        X=X,
        y=y,
        weights=weights,
        biases=biases,
        readout=readout,
        T=T,
        negative_slope=result.setting.negative_slope,
    )


def count_points(
    both: AgreementProof,
    signs: tuple[Array, Array],
) -> dict[str, int]:
    """Count points where the sign of f, that of g (agreement with an f in hand), or agreement is proved."""
    f, g = signs
    agree = both.f.signs * both.g.signs
    return {
        "points": len(f),
        "f": int(both.f.certified.sum()),
        "f_wrong": int((both.f.certified & (both.f.signs != f)).sum()),
        "g": int(both.g.certified.sum()),
        "g_wrong": int((both.g.certified & (both.g.signs != g)).sum()),
        "both": int(both.certified.sum()),
        "both_wrong": int((both.certified & (agree != f * g)).sum()),
    }


def _median(values: Array) -> float:
    return math.nan if np.isnan(values).any() else float(np.median(values))
