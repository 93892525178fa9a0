"""Real networks: data, training, perturbations, and measurements of what the theory predicts."""

from importlib.util import find_spec

_missing = [name for name in ("torch", "sklearn") if find_spec(name) is None]
if _missing:
    _msg = f"empirics needs {' and '.join(_missing)}: pip install 'perturblearn[empirics]'"
    raise ImportError(_msg)

from empirics.config import ExperimentConfig  # noqa: E402
from empirics.data import (  # noqa: E402
    BreastCancerData,
    Dataset,
    DataSource,
    DigitsData,
    FileData,
    GaussianData,
    ShiftedGaussianData,
)
from empirics.descent import Trained, train  # noqa: E402
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
from empirics.perturb import Perturbations, adversarial_inputs, draw_targets, perturb  # noqa: E402

__all__ = [
    "BreastCancerData",
    "DataSource",
    "Dataset",
    "DigitsData",
    "ExperimentConfig",
    "ExperimentResult",
    "FileData",
    "GaussianData",
    "Neurons",
    "Perturbations",
    "Schedule",
    "ShiftedGaussianData",
    "SimulatedAgreement",
    "Trained",
    "TwoLayerNet",
    "accuracy",
    "adversarial_inputs",
    "agreement",
    "certify_agreement_by_simulation",
    "certify_by_simulation",
    "cosines",
    "count_neurons",
    "draw_targets",
    "evaluate",
    "perturb",
    "run",
    "simulate_neurons",
    "train",
]
