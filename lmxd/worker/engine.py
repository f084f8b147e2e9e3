"""What the worker process asks of an engine, whichever library does the work.

`lmxd.worker.process` is the only caller. An engine is a module with `warm` and `open_engine`; it
is imported by name, so that a worker pays only for the library it uses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lmxd.worker.pulse import Pulse
from lmxd.worker.reading import PLAIN, Reading
from schemas.frames import Load
from schemas.inference import Event, Request, Sampling

__all__ = ["Answered", "Engine", "EngineModule", "Opening", "Prepared", "Report"]

Report = Callable[[int, int], None]
"""Called with bytes done and bytes in all while a model loads."""


@dataclass(frozen=True, slots=True)
class Opening:
    """One prompt in tokens.

    limit: most tokens to generate; 0 only where the prompt itself is wanted. shown: the text that
    comes before the answer. ends: tokens that end this answer, beside the model's own. reading:
    how the answers are read, and what binds them. segments: of a pair of texts, for each token
    which of them it belongs to; () is the first.
    """

    tokens: Sequence[int]
    limit: int
    shown: str = ""
    ends: frozenset[int] = frozenset()
    reading: Reading = PLAIN
    segments: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A valid request in tokens.

    openings: one for each prompt, and `request.n` answers to each. sampling: nothing left open
    but the seed; answer i to a prompt has the seed + i. arrived: `time.monotonic` when the worker
    got it.
    """

    request: Request
    openings: tuple[Opening, ...]
    sampling: Sampling
    arrived: float


@dataclass(frozen=True, slots=True)
class Answered:
    """A request that ended before it reached the engine, with its events."""

    events: tuple[Event, ...]


class Engine(Protocol):
    """One loaded model. Everything but `prepare` is called on the engine thread only."""

    context: int
    capabilities: tuple[str, ...]
    tokenizer_sha: str

    @property
    def busy(self) -> bool:
        """Whether `step` has something to do."""

    def memory(self) -> int:
        """Bytes this model takes now: resident, or on the device where that is more."""

    def prepare(self, request: Request, arrived: float) -> Prepared | Answered:
        """Template, tokens and checks, and the answer where no model is needed for it; called on
        the preparation thread; raises RequestError.
        """

    def submit(self, prepared: Prepared) -> None:
        """Queues a request: its `Accepted` is among the events of the next step."""

    def cancel(self, request_id: str) -> None:
        """Ends a request with `Finish(cancelled)`; an unknown id is nothing."""

    def limit_memory(self, limit: int) -> None:
        """Device memory in bytes that this process may use from now on."""

    def step(self) -> list[Event]:
        """One step of the whole batch; an error that leaves through here is fatal."""

    def abort(self, code: str, message: str) -> list[Event]:
        """Fails everything that is waiting or running."""


class EngineModule(Protocol):
    """The module of one engine."""

    def warm(self) -> dict[str, str]:
        """Imports the library, touches no device; gives library versions."""

    def open_engine(self, load: Load, pulse: Pulse, report: Report) -> Engine:
        """Loads and warms up; raises ActionError with the reason of a `LoadFailed`."""
