"""Bodies of embeddings and rerank as JSON schemas, for the documentation. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pydantic.json_schema import models_json_schema

from lmxd.dialects import embeddings, rerank
from lmxd.dialects.fields import Table
from schemas.wire.embeddings import EmbeddingRequest
from schemas.wire.forms import Wire
from schemas.wire.rerank import RerankRequest

_BODIES: Mapping[str, tuple[type[Wire], Table]] = {
    "/v1/embeddings": (EmbeddingRequest, embeddings.FIELDS),
    "/v1/rerank": (RerankRequest, rerank.FIELDS),
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
