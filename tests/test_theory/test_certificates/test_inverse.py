"""Inverse questions: answers are checked by asking the certificate."""

import dataclasses
import math

import numpy as np
import pytest

from tests.test_theory.test_bounds.margin_cases import data
from theory import (
    Setting,
    certified_share,
    certify,
    certify_agreement,
    perturbation_direction,
    required_epsilon,
    required_time,
    required_width,
)
from theory.certificates.lazy import agreement_prover

RNG = np.random.default_rng(1)
X, Y = data(RNG, 30, 4)
Z = data(RNG, 20, 4)[0]
HERE = Setting(dim=4, N=30, width=10**5, negative_slope=0.3, epsilon=2.0, T_f=8.0, T_g=8.0)
DIRECTIONS = perturbation_direction(X=X, y=Y, negative_slope=0.3)
T_ADV = np.where(RNG.random(30) < 0.5, 1.0, -1.0)
X_ADV = 2 * T_ADV[:, None] * DIRECTIONS / np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)


@pytest.mark.parametrize("dynamics", ["descent", "flow"])
@pytest.mark.parametrize("adversarial", [False, True])
def test_required_width_is_sound_and_nearly_least(dynamics, adversarial):
    more = {"X_adv": X_ADV, "y_adv": T_ADV} if adversarial else {}
    width = required_width(Z, X=X, y=Y, setting=HERE, delta=0.01, share=0.5, dynamics=dynamics, **more)

    def share(m):
        (got,) = certified_share(Z, X=X, y=Y, setting=HERE, delta=0.01, widths=[m], dynamics=dynamics, **more)
        return got

    assert share(width) >= 0.5 > share(int(width / 1.02))


def test_share_is_that_of_the_certificates():
    widths = [10**3, 10**5, 10**7]
    alone = [
        certify(Z, X=X, y=Y, setting=dataclasses.replace(HERE, width=m), delta=0.01).share for m in widths
    ]
    np.testing.assert_array_equal(
        certified_share(Z, X=X, y=Y, setting=HERE, delta=0.01, widths=widths), alone
    )
    both = certified_share(Z, X=X, y=Y, setting=HERE, delta=0.01, widths=widths, X_adv=X_ADV, y_adv=T_ADV)
    changed = dataclasses.replace(HERE, width=widths[2])
    assert (
        both[2] == certify_agreement(Z, X=X, y=Y, X_adv=X_ADV, y_adv=T_ADV, setting=changed, delta=0.01).share
    )
    assert (both <= alone).all()


def test_no_width_helps_where_the_initial_network_decides():
    short = dataclasses.replace(HERE, T_f=1e-3)
    assert math.isinf(required_width(Z, X=X, y=Y, setting=short, delta=0.01))


def test_times_that_certify_lie_between_start_and_flips():
    low, high = required_time(Z, X=X, y=Y, setting=HERE, delta=0.01, share=0.5)
    assert 0.01 < low < high < 1e6
    for T in (low, high):
        assert certify(Z, X=X, y=Y, setting=dataclasses.replace(HERE, T_f=T), delta=0.01).share >= 0.5
    narrow = dataclasses.replace(HERE, width=2)
    assert all(map(math.isnan, required_time(Z, X=X, y=Y, setting=narrow, delta=0.01)))


@pytest.mark.parametrize("scenario", ["a", "b"])
def test_perturbation_sizes_that_certify(scenario):
    here = dataclasses.replace(HERE, scenario=scenario, width=10**8)
    low, _ = required_epsilon(
        Z, X=X, y=Y, directions=7 * DIRECTIONS, y_adv=T_ADV, setting=here, delta=0.01, share=0.5
    )
    perturbed = low / 2 * X_ADV + (X if scenario == "b" else 0)
    assert certify_agreement(Z, X=X, y=Y, X_adv=perturbed, y_adv=T_ADV, setting=here, delta=0.01).share >= 0.5


@pytest.mark.parametrize(
    ("slope", "dynamics", "for_f", "for_both"),
    [
        (0.0, "flow", 18_155, 38_779),
        (0.3, "flow", 3_477, 9_170),
        (0.3, "descent", 77_427, 172_504),
        (0.0, "descent", 693_506, 863_507),
    ],
)
def test_widths_of_the_reference_case(slope, dynamics, for_f, for_both):
    """Recorded widths that certify 90 % of 300 points (d = 20, N = 200, T = 8, δ = .01); +5 % allowed."""
    rng, d, N = np.random.default_rng(0), 20, 200
    X, y = data(rng, N, d)
    at = data(rng, 300, d)[0]
    U = perturbation_direction(X=X, y=y, negative_slope=slope)
    t = np.random.default_rng(1).choice([-1.0, 1.0], N)
    X_adv = math.sqrt(d) * t[:, None] * U / np.linalg.norm(U, axis=1, keepdims=True)
    here = Setting(dim=d, N=N, width=1, negative_slope=slope, epsilon=math.sqrt(d), T_f=8.0, T_g=8.0)
    options = {"share": 0.9, "dynamics": dynamics}
    alone = required_width(at, X=X, y=y, setting=here, delta=0.01, **options)
    both = required_width(at, X=X, y=y, setting=here, delta=0.01, X_adv=X_adv, y_adv=t, **options)
    assert alone == pytest.approx(for_f, rel=0.05)
    assert both == pytest.approx(for_both, rel=0.05)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: required_width(Z, X=X, y=Y, setting=HERE, delta=0.01, share=0.0), "share must be > 0"),
        (
            lambda: required_width(Z, X=X, y=Y, setting=HERE, delta=0.01, share=1.5),
            r"share must lie in \(0, 1\], got 1.5",
        ),
        (
            lambda: required_width(Z, X=X, y=Y, setting=HERE, delta=0.01, X_adv=X_ADV),
            "X_adv and y_adv must be given together",
        ),
        (
            lambda: required_time(Z, X=X, y=Y, setting=HERE, delta=0.01, between=(1.0, 0.5)),
            r"between\[1\] must be >= 1",
        ),
        (
            lambda: required_epsilon(
                Z, X=X, y=Y, directions=0 * DIRECTIONS, y_adv=T_ADV, setting=HERE, delta=0.01
            ),
            "directions must be 30 rows of X's length, none zero",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("dynamics", ["descent", "flow"])
def test_what_is_computed_once_for_all_widths_and_times_is_the_certificate_of_each(dynamics):
    prove = agreement_prover(Z, X, Y, X_ADV, T_ADV, HERE, delta=0.01)
    for changed in ({"width": 10**7}, {"T_f": 3.0, "T_g": 5.0}, {"width": 100, "T_g": 0.0}):
        setting = dataclasses.replace(HERE, **changed)
        alone = certify_agreement(
            Z, X=X, y=Y, X_adv=X_ADV, y_adv=T_ADV, setting=setting, delta=0.01, dynamics=dynamics
        )
        for one, other in ((prove(setting, dynamics).f, alone.f), (prove(setting, dynamics).g, alone.g)):
            assert one.bound.delta == other.bound.delta
            assert np.array_equal(one.predictor, other.predictor)
            assert np.array_equal(one.bound.value, other.bound.value)
