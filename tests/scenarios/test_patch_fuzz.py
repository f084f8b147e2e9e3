"""Random patches against a real daemon and a real file: never a 500, never a broken file."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from tests.kit.bot import Bot
from tests.kit.daemon import condition, running

SEED, CALLS = 20261121, 150
TEXT = """\
# by hand
version: 1
timezone: UTC   # zone

models:
    one:   {source: "builtin:tiny-chat", state: downloaded}   # flow
    "two.x":
        source: file:/nowhere
        state: downloaded
        sampling: &warm {temperature: 0.2, stop: ["</s>", 'it''s']}
    three: {source: file:/nowhere, state: downloaded, sampling: *warm}
aliases:
  auto: [one, two.x]
  "claude-*": one
# the end
"""
LEAVES = (
    None, True, False, 0, -1, 10**30, 0.1, 1e300, "", "loaded", "downloaded", "absent", "5m", "x",
    "a: b # c", "\x00", "\x85", "\ud7ff\U0001f600", "'\"\n\t", "*warm", "&a", "!!str x", "null",
    "2026-01-01", "- x", "{", "1_000", "<<", " lead", "trail ", "a\\b", "%", "builtin:tiny-chat",
)  # fmt: skip
KEYS = (
    "models", "one", "two.x", "three", "new", "state", "source", "sampling", "temperature", "stop",
    "aliases", "auto", "claude-*", "limits", "memory", "system", "priority", "version", "timezone",
    "schedules", "suspend", "", "a/b", "~", "ü", "-", "0", "<<",
)  # fmt: skip


def value(draw: random.Random, depth: int = 0) -> Any:
    if depth > 3 or draw.random() < 0.45:
        return draw.choice(LEAVES)
    if draw.random() < 0.2:
        return [value(draw, depth + 1) for _ in range(draw.randrange(3))]
    return {draw.choice(KEYS): value(draw, depth + 1) for _ in range(draw.randrange(1, 4))}


def likely(draw: random.Random) -> dict[str, Any]:
    """A patch that often fits, so that the text is really changed."""
    key = draw.choice(("one", "two.x", "three", "new"))
    fields = {
        "source": "builtin:tiny-chat",
        "state": draw.choice(("downloaded", "absent", "on-demand")),
        "priority": draw.randrange(100),
        "system": draw.choice([each for each in LEAVES if isinstance(each, str)]),
        "sampling": {"temperature": 0.5, "stop": [draw.choice(("a", "#", "é"))]},
    }
    some = draw.sample(sorted(fields), draw.randrange(1, len(fields)))
    return {"models": {key: {name: fields[name] for name in ("source", *some)}}}


def operations(draw: random.Random) -> Any:
    def path() -> str:
        return "".join(f"/{draw.choice(KEYS)}" for _ in range(draw.randrange(4)))

    ops = ("add", "remove", "replace", "move", "copy", "test", "nope")
    return [
        {"op": draw.choice(ops), "path": path(), "from": path(), "value": value(draw)}
        for _ in range(draw.randrange(1, 4))
    ]


async def test_no_patch_is_answered_with_a_server_error(document: Path, tmp_path: Path) -> None:
    draw = random.Random(SEED)
    document.write_text(TEXT)
    changed = 0
    async with running(document, tmp_path) as daemon:
        bot = Bot(daemon)
        for number in range(CALLS):
            body = (likely, value, operations)[number % 3](draw)
            headers = {"lmxd_lease": "1h"} if draw.random() < 0.15 else {}
            query = draw.choice(("", "?dry_run=true", "?force=true"))
            answer = await bot.patch(body, query, **headers)
            assert answer.status_code < 500, (number, query, headers, body, answer.text)
            changed += answer.status_code == 200 and bool(answer.json().get("changed"))
            planned = await bot.send("POST", "plan", {"patch": body})
            assert planned.status_code < 500, (number, body, planned.text)
        assert changed >= CALLS // 10
        status = await daemon.status()
        assert condition(status, "ConfigValid")["status"] == "True"
        assert condition(status, "ConfigCurrent")["status"] == "True"
        assert "request crashed" not in daemon.log
        assert document.read_text().startswith("# by hand\n")
