"""Φ derived by computer algebra: steps that sympy carries out and checks, and quadrature confirms.

Φ(x, z) = E[φ'(A) φ'(B)] with A = ⟨v, x⟩ + a, B = ⟨v, z⟩ + a, v ~ N(0, σ_w² I/d), a ~ N(0, σ_b²), and φ' = β
above 0 and α below.  Only the signs of A and B matter, hence only their correlation ρ = cos θ.  Three routes:

- ``"plackett"``: ∂P(A > 0, B > 0)/∂ρ is the bivariate density at 0, integrated from ρ = 0;
- ``"polar"``: in polar coordinates of the whitened pair the quadrant is a sector of angle π − θ;
- ``"series"``: Φ = Σ h_k² ρ^k/k! with the Hermite coefficients h_k of φ', summed to the arcsine.

Each step builds its expression from the ones before.  `Step.holds` carries out its check on the expression
that the step states, and `Step.confirm` compares that expression with the definition to 50 digits, so a step
with a wrong expression fails both.  Derivations 1 and 2.
"""

from theory.kernel.derivation.routes import Route, derive_phi, derive_phi_properties, phi_expr
from theory.kernel.derivation.steps import Derivation, Step

__all__ = ["Derivation", "Route", "Step", "derive_phi", "derive_phi_properties", "phi_expr"]
