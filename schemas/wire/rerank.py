"""Body of `POST /v1/rerank`, as clients of Jina and Cohere send it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, Tag

from schemas.wire.forms import OBJECT, STRING, Wire, one_form_of
from schemas.wire.openai import ModelName

__all__ = ["RerankDocument", "RerankRequest"]


class RerankDocument(Wire):
    """A document with its text in a field."""

    text: str


Document = Annotated[
    Annotated[str, Tag(STRING)] | Annotated[RerankDocument, Tag(OBJECT)],
    one_form_of("a string or an object with a text"),
]


class RerankRequest(Wire):
    """Body of `POST /v1/rerank`. `truncate` cuts documents that are too long for the model."""

    model: ModelName
    query: Annotated[str, Field(min_length=1)]
    documents: Annotated[list[Document], Field(min_length=1, max_length=2048)]
    top_n: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    return_documents: bool | None = None
    truncate: bool | None = None
    user: str | None = None
