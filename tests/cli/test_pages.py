"""What README.md, docs/getting-started.md and docs/guides tell people to type works, in order.

The pages serve the built-in model; here a tiny one takes its place, because what it says is tested
elsewhere. Installing is not done again, and the port is a free one.
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from lmxd.desired.read import read
from tests.kit import tiny
from tests.kit.daemon import Daemon, condition, running

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
GUIDE = ROOT / "docs" / "getting-started.md"
SCHEDULES = ROOT / "docs" / "concepts" / "schedules.md"
NIGHT_SHIFT = ROOT / "docs" / "guides" / "night-shift.md"
BOTS = ROOT / "docs" / "guides" / "bots.md"
PAGE_URL = "http://127.0.0.1:1234"
BUILT_IN = "builtin:tiny-chat"
SERVES = {"make serve", "lmxd serve"}
INSTALLS = ("make serve", "source ")

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: what stands behind the fence, and the text."""
    found = re.findall(r"^```([^\n]*)\n(.*?)^```$", page.read_text("utf-8"), flags=re.M | re.S)
    return [(info.strip(), body) for info, body in found]


class Reader:
    """Somebody who does what a page says, block by block, in a folder."""

    def __init__(self, folder: Path, model: Path, stack: AsyncExitStack) -> None:
        self.folder = folder
        self.document = folder / "desired-state.yaml"
        self._model = model
        self._stack = stack
        self._daemon: Daemon | None = None
        self._bin = folder / "bin"
        self._bin.mkdir()
        program = self._bin / "lmxd"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lmxd "$@"\n')
        program.chmod(0o755)

    async def follow(self, info: str, body: str) -> str | None:
        """Do one block; the text it printed, or None when it is nothing to run."""
        if info == "yaml desired-state.yaml":
            await self._save(body)
        elif info == "python":
            return await self._run([sys.executable, "-c", body], 0)
        elif info in ("sh", "sh fails"):
            if body.strip() in SERVES and self.document.exists():
                await self._serve()
            elif not body.startswith(INSTALLS):
                command = ["bash", "-euo", "pipefail", "-c", body]
                return await self._run(command, 1 if info == "sh fails" else 0)
        return None

    async def _serve(self) -> None:
        self._put(self.document.read_text())
        self._daemon = await self._stack.enter_async_context(running(self.document, self.folder))

    async def _save(self, text: str) -> None:
        self._put(text)
        if self._daemon is None:
            return
        try:
            read(text.encode())
            valid = "True"
        except Exception:  # noqa: BLE001 - a page may show a mistake
            valid = "False"
        before = (await self._daemon.status())["generation"]
        await self._daemon.until(
            lambda status: (
                condition(status, "ConfigValid")["status"] == valid
                and (valid == "False" or status["generation"] > before)
            ),
            "the edit was seen",
        )

    def _put(self, text: str) -> None:
        self.document.write_text(text.replace(BUILT_IN, f"file:{self._model}"))

    async def _run(self, command: list[str], code: int) -> str:
        url = self._daemon.url if self._daemon else PAGE_URL
        process = await asyncio.create_subprocess_exec(
            *(part.replace(PAGE_URL, url) for part in command),
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self._bin}:{os.environ['PATH']}", "LMXD_URL": url},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), 90)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        said = out.decode()
        assert process.returncode == code, f"{command[-1]}\n{said}"
        return said


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return tiny.make(tmp_path / "model", says=["Hel", "lo!"])


@needs_curl
async def test_the_guide_can_be_followed(tmp_path: Path, model: Path) -> None:
    said: list[str] = []
    async with AsyncExitStack() as stack:
        reader = Reader(tmp_path, model, stack)
        for info, body in blocks(GUIDE):
            said.append(await reader.follow(info, body) or "")
    whole = "".join(said)
    assert whole.count("Hello!") >= 5
    assert 'did you mean "state"?' in whole
    assert "ConfigValid=False" in whole


async def test_the_night_shift_can_be_followed(tmp_path: Path, model: Path) -> None:
    said: list[str] = []
    async with AsyncExitStack() as stack:
        reader = Reader(tmp_path, model, stack)
        for info, body in blocks(NIGHT_SHIFT):
            said.append(await reader.follow(info, body) or "")
    whole = "".join(said)
    assert "is valid" in whole
    assert "office" in whole
    assert "Hello!" in whole
    assert "lease l-" in whole


@needs_curl
async def test_a_bot_can_do_what_its_guide_says(tmp_path: Path, model: Path) -> None:
    said: list[str] = []
    async with AsyncExitStack() as stack:
        reader = Reader(tmp_path, model, stack)
        for info, body in blocks(BOTS):
            said.append(await reader.follow(info, body) or "")
        assert reader.document.read_text().startswith("# kept by people and bots alike")
    whole = "".join(said)
    assert '"converged":true' in whole
    assert "auto: [big, small]" in whole
    assert "# always there" in whole
    assert '"code":"field_conflict"' in whole
    assert whole.count("HTTP/1.1 200") == 2
    assert whole.lower().count("idempotency-replayed: true") == 1
    assert '"GenerationAccepted"' in whole


@needs_curl
async def test_the_first_minute_of_the_readme(tmp_path: Path, model: Path) -> None:
    said: list[str] = []
    async with AsyncExitStack() as stack:
        reader = Reader(tmp_path, model, stack)
        shutil.copy(ROOT / "desired-state.example.yaml", reader.document)
        for info, body in blocks(README):
            said.append(await reader.follow(info, body) or "")
    assert "Hello!" in "".join(said)


@pytest.mark.parametrize(
    "page", [README, GUIDE, SCHEDULES, NIGHT_SHIFT, BOTS], ids=lambda page: str(page.name)
)
def test_documents_on_a_page_are_valid_unless_they_show_a_mistake(page: Path) -> None:
    shown = [body for info, body in blocks(page) if info.startswith("yaml")]
    mistakes = [body for body in shown if "stat: loaded" in body]
    assert [read(body.encode()).document.version for body in shown if body not in mistakes]
    assert len(mistakes) == (1 if page == GUIDE else 0)
