"""Every formula of the theory, once, as a sympy expression.

The source of truth: numerical code is written where it is needed and joined to these expressions by
tests.  The sections carry the numbers of `theory/derivations`.  A formula that follows from another one is
derived from it here (by substitution, differentiation or solving), never typed a second time.
"""

import sympy as sp

# Symbols ------------------------------------------------------------------------------------------
gamma = sp.Symbol("gamma", nonnegative=True)  # negative slope of the activation, in [0, 1)
alpha, beta = sp.symbols("alpha beta", real=True)  # any two slopes: φ' = alpha below 0 and beta above
rho = sp.Symbol("rho", real=True)  # correlation of the two pre-activations, in [-1, 1]
theta = sp.Symbol("theta", nonnegative=True)  # its angle, arccos(rho), in [0, pi]
d, m, N, n, k, K = sp.symbols("d m N n k K", positive=True, integer=True)
x_z = sp.Symbol("x_z", real=True)  # <x, z>
x_x, z_z = sp.symbols("x_x z_z", nonnegative=True)  # ||x||^2, ||z||^2
sigma_w = sp.Symbol("sigma_w", positive=True)  # w_i ~ N(0, sigma_w² I/d)
sigma_b = sp.Symbol("sigma_b", nonnegative=True)  # b_i ~ N(0, sigma_b²)
T, T_f, T_g, L, epsilon, delta = sp.symbols("T T_f T_g L epsilon delta", positive=True)
kappa, s, tau, q = sp.symbols("kappa s tau q", positive=True)
eta, mu = sp.symbols("eta mu", positive=True)  # learning rate, momentum
C, ell = sp.symbols("C ell", positive=True)  # unknown constant and logarithmic factor of Õ

# 1. The kernel Φ ----------------------------------------------------------------------------------
# For any slopes and variances; the setting of the theory, slopes (gamma, 1) and variances 1, by substitution.
_asin = sp.asin(rho)
PHI_GENERAL = (alpha + beta) ** 2 / 4 + (beta - alpha) ** 2 / (2 * sp.pi) * _asin
# asin ρ = (π − θ) − π/2: the value at θ = π, where asin ρ = −π/2, and the same factor times π − θ.
_at_pi, _factor = sp.expand(PHI_GENERAL.subs(_asin, -sp.pi / 2)), PHI_GENERAL.coeff(_asin)
PHI_GENERAL_ANGLE = _at_pi + _factor * (sp.pi - theta)
LEAKY_RELU = {alpha: gamma, beta: 1}

PHI = PHI_GENERAL.subs(LEAKY_RELU)
PHI_ANGLE = PHI_GENERAL_ANGLE.subs(LEAKY_RELU)
PHI_RELU = PHI.subs(gamma, 0)
PHI_MIN = sp.factor(PHI.subs(rho, -1))  # γ
PHI_MAX = sp.factor(PHI.subs(rho, 1))  # (1 + γ²)/2

SCALE_SQUARED_GENERAL = sigma_w**2 * z_z / d + sigma_b**2  # s(z)²: the variance of a pre-activation at z
RHO_GENERAL = (sigma_w**2 * x_z / d + sigma_b**2) / (
    sp.sqrt(SCALE_SQUARED_GENERAL.subs(z_z, x_x)) * sp.sqrt(SCALE_SQUARED_GENERAL)
)
UNIT_VARIANCES = {sigma_w: 1, sigma_b: 1}

SCALE_SQUARED = SCALE_SQUARED_GENERAL.subs(UNIT_VARIANCES)
SCALE = sp.sqrt(SCALE_SQUARED)
RHO = RHO_GENERAL.subs(UNIT_VARIANCES)

# 2. Its gradient: ∇_z Φ = GRADIENT_X · x + GRADIENT_Z · z ------------------------------------------
PHI_OF_INNER = PHI.subs(rho, RHO)
GRADIENT_X = sp.diff(PHI_OF_INNER, x_z)
GRADIENT_Z = 2 * sp.diff(PHI_OF_INNER, z_z)

# 3. Predictors -------------------------------------------------------------------------------------
# Indexed by training sample: labels y[n], inner products G[n] = <x_n, z>, kernel values Phi_z[n] = Φ(x_n, z);
# for g also Phi_adv[n] = Φ(x_n^adv, z) and Phi_x[n, k] = Φ(x_n, x_k).
y, y_adv, G, G_adv = (sp.IndexedBase(name) for name in ("y", "y_adv", "G", "G_adv"))
Phi_z, Phi_adv, Phi_x = (sp.IndexedBase(name) for name in ("Phi_z", "Phi_adv", "Phi_x"))

F_HAT = sp.Sum(Phi_z[n] * y[n] * G[n], (n, 1, N)) / N
G_HAT = sp.Sum(Phi_adv[n] * sp.Sum(Phi_x[n, k] * y[k] * G[k], (k, 1, N)), (n, 1, N)) / N**2
F_B = sp.Sum(Phi_z[n] * y[n] * (G[n] + 1), (n, 1, N)) / N
G_B = sp.Sum(Phi_adv[n] * y_adv[n] * (G_adv[n] + 1), (n, 1, N)) / N

# 4. The network at initialisation ------------------------------------------------------------------
INITIAL_VARIANCE = (1 + gamma**2) / 2 * SCALE_SQUARED  # E f(z; 0)², exact at every width
sign_f, velocity = sp.symbols("s_f g_b", real=True)  # sgn f(z; T_f) and g_b(z)
sigma = sp.Symbol("sigma", positive=True)  # √INITIAL_VARIANCE
AGREEMENT = (1 + sp.erf(sign_f * T_g * velocity / (sigma * sp.sqrt(2)))) / 2  # P(sgn g = sgn f | f)

# 5. Free neurons -----------------------------------------------------------------------------------
TAU = L * T * kappa / (s * sp.sqrt(m))
FREE_FRACTION = 2 / sp.pi * sp.atan(tau)
FREE_SECOND_MOMENT = 2 / sp.pi * (sp.atan(tau) + tau / (1 + tau**2))  # S(τ) = E[α² 1{free}]
FREE_FOURTH_MOMENT = (  # S₂(τ) = E[α⁴ 1{free}]
    2 / sp.pi * (2 * tau / (1 + tau**2) ** 2 + 3 * tau / (1 + tau**2) + 3 * sp.atan(tau))
)
WIDTH_BOUND = m * TAU**2 / sp.tan(sp.pi * q / 2) ** 2  # free of m, as τ² ∝ 1/m: the m at which τ = tan(πq/2)

# 6. Flow time of gradient descent -------------------------------------------------------------------
FLOW_TIME = eta * sp.Sum((1 - mu**k) / (1 - mu), (k, 1, K))

# 7. The published conditions ------------------------------------------------------------------------
PUBLISHED_WIDTH = C * ell * d**2 * (T_f + T_g) ** 2
THRESHOLD_A = C * ell * (1 + 1 / T_f)
LABEL_NOISE_PUBLISHED = d / sp.sqrt(N)
LABEL_NOISE_ALONE = 1 / sp.sqrt(N)  # fluctuation in scenario (a), perturbations alone
nu = sp.Symbol("nu", positive=True)  # one of the two label-noise terms
THRESHOLD_B = C * ell * (1 / T_f + sp.sqrt(d) / epsilon * (1 / T_g + nu))

# 10. One neuron of a network of independent ones ----------------------------------------------------
lam, w_beta = sp.symbols("lambda w", nonnegative=True)  # exponent of e^(−λ s X); factor of β² beside it
drift, offset = sp.symbols("c e", real=True)  # a pre-activation moves by at most c |β| + e, the wrong way
# E e^(λ((β/√m) φ(u + c β) + e (1 + β²)/(2√m)) + w β²), β ~ N(0, 1), u ~ N(0, s²): half of a Gaussian
# integral for each slope σ of φ, with this bracket.
slope = sp.Symbol("sigma_phi", nonnegative=True)
NEURON_BRACKET = 1 - (2 * slope * drift + offset) * lam / sp.sqrt(m) - (lam * slope * s) ** 2 / m - 2 * w_beta
NEURON_MOMENT = (
    sp.exp(lam * offset / (2 * sp.sqrt(m)))
    / 2
    * sum(1 / sp.sqrt(NEURON_BRACKET.subs(slope, value)) for value in (sp.Integer(1), gamma))
)
r, t = sp.symbols("r t", positive=True)
TAIL_FACTOR = ((r - 1) / r) ** r / (r - 1) * t ** (1 - r)  # C_r t^(1−r): (w − t)₊ ≤ C_r t^(1−r) w^r
# 15. Mutually orthogonal samples, infinite time ------------------------------------------------------
R_min, R_max = sp.symbols("R_min R_max", positive=True)  # extreme norms of the samples
ALIGNED_MATRIX_SAME = (1 + gamma**2) / 2  # c_ik of M_ik = y_i y_k c_ik <x_i, x_k> for equal labels
ALIGNED_MATRIX_DIFFERENT = gamma  # ... and for different ones
ORTHOGONALITY_LHS = gamma**3 * R_min**4 / (3 * N * R_max**2)  # published: > max |<x_n, x_k>|
ROW_SUM_LHS = gamma * (1 + gamma**2) / (1 + 2 * gamma + 3 * gamma**2)  # derived: > kappa
MULTIPLIER_HIGH = 2 / (1 + gamma**2 - (1 + gamma) * kappa)  # K: limits of lambda_n ||x_n||^2
MULTIPLIER_LOW = (2 - (1 + gamma) * kappa * MULTIPLIER_HIGH) / (1 + gamma**2)
MULTIPLIER_INTERVAL = (1 / (2 * R_max**2), 3 / (2 * gamma**2 * R_min**2))  # published
lam_n = sp.IndexedBase("lambda")
LIMIT_BOUNDARY = sp.Sum(lam_n[n] * y[n] * G[n], (n, 1, N))

# 17. Deep networks -----------------------------------------------------------------------------------
# E φ(A) φ(B) for variance 1: the derivative in ρ is Φ, the value at ρ = 0 is (E φ)².
DUAL = sp.integrate(PHI, rho)
DEFICIT = sp.Symbol("delta_rho", nonnegative=True)  # δ = 1 − ρ before the activation
DEFICIT_ACTIVATED = 1 - (DUAL / PHI_MAX).subs(rho, 1 - DEFICIT)  # Δ, after it

# 18. Training times ----------------------------------------------------------------------------------
NORMAL_CDF = sp.Lambda(t, (1 + sp.erf(t / sp.sqrt(2))) / 2)
rate = sp.Symbol("F", nonnegative=True)  # |F(z)|
SUCCESS = NORMAL_CDF(T * rate / sigma)  # P(sgn f(z; T) = sgn F(z))
SUCCESS_TIME = sp.solve(SUCCESS - q, T)[0]  # at one point
# c₀ times this is what the plane of the two pre-activations adds to H_nk: sin θ (⟨e, b⟩² − ⟨e, c⟩²), b and c
# the directions of the sum and the difference of their unit vectors; products with e are alpha_n and alpha_k.
alpha_n, alpha_k = sp.symbols("alpha_n alpha_k", real=True)
PLANE_TERM = sp.sin(theta) * (
    ((alpha_n + alpha_k) / (2 * sp.cos(theta / 2))) ** 2
    - ((alpha_n - alpha_k) / (2 * sp.sin(theta / 2))) ** 2
)
PLANE_TERM_SPLIT = 2 * alpha_n * alpha_k / sp.sin(theta) - (alpha_n**2 + alpha_k**2) * sp.cot(theta)
# Balanced targets: mean of t_n and of t_n t_k, n ≠ k, from Σ t_n = τ, τ = 0 for even N and 1 for odd N.
excess = sp.Symbol("tau_N", nonnegative=True)
squares, total = sp.symbols("Q_chi S_chi", real=True)  # Σ χ_n² and Σ χ_n
_product = (excess - N) / (N * (N - 1))  # τ² = τ
BALANCED_VARIANCE = (squares + _product * (total**2 - squares) - excess * total**2 / N**2) / N**2

# 19. The agreement condition -----------------------------------------------------------------------
# Of ĝ = (1/N) Σ_k y_k G[k] Psi[k]: Psi[k] = (1/N) Σ_n Φ(x_n^adv, z) Φ(x_n, x_k).
Psi = sp.IndexedBase("Psi")
_pairs = sp.Sum(G[k] ** 2 * Phi_z[k] * Psi[k], (k, 1, N))
LABEL_CORRELATION = _pairs / sp.sqrt(
    sp.Sum(G[k] ** 2 * Phi_z[k] ** 2, (k, 1, N)) * sp.Sum(G[k] ** 2 * Psi[k] ** 2, (k, 1, N))
)
kernel_slope = sp.Symbol("kappa_Phi", positive=True)
KERNEL_SLOPE = sp.simplify((d * sp.diff(sp.log(PHI_OF_INNER), x_z)).subs({x_z: 0, x_x: d, z_z: d}))  # L = 1
# What the layers below the angle theta add, as L → ∞ at σ_w² = 1/g₀, σ_b = 0, over −∂δ, δ = 1 − cos θ.
kink_share = sp.Symbol("c", positive=True)  # c₀/g₀
KERNEL_SLOPE_REST = theta / (sp.sin(theta) - theta * sp.cos(theta)) + kink_share / (2 * sp.sin(theta))


# √S = √(π/(2N)) E|X|, X = Σ y_k w_k², w Gaussian of covariance δ_jk − 1/N.  Exactly balanced labels: X is
# the difference of two independent χ² of N/2 − 1 degrees.  Random ones: E X² and E X⁴ are exact, and X is
# taken for a Gaussian whose variance is a Gamma variable of shape ν, as it is with balanced ones.
def _gamma_mean(shape: sp.Expr) -> sp.Expr:
    """Return (E √G)² of a Gamma variable of unit scale."""
    return (sp.gamma(shape + sp.Rational(1, 2)) / sp.gamma(shape)) ** 2


BALANCED_SPREAD = 8 / N * _gamma_mean((N - 2) / 4)
_own, _other = 1 - 1 / N, -1 / N
LABEL_SQUARE = 3 * N * _own**2  # E X²
LABEL_FOURTH = 105 * N * _own**4 + 3 * N * (N - 1) * (9 * _own**4 + 72 * _own**2 * _other**2 + 24 * _other**4)
LABEL_SHAPE = 3 / (LABEL_FOURTH / LABEL_SQUARE**2 - 3)  # ν
LABEL_SPREAD = LABEL_SQUARE / N / LABEL_SHAPE * _gamma_mean(LABEL_SHAPE)
spread, separation = sp.symbols("S mu_2", positive=True)  # one of the two, and ‖μ‖²
CONDITION_ANGLE = sp.atan(kernel_slope * sp.sqrt(spread / (d + N * separation)))
MIXTURE_SCORE = separation / sp.sqrt(separation + d / N)
CONDITION_DISAGREEMENT = CONDITION_ANGLE / sp.pi * sp.exp(-(MIXTURE_SCORE**2) / 2)

# Isotropic inputs over times: Φ₀, A₀ at orthogonal points of norms (√d, √d) and (ε, √d); σ as in 4.
Phi_0, A_0, G_0 = sp.symbols("Phi_0 A_0 G_0", positive=True)
TRAINED_SQUARE = Phi_0**2 * d / N  # ‖∇F‖²
TRAINED_VARIANCE = TRAINED_SQUARE * (1 + ((1 + kernel_slope) ** 2 + 2 * kernel_slope**2) / d)  # V_F
_common = Phi_0 + T_f**2 * TRAINED_SQUARE  # squared length of what all perturbations share
_omega = 1 / sp.sqrt(G_0**2 + T_f**2 * TRAINED_SQUARE)
# Of f; of g, without its initial network, over T_g²; and both together, over T_g.
_f = sigma**2 + T_f**2 * TRAINED_VARIANCE
_g = epsilon**2 * A_0**2 * _omega**2 * (_common + (G_0**2 - Phi_0) / N) + A_0**2 / N
_both = epsilon * A_0 * _omega * _common
_f_, _g_, _both_ = sp.symbols("f g fg", positive=True)
_moments = {_f_: _f, _g_: _g, _both_: _both}
_correlation = T_g * _both_ / sp.sqrt(_f_ * (sigma**2 + T_g**2 * _g_))
sine = sp.Symbol("r", positive=True)  # sin π(q − ½)
ISOTROPIC_CORRELATION = _correlation.subs(_moments)
ISOTROPIC_TIME = sp.sqrt(sp.solve(_correlation**2 - sine**2, T_g**2)[0]).subs(_moments)
