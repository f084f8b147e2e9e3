"""What a parser of generated text is: text in as it comes, pieces out as soon as they are sure.

One file a format beside this one; pure text, no engine and no tokens. A parser is fed by the
sequence that generates, after detokenizing; text that may still be the beginning of a marker is
held back until it is decided.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.inference import Tool, ToolUse

__all__ = ["CallArgs", "CallEnd", "CallStart", "Format", "Parser", "Piece", "Said", "Thought"]


@dataclass(frozen=True, slots=True)
class Said:
    """Text of the answer; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class Thought:
    """Text of the reasoning; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class CallStart:
    """A call of a tool begins."""

    name: str


@dataclass(frozen=True, slots=True)
class CallArgs:
    """More of its arguments, as JSON text; never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class CallEnd:
    """The arguments are complete: together the text of one JSON object."""


Piece = Said | Thought | CallStart | CallArgs | CallEnd


class Parser(Protocol):
    """One answer. Whatever it is fed, `feed` and `finish` raise nothing and lose nothing: what
    is no call after all comes out as `Said`.
    """

    def feed(self, text: str) -> list[Piece]:
        """The pieces that are sure with this text."""

    def finish(self) -> list[Piece]:
        """What was held back; a call that was cut off ends without `CallEnd`."""

    @property
    def thinking(self) -> bool:
        """Whether the text to come would be reasoning, as far as is known."""


class Format(Protocol):
    """How one family of models writes calls and reasoning.

    name: such as `hermes`. markers: control tokens, as text, that the parser has to see and that
    are hidden otherwise. thinks: whether it writes reasoning apart.
    """

    name: str
    markers: tuple[str, ...]
    thinks: bool

    def parser(self, tools: Sequence[Tool], prompt: str) -> Parser:
        """One for an answer to this rendered prompt, whose end may have opened the reasoning."""

    def close(self) -> str:
        """The text that ends the reasoning, for a budget that is spent; "" where none can."""

    def grammar(self, tools: Sequence[Tool], use: ToolUse) -> str | None:
        """A lark grammar (llguidance's dialect) of an answer that calls tools as `use` demands
        (`required`), arguments by their schemas; None where this format has no way to call.
        """
