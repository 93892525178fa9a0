from .experiment import (
    Experiment as Experiment,
)
from .outcome import (
    Cell as Cell,
    Outcome as Outcome,
)
from .plan import (
    Axis as Axis,
    Block as Block,
    Plan as Plan,
    plan_of_configs as plan_of_configs,
)
from .runner import (
    Summary as Summary,
    finished as finished,
    records as records,
    run_sweep as run_sweep,
)
