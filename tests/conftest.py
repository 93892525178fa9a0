"""Hypothesis profiles: dev 25 examples, ci 200 (derandomised), thorough 10,000.  And a Ctrl-C that works."""

import os
import signal

import hypothesis

hypothesis.settings.register_profile("dev", max_examples=25, deadline=None)
hypothesis.settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True)
hypothesis.settings.register_profile("thorough", max_examples=10_000, deadline=None)
_default = "ci" if os.environ.get("CI") else "dev"
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", _default))

# A shell starts what runs in the background with interrupts ignored, which tests of Ctrl-C would inherit.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
