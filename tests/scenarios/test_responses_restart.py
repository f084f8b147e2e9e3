"""A conversation that was kept goes on after the daemon was started anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2

from tests.kit.daemon import PATIENCE_S, Daemon, running
from tests.kit.documents import write


async def respond(daemon: Daemon, **fields: Any) -> Any:
    body = {"model": "tiny", "max_output_tokens": 8, "temperature": 0, **fields}
    async with httpx2.AsyncClient(base_url=daemon.url, trust_env=False, verify=False) as client:
        got = await client.post("/v1/responses", json=body, timeout=PATIENCE_S)
    assert got.status_code == 200, got.text
    return got.json()


async def test_responses_outlive_a_daemon_that_was_killed(tmp_path: Path) -> None:
    document = write(
        tmp_path / "desired-state.yaml",
        {"tiny": {"source": "builtin:tiny-chat", "state": "loaded"}},
    )
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        first = await respond(daemon, input="hello")
        await daemon.kill()
    (file,) = (daemon.state_dir / "responses").iterdir()
    assert file.name == f"{first['id']}.json"
    assert file.stat().st_mode & 0o777 == 0o600
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        assert await daemon.get(f"/v1/responses/{first['id']}") == first
        second = await respond(daemon, input="and?", previous_response_id=first["id"])
        items = await daemon.get(f"/v1/responses/{second['id']}/input_items")
    assert [item["role"] for item in items["data"]] == ["user", "assistant", "user"]
    assert second["usage"]["input_tokens"] > first["usage"]["input_tokens"]
