"""Bodies of Ollama's API as JSON schemas, for the documentation. Pure."""

from __future__ import annotations

from pydantic.json_schema import models_json_schema

from schemas.wire.ollama import (
    OllamaChatRequest,
    OllamaEmbeddingsRequest,
    OllamaEmbedRequest,
    OllamaGenerateRequest,
)


def schemas(prefix: str) -> dict[str, dict[str, object]]:
    """The schemas by name; `prefix` is what references to them begin with."""
    _, found = models_json_schema(
        [
            (OllamaChatRequest, "validation"),
            (OllamaEmbedRequest, "validation"),
            (OllamaEmbeddingsRequest, "validation"),
            (OllamaGenerateRequest, "validation"),
        ],
        ref_template=f"{prefix}{{model}}",
    )
    return dict(found["$defs"])
