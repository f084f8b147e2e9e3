"""One request to the daemon that changes something: what is sent, and the answer or its refusal.

`Call` is what the verbs that change agree on: method, path, body and the conditions that travel
as headers. `lmxd.cli.client` sends it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

__all__ = ["JSON", "JSON_PATCH", "MERGE_PATCH", "YAML", "Call", "Terms"]

JSON = "application/json"
YAML = "application/yaml"
MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class Terms:
    """Under which conditions a change is asked for. `wait` and `lease` are durations as text."""

    dry_run: bool = False
    force: bool = False
    wait_s: float | None = None
    lease: str | None = None
    manager: str | None = None
    note: str | None = None
    if_match: str | None = None
    if_none_match: str | None = None
    plan_id: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One request. `body` is sent as it is, under `content_type`."""

    method: str
    path: str
    body: bytes = b""
    content_type: str = JSON
    terms: Terms = field(default_factory=Terms)

    @classmethod
    def of_json(
        cls,
        method: str,
        path: str,
        value: object,
        terms: Terms | None = None,
        content_type: str = JSON,
    ) -> Call:
        """A request with JSON values as its body."""
        return cls(method, path, json.dumps(value).encode(), content_type, terms or Terms())

    @property
    def target(self) -> str:
        """The path with its query."""
        given = {"dry_run": self.terms.dry_run, "force": self.terms.force}
        asked = {name: "true" for name, wanted in given.items() if wanted}
        return f"{self.path}?{urlencode(asked)}" if asked else self.path

    @property
    def headers(self) -> Mapping[bytes, bytes]:
        """Everything that is no part of the body, in UTF-8: a note may be in any language."""
        terms = self.terms
        said = {
            "Content-Type": self.content_type,
            "Prefer": f"wait={terms.wait_s:g}" if terms.wait_s else None,
            "Lmxd-Lease": terms.lease,
            "Lmxd-Manager": terms.manager,
            "Lmxd-Note": terms.note,
            "Lmxd-Plan": terms.plan_id,
            "If-Match": terms.if_match,
            "If-None-Match": terms.if_none_match,
        }
        return {name.encode(): value.encode() for name, value in said.items() if value}
