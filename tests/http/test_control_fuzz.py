"""Whatever a bot sends to the control API, it is never the server's fault: 2xx or 4xx."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.http.test_control_verbs import hold
from tests.kit.http_stage import stage

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | _TEXT
    | st.sampled_from(["2h", "loaded", "l-1", "day-coder", "forever", "\x00", "a\nb: c"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["models", "day-coder", "patch", "document", "ttl", "sha256", "op", ""])
            | _TEXT,
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
_BODIES = (
    _VALUES.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=40)
    | st.sampled_from([b"", b"{}", b"[]", b'{"a":' * 300 + b"1" + b"}" * 300, b'{"a": 1e999}'])
)
_NAMES = st.sampled_from(
    [
        "if-match", "if-none-match", "prefer", "lmxd-lease", "lmxd-manager", "lmxd-plan",
        "lmxd-note", "idempotency-key", "content-type", "accept",
    ]
)  # fmt: skip
_HEADER_VALUES = (
    st.sampled_from(
        [
            b"*", b'"a"', b'W/"a"', b"wait=1", b"2h", b"application/json", b"text/yaml", b"file",
            b"respond-async", b"application/merge-patch+json", b"night-bot", b"p-1", b"wait=" * 9,
        ]
    )
    | st.binary(max_size=24).map(lambda raw: bytes(b for b in raw if b >= 32 and b != 127).strip())
)  # fmt: skip
_PATHS = st.sampled_from(
    [
        "desired", "desired/confirm", "plan", "leases", "leases/l-1", "generations",
        "generations/7", "generations/7/rollback", "suspend", "resume", "status", "effective",
        "models/day-coder/retry", "models/day-coder/suspend", "models/%ff%2F/resume", "schema",
        "models/%00/retry", "leases/%2e%2e%2f", "generations/%20",
    ]
)  # fmt: skip
_QUERIES = st.sampled_from(
    [
        "", "dry_run=true", "force=true", "dry_run=false&force=false", "at=2026-11-21T22:00:00Z",
        "at=0001-01-01T00:00:00Z", "limit=5", "limit=-1", "%", "%ff=%fe", "=", "&", "a=b;c=d",
    ]
)  # fmt: skip
_METHODS = st.sampled_from(["GET", "PATCH", "PUT", "POST", "DELETE"])
_CALLS = st.tuples(
    _METHODS, _PATHS, _QUERIES, _BODIES, st.dictionaries(_NAMES, _HEADER_VALUES, max_size=4)
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls=st.lists(_CALLS, min_size=20, max_size=20))
async def test_no_call_is_answered_with_a_server_error(calls: list[Any]) -> None:
    async with stage() as on:
        hold(on)
        for method, path, query, body, headers in calls:
            given = {"content-type": b"application/json"} | headers
            got = await on.client.request(
                method, f"/lmxd/v1/{path}?{query}", content=body, headers=given
            )
            assert got.status_code < 500, (got.text, method, path, query, body, headers)
            if got.status_code >= 400:
                assert got.headers["content-type"] == "application/problem+json"
                assert got.json()["code"]
