"""How many threads BLAS, torch and numba use: one in each task, so that sums are taken in one order.

Both are imported late: a process that starts may need neither.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import threadpool_limits

_OF_CHILDREN = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
) | {
    # The C library else gives the memory of each temporary array back, and pages it in anew for the next.
    name: str(1 << 25)
    for name in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_")
}
# pandas may import pyarrow, whose thread a copy of the process would lack.
_OF_CHILDREN["JE_ARROW_MALLOC_CONF"] = "background_thread:false"


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def set_one_thread_of_child() -> None:
    """Let what is loaded use one thread; the rest reads variables, see `one_thread_in_children`."""
    if "numba" in sys.modules or "torch" in sys.modules:
        set_threads(1)
    else:
        threadpool_limits(1)


def set_threads(number: int) -> None:
    """Let BLAS, torch and numba use so many threads in this process, from now on."""
    import numba  # noqa: PLC0415
    import torch  # noqa: PLC0415

    # First, as numba sets the threads of OpenMP, which torch may share, to its own number when it starts.
    numba.set_num_threads(number)
    threadpool_limits(number)
    torch.set_num_threads(number)


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep this process on one thread for a while."""
    import numba  # noqa: PLC0415
    import torch  # noqa: PLC0415

    of_torch, of_numba = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(of_torch)  # numba may have changed it, see above
    with threadpool_limits(1):
        try:
            yield
        finally:
            torch.set_num_threads(of_torch)
            numba.set_num_threads(of_numba)


@contextmanager
def one_thread_in_children() -> Iterator[None]:
    """Let processes that start meanwhile have one thread each: they inherit variables that say so."""
    before = {name: os.environ.get(name) for name in _OF_CHILDREN}
    os.environ.update(_OF_CHILDREN)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
