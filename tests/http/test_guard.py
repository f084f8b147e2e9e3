"""Host names and origins: who may talk to a server that has no keys."""

from __future__ import annotations

import pytest

from lmxd.http.guard import HEALTH_PATHS, Guard, host_of, is_loopback
from lmxd.http.ports import Access
from schemas.errors import RequestError
from tests.kit.http_stage import stage


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:1234",
        "localhost.:1234",
        "127.0.0.1",
        "127.0.0.1:1234",
        "127.1.2.3:80",
        "[::1]",
        "[::1]:1234",
        "app.localhost:1234",
        "studio.lan:1234",
        "box",
    ],
)
def test_loopback_listened_and_allowed_hosts_pass(host: str) -> None:
    guard = Guard(["studio.lan"], ["box"], [])
    guard.check("/v1/models", host, None)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "localhost:evil.example",
        "localhost@evil.example",
        "10.0.0.1",
        "",
        ":1234",
        "[::2]",
        "[::1]evil.example",
        "[::1",
        "[::1]]",
    ],
)
@pytest.mark.parametrize("listen", ["127.0.0.1", "::1"])
def test_other_hosts_are_refused(host: str, listen: str) -> None:
    with pytest.raises(RequestError, match="is not a name of this server"):
        Guard([listen], [], []).check("/v1/models", host, None)


@pytest.mark.parametrize("given", ["fd00::7", "[fd00::7]", "[FD00::7]:80"])
def test_an_ipv6_address_may_be_allowed_with_or_without_brackets(given: str) -> None:
    Guard([], [given], []).check("/v1/models", "[fd00::7]:1234", None)


def test_a_star_allows_any_host() -> None:
    Guard([], ["*"], []).check("/v1/models", "evil.example", None)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:1234", "localhost:1234"),
        ("http://127.0.0.1:1234", "127.0.0.1:1234"),
        ("https://chat.example", "localhost:1234"),
        ("https://CHAT.example", "localhost:1234"),
    ],
)
def test_own_and_listed_origins_pass(origin: str, host: str) -> None:
    Guard([], [], ["https://chat.example/"]).check("/v1/models", host, origin)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "http://localhost:3000", "null", "http://localhost.evil.example:1234"],
)
def test_foreign_origins_are_refused(origin: str) -> None:
    with pytest.raises(RequestError, match="may not use this server"):
        Guard([], [], []).check("/health", "localhost:1234", origin)


def test_names_in_host_headers() -> None:
    assert host_of(" Example.COM.:80 ") == "example.com"
    assert host_of("[::1]:80") == "::1"
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")


async def test_a_rebound_name_gets_403_in_the_dialects_shape() -> None:
    async with stage() as on:
        inference = await on.get("/v1/models", host="evil.example")
        control = await on.get("/lmxd/v1/status", host="evil.example:1234")
        unknown = await on.get("/nothing", host="evil.example")
    assert inference.status_code == control.status_code == unknown.status_code == 403
    assert inference.json()["error"]["code"] == "forbidden"
    assert control.json()["code"] == "forbidden"
    assert "--allow-host" in control.json()["hint"]


@pytest.mark.parametrize("path", sorted(HEALTH_PATHS))
async def test_probes_may_come_under_any_name(path: str) -> None:
    async with stage() as on:
        assert (await on.get(path, host="10.2.3.4:1234")).status_code == 200


async def test_a_request_without_a_host_is_refused() -> None:
    async with stage() as on:
        raw = await on.raw()
        await raw.send("GET /v1/models HTTP/1.0")
        assert (await raw.rest()).startswith(b"HTTP/1.1 403 ")
        await raw.close()


@pytest.mark.parametrize("again", ["Host: evil.example", "Origin: http://evil.example"])
async def test_two_hosts_or_origins_are_refused(again: str) -> None:
    async with stage() as on:
        raw = await on.raw()
        await raw.send(
            f"GET /v1/models HTTP/1.1\nHost: localhost\nOrigin: http://localhost\n{again}"
        )
        assert (await raw.until(b"\r\n")).startswith(b"HTTP/1.1 400 ")
        await raw.close()


@pytest.mark.parametrize("header", ["Host", "Origin", "Access-Control-Request-Headers"])
async def test_headers_that_are_no_text_are_no_trouble(header: str) -> None:
    async with stage(access=Access(origins=("*",))) as on:
        raw = await on.raw()
        others = {"Host": b"localhost", "Origin": b"http://a"} | {header: b"\xff\xfe"}
        lines = b"".join(b"%b: %b\r\n" % (name.encode(), text) for name, text in others.items())
        raw.writer.write(b"OPTIONS /v1/models HTTP/1.1\r\n" + lines + b"\r\n")
        status = await raw.until(b"\r\n")
        await raw.close()
    assert status.split()[1] in {b"204", b"403"}


async def test_a_foreign_page_cannot_post_and_gets_no_cors_headers() -> None:
    async with stage() as on:
        answer = await on.client.post(
            "/v1/chat/completions", json={}, headers={"Origin": "https://evil.example"}
        )
    assert answer.status_code == 403
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert "--cors https://evil.example" in answer.json()["error"]["hint"]
    assert on.gate.taken == []


async def test_without_cors_not_even_the_own_page_gets_cors_headers() -> None:
    async with stage() as on:
        answer = await on.get("/v1/models", origin=on.url)
    assert answer.status_code == 200
    assert not any(name.startswith("access-control") for name in answer.headers)


async def test_a_listed_page_gets_cors_headers_on_answers_errors_and_preflights() -> None:
    async with stage(access=Access(origins=("https://chat.example",))) as on:
        fine = await on.get("/v1/models", origin="https://chat.example")
        wrong = await on.get("/v1/nothing", origin="https://chat.example")
        other = await on.get("/v1/models")
        document = await on.get("/lmxd/v1/desired", origin="https://chat.example")
        preflight = await on.client.options(
            "/v1/chat/completions",
            headers={
                "Origin": "https://chat.example",
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "authorization, content-type",
            },
        )
    for answer in (fine, wrong, preflight):
        assert answer.headers["access-control-allow-origin"] == "https://chat.example"
        assert answer.headers["vary"] == "Origin"
    assert "access-control-allow-origin" not in other.headers
    assert document.headers["vary"] == "Accept, Origin"
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-headers"] == "authorization, content-type"
    assert "POST" in preflight.headers["access-control-allow-methods"]
