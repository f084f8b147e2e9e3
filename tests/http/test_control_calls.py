"""A change is carried out once and to its end, and waited for as long as the client wants to."""

from __future__ import annotations

import asyncio

import pytest

from lmxd.http.ports import Settled
from lmxd.http.prefer import preference
from schemas.errors import Code, RequestError
from schemas.wire.control import Unsettled
from tests.kit.fake_edits import FakeEdits
from tests.kit.fake_gate import DEADLINE_S
from tests.kit.http_stage import InMemory, stage

PATCH = {"suspend": True}
WAITING = Unsettled("day-coder", "Loading", "3 of 4 GiB are read")


def changes(edits: FakeEdits) -> int:
    return sum(name == "change" for name, _ in edits.calls)


async def test_a_key_that_comes_again_is_told_the_same() -> None:
    async with stage() as on:
        first = await on.send("PATCH", "desired", PATCH, idempotency_key="k-1")
        again = await on.send("PATCH", "desired", PATCH, idempotency_key="k-1")
    assert again.json() == first.json()
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert changes(on.edits) == 1


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("desired", {"suspend": False}, {}),
        ("desired?force=true", PATCH, {}),
        ("desired", PATCH, {"lmxd_lease": "2h"}),
        ("desired", PATCH, {"content_type": "application/yaml"}),
    ],
)
async def test_a_key_is_for_one_call(path: str, body: object, headers: dict[str, str]) -> None:
    async with stage() as on:
        await on.send("PATCH", "desired", PATCH, idempotency_key="k-1")
        other = await on.send("PATCH", path, body, idempotency_key="k-1", **headers)
    assert other.status_code == 422
    assert other.json()["param"] == "Idempotency-Key"
    assert changes(on.edits) == 1


async def test_two_managers_may_use_the_same_key() -> None:
    async with stage() as on:
        one = await on.send("PATCH", "desired", PATCH, idempotency_key="1", lmxd_manager="a")
        two = await on.send("PATCH", "desired", PATCH, idempotency_key="1", lmxd_manager="b")
    assert (one.status_code, two.status_code, changes(on.edits)) == (200, 200, 2)
    assert "idempotency-replayed" not in two.headers


async def test_of_calls_at_one_time_one_is_carried_out() -> None:
    edits = FakeEdits(hold=asyncio.Event())
    async with stage(edits=edits) as on:
        calls = [
            asyncio.create_task(on.send("PATCH", "desired", PATCH, idempotency_key="k"))
            for _ in range(5)
        ]
        await edits.begun.wait()
        other = await on.send("PATCH", "desired", {"suspend": False}, idempotency_key="k")
        assert edits.hold is not None
        edits.hold.set()
        answers = await asyncio.gather(*calls)
    assert other.status_code == 422
    assert [answer.status_code for answer in answers] == [200] * 5
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert changes(edits) == 1


async def test_what_was_refused_may_be_tried_again_under_its_key() -> None:
    edits = FakeEdits(refusal=RequestError(Code.FIELD_CONFLICT, "not yours"))
    async with stage(edits=edits) as on:
        refused = await on.send("PATCH", "desired", PATCH, idempotency_key="k")
        edits.refusal = None
        taken = await on.send("PATCH", "desired", PATCH, idempotency_key="k")
    assert (refused.status_code, taken.status_code) == (409, 200)
    assert "idempotency-replayed" not in taken.headers


async def test_who_waits_hears_whether_everything_arrived() -> None:
    async with stage() as on:
        answer = await on.send("PATCH", "desired", PATCH, prefer="wait=60")
    assert answer.status_code == 200
    assert answer.headers["preference-applied"] == "wait=60"
    assert (answer.json()["converged"], answer.json()["unsettled"]) == (True, [])
    assert on.edits.waited == [(frozenset({"day-coder"}), 60.0)]


async def test_who_waits_hears_why_something_did_not() -> None:
    edits = FakeEdits(settled=Settled(True, (Unsettled("day-coder", "NotAdmitted", "too big"),)))
    async with stage(edits=edits) as on:
        answer = await on.send("PATCH", "desired", PATCH, prefer="wait=60")
    assert answer.status_code == 200
    assert answer.json()["converged"] is False
    assert answer.json()["unsettled"] == [
        {"model": "day-coder", "reason": "NotAdmitted", "message": "too big"}
    ]


@pytest.mark.parametrize("prefer", ["wait=1", "respond-async"])
async def test_202_only_when_the_time_is_up(prefer: str) -> None:
    async with stage(edits=FakeEdits(settled=Settled(False, (WAITING,)))) as on:
        answer = await on.send("PATCH", "desired", PATCH, prefer=prefer)
    assert answer.status_code == 202
    assert answer.headers["location"] == "/lmxd/v1/status"
    assert answer.headers["preference-applied"] == prefer
    assert answer.json()["converged"] is False
    assert answer.json()["unsettled"][0]["reason"] == "Loading"


async def test_who_asks_again_waits_again() -> None:
    """The connection broke while a model was loading: the same call with the same key waits on."""
    edits = FakeEdits(settled=Settled(False, (WAITING,)))
    async with stage(edits=edits) as on:
        first = await on.send("PATCH", "desired", PATCH, prefer="wait=1", idempotency_key="k")
        edits.settled = Settled(True)
        again = await on.send("PATCH", "desired", PATCH, prefer="wait=60", idempotency_key="k")
    assert (first.status_code, again.status_code) == (202, 200)
    assert again.json()["converged"] is True
    assert changes(edits) == 1


async def test_a_client_that_hangs_up_does_not_stop_the_change() -> None:
    edits, answers = FakeEdits(hold=asyncio.Event()), InMemory()
    async with stage(edits=edits, answers=answers) as on:
        raw = await on.raw()
        head = "PATCH /lmxd/v1/desired HTTP/1.1\nHost: localhost\nIdempotency-Key: k"
        await raw.send(f"{head}\nContent-Type: application/json\nContent-Length: 2", b"{}")
        async with asyncio.timeout(DEADLINE_S):
            await edits.begun.wait()
        await raw.close()
        await on.get("/health")
        assert edits.hold is not None
        edits.hold.set()
        async with asyncio.timeout(DEADLINE_S):
            await edits.ended.wait()
            again = await on.send("PATCH", "desired", {}, idempotency_key="k")
    assert again.headers["idempotency-replayed"] == "true"
    assert changes(edits) == 1


async def test_a_client_that_hangs_up_ends_its_own_waiting_only() -> None:
    edits = FakeEdits(settling=asyncio.Event())
    async with stage(edits=edits) as on:
        raw = await on.raw()
        head = "PATCH /lmxd/v1/desired HTTP/1.1\nHost: localhost\nPrefer: wait=60"
        await raw.send(f"{head}\nContent-Type: application/json\nContent-Length: 2", b"{}")
        async with asyncio.timeout(DEADLINE_S):
            await edits.waiting.wait()
        await raw.close()
        edits.settling = None
        answer = await on.send("PATCH", "desired", PATCH, prefer="wait=1")
    assert answer.status_code == 200
    assert changes(edits) == 2


async def test_a_server_that_stops_ends_what_it_began() -> None:
    edits = FakeEdits(hold=asyncio.Event())
    async with stage(edits=edits) as on:
        raw = await on.raw()
        head = "PATCH /lmxd/v1/desired HTTP/1.1\nHost: localhost\nContent-Type: application/json"
        await raw.send(f"{head}\nContent-Length: 2", b"{}")
        async with asyncio.timeout(DEADLINE_S):
            await edits.begun.wait()
        await raw.close()
        stopping = asyncio.create_task(on.server.stop(0))
        async with asyncio.timeout(DEADLINE_S):
            while not on.server._deps.calls._closed:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0)
        assert edits.hold is not None
        edits.hold.set()
        await stopping
        assert edits.ended.is_set()


@pytest.mark.parametrize(
    ("headers", "wait_s", "applied"),
    [
        ([], None, ""),
        (["wait=60"], 60.0, "wait=60"),
        (["return=minimal, WAIT = 5 ; strict"], 5.0, "wait=5"),
        (["respond-async", "wait=10"], 10.0, "wait=10"),
        (["respond-async"], 0.0, "respond-async"),
        (["wait=0"], 0.0, "wait=0"),
        (["wait=99999"], 600.0, "wait=600"),
        (["wait=" + "9" * 400], 600.0, "wait=600"),
        (["wait=-1"], None, ""),
        (["wait=soon, handling=strict"], None, ""),
        (["wait=1, wait=2"], 1.0, "wait=1"),
    ],
)
def test_preferences(headers: list[str], wait_s: float | None, applied: str) -> None:
    found = preference(headers)
    assert (found.wait_s, found.applied) == (wait_s, applied)
