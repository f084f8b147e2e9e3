"""Answers in the shape of OpenAI's Responses API; pure.

`body` writes the object, whole or as the events of a stream repeat it; the functions for items
write the same item at its beginning and at its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lmxd.dialects import openai_logprobs
from lmxd.dialects.answer import Answer, Call, Choice
from lmxd.dialects.openai_answers import call_id
from lmxd.dialects.responses_items import Kept, item_id
from schemas.inference import (
    Finish,
    FinishReason,
    ReasoningPart,
    TextPart,
    TokenLogprob,
    Usage,
)

_STATUS: Mapping[FinishReason, str] = {"length": "incomplete", "cancelled": "cancelled"}


@dataclass(frozen=True, slots=True)
class Heading:
    """What every form of a response repeats. `created` in seconds since 1970; `shell` is what was
    asked for.
    """

    id: str
    model: str
    created: int
    shell: Mapping[str, object]


def body(
    heading: Heading,
    status: str,
    output: Sequence[Kept] = (),
    usage: Usage | None = None,
    error: Mapping[str, object] | None = None,
) -> dict[str, object]:
    """The response object. status: in_progress, completed, incomplete, cancelled or failed."""
    return {
        "id": heading.id,
        "object": "response",
        "created_at": heading.created,
        "status": status,
        "background": False,
        "error": error,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "model": heading.model,
        "output": output,
        **heading.shell,
        "usage": None if usage is None else _usage(usage),
    }


def whole(heading: Heading, answer: Answer) -> dict[str, object]:
    """The response to a request that was not streamed."""
    choice = answer.choices[0]
    return body(heading, status_of(choice.finish), items(heading.id, choice), answer.usage)


def status_of(finish: Finish) -> str:
    """How a response stands after such an end."""
    return _STATUS.get(finish.reason, "completed")


def items(response: str, choice: Choice) -> list[Kept]:
    """What came, as items; a message of no text where nothing came."""
    pieces = choice.pieces or (TextPart(""),)
    complete = choice.finish.reason != "length"
    logprobs = list(choice.logprobs or ())
    found: list[Kept] = []
    for number, piece in enumerate(pieces):
        status = "completed" if complete or number < len(pieces) - 1 else "incomplete"
        match piece:
            case TextPart():
                found.append(message(response, number, piece.text, logprobs, status))
                logprobs = []
            case ReasoningPart():
                found.append(reasoning(response, number, piece.text, status))
            case Call():
                found.append(call(response, number, piece, "completed"))
    return found


def message(
    response: str, number: int, text: str, logprobs: Iterable[TokenLogprob], status: str
) -> Kept:
    """Something said."""
    return {
        "id": item_id("message", response, number),
        "type": "message",
        "status": status,
        "role": "assistant",
        "content": [text_part(text, logprobs)],
    }


def text_part(text: str, logprobs: Iterable[TokenLogprob] = ()) -> Kept:
    """The one part of a message."""
    told = openai_logprobs.chat(logprobs)["content"]
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": told}


def reasoning(response: str, number: int, text: str, status: str) -> Kept:
    """Something thought."""
    return {
        "id": item_id("reasoning", response, number),
        "type": "reasoning",
        "status": status,
        "summary": [],
        "content": [reasoning_part(text)],
        "encrypted_content": None,
    }


def reasoning_part(text: str) -> Kept:
    """The one part of a thought."""
    return {"type": "reasoning_text", "text": text}


def call(response: str, number: int, made: Call, status: str) -> Kept:
    """A call; one that was cut off is incomplete whatever follows it."""
    return {
        "id": item_id("function_call", response, number),
        "type": "function_call",
        "status": status if made.complete or status == "in_progress" else "incomplete",
        "call_id": call_id(response, 0, made.number),
        "name": made.name,
        "arguments": made.arguments,
    }


def _usage(usage: Usage) -> dict[str, object]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cached, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }


def listing(found: Sequence[Kept], *, after: str | None, limit: int) -> dict[str, object]:
    """A page of items, behind the one with the id `after`."""
    ids = [item["id"] for item in found]
    start = ids.index(after) + 1 if after in ids else 0
    page = found[start : start + limit]
    return {
        "object": "list",
        "data": page,
        "first_id": page[0]["id"] if page else None,
        "last_id": page[-1]["id"] if page else None,
        "has_more": start + limit < len(found),
    }
