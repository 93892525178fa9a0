"""Hypothesis profiles: dev and ci 25 examples (ci derandomised), all 200, thorough 10,000.

And one thread for each of several workers, a Ctrl-C that works, and a disk that is full or read-only.
"""

import gc
import os
import resource
import signal
import subprocess
from pathlib import Path

import hypothesis
import pytest

from tests import warm

# Workers on all cores whose libraries use all cores spend most of their time waiting for each other.
if "PYTEST_XDIST_WORKER" in os.environ:
    for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(_variable, "1")

gc.set_threshold(100_000, 20, 20)  # a fifth of the time of collection

hypothesis.settings.register_profile("dev", max_examples=25, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=25, deadline=None, derandomize=True)
hypothesis.settings.register_profile("all", max_examples=200, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=10_000, deadline=None)
_default = "ci" if os.environ.get("CI") else "dev"
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", _default))

# What runs in the background may be started with these signals ignored, which tests of them would inherit.
for _signal, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
    if signal.getsignal(_signal) is signal.SIG_IGN:
        signal.signal(_signal, _handler)


def pytest_collection_finish():
    """Leave what was collected out of the search for cycles, which else takes a twentieth of the time.

    And let the processes of sweeps be copies of one that has imported what they need.
    """
    gc.collect()
    gc.freeze()
    if "PYTEST_XDIST_WORKER" in os.environ:  # where tests with processes are sure to come
        from empirics.sweep import executors  # noqa: PLC0415  (numpy reads the variables above)

        executors.prepare(*warm.MODULES, "pytest")


_FILE_SIZE = resource.getrlimit(resource.RLIMIT_FSIZE)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call():
    """Lift the limit of `full_disk` before the outcome is told, perhaps to a long file."""
    try:
        return (yield)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, _FILE_SIZE)


class Disk(type(Path())):
    """A folder that takes fewer than `room` bytes more, and why."""

    room = 1 << 14
    reason: str


@pytest.fixture(params=["limit", "full", "read-only"])
def full_disk(request, tmp_path):
    """Return a folder where nothing large can be written: a limit on files, a small disk, a read-only one."""
    disk = Disk(tmp_path / "disk")
    disk.mkdir()
    if request.param == "limit":
        disk.reason = "File too large"
        resource.setrlimit(resource.RLIMIT_FSIZE, (disk.room // 4, _FILE_SIZE[1]))
        yield disk
        resource.setrlimit(resource.RLIMIT_FSIZE, _FILE_SIZE)
        return
    disk.reason, option = {
        "full": ("No space left on device", "size=64k"),
        "read-only": ("Read-only file system", "ro"),
    }[request.param]
    mount = ["mount", "-t", "tmpfs", "-o", option, "tmpfs", disk]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is for the superuser, where it is allowed at all")
    if request.param == "full":
        (disk / "filler").write_bytes(bytes(60 << 10))
    yield disk
    subprocess.run(["umount", disk], check=True)
