"""The body of `POST /v1/responses`; `lmxd.dialects.responses` translates it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from schemas.wire.forms import LIST, OBJECT, STRING, Wire, either, one_form_of
from schemas.wire.openai import Effort, ModelName, Queued, Sampled, Stops, Tokens, ToolName

__all__ = [
    "ChosenTool",
    "Item",
    "ItemPart",
    "ReasoningConfig",
    "ResponseRequest",
    "ResponseTool",
    "TextConfig",
    "TextFormat",
]


class ItemPart(Wire):
    """A part of an item's content. Which types are possible is not decided here."""

    type: str
    text: str | None = None
    refusal: str | None = None


Content = Annotated[
    Annotated[str, Tag(STRING)] | Annotated[list[ItemPart], Tag(LIST)], either("parts")
]


class Item(Wire):
    """One item of a conversation: a message, a call, what came of one, or a thought."""

    type: str = "message"
    id: str | None = None
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: Content | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: Content | None = None
    summary: list[ItemPart] | None = None


class ResponseTool(Wire):
    """A tool. Which types are possible is not decided here."""

    type: str
    name: ToolName | None = None
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class NamedTool(Wire):
    """A reference to one of the tools."""

    type: str
    name: str | None = None


class ChosenTool(NamedTool):
    """One tool that must be called, or several that may be."""

    mode: Literal["auto", "required"] | None = None
    tools: Annotated[list[NamedTool], Field(min_length=1)] | None = None


class TextFormat(Wire):
    """What the text must be."""

    type: str
    name: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None
    description: str | None = None


class TextConfig(Wire):
    """How the text is."""

    format: TextFormat | None = None


class ReasoningConfig(Wire):
    """How much is thought; `max_tokens` as in chat completions."""

    effort: Effort | None = None
    max_tokens: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None


class ResponseRequest(Sampled, Queued):
    """Body of `POST /v1/responses`."""

    model: ModelName
    input: Annotated[
        Annotated[str, Tag(STRING)] | Annotated[list[Item], Field(min_length=1), Tag(LIST)],
        either("items"),
    ]
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    stream: bool | None = None
    max_output_tokens: Tokens | None = None
    stop: Stops | None = None
    text: TextConfig | None = None
    tools: list[ResponseTool] | None = None
    tool_choice: (
        Annotated[
            Annotated[Literal["none", "auto", "required"], Tag(STRING)]
            | Annotated[ChosenTool, Tag(OBJECT)],
            one_form_of("'none', 'auto', 'required' or an object"),
        ]
        | None
    ) = None
    parallel_tool_calls: bool | None = None
    reasoning: ReasoningConfig | None = None
    include: list[str] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    metadata: dict[str, str] | None = None
    chat_template_kwargs: dict[str, Any] | None = None
