"""Who is measured: raw mlx-lm in a process, mlx_lm.server and lmxd, on one model and one BLAS."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path

from tests.kit import tiny

BLAS = "/usr/lib/*/libopenblas.so.0"


@dataclass(frozen=True)
class Candidates:
    """Running and ready. Ports and the model's names are by server; `blas`: what is interposed."""

    raw: subprocess.Popen[str]
    ports: dict[str, int]
    names: dict[str, str]
    blas: str


@contextlib.contextmanager
def running() -> Iterator[Candidates]:
    """All three on a random f32 llama of about 10 M parameters; ended at the end."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        place = Path(folder)
        weights = tiny.make(place / "model", hidden=384, layers=8, context=4096)
        blas = next(iter(glob(BLAS)), None)
        environment = {**os.environ, **({"LD_PRELOAD": blas} if blas else {})}
        raw = stack.enter_context(_raw(weights, environment))
        ports = {
            "mlx_lm.server": stack.enter_context(_mlx_server(weights, environment)),
            "lmxd": stack.enter_context(_lmxd(place, weights, environment)),
        }
        names = {"mlx_lm.server": str(weights), "lmxd": "bench"}
        yield Candidates(raw, ports, names, blas or "as in the wheel")


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str], **pipes: int):
    process = subprocess.Popen(command, env=environment, text=True, **pipes)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextlib.contextmanager
def _raw(weights: Path, environment: dict[str, str]):
    command = [sys.executable, "-m", "benchmarks.raw", str(weights)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with _process(command, environment, **pipes) as process:
        process.stdout.readline()
        yield process


@contextlib.contextmanager
def _mlx_server(weights: Path, environment: dict[str, str]) -> Iterator[int]:
    port = _free_port()
    command = [sys.executable, "-m", "mlx_lm", "server", "--model", str(weights)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--log-level", "ERROR"]
    with _process(command, environment, stderr=subprocess.DEVNULL):
        _until(f"http://127.0.0.1:{port}/health")
        yield port


@contextlib.contextmanager
def _lmxd(place: Path, weights: Path, environment: dict[str, str]) -> Iterator[int]:
    document = place / "desired-state.yaml"
    document.write_text(
        "version: 1\ndefaults: {context: 4k}\n"
        f"models: {{bench: {{source: 'file:{weights}', state: loaded, parallel: 16, "
        "kv_memory: 1GiB}}\n"
    )
    port = _free_port()
    command = [sys.executable, "-m", "lmxd", "serve", str(document)]
    command += ["--listen", f"127.0.0.1:{port}", "--state-dir", str(place / "state")]
    command += ["--models-dir", str(place / "models"), "--log-level", "warning"]
    with _process(command, environment):
        _until(f"http://127.0.0.1:{port}/ready")
        yield port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _until(url: str, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.2)
    raise SystemExit(f"{url} did not answer within {seconds:.0f} s")
