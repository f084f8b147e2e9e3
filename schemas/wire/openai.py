"""What the bodies of OpenAI's text APIs share: sampling, bounds, constraints, tools.

Beside OpenAI's own fields there are those that other servers of this API understand, since their
clients send them here too.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Tag

from schemas.wire.forms import LIST, OBJECT, STRING, Wire, either, one_form_of

__all__ = [
    "Constrained",
    "Effort",
    "Function",
    "FunctionName",
    "Generated",
    "JsonSchema",
    "ModelName",
    "Queued",
    "ResponseFormat",
    "Sampled",
    "Stops",
    "StreamOptions",
    "StructuredOutputs",
    "Tokens",
    "ToolName",
]


def _not_zero(value: int) -> int:
    if value == 0:
        raise ValueError("Input should be at least 1")
    return value


Tokens = Annotated[int, Field(ge=-1, le=2**31 - 1), AfterValidator(_not_zero)]
"""A bound on tokens; -1 is how LM Studio and llama.cpp write "no bound"."""

ModelName = Annotated[str, Field(min_length=1, max_length=512)]
ToolName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]{1,128}$")]
Stops = Annotated[
    Annotated[str, Tag(STRING)] | Annotated[list[str], Field(max_length=16), Tag(LIST)],
    either("strings"),
]
Bias = Annotated[float, Field(ge=-100, le=100)]
Schema = Annotated[
    Annotated[str, Tag(STRING)] | Annotated[dict[str, Any], Tag(OBJECT)],
    one_form_of("a JSON schema, as an object or as its text"),
]


class Sampled(Wire):
    """How tokens are chosen."""

    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    top_k: Annotated[int, Field(ge=-1, le=2**31 - 1)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), le=2**64 - 1)] | None = None
    xtc_probability: Annotated[float, Field(ge=0, le=1)] | None = None
    xtc_threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    repetition_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    repeat_penalty: Annotated[float, Field(gt=0, le=10)] | None = None
    logit_bias: dict[Annotated[str, Field(pattern=r"^[0-9]{1,9}$")], Bias] | None = None


class JsonSchema(Wire):
    """A schema with a name, as `response_format` has it."""

    name: str | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None
    strict: bool | None = None
    description: str | None = None


class ResponseFormat(Wire):
    """What the answer must be; `schema` beside the type is how llama.cpp writes it."""

    type: str
    json_schema: JsonSchema | None = None
    schema_: Annotated[dict[str, Any] | None, Field(alias="schema")] = None


class StructuredOutputs(Wire):
    """vLLM's object of constraints, one of which is set."""

    json_: Annotated[Schema | None, Field(alias="json")] = None
    regex: str | None = None
    choice: Annotated[list[str], Field(min_length=1)] | None = None
    grammar: str | None = None
    json_object: bool | None = None


class Constrained(Wire):
    """What the answer must match; one of these at most."""

    response_format: ResponseFormat | None = None
    json_schema: dict[str, Any] | None = None
    grammar: str | None = None
    regex: str | None = None
    guided_json: Schema | None = None
    guided_regex: str | None = None
    guided_grammar: str | None = None
    guided_choice: Annotated[list[str], Field(min_length=1)] | None = None
    structured_outputs: StructuredOutputs | None = None


class StreamOptions(Wire):
    """How a stream is written."""

    include_usage: bool | None = None


class Queued(Wire):
    """Who asks, and how urgent it is."""

    user: str | None = None
    service_tier: str | None = None
    priority: Annotated[int, Field(ge=-100, le=100)] | None = None


class Generated(Sampled, Constrained, Queued):
    """A request for text."""

    model: ModelName
    n: Annotated[int, Field(ge=1, le=32)] | None = None
    max_tokens: Tokens | None = None
    stop: Stops | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None


class Function(Wire):
    """A function the model may call."""

    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionName(Wire):
    """One of the functions."""

    name: str


Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
