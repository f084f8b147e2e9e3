"""Whatever clients of Anthropic and Ollama send, it is never the server's fault."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmxd.dialects import anthropic, fields, ollama
from lmxd.dialects.ollama_fields import GENERATED, OPTIONS
from schemas.errors import RequestError
from schemas.wire.anthropic import MessagesRequest
from schemas.wire.ollama import OllamaChatRequest, OllamaGenerateRequest, OllamaOptions
from tests.http.test_lmstudio_api import ENTRY
from tests.kit.fake_gate import FakeGate, answer
from tests.kit.http_stage import stage

_WORDS = st.sampled_from(
    [
        *("user", "assistant", "tool", "system", "text", "image", "tool_use", "tool_result"),
        *("thinking", "redacted_thinking", "enabled", "any", "json", "json_schema", "5m", "-1"),
        *("weather", "{{ .Prompt }}", "function"),
    ]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | _WORDS
)
_MEMBERS = st.sampled_from(
    [
        *("role", "content", "type", "text", "thinking", "id", "name", "input", "tool_use_id"),
        *("function", "arguments", "tool_calls", "tool_name", "images", "schema", "format"),
        *("input_schema", "parameters", "budget_tokens", "effort", "user_id", "source", "ü"),
        *OllamaOptions.model_fields,
        *OPTIONS.unserved,
    ]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_MEMBERS, inner, max_size=4),
    max_leaves=10,
)
_NAMES = st.sampled_from(
    sorted(
        {
            *MessagesRequest.model_fields,
            *OllamaChatRequest.model_fields,
            *OllamaGenerateRequest.model_fields,
            *anthropic.MESSAGES.unserved,
            *anthropic.MESSAGES.advisory,
            *GENERATED.unserved,
            *("input", "x\r\ny", ""),
        }
    )
)
_LEAST: dict[str, Any] = {
    "model": "m",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "a"}],
    "prompt": "a",
    "input": "a",
}
_BODIES = st.builds(
    lambda odd: {**_LEAST, **odd}, st.dictionaries(_NAMES, _VALUES, max_size=3)
) | st.dictionaries(_NAMES, _VALUES, max_size=5)
_TRANSLATIONS = st.sampled_from(
    [
        anthropic.messages,
        anthropic.count,
        ollama.chat,
        ollama.generate,
        ollama.embed,
        ollama.embeddings,
    ]
)
_PATHS = st.sampled_from(
    [
        *("/v1/messages", "/v1/messages/count_tokens", "/api/chat", "/api/generate"),
        *("/api/embed", "/api/embeddings", "/api/show", "/api/copy", "/api/stop"),
        *("/api/push", "/api/blobs/x", "/api/pull?dry_run=true", "/api/create?dry_run=true"),
    ]
)


def outcome(body: dict[str, object], translate: Any) -> Any:
    try:
        return translate(body, "r1")
    except RequestError as error:
        return error


@settings(max_examples=600, deadline=None)
@given(body=_BODIES, translate=_TRANSLATIONS)
def test_a_body_becomes_a_request_that_a_worker_can_be_sent_or_a_named_error(
    body: dict[str, object], translate: Any
) -> None:
    got = outcome(body, translate)
    if isinstance(got, RequestError):
        assert got.param
        assert len(got.message) < 600
    else:
        assert msgspec.msgpack.encode(got.request)
        assert fields.header(got.ignored).isascii()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls=st.lists(st.tuples(_PATHS, _BODIES | _VALUES), min_size=20, max_size=20))
async def test_no_body_is_answered_with_a_server_error(calls: list[tuple[str, object]]) -> None:
    async with stage(FakeGate(script=answer("ok"))) as on:
        on.control.entries = (ENTRY,)
        for path, body in calls:
            got = await on.client.post(path, json=body)
            assert got.status_code < 500, (got.text, path, body)
            if got.status_code >= 400:
                error = got.json()["error"]
                assert isinstance(error, dict if path.startswith("/v1") else str)


@pytest.mark.parametrize("path", ["/v1/messages", "/api/chat", "/api/pull"])
async def test_a_body_that_is_no_json_is_the_clients_fault(path: str) -> None:
    async with stage() as on:
        for body in (b"", b"{", b"[1]", b"\xff", b"[" * 100_000):
            headers = {"content-type": "application/json"}
            got = await on.client.post(path, content=body, headers=headers)
            assert got.status_code == 400
