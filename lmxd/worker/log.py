"""The worker's log: one line an event on stderr, which is the run log of this instance.

Its last lines become a condition a person reads, so libraries are kept quiet and expected
failures are one sentence, not a traceback.
"""

from __future__ import annotations

import logging
import os
import sys

__all__ = ["flush", "quiet", "write"]


def write(event: str, **fields: object) -> None:
    """Writes one line: the event's constant name, then key=value pairs."""
    pairs = "".join(f" {key}={_value(value)}" for key, value in fields.items())
    sys.stderr.write(f"worker[{os.getpid()}] {event}{pairs}\n")
    sys.stderr.flush()


def flush() -> None:
    """Pushes out what libraries left in the buffers."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def quiet() -> None:
    """Call before heavy imports: no progress bars, no advice, no network, stdout joins stderr."""
    os.environ.update(
        HF_HUB_OFFLINE="1",  # what a worker loads is on disk and verified; it asks nobody
        HF_HUB_DISABLE_PROGRESS_BARS="1",
        HF_HUB_DISABLE_TELEMETRY="1",
        TOKENIZERS_PARALLELISM="false",
        TRANSFORMERS_VERBOSITY="error",
        TRANSFORMERS_NO_ADVISORY_WARNINGS="1",
    )
    sys.stdout = sys.stderr  # libraries print warnings there
    logging.basicConfig(format="%(name)s: %(message)s", level=logging.WARNING)
    logging.captureWarnings(capture=True)


def _value(value: object) -> str:
    text = str(value).replace("\n", "\\n")
    return repr(text) if " " in text or not text else text
