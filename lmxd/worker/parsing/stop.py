"""Stop strings, matched on text: text in, the text that may be shown out.

A stop string may be split over any number of tokens, so text that could be its beginning is held
back until it is decided. Engines feed every new piece and flush at the end. Matching on token ids
is not done anywhere: the same text has many tokenizations.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["StopMatcher"]


class StopMatcher:
    """Cuts a stream of text at the earliest place where one of `stops` begins.

    Two stops that begin at the same place end at the same place for the reader, since nothing of
    either is shown. Empty stop strings are ignored.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(dict.fromkeys(stop for stop in stops if stop))
        self._held = ""
        self.hit: str | None = None

    def feed(self, text: str) -> str:
        """The text that is certain now; after a hit always empty.

        A hit is declared only when no other stop, begun earlier, can still be completed.
        """
        if not self._stops:
            return text
        if self.hit is not None:
            return ""
        self._held += text
        return self._decide()

    def flush(self) -> str:
        """The rest, when no more text comes: what was held back and is no stop after all."""
        if self.hit is not None:
            return ""
        place, stop = self._earliest()
        held, self._held = self._held, ""
        if stop is not None:
            self.hit = stop
            return held[:place]
        return held

    def _decide(self) -> str:
        place, stop = self._earliest()
        undecided = self._undecided(place)
        if stop is not None and undecided == place:
            self.hit = stop
            shown, self._held = self._held[:place], ""
            return shown
        shown, self._held = self._held[:undecided], self._held[undecided:]
        return shown

    def _earliest(self) -> tuple[int, str | None]:
        """Where the first complete stop begins, and which; the text's length and None if none."""
        found = [(place, stop) for stop in self._stops if (place := self._held.find(stop)) >= 0]
        return min(found, key=lambda hit: hit[0]) if found else (len(self._held), None)

    def _undecided(self, before: int) -> int:
        """The first place before `before` from which the text may yet become a stop."""
        text = self._held
        for stop in self._stops:
            first = max(0, len(text) - len(stop) + 1)
            for place in range(first, min(before, len(text))):
                if stop.startswith(text[place:]):
                    before = place
                    break
        return before
