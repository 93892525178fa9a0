"""The plain recursion of Derivation 17 in many digits: what the numerics are held against."""

from functools import cache

import mpmath as mp


def exact(x, z, architecture, digits=120):
    """Return Θ, K^L, Φ^(L) and ∇_z Θ at two points, by ρ = cos θ and by differences in ⟨x, z⟩ and ‖z‖²."""
    return _exact(tuple(map(float, x)), tuple(map(float, z)), architecture, digits)


@cache
def _exact(x, z, architecture, digits):
    with mp.workdps(digits):
        x, z = ([mp.mpf(value) for value in point] for point in (x, z))
        p, q = mp.fdot(x, z), mp.fdot(z, z)
        theta, covariance, phi = _kernels(mp.fdot(x, x), q, p, len(x), architecture)
    with mp.workdps(digits + 100):
        step = mp.mpf(10) ** -(digits // 2 - 10)

        def slope(dp, dq):
            ends = [
                _kernels(mp.fdot(x, x), q + sign * dq, p + sign * dp, len(x), architecture)[0]
                for sign in (1, -1)
            ]
            return (ends[0] - ends[1]) / (2 * step)

        A, B = slope(step, 0), 2 * slope(0, step)
        gradient = [A * a + B * b for a, b in zip(x, z, strict=True)]
    return theta, covariance, phi, gradient


def _kernels(xx, zz, xz, dim, architecture):
    gamma = mp.mpf(architecture.negative_slope)
    g0, c0 = (1 + gamma**2) / 2, (1 - gamma) ** 2 / (2 * mp.pi)
    weight, bias = _number(architecture.exact_weight_variance), mp.mpf(architecture.bias_variance)
    rate = {name: _number(value) for name, value in architecture.exact_rates(dim).items()}
    alpha = mp.mpf(architecture.residual or 0) ** 2
    beta = alpha * mp.mpf(architecture.branch_variance)

    def activated(v_x, v_z, c):
        size = mp.sqrt(v_x * v_z)
        theta = mp.acos(min(max(c / size, mp.mpf(-1)), mp.mpf(1)))
        phi = g0 - c0 * theta
        return phi, (g0 * v_x, g0 * v_z, c * phi + c0 * size * mp.sin(theta))

    phi, C = activated(xx / dim + 1, zz / dim + 1, xz / dim + 1)
    tangent, product = rate["first"] * (xz + 1) * phi, phi
    for _ in range(architecture.depth - 1):
        phi, E = activated(*(weight * part + bias for part in C))
        step = phi * (weight * tangent + rate["weights"] * C[2] + rate["biases"])
        if architecture.residual is None:
            tangent, product, C = step, weight * phi * product, E
        else:
            tangent += beta * step + alpha * rate["branches"] * E[2]
            product *= 1 + beta * weight * phi
            C = [c + beta * e for c, e in zip(C, E, strict=True)]
    return tangent + rate["readout"] * C[2], C[2], product


def _number(fraction):
    return mp.mpf(fraction.numerator) / fraction.denominator
