"""The preparation thread: requests in, prepared requests, answers or refusals out, in order.

Templates and tokenizers take milliseconds to seconds on a long prompt; the engine thread must not
stop decoding for that. A request that fails here, or needs only a tokenizer, never reaches the
engine.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable

from lmxd.worker import log
from lmxd.worker.engine import Answered, Prepared
from lmxd.worker.inbox import Inbox, Item
from lmxd.worker.pulse import Pulse
from schemas.errors import Code, RequestError
from schemas.inference import Event, Failed, Finish, Request, Timings, Usage

__all__ = ["Preparation", "refusal"]

_NOTHING = Timings(0.0, 0.0, 0.0)
_Prepare = Callable[[Request, float], Prepared | Answered]


def refusal(request_id: str, code: str, message: str, hint: str | None = None) -> Answered:
    """The events of a request that fails before any token."""
    return Answered(
        (
            Failed(request_id, 0, code, message, hint, retryable=code == Code.MODEL_DRAINING),
            Usage(request_id, 0, 0, 0, 0, _NOTHING),
        )
    )


class Preparation:
    """Owns the requests between their arrival and the engine's inbox."""

    def __init__(self, inbox: Inbox, pulse: Pulse) -> None:
        self._pulse = pulse
        self._inbox = inbox
        self._requests: queue.SimpleQueue[tuple[Request, float]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._pending: set[str] = set()
        self._cancelled: set[str] = set()

    def start(self, prepare: _Prepare) -> None:
        """Starts the thread; requests that came before are waiting."""
        threading.Thread(
            target=self._run, args=(prepare,), name="worker-prepare", daemon=True
        ).start()

    @property
    def pending(self) -> int:
        """Requests not yet handed on."""
        return len(self._pending)

    def submit(self, request: Request) -> None:
        """Queues a request; called on the I/O thread."""
        with self._lock:
            self._pending.add(request.id)
            self._pulse.preparing = len(self._pending)
        self._requests.put((request, time.monotonic()))

    def cancel(self, request_id: str) -> bool:
        """Whether the request was still here; then it ends here."""
        with self._lock:
            if request_id not in self._pending:
                return False
            self._cancelled.add(request_id)
            return True

    def _run(self, prepare: _Prepare) -> None:
        while True:
            request, arrived = self._requests.get()
            item = self._prepared(prepare, request, arrived)
            # One lock around both: a cancel finds the request here or, after it, in the engine.
            with self._lock:
                self._pending.discard(request.id)
                self._pulse.preparing = len(self._pending)
                if request.id in self._cancelled:
                    self._cancelled.discard(request.id)
                    item = _cancelled(request.id)
                self._inbox.put(item)

    @staticmethod
    def _prepared(prepare: _Prepare, request: Request, arrived: float) -> Item:
        try:
            return prepare(request, arrived)
        except RequestError as error:
            return refusal(request.id, error.code, error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - whatever a tokenizer throws fails one request
            log.write("prepare-failed", request=request.id, error=repr(error))
            return refusal(request.id, Code.INTERNAL, f"the request could not be prepared: {error}")


def _cancelled(request_id: str) -> Answered:
    events: tuple[Event, ...] = (
        Finish(request_id, 0, "cancelled"),
        Usage(request_id, 0, 0, 0, 0, _NOTHING),
    )
    return Answered(events)
