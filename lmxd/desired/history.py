"""The accepted generations as people are shown them: author, time, what changed, what became of it.

Called by `document` in a thread; it changes nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from lmxd.desired.generation import DocumentPath, Generation, Outcome
from lmxd.desired.generations import Generations
from lmxd.desired.read import read
from lmxd.desired.text_diff import text_diff
from schemas.edit import Change
from schemas.errors import Code, DocumentError, RequestError

__all__ = ["Record", "data_of_tag", "one", "records"]


@dataclass(frozen=True, slots=True)
class Record:
    """One generation. `raw` and `diff` (to the one it was made from) only where one is asked for.

    `base` is the number of the generation it was made from, 0 for none.
    """

    number: int
    sha256: str
    etag: str
    at: datetime
    author: str
    note: str
    outcome: Outcome
    confirmed: bool
    base: int
    changes: tuple[Change, ...]
    raw: bytes | None = None
    diff: str | None = None


def records(
    generations: Generations, document: DocumentPath, current: int, limit: int
) -> tuple[Record, ...]:
    """The newest generations of this document, newest first. Blocks."""
    found = itertools.islice(generations.of(document), limit)
    return tuple(_record(each, current) for each in found)


def one(generations: Generations, document: DocumentPath, current: int, number: int) -> Record:
    """One generation with its text; raises RequestError (not_found). Blocks."""
    found = generations.load(number)
    if found is None or not found.document.is_same(document):
        held = [each.number for each in generations.of(document)]
        there = f"there are {held[-1]} to {held[0]}" if held else "there are none"
        raise RequestError(Code.NOT_FOUND, f"generation {number} is not kept; {there}")
    before = generations.load(found.base) if found.base else None
    names = (f"generation {before.number}" if before else "nothing", f"generation {number}")
    diff = text_diff(before.raw if before else b"", found.raw, names)
    return _record(found, current, found.raw, diff)


def data_of_tag(
    generations: Generations, document: DocumentPath, tag: str
) -> Mapping[str, object] | None:
    """What the document with this ETag said; None when it is not kept. Blocks."""
    for each in generations.of(document):
        if tag in (each.etag, each.sha256) or generations.spelled(each.number, tag):
            try:
                return read(each.raw).data
            except DocumentError:
                return None
    return None


def _record(
    generation: Generation, current: int, raw: bytes | None = None, diff: str | None = None
) -> Record:
    return Record(
        number=generation.number,
        sha256=generation.sha256,
        etag=generation.etag,
        at=generation.accepted_at,
        author=generation.author,
        note=generation.note,
        outcome=_outcome(generation, current),
        confirmed=generation.confirmed,
        base=generation.base,
        changes=generation.changes,
        raw=raw,
        diff=diff,
    )


def _outcome(generation: Generation, current: int) -> Outcome:
    """The most telling: it crashed, it was reached, it is what holds, or it was replaced."""
    if generation.crashed:
        return "crashed"
    if generation.converged:
        return "converged"
    return "current" if generation.number == current else "superseded"
