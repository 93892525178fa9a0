"""Which solver trains a network, from the configuration: descent, or gradient flow without a step size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from empirics.adaptive_flow import smooth_flow
from empirics.config import ExperimentConfig
from empirics.descent import Trained, train_path
from empirics.exact_flow import flow
from empirics.model import TwoLayerNet, as_tensor
from theory.setting import learning_rate_for
from theory.validation import Array

_HALVINGS = 5  # of a trajectory that is looked at before its end
DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True, order=True)
class Stop:
    """Where on its trajectory a network is looked at."""

    T: float  # flow time
    num_steps: int  # of descent; 0 for a flow


def stop_f(config: ExperimentConfig) -> Stop:
    """Return where f is to stop."""
    return Stop(config.T_f, 0 if config.solver == "flow" else config.num_steps)


def stop_g(config: ExperimentConfig) -> Stop:
    """Return where g is to stop."""
    steps = config.num_steps if config.num_steps_g is None else config.num_steps_g
    return Stop(config.T_g, 0 if config.solver == "flow" else steps)


def stops_before(stop: Stop) -> tuple[Stop, ...]:
    """Return stops at about 1/2, 1/4, 1/8, … of a trajectory without momentum, the first one first."""
    whole = stop.num_steps or 2**_HALVINGS
    steps = sorted({round(whole / 2**halving) for halving in range(1, _HALVINGS + 1)} - {0})
    return tuple(Stop(stop.T * k / whole, k if stop.num_steps else 0) for k in steps)


def learning_rate(config: ExperimentConfig, stop: Stop) -> float:
    """Return the learning rate, to 12 digits so that equal trajectories are seen to be; 0 for a flow."""
    if config.solver == "flow":
        return 0.0
    return float(f"{learning_rate_for(stop.T, stop.num_steps, momentum=config.momentum):.12g}")


def train_to(
    stops: Sequence[Stop], X: Array, y: Array, config: ExperimentConfig, *, seed: int, device: str = "cpu"
) -> dict[Stop, Trained]:
    """Draw a network and train it along one trajectory to each of the stops.

    Parameters
    ----------
    stops : sequence of Stop
        Of one learning rate.
    X : array, shape (N, d)
    y : array, shape (N,)
    config : ExperimentConfig
        Solver, loss, width, slope, momentum and precision.
    seed : int
        Of the initial network.
    device : str
        Of descent; flows are computed on the CPU.

    Returns
    -------
    dict from Stop to Trained
        The result at one stop does not depend on which others there are.

    Raises
    ------
    FloatingPointError
        If training diverges before one of the stops.
    """
    dtype = DTYPES[config.precision]
    network = TwoLayerNet.initialise(
        X.shape[1],
        config.width,
        negative_slope=config.negative_slope,
        seed=seed,
        dtype=dtype,
        device=device,
    )
    ordered = sorted(set(stops))
    if config.solver == "flow":
        times = [stop.T for stop in ordered]
        if config.loss == "identity":
            path = flow(network, X, y, T=times).trained
        else:
            points = as_tensor(X, dtype=dtype, device=device)
            path = smooth_flow(network, points, y, T=times, loss=config.loss).trained
    else:
        path = train_path(
            network,
            X,
            y,
            learning_rate=learning_rate(config, ordered[-1]),
            steps=[stop.num_steps for stop in ordered],
            momentum=config.momentum,
            loss=config.loss,
        )
    return {stop: replace(trained, T=stop.T) for stop, trained in zip(ordered, path, strict=True)}
