"""Bodies of the OpenAI API as clients send them.

Strict: a number in quotes is not a number. Only fields that lmxd reads are declared; all others
are kept aside in `model_extra`, where `lmxd.dialects.openai` judges them by its table.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Tag

from schemas.wire.forms import LIST, STRING, Wire, either

__all__ = ["ChatMessage", "ChatRequest", "ContentPart", "StreamOptions"]


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("Input should be at least 1")
    return value


Tokens = Annotated[int, Field(ge=-1, le=2**31 - 1), AfterValidator(_not_zero)]
"""A bound on tokens; -1 is how LM Studio and llama.cpp write "no bound"."""


class ContentPart(Wire):
    """A part of a message's content. Which types are possible is not decided here."""

    type: str
    text: str | None = None
    refusal: str | None = None


class ChatMessage(Wire):
    """One message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: (
        Annotated[
            Annotated[str, Tag(STRING)] | Annotated[list[ContentPart], Tag(LIST)],
            either("parts"),
        ]
        | None
    ) = None
    name: str | None = None
    tool_call_id: str | None = None
    tool_calls: list[dict[str, Any]] | None = None


class StreamOptions(Wire):
    """How a stream is written."""

    include_usage: bool | None = None


class ChatRequest(Wire):
    """Body of `POST /v1/chat/completions`."""

    model: Annotated[str, Field(min_length=1, max_length=512)]
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, le=2**31 - 1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**64 - 1)] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    stop: (
        Annotated[
            Annotated[str, Tag(STRING)] | Annotated[list[str], Field(max_length=16), Tag(LIST)],
            either("strings"),
        ]
        | None
    ) = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    chat_template_kwargs: dict[str, Any] | None = None
