"""The messages of a chat completion to neutral ones; pure.

What a chat template has to judge, such as the order of roles, is not judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from lmxd.dialects.fields import unsupported
from lmxd.dialects.openai_fields import MESSAGE
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
from schemas.wire.openai_chat import ChatMessage, ContentPart, SaidCall

_MEDIA = frozenset({"image_url", "input_image", "input_audio", "audio_url", "video_url", "file"})
_TEXTS = frozenset({"text", "input_text", "output_text", "refusal"})


def messages(given: Sequence[ChatMessage], ignored: list[str]) -> tuple[Message, ...]:
    """All of them; names of fields without effect are added to `ignored`. Raises RequestError."""
    called: dict[str, str] = {}
    return tuple(
        _message(each, f"messages[{index}]", called, ignored) for index, each in enumerate(given)
    )


def _message(
    message: ChatMessage, where: str, called: dict[str, str], ignored: list[str]
) -> Message:
    """`called`: the functions of the calls so far, by id."""
    ignored += MESSAGE.sift(message.model_extra or {}, f"{where}.")
    text = _text(message, where, ignored)
    if message.role == "tool":
        return _result(message, where, text or "", called)
    parts: list[Part] = []
    if message.role == "assistant":
        thought = message.reasoning_content or message.reasoning
        parts += [ReasoningPart(thought)] if thought else []
    elif message.tool_calls:
        raise invalid(f"{where}.tool_calls", f"cannot be in a message of role {message.role}")
    if text is not None:
        parts += [TextPart(each) for each in text] if isinstance(text, list) else [TextPart(text)]
    parts += calls(message.tool_calls or (), f"{where}.tool_calls", ignored)
    called |= {part.call: part.name for part in parts if isinstance(part, ToolCallPart)}
    return Message(_role(message.role), tuple(parts), message.name)


def _role(role: str) -> Role:
    match role:
        case "user" | "assistant" | "tool":
            return role
        case _:  # developer is OpenAI's newer word for it
            return "system"


def _text(message: ChatMessage, where: str, ignored: list[str]) -> str | list[str] | None:
    content = message.content
    if content is None:
        said = message.tool_calls or message.reasoning_content or message.reasoning
        if message.role != "assistant" or not said:
            raise invalid(f"{where}.content", "is required")
        return None
    if isinstance(content, str):
        return content
    return [part(each, f"{where}.content[{index}]", ignored) for index, each in enumerate(content)]


def _result(
    message: ChatMessage, where: str, text: str | Iterable[str], called: Mapping[str, str]
) -> Message:
    if message.tool_call_id is None:
        raise invalid(f"{where}.tool_call_id", "is required")
    name = message.name or called.get(message.tool_call_id)
    return Message("tool", (ToolResultPart(message.tool_call_id, "".join(text)),), name)


def part(given: ContentPart, where: str, ignored: list[str]) -> str:
    """The text of a part. Raises RequestError for what is no text."""
    if given.type in _MEDIA:
        message = f"{where} is of type {given.type}; only text is supported"
        raise RequestError(Code.UNSUPPORTED_PARAMETER, message, param=where)
    if given.type not in _TEXTS:
        raise invalid(f"{where}.type", f"must be 'text', got {given.type[:64]!r}")
    text = given.refusal if given.type == "refusal" else given.text
    if text is None:
        raise invalid(f"{where}.text", "is required")
    ignored.extend(f"{where}.{name}" for name in given.model_extra or {})
    return text


def calls(given: Sequence[SaidCall], where: str, ignored: list[str]) -> list[ToolCallPart]:
    """Calls that the assistant made. Raises RequestError."""
    return [_call(each, f"{where}[{index}]", ignored) for index, each in enumerate(given)]


def _call(call: SaidCall, where: str, ignored: list[str]) -> ToolCallPart:
    if call.type not in (None, "function"):
        raise unsupported(f"{where}.type", ("function",))
    if call.function is None:
        raise invalid(f"{where}.function", "is required")
    ignored.extend(f"{where}.{name}" for name in call.model_extra or {} if name != "index")
    said = call.function.arguments
    text = said if isinstance(said, str) else msgspec.json.encode(said or {}).decode()
    return ToolCallPart(call.id, call.function.name, arguments(text, f"{where}.function.arguments"))


def arguments(text: str, where: str) -> str:
    """The text of a JSON object; nothing stands for an empty one. Raises RequestError."""
    if not text.strip():
        return "{}"
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise invalid(where, f"is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise invalid(where, "must be the text of a JSON object")
    return text
