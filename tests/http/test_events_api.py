"""`GET /lmxd/v1/events`: lists, streams, lost places, silence, slow readers and the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from lmxd.http import streams
from lmxd.http.ports import Timing
from lmxd.telemetry.events import KEPT
from schemas.events import Event
from tests.kit.fake_gate import DEADLINE_S
from tests.kit.http_stage import Raw, Stage, stage

PATH = "/lmxd/v1/events"
QUICK = Timing(heartbeat_s=0.01)
END_OF_BODY = b"0\r\n\r\n"
SSE = {"accept": "text/event-stream"}


def tell(on: Stage, *messages: str, subject: str = "model/a", kind: str = "Normal") -> None:
    for message in messages:
        on.events.emit(Event(kind, "Ready", subject, message))  # type: ignore[arg-type]


def said(found: Any) -> list[str]:
    return [each["message"] for each in found["events"]]


async def listen(on: Stage, query: str = "", *headers: str) -> Raw:
    """A stream that has begun: its opening is read."""
    raw = await on.raw()
    lines = "".join(f"\n{line}" for line in ("Accept: text/event-stream", *headers))
    await raw.send(f"GET {PATH}{query} HTTP/1.1\nHost: localhost{lines}")
    await raw.until(b"\n\n\r\n")
    return raw


async def next_event(raw: Raw) -> dict[str, Any]:
    """The data of the next event; comments are passed over."""
    while True:
        message = (await raw.until(b"\n\n")).decode()
        lines = dict(line.split(": ", 1) for line in message.splitlines() if ": " in line)
        if "data" in lines:
            found: dict[str, Any] = json.loads(lines["data"])
            if lines["event"] != "Error":
                assert lines["id"] == str(found["id"])
                assert lines["event"] == found["kind"]
            return found


async def test_a_list_tells_what_is_held_and_where_to_go_on() -> None:
    async with stage() as on:
        tell(on, "one", "two")
        answer = await on.get(PATH)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["lmxd-state-id"] == "state"
    found = answer.json()
    assert {"stateId": "state", "lastId": 2}.items() <= found.items()
    assert said(found) == ["one", "two"]
    assert set(found["events"][0]) == {"kind", "reason", "subject", "message", "data", "id", "at",
        "firstAt", "count", "generation", "epoch"}  # fmt: skip
    assert (found["events"][0]["generation"], found["events"][0]["epoch"]) == (7, 12)


@pytest.mark.parametrize(
    ("query", "messages", "last"),
    [
        ("?after=1", ["two", "three", "four"], 4),
        ("?after=4", [], 4),
        ("?limit=2", ["three", "four"], 4),
        ("?after=1&limit=2", ["two", "three"], 3),
        ("?after=1&limit=3", ["two", "three", "four"], 4),
        ("?kind=Warning", ["three"], 4),
        ("?subject=model/b", ["two"], 4),
        ("?subject=model/b&kind=Warning", [], 4),
    ],
)
async def test_a_list_is_chosen_and_paged(query: str, messages: list[str], last: int) -> None:
    async with stage() as on:
        tell(on, "one")
        tell(on, "two", subject="model/b")
        tell(on, "three", kind="Warning")
        tell(on, "four")
        found = (await on.get(PATH + query)).json()
    assert (said(found), found["lastId"]) == (messages, last)


@pytest.mark.parametrize(
    "query",
    ["?after=x", "?after=-1", "?after=1.5", "?after=", f"?after={'9' * 19}", "?after=%C2%B2",
     "?limit=0", "?limit=1001", "?limit=many", "?kind=warning", "?kind=", "?since=3"],
)  # fmt: skip
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_wrong_parameter_is_named(query: str, accept: str) -> None:
    async with stage() as on:
        answer = await on.get(PATH + query, accept=accept)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"
    assert answer.json()["param"] == query[1:].partition("=")[0]


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_a_place_that_is_lost_is_gone_with_the_way_back(accept: str) -> None:
    async with stage() as on:
        tell(on, *map(str, range(KEPT + 5)))
        for place in (4, KEPT + 6):
            answer = await on.get(f"{PATH}?after={place}", accept=accept)
            assert answer.status_code == 410
            problem = answer.json()
            assert problem["code"] == "gone"
            assert (problem["lastId"], problem["oldestAfter"]) == (KEPT + 5, 5)
        held = await on.get(f"{PATH}?after=5")
    assert len(said(held.json())) == KEPT


async def test_nothing_can_be_posted() -> None:
    async with stage() as on:
        answer = await on.client.post(PATH, json={})
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
async def test_head_has_the_type_and_no_body(accept: str) -> None:
    async with stage() as on:
        answer = await on.client.head(PATH, headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith(accept)
    assert answer.content == b""


async def test_a_stream_begins_with_its_place_and_tells_what_comes() -> None:
    async with stage() as on:
        tell(on, "before")
        raw = await on.raw()
        await raw.send(f"GET {PATH} HTTP/1.1\nHost: localhost\nAccept: text/event-stream")
        head = await raw.until(b"\r\n\r\n")
        hello = await raw.until(b"\n\n\r\n")
        tell(on, "one", "two")
        found = [await raw.until(b"two"), await raw.until(b"\n\n\r\n")]
        await raw.close()
    assert b"content-type: text/event-stream" in head.lower()
    assert b"Cache-Control: no-cache" in head
    assert b'id: 1\nevent: Hello\ndata: {"stateId":"state","after":1}\n\n' in hello
    assert b"before" not in b"".join(found)
    assert b"id: 2\nevent: Normal\ndata: {" in found[0]


@pytest.mark.parametrize("how", ["query", "header", "both"])
async def test_a_stream_goes_on_where_its_reader_was(how: str) -> None:
    """The header wins: a browser that comes back keeps the address it began with."""
    async with stage() as on:
        tell(on, "one", "two", "three")
        query = {"query": "?after=1", "header": "", "both": "?after=0"}[how]
        headers = () if how == "query" else ("Last-Event-ID: 1",)
        raw = await listen(on, query, *headers)
        found = [(await next_event(raw))["message"]]
        tell(on, "four")
        while len(found) < 3:
            found.append((await next_event(raw))["message"])
        await raw.close()
    assert found == ["two", "three", "four"]


async def test_a_stream_can_be_narrowed_and_end_after_so_many() -> None:
    async with stage() as on:
        raw = await listen(on, "?after=0&subject=model/b&kind=Warning&limit=2")
        tell(on, "no")
        tell(on, "no", subject="model/b")
        tell(on, "yes", "and yes", "too many", subject="model/b", kind="Warning")
        rest = await raw.until(END_OF_BODY)
        await raw.close()
    assert b"yes" in rest
    assert b"and yes" in rest
    assert b"no" not in rest.replace(b"Normal", b"")
    assert b"too many" not in rest


async def test_silence_is_bridged_and_keeps_the_place() -> None:
    """A reader that is told little must not fall out of the ring without having missed anything."""
    async with stage(timing=QUICK) as on:
        raw = await listen(on, "?subject=model/b")
        assert b": heartbeat\nid: 0\n\n" in await raw.until(b"id: 0\n\n\r\n")
        for end in (600, 1200):
            tell(on, *map(str, range(end - 600, end)))
            await raw.until(b": heartbeat\nid: %d\n\n" % end)
        assert on.events.floor == 200
        tell(on, "here", subject="model/b")
        assert (await next_event(raw))["message"] == "here"
        await raw.close()


async def test_a_repeat_is_told_again_with_its_count() -> None:
    async with stage() as on:
        raw = await listen(on)
        tell(on, "again")
        first = await next_event(raw)
        tell(on, "again")
        second = await next_event(raw)
        await raw.close()
    assert [(e["id"], e["count"]) for e in (first, second)] == [(1, 1), (2, 2)]


async def test_streams_end_well_when_the_daemon_stops() -> None:
    async with stage() as on:
        raws = [await listen(on) for _ in range(3)]
        tell(on, "the last one")
        await on.events.close()
        ends = [await raw.until(END_OF_BODY) for raw in raws]
        await on.server.stop(DEADLINE_S)
        for raw in raws:
            await raw.close()
    assert all(b"the last one" in end and b": the end\n\n" in end for end in ends)


async def test_a_reader_that_goes_leaves_nothing_behind(caplog: pytest.LogCaptureFixture) -> None:
    async with stage() as on:
        raw = await listen(on)
        await raw.close()
        await on.server.stop(DEADLINE_S)
        assert on.server._running == 0
    assert [record for record in caplog.records if record.levelname in ("WARNING", "ERROR")] == []


async def test_a_reader_that_does_not_read_loses_only_itself(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(streams, "BACKLOG_MAX", 64 * 1024)
    async with stage() as on:
        fast, slow = await listen(on), await listen(on)
        slow.writer.transport.pause_reading()  # type: ignore[attr-defined]
        number = 0
        async with asyncio.timeout(DEADLINE_S):
            while "slow reader" not in caplog.messages:
                number += 1
                tell(on, f"{number} {'x' * 32768}")
                assert (await next_event(fast))["message"].startswith(f"{number} ")
        tell(on, "still there")
        assert (await next_event(fast))["message"] == "still there"
        await asyncio.gather(fast.close(), slow.close())


async def test_a_stream_that_was_overrun_says_so_and_does_not_end_well() -> None:
    async with stage() as on:
        raw = await listen(on)
        tell(on, *map(str, range(KEPT + 1)))  # in one turn of the loop: nobody can follow that
        rest = await raw.rest()
        await raw.close()
    assert b"event: Error\n" in rest
    assert b'"code":"gone"' in rest
    assert not rest.endswith(END_OF_BODY)


@asynccontextmanager
async def following(on: Stage, **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    async with on.client.stream("GET", PATH, headers=SSE | headers) as answer:
        assert answer.status_code == 200
        yield answer.aiter_lines()


async def test_an_http_client_follows_and_comes_back() -> None:
    async with stage() as on:
        place = ""
        async with following(on) as lines:
            tell(on, "one")
            async for line in lines:
                place = line.removeprefix("id: ") if line.startswith("id: ") else place
                if '"message":"one"' in line:
                    break
        tell(on, "two")
        async with following(on, **{"last-event-id": place}) as lines:
            async for line in lines:
                if '"message"' in line:
                    break
    assert json.loads(line.removeprefix("data: "))["message"] == "two"


async def test_a_page_asks_for_both_and_gets_what_it_likes_best() -> None:
    async with stage() as on:
        answer = await on.get(PATH, accept="application/json, text/event-stream;q=0.5")
        assert answer.headers["content-type"] == "application/json"
        assert (await on.get(PATH, accept="*/*")).headers["content-type"] == "application/json"
        with pytest.raises(httpx2.ReadTimeout):
            await on.client.get(PATH, headers=SSE, timeout=0.2)
