"""What of the document is in effect, and how the file stands against it.

The memory of `document`: it makes the `ConfigView` and says when that has another value; what
that means to people (conditions, most events) is decided by the reconciler. It reads and writes
nothing.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lmxd.desired.read import Reading, canonical
from lmxd.desired.writing_lock import Writability
from reconciler.state import Accepted, ConfigView, HeldEdit
from schemas.errors import DocumentError
from schemas.events import Emit, Event

__all__ = ["Standing", "Waiting"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A valid text in the file that needs a word first; `gone` are the models that it removes."""

    edit: HeldEdit
    reading: Reading
    gone: tuple[str, ...] = ()


class Standing:
    """Belongs to one `DesiredFile`; used on the event loop, under its lock.

    Args:
        path: the document.
        changed: called when `view` has another value.
        emit: takes events.
    """

    def __init__(self, path: Path, changed: Callable[[], None], emit: Emit) -> None:
        message = "the document has not been read yet"
        self.view = ConfigView(str(path), None, False, False, "NotReadYet", message)
        self.accepted: Accepted | None = None
        self.raw: bytes | None = None
        self.meaning: bytes | None = None
        self.etag = ""
        self.waiting: Waiting | None = None
        self._changed = changed
        self._emit = emit

    def hold(self, accepted: Accepted, raw: bytes, meaning: bytes) -> None:
        """This is in effect from now on; it is told with what is said next of the file."""
        self.accepted, self.raw, self.meaning = accepted, raw, meaning
        self.etag = hashlib.sha256(meaning).hexdigest()

    def current(self) -> None:
        """The file says what is in effect."""
        self.waiting = None
        accepted = self.accepted
        assert accepted is not None  # noqa: S101 - called after `hold`
        message = f"generation {accepted.generation} is what the file says"
        self._show(valid=True, current=True, reason="Accepted", message=message)

    def wait(self, waiting: Waiting) -> None:
        """The file is valid and not in effect."""
        self.waiting = waiting
        edit = waiting.edit
        log.warning("document held", extra={"reason": edit.reason, "sha256": edit.sha256})
        self._show(valid=True, current=False, reason="Valid", message="the file is valid")

    def refuse(self, error: DocumentError) -> None:
        """The file is not valid, or not to be read."""
        self.waiting = None
        accepted = self.accepted
        if accepted is None:
            reason, effect = "NoLastGood", "nothing is served until it is put right"
        else:
            reason, effect = error.reason, f"generation {accepted.generation} stays in effect"
        message = f"{error.message}; {effect}"
        log.warning("document refused", extra={"reason": error.reason, "error": error.message})
        self._show(valid=False, current=False, reason=reason, message=message)

    def may_write(self, found: Writability) -> None:
        """Whether changes over HTTP can be written into the file."""
        view = replace(
            self.view,
            writable=found.writable,
            writable_reason=found.reason,
            writable_message=found.message,
        )
        self._tell(view)

    def warn(self, reason: str, message: str) -> None:
        """An event about what no condition shows."""
        log.warning("save kept", extra={"reason": reason, "what": message})
        self._emit(Event("Warning", reason, "document", message))

    def means_the_same(self, reading: Reading) -> bool:
        """Is this only another spelling of what is in effect. Slow for a large document: call it
        in a thread.
        """
        return self.accepted is not None and canonical(reading.data) == self.meaning

    def _show(self, *, valid: bool, current: bool, reason: str, message: str) -> None:
        held = self.waiting.edit if self.waiting else None
        view = replace(
            self.view,
            accepted=self.accepted,
            valid=valid,
            current=current,
            reason=reason,
            message=message,
            held=held,
        )
        self._tell(view)

    def _tell(self, view: ConfigView) -> None:
        if view != self.view:
            self.view = view
            self._changed()
