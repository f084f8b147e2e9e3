"""`lmxd schema`: the JSON Schema of the document, for editors."""

from __future__ import annotations

import json

__all__ = ["schema"]


def schema() -> int:
    """Print the JSON Schema of desired-state.yaml.

    \b
    Examples:
      lmxd schema > desired-state.schema.json
    """
    from lmxd.desired.generate import json_schema

    print(json.dumps(json_schema(), indent=2))
    return 0
