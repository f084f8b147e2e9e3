"""Methods and paths: HEAD, OPTIONS, 405, escaped names, trailing slashes."""

from __future__ import annotations

import pytest

from lmxd.http.app import ROUTES
from reconciler.state import Live
from tests.kit.fake_gate import FakeGate, routes
from tests.kit.http_stage import stage

PATHS = sorted({route.path for route in ROUTES if "<" not in route.path})
ALLOWED = {path: {route.method for route in ROUTES if route.path == path} for path in PATHS}
GETS = sorted({route.path for route in ROUTES if route.method == "GET" and "<" not in route.path})


@pytest.mark.parametrize("path", GETS)
async def test_what_answers_get_answers_head_without_a_body(path: str) -> None:
    async with stage() as on:
        raw = await on.raw()
        await raw.send(f"HEAD {path} HTTP/1.1\nHost: localhost\nConnection: close")
        head = await raw.rest()
        await raw.close()
        got = await on.get(path)
    assert head.startswith(b"HTTP/1.1 200 ")
    assert head.endswith(b"\r\n\r\n")
    assert f"content-length: {len(got.content)}".encode() in head.lower()


@pytest.mark.parametrize("path", PATHS)
async def test_options_names_the_methods(path: str) -> None:
    async with stage() as on:
        answer = await on.client.options(path)
    assert answer.status_code == 204
    expected = ALLOWED[path] | {"OPTIONS"} | ({"HEAD"} if path in GETS else set())
    assert set(answer.headers["allow"].split(", ")) == expected
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_a_wrong_method_is_405_and_says_which_are_right(method: str) -> None:
    async with stage() as on:
        answer = await on.client.request(method, "/v1/chat/completions")
    assert answer.status_code == 405
    assert set(answer.headers["allow"].split(", ")) == {"POST", "OPTIONS"}
    assert answer.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "generations/7/rollback", "OPTIONS, POST"),
        ("PUT", "leases/l-1", "DELETE, OPTIONS, PATCH"),
        ("DELETE", "models/day-coder", "GET, HEAD, OPTIONS"),
        ("POST", "desired", "GET, HEAD, OPTIONS, PATCH, PUT"),
    ],
)
async def test_a_wrong_method_is_405_also_where_a_path_has_parameters(
    method: str, path: str, allowed: str
) -> None:
    async with stage() as on:
        answer = await on.client.request(method, f"/lmxd/v1/{path}")
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


async def test_a_name_in_a_path_is_unescaped_once() -> None:
    gate = FakeGate(routes({"org/big model": ["day"], "100%25": ["day"]}, day=Live.READY))
    async with stage(gate) as on:
        escaped = await on.get("/v1/models/org%2Fbig%20model")
        plain = await on.get("/v1/models/org/big%20model")
        once = await on.get("/v1/models/100%2525")
    assert escaped.json()["id"] == plain.json()["id"] == "org/big model"
    assert once.json()["id"] == "100%25"


async def test_a_trailing_slash_does_not_matter() -> None:
    async with stage() as on:
        assert (await on.get("/v1/models/")).json() == (await on.get("/v1/models")).json()


async def test_long_headers_are_taken_and_endless_ones_are_not() -> None:
    """Browsers send the cookies of all servers on localhost to each of them."""
    async with stage() as on:
        assert (await on.get("/health", cookie="x" * 24_000)).status_code == 200
        raw = await on.raw()
        await raw.send(f"GET /health HTTP/1.1\nHost: localhost\nCookie: {'x' * 40_000}")
        refused = await raw.rest()
        await raw.close()
    assert refused.startswith(b"HTTP/1.1 413 ")
