"""The one error tree of lmxd.

    LmxdError                  anything a person may read: a stable code, a sentence, a hint
    ├── DocumentError          a desired-state document is not valid; carries every problem found
    ├── RequestError           one inference or control request cannot be served (now)
    ├── PatchError             a JSON Patch is malformed, or names what is not there
    │   └── PatchTestFailed    its `test` found another value
    ├── ActionError            an action of the reconciler failed; carries reason and retry advice
    └── StartupError           the daemon must not start (port, lock, state of a newer version)

A class exists only where somebody handles it differently. Vendor exceptions are translated at
the adapter that met them, with the cause chained. The HTTP status of a code is chosen in
`lmxd.http.errors` and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = [
    "ActionError",
    "Code",
    "DocumentError",
    "LmxdError",
    "PatchError",
    "PatchTestFailed",
    "Problem",
    "RequestError",
    "StartupError",
]


class Code(StrEnum):
    """The stable codes of every error body; a promise to clients."""

    INVALID_JSON = "invalid_json"
    INVALID_REQUEST = "invalid_request"
    UNSUPPORTED_PARAMETER = "unsupported_parameter"
    WRONG_TASK = "wrong_task"
    CONTEXT_LENGTH_EXCEEDED = "context_length_exceeded"
    FORBIDDEN = "forbidden"
    MODEL_NOT_FOUND = "model_not_found"
    MODEL_NOT_LOADED = "model_not_loaded"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    FIELD_CONFLICT = "field_conflict"
    ALIASED_NODE = "aliased_node"
    FILE_NOT_WRITABLE = "file_not_writable"
    DOCUMENT_INVALID = "document_invalid"
    DOCUMENT_HELD = "document_held"
    PLAN_STALE = "plan_stale"
    MODEL_LOADED = "model_loaded"
    INSUFFICIENT_MEMORY = "insufficient_memory"
    GONE = "gone"
    PRECONDITION_FAILED = "precondition_failed"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    VALIDATION_FAILED = "validation_failed"
    PRECONDITION_REQUIRED = "precondition_required"
    INTERNAL = "internal"
    WORKER_DIED = "worker_died"
    QUEUE_FULL = "queue_full"
    MODEL_LOADING = "model_loading"
    NOT_ADMITTED = "not_admitted"
    OUTSIDE_WINDOW = "outside_window"
    SUSPENDED = "suspended"
    MODEL_FAILED = "model_failed"
    MODEL_DRAINING = "model_draining"
    THRASHING = "thrashing"
    SHUTTING_DOWN = "shutting_down"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    CANCELLED = "cancelled"


class LmxdError(Exception):
    """Base of everything a person may read.

    Args:
        code: stable, for programs.
        message: what failed, on which thing, with the numbers that matter; one sentence.
        hint: what to do next, if anything can be done.
    """

    def __init__(self, code: Code, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}; {self.hint}" if self.hint else self.message


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a document.

    `pointer` is a JSON pointer ("" is the whole document); `line` and `column` count from 1 and
    are None where the text is not at hand.
    """

    pointer: str
    message: str
    hint: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f"line {self.line}, column {self.column}: " if self.line else ""
        where = f"{self.pointer}: " if self.pointer else ""
        return f"{place}{where}{self.message}" + (f" ({self.hint})" if self.hint else "")


class DocumentError(LmxdError):
    """A desired-state document that cannot be accepted.

    `reason` is the CamelCase condition reason (InvalidYAML, InvalidDocument, EmptyFile,
    FileMissing, FileUnreadable, FileTooLarge).
    """

    def __init__(self, reason: str, problems: tuple[Problem, ...]) -> None:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        super().__init__(Code.VALIDATION_FAILED, f"{problems[0]}{more}")
        self.reason = reason
        self.problems = problems


class RequestError(LmxdError):
    """A request that cannot be served.

    Args:
        param: the field of the request that is to blame, as the client named it.
        retry_after_s: seconds after which trying again makes sense; None: the code's default.
        retry: False tells clients that retrying soon is useless (`x-should-retry: false`).
        available_at: ISO 8601 instant at which the name will be served, when it is known.
        details: further members of the error body, JSON values only.
    """

    def __init__(
        self,
        code: Code,
        message: str,
        *,
        hint: str | None = None,
        param: str | None = None,
        retry_after_s: float | None = None,
        retry: bool = True,
        available_at: str | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(code, message, hint=hint)
        self.param = param
        self.retry_after_s = retry_after_s
        self.retry = retry
        self.available_at = available_at
        self.details = details or {}


class PatchError(LmxdError):
    """A JSON Patch that cannot be applied; nothing of it was.

    `pointer` is what the operation is about ("" is the whole document, or not known).
    """

    def __init__(self, code: Code, message: str, *, pointer: str) -> None:
        super().__init__(code, message)
        self.pointer = pointer


class PatchTestFailed(PatchError):
    """A `test` of a JSON Patch found another value than it wants."""

    def __init__(self, message: str, *, pointer: str) -> None:
        super().__init__(Code.FIELD_CONFLICT, message, pointer=pointer)


class ActionError(LmxdError):
    """An action of the reconciler failed.

    Args:
        reason: the CamelCase condition reason (GatedRepo, DiskFull, LoadFailed, ...).
        terminal: True when only a change (edit, token, upgrade) can make it succeed.
        retry_after_s: the peer's own advice, such as a 429's Retry-After.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        hint: str | None = None,
        terminal: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(Code.MODEL_FAILED, message, hint=hint)
        self.reason = reason
        self.terminal = terminal
        self.retry_after_s = retry_after_s


class StartupError(LmxdError):
    """The daemon must not start; printed as one sentence, exit code 1."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(Code.INTERNAL, message, hint=hint)
