"""The text of one answer to events: reasoning, calls and what is said, each where it belongs.

A sequence feeds the text of its tokens; a parser takes it apart, and stop strings are looked for
in what is said only. Pure text; used by every engine.
"""

from __future__ import annotations

from collections.abc import Sequence

from lmxd.worker.attribution import Attribution
from lmxd.worker.parsing.parser import CallArgs, CallEnd, CallStart, Parser, Piece, Said, Thought
from lmxd.worker.parsing.stop import StopMatcher
from schemas.inference import Event, Text, Thinking, ToolArgs, ToolEnd, ToolStart

__all__ = ["Speech"]


class Speech:
    """One answer. id, index: of its events. parser: None passes text on as it is. attribution:
    tells logprobs with the text that is said; None tells none. most: calls after which it is over.
    forced: nothing but calls may come, so what is left at the end is a call that was cut off.

    reasoning: tokens so far that were reasoning. called: whether what came last is a whole call.
    """

    def __init__(
        self,
        id: str,
        index: int,
        stops: Sequence[str],
        parser: Parser | None,
        attribution: Attribution | None,
        most: int | None = None,
        *,
        forced: bool = False,
    ) -> None:
        self._id = id
        self._index = index
        self._stops = StopMatcher(stops)
        self._parser = parser
        self._attribution = attribution
        self._calls = 0
        self._most = most
        self._forced = forced
        self.reasoning = 0
        self.called = False

    @property
    def stop(self) -> str | None:
        """The stop string that was found; nothing is said after it."""
        return self._stops.hit

    @property
    def over(self) -> bool:
        """Whether nothing that may still come is told: a stop string, or the last call."""
        return self.stop is not None or (self.called and self._calls == self._most)

    def feed(self, text: str) -> list[Event]:
        """The text of one more token, which may be none."""
        if self._parser is None:
            return self._say(text)
        thinking = self._parser.thinking
        events = self._tell(self._parser.feed(text))
        self.reasoning += thinking or self._parser.thinking
        return events

    def finish(self, rest: str = "") -> list[Event]:
        """The last text, of no token of its own, and what was held back."""
        if self._parser is None:
            return [*self._say(rest), *self._flush()]
        pieces = [*self._parser.feed(rest), *self._parser.finish()]
        if self._forced:
            pieces = [piece for piece in pieces if not isinstance(piece, Said)]
        return [*self._tell(pieces), *self._flush()]

    def _tell(self, pieces: list[Piece]) -> list[Event]:
        events: list[Event] = []
        for piece in pieces:
            if self.over:
                break
            events += self._piece(piece)
        return events

    def _piece(self, piece: Piece) -> list[Event]:
        match piece:
            case Said(text):
                self.called = self.called and not text.strip()
                return self._say(text)
            case Thought(text):
                held = self._flush()
                self._pass()
                return [*held, Thinking(self._id, self._index, text)]
            case CallStart(name):
                self._calls += 1
                self.called = False
                return [*self._flush(), ToolStart(self._id, self._index, self._calls - 1, name)]
            case CallArgs(text):
                return [ToolArgs(self._id, self._index, self._calls - 1, text)]
            case CallEnd():
                self.called = True
                self._pass()
                return [ToolEnd(self._id, self._index, self._calls - 1)]

    def _say(self, text: str) -> list[Event]:
        return self._shown(self._stops.feed(text)) if text else []

    def _pass(self) -> None:
        """The tokens up to here are not told; what is said next must not be taken for theirs."""
        if self._attribution is not None:
            self._attribution.passed()

    def _flush(self) -> list[Event]:
        return self._shown(self._stops.flush())

    def _shown(self, text: str) -> list[Event]:
        if not text:
            return []
        if self._attribution is None:
            return [Text(self._id, self._index, text)]
        return [Text(self._id, self._index, text, self._attribution.shown(text))]
