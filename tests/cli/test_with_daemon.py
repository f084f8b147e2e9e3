"""The client verbs against a real daemon that serves a tiny model."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass

import pytest
import pytest_asyncio

from lmxd.cli.app import execute
from tests.kit import tiny
from tests.kit.daemon import Daemon, running

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = """\
version: 1   # a comment that must come back
models:
  tiny:
    source: file:{folder}
    state: loaded
  later:
    source: file:{folder}
    state: on-demand
  elsewhere:
    source: file:/nowhere/at/all
    state: loaded
aliases:
  default: tiny
"""


@dataclass(frozen=True)
class Said:
    """What one run of the program ended with."""

    code: int
    out: str
    err: str


class Shell:
    """Runs the program against one daemon; in this process, which is quicker than another."""

    def __init__(self, daemon: Daemon) -> None:
        self.daemon = daemon

    async def __call__(self, *arguments: str, stdin: str = "") -> Said:
        return await asyncio.to_thread(self._run, [*arguments, "--url", self.daemon.url], stdin)

    def _run(self, arguments: list[str], stdin: str) -> Said:
        out, err, before = io.StringIO(), io.StringIO(), sys.stdin
        sys.stdin = io.StringIO(stdin)
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = execute(arguments)
        finally:
            sys.stdin = before
        return Said(code, out.getvalue(), err.getvalue())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lmxd(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shell]:
    folder = tmp_path_factory.mktemp("cli")
    model = tiny.make(folder / "model", says=["Hel", "lo!"])
    document = folder / "desired-state.yaml"
    document.write_text(DOCUMENT.format(folder=model))
    async with running(document, folder) as daemon:
        shell = Shell(daemon)
        ready = await shell("wait", "--for=condition=Ready", "model/tiny", "--timeout", "60s")
        assert ready.code == 0, ready.err + daemon.log
        yield shell


async def test_status_has_a_line_for_each_model(lmxd: Shell) -> None:
    said = await lmxd("status")
    assert (said.code, said.err) == (0, "")
    lines = {line.split()[0]: line.split() for line in said.out.splitlines() if line}
    assert lines["MODEL"][:4] == ["MODEL", "STATE", "SUMMARY", "READY"]
    assert lines["tiny"][1:4] == ["loaded", "Ready", "True"]
    assert lines["later"][1:4] == ["on-demand", "Idle", "False"]
    assert lines["elsewhere"][3] == "False"
    assert "/nowhere/at/all" in " ".join(lines["elsewhere"])


async def test_status_of_one_model_shows_its_conditions(lmxd: Shell) -> None:
    said = await lmxd("status", "tiny")
    assert said.code == 0
    assert said.out.startswith("tiny: Ready\n")
    for kind in ("Wanted", "Admitted", "Downloaded", "Loaded", "Ready", "Supported"):
        assert f"\n{kind} " in said.out


@pytest.mark.parametrize("form", ["json", "yaml"])
async def test_status_for_programs_is_what_the_daemon_says(lmxd: Shell, form: str) -> None:
    said = await lmxd("status", "-o", form)
    assert said.code == 0
    assert "stateId" in said.out
    if form == "json":
        assert [m["key"] for m in json.loads(said.out)["models"]] == ["tiny", "later", "elsewhere"]


async def test_status_of_an_unknown_model_names_the_nearest(lmxd: Shell) -> None:
    said = await lmxd("status", "tini")
    assert (said.code, said.out) == (1, "")
    assert "did you mean tiny?" in said.err


async def test_get_gives_the_document_as_it_was_written(lmxd: Shell) -> None:
    assert (await lmxd("get")).out == lmxd.daemon.document.read_text()


@pytest.mark.parametrize(
    ("path", "out"),
    [("models.tiny.state", "loaded\n"), ("/aliases", "default: tiny\n"), ("version", "1\n")],
)
async def test_get_by_path(lmxd: Shell, path: str, out: str) -> None:
    assert await lmxd("get", path) == Said(0, out, "")


async def test_get_as_json(lmxd: Shell) -> None:
    assert json.loads((await lmxd("get", "aliases", "-o", "json")).out) == {"default": "tiny"}


async def test_get_of_a_wrong_path_fails(lmxd: Shell) -> None:
    said = await lmxd("get", "models.tiny.stat")
    assert (said.code, said.out) == (1, "")
    assert "did you mean state?" in said.err


async def test_plan_is_that_of_the_daemon(lmxd: Shell) -> None:
    said = await lmxd("plan")
    assert said.code == 0
    assert "elsewhere" in said.out
    assert json.loads((await lmxd("plan", "-o", "json")).out)["generation"] == 1


async def test_plan_of_another_time(lmxd: Shell) -> None:
    said = await lmxd("plan", "--at", "2030-01-02T03:04+00:00")
    assert said.code == 0
    assert said.out.startswith("plan for Wed 2030-01-02 03:04 UTC, with what is true now: ")
    found = json.loads((await lmxd("plan", "--at", "2030-01-02T03:04Z", "-o", "json")).out)
    assert found["at"] == "2030-01-02T03:04:00Z"
    refused = await lmxd("plan", "--at", "tonight")
    assert (refused.code, refused.out) == (64, "")
    assert "--at 'tonight' is not a time" in refused.err


async def test_wait_says_the_reason_when_the_time_is_over(lmxd: Shell) -> None:
    said = await lmxd("wait", "--for=condition=Ready", "model/elsewhere", "--timeout", "0s")
    assert said.code == 1
    assert "not within 0s: model/elsewhere: Ready=True" in said.err
    assert "/nowhere/at/all" in said.err


async def test_wait_for_another_status(lmxd: Shell) -> None:
    said = await lmxd("wait", "--for=condition=Ready=False", "model/elsewhere")
    assert said.code == 0


async def test_run_prints_the_answer(lmxd: Shell) -> None:
    assert await lmxd("run", "default", "Say", "hello") == Said(0, "Hello!\n", "")


async def test_run_reads_its_prompt_from_a_pipe(lmxd: Shell) -> None:
    assert (await lmxd("run", "tiny", stdin="Say hello")).out == "Hello!\n"


async def test_run_loads_a_model_on_demand(lmxd: Shell) -> None:
    """The wait is told on stderr; stdout holds the answer and nothing else."""
    said = await lmxd("run", "later", "Say hello", "--temperature", "0")
    assert (said.code, said.out) == (0, "Hello!\n")


async def test_run_says_when_an_answer_is_cut(lmxd: Shell) -> None:
    said = await lmxd("run", "tiny", "Say hello", "--max-tokens", "1")
    assert said.code == 0
    assert "cut" in said.err


async def test_run_of_an_unknown_name_fails_with_the_names(lmxd: Shell) -> None:
    said = await lmxd("run", "nobody", "hello")
    assert (said.code, said.out) == (1, "")
    assert "tiny" in said.err


async def test_colours_are_only_for_terminals(lmxd: Shell) -> None:
    assert "\x1b" not in (await lmxd("status")).out


async def test_a_second_daemon_on_the_state_folder_is_refused_in_words(lmxd: Shell) -> None:
    """By the program itself: a sentence, a hint and 1, and no traceback."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lmxd", "serve", str(lmxd.daemon.document)),
        *("--state-dir", str(lmxd.daemon.state_dir), "--listen", "127.0.0.1:0"),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, err = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 1
    said = err.decode()
    assert f"in use by the daemon with pid {lmxd.daemon.process.pid}" in said
    assert "hint: stop that daemon" in said
    assert "Traceback" not in said


async def test_watching_tells_changes_until_ctrl_c(lmxd: Shell) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lmxd", "status", "--watch", "--url", lmxd.daemon.url),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        line = await asyncio.wait_for(process.stderr.readline(), 60)
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert line == b"tiny: Ready\n"


async def test_run_says_why_it_waits(lmxd: Shell) -> None:
    """A model that failed and is tried again is waited for, and not in silence."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lmxd", "run", "elsewhere", "hi", "--url", lmxd.daemon.url),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        line = await asyncio.wait_for(process.stderr.readline(), 60)
    finally:
        process.kill()
        await process.wait()
    assert line.startswith(b"waiting: elsewhere: there is no folder /nowhere/at/all")


async def test_a_person_talks_on_a_terminal_until_goodbye(lmxd: Shell) -> None:
    ours, theirs = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "lmxd", "run", "tiny", "--url", lmxd.daemon.url),
        env={**os.environ, "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=asyncio.subprocess.DEVNULL,
    )
    os.close(theirs)
    try:
        await _shown(ours, b">>> ")
        os.write(ours, b"Say hello\n")
        await _shown(ours, b"Hello!")
        await _shown(ours, b">>> ")
        os.write(ours, b"/bye\n")
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(ours)


async def _shown(terminal: int, words: bytes) -> None:
    """Wait until the program has written these words; everything up to them is read."""
    seen = b""
    while not seen.endswith(words):
        seen += await asyncio.wait_for(asyncio.to_thread(os.read, terminal, 1), 60)
