"""Body of `POST /v1/embeddings`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.wire.forms import Wire
from schemas.wire.openai import ModelName
from schemas.wire.openai_completions import Prompts

__all__ = ["EmbeddingRequest"]


class EmbeddingRequest(Wire):
    """Body of `POST /v1/embeddings`. `truncate` cuts texts that are too long for the model."""

    model: ModelName
    input: Prompts
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    truncate: bool | None = None
    user: str | None = None
