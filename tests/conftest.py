"""What all tests need of the process they run in."""

from __future__ import annotations

import signal

import hypothesis

# How long an example takes says something about the machine and nothing about the code.
hypothesis.settings.register_profile("lmxd", deadline=None)
hypothesis.settings.load_profile("lmxd")

# A shell that runs this in the background has SIGINT ignored, and every child would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
