"""Every snippet of the guide for clients runs, as it stands, against a daemon with its document."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.kit.daemon import PATIENCE_S, Daemon, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

GUIDE = (Path(__file__).resolve().parents[2] / "docs/guides/clients.md").read_text("utf-8")
ADDRESS = "http://127.0.0.1:1234"


def snippets(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


RUNS = [("python", text) for text in snippets("python")] + [("sh", text) for text in snippets("sh")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def daemon(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Daemon]:
    folder = tmp_path_factory.mktemp("clients")
    document = folder / "desired-state.yaml"
    (text,) = snippets("yaml")
    document.write_text(text, encoding="utf-8")
    async with running(document, folder) as made:
        await made.ready()
        yield made


async def test_there_are_snippets() -> None:
    assert {language for language, _ in RUNS} == {"python", "sh"}


@pytest.mark.parametrize(("language", "text"), RUNS, ids=lambda value: value.strip()[-40:])
async def test_a_snippet_runs_and_prints(daemon: Daemon, language: str, text: str) -> None:
    if language == "sh" and shutil.which("curl") is None:
        pytest.skip("there is no curl here")
    assert ADDRESS in text
    command = [sys.executable, "-c"] if language == "python" else ["sh", "-ec"]
    process = await asyncio.create_subprocess_exec(
        *command,
        text.replace(ADDRESS, daemon.url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "NO_PROXY": "*"},
    )
    try:
        said, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    assert said.strip()
    assert b'"error"' not in said
