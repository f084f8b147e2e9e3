"""Ollama's messages and tools to neutral ones; pure.

Results of tools name the tool there, and the call here: calls without an id are numbered, and a
result belongs to the first call of its tool that has none yet.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from lmxd.dialects.fields import Table
from lmxd.dialects.ollama_fields import MESSAGE
from lmxd.dialects.validation import framed, invalid
from schemas.inference import (
    Message,
    Part,
    ReasoningPart,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)
from schemas.wire.ollama import OllamaCall, OllamaMessage, OllamaTool

__all__ = ["conversation", "tools"]

_NO_PARAMETERS: dict[str, object] = {"type": "object", "properties": {}}
_TOOL = Table(unserved={}, advisory=frozenset({"items", "strict"}))


def tools(given: Sequence[OllamaTool] | None, ignored: list[str]) -> tuple[Tool, ...]:
    """The functions. Raises RequestError (invalid_request) for two of one name."""
    found: dict[str, Tool] = {}
    for index, each in enumerate(given or ()):
        where, one = f"tools[{index}].function", each.function
        if one.name in found:
            raise invalid(f"{where}.name", f"is {one.name!r}, as another tool's is")
        ignored += _TOOL.sift(each.model_extra or {}, f"tools[{index}].")
        ignored += _TOOL.sift(one.model_extra or {}, f"{where}.")
        parameters = framed(one.parameters or _NO_PARAMETERS, f"{where}.parameters")
        found[one.name] = Tool(one.name, one.description or "", parameters)
    return tuple(found.values())


def conversation(messages: Sequence[OllamaMessage], ignored: list[str]) -> tuple[Message, ...]:
    """All messages; `ignored` gets the names of what has no effect. Raises RequestError."""
    calls = _Calls()
    return tuple(
        _message(message, f"messages[{index}]", calls, ignored)
        for index, message in enumerate(messages)
    )


class _Calls:
    """Calls that were made, in their order, until somebody answers them."""

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        self._made = 0

    def made(self, call: OllamaCall) -> str:
        """The id of a call."""
        name = call.id or f"call_{self._made}"
        self._made += 1
        self._open.append((name, call.function.name))
        return name

    def answered(self, call: str | None, tool: str | None) -> tuple[str, str | None]:
        """The id and the tool of the call that a result belongs to."""
        for known in self._open:
            if known[0] == call or (call is None and tool in (None, known[1])):
                self._open.remove(known)
                return known
        return call or tool or "call", tool


def _message(message: OllamaMessage, where: str, calls: _Calls, ignored: list[str]) -> Message:
    ignored += MESSAGE.sift(message.model_extra or {}, f"{where}.")
    text = message.content or ""
    if message.role == "tool":
        answered, tool = calls.answered(message.tool_call_id, message.tool_name)
        return Message("tool", (ToolResultPart(answered, text),), tool)
    parts: list[Part] = []
    if message.thinking:
        parts.append(ReasoningPart(message.thinking))
    if text or not message.tool_calls:
        parts.append(TextPart(text))
    for index, call in enumerate(message.tool_calls or ()):
        place = f"{where}.tool_calls[{index}].function.arguments"
        given = framed(call.function.arguments, place)
        arguments = json.dumps(given, ensure_ascii=False)
        parts.append(ToolCallPart(calls.made(call), call.function.name, arguments))
    return Message(message.role, tuple(parts))
