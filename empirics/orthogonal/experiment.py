"""One experiment with nearly orthogonal samples: f, its perturbations, g, and the limits of both."""

import math
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from empirics.data import Dataset
from empirics.measure import accuracy, agrees, cosines
from empirics.model import TwoLayerNet, as_tensor
from empirics.orthogonal.attacks import attack
from empirics.orthogonal.config import OrthogonalConfig, draw
from empirics.orthogonal.training import (
    LimitTraining,
    alignment,
    boundary_direction,
    initialise,
    train_to_limit,
)
from empirics.perturb import draw_targets
from empirics.seeds import seeds_of
from empirics.sweep.outcome import Cell, Outcome
from theory.orthogonal import (
    Multipliers,
    gradient_cosine,
    limit_direction,
    limit_network,
    limit_perturbations,
    multipliers,
    network_output,
    orthogonality,
)
from theory.orthogonal.boundary import output_error
from theory.orthogonal.gram import EPS, row_norms
from theory.validation import Array
from theory.verdicts import Verdict

_EXPECTED = (ArithmeticError, ValueError, MemoryError, np.linalg.LinAlgError)


def run_orthogonal(config: OrthogonalConfig, data: Dataset | None = None, *, device: str = "cpu") -> Outcome:
    """Run one experiment.

    Parameters
    ----------
    config : OrthogonalConfig
    data : Dataset, optional
        In place of natural samples and test points that are drawn; must have the d, N and number of test
        points of `config`.  The seed is then that of noise, targets and initialisations alone.
    device : str
        Of torch: where networks are trained and attacked.  λ systems are solved on the CPU.

    Returns
    -------
    Outcome
        What fails is an outcome too.  The record, in which NaN means unknown or not asked for, has, each
        with the name of the network ("f", "g"):

        - ``orthogonal_*``, ``orthogonal_rows_*``, ``multipliers_*``: verdicts ("holds", "fails", "unknown")
          of `theory.orthogonal`, for the set it is trained on: the published condition, the derived one, and
          the λ system; ``least_multiplier_*``: min_n λ_n over 1/(2R_max²), NaN where no error of λ is proved;
        - ``converged_*``, ``num_steps_*``, ``stationarity_*``, ``slackness_*``, ``margin_*``, ``turn_*``: see
          `Convergence`; ``alignment_*``: see `alignment`;
        - ``signs_*``: share of test points where the network and the limit ⟨s, ·⟩ have one sign, of the
          ``points_*`` test points where the limit predicts one, |⟨s, z⟩| above its rounding error;
          ``firm_*``: how many signs differ where a network whose weights are off the limit by a part
          `tolerance` has its sign, |f(z)| > `tolerance`·‖W̄‖‖z‖ for the limit f with weights W̄;
        - ``spread_*``: ‖W − cW̄‖/‖cW̄‖ for the limit network W̄ and the c > 0 nearest to W;
        - ``cosine_*``: of Σ_i a_i w_i and s = Σ λ_k y_k x_k of its own set;

        further ``accuracy_f``, ``accuracy_g`` on the natural samples (the latter is the published metric) and
        ``accuracy_limit_f``, ``accuracy_limit_g`` of the limits there, ``accuracy_mean_g`` of the linear map
        Σ_n y^adv_n x^adv_n, ``agreement`` of the signs of f and g on the test points where the
        limits of both predict one (without a limit: where the output is not 0); ``turning``, the cosine of
        the boundary of g with s of the natural samples, and ``turning_limit``, that of the limit of g; of the
        perturbations ``attack_cosine``, the mean cosine with the closed form, ``attack_least``, the least
        one of those that are not 0, ``kink_bound`` and ``attack_bound``, what `gradient_cosine` proves of
        the latter for the limit network and for f (L2 by gradient steps alone), and ``reached_before``,
        ``reached_after``, the shares of points with y^adv f > 0.

    Notes
    -----
    A limit is the solution s of the λ system even where its verdict is "fails", as what a prediction would be
    there; where that is "unknown" there is none.  A verdict "holds" of the λ system alone says that its
    network is a KKT point, not that training finds it: tests/test_empirics/test_orthogonal/test_training.py
    has a case where it finds another.  Where f or g is not trained its limit takes its place.
    """
    try:
        return Outcome(record=_Experiment(config, data, device).record())
    except _EXPECTED as error:
        return Outcome.failed(error)


class _Given(TypedDict):
    """The slope and the λ system."""

    negative_slope: float
    multipliers: Multipliers


@dataclass(frozen=True)
class _Learner:
    """A classifier without bias: a trained network, or its limit ⟨s, ·⟩."""

    X: Array
    y: Array
    solved: Multipliers
    limit: Array | None  # s, shape (d,), if the λ system has a solution
    trained: LimitTraining | None
    record: dict[str, Cell]

    @property
    def given(self) -> _Given:
        """What functions of the limit take."""
        return {"negative_slope": self.solved.negative_slope, "multipliers": self.solved}

    @property
    def standard(self) -> Array:
        """The limit s; where there is none, the direction of the network."""
        return self.direction if self.limit is None else self.limit

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
        where = self.network.weight.device
        return np.asarray(self.network.outputs(as_tensor(Z, device=where)).cpu().numpy())

    def predicts(self, Z: Array) -> NDArray[np.bool_]:
        """Return where a sign is predicted: ⟨s, z⟩ is not 0 but for rounding (no limit: any output)."""
        if self.limit is None:
            return np.asarray(self.outputs(Z) != 0)
        error = output_error(Z, self.X, self.solved)
        least = 64 * EPS * row_norms(Z) * float(np.linalg.norm(self.limit))
        return np.asarray(np.abs(Z @ self.limit) > np.where(np.isfinite(error), error, least))

    def depth(self, Z: Array) -> Array:
        """Return |f(z)|/(‖W̄‖‖z‖) of the limit network: what part of W̄ may change without a change of sign."""
        v, u = limit_network(self.X, self.y, width=2, **self.given)
        with np.errstate(all="ignore"):
            size = math.hypot(*np.linalg.norm([v, u], axis=1))
            slope = self.solved.negative_slope
            outputs = network_output(Z, v=v / size, u=u / size, width=2, negative_slope=slope)
            return np.asarray(np.abs(outputs) / row_norms(Z))

    def spread(self) -> float:
        """Return ‖W − cW̄‖/‖cW̄‖, infinite unless c > 0; NaN without a network or a limit."""
        if self.network is None or self.limit is None:
            return math.nan
        W = self.network.weight.detach().cpu().double().numpy()
        v, u = limit_network(self.X, self.y, width=len(W), **self.given)
        limit = np.where(self.network.readout.cpu().numpy()[:, None] > 0, v, u)
        with np.errstate(all="ignore"):
            W, limit = W / np.linalg.norm(W), limit / np.linalg.norm(limit)
            c = float((W * limit).sum())
            return float(np.linalg.norm(W - c * limit)) / c if c > 0 else math.inf if c <= 0 else math.nan

    def attack_bounds(self) -> tuple[float, float]:
        """Return lower bounds of the cosine of L2 gradient steps with s, for the limit and for f itself.

        They are cut by the rounding of gradients, of perturbed points and of cosines; NaN: nothing is said.
        """
        spread = self.spread()
        if not math.isfinite(spread):
            return math.nan, math.nan
        assert self.network is not None
        blur = 8 * (sum(self.network.weight.shape) + 16) * EPS
        kinks = gradient_cosine(self.X, self.y, **self.given)
        # Relative to ‖W‖, gradients are computed to `blur` / 8.
        whole = gradient_cosine(self.X, self.y, deviation=spread * (1 + blur) + blur, **self.given)
        return kinks, whole if whole > 0 else math.nan


class _Experiment:
    """The data of an experiment and its steps."""

    def __init__(self, config: OrthogonalConfig, data: Dataset | None = None, device: str = "cpu") -> None:
        self.config, self.device = config, device
        data_seed, self.f_seed, self.g_seed, target_seed, test_seed = seeds_of(config.seed)
        if data is None:
            rng = np.random.default_rng(data_seed)
            self.X = draw(config.num_train, config.dim, distribution=config.distribution, rng=rng)
            self.y = draw_targets(config.num_train, rng=rng)
            rng = np.random.default_rng(test_seed)
            self.Z = draw(config.num_test, config.dim, distribution=config.distribution, rng=rng)
        else:
            check_given(config, data)
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
        return {
            **record,
            **of_attack,
            **g.record,
            "accuracy_g": accuracy(g.outputs(self.X), self.y),
            "accuracy_limit_g": self.limit_accuracy(g),
            "accuracy_mean_g": accuracy(self.X @ (self.y_adv @ X_adv), self.y),
            "agreement": _share(
                agrees(f.outputs(self.Z), g.outputs(self.Z)), f.predicts(self.Z) & g.predicts(self.Z)
            ),
            "turning": _cosine(g.direction, f.standard),
            "turning_limit": float("nan") if g.limit is None else _cosine(g.limit, f.standard),
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
            f"least_multiplier_{name}": float(solved.values.min()) / low
            if low > 0 and np.isfinite(solved.radius).all()
            else float("nan"),
        }
        if not trained:
            return _Learner(X, y, solved, limit, None, record)
        start = initialise(config.dim, config.width, negative_slope=slope, scale=config.init_scale, seed=seed)
        result = train_to_limit(
            start.to(self.device),
            X,
            y,
            loss=config.loss,
            tolerance=config.tolerance,
            max_steps=config.max_steps,
            max_time=config.max_time,
        )
        learner = _Learner(X, y, solved, limit, result, record)
        final = result.final
        measures = ("num_steps", "stationarity", "slackness", "margin", "turn")
        record |= {f"{measure}_{name}": getattr(final, measure) for measure in measures}
        record |= {
            f"converged_{name}": result.converged,
            f"alignment_{name}": alignment(result.network),
            f"spread_{name}": learner.spread(),
            **self.signs(learner, name),
            f"cosine_{name}": float("nan") if limit is None else _cosine(learner.direction, limit),
        }
        return learner

    def signs(self, learner: _Learner, name: str) -> dict[str, Cell]:
        """Return the share of equal signs where the limit predicts one, and the number of those points."""
        if learner.limit is None:
            return {f"signs_{name}": float("nan"), f"points_{name}": 0, f"firm_{name}": 0}
        said = learner.predicts(self.Z)
        equal = agrees(learner.outputs(self.Z), self.Z @ learner.limit)
        firm = said & ~equal & (learner.depth(self.Z) > self.config.tolerance)
        return {
            f"signs_{name}": _share(equal, said),
            f"points_{name}": int(said.sum()),
            f"firm_{name}": int(firm.sum()),
        }

    def perturbed(self, f: _Learner) -> tuple[Array, dict[str, Cell]]:
        """Return the set that g is trained on, and measures of the attack."""
        config = self.config
        before = float(np.mean(self.y_adv * f.outputs(self.base) > 0))
        if config.attack == "none":
            return self.base, {"reached_before": before, "reached_after": before}
        closed: Array | None = None
        more: dict[str, Cell] = {}
        if f.limit is not None or config.attack == "limit":
            closed = limit_perturbations(
                self.base,
                f.standard,
                self.y_adv,
                steps="published" if config.attack == "published" else "steepest",
                box=config.box,
                **config.perturbation,
            )
        if config.attack == "limit":
            assert closed is not None
            X_adv, cosine = closed, 1.0
        else:
            assert f.network is not None
            X_adv = attack(
                f.network, self.base, self.y_adv, steps=config.attack, box=config.box, **config.perturbation
            ).X_adv
            cosine = float("nan") if closed is None else _mean_cosine(X_adv - self.base, closed - self.base)
            if closed is not None and config.attack == "gradient":
                more = self.kinks(f, X_adv - self.base)
        after = float(np.mean(self.y_adv * f.outputs(X_adv) > 0))
        return X_adv, {"attack_cosine": cosine, **more, "reached_before": before, "reached_after": after}

    def kinks(self, f: _Learner, R: Array) -> dict[str, Cell]:
        """Return the least cosine of t_n r_n with s, and for L2 what is proved of it."""
        assert f.limit is not None
        moved = R.any(axis=1)
        least, room = float("nan"), 0.0
        if moved.any():
            steps = self.y_adv[moved, None] * R[moved]
            least = float(cosines(steps, np.broadcast_to(f.limit, steps.shape)).min())
            # r = (x + r) − x is rounded to a part of ‖x‖ + ‖r‖.
            lengths = row_norms(R[moved])
            room = 4 * EPS * float(((row_norms(self.base[moved]) + lengths) / lengths).max())
        bounds = f.attack_bounds() if self.config.norm == "L2" else (float("nan"), float("nan"))
        room += 4 * (self.config.dim + 8) * EPS
        return {
            "attack_least": least,
            "kink_bound": bounds[0] - room,
            "attack_bound": bounds[1] - room,
        }

    def limit_accuracy(self, learner: _Learner) -> float:
        return float("nan") if learner.limit is None else accuracy(self.X @ learner.limit, self.y)


def check_given(config: OrthogonalConfig, data: Dataset) -> None:
    """Check that data has the sizes that a configuration states, and no attack made for drawn samples."""
    if config.attack == "published":
        msg = "attack must be 'limit', 'gradient' or 'none' with data in hand, got 'published'"
        raise ValueError(msg)
    stated = config.num_train, config.dim, config.num_test
    if (*data.X.shape, len(data.X_test)) != stated:
        msg = f"data must have num_train, dim, num_test = {stated}, got {(*data.X.shape, len(data.X_test))}"
        raise ValueError(msg)


def _cosine(a: Array, b: Array) -> float:
    length = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / length if length > 0 else float("nan")


def _share(equal: NDArray[np.bool_], counted: NDArray[np.bool_]) -> float:
    """Return the share of `equal` among those counted, NaN if none is."""
    return float(equal[counted].mean()) if counted.any() else float("nan")


def _mean_cosine(A: Array, B: Array) -> float:
    """Return the mean cosine of rows, NaN if B is 0; a row of zeros counts as 0, as it carries nothing."""
    if not B.any():
        return float("nan")
    lengths = np.linalg.norm(A, axis=1) * np.linalg.norm(B, axis=1)
    return float(((A * B).sum(axis=1) / np.where(lengths > 0, lengths, 1.0)).mean())
