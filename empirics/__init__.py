"""Real networks: data, training, perturbations, and measurements of what the theory predicts."""

from importlib.util import find_spec

_missing = [name for name in ("numba", "torch", "sklearn") if find_spec(name) is None]
if _missing:
    _msg = f"empirics needs {' and '.join(_missing)}: pip install 'perturblearn[empirics]'"
    raise ImportError(_msg)

from empirics.adaptive_flow import SmoothFlow, smooth_flow  # noqa: E402
from empirics.config import ExperimentConfig  # noqa: E402
from empirics.data import (  # noqa: E402
    BreastCancerData,
    Dataset,
    DataSource,
    DigitsData,
    FashionMnistData,
    FileData,
    GaussianData,
    IdxData,
    MnistData,
    ShiftedGaussianData,
)
from empirics.descent import Trained, train, train_path  # noqa: E402
from empirics.exact_flow import Flow, flow  # noqa: E402
from empirics.experiment import ExperimentResult, run  # noqa: E402
from empirics.measure import accuracy, agreement, cosines, count_neurons, evaluate  # noqa: E402
from empirics.model import TwoLayerNet  # noqa: E402
from empirics.neurons import (  # noqa: E402
    Neurons,
    Schedule,
    SimulatedAgreement,
    certify_agreement_by_simulation,
    certify_by_simulation,
    simulate_neurons,
)
from empirics.outcome import Outcome  # noqa: E402
from empirics.perturb import Perturbations, adversarial_inputs, draw_targets, perturb  # noqa: E402
from empirics.plan import Plan, config_hash  # noqa: E402
from empirics.sweep import Summary, run_sweep  # noqa: E402

__all__ = [
    "BreastCancerData",
    "DataSource",
    "Dataset",
    "DigitsData",
    "ExperimentConfig",
    "ExperimentResult",
    "FashionMnistData",
    "FileData",
    "Flow",
    "GaussianData",
    "IdxData",
    "MnistData",
    "Neurons",
    "Outcome",
    "Perturbations",
    "Plan",
    "Schedule",
    "ShiftedGaussianData",
    "SimulatedAgreement",
    "SmoothFlow",
    "Summary",
    "Trained",
    "TwoLayerNet",
    "accuracy",
    "adversarial_inputs",
    "agreement",
    "certify_agreement_by_simulation",
    "certify_by_simulation",
    "config_hash",
    "cosines",
    "count_neurons",
    "draw_targets",
    "evaluate",
    "flow",
    "perturb",
    "run",
    "run_sweep",
    "simulate_neurons",
    "smooth_flow",
    "train",
    "train_path",
]
