"""Learning from perturbations: the new boundary as label noise and a term that carries the old boundary.

Trained on x_n^adv = base_n + r_n with labels t_n, the limit boundary is

    f_adv(z) = Σ λ_n^adv t_n ⟨base_n, z⟩  +  Σ λ_n^adv t_n ⟨r_n, z⟩,

the second term being (ε Σ λ_n^adv/‖s‖) ⟨s, z⟩ for L2: a positive multiple of the old boundary.  For Linf and
L0 it is a positive multiple of ⟨sgn s, z⟩ (over the changed coordinates), which may differ from it in sign.
Derivation 15, step 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from theory.geometry import finite
from theory.orthogonal.boundary import data_and_multipliers, output_error
from theory.orthogonal.gram import EPS, TINY, check_open_slope
from theory.orthogonal.multipliers import Multipliers, multipliers as solve_multipliers
from theory.validation import Array, as_labels, as_points, data_by_keyword
from theory.verdicts import Verdict, Verdicts


@dataclass(frozen=True, kw_only=True, eq=False)
class Transfer:
    """Both boundaries at query points, the two terms of the new one, and where the sign is kept.

    Attributes
    ----------
    old, old_error : arrays, shape (Q,)
        f(z) = Σ λ_k y_k ⟨x_k, z⟩ and a proved bound of its rounding error.
    label_noise, perturbation : arrays, shape (Q,)
        The two terms of f_adv(z).
    error : array, shape (Q,)
        A proved bound of the error of each of the two terms.
    clean, perturbed : Multipliers
        λ and λ^adv.
    """

    old: Array
    old_error: Array
    label_noise: Array
    perturbation: Array
    error: Array
    clean: Multipliers
    perturbed: Multipliers

    @property
    def new(self) -> Array:
        """f_adv(z), shape (Q,)."""
        with np.errstate(over="ignore", invalid="ignore"):
            return finite(self.label_noise + self.perturbation)

    @property
    def multiple(self) -> Array:
        """Second term over f(z), shape (Q,): one positive number for L2; NaN where f(z) = 0."""
        with np.errstate(all="ignore"):
            return np.asarray(np.where(self.old == 0, np.nan, self.perturbation / self.old))

    @property
    def condition(self) -> Verdicts:
        """Whether the second term has the sign of f(z) and is larger than the first: a kept sign."""
        slack = 2 * self._blur
        size, sign = np.abs(self.perturbation), np.sign(self.old) * np.sign(self.perturbation)
        settled = (np.abs(self.old) > self.old_error) & (size > self.error)
        with np.errstate(invalid="ignore"):
            holds = settled & (sign > 0) & (size - np.abs(self.label_noise) > slack)
            fails = (settled & (sign < 0)) | (size - np.abs(self.label_noise) < -slack)
        return self._verdicts(holds, fails)

    @property
    def kept(self) -> Verdicts:
        """Whether sgn f_adv(z) = sgn f(z): *holds* or *fails* where both signs are proved."""
        settled = (np.abs(self.old) > self.old_error) & (np.abs(self.new) > 2 * self._blur)
        same = np.sign(self.old) == np.sign(self.new)
        return self._verdicts(settled & same, settled & ~same)

    @property
    def _blur(self) -> Array:
        """The error of a term, with room for the rounding of the sum of two."""
        return np.asarray(self.error + 2 * EPS * (np.abs(self.label_noise) + np.abs(self.perturbation)))

    def _verdicts(self, holds: NDArray[np.bool_], fails: NDArray[np.bool_]) -> Verdicts:
        """Without two proved limit networks everything is unknown."""
        known = self.clean.verdict is Verdict.HOLDS and self.perturbed.verdict is Verdict.HOLDS
        return Verdicts.decided(known & holds, known & fails)


@data_by_keyword
def transfer(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    y_adv: ArrayLike,
    negative_slope: float,
    base: ArrayLike | None = None,
    slack: bool = False,
    multipliers: Multipliers | None = None,
) -> Transfer:
    """Compare the limit boundary of clean data with that of perturbed data, term by term.

    **Statement.**  With A the label-noise and B the perturbation term: if sgn B(z) = sgn f(z) and
    |A(z)| < |B(z)|, then sgn f_adv(z) = sgn f(z).  The verdicts are about these two limit boundaries,
    computed from the system of `multipliers`, and take rounding into account.

    **Assumptions.**  Both systems give a KKT point (`Multipliers.verdict`); otherwise all verdicts are
    *unknown*.  That training ends there is `orthogonality`'s to say.

    **Derivation.**  15, step 6.

    **Checked by.**  tests/test_theory/test_orthogonal/test_transfer.py.

    Parameters
    ----------
    Z : array, shape (Q, d), or (d,) for Q = 1
    X, y : arrays, shapes (N, d) and (N,)
        What the first network is trained on.
    X_adv, y_adv : arrays, shapes (N_adv, d) and (N_adv,)
        What the second one is trained on; `y_adv` are the targets.
    negative_slope : float in (0, 1)
    base : array, shape (N_adv, d), optional
        `X_adv` before the perturbation: noise, or by default the rows of `X`.
    slack : bool
        As in `multipliers`, for both systems.
    multipliers : Multipliers, optional
        Of the clean data, to save the solution of their system; with `slack` it must have been solved so.

    Returns
    -------
    Transfer

    Raises
    ------
    ValueError
        If shapes disagree (without `base` also those of `X_adv` and `X`), labels are not ±1, an entry is not
        finite or the slope is out of range.

    Examples
    --------
    >>> from theory.orthogonal import transfer
    >>> data = {"X": [[2.0, 0.0], [0.0, 1.0]], "y": [1, -1], "negative_slope": 0.5}
    >>> adversarial = {"X_adv": [[0.1, 0.0], [0.0, -0.1]], "y_adv": [1, -1], "base": [[0.0, 0.0]] * 2}
    >>> transfer([[3.0, 0.0]], **data, **adversarial).old.round(4)  # the limit of f
    array([2.4])
    """
    slope = check_open_slope(negative_slope)
    X = as_points("X", X)
    Z = as_points("Z", Z, dim=X.shape[1], or_one=True)
    X_adv = as_points("X_adv", X_adv, dim=X.shape[1])
    y_adv = as_labels("y_adv", y_adv, length=len(X_adv))
    base = X if base is None else as_points("base", base, dim=X.shape[1])
    if base.shape != X_adv.shape:
        msg = (
            f"base must have the shape of X_adv, {X_adv.shape}, one row a perturbed sample, got {base.shape}"
        )
        raise ValueError(msg)
    if multipliers is None:
        multipliers = solve_multipliers(X, y, negative_slope=slope, slack=slack)
    X, y, clean = data_and_multipliers(X, y, slope, multipliers)
    perturbed = solve_multipliers(X_adv, y_adv, negative_slope=slope, slack=slack)
    weights = perturbed.values * y_adv
    with np.errstate(over="ignore", invalid="ignore"):
        step = X_adv - base
        # Of the difference X_adv − base too: a rounding of the size of either.
        error = output_error(Z, base, perturbed) + output_error(Z, X_adv, perturbed) + TINY
        return Transfer(
            old=Z @ (X.T @ (clean.values * y)),
            old_error=output_error(Z, X, clean),
            label_noise=Z @ (base.T @ weights),
            perturbation=Z @ (step.T @ weights),
            error=error,
            clean=clean,
            perturbed=perturbed,
        )
