"""Whatever a client sends, it is never the server's fault: random bodies give 200 or 4xx."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmxd.dialects import fields, openai
from lmxd.dialects.openai_fields import CHAT
from schemas.errors import RequestError
from schemas.wire.openai_chat import ChatRequest
from tests.kit.fake_gate import FakeGate, answer
from tests.kit.http_stage import stage

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.sampled_from(
        ["user", "assistant", "tool", "text", "image_url", "auto", "-1", 2**64, 1e300]
    )
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "type", "text", "name", "include_usage", "ü"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)
_NAMES = st.sampled_from(
    sorted({*ChatRequest.model_fields, *CHAT.unserved, *CHAT.advisory, "x\r\ny", ""})
)
_MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "system", "assistant", "tool"]), "content": st.text("aü")}
    ),
    min_size=1,
    max_size=2,
)
_BODIES = st.builds(
    lambda messages, odd: {"model": "m", "messages": messages, **odd},
    _MESSAGES,
    st.dictionaries(_NAMES, _VALUES, max_size=3),
) | st.dictionaries(_NAMES, _VALUES, max_size=5)


def outcome(body: dict[str, object]) -> openai.Chat | RequestError:
    try:
        return openai.chat(body, "chatcmpl-1")
    except RequestError as error:
        return error


@settings(max_examples=400, deadline=None)
@given(body=_BODIES)
def test_a_body_becomes_a_request_that_a_worker_can_be_sent_or_a_named_error(
    body: dict[str, object],
) -> None:
    got = outcome(body)
    if isinstance(got, RequestError):
        assert got.param
        assert len(got.message) < 600
    else:
        assert msgspec.msgpack.encode(got.request)
        assert fields.header(got.ignored).isascii()


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bodies=st.lists(_BODIES | _VALUES, min_size=20, max_size=20))
async def test_no_body_is_answered_with_a_server_error(bodies: list[object]) -> None:
    async with stage(FakeGate(script=answer("ok"))) as on:
        for body in bodies:
            got = await on.client.post("/v1/chat/completions", json=body)
            assert got.status_code == 200 or 400 <= got.status_code < 500, got.text


@pytest.mark.parametrize(
    "junk", [b"\x00" * 64, b"GET / HTTP/1.1\r\n", b"\xff\xfe\r\n\r\n", b"\r\n"]
)
async def test_a_server_outlives_what_is_not_http(junk: bytes) -> None:
    async with stage() as on:
        raw = await on.raw()
        raw.writer.write(junk)
        raw.writer.write_eof()
        await raw.rest()
        await raw.close()
        assert (await on.get("/health")).status_code == 200
