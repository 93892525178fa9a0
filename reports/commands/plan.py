"""`perturblearn plan`: when g will agree with f, and what to train, before anything is trained."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cyclopts import Parameter

from reports.options import Data, Run
from reports.terminal import Show


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Plan:
    """Options of `perturblearn plan`.

    Parameters
    ----------
    share
        Mean agreement of f and g that is asked for, in (0.5, 1).
    T_f
        Flow time of f (found if absent).
    T_g
        Flow time of g (found if absent).
    epsilon
        ε, the L2 norm of perturbations (default: the median norm of the samples, unless longer ones help).
    targets
        Target labels of perturbations (default: random, unless they cannot give the share).
    negative_slope
        γ of the leaky ReLU, in [0, 1).
    loss
        Loss that both networks are trained with.
    depth
        Hidden layers.
    rates
        Whether the first layer learns or all do.
    points
        Test points used, evenly spaced (default: 200; of deep networks 20).
    out
        Folder for plan.html and plan.json (none are written if absent).
    """

    share: float = 0.9
    T_f: float | None = None
    T_g: float | None = None
    epsilon: float | None = None
    targets: Literal["random", "balanced"] | None = None
    negative_slope: float = 0.0
    loss: Literal["identity"] = "identity"
    depth: int = 1
    rates: Literal["first", "all"] = "first"
    points: int | None = None
    out: Path | None = None


def plan(*, data: str, options: Plan = Plan(), columns: Data = Data()) -> Run:
    """Say when g will agree with f on data, how long both must train, and the setting of a report.

    Nothing is trained: chances are those of wide networks, identity loss, scenario (a).

    Parameters
    ----------
    data
        A data set or file, as of `report`.
    """
    from reports import ask, plans
    from reports.presets import two_names

    def run(_show: Show) -> str:
        every = columns.classes == "all"
        classes = columns.classes if every or columns.classes is None else two_names(columns.classes)
        asked = {name: value for name, value in vars(options).items() if name != "loss"}
        made = ask.plan(data, **asked, **vars(columns) | {"classes": classes})
        if options.out is None:
            return repr(made)
        folder = options.out / "*" if every else options.out
        return f"{made!r}\n\npage:    {folder / plans.PAGE}\nnumbers: {folder / plans.NUMBERS}"

    return run
