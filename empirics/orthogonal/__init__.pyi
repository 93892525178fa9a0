from .attacks import (
    Attack as Attack,
    attack as attack,
)
from .config import (
    OrthogonalConfig as OrthogonalConfig,
    draw as draw,
)
from .experiment import (
    run_orthogonal as run_orthogonal,
)
from .given import (
    MOST_SAMPLES as MOST_SAMPLES,
    amplitude_for as amplitude_for,
    epsilon_for as epsilon_for,
    examine as examine,
    load_given as load_given,
)
from .runs import (
    data_digest as data_digest,
    orthogonal as orthogonal,
)
from .training import (
    Convergence as Convergence,
    LimitTraining as LimitTraining,
    alignment as alignment,
    boundary_direction as boundary_direction,
    initialise as initialise,
    train_to_limit as train_to_limit,
)
