"""The margin bounds against a slow, plain reading of Derivations 8 and 9; wrong versions are caught by it."""

import dataclasses
import importlib.util
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.test_theory.test_bounds.margin_cases import data
from theory import Setting, expressions, phi
from theory.bounds import margin

GAMMA, T, WIDTH, RISK = 0.3, 2.0, 300, 0.05


def problem():
    rng = np.random.default_rng(11)
    X, y = data(rng, 9, 4)
    y[:2] = y[:2][::-1]
    Z = np.concatenate([X[:2], rng.normal(size=(3, 4))])
    return Z, X, y


def free(tau, power):
    expression = {1: expressions.FREE_SECOND_MOMENT, 2: expressions.FREE_FOURTH_MOMENT}[power]
    return float(expression.subs(expressions.tau, tau))


class Oracle:
    """Every quantity of the derivations for one point z, by loops over samples."""

    def __init__(self, Z, X, y):
        self.Z, self.X, self.y, self.N, self.d = Z, X, y, len(X), X.shape[1]
        self.R = T / math.sqrt(WIDTH)

    def k(self, x, z):
        return float(x @ z) + 1

    def s(self, z):
        return math.sqrt(float(z @ z) / self.d + 1)

    def rho(self, x, z):
        return min(1.0, (float(x @ z) / self.d + 1) / (self.s(x) * self.s(z)))

    def signed(self, z):
        return [label * self.k(x, z) / self.N for x, label in zip(self.X, self.y, strict=True)]

    def kappa(self, z):
        return sum(abs(c) for c in self.signed(z))

    def v(self, z):
        c = self.signed(z)
        P, Q = sum(x for x in c if x > 0), -sum(x for x in c if x < 0)
        return max(P - GAMMA * Q, Q - GAMMA * P)

    def w(self, z):
        return max((1 + GAMMA) * abs(sum(self.signed(z))), (1 - GAMMA) * self.kappa(z)) / 2

    def unsure(self, z):
        return (1 - GAMMA) * self.kappa(z) / 2

    def p(self, j, z):
        """x_j bad in the strip of z."""
        if np.array_equal(j, z):
            return 1.0
        rho = self.rho(j, z)
        x = self.R * (self.v(j) + abs(rho) * self.v(z) * self.s(j) / self.s(z))
        return x / math.hypot(x, self.s(j) * math.sqrt(1 - rho**2))

    def weighted(self, z, value):
        return sum(abs(c) * value(x) for c, x in zip(self.signed(z), self.X, strict=True))

    def tau(self, z):
        return self.R * self.v(z) / self.s(z)

    def second_moment(self, z):
        """E q² by 2,000,000 draws would be too rough: by the eight sign patterns of (z, x_i, x_j)."""
        total = 0.0
        for ci, xi in zip(self.signed(z), self.X, strict=True):
            for cj, xj in zip(self.signed(z), self.X, strict=True):
                angle = [math.acos(self.rho(*pair)) for pair in ((z, xi), (z, xj), (xi, xj))]
                same = [1 - a / math.pi for a in angle]  # P(equal signs)
                ppp = 0.5 - sum(angle) / (4 * math.pi)
                patterns = {
                    (1, 1, 1): ppp,
                    (1, 1, 0): same[0] / 2 - ppp,
                    (1, 0, 1): same[1] / 2 - ppp,
                    (0, 1, 1): same[2] / 2 - ppp,
                }
                for (a, b, c), chance in patterns.items():
                    for flip in (False, True):  # a pattern and its negative are as likely
                        fz, fi, fj = (1.0 if bool(sign) != flip else GAMMA for sign in (a, b, c))
                        total += ci * cj * chance * fz**2 * fi * fj
        return total

    def bernstein(self, variance, scale, risk):
        t = math.log(1 / risk)
        return math.sqrt(2 * variance * t / WIDTH) + scale * t / WIDTH

    def kernel(self, z):
        return self.bernstein(3 * self.second_moment(z), 2 * self.v(z), RISK / 2)

    def flips(self, z):
        mean = self.v(z) * free(self.tau(z), 1) + self.weighted(z, lambda x: free(self.tau(x), 1))
        root = self.v(z) * math.sqrt(free(self.tau(z), 2)) + self.weighted(
            z, lambda x: math.sqrt(free(self.tau(x), 2))
        )
        return (1 - GAMMA) * (mean + self.bernstein(root**2, 2 * (self.v(z) + self.kappa(z)), RISK))

    def drift(self, z):
        c = 2 * self.R / math.pi

        def b(point):  # E of the unsure part of the velocity
            return (1 - GAMMA) / 2 * self.weighted(point, lambda x: self.p(x, point))

        def crossing(point):
            return c / (2 * self.s(point)) * (self.w(point) + self.unsure(point))

        def each(x):
            steady = c / (2 * self.s(x)) * (1 + GAMMA) / 2 * b(x)
            shaken = (1 - GAMMA) / 2 * crossing(x) * self.p(z, x)
            both = min(crossing(z) * self.p(x, z), crossing(x) * self.p(z, x))
            return (1 - GAMMA) * (steady + shaken) + (1 - GAMMA) ** 2 * both

        own = (1 - GAMMA) * c / (2 * self.s(z)) * (2 * self.w(z) + self.unsure(z)) * b(z)
        return own + self.weighted(z, each)

    def fluctuation(self, z):
        def moment(point):
            early = 8 / math.pi * self.R / self.s(point) * (self.w(point) + self.unsure(point)) / 3
            return math.sqrt(min(free(self.tau(point), 2), early))

        root = self.v(z) * moment(z) + self.weighted(z, moment)
        return (1 - GAMMA) * self.bernstein(root**2, 2 * (self.v(z) + self.kappa(z)), RISK / 2)

    def initial(self, z):
        """Chernoff at the best λ of a fine grid."""
        s, t = self.s(z), math.log(2 / RISK)

        def at(rate):
            c = (rate * s) ** 2 / WIDTH
            return (t + WIDTH * math.log(((1 - c) ** -0.5 + (1 - c * GAMMA**2) ** -0.5) / 2)) / rate

        return min(at(rate) for rate in np.geomspace(1e-2, 0.99 * math.sqrt(WIDTH) / s, 4000))

    def start(self, z):
        """The tail below the predicted sign, at the best λ of a fine grid."""
        t, s, v, V = math.log(1 / (0.8 * RISK)), self.s(z), self.v(z), self.second_moment(z)
        f_b = abs(float((phi(z[None], self.X, negative_slope=GAMMA)[0] * self.signed(z)).sum()))

        def at(rate):
            x = 2 * rate * T / WIDTH
            if x * v >= 1 or rate**2 * s**2 / (WIDTH * (1 - x * v)) >= 1:
                return math.inf
            c = rate**2 * s**2 / (WIDTH * (1 - x * v))
            G = ((1 - c) ** -0.5 + (1 - c * GAMMA**2) ** -0.5) / 2 - 1
            rest = 3 / 8 * x**2 / (1 - x * v)
            r = G * (1 + x * v / 2 + rest * v**2) + rest * V
            return (t + WIDTH * (math.log(1 - x * f_b / 2 + r) + x * f_b / 2)) / rate

        return min(at(rate) for rate in np.geomspace(1e-2, math.sqrt(WIDTH) / s, 4000)) / T


def compare(module):
    """Raise AssertionError where a module of margin bounds differs from the oracle."""
    Z, X, y = problem()
    oracle = Oracle(Z, X, y)
    here = Setting(dim=4, N=9, width=WIDTH, negative_slope=GAMMA, epsilon=1.0, T_f=T, T_g=2 * T, scenario="a")

    wide = dataclasses.replace(here, width=10**8)  # where the flow bound is the better one

    def close(got, expected, rel=1e-7):
        np.testing.assert_allclose(np.asarray(got), [expected(z) for z in Z], rtol=rel)

    # λ comes from a grid there and from a finer one here: the minimum is flat.
    close(module.initial_bound(Z, here, RISK).value, oracle.initial, rel=2e-3)
    close(module.kernel_bound(Z, X=X, y=y, setting=here, delta=RISK).value, oracle.kernel)
    close(module.flip_bound(Z, X=X, y=y, setting=here, delta=RISK).value, oracle.flips)
    drift = module.drift_bound(Z, X=X, y=y, setting=here, delta=RISK)
    close(drift.terms["drift"], oracle.drift)
    close(drift.terms["flip fluctuation"], oracle.fluctuation)
    whole = module.margin_bound(Z, X=X, y=y, setting=here, delta=RISK, sides=1)
    close(whole.terms["initial network and kernel"], oracle.start, rel=2e-3)
    # Both sides at 2δ are the two one-sided bounds at δ.
    for_flow, both = (
        module.margin_bound(Z, X=X, y=y, setting=wide, delta=risk, dynamics="flow", sides=sides).terms[
            "flip fluctuation"
        ]
        for risk, sides in ((RISK, 1), (2 * RISK, 2))
    )
    assert (for_flow > 0).all()
    np.testing.assert_allclose(both, for_flow, rtol=1e-9)
    twice = module.margin_bound(Z, X=X, y=y, setting=here, delta=2 * RISK, sides=2)
    start = "initial network and kernel"
    assert (twice.terms[start] >= whole.terms[start] * (1 - 1e-9)).all()


def test_bounds_are_those_of_the_derivations():
    compare(margin)


MUTANTS = {
    "margin": [
        ('risk / 2)\n    return Bound({"initial network"', 'risk)\n    return Bound({"initial network"'),
        ("bernstein(3 * problem", "bernstein(2 * problem"),
        ("2 * problem.at.largest, problem.width, risk / 2", "2 * problem.at.largest, problem.width, risk"),
        ("2 * problem.at.largest, problem.width", "problem.at.largest, problem.width"),
        ("risk=risk / sides", "risk=risk"),
        ("drift_terms(problem, risk / 2)", "drift_terms(problem, risk)"),
        ("FLIPS_RISK * risk / sides", "FLIPS_RISK * risk"),
        ("(1 - FLIPS_RISK) * risk", "risk"),
        ("mean=sign * np.abs(mean)", "mean=np.abs(mean)"),
        ("tau, tau_n = R * at.largest", "tau, tau_n = R * at.typical"),
        ("mean = at.largest * second_moment(tau) + at.shares", "mean = at.shares"),
        ("np.sqrt(fourth_moment(tau_n))\n    scale", "np.sqrt(second_moment(tau_n))\n    scale"),
        ("scale = 2 * (at.largest + at.kappa)", "scale = at.largest + at.kappa"),
        ("(1 - at.slope) * (mean", "(1 - at.slope) ** 2 * (mean"),
        ("2 * R / np.pi", "R / np.pi"),
        ("c / (2 * at.scale) * (at.typical + at.unsure)", "c / (2 * at.scale) * at.typical"),
        ("(2 * at.typical + at.unsure) * unsure_z", "at.typical * unsure_z"),
        ("(1 + slope) / 2 * unsure_n", "slope / 2 * unsure_n"),
        ("(1 - slope) / 2 * crossing_n", "(1 - slope) / 4 * crossing_n"),
        (
            "np.minimum(crossing_z[:, None] * in_strip_of_z, crossing_n * in_strip_of_x)",
            "0.0 * in_strip_of_x",
        ),
        ("8 / np.pi * R", "8 / np.pi / 2 * R"),
        ("(v_j + cosine * strip.largest", "(cosine * strip.largest"),
        ("* s_j / strip.scale)\n    length", "/ strip.scale)\n    length"),
        ("np.hypot(x, s_j * sine)", "np.hypot(x, sine)"),
    ],
    "moments": [
        ("twice = 2 * _cauchy", "twice = _cauchy"),
        ("3 * np.arctan(tau)", "np.arctan(tau)"),
        ("(np.arctan(tau) + _cauchy(tau))", "np.arctan(tau)"),
        ("np.sqrt(2 * variance * t / width)", "np.sqrt(variance * t / width)"),
        ("scale * t / width)", "scale / width)"),
        ("x = 2 * rate * T / width", "x = rate * T / width"),
        ("(0.375 / room)", "(0.125 / room)"),
        ("+ fast) + rest", "+ fast)"),
        ("(rate * scale) ** 2 / (width * room)", "(rate * scale) ** 2 / width / 2"),
        ("np.log1p(-inside * slope**2)) / 2", "np.log1p(-inside * slope**2)) / 4"),
    ],
    "speeds": [
        ("np.maximum(P - slope * Q, Q - slope * P)", "np.maximum(P - Q, Q - P)"),
        (
            "np.maximum((1 + slope) * difference, (1 - slope) * self.kappa) / 2",
            "(1 - slope) * self.kappa / 2",
        ),
        ("(1 - self.slope) / 2 * self.kappa", "(1 - self.slope) / 4 * self.kappa"),
        ("self.positive + self.negative + self.rounding", "self.positive + self.rounding"),
        ("self.Z @ self.X.T + 1) * (self.y", "self.Z @ self.X.T) * (self.y"),
        ("steps * (total**2 / 2", "steps * (total**2 / 4"),
        ("(2 * total * linear + square) / (4", "(total * linear + square) / (4"),
        ("slope**2 * both + (1 - slope**2) * above", "slope * both + (1 - slope) * above"),
    ],
}


def load(name, source):
    """Return a module of the bounds from changed source, and the package as it was."""
    full = f"theory.bounds.{name}"
    spec = importlib.util.spec_from_loader(full, loader=None)
    module = importlib.util.module_from_spec(spec)
    sys.modules[full] = module
    exec(compile(source, full, "exec"), module.__dict__)
    return module


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [(name, old, new) for name, pairs in MUTANTS.items() for old, new in pairs],
    ids=[f"{name}-{i}" for name, pairs in MUTANTS.items() for i in range(len(pairs))],
)
def test_a_wrong_constant_is_caught(name, old, new, monkeypatch):
    names = ("speeds", "moments", "margin")
    originals = {each: sys.modules[f"theory.bounds.{each}"] for each in names}
    sources = {each: Path(module.__file__).read_text("utf-8") for each, module in originals.items()}
    assert sources[name].count(old) >= 1, "the mutant no longer applies: adapt it"
    sources[name] = sources[name].replace(old, new, 1)
    for each in names:
        monkeypatch.setitem(sys.modules, f"theory.bounds.{each}", originals[each])
    mutant = [load(each, sources[each]) for each in names][-1]
    with pytest.raises(AssertionError):
        compare(mutant)
