"""Bodies of the Anthropic API as JSON schemas, for the documentation. Pure."""

from __future__ import annotations

from pydantic.json_schema import models_json_schema

from schemas.wire.anthropic import CountRequest, MessagesRequest


def schemas(prefix: str) -> dict[str, dict[str, object]]:
    """The schemas by name; `prefix` is what references to them begin with."""
    _, found = models_json_schema(
        [(MessagesRequest, "validation"), (CountRequest, "validation")],
        ref_template=f"{prefix}{{model}}",
    )
    return dict(found["$defs"])
