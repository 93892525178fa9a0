"""Import matplotlib whatever its user has set: no drawing here depends on that, see `reports.svg.drawing`."""

import contextlib
import importlib
import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path


def load() -> None:
    """Import what draws, without its warnings about folders and settings of the user.

    Settings that matplotlib refuses, such as ``MPLBACKEND=nonsense``, are left out for the process.
    """
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        try:
            importlib.import_module("matplotlib.figure")
        except ImportError:
            raise
        except Exception:  # of a setting, or a file of settings
            _load_with_defaults()
    finally:
        logger.setLevel(level)


def _load_with_defaults() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        del sys.modules[name]
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise AssertionError
    backend = os.environ.pop("MPLBACKEND", None)
    try:
        # The first file of settings is that of the current folder; this folder has the default one.
        with contextlib.chdir(Path(spec.origin).parent / "mpl-data"):
            importlib.import_module("matplotlib.figure")
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend


load()

from matplotlib import rc_context, rcParamsDefault  # noqa: E402
from matplotlib.axes import Axes  # noqa: E402
from matplotlib.axis import Axis  # noqa: E402
from matplotlib.backends.backend_svg import RendererSVG  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter  # noqa: E402

__all__ = [
    "Axes",
    "Axis",
    "Figure",
    "FixedLocator",
    "FuncFormatter",
    "MaxNLocator",
    "NullFormatter",
    "RendererSVG",
    "rcParamsDefault",
    "rc_context",
]
