"""Codes become statuses, headers and bodies, in the shape of the API they happen in."""

from __future__ import annotations

import pytest

from lmxd.http import errors
from schemas.errors import Code, LmxdError, RequestError
from schemas.inference import Failed
from tests.kit.fake_gate import FakeGate
from tests.kit.http_stage import stage


@pytest.mark.parametrize("code", Code)
async def test_every_code_has_one_status_in_headers_and_body(code: Code) -> None:
    gate = FakeGate()
    gate.refusal = RequestError(code, "day-coder needs 41 GiB, 28 GiB are free", hint="free some")
    async with stage(gate) as on:
        answer = await on.chat()
    assert answer.status_code == errors.status_of(code)
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["message"] == "day-coder needs 41 GiB, 28 GiB are free"
    assert (error["code"], error["hint"], error["param"]) == (code, "free some", None)
    assert ("retry-after" in answer.headers) == (answer.status_code == 503)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (Code.INVALID_REQUEST, "invalid_request_error"),
        (Code.FORBIDDEN, "permission_error"),
        (Code.MODEL_NOT_FOUND, "invalid_request_error"),
        (Code.MODEL_LOADING, "server_error"),
        (Code.INTERNAL, "server_error"),
    ],
)
def test_openai_type_says_whose_fault_it_is(code: Code, kind: str) -> None:
    body = errors.openai_body(LmxdError(code, "no"))
    assert body["error"] == {"message": "no", "type": kind, "param": None, "code": code}


@pytest.mark.parametrize(
    ("advice", "header"), [(None, "5"), (0.2, "1"), (17.1, "18"), (60.0, "60"), (7200.0, "60")]
)
async def test_retry_after_is_whole_seconds_and_at_most_a_minute(
    advice: float | None, header: str
) -> None:
    gate = FakeGate()
    gate.refusal = RequestError(Code.MODEL_LOADING, "loading", retry_after_s=advice)
    async with stage(gate) as on:
        answer = await on.chat()
    assert answer.headers["retry-after"] == header
    assert "x-should-retry" not in answer.headers


async def test_a_useless_retry_is_discouraged_and_the_real_time_given() -> None:
    gate = FakeGate()
    gate.refusal = RequestError(
        Code.NOT_ADMITTED,
        "day-coder does not fit",
        retry=False,
        available_at="2026-11-21T06:00:00Z",
        details={"needed": 41, "free": 28},
    )
    async with stage(gate) as on:
        answer = await on.chat()
    assert answer.status_code == 503
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["retry-after"] == "30"
    error = answer.json()["error"]
    assert error["available_at"] == "2026-11-21T06:00:00Z"
    assert (error["needed"], error["free"]) == (41, 28)


async def test_a_defect_is_told_by_its_id_and_logged_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def crash(_: object) -> None:
        raise ZeroDivisionError("the secret of the house")

    async with stage(FakeGate(script=crash)) as on:
        answer = await on.chat()
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert answer.headers["x-request-id"] in answer.json()["error"]["message"]
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    (record,) = [record for record in caplog.records if record.message == "request crashed"]
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError
    assert vars(record)["request_id"] == answer.headers["x-request-id"]


async def test_the_control_api_answers_with_problem_documents() -> None:
    async with stage() as on:
        answer = await on.get("/lmxd/v1/models/nowhere")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == "urn:lmxd:error:model_not_found"
    assert problem["title"] == "Model not found"
    assert problem["status"] == 404
    assert problem["code"] == "model_not_found"
    assert "nowhere" in problem["detail"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/nothing", "application/json"),
        ("/lmxd/v1/nothing", "application/problem+json"),
        ("/nothing", "application/problem+json"),
    ],
)
async def test_an_unknown_path_is_404_in_the_shape_of_its_api(path: str, kind: str) -> None:
    async with stage() as on:
        answer = await on.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == kind
    assert "not_found" in answer.text


async def test_a_base_url_without_v1_is_pointed_out() -> None:
    async with stage() as on:
        answer = await on.client.post("/chat/completions", json={})
    assert "/v1/chat/completions" in answer.json()["hint"]


async def test_broken_http_gets_400_and_the_connection_is_closed() -> None:
    async with stage() as on:
        raw = await on.raw()
        await raw.send("GET / HTTP/9.9\nHost: localhost")
        answer = await raw.rest()
        await raw.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"invalid_request" in answer


async def test_request_ids_are_the_clients_where_they_are_plain() -> None:
    async with stage() as on:
        given = await on.get("/health", x_request_id="run-7.step_3:b")
        wild = await on.get("/health", x_request_id="a b\tc")
        other = await on.get("/nothing")
    assert given.headers["x-request-id"] == "run-7.step_3:b"
    assert wild.headers["x-request-id"].startswith("req_")
    assert other.headers["x-request-id"] != wild.headers["x-request-id"]


def test_an_unknown_code_of_a_failed_generation_is_internal() -> None:
    assert errors.of_failed(Failed("a", 0, "gone_fishing", "gone")).code is Code.INTERNAL
    kept = errors.of_failed(Failed("a", 0, "worker_died", "died", "wait", retryable=True))
    assert (kept.code, kept.message, kept.hint, kept.retry) == (
        Code.WORKER_DIED,
        "died",
        "wait",
        True,
    )


async def test_a_target_that_is_no_url_is_answered(caplog: pytest.LogCaptureFixture) -> None:
    """Sanic fails over it twice and hangs up, with four tracebacks in the log."""
    async with stage() as on:
        raw = await on.raw()
        await raw.send("CONNECT evil.example:443 HTTP/1.1\nHost: localhost")
        answer = await raw.until(b"}")
        await raw.close()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"invalid_request" in answer
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
