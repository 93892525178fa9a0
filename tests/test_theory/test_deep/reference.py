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


def derivatives(x, y, z, architecture, digits=60):
    """Return ∂_s ∂_t K^L(x + sz, y + tz) and ∂_s K^L(x + sz, z) at s = t = 0, by differences.

    The covariances H and c of the initial network are these: f(x; 0) has the covariance K^L.
    """
    with mp.workdps(digits):
        x, y, z = (mp.matrix([mp.mpf(float(value)) for value in point]) for point in (x, y, z))
        step = mp.mpf(10) ** -(digits // 4)

        def covariance(a, b):
            inner = [sum(p * q for p, q in zip(*pair, strict=True)) for pair in ((a, a), (b, b), (a, b))]
            return _kernels(*inner, len(a), architecture)[1]

        signs = [(s, t) for s in (1, -1) for t in (1, -1)]
        H = sum(s * t * covariance(x + s * step * z, y + t * step * z) for s, t in signs) / (2 * step) ** 2
        return H, (covariance(x + step * z, z) - covariance(x - step * z, z)) / (2 * step)


def arc_cosine(x, z, *, depth, gamma, W_std, b_std, width=None, digits=60):
    """Return NNGP and NTK of neural-tangents by the recursion of its literature, for leaky ReLU.

    In the notation of neural-tangents: stax.serial of Dense(W_std=1, b_std=1), LeakyRelu(gamma), then L − 1
    times Dense(W_std, b_std), LeakyRelu(gamma), and Dense(W_std=1).  With parameterization "ntk" layers are
    (W_std/√n) ω h + b_std β with ω, β standard normal and Θ ← W_std² Θ' + Σ, Σ = W_std² Σ' + b_std²; with
    "standard", of that nominal `width` n (d of the first layer), Θ ← W_std² Θ' + n Σ' + 1.  Activations:
    Σ' = E φφ and Θ' = Θ E φ'φ', φ = γ id + (1 − γ) ReLU, from the arc-cosine kernels κ₀, κ₁ of ReLU.
    """
    with mp.workdps(digits):
        x, z = ([mp.mpf(float(value)) for value in point] for point in (x, z))
        gamma, W, b = mp.mpf(gamma), mp.mpf(W_std) ** 2, mp.mpf(b_std) ** 2
        xx, xz, zz = (mp.fdot(*pair) / len(x) + 1 for pair in ((x, x), (x, z), (z, z)))
        tangent = xz if width is None else mp.fdot(x, z) + 1
        for layer in range(depth):
            if layer:
                tangent = W * tangent + (W * xz + b if width is None else width * xz + 1)
                xx, xz, zz = (W * part + b for part in (xx, xz, zz))
            size = mp.sqrt(xx * zz)
            theta = mp.acos(min(xz / size, mp.mpf(1)))
            kappa_0 = (mp.pi - theta) / mp.pi
            kappa_1 = (mp.sin(theta) + (mp.pi - theta) * mp.cos(theta)) / mp.pi
            tangent *= gamma + (1 - gamma) ** 2 * kappa_0 / 2
            xx, zz = ((gamma + (1 - gamma) ** 2 / 2) * part for part in (xx, zz))
            xz = gamma * xz + (1 - gamma) ** 2 * size * kappa_1 / 2
        return xz, tangent + (1 if width is None else width) * xz
