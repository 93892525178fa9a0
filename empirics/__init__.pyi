from .adaptive_flow import (
    SmoothFlow as SmoothFlow,
    smooth_flow as smooth_flow,
)
from .config import (
    ExperimentConfig as ExperimentConfig,
)
from .data import (
    ArrayData as ArrayData,
    BreastCancerData as BreastCancerData,
    Dataset as Dataset,
    DataSource as DataSource,
    DigitsData as DigitsData,
    FashionMnistData as FashionMnistData,
    FileData as FileData,
    GaussianData as GaussianData,
    IdxData as IdxData,
    IrisData as IrisData,
    MnistData as MnistData,
    ShiftedGaussianData as ShiftedGaussianData,
    WineData as WineData,
)
from .deep import (
    DeepConfig as DeepConfig,
    DeepNetwork as DeepNetwork,
    Linearised as Linearised,
    largest_eigenvalue as largest_eigenvalue,
    linearise as linearise,
    make_module as make_module,
    measure_pair as measure_pair,
    train_module as train_module,
)
from .descent import (
    Trained as Trained,
    train as train,
    train_path as train_path,
)
from .exact_flow import (
    Flow as Flow,
    flow as flow,
)
from .experiment import (
    run as run,
)
from .laws import (
    LawConfig as LawConfig,
    measure_law as measure_law,
)
from .measure import (
    accuracy as accuracy,
    agreement as agreement,
    cosines as cosines,
    count_neurons as count_neurons,
    evaluate as evaluate,
)
from .measure.result import (
    ExperimentResult as ExperimentResult,
)
from .model import (
    TwoLayerNet as TwoLayerNet,
)
from .neurons import (
    Neurons as Neurons,
    Schedule as Schedule,
    SimulatedAgreement as SimulatedAgreement,
    certify_agreement_by_simulation as certify_agreement_by_simulation,
    certify_by_simulation as certify_by_simulation,
    simulate_neurons as simulate_neurons,
)
from .perturb import (
    Perturbations as Perturbations,
    adversarial_inputs as adversarial_inputs,
    draw_targets as draw_targets,
    perturb as perturb,
)
from .sweep import (
    Outcome as Outcome,
    Plan as Plan,
    Summary as Summary,
    run_sweep as run_sweep,
)
from .wide import (
    WIDE as WIDE,
    config_hash as config_hash,
)
