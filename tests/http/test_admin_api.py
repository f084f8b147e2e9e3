"""The admin paths of older servers: verbs with their terms, and what the machine does."""

from __future__ import annotations

from typing import Any

import httpx2
import msgspec
import pytest

from schemas.verbs import Copy, Create, Delete, Download, Load, Unload
from tests.http.test_control_api import DAY_CODER
from tests.kit.http_stage import STATUS, Stage, stage

MODELS = "/admin/models"


async def send(
    on: Stage, method: str, path: str, body: object = None, **headers: str
) -> httpx2.Response:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body) if body else b""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await on.client.request(
        method, path, content=content, headers={"content-type": "application/json"} | named
    )


@pytest.mark.parametrize(
    ("method", "path", "body", "verb"),
    [
        ("POST", "/load", {"model": "hf:org/new"}, Load("hf:org/new")),
        ("POST", "/load", {"model": "auto", "context": 512}, Load("auto", 512)),
        ("POST", "/unload", {"model": "auto"}, Unload("auto")),
        ("POST", "/download", {"model": "org/new"}, Download("org/new")),
        ("POST", "/copy", {"source": "a", "destination": "b:1"}, Copy("a", "b:1")),
        ("POST", "/create", {"model": "b", "from": "a"}, Create("b", "a")),
        (
            "POST",
            "/create",
            {"model": "b", "from": "a", "fields": {"system": "hi"}},
            Create("b", "a", {"system": "hi"}),
        ),
        ("POST", "/delete", {"model": "a"}, Delete("a")),
        ("DELETE", "/a", None, Delete("a")),
        ("DELETE", "/org%2Fmodel", None, Delete("org/model")),
        ("DELETE", "/org/model", None, Delete("org/model")),
    ],
)
async def test_a_path_is_a_verb(method: str, path: str, body: object, verb: object) -> None:
    async with stage() as on:
        answer = await send(on, method, MODELS + path, body, lmxd_manager="night-bot")
        await send(on, method, f"{MODELS}{path}?ttl=2h&force=true&dry_run=true", body)
    assert (answer.status_code, answer.json()["how"]) == (200, "edit")
    assert answer.headers["lmxd-generation"] == "7"
    assert on.edits.calls == [
        ("perform", verb),
        ("terms", ("night-bot", False, None, False)),
        ("perform", verb),
        ("terms", ("anonymous", True, 7200.0, True)),
    ]


async def test_a_ttl_may_be_in_the_body_but_not_twice() -> None:
    async with stage() as on:
        body = {"model": "a", "ttl": "90s"}
        lent = await send(on, "POST", f"{MODELS}/load", body)
        twice = await send(on, "POST", f"{MODELS}/load?ttl=1h", body)
        header = await send(on, "POST", f"{MODELS}/load", {"model": "a"}, lmxd_lease="1h")
        bare = await send(on, "POST", f"{MODELS}/load", body | {"ttl": 90})
    assert lent.status_code == 200
    assert on.edits.calls[1] == ("terms", ("anonymous", False, 90.0, False))
    assert [each.json()["param"] for each in (twice, header, bare)] == ["ttl", "Lmxd-Lease", "ttl"]
    assert len(on.edits.calls) == 2


async def test_verbs_wait_and_are_carried_out_once() -> None:
    async with stage() as on:
        ask = {"prefer": "wait=5", "idempotency_key": "k-1"}
        first = await send(on, "POST", f"{MODELS}/load", {"model": "a"}, **ask)
        again = await send(on, "POST", f"{MODELS}/load", {"model": "a"}, **ask)
        other = await send(on, "POST", f"{MODELS}/load", {"model": "b"}, **ask)
    assert first.json()["converged"] is True
    assert first.headers["preference-applied"] == "wait=5"
    assert again.headers["idempotency-replayed"] == "true"
    assert other.status_code == 422
    assert [name for name, _ in on.edits.calls] == ["perform", "terms"]


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/load", {}, "model"),
        ("/load", {"model": ""}, "model"),
        ("/load", {"model": 7}, "model"),
        ("/load", {"model": "a\nb"}, "model"),
        ("/load", {"model": "a" * 5000}, "model"),
        ("/load", {"model": "a", "context": "16k"}, "context"),
        ("/load", {"model": "a", "context": 0}, "context"),
        ("/load", {"model": "a", "context": True}, "context"),
        ("/load", {"model": "a", "gpu": 1}, "gpu"),
        ("/copy", {"source": "a"}, "destination"),
        ("/create", {"model": "a", "from": "b", "fields": []}, "fields"),
    ],
)
async def test_what_is_wrong_is_named(path: str, body: Any, param: str) -> None:
    async with stage() as on:
        answer = await send(on, "POST", MODELS + path, body or b"{}")
    assert (answer.status_code, answer.json()["param"]) == (400, param)
    assert not on.edits.calls


@pytest.mark.parametrize(
    "path",
    [
        *(f"{MODELS}/{verb}" for verb in ("load", "unload", "download", "copy", "delete")),
        "/admin/config/reload",
        "/api/v1/models/load",
        "/api/v1/models/unload",
        "/api/v1/models/download",
    ],
)
async def test_without_a_json_or_yaml_type_nothing_is_ordered(path: str) -> None:
    """What a page on the web can make a browser send without asking."""
    async with stage() as on:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            answer = await send(on, "POST", path, {"model": "a"}, content_type=kind)
            assert answer.status_code == 415, (kind, answer.text)
    assert not on.edits.calls


async def test_reload_answers_the_generation_and_can_be_waited_for() -> None:
    async with stage() as on:
        answer = await send(on, "POST", "/admin/config/reload", prefer="wait=5")
        rehearsed = await send(on, "POST", "/admin/config/reload?dry_run=true")
    assert (answer.status_code, answer.json()["generation"]) == (200, 7)
    assert answer.json()["converged"] is True
    assert (rehearsed.status_code, rehearsed.json()["param"]) == (400, "dry_run")
    assert on.edits.calls == [("reload", None)]


async def test_models_memory_status_and_metrics_are_those_of_the_status() -> None:
    async with stage() as on:
        on.control.current = msgspec.structs.replace(STATUS, models=(DAY_CODER,))
        models = (await on.get(MODELS)).json()
        memory = (await on.get("/admin/memory")).json()
        status = (await on.get("/admin/status")).json()
        metrics = (await on.get("/admin/metrics")).json()
        wrong = await on.get("/admin/status?verbose=true")
    (line,) = models["models"]
    assert (models["count"], models["loaded"]) == (1, 1)
    assert (line["id"], line["state"], line["status"]) == ("day-coder", "loaded", "Ready")
    assert (line["memory_bytes"], line["names"]) == (12, ["day-coder", "auto"])
    assert (memory["budget_bytes"], memory["reserved_bytes"]) == (14, 3)
    assert memory["available_bytes"] == 11
    assert memory["models"][0] == {
        "id": "day-coder",
        "needed_bytes": 10,
        "reserved_bytes": 12,
        "measured_bytes": 10,
    }
    assert (status["status"], status["loaded"], status["in_flight"]) == (
        "healthy",
        ["day-coder"],
        1,
    )
    assert status["uptime_seconds"] > 0
    assert (metrics["loaded_models"], metrics["failed_models"]) == (1, 0)
    assert wrong.status_code == 400
