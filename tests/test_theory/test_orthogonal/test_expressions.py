"""The expressions of section 15 and the code; what follows from one another, by computer algebra."""

import numpy as np
import pytest
import sympy as sp

from theory import expressions as ex
from theory.orthogonal import limit_output, multipliers, orthogonality


@pytest.mark.parametrize("slope", [0.01, 0.3, 0.99])
def test_code_has_the_expressions(slope):
    X, y = np.array([[1.0, 0.2, 0], [0.1, 2.0, 0.3]]), [1, -1]
    found = orthogonality(X, negative_slope=slope)
    values = {ex.gamma: slope, ex.R_min: found.R_min, ex.R_max: found.R_max, ex.N: 2}
    assert found.lhs == pytest.approx(float(ex.ORTHOGONALITY_LHS.subs(values)), rel=1e-13)
    assert found.row_lhs == pytest.approx(float(ex.ROW_SUM_LHS.subs(values)), rel=1e-13)
    for labels, factor in (([1, 1], ex.ALIGNED_MATRIX_SAME), ([1, -1], -ex.ALIGNED_MATRIX_DIFFERENT)):
        M = (X @ X.T) * float(ex.ALIGNED_MATRIX_SAME.subs(values))
        M[0, 1] = M[1, 0] = (X @ X.T)[0, 1] * float(factor.subs(values))
        known = multipliers(X, labels, negative_slope=slope)
        assert M @ known.values == pytest.approx(np.ones(2), rel=1e-12)
    known = multipliers(X, y, negative_slope=slope)
    assert known.interval == pytest.approx([float(end.subs(values)) for end in ex.MULTIPLIER_INTERVAL])
    z = np.array([0.3, -1.0, 2.0])
    boundary = ex.LIMIT_BOUNDARY.subs(ex.N, 2).doit()
    entries = {ex.lam_n[n + 1]: known.values[n] for n in range(2)}
    entries |= {ex.y[n + 1]: y[n] for n in range(2)} | {ex.G[n + 1]: X[n] @ z for n in range(2)}
    expected = float(boundary.subs(entries))
    assert limit_output([z], X=X, y=y, negative_slope=slope) == pytest.approx([expected], rel=1e-12)


def test_alignment_is_the_row_condition():
    """γ · (lower limit) − κK has its only zero in κ at ROW_SUM_LHS."""
    gap = sp.together(ex.gamma * ex.MULTIPLIER_LOW - ex.kappa * ex.MULTIPLIER_HIGH)
    assert [sp.simplify(root - ex.ROW_SUM_LHS) for root in sp.solve(sp.numer(gap), ex.kappa)] == [0]


def test_published_condition_implies_the_row_condition_and_the_interval():
    """At κ = γ³/3, the most that the published condition allows; polynomials without zeros in (0, 1)."""
    most = ex.gamma**3 / 3
    for larger, smaller in (
        (ex.ROW_SUM_LHS, most),
        (3 / (2 * ex.gamma**2), ex.MULTIPLIER_HIGH.subs(ex.kappa, most)),
        (ex.MULTIPLIER_LOW.subs(ex.kappa, most), sp.Rational(1, 2)),
    ):
        difference = sp.together(larger - smaller)
        assert difference.subs(ex.gamma, sp.Rational(1, 2)) > 0
        x = sp.Symbol("x", real=True)
        for part in (sp.numer(difference), sp.denom(difference)):
            roots = sp.Poly(part.subs(ex.gamma, x), x).real_roots()
            assert not [root for root in roots if 0 < root < 1]


def test_both_factors_are_those_of_the_network():
    """Outputs of the aligned network at a sample: ½(v ∓ ...) with slopes 1 and γ gives c_ik."""
    same = (1 * 1 + ex.gamma * ex.gamma) / 2  # own half with slope 1, other half with γ, by its own g
    different = (1 * ex.gamma + ex.gamma * 1) / 2
    assert sp.simplify(same - ex.ALIGNED_MATRIX_SAME) == 0
    assert sp.simplify(different - ex.ALIGNED_MATRIX_DIFFERENT) == 0
