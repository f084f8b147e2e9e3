"""Bodies of `POST /v1/completions`, `/v1/tokenize` and `/v1/detokenize`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from schemas.wire.forms import Wire
from schemas.wire.openai import Generated, ModelName
from schemas.wire.openai_chat import ChatMessage, ChatTool

__all__ = ["CompletionRequest", "DetokenizeRequest", "TokenizeRequest"]

_TOKENS: dict[str, object] = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0},
    "minItems": 1,
}
Prompts = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                _TOKENS,
                {"type": "array", "items": _TOKENS, "minItems": 1},
            ]
        }
    ),
]
"""A text, texts, tokens, or lists of tokens; `lmxd.dialects.openai_completions` tells which."""


class CompletionRequest(Generated):
    """Body of `POST /v1/completions`. `max_tokens` may be 0 with `echo`, to score a prompt."""

    prompt: Prompts
    max_tokens: Annotated[int, Field(ge=-1, le=2**31 - 1)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool | None = None
    suffix: str | None = None
    best_of: int | None = None


class TokenizeRequest(Wire):
    """Body of `POST /v1/tokenize`: a text, or the messages of a chat."""

    model: ModelName
    prompt: str | None = None
    content: str | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1)] | None = None
    tools: list[ChatTool] | None = None
    add_special_tokens: bool | None = None
    add_special: bool | None = None
    continue_final_message: bool | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    user: str | None = None


class DetokenizeRequest(Wire):
    """Body of `POST /v1/detokenize`."""

    model: ModelName
    tokens: list[Annotated[int, Field(ge=0, le=2**31 - 1)]]
    user: str | None = None
