"""Answers are remembered for a day, over restarts, and never without bound."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lmxd import idempotency
from lmxd.idempotency import Answer, Answers
from lmxd.statefolder import StateFolder

ANSWER = Answer("digest", {"generation": 8}, {"ETag": '"ab"'}, ("day-coder",))


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2026, 11, 21, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def folder(tmp_path: Path, clock: Clock) -> Iterator[StateFolder]:
    with StateFolder(tmp_path / "state", now=clock.now) as opened:
        yield opened


async def test_an_answer_outlives_a_restart(folder: StateFolder, clock: Clock) -> None:
    await Answers(folder, clock.now).keep("night-bot k", ANSWER)
    again = Answers(folder, clock.now)
    assert again.find("night-bot k") == ANSWER
    assert again.find("day-bot k") is None


async def test_after_a_day_it_is_forgotten(folder: StateFolder, clock: Clock) -> None:
    answers = Answers(folder, clock.now)
    await answers.keep("k", ANSWER)
    clock.at += timedelta(hours=23, minutes=59)
    assert answers.find("k") == ANSWER
    clock.at += timedelta(minutes=1)
    assert answers.find("k") is None
    await answers.keep("other", ANSWER)
    assert "digest" in (folder.path / "idempotency.json").read_text()
    assert list((folder.read("idempotency") or {})["answers"]) == ["other"]


async def test_there_is_a_bound_and_the_oldest_go_first(
    folder: StateFolder, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MOST", 3)
    answers = Answers(folder, clock.now)
    for key in "abcda":
        await answers.keep(key, ANSWER)
    assert [key for key in "abcd" if answers.find(key)] == ["a", "c", "d"]


async def test_a_file_nobody_understands_is_no_reason_not_to_start(
    folder: StateFolder, clock: Clock
) -> None:
    folder.write("idempotency", {"answers": {"k": 7}})
    answers = Answers(folder, clock.now)
    assert answers.find("k") is None
    assert "idempotency.json was moved to" in folder.notices[0]
    await answers.keep("k", ANSWER)
    assert Answers(folder, clock.now).find("k") == ANSWER


async def test_a_disk_that_refuses_costs_only_the_memory_over_a_restart(
    folder: StateFolder, clock: Clock
) -> None:
    answers = Answers(folder, clock.now)
    (folder.path / "idempotency.json").mkdir()
    await answers.keep("k", ANSWER)
    assert answers.find("k") == ANSWER
