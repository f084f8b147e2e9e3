"""Bodies of embeddings and rerank as JSON schemas, for the documentation. Pure."""

from __future__ import annotations

from pydantic.json_schema import models_json_schema

from schemas.wire.embeddings import EmbeddingRequest
from schemas.wire.rerank import RerankRequest


def schemas(prefix: str) -> dict[str, dict[str, object]]:
    """The schemas by name; `prefix` is what references to them begin with."""
    _, found = models_json_schema(
        [(EmbeddingRequest, "validation"), (RerankRequest, "validation")],
        ref_template=f"{prefix}{{model}}",
    )
    return dict(found["$defs"])
