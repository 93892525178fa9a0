"""One experiment: its networks, its data, and what was measured on them."""

from dataclasses import dataclass
from typing import Generic

import numpy as np

import theory
from empirics.config import ExperimentConfig
from empirics.data import Dataset
from empirics.descent import Trained
from empirics.measure.conditions import ConditionCounts
from empirics.measure.counts import evaluate
from empirics.measure.times import AtTime
from empirics.record import Name, Record, T_co
from theory.setting import Setting
from theory.validation import Array


@dataclass(frozen=True, kw_only=True)
class Points:
    """Values at the test points for one network, arrays of shape (Q,).

    Attributes
    ----------
    initial, final : array
        f(z; 0) and f(z; T).
    predicted : array
        f_b(z), so that f(z; T) ≈ f(z; 0) + T f_b(z).
    published : array
        f̂(z) (ĝ(z) for g).
    """

    initial: Array
    final: Array
    predicted: Array
    published: Array


class Measures(Record, Generic[T_co], frozen=True, kw_only=True):
    """What was measured on one network, each beside its prediction; means are over test points."""

    accuracy_train: T_co  # on the clean training points of f, also for g
    accuracy_test: T_co
    error: T_co  # root mean square of (f(z; T) − f(z; 0))/T − f_b(z); NaN at T = 0
    scale: T_co  # root mean square of f_b(z)
    sign_match: T_co  # share of sgn f(z; T) = sgn f_b(z)
    published_sign_match: T_co  # share of sgn f(z; T) = sgn f̂(z)
    mean_tau: T_co  # mean of L T κ(z)/(s(z) √m)
    free_predicted: T_co  # mean of (2/π) arctan τ
    free_measured: T_co  # mean share of free neurons
    free_pvalue: T_co  # smallest two-sided binomial p-value over test points, times their number
    flipped: T_co  # mean share of neurons that changed sign
    flipped_not_free: T_co  # events that the theory excludes, over all test points


class Cosines(Record, Generic[T_co], frozen=True, kw_only=True):
    """Mean cosines over training points.

    The perturbation's direction is ∇f(x; T); its trained part is ∇f(x; T) − ∇f(x; 0).
    """

    perturbation_paper: T_co  # with u
    perturbation_gradient: T_co  # with ∇f_b
    perturbation_given_initial: T_co  # with ∇f(x; 0) + T ∇f_b: the prediction for the network in hand
    trained_paper: T_co  # trained part with u
    trained_gradient: T_co  # trained part with ∇f_b
    between: T_co  # of u with ∇f_b: what trained_paper tends to


class Agreement(Record, Generic[T_co], frozen=True, kw_only=True):
    """Share of test points with sgn f(z; T_f) = sgn g(z; T_g)."""

    measured: T_co
    predicted: T_co  # nothing trained: mean over untrained networks f(·; 0), same target labels
    predicted_given_f: T_co  # from the f and the inputs of g that were really trained


@dataclass(frozen=True, kw_only=True)
class Side:
    """f or g: what it was trained on, for how long, and what it became."""

    X: Array
    y: Array
    T: float
    num_steps: int
    trained: Trained
    points: Points


@dataclass(frozen=True, kw_only=True, repr=False)
class ExperimentResult:
    """Everything measured in one experiment, and the networks for further questions."""

    config: ExperimentConfig
    setting: Setting
    dataset: Dataset
    X_adv: Array
    y_adv: Array
    trained_f: Trained
    trained_g: Trained
    f: Measures[float]
    g: Measures[float]
    points_f: Points
    points_g: Points
    cosines: Cosines[float]
    conditions: tuple[ConditionCounts, ...]
    agreement: Agreement[float]
    zero_gradients: int
    over_times: tuple[AtTime, ...] = ()

    def __repr__(self) -> str:
        agree = f"agreement={self.agreement.measured:g}, predicted={self.agreement.predicted:g}"
        return f"ExperimentResult({self.dataset.name!r}, {self.setting!r}, seed={self.config.seed}, {agree})"

    def side(self, network: Name) -> Side:
        """Return what there is of one network."""
        config = self.config
        if network == "f":
            X, y, T, steps = self.dataset.X, self.dataset.y, self.setting.T_f, config.num_steps
            return Side(X=X, y=y, T=T, num_steps=steps, trained=self.trained_f, points=self.points_f)
        T, steps = self.setting.T_g, config.num_steps_g or config.num_steps
        trained, points = self.trained_g, self.points_g
        return Side(X=self.X_adv, y=self.y_adv, T=T, num_steps=steps, trained=trained, points=points)

    @property
    def perturbations(self) -> Array:
        """r_n, shape (N, d): all of the inputs of g, or what was added to the samples."""
        return self.X_adv if self.setting.scenario == "a" else self.X_adv - self.dataset.X

    def velocity(self, network: Name, Z: Array) -> Array:
        """Return the predicted (f(z; T) − f(z; 0))/T: f_b, or that of `theory.lazy_predict`.

        The latter is for the outputs of the untrained network in hand; NaN where it overflows or T = 0.
        """
        side, slope = self.side(network), self.setting.negative_slope
        if self.setting.loss == "identity":
            return np.asarray(theory.f_predict(Z, X=side.X, y=side.y, negative_slope=slope))
        if side.T == 0:
            return np.full(len(Z), np.nan)
        initial = evaluate(side.trained.initial, Z)
        try:
            final = theory.lazy_predict(
                Z,
                X=side.X,
                y=side.y,
                T=side.T,
                loss=self.setting.loss,
                negative_slope=slope,
                initial_outputs=evaluate(side.trained.initial, side.X),
                initial_at_Z=initial,
                num_steps=None if self.config.solver == "flow" else side.num_steps,
                momentum=self.config.momentum,
            )
        except FloatingPointError:
            return np.full(len(Z), np.nan)
        return np.asarray((final - initial) / side.T)

    def measured_velocity(self, network: Name) -> Array:
        """Return (f(z; T) − f(z; 0))/T at the test points; NaN at T = 0."""
        side = self.side(network)
        change = side.points.final - side.points.initial
        return change / side.T if side.T > 0 else np.full(len(change), np.nan)
