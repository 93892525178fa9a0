from .inequality import (
    Inequality as Inequality,
    Measurement as Measurement,
    describe as describe,
    measure as measure,
)
from .instance import (
    Ensemble as Ensemble,
    Instance as Instance,
    train_ensemble as train_ensemble,
)
from .moves import (
    Budget as Budget,
)
from .report import (
    counter_example as counter_example,
    write_counter_example as write_counter_example,
)
from .search import (
    Falsification as Falsification,
    falsify as falsify,
)
from .stated import (
    displacement_bound as displacement_bound,
    free_share_law as free_share_law,
    margin_theorem as margin_theorem,
    published_form as published_form,
    velocity_bound as velocity_bound,
)
