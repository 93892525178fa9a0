"""Signs proved far from lazy training, by simulating independent neurons.

With the identity loss neurons never interact: n of them with readout α/√m, trained in the steps of a network
of width m, are a sample of the law of its neurons, whatever T is.  `theory.certificates.independent` turns
the sample into a certificate.  Derivation 10.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from empirics.descent import train
from empirics.model import TwoLayerNet, as_array, as_tensor, blocks
from theory.bounds import neuron_envelope
from theory.certificates import IndependentCertificate, certify_independent, truncation_risk
from theory.certificates.lazy import AgreementProof
from theory.setting import learning_rate_for
from theory.validation import (
    Array,
    as_labels,
    as_points,
    check_integer,
    check_probability,
    check_real,
    check_slope,
    data_by_keyword,
)

# Keeps the seeds of simulated neurons apart from the equal seeds of networks.
_STREAM = 10


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """Full-batch descent with heavy-ball momentum, as `train` does it.

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.
    """

    T: float  # flow time ≥ 0
    num_steps: int  # ≥ 1
    momentum: float = 0.0  # μ in [0, 1)

    def __post_init__(self) -> None:
        check_real("T", self.T, minimum=0)
        learning_rate_for(self.T, self.num_steps, momentum=self.momentum)


@dataclass(frozen=True, eq=False, kw_only=True)
class Neurons:
    """Independent neurons of a network of width m, trained.

    Attributes
    ----------
    outputs : array, shape (n, Q), float64
        (α/√m) φ(u(z; T)), so that f(z; T) is a sum of m of them; NaN if training overflowed.
    readouts : array, shape (n,)
        α ~ N(0, 1).
    norms : array, shape (n,)
        ‖w(0)‖.
    initial : array, shape (n, Q), float64
        u(z; 0).
    """

    outputs: Array
    readouts: Array
    norms: Array
    initial: Array


@dataclass(frozen=True, eq=False, kw_only=True)
class SimulatedAgreement(AgreementProof):
    """What is proved about the signs of f and g together.

    Attributes
    ----------
    f, g : IndependentCertificate
        Each with half of δ.
    """

    f: IndependentCertificate
    g: IndependentCertificate


@data_by_keyword
@torch.no_grad()
def simulate_neurons(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    width: int,
    schedule: Schedule,
    negative_slope: float = 0.0,
    num_neurons: int,
    seed: int,
) -> Neurons:
    """Train n independent neurons of a network of width m, in float64.

    Parameters
    ----------
    Z : array, shape (Q, d)
    X, y : arrays, shapes (N, d) and (N,)
        What the network is trained on.
    width : int
        m ≥ 1, of the network that is asked about; enters through the readout α/√m.
    schedule : Schedule
        Exactly that of the network.  Many small steps approximate a flow; its certificate is then one of
        the descent, not of the flow.
    negative_slope : float in [0, 1)
    num_neurons : int
        n ≥ 1.
    seed : int
        The stream is not that of a `TwoLayerNet` with the same seed.

    Returns
    -------
    Neurons

    Raises
    ------
    ValueError
        If shapes disagree, labels are not ±1, an entry is not finite or an argument is out of range.

    Examples
    --------
    >>> from empirics import Schedule, simulate_neurons
    >>> data = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> schedule = Schedule(T=9.0, num_steps=10)
    >>> neurons = simulate_neurons([[2.0, 1.0]], **data, width=50, schedule=schedule, num_neurons=100, seed=0)
    >>> neurons.outputs.shape
    (100, 1)
    """
    X = as_points("X", as_array("X", X))
    y = as_labels("y", as_array("y", y), length=len(X))
    Z = as_points("Z", as_array("Z", Z), dim=X.shape[1])
    m = check_integer("width", width, minimum=1)
    n = check_integer("num_neurons", num_neurons, minimum=1)
    slope = check_slope("negative_slope", negative_slope)
    word = np.random.SeedSequence(check_integer("seed", seed, minimum=0), spawn_key=(_STREAM,))
    generator = torch.Generator().manual_seed(int(word.generate_state(1, np.uint64)[0] >> 1))
    weight = torch.randn(n, X.shape[1], generator=generator, dtype=torch.float64) / math.sqrt(X.shape[1])
    bias = torch.randn(n, generator=generator, dtype=torch.float64)
    alpha = torch.randn(n, generator=generator, dtype=torch.float64)
    network = TwoLayerNet(weight, bias, alpha / math.sqrt(m), negative_slope=slope)
    points = as_tensor(Z)
    initial = torch.addmm(bias, points, weight.T).T.contiguous().numpy()
    try:
        trained = train(
            network,
            X,
            y,
            T=schedule.T,
            num_steps=schedule.num_steps,
            momentum=schedule.momentum,
        )
        outputs = _outputs(trained.final, points)
    except FloatingPointError:
        outputs = np.full((n, len(Z)), np.nan)
    return Neurons(
        outputs=outputs,
        readouts=alpha.numpy(),
        norms=np.linalg.norm(weight.numpy(), axis=1),
        initial=initial,
    )


@data_by_keyword
def certify_by_simulation(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    width: int,
    schedule: Schedule,
    negative_slope: float = 0.0,
    delta: float,
    simultaneous: bool = False,
    num_neurons: int = 10_000,
    seed: int,
) -> IndependentCertificate:
    """Prove the sign of a network of width m at query points, far from lazy training included.

    **Statement.**  That of `theory.certificates.independent.certify_independent`: P(certified and wrong) ≤ δ
    over simulation and initialisation together, at each point or simultaneously.

    **Assumptions.**  Identity loss; the network is trained in the steps of `schedule`, from an initialisation
    that is independent of the simulation (another seed is enough) and of the points.  Rounding errors of
    training are not covered.

    **Derivation.**  Derivation 10.

    **Checked by.**  tests/test_empirics/test_neurons.py, against fresh networks.

    Parameters
    ----------
    Z, X, y, width, schedule, negative_slope, num_neurons, seed
        As in `simulate_neurons`.  A sign needs n of the order of m or more.
    delta : float in (0, 1)
    simultaneous : bool
        Whether δ is for all points together.

    Returns
    -------
    IndependentCertificate

    Raises
    ------
    ValueError
        As `simulate_neurons`; or if `delta` is out of range or n below 8.

    Examples
    --------
    >>> from empirics import Schedule, certify_by_simulation
    >>> d = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> asked = {"width": 200, "schedule": Schedule(T=30.0, num_steps=10), "delta": 0.05, "seed": 0}
    >>> certify_by_simulation([[2.0, 1.0], [0.0, 9.0]], **d, **asked).verdicts
    <2 verdicts: 1 positive, 1 unknown>
    """
    Z = as_points("Z", Z)
    check_integer("num_neurons", num_neurons, minimum=8)
    envelope = neuron_envelope(
        Z,
        X=X,
        y=y,
        width=width,
        negative_slope=negative_slope,
        T=schedule.T,
        num_steps=schedule.num_steps,
        momentum=schedule.momentum,
        truncation=truncation_risk(delta, len(Z), simultaneous=simultaneous),
    )
    neurons = simulate_neurons(
        Z,
        X=X,
        y=y,
        width=width,
        schedule=schedule,
        negative_slope=negative_slope,
        num_neurons=num_neurons,
        seed=seed,
    )
    return certify_independent(
        neurons.outputs,
        neurons.initial,
        neurons.readouts,
        neurons.norms,
        envelope,
        delta=delta,
        simultaneous=simultaneous,
    )


@data_by_keyword
def certify_agreement_by_simulation(
    Z: ArrayLike,
    *,
    X: ArrayLike,
    y: ArrayLike,
    X_adv: ArrayLike,
    y_adv: ArrayLike,
    width: int,
    schedule_f: Schedule,
    schedule_g: Schedule,
    negative_slope: float = 0.0,
    delta: float,
    simultaneous: bool = False,
    num_neurons: int = 10_000,
    seed: int,
) -> SimulatedAgreement:
    """Prove whether f and g have the same sign at query points, for a given perturbed set.

    **Statement.**  At each point (simultaneous: at all points together), P(the verdict is agree or disagree,
    and wrong) ≤ δ over both simulations and both initialisations.

    **Assumptions.**  Those of `certify_by_simulation` for both networks; g is initialised independently of
    f, (X_adv, y_adv) depend on f and on labels drawn independently of g and of the simulations; z depends on
    none of them.

    **Derivation.**  Derivation 10, step 6: f with δ/2; given f and the labels the perturbed set is a data set
    like any other, so g with δ/2.  For an f in hand its signs are known, and g alone may have all of δ.

    **Checked by.**  tests/test_empirics/test_neurons.py.

    Parameters
    ----------
    Z : array, shape (Q, d)
    X, y : arrays, shapes (N, d) and (N,)
        What f is trained on.
    X_adv, y_adv : arrays, shapes (N, d) and (N,)
        What g is trained on, in either scenario.
    width, negative_slope, delta, simultaneous, num_neurons
        As in `certify_by_simulation`; n for each network.
    schedule_f, schedule_g : Schedule
    seed : int
        Of both simulations, which get streams of their own.

    Returns
    -------
    SimulatedAgreement

    Raises
    ------
    ValueError
        As `certify_by_simulation`.

    Examples
    --------
    >>> from empirics import Schedule, certify_agreement_by_simulation
    >>> d = {"X": [[3.0, 0.0], [-3.0, 0.0]], "y": [1, -1]}
    >>> adv = {"X_adv": [[2.0, 0.0], [-2.0, 0.0]], "y_adv": [1, -1]}
    >>> steps = {"schedule_f": Schedule(T=30.0, num_steps=9), "schedule_g": Schedule(T=30.0, num_steps=9)}
    >>> asked = {"width": 200, **steps, "delta": 0.05, "seed": 0}
    >>> certify_agreement_by_simulation([[2.0, 1.0]], **d, **adv, **asked).verdicts
    <1 verdict: 1 agree>
    """
    check_integer("seed", seed, minimum=0)
    X_adv = as_points("X_adv", X_adv)
    y_adv = as_labels("y_adv", y_adv, length=len(X_adv))
    risk = check_probability("delta", delta, parts=2)
    first, second = (int(word) for word in np.random.SeedSequence(seed).generate_state(2))
    f = certify_by_simulation(
        Z,
        X=X,
        y=y,
        width=width,
        schedule=schedule_f,
        negative_slope=negative_slope,
        delta=risk,
        simultaneous=simultaneous,
        num_neurons=num_neurons,
        seed=first,
    )
    g = certify_by_simulation(
        Z,
        X=X_adv,
        y=y_adv,
        width=width,
        schedule=schedule_g,
        negative_slope=negative_slope,
        delta=risk,
        simultaneous=simultaneous,
        num_neurons=num_neurons,
        seed=second,
    )
    return SimulatedAgreement(f=f, g=g)


@torch.no_grad()
def _outputs(network: TwoLayerNet, points: torch.Tensor) -> Array:
    outputs = np.empty((network.width, len(points)))
    for part in blocks(network.width, len(points)):
        hidden = torch.addmm(network.bias[part], points, network.weight[part].T)
        hidden = torch.nn.functional.leaky_relu(hidden, network.negative_slope)
        outputs[part] = (hidden * network.readout[part]).T.numpy()
    return outputs
