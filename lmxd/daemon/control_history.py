"""The history of the document as the control API shows it. Implements `lmxd.http.ports.History`."""

from __future__ import annotations

from msgspec import UNSET

from lmxd.daemon.control_words import change_lines, iso
from lmxd.desired.document import DesiredFile
from lmxd.desired.history import Record
from schemas.wire.control import GenerationInfo, Generations


class ControlHistory:
    """The accepted generations of one document."""

    def __init__(self, document: DesiredFile) -> None:
        self._document = document

    async def generations(self, limit: int) -> Generations:
        """The newest ones, newest first."""
        return Generations(tuple(_info(each) for each in await self._document.history(limit)))

    async def generation(self, number: int) -> GenerationInfo:
        """One of them with its text; raises RequestError (not_found)."""
        return _info(await self._document.generation(number))


def _info(record: Record) -> GenerationInfo:
    return GenerationInfo(
        generation=record.number,
        sha256=record.sha256,
        at=iso(record.at),
        author=record.author,
        note=record.note,
        outcome=record.outcome,
        confirmed=record.confirmed,
        changes=change_lines(record.changes),
        diff=record.diff if record.diff is not None else UNSET,
        text=record.raw.decode("utf-8", "replace") if record.raw is not None else UNSET,
    )
