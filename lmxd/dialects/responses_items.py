"""Items of the Responses API: as clients send them, as they are kept, as neutral messages; pure.

A model sees one message where this API has several items: what it thought, said and called
before it was answered. Ids of items hold the id of the response they belong to, so that an item
can be found by its id alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from lmxd.dialects.fields import Table
from lmxd.dialects.openai_messages import arguments
from lmxd.dialects.validation import invalid
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
from schemas.wire.responses import Item, ItemPart

Kept = dict[str, object]
"""An item as JSON values."""

ITEM = Table(
    unserved={},
    advisory=frozenset({"async", "caller", "encrypted_content", "phase", "status"}),
)
_PREFIXES = {"message": "msg", "function_call": "fc", "function_call_output": "fco"}
_TEXTS = frozenset({"input_text", "output_text", "text", "reasoning_text", "summary_text"})
_OWNER = re.compile(r"^[a-z]+_([0-9a-f]{32})_")
_REFERENCE = "item_reference"


def item_id(kind: str, response: str, number: int | str) -> str:
    """The id of an item of a response; `number` tells those of one response apart."""
    prefix = "rs" if kind == "reasoning" else _PREFIXES.get(kind, "item")
    return f"{prefix}_{response.removeprefix('resp_')}_{number}"


def owner(identifier: str) -> str | None:
    """The response that an item belongs to; None for an id of somebody else's making."""
    found = _OWNER.match(identifier)
    return f"resp_{found[1]}" if found else None


def kept(given: str | Sequence[Mapping[str, object]], response: str) -> list[Kept]:
    """The input as items that say everything: type, id, and content as parts."""
    if isinstance(given, str):
        given = [{"role": "user", "content": given}]
    found: list[Kept] = []
    for number, each in enumerate(given):
        kind = each.get("type") or "message"
        whole: Kept = {**each, "type": kind}
        whole["id"] = each.get("id") or item_id(str(kind), response, f"i{number}")
        if isinstance(content := each.get("content"), str):
            whole["content"] = _parts(content, assistant=each.get("role") == "assistant")
        if kind != _REFERENCE:
            whole.setdefault("status", "completed")
        found.append(whole)
    return found


def _parts(text: str, *, assistant: bool) -> list[Kept]:
    if assistant:
        return [{"type": "output_text", "text": text, "annotations": []}]
    return [{"type": "input_text", "text": text}]


def references(items: Iterable[Item]) -> set[str]:
    """The responses whose items are referred to."""
    found = (owner(item.id) for item in items if item.type == _REFERENCE and item.id)
    return {response for response in found if response is not None}


def resolved(items: Iterable[Kept], known: Iterable[Kept]) -> list[Kept]:
    """The items, with those that are referred to in place of the references."""
    by_id = {item["id"]: item for item in known if "id" in item}
    found: list[Kept] = []
    for number, item in enumerate(items):
        if item["type"] != _REFERENCE:
            found.append(item)
        elif item["id"] in by_id:
            found.append(by_id[item["id"]])
        else:
            raise invalid(f"input[{number}].id", f"is {str(item['id'])[:64]!r}: no such item")
    return found


def messages(items: Sequence[Item], ignored: list[str], *, new: int) -> list[Message]:
    """The items as turns of a conversation. The last `new` of them came with this request: of
    these, names of fields without effect are added to `ignored`. Raises RequestError.
    """
    found: list[Message] = []
    called: dict[str, str] = {}
    old = len(items) - new
    for number, item in enumerate(items):
        where = f"input[{number - old}]" if number >= old else "previous_response_id"
        if number >= old:
            ignored += ITEM.sift(item.model_extra or {}, f"{where}.")
        turn = _turn(item, where, called)
        if not turn.parts:  # an empty thought, say
            continue
        if found and _continues(found[-1], turn):
            found[-1] = Message("assistant", (*found[-1].parts, *turn.parts))
        else:
            found.append(turn)
    return found


def _turn(item: Item, where: str, called: dict[str, str]) -> Message:
    """`called`: the functions of the calls so far, by id."""
    match item.type:
        case "message":
            return Message(_role(item, where), tuple(map(TextPart, _said(item, where))))
        case "reasoning":
            thought = "\n\n".join(_texts(item.content or item.summary or (), f"{where}.content"))
            return Message("assistant", (ReasoningPart(thought),) if thought else ())
        case "function_call":
            call, name = _needed(item, "call_id", where), _needed(item, "name", where)
            called[call] = name
            text = arguments(item.arguments or "", f"{where}.arguments")
            return Message("assistant", (ToolCallPart(call, name, text),))
        case "function_call_output":
            call = _needed(item, "call_id", where)
            if item.output is None:
                raise invalid(f"{where}.output", "is required")
            text = "".join(_texts(item.output, f"{where}.output"))
            return Message("tool", (ToolResultPart(call, text),), called.get(call))
    raise RequestError(
        Code.UNSUPPORTED_PARAMETER,
        f"{where}.type is {item.type[:64]!r}, which is not supported",
        hint="use messages, function calls, their outputs and reasoning",
        param=f"{where}.type",
    )


def _continues(last: Message, turn: Message) -> bool:
    """Whether a turn goes on with the assistant's last: thought, then said, then called."""
    if last.role != "assistant" or turn.role != "assistant":
        return False
    before, after = _place(last.parts[-1:]), _place(turn.parts[:1])
    return before < after or before == after == _place((ToolCallPart("", "", ""),))


def _place(parts: Sequence[Part]) -> int:
    match parts:
        case [ToolCallPart()]:
            return 2
        case [TextPart()]:
            return 1
        case _:
            return 0


def _role(item: Item, where: str) -> Role:
    match item.role:
        case None:
            raise invalid(f"{where}.role", "is required")
        case "user" | "assistant":
            return item.role
        case _:
            return "system"


def _said(item: Item, where: str) -> list[str]:
    if item.content is None:
        raise invalid(f"{where}.content", "is required")
    return _texts(item.content, f"{where}.content")


def _texts(content: str | Sequence[ItemPart], where: str) -> list[str]:
    if isinstance(content, str):
        return [content]
    return [_text(part, f"{where}[{number}]") for number, part in enumerate(content)]


def _text(part: ItemPart, where: str) -> str:
    text = part.refusal if part.type == "refusal" else part.text
    if part.type not in _TEXTS and part.type != "refusal":
        raise RequestError(
            Code.UNSUPPORTED_PARAMETER,
            f"{where} is of type {part.type[:64]!r}; only text is supported",
            param=where,
        )
    if text is None:
        raise invalid(f"{where}.text", "is required")
    return text


def _needed(item: Item, name: str, where: str) -> str:
    value = getattr(item, name)
    if not isinstance(value, str):
        raise invalid(f"{where}.{name}", "is required")
    return value
