"""Targeted attacks: their constraints, exactly, what they do to outputs, the closed form on linear maps."""

import itertools
import math

import numpy as np
import pytest
import torch

from empirics.model import TwoLayerNet
from empirics.orthogonal import attack, attacks, initialise, train_to_limit
from theory.orthogonal import (
    gradient_cosine,
    kink_cosine,
    limit_direction,
    limit_network,
    limit_perturbations,
)

NORMS = ("L2", "Linf", "L0")
STEPS = ("gradient", "published")
SIZES = {"L2": 2.0, "Linf": 0.1, "L0": 0.055}  # of 200 coordinates 11
DIM, POINTS = 200, 60


@pytest.fixture(scope="module")
def case():
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, size=(6, DIM))
    y = np.array([1.0, -1, 1, -1, 1, -1])
    start = initialise(DIM, 10, negative_slope=0.5, scale=0.01, seed=0)
    network = train_to_limit(start, X, y, tolerance=1e-3, max_steps=20_000).network
    base = rng.uniform(-1, 1, size=(POINTS, DIM))
    return network, X, y, base, rng.choice([-1.0, 1.0], size=POINTS)


def _linear(direction, scale=1.0):
    """Two neurons, (1 + γ)⟨s, z⟩/√2 as a network: φ(⟨s, z⟩) − φ(−⟨s, z⟩)."""
    weight = torch.as_tensor(np.vstack([direction, -direction]) * scale)
    readout = torch.tensor([1.0, -1.0], dtype=torch.float64) / math.sqrt(2)
    return TwoLayerNet(weight, torch.zeros(2, dtype=torch.float64), readout, negative_slope=0.5)


def _outputs(network, Z):
    return network.outputs(torch.as_tensor(Z)).numpy()


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("norm", NORMS)
def test_constraints_hold_and_are_reached(case, norm, steps):
    network, _, _, base, targets = case
    result = attack(network, base, targets, norm=norm, epsilon=SIZES[norm], amplitude=0.7, steps=steps)
    R = result.X_adv - base
    # r = (x + r) − x: rounding of numbers of order 1 in 200 coordinates.
    slack = 1e-12
    if norm == "L2":
        sizes = np.linalg.norm(R, axis=1)
    elif norm == "Linf":
        sizes = np.abs(R).max(axis=1)
    else:
        sizes = np.count_nonzero(R, axis=1) / DIM
        if steps == "gradient":
            assert np.abs(np.abs(R[R != 0]) - 0.7).max() < slack
    assert sizes.max() <= SIZES[norm] + slack
    assert sizes.min() > 0.9 * SIZES[norm]
    assert result.num_zero == 0


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("norm", NORMS)
def test_outputs_move_to_the_target(case, norm, steps):
    network, _, _, base, targets = case
    # L∞ in the shape of the gradient is about a third as long, ‖s‖/‖s‖_∞ against √d.
    epsilon = SIZES[norm] * (3 if (norm, steps) == ("Linf", "published") else 1)
    result = attack(network, base, targets, norm=norm, epsilon=epsilon, amplitude=2.0, steps=steps)
    np.testing.assert_array_equal(result.before, targets * _outputs(network, base))
    np.testing.assert_array_equal(result.after, targets * _outputs(network, result.X_adv))
    assert (result.after > result.before).all()
    assert (result.after > 0).mean() > 0.9
    assert (result.before > 0).mean() < 0.7


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1.0, 1e-160, 1e120])
def test_on_a_linear_map_the_attack_is_the_closed_form(norm, scale):
    rng = np.random.default_rng(1)
    s, base = rng.standard_normal(50), rng.uniform(-1, 1, size=(20, 50))
    targets = rng.choice([-1.0, 1.0], size=20)
    options = {"norm": norm, "epsilon": 0.1, "amplitude": 0.3}
    for steps, closed in zip(STEPS, ("steepest", "published"), strict=True):
        found = attack(_linear(s, scale), base, targets, steps=steps, **options).X_adv
        np.testing.assert_allclose(
            found, limit_perturbations(base, s, targets, steps=closed, **options), atol=1e-12
        )


@pytest.mark.parametrize("steps", STEPS)
def test_in_a_box_the_attack_of_a_linear_map_is_the_clamped_closed_form(steps):
    # L0, exactly.  L∞ and L2 give other coordinates back what the box takes: r = clip(x + c t s) − x for one
    # c of each point, at least that of the closed form (Derivation 15, step 9).
    rng = np.random.default_rng(2)
    s, base = rng.standard_normal(50), rng.uniform(-1, 1, size=(20, 50))
    targets = rng.choice([-1.0, 1.0], size=20)
    steepest = np.abs(s).argmax()
    base[0, steepest] = targets[0] * np.sign(s[steepest])  # no room where L∞ would end
    options = {"epsilon": 0.3, "amplitude": 1.5, "box": 1.0}
    closed = {"gradient": "steepest", "published": "published"}[steps]
    found = attack(_linear(s), base, targets, norm="L0", steps=steps, **options).X_adv
    np.testing.assert_allclose(
        found, limit_perturbations(base, s, targets, norm="L0", steps=closed, **options), atol=1e-12
    )
    assert (np.abs(found) == 1).any()
    for norm, unit in (("L2", 1 / np.linalg.norm(s)), ("Linf", 1 / np.abs(s).max())):
        if (norm, steps) == ("Linf", "gradient"):
            continue
        found = attack(_linear(s), base, targets, norm=norm, steps=steps, num_steps=400, **options).X_adv
        factors = targets[:, None] * (found - base) / s
        factor = factors.max(axis=1, keepdims=True)
        np.testing.assert_allclose(found, np.clip(base + factor * targets[:, None] * s, -1, 1), atol=1e-9)
        assert (factor >= 0.3 * unit * (1 - 1e-12)).all()
        assert (factor > 0.3 * unit * (1 + 1e-6)).any()


def test_published_l0_steps_move_all_touched_coordinates():
    # Two steps on f = 4 z_1 − 2 z_2 + z_3 from 0 within [−.5, .5]: .3 of z_1; then .3 more, clamped, and
    # .3 · 2/4 of z_2.  With ε = 1/4 of three coordinates none is touched.
    options = {"norm": "L0", "steps": "published", "box": 0.5}
    network, origin = _linear(np.array([4.0, -2.0, 1.0])), np.zeros((1, 3))
    found = attack(network, origin, np.array([-1.0]), epsilon=0.7, **options)
    np.testing.assert_allclose(found.X_adv, [[-0.5, 0.15, 0.0]], atol=1e-15)
    none = attack(network, origin, np.array([-1.0]), epsilon=0.25, **options)
    assert none.num_zero == 1
    np.testing.assert_array_equal(none.X_adv, origin)


def test_a_whole_share_of_coordinates_touches_all():
    s = np.arange(1.0, 8.0)
    found = attack(_linear(s), np.zeros((1, 7)), np.array([-1.0]), norm="L0", epsilon=1.0).X_adv
    np.testing.assert_array_equal(found, -np.ones((1, 7)))


def test_gradient_steps_follow_the_gradient_of_the_limit_network_and_not_s(case):
    # Where v·z and u·z have different signs ∇f is along v − γu or γv − u, not along s ∝ v − u.  With equal
    # classes and orthogonal samples the cosine with s is ((1+γ)²)/√(2((1+γ²)² + 4γ²)): .9939 at γ = ½.
    network, X, y, base, targets = case
    v, u = limit_network(X, y, negative_slope=0.5, width=10)
    slopes = [np.where(base @ side > 0, 1.0, 0.5)[:, None] for side in (v, u)]
    gradient = slopes[0] * v - slopes[1] * u
    gradient /= np.linalg.norm(gradient, axis=1, keepdims=True)
    s = limit_direction(X, y, negative_slope=0.5)
    # Small enough that no neuron crosses a kink at most points.
    R = attack(network, base, targets, norm="L2", epsilon=1e-3).X_adv - base
    R *= targets[:, None] / 1e-3
    apart = (base @ v > 0) != (base @ u > 0)
    assert apart.mean() > 0.5
    cosines = (R * gradient).sum(axis=1)
    assert np.median(cosines) > 1 - 1e-5
    expected = 2.25 / math.sqrt(2 * (1.25**2 + 1))
    # Off by cross terms of the samples, of order √(N/d) = .17, times the distance of the cosine from 1.
    assert np.median((R @ s)[apart]) / np.linalg.norm(s) == pytest.approx(expected, abs=2e-3)


def test_l2_steps_are_those_of_autograd_at_every_iterate(monkeypatch):
    # In blocks of 4 points, of which the last is short; at some no neuron changes its side in the end.
    monkeypatch.setattr(attacks, "_BLOCK", 4 * 8)
    rng = np.random.default_rng(4)
    network = initialise(20, 8, negative_slope=0.1, seed=4)
    base, targets = rng.uniform(-1, 1, size=(30, 20)), rng.choice([-1.0, 1.0], size=30)
    X, t = torch.as_tensor(base), torch.as_tensor(targets)
    points, best, after, patterns = X, X.clone(), t * network.outputs(X), []
    for _ in range(20):
        points = points.detach().requires_grad_(True)
        (gradients,) = torch.autograd.grad((t * network(points)).sum(), points)
        R = points.detach() - X + 0.2 * gradients / gradients.norm(dim=1, keepdim=True)
        points = (X + R / R.norm(dim=1, keepdim=True).clamp(min=1.0)).clamp(-1, 1)
        reached = t * network.outputs(points)
        best[reached > after] = points[reached > after]
        after = torch.maximum(reached, after)
        patterns.append(points @ network.weight.T > 0)
    found = attack(network, base, targets, norm="L2", epsilon=1.0, num_steps=20, steps="published", box=1.0)
    np.testing.assert_allclose(found.X_adv, best.numpy(), atol=1e-12)
    np.testing.assert_allclose(found.after, after.numpy(), rtol=1e-12)
    changed = [(one != other).any(dim=1) for one, other in itertools.pairwise(patterns)]
    assert 0 < torch.stack(changed).double().mean() < 0.5


def test_the_best_iterate_is_kept():
    # Along ∇f of a concave tent the steps of ε/5 overshoot: f(z) = −|z_1| near its top.
    weight = torch.tensor([[-1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    readout = torch.tensor([-1.0, -1.0], dtype=torch.float64) / math.sqrt(2)
    tent = TwoLayerNet(weight, torch.zeros(2, dtype=torch.float64), readout, negative_slope=0.5)
    base = np.array([[0.25, 0.0]])
    result = attack(tent, base, np.ones(1), norm="L2", epsilon=1.0)
    # Steps of .2 from .25 go to .05, −.15, .05, ...; the last one is −.15.
    assert result.X_adv[0, 0] == pytest.approx(0.05)
    assert result.after > result.before


def test_without_a_gradient_nothing_moves_and_it_is_counted():
    zero = TwoLayerNet(
        torch.zeros(2, 3, dtype=torch.float64),
        torch.zeros(2, dtype=torch.float64),
        torch.tensor([1.0, -1.0], dtype=torch.float64),
        negative_slope=0.5,
    )
    for norm, steps in itertools.product(NORMS, STEPS):
        result = attack(zero, np.ones((4, 3)), np.ones(4), norm=norm, epsilon=0.5, steps=steps)
        np.testing.assert_array_equal(result.X_adv, np.ones((4, 3)))
        assert result.num_zero == 4


def test_a_gradient_that_is_not_finite_is_an_error(monkeypatch):
    network = _linear(np.array([np.inf, 1.0]))
    with pytest.raises(FloatingPointError, match="gradients of f must be finite, got 2 rows"):
        attack(network, np.ones((2, 2)), np.ones(2), norm="L2", epsilon=0.5)
    # 10 · 1e308 above the kink alone, where the second of two points is, in a block of its own.
    monkeypatch.setattr(attacks, "_BLOCK", 1)
    numbers = [torch.tensor(given, dtype=torch.float64) for given in ([[1e308]], [0.0], [10.0])]
    network = TwoLayerNet(*numbers, negative_slope=0.01)
    with pytest.raises(FloatingPointError, match="got 1 rows that are not, the first at row 1"):
        attack(network, np.array([[-1.0], [1.0]]), np.ones(2), norm="L2", epsilon=0.5)


def test_no_gradient_is_asked_for_where_no_step_begins():
    """The only step ends where it overflows."""
    weight = torch.tensor([[1.0, 0.0], [2e38, 2e38], [2e38, 0.0]])
    network = TwoLayerNet(weight, torch.tensor([0.0, -2e37, -1e37]), torch.tensor([1.0, 2.0, 2.0]))
    made = attack(network, np.array([[0.01, 0.0]]), np.array([1]), norm="L2", epsilon=1.0, num_steps=1)
    np.testing.assert_allclose(made.X_adv, [[0.21, 0.0]], rtol=1e-6)
    with pytest.raises(FloatingPointError, match="gradients of f must be finite"):
        attack(network, np.array([[0.01, 0.0]]), np.array([1]), norm="L2", epsilon=1.0, num_steps=2)


def test_bad_arguments_get_one_clear_error(case):
    network, _, _, base, targets = case
    good = {"norm": "L2", "epsilon": 1.0}
    for change, message in [
        ({"norm": "L1"}, "norm must be one of L2, Linf, L0, got 'L1'"),
        ({"epsilon": 0.0}, "epsilon must be > 0, got 0"),
        ({"norm": "L0", "epsilon": 1.5}, "epsilon must be <= 1 for L0.*got 1.5"),
        ({"norm": "L0", "epsilon": 0.1, "amplitude": 0.0}, "amplitude must be > 0, got 0"),
        ({"num_steps": 0}, "num_steps must be >= 1, got 0"),
        ({"steps": "limit"}, "steps must be one of gradient, published, got 'limit'"),
        ({"box": 0.5}, r"box must be >= [\d.]+, got 0.5"),
    ]:
        with pytest.raises(ValueError, match=message):
            attack(network, base, targets, **{**good, **change})
    with pytest.raises(ValueError, match=r"base must have 200 columns.*got 3"):
        attack(network, base[:, :3], targets, **good)
    with pytest.raises(ValueError, match=r"targets must have shape \(60,\)"):
        attack(network, base, targets[:3], **good)


def test_steps_on_the_limit_network_keep_the_bound_of_kinks():
    # Classes that share a mean: ⟨P, Q⟩ < 0, and the bound for orthogonal ones is crossed.
    rng = np.random.default_rng(5)
    X = rng.standard_normal((6, 40)) + 0.7
    y = np.array([1.0, -1, 1, -1, 1, -1])
    v, u = limit_network(X, y, negative_slope=0.2, width=2)
    weight, readout = torch.as_tensor(np.vstack([v, u])), torch.tensor([1.0, -1.0], dtype=torch.float64)
    network = TwoLayerNet(
        weight, torch.zeros(2, dtype=torch.float64), readout / math.sqrt(2), negative_slope=0.2
    )
    base, targets = rng.standard_normal((40, 40)) + 0.3, rng.choice([-1.0, 1.0], 40)
    R = attack(network, base, targets, norm="L2", epsilon=3.0).X_adv - base
    s = limit_direction(X, y, negative_slope=0.2)
    cosines = targets * (R @ s) / np.linalg.norm(R, axis=1) / np.linalg.norm(s)
    bound = gradient_cosine(X, y, negative_slope=0.2)
    assert cosines.min() >= bound - 1e-12
    assert cosines.min() < kink_cosine(0.2) - 0.01
    assert cosines.min() < bound + 0.05  # nearly attained
