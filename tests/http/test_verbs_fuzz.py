"""Whatever an old bot sends to admin and LM Studio paths, it is never the server's fault."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.test_lmstudio_api import ENTRY
from tests.kit.http_stage import stage

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_WORDS = st.sampled_from(
    ["day-coder", "hf:org/x", "org/x", "a:b:c", "2h", "forever", "\x00", "https://hf.co/a/b"]
)
_VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False)
_MEMBERS = st.sampled_from(
    ["model", "ttl", "context", "from", "fields", "source", "destination", "instance_id",
     "context_length", "echo_load_config", "quantization", "flash_attention"]
)  # fmt: skip
_BODIES = (
    st.dictionaries(
        _MEMBERS | _TEXT, _WORDS | _VALUES | _TEXT | st.just({"system": "a"}), max_size=4
    ).map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=40)
    | st.sampled_from([b"", b"[]", b"null", b'{"model": "a", "model": "b"}', b'"model"'])
)
_VERBS = ("load", "unload", "download", "copy", "create", "delete")
_PATHS = st.sampled_from(
    [
        *(f"/admin/models/{verb}" for verb in _VERBS), "/admin/models/%ff", "/admin/models/a%2Fb",
        "/admin/models/", "/admin/models", "/admin/status", "/admin/memory", "/admin/metrics",
        "/admin/config/reload", "/api/v1/models", "/api/v1/models/load", "/api/v1/models/unload",
        "/api/v1/models/download", "/api/v1/models/download/status/%00", "/api/v1/",
    ]
)  # fmt: skip
_QUERIES = st.sampled_from(
    ["", "ttl=2h", "ttl=", "ttl=-1s", "ttl=forever", "dry_run=true", "force=true&ttl=1s", "%", "="]
)
_HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "prefer", "lmxd-manager", "idempotency-key", "if-match"]),
    st.sampled_from(["application/json", "text/yaml", "wait=1", "night-bot", "k-1", '"a"', "*"]),
    max_size=3,
)
_CALLS = st.tuples(
    st.sampled_from(["GET", "POST", "DELETE", "PUT"]), _PATHS, _QUERIES, _BODIES, _HEADERS
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls=st.lists(_CALLS, min_size=20, max_size=20))
async def test_no_order_is_answered_with_a_server_error(calls: list[Any]) -> None:
    async with stage() as on:
        on.control.entries = (ENTRY,)
        for method, path, query, body, headers in calls:
            given = {"content-type": "application/json"} | headers
            got = await on.client.request(method, f"{path}?{query}", content=body, headers=given)
            assert got.status_code < 500, (got.text, method, path, query, body, headers)
            if got.status_code >= 400:
                problem = got.json()
                assert problem["error"]["type"] if path.startswith("/api") else problem["code"]
