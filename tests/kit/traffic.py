"""Concurrent streams that never stop asking, and what came of each: for switches under load.

    async with traffic(daemon.url, "auto", streams=32) as seen:
        await seen.answer_from("xyz")      # until somebody was answered by the model that says so
    assert not seen.failures

An answer counts only when its stream ended as it should: one finish, usage, `[DONE]`, and text of
one model alone. Anything else, whatever it is, is a failure and is kept in words.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

PATIENCE_S = 120.0


class Traffic:
    """What the streams have seen. `answers` counts whole ones by the model's text."""

    def __init__(self, streams: int) -> None:
        self._streams = streams
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self.waited = 0
        self._news = asyncio.Condition()

    async def answer_from(self, text: str) -> None:
        """Wait for an answer by the model that says `text` to a question asked after this call."""
        async with asyncio.timeout(PATIENCE_S), self._news:
            # Each stream may have one question on its way: with one answer more, one is newer.
            enough = self.answers[text] + self._streams + 1
            await self._news.wait_for(lambda: self.failures or self.answers[text] >= enough)

    async def note(self, text: str | None, failure: str | None, comments: int) -> None:
        """File one answer."""
        async with self._news:
            if failure is None and text is not None:
                self.answers[text] += 1
            else:
                self.failures.append(failure or "no text")
            self.waited += comments > 0
            self._news.notify_all()


@asynccontextmanager
async def traffic(url: str, model: str, *, streams: int, tokens: int = 6) -> AsyncIterator[Traffic]:
    """That many clients ask one after the other; at the end each finishes what it has begun."""
    seen, stopping = Traffic(streams), asyncio.Event()
    limits = httpx2.Limits(max_connections=streams)
    async with (
        httpx2.AsyncClient(
            base_url=url, timeout=PATIENCE_S, limits=limits, trust_env=False, verify=False
        ) as client,
        asyncio.TaskGroup() as group,
    ):
        for number in range(streams):
            group.create_task(
                _ask_on(client, model, tokens, seen, stopping), name=f"stream {number}"
            )
        try:
            yield seen
        finally:
            stopping.set()


async def _ask_on(
    client: httpx2.AsyncClient, model: str, tokens: int, seen: Traffic, stopping: asyncio.Event
) -> None:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": tokens,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    while not stopping.is_set() and not seen.failures:
        try:
            text, comments = await _ask(client, body)
        except (httpx2.HTTPError, ValueError) as error:
            await seen.note(None, f"{type(error).__name__}: {error}", 0)
        else:
            await seen.note(text, None, comments)


async def _ask(client: httpx2.AsyncClient, body: dict[str, object]) -> tuple[str, int]:
    """The text of one stream and its keep-alives; ValueError unless it ended as it should."""
    texts: list[str] = []
    finishes: list[str] = []
    comments, usage, done = 0, 0, False
    async with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        if answer.status_code != 200:
            raise ValueError(f"{answer.status_code}: {(await answer.aread()).decode()[:300]}")
        async for line in answer.aiter_lines():
            if line.startswith(":"):
                comments += 1
            elif line == "data: [DONE]":
                done = True
            elif line.startswith("data: "):
                chunk = json.loads(line[6:])
                if "error" in chunk:
                    raise ValueError(f"error event: {chunk['error']}")
                usage += bool(chunk.get("usage"))
                for choice in chunk["choices"]:
                    texts.append(choice["delta"].get("content") or "")
                    finishes += [choice["finish_reason"]] if choice.get("finish_reason") else []
    if not done or len(finishes) != 1 or usage != 1 or finishes[0] not in {"stop", "length"}:
        raise ValueError(f"cut: {texts=} {finishes=} {usage=} {done=}")
    return "".join(texts), comments
