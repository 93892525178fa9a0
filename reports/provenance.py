"""Where results come from: versions, revision, machine."""

import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path

import torch

from empirics.record import Count, Record
from theory.validation import check_kind

_PACKAGES = ("perturblearn", "numpy", "scipy", "sympy", "mpmath", "torch", "scikit-learn", "matplotlib")


class Machine(Record, frozen=True):
    """What ran it."""

    system: str
    threads: Count
    device: str


class Origin(Record, frozen=True):
    """What something was made by."""

    command: str
    versions: dict[str, str | None]
    revision: str | None
    machine: Machine


def provenance(*, command: str, device: str) -> Origin:
    """Return versions, git revision and machine.

    Parameters
    ----------
    command : str
        What the user typed.
    device : str
        Where networks are trained.

    Returns
    -------
    Origin
        ``revision`` is None outside a git checkout of the project.

    Raises
    ------
    ValueError, TypeError
        If `device` is none that torch sees, or an argument is not text.

    Examples
    --------
    >>> from reports import provenance
    >>> provenance(command="mine", device="cpu").machine.device
    'cpu'
    """
    check_kind("command", command, str, "text")
    check_device(device)
    name = device if device == "cpu" else f"{device} ({torch.cuda.get_device_name(device)})"
    system = f"{platform.system()} {platform.machine()}"
    machine = Machine(system=system, threads=torch.get_num_threads(), device=name)
    return Origin(command=command, versions=versions(), revision=_revision(), machine=machine)


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of the packages that numbers depend on."""
    return {"python": platform.python_version()} | {name: _version(name) for name in _PACKAGES}


def check_device(device: str) -> None:
    """Refuse a device that torch does not see."""
    check_kind("device", device, str, "cpu, cuda or cuda:N")
    match = re.fullmatch(r"cpu|cuda(?::(\d+))?", device)
    if match is None:
        msg = f"device must be cpu, cuda or cuda:N, got {device!r}"
        raise ValueError(msg)
    if device != "cpu" and int(match[1] or 0) >= torch.cuda.device_count():
        msg = (
            f"device must be present, got {device!r} but torch sees {torch.cuda.device_count()} such devices"
        )
        raise ValueError(msg)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _revision() -> str | None:
    """Revision of the checkout this file lies in, with "+changes" if the tree differs from it."""
    root = Path(__file__).resolve().parent.parent
    if not (root / ".git").exists():
        return None
    revision = _git(root, "rev-parse", "--short=12", "HEAD")
    if revision is None:
        return None
    return revision + ("+changes" if _git(root, "status", "--porcelain") else "")


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
