"""Neutral events to one complete answer, for requests that are not streamed; pure.

Every dialect writes its own shape from an `Answer`; `lmxd.http.whole` fills one. Nothing here
names, numbers or words anything for a client.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeVar

from schemas.inference import (
    Accepted,
    Event,
    Finish,
    ReasoningPart,
    Score,
    Text,
    TextPart,
    Thinking,
    TokenLogprob,
    Tokens,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
    Vector,
)

__all__ = ["Answer", "Call", "Choice", "Collector", "Piece"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a tool. `arguments`: its JSON text as generated; it is one whole object only when
    `complete`, which a call that max_tokens cut off is not.
    """

    number: int
    name: str
    arguments: str
    complete: bool


Piece = TextPart | ReasoningPart | Call


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer. `pieces` in the order in which they came, neighbours of one kind joined;
    `logprobs` of all tokens of its text, None when nobody asked for them.
    """

    index: int
    pieces: tuple[Piece, ...]
    logprobs: tuple[TokenLogprob, ...] | None
    finish: Finish

    @property
    def text(self) -> str:
        """All that was said."""
        return "".join(piece.text for piece in self.pieces if isinstance(piece, TextPart))

    @property
    def thinking(self) -> str:
        """All that was thought."""
        return "".join(piece.text for piece in self.pieces if isinstance(piece, ReasoningPart))

    @property
    def calls(self) -> tuple[Call, ...]:
        """All that was called."""
        return tuple(piece for piece in self.pieces if isinstance(piece, Call))


@dataclass(frozen=True, slots=True)
class Answer:
    """All that came of a request, each by growing index: choices of a generation (of a
    `detokenize`, `texts`), tokens of a `tokenize`, vectors of an `embed`, scores of a `rerank`.
    """

    accepted: Accepted
    choices: tuple[Choice, ...]
    texts: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    vectors: tuple[bytes, ...]
    scores: tuple[float, ...]
    usage: Usage


@dataclass(slots=True)
class _Draft:
    """A choice that is not complete; lists of strings, since texts come token by token."""

    pieces: list[tuple[type[TextPart | ReasoningPart], list[str]] | _OpenCall] = field(
        default_factory=list
    )
    logprobs: list[TokenLogprob] | None = None
    finish: Finish | None = None

    def add(self, kind: type[TextPart | ReasoningPart], text: str) -> None:
        last = self.pieces[-1] if self.pieces else None
        if isinstance(last, tuple) and last[0] is kind:
            last[1].append(text)
        elif text:
            self.pieces.append((kind, [text]))

    def call(self, number: int) -> _OpenCall:
        return next(
            piece
            for piece in reversed(self.pieces)
            if isinstance(piece, _OpenCall) and piece.number == number
        )

    def text(self) -> str:
        return "".join(
            text
            for piece in self.pieces
            if isinstance(piece, tuple) and piece[0] is TextPart
            for text in piece[1]
        )

    def done(self, index: int, finish: Finish) -> Choice:
        pieces = tuple(
            piece.done() if isinstance(piece, _OpenCall) else piece[0]("".join(piece[1]))
            for piece in self.pieces
        )
        logprobs = None if self.logprobs is None else tuple(self.logprobs)
        return Choice(index, pieces, logprobs, finish)


@dataclass(slots=True)
class _OpenCall:
    number: int
    name: str
    arguments: list[str] = field(default_factory=list)
    complete: bool = False

    def done(self) -> Call:
        return Call(self.number, self.name, "".join(self.arguments), self.complete)


class Collector:
    """Takes the events of one request as they come. `Failed` is the caller's to raise."""

    def __init__(self, accepted: Accepted) -> None:
        self._accepted = accepted
        self._drafts: dict[int, _Draft] = {}
        self._tokens: dict[int, tuple[int, ...]] = {}
        self._vectors: dict[int, bytes] = {}
        self._scores: dict[int, float] = {}
        self._usage: Usage | None = None

    def take(self, event: Event) -> None:
        """One event more."""
        match event:
            case Usage():
                self._usage = event
            case Tokens():
                self._tokens[event.index] = event.tokens
            case Vector():
                self._vectors[event.index] = event.data
            case Score():
                self._scores[event.index] = event.value
            case _:
                _write(self._drafts.setdefault(event.index, _Draft()), event)

    def answer(self) -> Answer | None:
        """All of it; None while the usage, which comes last, is missing."""
        if self._usage is None:
            return None
        drafts = sorted(self._drafts.items())
        return Answer(
            accepted=self._accepted,
            choices=tuple(
                draft.done(index, draft.finish) for index, draft in drafts if draft.finish
            ),
            texts=tuple(draft.text() for _, draft in drafts),
            tokens=_in_order(self._tokens),
            vectors=_in_order(self._vectors),
            scores=_in_order(self._scores),
            usage=self._usage,
        )


def _in_order(found: dict[int, T]) -> tuple[T, ...]:
    return tuple(value for _, value in sorted(found.items()))


def _write(draft: _Draft, event: Event) -> None:
    match event:
        case Text():
            draft.add(TextPart, event.text)
            if event.logprobs is not None:
                draft.logprobs = draft.logprobs or []
                draft.logprobs.extend(event.logprobs)
        case Thinking():
            draft.add(ReasoningPart, event.text)
        case ToolStart():
            draft.pieces.append(_OpenCall(event.call, event.name))
        case ToolArgs():
            draft.call(event.call).arguments.append(event.text)
        case ToolEnd():
            draft.call(event.call).complete = True
        case Finish():
            draft.finish = event
