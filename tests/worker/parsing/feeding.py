"""Feeds a parser with a text, cut as a test likes it, and says what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from lmxd.worker.parsing.parser import CallArgs, CallEnd, CallStart, Format, Piece, Said, Thought
from schemas.inference import Tool

WEATHER = Tool(
    "get_weather",
    "Weather of a city",
    {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "metric": {"type": "boolean"},
            "scale": {"type": "number"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "place": {"type": "object"},
            "note": {"type": ["string", "null"]},
        },
        "required": ["city"],
    },
)
ADD = Tool(
    "add",
    "Adds",
    {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
)
NOW = Tool("now", "The time", {"type": "object", "properties": {}})
TOOLS = (WEATHER, ADD, NOW)


@dataclass
class Outcome:
    """What a reader sees: text, reasoning, and calls as (name, JSON text, whether it ended)."""

    said: str = ""
    thought: str = ""
    calls: list[tuple[str, str, bool]] = field(default_factory=list)

    @property
    def complete(self) -> list[tuple[str, object]]:
        """The calls that ended, with their arguments as values."""
        return [(name, json.loads(text)) for name, text, ended in self.calls if ended]


def pieces(
    form: Format,
    text: str,
    cuts: Iterable[int] = (),
    *,
    tools: Sequence[Tool] = TOOLS,
    prompt: str = "",
) -> list[Piece]:
    """All pieces of the text cut at these places, neighbours of one kind joined."""
    parser = form.parser(tools, prompt)
    places = sorted(min(cut, len(text)) for cut in cuts)
    joined: list[Piece] = []
    came: list[Piece] = []
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        came += parser.feed(text[start:end])
    for piece in [*came, *parser.finish()]:
        assert not isinstance(piece, Said | Thought | CallArgs) or piece.text
        if (
            joined
            and type(piece) is type(joined[-1])
            and isinstance(piece, Said | Thought | CallArgs)
        ):
            joined[-1] = type(piece)(joined[-1].text + piece.text)
        else:
            joined.append(piece)
    return joined


def outcome(form: Format, text: str, *, prompt: str = "", tools: Sequence[Tool] = TOOLS) -> Outcome:
    """What comes of the whole text; calls are well-formed sequences of pieces."""
    seen = Outcome()
    for piece in pieces(form, text, tools=tools, prompt=prompt):
        match piece:
            case Said(said):
                seen.said += said
            case Thought(thought):
                seen.thought += thought
            case CallStart(name):
                seen.calls.append((name, "", False))
            case CallArgs(more):
                name, so_far, ended = seen.calls[-1]
                assert not ended
                seen.calls[-1] = (name, so_far + more, False)
            case CallEnd():
                name, so_far, ended = seen.calls[-1]
                assert not ended
                assert isinstance(json.loads(so_far), dict)
                seen.calls[-1] = (name, so_far, True)
    return seen
