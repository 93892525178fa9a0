"""One experiment with nearly orthogonal samples: f, its perturbations, g, and the limits of both."""

from dataclasses import dataclass

import numpy as np
import torch

from empirics.data import Dataset
from empirics.measure import accuracy, agreement
from empirics.model import TwoLayerNet
from empirics.orthogonal.attacks import attack
from empirics.orthogonal.config import OrthogonalConfig, draw
from empirics.orthogonal.training import (
    LimitTraining,
    alignment,
    boundary_direction,
    initialise,
    train_to_limit,
)
from empirics.outcome import Cell, Outcome
from empirics.perturb import draw_targets
from empirics.seeds import seeds_of
from theory._validation import Array
from theory.conditions import Verdict
from theory.orthogonal import limit_direction, limit_perturbations, multipliers, orthogonality

_EXPECTED = (ArithmeticError, ValueError, MemoryError, np.linalg.LinAlgError)


def run_orthogonal(config: OrthogonalConfig, data: Dataset | None = None) -> Outcome:
    """Run one experiment.

    Parameters
    ----------
    config : OrthogonalConfig
    data : Dataset, optional
        In place of natural samples and test points that are drawn; must have the d, N and number of test
        points of `config`.  The seed is then that of noise, targets and initialisations alone.

    Returns
    -------
    Outcome
        What fails is an outcome too.  The record, in which NaN means unknown or not asked for, has, each
        with the name of the network ("f", "g"):

        - ``orthogonal_*``, ``orthogonal_rows_*``, ``multipliers_*``: verdicts ("holds", "fails", "unknown")
          of `theory.orthogonal`, for the set it is trained on: the published condition, the derived one, and
          the λ system; ``least_multiplier_*``: min_n λ_n over 1/(2R_max²);
        - ``converged_*``, ``num_steps_*``, ``stationarity_*``, ``slackness_*``, ``margin_*``, ``turn_*``: see
          `Convergence`; ``alignment_*``: see `alignment`;
        - ``signs_*``: share of test points where the network and the limit ⟨s, ·⟩ have one sign;
        - ``cosine_*``: of Σ_i a_i w_i and s = Σ λ_k y_k x_k of its own set;

        further ``accuracy_f``, ``accuracy_g`` on the natural samples (the latter is the published metric) and
        ``accuracy_limit_f``, ``accuracy_limit_g`` of the limits there, ``accuracy_mean_g`` of the linear map
        Σ_n y^adv_n x^adv_n, ``agreement`` of the signs of f and g on test points; ``turning``, the cosine of
        the boundary of g with s of the natural samples, and ``turning_limit``, that of the limit of g; of the
        perturbations ``attack_cosine``, the mean cosine with the closed form, and ``reached_before``,
        ``reached_after``, the shares of points with y^adv f > 0.

    Notes
    -----
    A limit is the solution s of the λ system even where its verdict is "fails", as what a prediction would be
    there; where that is "unknown" there is none.  A verdict "holds" of the λ system alone says that its
    network is a KKT point, not that training finds it: tests/test_empirics/test_orthogonal/test_training.py
    has a case where it finds another.  Where f or g is not trained its limit takes its place.
    """
    try:
        return Outcome(record=_Experiment(config, data).record())
    except _EXPECTED as error:
        return Outcome.failed(error)


@dataclass(frozen=True)
class _Learner:
    """A classifier without bias: a trained network, or its limit ⟨s, ·⟩."""

    limit: Array | None  # s, shape (d,), if the λ system has a solution
    trained: LimitTraining | None
    record: dict[str, Cell]

    @property
    def network(self) -> TwoLayerNet | None:
        return None if self.trained is None else self.trained.network

    @property
    def direction(self) -> Array:
        """Of the boundary: Σ_i a_i w_i, or s."""
        if self.network is not None:
            return boundary_direction(self.network)
        if self.limit is None:
            msg = "multipliers must be solved where the limit replaces a network, got verdict 'unknown'"
            raise ArithmeticError(msg)
        return self.limit

    def outputs(self, Z: Array) -> Array:
        if self.network is None:
            return np.asarray(Z @ self.direction)
        return np.asarray(self.network.outputs(torch.as_tensor(Z)).numpy())


class _Experiment:
    """The data of an experiment and its steps."""

    def __init__(self, config: OrthogonalConfig, data: Dataset | None = None) -> None:
        self.config = config
        data_seed, self.f_seed, self.g_seed, target_seed, test_seed = seeds_of(config.seed)
        if data is None:
            rng = np.random.default_rng(data_seed)
            self.X = draw(config.num_train, config.dim, distribution=config.distribution, rng=rng)
            self.y = draw_targets(config.num_train, rng=rng)
            rng = np.random.default_rng(test_seed)
            self.Z = draw(config.num_test, config.dim, distribution=config.distribution, rng=rng)
        else:
            check_sizes(config, data)
            self.X, self.y, self.Z = data.X, data.y, data.X_test
        rng = np.random.default_rng(target_seed)
        self.y_adv = draw_targets(config.num_adv, rng=rng)
        if config.base == "natural":
            self.base = self.X
        else:
            self.base = draw(config.num_adv, config.dim, distribution=config.base, rng=rng)

    def record(self) -> dict[str, Cell]:
        config = self.config
        f = self.learn(self.X, self.y, trained=config.f == "trained", seed=self.f_seed, name="f")
        record = {
            **f.record,
            "accuracy_f": accuracy(f.outputs(self.X), self.y),
            "accuracy_limit_f": self.limit_accuracy(f),
        }
        if config.g == "none":
            return record
        X_adv, of_attack = self.perturbed(f)
        g = self.learn(X_adv, self.y_adv, trained=config.g == "trained", seed=self.g_seed, name="g")
        standard = f.direction if f.limit is None else f.limit
        return {
            **record,
            **of_attack,
            **g.record,
            "accuracy_g": accuracy(g.outputs(self.X), self.y),
            "accuracy_limit_g": self.limit_accuracy(g),
            "accuracy_mean_g": accuracy(self.X @ (self.y_adv @ X_adv), self.y),
            "agreement": agreement(f.outputs(self.Z), g.outputs(self.Z)),
            "turning": _cosine(g.direction, standard),
            "turning_limit": float("nan") if g.limit is None else _cosine(g.limit, standard),
        }

    def learn(self, X: Array, y: Array, *, trained: bool, seed: int, name: str) -> _Learner:
        """Solve the λ system of a set and, if asked, train a network on it."""
        config, slope = self.config, self.config.negative_slope
        solved = multipliers(X, y, negative_slope=slope)
        limit: Array | None = None
        if solved.verdict != Verdict.UNKNOWN:
            limit = limit_direction(X, y, negative_slope=slope, multipliers=solved)
        conditions, low = orthogonality(X, negative_slope=slope), solved.interval[0]
        record: dict[str, Cell] = {
            f"orthogonal_{name}": str(conditions.verdict),
            f"orthogonal_rows_{name}": str(conditions.row_verdict),
            f"multipliers_{name}": str(solved.verdict),
            f"least_multiplier_{name}": float(solved.values.min()) / low if low > 0 else float("nan"),
        }
        if not trained:
            return _Learner(limit, None, record)
        start = initialise(config.dim, config.width, negative_slope=slope, scale=config.init_scale, seed=seed)
        result = train_to_limit(
            start, X, y, loss=config.loss, tolerance=config.tolerance, max_steps=config.max_steps
        )
        learner = _Learner(limit, result, record)
        final = result.final
        measures = ("num_steps", "stationarity", "slackness", "margin", "turn")
        record |= {f"{measure}_{name}": getattr(final, measure) for measure in measures}
        record |= {
            f"converged_{name}": result.converged,
            f"alignment_{name}": alignment(result.network),
            f"signs_{name}": float("nan")
            if limit is None
            else agreement(learner.outputs(self.Z), self.Z @ limit),
            f"cosine_{name}": float("nan") if limit is None else _cosine(learner.direction, limit),
        }
        return learner

    def perturbed(self, f: _Learner) -> tuple[Array, dict[str, Cell]]:
        """Return the set that g is trained on, and measures of the attack."""
        config = self.config
        before = float(np.mean(self.y_adv * f.outputs(self.base) > 0))
        if config.attack == "none":
            return self.base, {"reached_before": before, "reached_after": before}
        closed: Array | None = None
        if f.limit is not None or config.attack == "limit":
            closed = limit_perturbations(
                self.base,
                f.direction if f.limit is None else f.limit,
                self.y_adv,
                norm=config.norm,
                epsilon=config.epsilon,
                amplitude=config.amplitude,
            )
        if config.attack == "limit":
            assert closed is not None
            X_adv, cosine = closed, 1.0
        else:
            assert f.network is not None
            X_adv = attack(
                f.network,
                self.base,
                self.y_adv,
                norm=config.norm,
                epsilon=config.epsilon,
                amplitude=config.amplitude,
            ).X_adv
            cosine = float("nan") if closed is None else _mean_cosine(X_adv - self.base, closed - self.base)
        after = float(np.mean(self.y_adv * f.outputs(X_adv) > 0))
        return X_adv, {"attack_cosine": cosine, "reached_before": before, "reached_after": after}

    def limit_accuracy(self, learner: _Learner) -> float:
        return float("nan") if learner.limit is None else accuracy(self.X @ learner.limit, self.y)


def check_sizes(config: OrthogonalConfig, data: Dataset) -> None:
    """Check that data has the sizes that a configuration states."""
    stated = config.num_train, config.dim, config.num_test
    if (*data.X.shape, len(data.X_test)) != stated:
        msg = f"data must have num_train, dim, num_test = {stated}, got {(*data.X.shape, len(data.X_test))}"
        raise ValueError(msg)


def _cosine(a: Array, b: Array) -> float:
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else float("nan")


def _mean_cosine(A: Array, B: Array) -> float:
    """Return the mean cosine of rows; a row of zeros counts as 0, as it carries nothing."""
    lengths = np.linalg.norm(A, axis=1) * np.linalg.norm(B, axis=1)
    return float(((A * B).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)).mean())
