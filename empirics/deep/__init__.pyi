from .builtin import (
    make_module as make_module,
)
from .config import (
    DeepConfig as DeepConfig,
)
from .experiment import (
    DEEP as DEEP,
    measure_pair as measure_pair,
)
from .modules import (
    Linearised as Linearised,
    largest_eigenvalue as largest_eigenvalue,
    linearise as linearise,
    train_module as train_module,
)
from .network import (
    DeepNetwork as DeepNetwork,
)
