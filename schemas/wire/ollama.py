"""Bodies of Ollama's API for inference, as clients send them.

Only fields that lmxd reads are declared; all others are kept aside in `model_extra`, where
`lmxd.dialects.ollama` judges them by its tables.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from schemas.wire.forms import LIST, STRING, Wire, either

__all__ = [
    "OllamaCall",
    "OllamaChatRequest",
    "OllamaEmbedRequest",
    "OllamaEmbeddingsRequest",
    "OllamaGenerateRequest",
    "OllamaMessage",
    "OllamaOptions",
    "OllamaRequest",
    "OllamaTool",
]

_INT = 2**31
Count = Annotated[int, Field(ge=-_INT, lt=_INT)]
Penalty = Annotated[float, Field(ge=-2, le=2)]
Strings = Annotated[str, Tag(STRING)] | Annotated[list[str], Field(max_length=64), Tag(LIST)]


class OllamaOptions(Wire):
    """Options that change what is said."""

    num_predict: Count | None = None
    temperature: Annotated[float, Field(ge=0, le=100)] | None = None
    top_k: Count | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**64 - 1)] | None = None
    stop: Annotated[Strings, either("strings")] | None = None
    repeat_penalty: Annotated[float, Field(gt=0, le=100)] | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None


class OllamaFunction(Wire):
    """What a tool is."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class OllamaTool(Wire):
    """A tool the model may call."""

    type: Literal["function"] | None = None
    function: OllamaFunction


class OllamaCalled(Wire):
    """The function that was called."""

    name: str
    arguments: dict[str, Any]


class OllamaCall(Wire):
    """A call the assistant made."""

    id: str | None = None
    function: OllamaCalled


class OllamaMessage(Wire):
    """One message of the conversation."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[OllamaCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class OllamaRequest(Wire):
    """What all requests for inference may say."""

    model: Annotated[str, Field(min_length=1, max_length=512)]
    options: OllamaOptions | None = None
    keep_alive: float | str | None = None


class _Generating(OllamaRequest):
    stream: bool | None = None
    format: str | dict[str, Any] | None = None
    think: bool | Literal["low", "medium", "high"] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=20)] | None = None


class OllamaGenerateRequest(_Generating):
    """Body of `POST /api/generate`."""

    prompt: str | None = None
    system: str | None = None
    template: str | None = None
    suffix: str | None = None
    raw: bool | None = None


class OllamaChatRequest(_Generating):
    """Body of `POST /api/chat`."""

    messages: list[OllamaMessage] | None = None
    tools: list[OllamaTool] | None = None


class OllamaEmbedRequest(OllamaRequest):
    """Body of `POST /api/embed`."""

    input: Annotated[
        Annotated[str, Tag(STRING)] | Annotated[list[str], Tag(LIST)], either("strings")
    ]
    dimensions: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    truncate: bool | None = None


class OllamaEmbeddingsRequest(OllamaRequest):
    """Body of `POST /api/embeddings`."""

    prompt: str
    truncate: bool | None = None
