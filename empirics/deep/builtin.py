"""Modules by name: a few common architectures, and functions in files of the user."""

from __future__ import annotations

import hashlib
import importlib.util
import math
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from theory.validation import check_choice


class _Residual(nn.Module):
    """h + branch(h)."""

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, h: Tensor) -> Tensor:
        changed: Tensor = h + self.branch(h)
        return changed


def _mlp(dim: int, width: int, between: Callable[[], list[nn.Module]]) -> nn.Module:
    first, second = nn.Linear(dim, width), nn.Linear(width, width)
    return nn.Sequential(first, *between(), second, *between(), nn.Linear(width, 1))


def _residual_mlp(dim: int, width: int) -> nn.Module:
    blocks = [_Residual(nn.Sequential(nn.ReLU(), nn.Linear(width, width))) for _ in range(2)]
    return nn.Sequential(nn.Linear(dim, width), *blocks, nn.ReLU(), nn.Linear(width, 1))


def _cnn(dim: int, width: int) -> nn.Module:
    side = math.isqrt(dim)
    if side * side != dim:
        msg = f"module cnn must have square images of one channel, got {dim} features"
        raise ValueError(msg)
    return nn.Sequential(
        nn.Unflatten(1, (1, side, side)),
        nn.Conv2d(1, width, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(width, width, 3, padding=1, stride=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(4 * width, 1),
    )


BUILT_IN: dict[str, Callable[[int, int], nn.Module]] = {
    "mlp": lambda dim, width: _mlp(dim, width, lambda: [nn.ReLU()]),
    "gelu-mlp": lambda dim, width: _mlp(dim, width, lambda: [nn.GELU()]),
    "layer-norm-mlp": lambda dim, width: _mlp(dim, width, lambda: [nn.LayerNorm(width), nn.ReLU()]),
    "residual-mlp": _residual_mlp,
    "cnn": _cnn,
}


def make_module(name: str, *, dim: int, width: int, seed: int) -> nn.Module:
    """Return a module by name, with torch's own initialisation, the same for the same seed.

    Parameters
    ----------
    name : str
        "mlp", "gelu-mlp", "layer-norm-mlp" (two hidden layers), "residual-mlp", "cnn" (square images), or
        "FILE.py:FUNCTION", a function from a seed to a module, to which `dim` and `width` do not matter.
    dim, width : int
        d, and the number of neurons or channels of a layer.
    seed : int

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If there is no such name, file or function, or what it returns is no module.

    Examples
    --------
    >>> from empirics import make_module
    >>> sum(p.numel() for p in make_module("mlp", dim=2, width=8, seed=0).parameters())
    105
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if ".py:" in name:
            made = _function(name)(seed)
            if not isinstance(made, nn.Module):
                msg = f"{name} must return a torch.nn.Module, got {type(made).__name__}"
                raise ValueError(msg)
            return made
        check_choice("module", name, tuple(BUILT_IN))
        return BUILT_IN[name](dim, width)


def module_digest(name: str) -> str | None:
    """Return the SHA-256 of the file of a module and the name of its function; None for a built-in one."""
    if ".py:" not in name:
        return None
    path, function = _parts(name)
    return hashlib.sha256(Path(path).read_bytes() + function.encode()).hexdigest()


def _parts(name: str) -> tuple[str, str]:
    """Return the file, which exists, and the name of the function."""
    path, function = name.rsplit(":", 1)
    if not Path(path).is_file():
        msg = f"module must name a file, FILE.py:FUNCTION, got no file {path!r}"
        raise ValueError(msg)
    return path, function


def _function(name: str) -> Callable[[int], object]:
    path, function = _parts(name)
    spec = importlib.util.spec_from_file_location("_network_of_the_user", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look up their types there
    spec.loader.exec_module(module)
    found = getattr(module, function, None)
    if not callable(found):
        msg = f"module must name a function of {path}, got {function!r}"
        raise ValueError(msg)
    return found  # type: ignore[no-any-return]
