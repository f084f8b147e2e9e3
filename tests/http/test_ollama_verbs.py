"""Ollama's verbs over HTTP: what they order, how they tell of it, and what is refused."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.backoff import Record
from reconciler.catalog import Entry
from reconciler.state import NO_FILES, DiskPhase, DiskState, ModelKey
from schemas.errors import Code, RequestError
from schemas.verbs import Copy, Create, Delete, Download, Unload
from tests.http.test_admin_api import send
from tests.http.test_lmstudio_api import ENTRY
from tests.kit.fake_gate import DEADLINE_S
from tests.kit.http_stage import Raw, Stage, stage

NOW = datetime(2026, 11, 21, tzinfo=UTC)
MISSING = replace(ENTRY, disk=NO_FILES, current=None)


def show(on: Stage, entry: Entry) -> None:
    on.control.entries = (entry,)


def ordered(on: Stage) -> list[Any]:
    return [call for name, call in on.edits.calls if name == "perform"]


async def order(raw: Raw, body: object) -> None:
    sent = json.dumps(body).encode()
    head = "POST /api/pull HTTP/1.1\nHost: localhost\nContent-Type: application/json"
    await raw.send(f"{head}\nContent-Length: {len(sent)}", sent)


async def test_a_pull_tells_how_it_goes() -> None:
    async with stage() as on:
        show(on, MISSING)
        raw = await on.raw()
        await order(raw, {"model": "hf.co/org/repo"})
        start = await raw.until(b"pulling manifest")
        show(on, replace(MISSING, disk=DiskState(DiskPhase.PARTIAL, have=5, total=70)))
        some = await raw.until(b'"completed":5}')
        show(on, ENTRY)
        rest = await raw.until(b"0\r\n\r\n")
        await raw.close()
    assert b"application/x-ndjson" in start
    assert b'"total":70' in some
    assert b'{"status":"success"}' in rest
    assert ordered(on) == [Download("hf:org/repo", "on-demand")]


async def test_a_pull_that_is_not_streamed_answers_when_it_is_there() -> None:
    async with stage() as on:
        show(on, MISSING)
        asked = {"name": "org/repo", "stream": False, "insecure": True}
        sent = asyncio.create_task(send(on, "POST", "/api/pull", asked))
        async with asyncio.timeout(DEADLINE_S):
            await on.edits.begun.wait()
        show(on, ENTRY)
        found = await asyncio.wait_for(sent, DEADLINE_S)
    assert found.json() == {"status": "success"}
    assert found.headers["lmxd-generation"] == "7"


async def test_a_pull_that_cannot_succeed_says_why() -> None:
    failure = Record("k", "GatedRepo", "ask for access", 1, None, ())
    async with stage() as on:
        show(on, replace(MISSING, failure=failure))
        raw = await on.raw()
        await order(raw, {"model": "org/repo"})
        told = await raw.rest()
        await raw.close()
        asked = {"model": "org/repo", "stream": False}
        found = await send(on, "POST", "/api/pull", asked)
        show(on, replace(ENTRY, model=replace(ENTRY.model, key=ModelKey("other"))))
        gone = await send(on, "POST", "/api/pull", asked)
    assert b'{"error":"day-coder cannot be had: GatedRepo: ask for access"' in told
    assert b"success" not in told
    assert (found.status_code, gone.status_code) == (503, 404)
    assert "GatedRepo: ask for access" in found.json()["error"]


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        (replace(MISSING, model=replace(MISSING.model, suspended=True)), "suspended"),
        (replace(MISSING, failure=Record("k", "HubUnreachable", "x", 3, NOW, ())), "model_failed"),
    ],
)
async def test_a_pull_does_not_wait_for_what_takes_for_ever(entry: Entry, code: str) -> None:
    async with stage() as on:
        show(on, entry)
        found = await send(on, "POST", "/api/pull", {"model": "org/repo", "stream": False})
    assert (found.status_code, found.json()["code"]) == (503, code)
    assert "goes" in found.json()["error"]


async def test_a_pull_waits_for_another_try() -> None:
    async with stage() as on:
        show(on, replace(MISSING, failure=Record("k", "HubUnreachable", "x", 2, NOW, ())))
        raw = await on.raw()
        await order(raw, {"model": "org/repo"})
        await raw.until(b"waiting for another try: x")
        show(on, ENTRY)
        await raw.until(b'{"status":"success"}')
        await raw.close()


async def test_what_is_refused_is_refused_before_a_line_is_sent() -> None:
    async with stage() as on:
        on.edits.refusal = RequestError(Code.MODEL_NOT_FOUND, "no such source", hint="hf:org/name")
        found = await send(on, "POST", "/api/pull", {"model": "llama3.2"})
    assert found.status_code == 404
    assert found.json() == {
        "error": "no such source; hf:org/name",
        "code": "model_not_found",
    }


async def test_verbs_are_what_they_say() -> None:
    async with stage() as on:
        show(on, ENTRY)
        copied = await send(on, "POST", "/api/copy", {"source": "day-coder", "destination": "mine"})
        gone = await send(on, "DELETE", "/api/delete", {"model": "old"})
        older = await send(on, "DELETE", "/api/delete", {"name": "older"})
        stopped = await send(on, "POST", "/api/stop?ttl=1h", {"model": "day-coder"})
        made = await send(
            on,
            "POST",
            "/api/create",
            {"model": "mario", "from": "day-coder", "system": "Be Mario.", "stream": False},
        )
        shown = await send(
            on, "POST", "/api/create?dry_run=true", {"model": "mario", "from": "day-coder"}
        )
    for each in (copied, gone, older, stopped):
        assert (each.status_code, each.text) == (200, "")
    assert made.json() == {"status": "success"}
    assert shown.json()["dry_run"] is True
    assert ordered(on) == [
        Copy("day-coder", "mine"),
        Delete("old"),
        Delete("older"),
        Unload("day-coder"),
        Create("mario", "day-coder", {"state": "on-demand", "system": "Be Mario."}),
        Create("mario", "day-coder", {"state": "on-demand"}),
    ]
    assert ("terms", ("anonymous", False, 3600.0, False)) in on.edits.calls
    assert [seconds for _, seconds in on.edits.waited] == [120.0] * 4


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/api/push", {"model": "day-coder"}, 400),
        ("HEAD", "/api/blobs/sha256:00", None, 404),
        ("POST", "/api/blobs/sha256:00", {"any": 1}, 400),
        ("POST", "/api/create", {"model": "x", "from": "y", "files": {"a": "b"}}, 400),
        ("POST", "/api/create", {"model": "x:7b", "from": "y"}, 400),
        ("POST", "/api/create", {"model": "x"}, 400),
        ("POST", "/api/pull", {"model": "x", "stream": "no"}, 400),
        ("POST", "/api/pull", {"model": "x", "surprise": 1}, 400),
        ("POST", "/api/copy", {"source": "x"}, 400),
    ],
)
async def test_what_is_refused(method: str, path: str, body: object, status: int) -> None:
    async with stage() as on:
        found = await send(on, method, path, body)
    assert found.status_code == status
    assert ordered(on) == []
    if method != "HEAD":
        assert isinstance(found.json()["error"], str)


async def test_no_page_on_the_web_can_order_anything() -> None:
    """A browser sends such a body without asking first."""
    async with stage() as on:
        found = await send(on, "POST", "/api/pull", {"model": "x"}, content_type="text/plain")
    assert found.status_code == 415
    assert ordered(on) == []
