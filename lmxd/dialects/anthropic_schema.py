"""Bodies of the Anthropic API for the documentation: as JSON schemas, and field by field. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic.json_schema import models_json_schema

from lmxd.dialects.anthropic import MESSAGES
from lmxd.dialects.fields import Table
from schemas.wire.anthropic import CountRequest, MessagesRequest


def schemas(prefix: str) -> dict[str, dict[str, object]]:
    """The schemas by name; `prefix` is what references to them begin with."""
    _, found = models_json_schema(
        [(MessagesRequest, "validation"), (CountRequest, "validation")],
        ref_template=f"{prefix}{{model}}",
    )
    return dict(found["$defs"])


def known() -> Iterator[tuple[str, tuple[str, ...], Table]]:
    """By path, the fields that are read, and the table of those that are known beside them."""
    yield "/v1/messages", tuple(sorted(MessagesRequest.model_fields)), MESSAGES
