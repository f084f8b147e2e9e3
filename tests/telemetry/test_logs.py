"""Log lines: constant event, pairs, one line each, never a secret."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest

from lmxd.telemetry import logs


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    names = ("", "lmxd", "reconciler", "schemas", "sanic.error")
    loggers = [logging.getLogger(name) for name in names]
    levels = [one.level for one in loggers]
    handlers = list(logging.getLogger().handlers)
    yield
    for one, level in zip(loggers, levels, strict=True):
        one.setLevel(level)
    logging.getLogger().handlers[:] = handlers
    logs.bind_request(None)


def written(kind: Literal["text", "json"], level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    logs.configure(kind, level, stream)
    return stream


def one_json(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def log_crash(why: str) -> None:
    logging.getLogger("lmxd").error("crashed", exc_info=ValueError(why))


def test_text_is_one_line_of_pairs() -> None:
    stream = written("text")
    extra = {"model": "day-coder", "bytes": 12, "why": 'it said "no"\nand left', "none": None}
    logging.getLogger("lmxd.http").info("load_started", extra=extra)
    (line,) = stream.getvalue().splitlines()
    at, rest = line.split(" ", 1)
    assert at.endswith("Z")
    assert rest == (
        'info load_started model=day-coder bytes=12 why="it said \\"no\\"\\nand left" none=None'
    )


def test_json_is_one_object_a_line() -> None:
    stream = written("json")
    logging.getLogger("lmxd.http").warning("slow reader", extra={"bytes": 12, "text": "ü\n"})
    found = one_json(stream)
    assert found.pop("time").endswith("Z")
    assert found == {
        "level": "warning",
        "event": "slow reader",
        "logger": "lmxd.http",
        "bytes": 12,
        "text": "ü\n",
    }


def test_tracebacks_are_kept() -> None:
    text = written("text")
    log_crash("boom")
    assert "ValueError: boom" in text.getvalue()
    as_json = written("json")
    log_crash("boom")
    assert "ValueError: boom" in one_json(as_json)["traceback"]


async def test_the_request_is_named_on_each_line_of_its_task_only() -> None:
    stream = written("json")
    log = logging.getLogger("lmxd.http")

    async def serve(request_id: str) -> None:
        logs.bind_request(request_id)
        await asyncio.sleep(0)
        log.info("served")

    async with asyncio.TaskGroup() as group:
        group.create_task(serve("a"))
        group.create_task(serve("b"))
    log.info("idle")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("request_id") for line in lines] == ["a", "b", None]


@pytest.mark.parametrize("kind", ["text", "json"])
def test_secrets_are_masked_wherever_they_are(kind: Literal["text", "json"]) -> None:
    stream = written(kind)
    log = logging.getLogger("lmxd.store")
    log.info("asked", extra={"hf_token": "s3cr3t", "Authorization": "s3cr3t", "api_key": "s3cr3t"})
    log.info("url", extra={"why": "header Bearer s3cr3t refused for hf_s3cr3ts3cr3ts3cr3t"})
    log_crash("sk-s3cr3ts3cr3ts3cr3t")
    assert "s3cr3t" not in stream.getvalue()
    assert stream.getvalue().count("***") >= 6


def test_counts_of_tokens_are_no_secrets() -> None:
    stream = written("json")
    logging.getLogger("lmxd").info("done", extra={"prompt_tokens": 7, "tokens": 3})
    assert one_json(stream)["prompt_tokens"] == 7


def test_libraries_are_heard_from_warnings_on() -> None:
    stream = written("text", "debug")
    logging.getLogger("httpx2").info("HTTP Request")
    logging.getLogger("sanic.error").warning("running in PRODUCTION mode")
    logging.getLogger("lmxd.http").debug("detail")
    logging.getLogger("watchfiles").warning("lost")
    events = [line.split()[2] for line in stream.getvalue().splitlines()]
    assert events == ["detail", "lost"]


def test_the_last_configuration_counts() -> None:
    first, second = written("text"), written("text", "error")
    logging.getLogger("lmxd").info("quiet")
    logging.getLogger("lmxd").error("loud")
    assert first.getvalue() == ""
    assert "quiet" not in second.getvalue()
    assert second.getvalue().count("loud") == 1
