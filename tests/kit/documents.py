"""Documents for whole-daemon tests: models as source and state, aliases, and edits in place."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from openai import AsyncOpenAI

from tests.kit.daemon import Daemon


def write(
    path: Path,
    models: Mapping[str, Mapping[str, Any]],
    aliases: Mapping[str, Any] | None = None,
    **sections: Any,
) -> Path:
    """Replace the document in one step, as editors do; JSON is YAML."""
    body = {"version": 1, **sections, "models": models, "aliases": aliases or {}}
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(body, indent=1))
    draft.replace(path)
    return path


def loaded(folder: Path, **fields: Any) -> dict[str, Any]:
    """A model of a folder that should be loaded."""
    return {"source": f"file:{folder}", "state": "loaded", "context": 256, **fields}


def client(daemon: Daemon, **options: Any) -> AsyncOpenAI:
    """The official client, without retries: a test sees the first answer."""
    return AsyncOpenAI(base_url=f"{daemon.url}/v1", api_key="none", max_retries=0, **options)


async def say(daemon: Daemon, model: str, prompt: str = "hi", **options: Any) -> str:
    """The text a model answers with, greedily."""
    options = {"temperature": 0, "max_tokens": 16, **options}
    async with client(daemon) as talk:
        answer = await talk.chat.completions.create(
            model=model, messages=[{"role": "user", "content": prompt}], **options
        )
    return answer.choices[0].message.content or ""


def workers(daemon: Daemon) -> dict[int, psutil.Process]:
    """The worker processes of a daemon, a spare included, by pid."""
    found = {}
    for child in psutil.Process(daemon.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended while we looked; or a zombie
            if "lmxd.worker" in child.cmdline():
                found[child.pid] = child
    return found


def instance(status: Mapping[str, Any], key: str) -> str | None:
    """The uid of the instance that answers for a model."""
    found = next((m for m in status["models"] if m["key"] == key), None)
    return found["serving"]["instance"] if found else None
