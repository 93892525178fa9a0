"""Tasks whose module imports nothing slow."""

import os
import sys


def late(_task):
    """Yield which slow libraries were there, and how many threads they have once they are."""
    before = {"torch", "numba"} & set(sys.modules)
    import numba  # noqa: PLC0415
    import torch  # noqa: PLC0415

    yield before, torch.get_num_threads(), numba.get_num_threads()


def folder(_task):
    """Yield a variable of the environment."""
    yield os.environ.get("FAKE_FOLDER")
