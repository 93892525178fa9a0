"""Setting, and the conversion of schedules to flow time."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, strategies as st

from theory import Setting, expressions as ex, flow_time, learning_rate_for
from theory.lazy.losses import SLOPE
from theory.setting import LOSSES

GOOD = {"dim": 2, "N": 3, "width": 4, "epsilon": 1.0, "T_f": 1.0, "T_g": 1.0}


@given(st.floats(1e-6, 1e3), st.integers(1, 30), st.floats(0, 0.999))
def test_flow_time_is_the_weight_of_a_constant_gradient(rate, steps, momentum):
    velocity, moved = 0.0, 0.0
    for _ in range(steps):
        velocity = momentum * velocity + 1.0
        moved += rate * velocity
    assert flow_time(rate, steps, momentum=momentum) == pytest.approx(moved, rel=1e-13)


def test_flow_time_is_the_expression_and_the_published_schedules():
    exact = ex.FLOW_TIME.subs({ex.K: 7, ex.eta: 0.3, ex.mu: 0.8}).doit()
    assert flow_time(0.3, 7, momentum=0.8) == pytest.approx(float(exact), rel=1e-14)
    times = [flow_time(1.0, epochs, momentum=0.9) for epochs in (10, 100, 1000)]
    np.testing.assert_allclose(times, [41.4, 910, 9910], rtol=1e-3)  # three digits are published


@given(st.floats(0, 1e4), st.integers(1, 50), st.floats(0, 0.99))
def test_learning_rate_inverts_flow_time(T, steps, momentum):
    rate = learning_rate_for(T, steps, momentum=momentum)
    assert flow_time(rate, steps, momentum=momentum) == pytest.approx(T, rel=1e-14)


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"dim": 0}, ValueError, "dim must be >= 1, got 0"),
        ({"N": 2.5}, TypeError, "N must be an integer, got 2.5"),
        ({"width": 0}, ValueError, "width must be >= 1, got 0"),
        ({"width": True}, TypeError, "width must be an integer, got True"),
        ({"epsilon": 0.0}, ValueError, "epsilon must be > 0, got 0"),
        ({"T_f": -1.0}, ValueError, "T_f must be >= 0, got -1"),
        ({"T_g": float("nan")}, ValueError, "T_g must be finite, got nan"),
        ({"negative_slope": 1.0}, ValueError, r"negative_slope must lie in \[0, 1\), got 1"),
        ({"scenario": "c"}, ValueError, "scenario must be one of a, b, got 'c'"),
        (
            {"loss": "hinge"},
            ValueError,
            "loss must be one of identity, logistic, squared, exponential, got 'h",
        ),
    ],
)
def test_each_field_keeps_its_rule(changes, error, match):
    with pytest.raises(error, match=match):
        Setting(**(GOOD | changes))


@pytest.mark.parametrize("loss", LOSSES)
def test_lipschitz_is_the_supremum_of_the_slope(loss):
    s = np.linspace(-700, 700, 2001)
    slopes = np.abs(SLOPE[loss](s))
    L = Setting(**GOOD, loss=loss).lipschitz
    assert (slopes <= L).all()
    assert slopes.max() == L if np.isfinite(L) else slopes[-1] > 2 * slopes[len(slopes) // 2] > 0


def test_setting_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Setting(**GOOD).width = 5


def test_schedules_reject_bad_input():
    with pytest.raises(ValueError, match="num_steps must be >= 1, got 0"):
        learning_rate_for(1.0, 0)
    with pytest.raises(ValueError, match=r"momentum must lie in \[0, 1\), got 1"):
        flow_time(1.0, 1, momentum=1.0)
    with pytest.raises(ValueError, match="learning_rate must be >= 0, got -1"):
        flow_time(-1.0, 1)
