"""What a pair of networks of any depth or architecture is: its fields, and an architecture in words."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from empirics.data import DataSource
from empirics.deep.builtin import check_module, placed
from empirics.perturb import TARGETS, Targets
from theory.deep import Architecture
from theory.setting import LOSSES, SCENARIOS, Loss, Scenario
from theory.validation import check_choice, check_integer, check_real, check_slope

FULLY_CONNECTED = "fully-connected"


@dataclass(frozen=True, kw_only=True)
class DeepConfig:
    """A pair of networks: f trained on data, g, of the same or another architecture, on perturbations of f.

    Raises
    ------
    ValueError, TypeError
        On construction, if a field breaks its rule.
    """

    data: DataSource
    width: int  # m of both networks
    depth: int = 1  # L of f; fully connected networks only, as the next two
    negative_slope: float = 0.0  # γ
    rates: Literal["first", "all"] = "first"  # which layers learn
    residual: float | None = None  # α of residual blocks
    module: str = FULLY_CONNECTED  # or a built-in module, or FILE.py:FUNCTION, then with its whole path
    depth_g: int | None = None  # of g; as those of f where they are not given
    negative_slope_g: float | None = None
    rates_g: Literal["first", "all"] | None = None
    module_g: str | None = None
    scenario: Scenario = "a"
    epsilon: float | None = None  # L2 norm of perturbations; None: √d
    # T_f and T_g: with the identity loss T|F| is this many times the initial deviation, in the median over
    # test points.
    times: float = 2.0
    T_f: float | None = None  # flow times in place of those
    T_g: float | None = None
    # Other pairs, drawn and not trained, beside which this one is put at these times; see `measure_times`.
    untrained: int = 0
    num_steps: int = 10
    momentum: float = 0.0  # of heavy-ball descent
    loss: Loss = "identity"
    targets: Targets = "random"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("width", "num_steps"):
            check_integer(name, getattr(self, name), minimum=1)
        for name in ("module", "module_g"):
            module = getattr(self, name)
            if module is not None:
                object.__setattr__(self, name, placed(check_module(name, module, FULLY_CONNECTED)))
        _ = self.f, self.g  # architectures check their own fields
        own = {"": self.module, "_g": self.module_g}
        plain = {"depth": 1, "negative_slope": 0.0, "rates": "first"}
        for end, module in own.items():
            given = [n for n, v in plain.items() if getattr(self, n + end) not in (None, v)]
            if module not in (None, FULLY_CONNECTED) and given:
                msg = f"{given[0]}{end} must be left out with module{end} {module!r}, which has its own"
                raise ValueError(msg)
        check_choice("scenario", self.scenario, SCENARIOS)
        check_choice("targets", self.targets, TARGETS)
        check_choice("loss", self.loss, LOSSES)
        check_slope("momentum", self.momentum)
        check_real("times", self.times, minimum=0, exclusive=True)
        for name in ("T_f", "T_g"):
            if getattr(self, name) is not None:
                check_real(name, getattr(self, name), minimum=0)
        check_integer("untrained", self.untrained, minimum=0)
        if self.untrained and (None in (self.T_f, self.T_g) or self.f != self.g or isinstance(self.f, str)):
            msg = (
                "untrained needs T_f, T_g and fully connected f and g of one architecture, got "
                f"T_f={self.T_f}, T_g={self.T_g} and {self.f}, {self.g}"
            )
            raise ValueError(msg)
        if self.epsilon is not None:
            check_real("epsilon", self.epsilon, minimum=0, exclusive=True)
        check_integer("seed", self.seed, minimum=0)

    @property
    def f(self) -> Architecture | str:
        """The architecture of f, or the name of its module."""
        return self._of(self.module, self.depth, self.negative_slope, self.rates)

    @property
    def g(self) -> Architecture | str:
        """The architecture of g, or the name of its module."""
        depth = self.depth if self.depth_g is None else self.depth_g
        slope = self.negative_slope if self.negative_slope_g is None else self.negative_slope_g
        return self._of(self.module_g or self.module, depth, slope, self.rates_g or self.rates)

    def _of(
        self, module: str, depth: int, slope: float, rates: Literal["first", "all"]
    ) -> Architecture | str:
        if module != FULLY_CONNECTED:
            return module
        return Architecture(depth=depth, negative_slope=slope, rates=rates, residual=self.residual)

    def length(self, dim: int) -> float:
        """Return ε of samples with so many coordinates."""
        return math.sqrt(dim) if self.epsilon is None else self.epsilon

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values; the data source under its name.

        Without times and untrained pairs that are not asked for: results are filed under what this returns.
        """
        later = {"T_f": None, "T_g": None, "untrained": 0}
        found = asdict(self) | {"data": {"source": self.data.name, **asdict(self.data)}}
        return {name: value for name, value in found.items() if value != later.get(name, ...)}


def architecture_text(one: Architecture | str) -> str:
    """Return an architecture in words."""
    if isinstance(one, str):
        return f"module {Path(one).name}"
    slope = f", γ = {one.negative_slope:g}" if one.negative_slope else ""
    blocks = "" if one.residual is None else f", residual blocks with α = {one.residual:g}"
    learns = {"first": "training the first layer", "all": "training all layers"}
    rates = learns.get(str(one.rates), f"rates {one.rates}")
    return f"{one.depth} hidden {'layer' if one.depth == 1 else 'layers'}, {rates}{slope}{blocks}"
