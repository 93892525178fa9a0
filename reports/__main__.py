"""The command `perturblearn`, also as `python -m reports`.

It imports nothing slow before it has seen to signals and streams: the rest takes seconds to load.
"""

import gc
import os
import signal
import sys
from contextlib import suppress
from types import FrameType

import reports


def main() -> int:
    """Run the command line of this process and return its exit code."""
    gc.set_threshold(50_000, 20, 20)  # imports and figures make many objects and hardly any garbage
    _open_streams()
    # What is ignored, as after nohup, stays ignored.
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    if said := reports.missing():
        sys.stderr.write(f"perturblearn: error: {said}\n")
        return 2
    from reports import cli  # noqa: PLC0415

    return cli.main()


def _end(number: int, _frame: FrameType | None) -> None:
    """End at once: nothing has begun, or all is done.

    An exception would be lost in the modules that are being imported.
    """
    with suppress(OSError):
        os.write(2, b"perturblearn: interrupted\n")
    os._exit(128 + number)


def _open_streams() -> None:
    """Put something in the place of streams that the caller closed: the next file opened would be there."""
    for stream, flags in enumerate(
        (os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)
    ):  # stdout: refuses what is written
        try:
            os.fstat(stream)
        except OSError:
            os.set_inheritable(os.open(os.devnull, flags), True)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


if __name__ == "__main__":
    sys.exit(main())
