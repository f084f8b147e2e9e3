"""Whatever is sent to OpenAI's other surfaces: a request that a worker can be sent, or a named
error; never a fault of the server.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmxd.dialects import openai, openai_completions, responses
from schemas.errors import Code, RequestError
from schemas.inference import Request
from schemas.wire.openai_chat import ChatRequest
from schemas.wire.openai_completions import CompletionRequest, TokenizeRequest
from schemas.wire.responses import ResponseRequest
from tests.kit.fake_gate import FakeGate, FakeGeneration, answer
from tests.kit.http_stage import stage

_WORDS = st.sampled_from(
    [
        "user",
        "assistant",
        "function",
        "function_call",
        "function_call_output",
        "item_reference",
        "reasoning",
        "message",
        "json_schema",
        "json_object",
        "allowed_tools",
        "required",
        "auto",
        "input_text",
        "{}",
        "resp_" + "a" * 32,
        "msg_" + "a" * 32 + "_0",
    ]
)
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | _WORDS
)
_KEYS = st.sampled_from(
    [
        *("type", "role", "content", "text", "name", "id", "call_id", "arguments", "output"),
        *("function", "tools", "mode", "schema", "json_schema", "format", "summary", "json"),
        *("choice", "regex", "effort", "max_tokens", "parameters", "tool_calls", "1", "ü"),
    ]
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)
_FIELDS = sorted(
    {
        *ChatRequest.model_fields,
        *CompletionRequest.model_fields,
        *TokenizeRequest.model_fields,
        *ResponseRequest.model_fields,
    }
)
_LEAST: dict[str, Any] = {
    "model": "m",
    "messages": [{"role": "user", "content": "a"}],
    "prompt": "a",
    "input": "a",
    "tokens": [1],
}
_BODIES = st.builds(
    lambda odd: {**_LEAST, **odd},
    st.dictionaries(st.sampled_from(_FIELDS), _VALUES, max_size=4),
)


def response(body: dict[str, object], identifier: str) -> Request:
    return responses.translate(responses.draft(body, identifier), {}).request


Translation = Callable[[dict[str, object], str], Request]
TRANSLATIONS: list[Translation] = [
    lambda body, identifier: openai.chat(body, identifier).request,
    lambda body, identifier: openai_completions.completion(body, identifier).request,
    lambda body, identifier: openai_completions.tokenize(body, identifier).request,
    lambda body, identifier: openai_completions.detokenize(body, identifier).request,
    response,
]


def outcome(translated: Translation, body: dict[str, object]) -> Request | RequestError:
    try:
        return translated(body, "resp_" + "b" * 32)
    except RequestError as error:
        return error


@settings(max_examples=200, deadline=None)
@given(body=_BODIES)
def test_a_body_becomes_a_request_or_a_named_error(body: dict[str, object]) -> None:
    for translated in TRANSLATIONS:
        got = outcome(translated, body)
        if isinstance(got, RequestError):
            assert got.param
            assert len(got.message) < 600
        else:
            encoded = msgspec.msgpack.encode(got)
            assert msgspec.msgpack.decode(encoded, type=Request) == got


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies=st.lists(_BODIES | _VALUES, min_size=15, max_size=15))
@pytest.mark.parametrize("path", ["completions", "tokenize", "detokenize", "responses"])
async def test_no_body_is_answered_with_a_server_error(path: str, bodies: list[object]) -> None:
    async with stage(FakeGate(script=_one_each)) as on:
        for body in bodies:
            got = await on.client.post(f"/v1/{path}", json=body)
            assert got.status_code == 200 or 400 <= got.status_code < 500, got.text


def _one_each(generation: FakeGeneration) -> None:
    """As many answers as were asked for."""
    request = generation.request
    if request.n * max(1, len(request.prompts)) == 1:
        answer("ok")(generation)
        return
    generation.refuse(RequestError(Code.INVALID_REQUEST, "one at a time"))
