"""Bodies of the OpenAI API for the documentation: as JSON schemas, and field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic.json_schema import models_json_schema

from lmxd.dialects import openai_fields as fields
from lmxd.dialects.fields import Table
from schemas.wire.forms import Wire
from schemas.wire.openai_chat import ChatRequest
from schemas.wire.openai_completions import (
    CompletionRequest,
    DetokenizeRequest,
    TokenizeRequest,
)
from schemas.wire.responses import ResponseRequest

_BODIES: Mapping[str, tuple[type[Wire], Table]] = {
    "/v1/chat/completions": (ChatRequest, fields.CHAT),
    "/v1/completions": (CompletionRequest, fields.COMPLETION),
    "/v1/responses": (ResponseRequest, fields.RESPONSE),
    "/v1/tokenize": (TokenizeRequest, fields.TOKENIZE),
    "/v1/detokenize": (DetokenizeRequest, fields.DETOKENIZE),
}


def schemas(prefix: str) -> dict[str, dict[str, object]]:
    """The schemas by name; `prefix` is what references to them begin with."""
    _, found = models_json_schema(
        [(body, "validation") for body, _ in _BODIES.values()], ref_template=f"{prefix}{{model}}"
    )
    return dict(found["$defs"])


def known() -> Iterator[tuple[str, tuple[str, ...], Table]]:
    """By path, the fields that are read, and the table of those that are known beside them."""
    for path, (body, table) in _BODIES.items():
        read = (field.alias or name for name, field in body.model_fields.items())
        yield path, tuple(sorted(read)), table
