"""What the lazy certificates say about an experiment: counts to check them by, curves over width.

Also the published form beside them.  Certificates by simulation of single neurons: `simulated`.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import theory
from empirics.measure.result import ExperimentResult
from empirics.record import NAMES, Count, Name, Number, OfBoth, Record
from theory.certificates.inverse import WIDEST
from theory.certificates.lazy import AgreementProof, agreement_prover, prover
from theory.certificates.published import compare_published
from theory.validation import Array

# Probability that a certificate says something wrong about a point, over both initialisations.
DELTA = 0.01
# Shares of test points for which the width that certifies them is tabulated; the first is drawn on the map.
SHARES = (0.5, 0.9)
_WIDTHS = tuple(int(m) for m in np.geomspace(1e3, 1e9, 25))
DYNAMICS: tuple[theory.Dynamics, ...] = ("descent", "flow")
# Expected share of free neurons for which the width it takes is tabulated.
FREE_SHARE = 0.1


class Certified(Record, frozen=True, kw_only=True):
    """Points whose sign, or agreement, is certified, and those where that is wrong."""

    points: Count
    f: Count
    f_wrong: Count
    g: Count
    g_wrong: Count
    both: Count
    both_wrong: Count


COUNTS = Certified.__struct_fields__


class Certificates(Record, frozen=True, kw_only=True):
    """Certified shares over width, and the widths that certify a share."""

    delta: float
    shares_wanted: list[float]
    widths: list[Count]
    shares: dict[str, dict[str, list[Number]]]  # "f" or "both", then `DYNAMICS`
    required: dict[str, dict[str, list[Number]]]
    terms: dict[str, list[Number]]  # of the bound for f by flow
    median_prediction: Number
    published_width: Number


class Thresholds(Record, frozen=True, kw_only=True):
    """Published and our thresholds of one network."""

    published: Number
    met: Number
    size: Number
    ours: dict[str, Number]
    factors: dict[str, Number]
    proved: dict[str, Number]


class Widths(Record, frozen=True, kw_only=True):
    """The published width and ours."""

    published: Number
    ours: dict[str, list[Number]]
    factors: dict[str, list[Number]]


class Beside(Record, frozen=True, kw_only=True):
    """The published form beside ours."""

    width: Count
    wide: Count
    networks: OfBoth[Thresholds]
    widths: Widths


class NetworkWidths(Record, frozen=True, kw_only=True):
    """Widths from which the expected free share of a network is small enough."""

    network: str
    from_data_median: Number
    from_data_largest: Number
    from_norms: Number


class WidthBounds(Record, frozen=True, kw_only=True):
    """For a free share, beside the published width."""

    free_share: float
    rows: list[NetworkWidths]
    published: Number


def counts(result: ExperimentResult, *, in_hand: bool) -> dict[str, Certified]:
    """Count test points whose sign, or agreement, is certified, and those where that is wrong.

    Parameters
    ----------
    result : ExperimentResult
    in_hand : bool
        Also with the initial weights of the trained networks, which needs no probability.

    Returns
    -------
    dict
        By "descent", "flow" and "in hand".
    """
    signs = np.sign(result.points_f.final), np.sign(result.points_g.final)
    prove = lazy_prover(result, result.dataset.X_test)
    found: dict[str, Certified] = {
        dynamics: count_points(prove(result.setting, dynamics), signs) for dynamics in DYNAMICS
    }
    if in_hand:
        pair = theory.AgreementCertificate(*(_of_network(result, name) for name in NAMES))
        found["in hand"] = count_points(pair, signs)
    return found


def curves(result: ExperimentResult) -> Certificates:
    """Return certified shares of the test points over width, the terms of the bound, and widths required."""
    Z, setting = result.dataset.X_test, result.setting
    X, y, perturbed = result.dataset.X, result.dataset.y, (result.X_adv, result.y_adv)
    shares: dict[str, dict[str, list[Number]]] = {"f": {}, "both": {}}
    required: dict[str, dict[str, list[Number]]] = {"f": {}, "both": {}}
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
    prove = prover(Z, X, y, setting, delta=DELTA / 2)
    bounds = [prove(replace(setting, width=width), "flow").bound.terms for width in _WIDTHS]
    predicted = theory.f_predict(Z, X=X, y=y, negative_slope=setting.negative_slope)
    return Certificates(
        delta=DELTA,
        shares_wanted=list(SHARES),
        widths=list(_WIDTHS),
        shares=shares,
        required=required,
        terms={name: [float(np.median(terms[name])) for terms in bounds] for name in bounds[0]},
        median_prediction=float(np.median(np.abs(predicted))),
        published_width=theory.published_width(setting),
    )


def region(result: ExperimentResult, points: Array, found: Certificates) -> tuple[list[Count] | None, Number]:
    """Return where agreement is certified at the width that `curves` found for flow, and that, if any."""
    width = found.required["both"]["flow"][0]
    if width is None or not math.isfinite(width):
        return None, None
    both = lazy_prover(result, points)(replace(result.setting, width=int(width)), "flow")
    return both.certified.astype(int).tolist(), width


def beside(result: ExperimentResult, found: Certificates) -> Beside:
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
            certifying_widths={
                share: math.inf if width is None else width
                for share, width in zip(SHARES, found.required["both"][dynamics], strict=True)
            },
        )
        for kind, (at, dynamics) in kinds.items()
    }
    one = compared["descent"]
    networks = (
        (one.published.a, one.f_hat, {kind: (c.ours_f, c.ratio_f) for kind, c in compared.items()}),
        (one.published.b, one.g_hat, {kind: (c.ours_g, c.ratio_g) for kind, c in compared.items()}),
    )
    f, g = (
        Thresholds(
            published=float(threshold.value),
            met=float(np.mean(np.abs(values) > threshold.value)),
            size=_median(np.abs(values)),
            ours={kind: _median(limit) for kind, (limit, _) in ours.items()},
            factors={kind: _median(ratio) for kind, (_, ratio) in ours.items()},
            proved={kind: float(np.mean(np.abs(values) > limit)) for kind, (limit, _) in ours.items()},
        )
        for threshold, values, ours in networks
    )
    widths = Widths(
        published=one.published_width,
        ours={kind: list(compared[kind].certifying_widths.values()) for kind in DYNAMICS},
        factors={kind: list(compared[kind].ratio_widths.values()) for kind in DYNAMICS},
    )
    return Beside(width=setting.width, wide=WIDEST, networks=OfBoth(f=f, g=g), widths=widths)


def width_bounds(result: ExperimentResult) -> WidthBounds:
    """Return widths from which the expected free share is at most `FREE_SHARE`, and the published width."""
    Z, setting = result.dataset.X_test, result.setting
    s = theory.preactivation_scale(Z)
    kappa_f, kappa_g = (theory.kappa(Z, X=result.side(name).X) for name in NAMES)
    kappas: dict[theory.Network, Array] = {"f": kappa_f, "g": kappa_g, "both": np.maximum(kappa_f, kappa_g)}
    rows = []
    for network, kappa in kappas.items():
        data = theory.width_bound(setting, free_share=FREE_SHARE, network=network, kappa=kappa, s=s)
        norms = theory.width_bound(setting, free_share=FREE_SHARE, network=network)
        rows.append(
            NetworkWidths(
                network=network,
                from_data_median=float(np.median(data)),
                from_data_largest=float(data.max()),
                from_norms=float(norms),
            )
        )
    return WidthBounds(free_share=FREE_SHARE, rows=rows, published=theory.published_width(setting))


def lazy_prover(
    result: ExperimentResult, points: Array
) -> Callable[[theory.Setting, theory.Dynamics], theory.AgreementCertificate]:
    """Return the certificate of agreement at these points, from the data and the perturbed set."""
    data = result.dataset
    return agreement_prover(points, data.X, data.y, result.X_adv, result.y_adv, result.setting, delta=DELTA)


def _of_network(result: ExperimentResult, network: Name) -> theory.Certificate:
    side = result.side(network)
    if result.setting.loss != "identity" or side.T == 0:
        unknown = np.full(len(result.dataset.X_test), np.nan)
        return theory.Certificate(unknown, theory.Bound())
    initial = side.trained.initial
    weights, biases, readout = (
        tensor.detach().cpu().double().numpy() for tensor in (initial.weight, initial.bias, initial.readout)
    )
    return theory.certify_network(
        result.dataset.X_test,
        X=side.X,
        y=side.y,
        weights=weights,
        biases=biases,
        readout=readout,
        T=side.T,
        negative_slope=result.setting.negative_slope,
    )


def count_points(both: AgreementProof, signs: tuple[Array, Array]) -> Certified:
    """Count points where the sign of f, that of g (agreement with an f in hand), or agreement is proved."""
    f, g = signs
    agree = both.f.signs * both.g.signs
    return Certified(
        points=len(f),
        f=int(both.f.certified.sum()),
        f_wrong=int((both.f.certified & (both.f.signs != f)).sum()),
        g=int(both.g.certified.sum()),
        g_wrong=int((both.g.certified & (both.g.signs != g)).sum()),
        both=int(both.certified.sum()),
        both_wrong=int((both.certified & (agree != f * g)).sum()),
    )


def _median(values: Array) -> float:
    return math.nan if np.isnan(values).any() else float(np.median(values))
