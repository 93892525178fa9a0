"""Modules by name: a few common architectures, and functions in files of the user."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import math
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from empirics.sweep.plain import digest


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
        "FILE.py:FUNCTION", a function from a seed to a module, which also takes those of `dim` and `width`
        that it names.  It may import other files of its folder.
    dim, width : int
        d, and the number of neurons or channels of a layer.
    seed : int

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    ValueError
        If there is no such name, file or function, or it fails, or what it returns is no module.

    Examples
    --------
    >>> from empirics import make_module
    >>> sum(p.numel() for p in make_module("mlp", dim=2, width=8, seed=0).parameters())
    105
    """
    check_module("module", name)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if is_file(name):
            with _function(name) as function:
                made = function(seed, **_named(function, dim=dim, width=width))
            if not isinstance(made, nn.Module):
                msg = f"{name} must return a torch.nn.Module, got {type(made).__name__}"
                raise ValueError(msg)
            return made
        return BUILT_IN[name](dim, width)


def check_module(field: str, name: object, *others: str) -> str:
    """Return what must be the name of a built-in module or of a function in a file, or one of `others`."""
    known = (*others, *BUILT_IN)
    said = f"{field} must be one of {', '.join(known)}, or FILE.py:FUNCTION, got {name!r}"
    if not isinstance(name, str):
        raise TypeError(said)
    if not is_file(name) and name not in known:
        raise ValueError(said)
    return name


def is_file(name: str) -> bool:
    """Tell whether the name of a module is that of a function in a file."""
    return ".py:" in name


def has_width(name: str) -> bool:
    """Tell whether a module of this name has a width; a function in a file has one if it names it."""
    if not is_file(name):
        return True
    with _function(name) as function:
        return "width" in _named(function, width=1)


def placed(name: str) -> str:
    """Return the name of a module with the whole path of its file, which another folder finds."""
    path, _, function = name.rpartition(":")
    return f"{Path(path).resolve()}:{function}" if is_file(name) else name


def module_digest(name: str) -> str | None:
    """Return a SHA-256 of the file of a module, of all that it imports from its folder, and of its function.

    None for a built-in one.  Files that it reads otherwise, such as of weights, are not covered.
    """
    if not is_file(name):
        return None
    path, function = _parts(name)
    found = {str(file.relative_to(path.parent)): file for file in _own(path, name).values()}
    contents = {place: hashlib.sha256(file.read_bytes()).hexdigest() for place, file in found.items()}
    return digest([path.name, function, contents])


def _parts(name: str) -> tuple[Path, str]:
    """Return the file, which exists, and the name of the function."""
    path, _, function = name.rpartition(":")
    if not Path(path).is_file():
        msg = f"module must name a file, FILE.py:FUNCTION, got no file {path!r}"
        raise ValueError(msg)
    return Path(path).resolve(), function


def _own(path: Path, name: str) -> dict[str, Path]:
    """Return the file, as "__main__", and those in its folder that it imports, by their names as modules."""
    finder = ModuleFinder(path=[str(path.parent)])
    with _explained(name):
        finder.run_script(str(path))
    files = {module: getattr(one, "__file__", None) for module, one in finder.modules.items()}
    return {module: Path(file) for module, file in files.items() if file is not None}


_LOADING = threading.RLock()  # what is imported is one for all threads


@contextmanager
def _function(name: str) -> Iterator[Callable[..., object]]:
    """Give a function of a file, while its folder is the first place to import from, as of a script.

    Modules of the folder are forgotten afterwards: another folder may have others of the same names, and the
    same one may have changed.
    """
    path, function = _parts(name)
    own = _own(path, name).keys()
    spec = importlib.util.spec_from_file_location("_network_of_the_user", path)
    assert spec is not None
    assert spec.loader is not None
    with _LOADING:
        held = {module: sys.modules.pop(module) for module in own - {"__main__"} if module in sys.modules}
        unwritten, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the folder stays as it is
        sys.path.insert(0, str(path.parent))
        importlib.invalidate_caches()
        try:
            with _explained(name):
                module = importlib.util.module_from_spec(spec)
                sys.modules[spec.name] = module  # dataclasses look up their types there
                spec.loader.exec_module(module)
                found = getattr(module, function, None)
            if not callable(found):
                msg = f"module must name a function of {path}, got {function!r}"
                raise ValueError(msg)
            with _explained(name):
                yield found
        finally:
            sys.path.remove(str(path.parent))
            sys.dont_write_bytecode = unwritten
            for one in own - {"__main__"}:
                sys.modules.pop(one, None)
            sys.modules.update(held)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn whatever code of the user raises into one error that names it."""
    try:
        yield
    except Exception as error:
        said = next(iter(str(error).splitlines()), "")
        msg = f"{name} must make a network, got {type(error).__name__}: {said}"
        raise ValueError(msg) from error


def _named(function: Callable[..., object], **sizes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return those sizes that a function names as its arguments."""
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):  # of what is written in C
        return {}
    return {size: value for size, value in sizes.items() if size in known}
