"""What a daemon that starts finds in the state folder and beside the file -> what is in effect.

Ends what a crash has left in the middle of a commit, and chooses the generation to begin with:
the last good one, or after three deaths with a new one the last that was confirmed. Called by
`document` in a thread, before it looks at the file.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from lmxd.desired.exchange import Stray, strays, swap
from lmxd.desired.generation import DocumentPath, Generation
from lmxd.desired.generations import Generations
from lmxd.desired.probation import DEATHS, Probation
from lmxd.desired.read import Reading, accept, read_raw
from schemas.errors import DocumentError, RequestError
from schemas.patch import changes

__all__ = ["Restored", "end_commits", "resume"]

log = logging.getLogger(__name__)

ROLLBACK = "rollback"
"""The author of generations that bring an earlier text back."""


@dataclass(frozen=True, slots=True)
class Restored:
    """The generation that is in effect from the start on."""

    generation: Generation
    reading: Reading


def end_commits(
    path: Path, generations: Generations, at: datetime, *, writer: bool
) -> tuple[Path, ...]:
    """Accept or discard intended generations, and save what a crash left beside the file.

    Returns the texts that were set aside. `writer`: this daemon may write the file; what lies
    beside it may else be another's, in use. Blocks.
    """
    aside = []
    for stray in _strays(path, generations) if writer else ():
        if not _is_kept(path, generations, stray.raw):
            aside.append(generations.set_aside(stray.raw, at))
        stray.remove()  # only now: this daemon may die as well
    for intended in generations.intended():
        if _digest(Path(intended.document.name)) == intended.sha256:
            generations.mark(replace(intended, status="accepted"))
        else:
            generations.discard(intended.number)
    return tuple(aside)


def resume(
    path: Path, generations: Generations, probation: Probation, at: datetime
) -> Restored | None:
    """The generation to begin with; None when there is none that this version understands.

    Raises StartupError when history or probation were written by a newer lmxd. Blocks.
    """
    document = DocumentPath.of(path)
    last = generations.last_good(document)
    blamed = probation.begin(last)
    if last is None:
        return None
    if blamed:
        back = _last_confirmed(generations, document, last, at)
        if back is not None:
            return _brought_back(generations, probation, last, back, at)
    reading = _readable(last, at)
    if reading is None:
        return None
    if generations.newest() > last.number:
        # Another document was served meanwhile: its numbers lie above, and ours must not go back.
        last = _kept(generations, replace(last, base=last.number, changes=(), accepted_at=at))
    return Restored(last, reading)


def _strays(path: Path, generations: Generations) -> Iterator[Stray]:
    """Beside the document, and where it was when the commit began: a link may lead elsewhere."""
    document = DocumentPath.of(path)
    last = generations.last_good(document)
    begun = [each for each in generations.intended() if each.document.is_same(document)]
    begun += [last] if last is not None else []
    places = dict.fromkeys([document.real, *(each.document.real for each in begun)])
    for place in places:
        yield from strays(Path(place))


def _is_kept(path: Path, generations: Generations, raw: bytes) -> bool:
    """Is this text in the file, put there now, or in the history."""
    said = hashlib.sha256(raw).hexdigest() == _digest(path)
    return said or _put_back(path, generations, raw) or generations.knows(raw)


def _put_back(path: Path, generations: Generations, raw: bytes) -> bool:
    """A save that our exchange had displaced when the daemon died: it belongs into the file, as
    long as that still holds what displaced it. It may be an old text, saved once more.
    """
    for intended in generations.intended():
        base = generations.load(intended.base)
        if _digest(path) == intended.sha256 and (base is None or raw != base.raw):
            with contextlib.suppress(RequestError):
                displaced = swap(path, intended.sha256, raw)
                if displaced is not None:
                    displaced.forget()  # it was ours
                    return True
    return False


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(read_raw(path)[0]).hexdigest()
    except DocumentError:
        return ""


def _last_confirmed(
    generations: Generations, document: DocumentPath, last: Generation, at: datetime
) -> Restored | None:
    for earlier in generations.of(document):
        if earlier.number < last.number and earlier.confirmed:
            reading = _readable(earlier, at)
            if reading is not None:
                return Restored(earlier, reading)
    return None


def _brought_back(
    generations: Generations,
    probation: Probation,
    blamed: Generation,
    back: Restored,
    at: datetime,
) -> Restored:
    """The confirmed text as a new generation: numbers never go back."""
    probation.blame(blamed)
    was = _readable(blamed, at)
    made = changes(was.data if was else {}, back.reading.data)
    note = f"the daemon died {DEATHS} times of generation {blamed.number}"
    kept = _kept(
        generations,
        replace(
            back.generation,
            accepted_at=at,
            author=ROLLBACK,
            manager="",
            note=f"{note}; the text of generation {back.generation.number}",
            base=blamed.number,
            changes=made,
            converged=False,
        ),
    )
    try:
        generations.mark(replace(blamed, crashed=True))
    except OSError as error:
        log.warning("generation not marked", extra={"error": str(error)})
    return Restored(kept, back.reading)


def _kept(generations: Generations, generation: Generation) -> Generation:
    try:
        return generations.store(generation)
    except OSError as error:  # it is in the history under its old number
        log.warning("generation not stored", extra={"error": str(error)})
        return generation


def _readable(generation: Generation, at: datetime) -> Reading | None:
    """The document, if this version still understands it."""
    try:
        return accept(generation.raw, at)
    except DocumentError as error:
        log.warning(
            "generation not readable",
            extra={"generation": generation.number, "error": error.message},
        )
        return None
