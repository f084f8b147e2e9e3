"""`python -m lmxd.desired.generate [ROOT]`: the JSON Schema and the reference page of the document.

Both are made from the pydantic models and kept in the repository, so that an editor can use the
one and a person read the other; a test says when they are stale. Not used by the daemon.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from lmxd.desired.reference import page
from schemas.desired import DesiredState

__all__ = ["files", "json_schema", "main"]


class _Generator(GenerateJsonSchema):
    """Says what the parser says: null has no meaning, and a map takes no keys of another form."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default", ...) is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        result = super().dict_schema(schema)
        if "patternProperties" in result:
            result["additionalProperties"] = False
        return result

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of the desired-state document."""
    schema = DesiredState.model_json_schema(schema_generator=_Generator)
    schema["title"] = "lmxd desired state"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def files() -> dict[str, str]:
    """The generated files by their path in the repository."""
    schema = json_schema()
    return {
        "schemas/desired-state.schema.json": json.dumps(schema, indent=2) + "\n",
        "docs/reference/desired-state.md": page(schema),
    }


def main(arguments: list[str]) -> int:
    """Write the generated files below ROOT (default: here)."""
    root = Path(arguments[0]) if arguments else Path.cwd()
    for name, content in files().items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
