"""The body of `POST /v1/chat/completions`; `lmxd.dialects.openai` translates it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from schemas.wire.forms import LIST, OBJECT, STRING, Wire, either, one_form_of
from schemas.wire.openai import Effort, Function, FunctionName, Generated, Tokens

__all__ = [
    "AllowedTools",
    "ChatMessage",
    "ChatRequest",
    "ChatTool",
    "ContentPart",
    "NamedTool",
    "SaidCall",
    "SaidFunction",
    "Thinking",
    "ToolChoice",
]


class ContentPart(Wire):
    """A part of a message's content. Which types are possible is not decided here."""

    type: str
    text: str | None = None
    refusal: str | None = None


class SaidFunction(Wire):
    """What was called. Some clients send the arguments as an object."""

    name: str
    arguments: (
        Annotated[
            Annotated[str, Tag(STRING)] | Annotated[dict[str, Any], Tag(OBJECT)],
            one_form_of("the text of a JSON object"),
        ]
        | None
    ) = None


class SaidCall(Wire):
    """A call the assistant made earlier."""

    id: str
    type: str | None = None
    function: SaidFunction | None = None


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
    tool_calls: list[SaidCall] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None


class ChatTool(Wire):
    """A tool. Which types are possible is not decided here."""

    type: str
    function: Function | None = None


class NamedTool(Wire):
    """A reference to one of the tools."""

    type: str
    function: FunctionName | None = None


class AllowedTools(Wire):
    """Some of the tools, and whether one of them must be called."""

    mode: Literal["auto", "required"]
    tools: Annotated[list[NamedTool], Field(min_length=1)]


class ToolChoice(NamedTool):
    """One tool that must be called, or several that may be."""

    allowed_tools: AllowedTools | None = None


class Thinking(Wire):
    """OpenRouter's object: how much is thought, in words or tokens."""

    effort: Effort | None = None
    max_tokens: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    enabled: bool | None = None


class ChatRequest(Generated):
    """Body of `POST /v1/chat/completions`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_completion_tokens: Tokens | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    tools: list[ChatTool] | None = None
    tool_choice: (
        Annotated[
            Annotated[Literal["none", "auto", "required"], Tag(STRING)]
            | Annotated[ToolChoice, Tag(OBJECT)],
            one_form_of("'none', 'auto', 'required' or an object"),
        ]
        | None
    ) = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: Effort | None = None
    reasoning: Thinking | None = None
    thinking_budget: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    chat_template_kwargs: dict[str, Any] | None = None
    continue_final_message: bool | None = None
    add_generation_prompt: bool | None = None
