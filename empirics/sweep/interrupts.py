"""Signals that ask a command to end: Ctrl-C, and those of batch systems and of terminals that close."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@contextmanager
def interruptible() -> Iterator[list[int]]:
    """Let each of these signals raise KeyboardInterrupt; the list gets their numbers.

    What is ignored, as after nohup, stays ignored.
    """
    received: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        raise KeyboardInterrupt

    with _handled(interrupt):
        yield received


@contextmanager
def undisturbed() -> Iterator[None]:
    """Let these signals do nothing for a moment."""
    with _handled(signal.SIG_IGN):
        yield


@contextmanager
def _handled(handler: Any) -> Iterator[None]:  # noqa: ANN401  (as in `signal`)
    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    before = {number: old for number, old in before.items() if old not in {signal.SIG_IGN, None}}
    for number in before:
        signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def held_back() -> Iterator[None]:
    """Let these signals wait for a moment; processes that start meanwhile never see Ctrl-C."""
    received: list[int] = []
    masks = hasattr(signal, "pthread_sigmask")
    with _handled(lambda number, _frame: received.append(number)):
        # A mask is inherited.  It does not keep signals from other threads of this process.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masks else set()
        try:
            yield
        finally:
            if masks:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if received:
        signal.raise_signal(received[0])
