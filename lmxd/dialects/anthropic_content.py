"""Messages of the Anthropic API to neutral messages: its turns hold blocks of many kinds. Pure.

Results of tools come in a user's turn there, and are messages of their own here; neighbouring
turns of one role are one turn, as there. What a block of history means to other servers only
(citations, cache marks, signatures) has no effect.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from lmxd.dialects.fields import Table
from lmxd.dialects.validation import framed, invalid
from schemas.errors import Code, RequestError
from schemas.inference import (
    Message,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from schemas.wire.anthropic import InputBlock, InputMessage

__all__ = ["conversation"]

_BLOCK = Table(
    unserved={},
    advisory=frozenset({"cache_control", "caller", "citations", "signature", "toolset_name"}),
)
_BETWEEN_BLOCKS = "\n\n"


def conversation(
    system: str | list[InputBlock] | None, turns: Sequence[InputMessage], ignored: list[str]
) -> tuple[Message, ...]:
    """All messages, the system prompt first. Adds to `ignored` the names of what has no effect.

    Raises RequestError (invalid_request, unsupported_parameter) that names the block.
    """
    said: list[Message] = []
    instructions = _text(system, "system", ignored)
    if instructions:
        said.append(Message("system", (TextPart(instructions),)))
    names: dict[str, str] = {}
    for index, turn in enumerate(turns):
        for message in _turn(turn, f"messages[{index}]", names, ignored):
            last = said[-1] if said else None
            if last is not None and last.role == message.role and message.role != "tool":
                said[-1] = Message(last.role, (*last.parts, *message.parts))
            else:
                said.append(message)
    return tuple(said)


def _turn(
    turn: InputMessage, where: str, names: dict[str, str], ignored: list[str]
) -> Iterator[Message]:
    """The turn as messages; `names` are those of the tools by the ids of calls."""
    ignored.extend(f"{where}.{name}" for name in turn.model_extra or {})
    if isinstance(turn.content, str):
        yield Message(turn.role, (TextPart(turn.content),))
        return
    parts: list[Part] = []
    silent = True
    for index, block in enumerate(turn.content):
        part = _part(block, turn.role, f"{where}.content[{index}]", ignored)
        if isinstance(part, ToolResultPart):
            if parts:
                yield Message(turn.role, tuple(parts))
                parts = []
            silent = False
            yield Message("tool", (part,), names.get(part.call))
            continue
        if isinstance(part, ToolCallPart):
            names[part.call] = part.name
        parts += [part] if part is not None else []
    if parts or silent:
        yield Message(turn.role, tuple(parts))


def _part(block: InputBlock, role: Role, where: str, ignored: list[str]) -> Part | None:
    """The block as a part; None for what means nothing here."""
    ignored += _BLOCK.sift(block.model_extra or {}, f"{where}.") if _known(block) else ()
    match (block.type, role):
        case ("text", _):
            return TextPart(_needed(block.text, f"{where}.text"))
        case ("thinking", "assistant"):
            return ReasoningPart(_needed(block.thinking, f"{where}.thinking"))
        case ("redacted_thinking", "assistant"):
            ignored.append(where)
            return None
        case ("tool_use", "assistant"):
            return _call(block, where)
        case ("tool_result", "user"):
            call = _needed(block.tool_use_id, f"{where}.tool_use_id")
            text = _text(block.content, f"{where}.content", ignored)
            return ToolResultPart(call, f"Error: {text}" if block.is_error else text)
    if _known(block):
        raise invalid(where, f"is of type {block.type}, which the role {role} cannot hold")
    raise _unknown(block, where)


def _known(block: InputBlock) -> bool:
    return block.type in {"text", "thinking", "tool_use", "tool_result"}


def _unknown(block: InputBlock, where: str) -> RequestError:
    why = "no model here takes images" if block.type == "image" else "only text is supported"
    return RequestError(
        Code.UNSUPPORTED_PARAMETER,
        f"{where} is of type {block.type[:64]!r}; {why}",
        hint="leave it out",
        param=where,
    )


def _call(block: InputBlock, where: str) -> ToolCallPart:
    call, name = _needed(block.id, f"{where}.id"), _needed(block.name, f"{where}.name")
    given = framed(block.input or {}, f"{where}.input")
    return ToolCallPart(call, name, json.dumps(given, ensure_ascii=False))


def _text(content: str | Iterable[InputBlock] | None, where: str, ignored: list[str]) -> str:
    """Content in which there is nothing but text."""
    if content is None or isinstance(content, str):
        return content or ""
    texts: list[str] = []
    for index, block in enumerate(content):
        place = f"{where}[{index}]"
        if block.type != "text":
            raise _unknown(block, place)
        ignored += _BLOCK.sift(block.model_extra or {}, f"{place}.")
        texts.append(_needed(block.text, f"{place}.text"))
    return _BETWEEN_BLOCKS.join(texts)


def _needed(value: str | None, where: str) -> str:
    if value is None:
        raise invalid(where, "is required")
    return value
