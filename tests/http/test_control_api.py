"""The read side of the control API: JSON, YAML, ETags, and what they belong to."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import pytest

from schemas.status import (
    Condition,
    DiskStatus,
    MemoryStatus,
    ModelStatus,
    ServingStatus,
    TargetStatus,
)
from tests.kit.http_stage import DOCUMENT, STATUS, accepted_document, stage

DAY_CODER = ModelStatus(
    key="day-coder",
    summary="Ready",
    generation=7,
    observed_generation=7,
    observed_epoch=12,
    target=TargetStatus("loaded", "document"),
    conditions=(Condition("Ready", "True", "Serving", "", 7, 12, "2026-11-21T02:00:00Z"),),
    disk=DiskStatus("hf:org/coder", None, "4f0c8e1", 10, 10, True, "/models/coder"),
    memory=MemoryStatus(10, "measured", 12, 10, 2, 3.5),
    serving=ServingStatus("day-coder-1", ("day-coder", "auto"), 1, 0, 32768),
)


@pytest.mark.parametrize("path", ["status", "models", "desired", "effective", "plan"])
async def test_every_answer_says_of_which_generation_and_epoch_it_is(path: str) -> None:
    async with stage() as on:
        answer = await on.get(f"/lmxd/v1/{path}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["lmxd-generation"] == "7"
    assert answer.headers["lmxd-epoch"] == "12"


async def test_status_is_the_daemons_in_camel_case() -> None:
    async with stage() as on:
        on.control.current = msgspec.structs.replace(STATUS, models=(DAY_CODER,))
        body = (await on.get("/lmxd/v1/status")).json()
    assert body["stateId"] == "state"
    assert body["machine"]["memoryBudget"] == 14
    assert body["models"][0]["observedGeneration"] == 7
    assert body["models"][0]["conditions"][0]["lastTransitionTime"] == "2026-11-21T02:00:00Z"
    assert "failure" not in body["models"][0]


async def test_models_whole_and_one() -> None:
    async with stage() as on:
        on.control.current = msgspec.structs.replace(STATUS, models=(DAY_CODER,))
        listed = (await on.get("/lmxd/v1/models")).json()
        one = (await on.get("/lmxd/v1/models/day-coder")).json()
        missing = await on.get("/lmxd/v1/models/day-codr")
    assert (listed["generation"], listed["epoch"]) == (7, 12)
    assert listed["models"] == [one]
    assert one["key"] == "day-coder"
    assert missing.status_code == 404
    assert missing.json()["hint"] == "did you mean day-coder?"


async def test_desired_is_json_with_a_strong_etag() -> None:
    async with stage() as on:
        answer = await on.get("/lmxd/v1/desired")
        again = await on.get("/lmxd/v1/desired", if_none_match=answer.headers["etag"])
        other = await on.get("/lmxd/v1/desired", if_none_match='"something else"')
    assert answer.json() == {"version": 1, "models": {}}
    assert answer.headers["etag"] == f'"{"cd" * 32}"'
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == answer.headers["etag"]
    assert other.status_code == 200


@pytest.mark.parametrize(
    "accept",
    ["application/yaml", "text/yaml", "application/x-yaml, */*;q=0.1", "application/yaml;q=0.9"],
)
async def test_desired_is_the_files_bytes_for_yaml(accept: str) -> None:
    async with stage() as on:
        answer = await on.get("/lmxd/v1/desired", accept=accept)
    assert answer.content == DOCUMENT
    assert answer.headers["content-type"] == "application/yaml"
    assert answer.headers["etag"] == f'"{hashlib.sha256(DOCUMENT).hexdigest()}"'
    assert answer.headers["vary"] == "Accept"


@pytest.mark.parametrize("accept", ["*/*", "application/json, application/yaml;q=0.5", "image/png"])
async def test_desired_is_json_unless_yaml_is_preferred(accept: str) -> None:
    async with stage() as on:
        answer = await on.get("/lmxd/v1/desired", accept=accept)
    assert answer.headers["content-type"] == "application/json"


async def test_before_any_document_was_accepted_there_is_no_desired() -> None:
    async with stage() as on:
        on.control.view = replace(
            accepted_document(), accepted=None, reason="InvalidYAML", message="line 3, column 1"
        )
        answer = await on.get("/lmxd/v1/desired")
    assert answer.status_code == 404
    assert "line 3, column 1" in answer.json()["detail"]
    assert STATUS.document in answer.json()["hint"]


async def test_a_plan_is_json_or_text() -> None:
    async with stage() as on:
        as_json = await on.get("/lmxd/v1/plan")
        as_text = await on.get("/lmxd/v1/plan", accept="text/plain")
    assert as_json.json()["actions"] == []
    assert as_text.text == "nothing to do\n"
    assert as_text.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["effective", "plan"])
@pytest.mark.parametrize(
    "at", ["2026-11-21T22:00:00Z", "2026-11-21T23:00:00%2B01:00", "2026-11-21T23:00:00+01:00"]
)
async def test_another_instant_is_asked_about_in_utc(path: str, at: str) -> None:
    async with stage() as on:
        answer = await on.get(f"/lmxd/v1/{path}?at={at}")
        assert answer.status_code == 200
        assert on.control.asked_at == datetime(2026, 11, 21, 22, tzinfo=UTC)
        await on.get(f"/lmxd/v1/{path}")
        assert on.control.asked_at is None


@pytest.mark.parametrize("at", ["tomorrow", "2026-11-21T22:00:00", "1969-12-31T00:00:00Z", "%00"])
async def test_what_is_no_instant_is_refused(at: str) -> None:
    async with stage() as on:
        answer = await on.get(f"/lmxd/v1/plan?at={at}")
    assert answer.status_code == 400
    assert (answer.json()["code"], answer.json()["param"]) == ("invalid_request", "at")


async def test_the_schema_of_the_document_is_there_for_editors() -> None:
    async with stage() as on:
        answer = await on.get("/lmxd/v1/schema")
    assert answer.json()["title"] == "lmxd desired state"


async def test_the_coming_hours_are_as_many_as_asked_for() -> None:
    async with stage() as on:
        short = await on.get("/lmxd/v1/timeline?hours=8")
        wrong = [await on.get(f"/lmxd/v1/timeline?hours={n}") for n in ("0", "337", "x", "1.5")]
    assert short.json()["end"] == "2026-11-21T08:00:00Z"
    assert [answer.status_code for answer in wrong] == [400] * 4


@pytest.mark.parametrize(
    "path", ["status", "models", "desired", "effective", "plan", "schema", "timeline"]
)
async def test_a_query_nobody_knows_is_refused_by_name(path: str) -> None:
    async with stage() as on:
        answer = await on.get(f"/lmxd/v1/{path}?dryrun=true&at_=1")
    assert answer.status_code == 400
    assert "at_, dryrun" in answer.json()["detail"]
