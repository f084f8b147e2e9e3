"""Bodies of Ollama's API for the documentation: as JSON schemas, and field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic.json_schema import models_json_schema

from lmxd.dialects.fields import Table
from lmxd.dialects.ollama_fields import EMBEDDED, GENERATED, OPTIONS
from schemas.wire.forms import Wire
from schemas.wire.ollama import (
    OllamaChatRequest,
    OllamaEmbeddingsRequest,
    OllamaEmbedRequest,
    OllamaGenerateRequest,
    OllamaOptions,
)

_BODIES: Mapping[str, tuple[type[Wire], Table]] = {
    "/api/chat": (OllamaChatRequest, GENERATED),
    "/api/generate": (OllamaGenerateRequest, GENERATED),
    "/api/embed": (OllamaEmbedRequest, EMBEDDED),
    "/api/embeddings": (OllamaEmbeddingsRequest, EMBEDDED),
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
        yield path, tuple(sorted(body.model_fields)), table
    yield "options", tuple(sorted(OllamaOptions.model_fields)), OPTIONS
