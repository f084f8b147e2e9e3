"""A lean streaming client on plain sockets, so that the measured server keeps the cores."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One streamed answer: seconds to the first text and to the end, the longest silence between
    two pieces of text, and tokens as counted by the server itself.
    """

    first_s: float
    whole_s: float
    gap_s: float
    tokens: int


async def ask(
    port: int, model: str, prompt: str, max_tokens: int, begun: asyncio.Event | None = None
) -> Answer:
    """Stream one chat completion; raises RuntimeError unless it ends as a stream should.

    begun: set at the first text.
    """
    body = json.dumps(
        {
            "model": model,
            "messages": [{"role": "user", "content": prompt}],
            "max_tokens": max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
    ).encode()
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.encode() + body)
    first_s, last_s, gap_s, tokens = 0.0, 0.0, 0.0, 0
    async for event in _events(reader):
        if _has_text(event):
            now = time.perf_counter() - began
            first_s = first_s or now
            gap_s = max(gap_s, now - last_s) if last_s else 0.0
            last_s = now
            if begun is not None:
                begun.set()
        if b'"usage"' in event and (usage := json.loads(event).get("usage")):
            tokens = usage["completion_tokens"]
    writer.close()
    if not tokens:
        raise RuntimeError(f"port {port}: the stream ended without usage")
    return Answer(first_s, time.perf_counter() - began, gap_s, tokens)


async def _events(reader: asyncio.StreamReader):
    while line := await reader.readline():
        if line.startswith(b"data: {"):
            yield line[6:]


def _has_text(event: bytes) -> bool:
    choices = json.loads(event).get("choices") or [{}]
    return bool(choices[0].get("delta", {}).get("content"))


async def together(port: int, model: str, prompts: list[str], max_tokens: int) -> list[Answer]:
    """All prompts at once."""
    return await asyncio.gather(*(ask(port, model, p, max_tokens) for p in prompts))
