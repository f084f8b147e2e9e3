"""A bot: control calls to a real daemon as any HTTP client would make them.

bot = Bot(daemon, "night-bot")
answer = await bot.patch({"models": {"one": {"state": "loaded"}}}, prefer="wait=60")
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.kit.daemon import PATIENCE_S, Daemon


@dataclass(frozen=True)
class Bot:
    """`name` goes into `Lmxd-Manager`; empty: none is sent."""

    daemon: Daemon
    name: str = ""

    async def send(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> httpx2.Response:
        """A call below `/lmxd/v1/`; bytes are sent as they are, `_` in header names is `-`."""
        content = body if isinstance(body, bytes) else json.dumps(body) if body is not None else b""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        given = {"content-type": "application/json"} | given
        if self.name:
            given["lmxd-manager"] = self.name
        async with httpx2.AsyncClient(
            base_url=self.daemon.url, trust_env=False, verify=False, timeout=PATIENCE_S
        ) as client:
            return await client.request(method, f"/lmxd/v1/{path}", content=content, headers=given)

    async def patch(self, body: object, query: str = "", **headers: str) -> httpx2.Response:
        """`PATCH /desired`."""
        return await self.send("PATCH", f"desired{query}", body, **headers)

    async def get(self, path: str, **headers: str) -> Any:
        """The JSON of a GET that must succeed."""
        answer = await self.send("GET", path, **headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def etag(self) -> str:
        """The ETag of the document as JSON, with its quotes."""
        answer = await self.send("GET", "desired")
        return str(answer.headers["etag"])
