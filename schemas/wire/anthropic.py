"""Bodies of the Anthropic API as clients send them.

Only fields that lmxd reads are declared; all others are kept aside in `model_extra`, where
`lmxd.dialects.anthropic` judges them by its tables.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from schemas.wire.forms import LIST, STRING, Wire, either

__all__ = [
    "CountRequest",
    "InputBlock",
    "InputMessage",
    "MessagesFormat",
    "MessagesMetadata",
    "MessagesOutput",
    "MessagesRequest",
    "MessagesThinking",
    "MessagesTool",
    "MessagesToolChoice",
]


class InputBlock(Wire):
    """A block of a message's content. Which types are possible is not decided here."""

    type: str
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    tool_use_id: str | None = None
    content: InputContent | None = None
    is_error: bool | None = None


InputContent = Annotated[
    Annotated[str, Tag(STRING)] | Annotated[list[InputBlock], Tag(LIST)], either("blocks")
]


class InputMessage(Wire):
    """One message of the conversation."""

    role: Literal["user", "assistant", "system"]
    content: InputContent


class MessagesTool(Wire):
    """A tool the model may call. `type` of anything but a client's own tool is refused."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: str | None = None
    input_schema: dict[str, Any] | None = None
    type: str | None = None


class MessagesToolChoice(Wire):
    """Whether tools are called."""

    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class MessagesThinking(Wire):
    """Whether the model thinks first, and how much of it is shown."""

    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    display: Literal["summarized", "omitted"] | None = None


class MessagesFormat(Wire):
    """What the answer must match."""

    type: Literal["json_schema"]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]


class MessagesOutput(Wire):
    """How the answer is made."""

    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: MessagesFormat | None = None


class MessagesMetadata(Wire):
    """About the request."""

    user_id: str | None = None


class CountRequest(Wire):
    """Body of `POST /v1/messages/count_tokens`."""

    model: Annotated[str, Field(min_length=1, max_length=512)]
    messages: Annotated[list[InputMessage], Field(min_length=1)]
    system: InputContent | None = None
    tools: list[MessagesTool] | None = None
    tool_choice: MessagesToolChoice | None = None
    thinking: MessagesThinking | None = None
    output_config: MessagesOutput | None = None
    output_format: MessagesFormat | None = None
    metadata: MessagesMetadata | None = None


class MessagesRequest(CountRequest):
    """Body of `POST /v1/messages`."""

    max_tokens: Annotated[int, Field(ge=1, le=2**31 - 1)]
    stop_sequences: Annotated[list[str], Field(max_length=64)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    stream: bool | None = None
