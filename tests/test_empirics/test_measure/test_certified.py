"""Lazy certificates of an experiment beside the published form."""

from dataclasses import replace

import numpy as np
import pytest

import theory
from empirics import ExperimentConfig, ShiftedGaussianData, run
from empirics.measure import certified
from theory.certificates.published import compare_published


@pytest.fixture(scope="module")
def result():
    data = ShiftedGaussianData(dim=5, num_train=30, num_test=25)
    return run(ExperimentConfig(data=data, width=200, seed=3, T_f=20.0, T_g=20.0, num_steps=12, momentum=0.3))


def test_beside_the_published_form_stand_the_widths_found_and_our_thresholds(result):
    found = certified.curves(result)
    beside = certified.beside(result, found)
    data = result.dataset
    everything = {"Z": data.X_test, "X": data.X, "y": data.y} | {"X_adv": result.X_adv, "y_adv": result.y_adv}
    assert beside.widths.ours == {kind: found.required["both"][kind] for kind in ("descent", "flow")}
    published = theory.published_width(result.setting)
    assert beside.widths.published == found.published_width == published
    for kind in ("descent", "flow"):
        expected = [width / published for width in found.required["both"][kind]]
        assert beside.widths.factors[kind] == expected
    wide = replace(result.setting, width=10**15)
    kinds = {"descent": result.setting, "flow": result.setting, "limit": wide}
    for kind, setting in kinds.items():
        dynamics = "descent" if kind == "descent" else "flow"
        proof = theory.certify_agreement(
            **everything, setting=setting, delta=certified.DELTA, dynamics=dynamics
        )
        one = compare_published(
            **everything, setting=setting, delta=certified.DELTA, dynamics=dynamics, shares=()
        )
        for name, certificate, ours in (("f", proof.f, one.ours_f), ("g", proof.g, one.ours_g)):
            row = beside.networks[name]
            assert row.proved[kind] == certificate.share
            assert row.ours[kind] == np.median(ours)
            assert row.factors[kind] == pytest.approx(np.median(ours) / row.published, rel=1e-12)
    thresholds = theory.margin_thresholds(result.setting)
    assert beside.networks.f.published == thresholds.a.value
    assert beside.networks.g.published == thresholds.b.value
    met = np.abs(result.points_f.published) > thresholds.a.value
    assert beside.networks.f.met == met.mean()
    assert beside.networks.g.size == np.median(np.abs(result.points_g.published))
