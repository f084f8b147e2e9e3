"""PATCH and PUT as HTTP sees them: media types, conditions, queries, and what is answered."""

from __future__ import annotations

import pytest

from schemas.edit import JsonPatch, MergePatch, WholeData, WholeText
from schemas.errors import Code, DocumentError, PatchTestFailed, Problem, RequestError
from tests.kit.fake_edits import FakeEdits
from tests.kit.http_stage import stage

MERGE = "application/merge-patch+json"
OPERATIONS = "application/json-patch+json"
PATCH = {"models": {"day-coder": {"state": "loaded"}}}
OPERATION = [{"op": "remove", "path": "/models/day-coder"}]


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        (MERGE, PATCH, MergePatch(PATCH)),
        ("application/json", PATCH, MergePatch(PATCH)),
        ("Application/JSON; charset=UTF-8", PATCH, MergePatch(PATCH)),
        ("application/yaml", PATCH, MergePatch(PATCH)),
        ("text/x-yaml", PATCH, MergePatch(PATCH)),
        (OPERATIONS, OPERATION, JsonPatch(OPERATION)),
        ("application/json", OPERATION, JsonPatch(OPERATION)),
    ],
)
async def test_the_type_and_the_outer_shape_say_what_a_patch_is(
    kind: str, body: object, expected: object
) -> None:
    async with stage() as on:
        answer = await on.send("PATCH", "desired", body, content_type=kind)
    assert answer.status_code == 200, answer.text
    assert [edit.body for edit in on.edits.edits] == [expected]


@pytest.mark.parametrize(
    ("kind", "body", "status", "code"),
    [
        (MERGE, OPERATION, 400, "invalid_request"),
        (OPERATIONS, PATCH, 400, "invalid_request"),
        ("application/json", 7, 400, "invalid_request"),
        ("application/yaml", OPERATION, 400, "invalid_request"),
        ("application/yaml", b"!tag", 400, "invalid_request"),
        ("application/json", b"{", 400, "invalid_json"),
        ("application/json", b"", 400, "invalid_json"),
        ("application/json", b'{"models": {"a": {}}, "models": {"b": {}}}', 400, "invalid_json"),
        (OPERATIONS, b'[{"op": "remove", "path": "/a", "path": "/b"}]', 400, "invalid_json"),
        ("application/json", b'{"a": "\xe9"}', 400, "invalid_json"),
        ("application/json", b"[" * 500 + b"]" * 500, 400, "invalid_json"),
        ("application/json", b'{"a":' * 65 + b"1" + b"}" * 65, 400, "invalid_json"),
        ("application/json; charset=utf-16", PATCH, 415, "unsupported_media_type"),
        ("text/plain", PATCH, 415, "unsupported_media_type"),
        ("application/x-www-form-urlencoded", PATCH, 415, "unsupported_media_type"),
        ("", b"", 415, "unsupported_media_type"),
        ("", PATCH, 415, "unsupported_media_type"),
    ],
)
async def test_what_is_no_patch_is_refused(kind: str, body: object, status: int, code: str) -> None:
    async with stage() as on:
        answer = await on.send("PATCH", "desired", body, content_type=kind)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert not on.edits.calls
    assert ("accept-patch" in answer.headers) == (status == 415)
    if status == 415:
        assert {MERGE, OPERATIONS} <= set(answer.headers["accept-patch"].split(", "))


async def test_a_body_that_is_packed_is_not_unpacked() -> None:
    async with stage() as on:
        packed = await on.send("PATCH", "desired", PATCH, content_encoding="gzip")
        plain = await on.send("PATCH", "desired", PATCH, content_encoding="identity")
    assert (packed.status_code, plain.status_code) == (415, 200)
    assert "'gzip'" in packed.json()["detail"]
    assert len(on.edits.edits) == 1


async def test_what_came_of_it_is_answered_with_its_etag_generation_and_epoch() -> None:
    async with stage() as on:
        answer = await on.send("PATCH", "desired", PATCH)
        body = answer.json()
        same = await on.send("PATCH", "desired", PATCH)
    assert answer.status_code == 200
    assert answer.headers["etag"] == f'"{on.edits.etag}"' == f'"{body["etag"]}"'
    assert (answer.headers["lmxd-generation"], answer.headers["lmxd-epoch"]) == ("8", "12")
    assert (body["generation"], body["changed"], body["dry_run"]) == (8, True, False)
    assert "converged" not in body
    assert (same.json()["generation"], same.json()["changed"]) == (8, False)


async def test_who_asks_and_why_goes_with_the_edit() -> None:
    async with stage() as on:
        await on.send(
            "PATCH", "desired?force=true", PATCH,
            lmxd_manager="night-bot", lmxd_note="the night shift", lmxd_plan="p-7be2",
        )  # fmt: skip
        await on.send("PATCH", "desired", PATCH)
    first, second = on.edits.edits
    assert (first.manager, first.note, first.force) == ("night-bot", "the night shift", True)
    assert (second.manager, second.note, second.force) == ("anonymous", "", False)
    assert [terms for name, terms in on.edits.calls if name == "terms"] == [
        (False, "p-7be2"),
        (False, None),
    ]


async def test_a_dry_run_is_asked_for_and_nothing_changes() -> None:
    async with stage() as on:
        answer = await on.send(
            "PATCH", "desired?dry_run=true", PATCH, prefer="wait=60", idempotency_key="once"
        )
        real = await on.send("PATCH", "desired", PATCH, idempotency_key="once")
    assert (answer.json()["dry_run"], answer.json()["generation"]) == (True, 7)
    assert "preference-applied" not in answer.headers
    assert on.edits.waited == []
    assert (real.status_code, real.json()["changed"]) == (200, True)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("dry-run=true", "dry-run"),
        ("dryrun", "dryrun"),
        ("dry_run", "dry_run"),
        ("dry_run=1", "dry_run"),
        ("dry_run=yes&force=true", "dry_run"),
        ("force=true&force=false", "force"),
        ("%ff=1", "\ufffd"),
        ("=1", "no name"),
    ],
)
async def test_a_query_that_is_not_understood_changes_nothing(query: str, named: str) -> None:
    """A misspelt dry run must not be a real one."""
    async with stage() as on:
        answer = await on.send("PATCH", f"desired?{query}", PATCH)
    assert answer.status_code == 400
    assert named in answer.json()["detail"]
    assert not on.edits.calls


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lmxd-manager", "file"),
        ("lmxd-manager", "rollback"),
        ("lmxd-manager", "night bot"),
        ("lmxd-manager", ""),
        ("lmxd-manager", "x" * 65),
        ("lmxd-note", "x" * 501),
        ("lmxd-plan", "p 1"),
        ("lmxd-plan", ""),
        ("idempotency-key", ""),
        ("idempotency-key", "a b"),
        ("idempotency-key", "x" * 256),
        ("lmxd-lease", "2"),
        ("lmxd-lease", "0s"),
        ("lmxd-lease", "0.5s"),
        ("lmxd-lease", "forever"),
        ("lmxd-lease", "999999999d"),
        ("lmxd-lease", ""),
        ("if-match", "abc"),
        ("if-match", '"a" "b"'),
        ("if-match", ""),
        ("if-match", ", ,"),
        ("if-none-match", "*"),
        ("if-none-match", '"abc"'),
    ],
)
async def test_a_header_that_is_not_understood_changes_nothing(name: str, value: str) -> None:
    async with stage() as on:
        answer = await on.send("PATCH", "desired", PATCH, **{name: value})
    assert answer.status_code == 400
    assert answer.json()["param"].lower() == name
    assert not on.edits.calls


async def test_a_note_may_be_any_text() -> None:
    async with stage() as on:
        answer = await on.client.patch(
            "/lmxd/v1/desired",
            content=b"{}",
            headers={"content-type": MERGE, b"lmxd-note": "grün\t".encode() + b"\xff"},
        )
    assert answer.status_code == 200
    assert on.edits.edits[0].note == "grün \ufffd"


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('"abc"', ("abc",)),
        ('"abc", "def" ,', ("abc", "def")),
        ('W/"abc"', ('W/"abc"',)),
        ("*", ("*",)),
        ('""', ("",)),
    ],
)
async def test_conditions_reach_the_edit(header: str, found: tuple[str, ...]) -> None:
    """A weak tag keeps its W/, so it equals no digest."""
    async with stage() as on:
        await on.send("PATCH", "desired", PATCH, if_match=header)
    assert on.edits.edits[0].if_match == found


async def test_a_weak_tag_never_matches() -> None:
    async with stage() as on:
        tag = on.edits.etag
        weak = await on.send("PATCH", "desired", PATCH, if_match=f'W/"{tag}"')
        strong = await on.send("PATCH", "desired", PATCH, if_match=f'W/"{tag}", "{tag}"')
    assert (weak.status_code, strong.status_code) == (412, 200)
    assert weak.json()["current_etag"] == tag
    assert weak.json()["generation"] == 7


async def test_a_put_says_over_what_it_is_laid() -> None:
    document = {"version": 1, "models": {}}
    async with stage() as on:
        bare = await on.send("PUT", "desired", document)
        new = await on.send("PUT", "desired", document, if_none_match="*")
        over = await on.send("PUT", "desired", document, if_match=f'"{on.edits.etag}"')
        text = await on.send(
            "PUT", "desired", b"version: 1\n", if_match="*", content_type="application/yaml"
        )
        other = await on.send("PUT", "desired", document, if_match="*", if_none_match='"abc"')
    assert (other.status_code, other.json()["param"]) == (400, "If-None-Match")
    assert (bare.status_code, bare.json()["code"]) == (428, "precondition_required")
    assert "If-None-Match: *" in bare.json()["hint"]
    assert [new.status_code, over.status_code, text.status_code] == [200, 200, 200]
    assert [name for name, _ in on.edits.calls if name != "terms"] == ["create", "change", "change"]
    assert [edit.body for edit in on.edits.edits] == [
        WholeData(document),
        WholeData(document),
        WholeText(b"version: 1\n"),
    ]


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", [], 400),
        ("application/json", b"", 400),
        ("application/yaml", b" ", 400),
        (MERGE, {}, 415),
        ("text/plain", b"version: 1", 415),
    ],
)
async def test_what_is_no_document_is_refused(kind: str, body: object, status: int) -> None:
    async with stage() as on:
        answer = await on.send("PUT", "desired", body, if_match="*", content_type=kind)
    assert answer.status_code == status
    assert not on.edits.calls


async def test_a_document_that_is_not_valid_lists_its_problems() -> None:
    problems = (
        Problem("/models/a/state", "loded is not a state", "did you mean loaded?", 3, 12),
        Problem("", "and more"),
    )
    edits = FakeEdits(refusal=DocumentError("InvalidDocument", problems))
    async with stage(edits=edits) as on:
        answer = await on.send("PATCH", "desired", PATCH)
    body = answer.json()
    assert (answer.status_code, body["code"]) == (422, "validation_failed")
    assert body["problems"] == [
        {
            "pointer": "/models/a/state",
            "message": "loded is not a state",
            "hint": "did you mean loaded?",
            "line": 3,
            "column": 12,
        },
        {"pointer": "", "message": "and more", "hint": None, "line": None, "column": None},
    ]


async def test_a_test_that_fails_says_where() -> None:
    refusal = PatchTestFailed("/suspend is true, not false", pointer="/suspend")
    async with stage(edits=FakeEdits(refusal=refusal)) as on:
        answer = await on.send("PATCH", "desired", OPERATION)
    assert (answer.status_code, answer.json()["pointer"]) == (409, "/suspend")


async def test_details_of_a_refusal_are_members_of_the_problem() -> None:
    conflicts = [{"path": "/models/a/state", "manager": "day-bot"}]
    refusal = RequestError(Code.FIELD_CONFLICT, "not yours", details={"conflicts": conflicts})
    async with stage(edits=FakeEdits(refusal=refusal)) as on:
        answer = await on.send("PATCH", "desired", PATCH)
    assert (answer.status_code, answer.json()["conflicts"]) == (409, conflicts)


async def test_a_held_edit_is_confirmed_by_its_digest() -> None:
    async with stage() as on:
        done = await on.send("POST", "desired/confirm", {"sha256": "ab"})
        empty = await on.send("POST", "desired/confirm", {})
        number = await on.send("POST", "desired/confirm", {"sha256": 7})
        other = await on.send("POST", "desired/confirm", {"sha": "ab"})
        bare = await on.send("POST", "desired/confirm")
    assert done.status_code == 200
    assert [r.status_code for r in (empty, number, other, bare)] == [400] * 4
    assert on.edits.calls == [("confirm", "ab")]
