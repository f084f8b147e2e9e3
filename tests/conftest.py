"""What all tests need of the process they run in."""

from __future__ import annotations

import signal

# A shell that runs this in the background has SIGINT ignored, and every child would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
