"""Exit codes and sentences: 0 done, 1 failed, 64 used wrongly; data and messages apart."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import ClassVar

import pytest

from lmxd.cli.app import USAGE, execute

ROOT = Path(__file__).resolve().parents[2]
VERBS = ("init", "serve", "validate", "plan", "status", "get", "wait", "events", "explain", "run")
CLIENTS = (
    ["status"],
    ["status", "tiny"],
    ["get"],
    ["get", "models"],
    ["plan"],
    ["events"],
    ["events", "--follow"],
    ["explain"],
    ["run", "tiny", "hello"],
    ["wait", "model/tiny", "--timeout", "0s"],
)


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_every_verb_has_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([verb, "--help"]) == 0
    said = capsys.readouterr()
    assert f"\n    lmxd {verb}" in said.out
    assert said.err == ""


def test_without_arguments_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([]) == 0
    out = capsys.readouterr().out
    assert all(f"  {verb} " in out for verb in VERBS)


def test_the_version_is_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["--version"]) == 0
    assert capsys.readouterr().out == f"lmxd {metadata.version('lmxd')}\n"


def test_a_wrong_choice_is_refused_in_our_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["status", "-o", "xml"]) == USAGE
    said = capsys.readouterr().err
    assert "'xml' is not one of" in said
    assert "Value error" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["status", "--nonsense"],
        ["status", "-o", "xml"],
        ["run"],
        ["wait", "tiny"],
        ["wait", "model/tiny", "--timeout", "soon"],
        ["plan", "--at", "tonight"],
        ["serve", "--listen", "1.2.3.4:x"],
        ["serve", "--log-level", "loud"],
    ],
)
def test_wrong_use_is_64(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(arguments) == USAGE
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert "--help` shows how it is used" in said.err


def test_a_terminal_that_lacks_our_signs_gets_them_spelled_out(tmp_path: Path) -> None:
    """Whoever logs in over an old terminal gets a plan, not a traceback."""
    (tmp_path / "d.yaml").write_text("version: 1\nmodels: {a: {source: 'hf:org/a'}}\n")
    said = subprocess.run(
        [sys.executable, "-m", "lmxd", "plan", "d.yaml"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 0, said.stderr
    assert b"  1  \\u2193   a  download hf:org/a" in said.stdout


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nothing listens: bound, and never accepting."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


@pytest.mark.parametrize("arguments", CLIENTS, ids=" ".join)
def test_without_a_daemon_the_way_to_start_one_is_shown(
    nobody: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*arguments, "--url", nobody]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert f"no lmxd at {nobody}" in said.err
    assert "start it with `lmxd serve`" in said.err


def test_the_address_can_come_from_the_environment(
    nobody: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LMXD_URL", nobody)
    assert execute(["status"]) == 1
    assert nobody in capsys.readouterr().err


@pytest.mark.parametrize("url", ["nonsense", "ftp://127.0.0.1", "http://[", ""])
def test_what_is_no_url_is_said(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["status", "--url", url]) == 1
    assert "is not a URL" in capsys.readouterr().err


class Stranger(BaseHTTPRequestHandler):
    """Some other server, as LM Studio may be on the same port; remembers what it was sent."""

    seen: ClassVar[list[str | None]] = []

    def _answer(self) -> None:
        self.seen.append(self.headers["Authorization"])
        self.send_response(404)
        self.end_headers()
        self.wfile.write(b"<h1>not here</h1>")

    do_GET = do_POST = _answer

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def stranger() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stranger)
    Stranger.seen.clear()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("arguments", CLIENTS[:-1], ids=" ".join)
def test_another_server_on_the_port_is_recognised(
    stranger: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute([*arguments, "--url", stranger]) == 1
    assert f"what answers at {stranger} is not lmxd" in capsys.readouterr().err


def test_the_key_is_sent_as_a_bearer_token(stranger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    execute(["status", "--url", stranger])
    monkeypatch.setenv("LMXD_API_KEY", "secret")
    execute(["status", "--url", stranger])
    assert Stranger.seen == [None, "Bearer secret"]


def test_the_program_is_started_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lmxd", "nonsense"], capture_output=True, timeout=60, check=False
    )
    assert done.returncode == USAGE
