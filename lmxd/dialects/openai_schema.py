"""Bodies of the OpenAI API as JSON schemas, for the documentation. Pure."""

from __future__ import annotations

from pydantic.json_schema import models_json_schema

from schemas.wire.openai_chat import ChatRequest
from schemas.wire.openai_completions import (
    CompletionRequest,
    DetokenizeRequest,
    TokenizeRequest,
)
from schemas.wire.responses import ResponseRequest

_BODIES = (
    ChatRequest,
    CompletionRequest,
    TokenizeRequest,
    DetokenizeRequest,
    ResponseRequest,
)


def schemas(prefix: str) -> dict[str, dict[str, object]]:
    """The schemas by name; `prefix` is what references to them begin with."""
    _, found = models_json_schema(
        [(body, "validation") for body in _BODIES], ref_template=f"{prefix}{{model}}"
    )
    return dict(found["$defs"])
