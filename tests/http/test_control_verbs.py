"""Suspend, resume, retry, rollback, leases and plans over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from reconciler.state import Accepted
from schemas.desired import DesiredState
from schemas.edit import JsonPatch, MergePatch, WholeData, WholeText
from tests.http.test_control_api import DAY_CODER
from tests.kit.http_stage import STATUS, Stage, accepted_document, stage

SOURCE = "hf:org/coder"


def hold(on: Stage, **fields: object) -> None:
    """The document has one model with these fields."""
    models = {"day-coder": {"source": SOURCE, **fields.pop("model", {})}}  # type: ignore[dict-item]
    data: dict[str, object] = {"version": 1, "models": models, **fields}
    document = DesiredState.model_validate(data)
    accepted = Accepted(7, "ab" * 32, document, data, datetime(2026, 1, 2, tzinfo=UTC))
    on.control.view = replace(accepted_document(), accepted=accepted)
    on.control.current = msgspec.structs.replace(STATUS, models=(DAY_CODER,))


@pytest.mark.parametrize(
    ("path", "fields", "patch"),
    [
        ("suspend", {}, {"suspend": True}),
        ("suspend", {"suspend": True}, {}),
        ("resume", {"suspend": True}, {"suspend": False}),
        ("resume", {}, {}),
        ("models/day-coder/suspend", {}, {"models": {"day-coder": {"suspend": True}}}),
        ("models/day-coder/suspend", {"model": {"suspend": True}}, {}),
        (
            "models/day-coder/resume",
            {"model": {"suspend": True}},
            {"models": {"day-coder": {"suspend": False}}},
        ),
        (
            "models/day-coder/resume",
            {"defaults": {"suspend": True}},
            {"models": {"day-coder": {"suspend": False}}},
        ),
        ("models/day-coder/resume", {}, {}),
    ],
)
async def test_suspend_and_resume_are_edits_where_they_change_something(
    path: str, fields: dict[str, object], patch: dict[str, object]
) -> None:
    async with stage() as on:
        hold(on, **fields)
        answer = await on.send("POST", path, lmxd_manager="night-bot")
    assert answer.status_code == 200, answer.text
    assert [(edit.body, edit.manager) for edit in on.edits.edits] == [
        (MergePatch(patch), "night-bot")
    ]


async def test_retry_names_the_model_and_can_be_waited_for() -> None:
    async with stage() as on:
        hold(on)
        answer = await on.send("POST", "models/day-coder/retry", prefer="wait=5")
        rehearsed = await on.send("POST", "models/day-coder/retry?dry_run=true")
    assert (answer.json()["model"], answer.json()["cleared"]) == ("day-coder", True)
    assert answer.json()["converged"] is True
    assert on.edits.waited == [(frozenset({"day-coder"}), 5.0)]
    assert rehearsed.status_code == 400


@pytest.mark.parametrize("verb", ["suspend", "resume", "retry"])
async def test_a_model_nobody_knows_is_404_with_the_nearest(verb: str) -> None:
    async with stage() as on:
        hold(on)
        answer = await on.send("POST", f"models/day-codr/{verb}")
    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")
    assert answer.json()["hint"] == "did you mean day-coder?"
    assert not on.edits.calls


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "suspend"),
        ("POST", "models/day-coder/retry"),
        ("POST", "models/day-coder/suspend"),
        ("POST", "generations/7/rollback"),
        ("POST", "desired/confirm"),
        ("POST", "plan"),
        ("PATCH", "leases/l-1"),
        ("PATCH", "desired"),
        ("PUT", "desired"),
    ],
)
async def test_without_a_json_or_yaml_type_nothing_is_done(method: str, path: str) -> None:
    """What a page on the web can make a browser send without asking."""
    async with stage() as on:
        hold(on)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
            answer = await on.send(method, path, content_type=kind, if_match="*")
            assert answer.status_code == 415, (kind, answer.text)
    assert not on.edits.calls


async def test_a_verb_takes_no_members_it_does_not_know() -> None:
    async with stage() as on:
        hold(on)
        for body in (b"", b" ", b"{}"):
            assert (await on.send("POST", "suspend", body)).status_code == 200
        answer = await on.send("POST", "suspend", {"until": "tomorrow"})
        lent = await on.send("POST", "suspend", lmxd_lease="2h")
    assert (answer.status_code, answer.json()["param"]) == (400, "until")
    assert (lent.status_code, lent.json()["param"]) == (400, "Lmxd-Lease")


async def test_leases_are_made_seen_extended_and_ended() -> None:
    async with stage() as on:
        made = await on.send("PATCH", "desired", {"suspend": True}, lmxd_lease="1h30m")
        seen = await on.get("/lmxd/v1/leases")
        extended = await on.send("PATCH", "leases/l-1", {"ttl": "2h"})
        wrong = await on.send("PATCH", "leases/l-1", {"ttl": 7})
        missing = await on.send("PATCH", "leases/l-1", {})
        ended = await on.send("DELETE", "leases/l-1", content_type="")
    assert (made.json()["id"], made.json()["expires_at"]) == ("l-1", "2026-11-21T04:00:00Z")
    assert "etag" not in made.headers
    assert made.headers["lmxd-epoch"] == "13"
    assert [lease["id"] for lease in seen.json()["leases"]] == ["l-1"]
    assert extended.status_code == 200
    assert (wrong.status_code, wrong.json()["param"]) == (400, "ttl")
    assert (missing.status_code, missing.json()["detail"]) == (400, "ttl is missing")
    assert ended.json() == {"id": "l-1", "epoch": 13}
    assert on.edits.calls == [
        ("lend", on.edits.edits[0]),
        ("ttl", 5400.0),
        ("extend", ("l-1", 7200.0)),
        ("end", "l-1"),
    ]


async def test_a_json_patch_is_no_lease() -> None:
    async with stage() as on:
        answer = await on.send("PATCH", "desired", [], lmxd_lease="2h")
    assert answer.status_code == 415
    assert "merge-patch" in answer.headers["accept-patch"]
    assert not on.edits.calls


async def test_history_is_listed_shown_and_gone_back_to() -> None:
    async with stage() as on:
        listed = await on.get("/lmxd/v1/generations")
        few = await on.get("/lmxd/v1/generations?limit=3")
        one = await on.get("/lmxd/v1/generations/7")
        back = await on.send("POST", "generations/5/rollback?dry_run=true", lmxd_manager="bot")
        gone = [await on.get(f"/lmxd/v1/generations/{n}") for n in ("6", "x", "-1", "9" * 30)]
        wrong = [await on.get(f"/lmxd/v1/generations?limit={n}") for n in ("0", "x", "1001", "٣")]
    assert [item["generation"] for item in listed.json()["generations"]] == [7]
    assert one.json()["author"] == "file"
    assert back.json()["dry_run"] is True
    assert on.edits.calls == [
        ("generations", 20),
        ("generations", 3),
        ("rollback", (5, "bot", True)),
    ]
    assert few.status_code == 200
    assert [answer.status_code for answer in gone] == [404] * 4
    assert [answer.status_code for answer in wrong] == [400] * 4


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"patch": {"suspend": True}}, MergePatch({"suspend": True})),
        ({"patch": [{"op": "test"}]}, JsonPatch([{"op": "test"}])),
        ({"document": {"version": 1}}, WholeData({"version": 1})),
        ({"text": "version: 1  # one\n"}, WholeText(b"version: 1  # one\n")),
    ],
)
async def test_a_plan_of_what_might_be(body: object, expected: object) -> None:
    async with stage() as on:
        answer = await on.send("POST", "plan?at=2026-11-21T22:00:00Z", body)
    assert (answer.status_code, answer.json()["plan_id"]) == (200, "p-1")
    ((name, (edit, at)),) = on.edits.calls
    assert (name, edit.body, at) == ("planned", expected, datetime(2026, 11, 21, 22, tzinfo=UTC))


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"patch": {}, "document": {}},
        {"patch": 7},
        {"text": {}},
        {"document": []},
        {"path": {}},
        [],
        None,
    ],
)
async def test_a_plan_needs_one_document_or_one_patch(body: object) -> None:
    async with stage() as on:
        answer = await on.send("POST", "plan", body)
    assert answer.status_code == 400
    assert not on.edits.calls
