"""What a process carries: the daemon no engine, `--help` next to nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

ENGINES = ("mlx", "mlx_lm", "transformers", "torch", "llama_cpp", "tokenizers", "numpy")
CLIENT_SIDE = ("rich", "httpx2")


def modules_after(code: str, *arguments: str) -> set[str]:
    """Names of all modules in a fresh interpreter after running `code`."""
    show = "\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code + show, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.fixture(scope="module")
def daemon() -> set[str]:
    """Every module of every package the daemon is made of, imported as a whole."""
    outside = {"worker", "cli", "__main__.py", "builtin"}
    files = [path.relative_to(ROOT) for path in (ROOT / "lmxd").rglob("*.py")]
    names = [
        ".".join(file.with_suffix("").parts).removesuffix(".__init__")
        for file in files
        if outside.isdisjoint(file.parts)
    ]
    return modules_after(
        "import importlib, sys\n[*map(importlib.import_module, sys.argv[1:])]", *names
    )


def test_the_whole_daemon_was_imported(daemon: set[str]) -> None:
    assert {"lmxd.daemon.process", "lmxd.http.app", "lmxd.store.hub", "sanic"} <= daemon


@pytest.mark.parametrize("library", ENGINES)
def test_the_daemon_never_imports_an_engine(daemon: set[str], library: str) -> None:
    """An abort inside a runtime must only ever take one model."""
    assert library not in daemon


def test_the_daemon_never_imports_the_worker(daemon: set[str]) -> None:
    assert not [name for name in daemon if name.startswith("lmxd.worker")]


@pytest.mark.parametrize("library", CLIENT_SIDE)
def test_serve_starts_without_what_only_client_verbs_need(library: str) -> None:
    code = "import lmxd.cli.app, lmxd.cli.serve, lmxd.settings, lmxd.daemon.process"
    assert library not in modules_after(code)


@pytest.mark.parametrize(
    "library", ["pydantic", "sanic", "rich", "httpx2", "ruamel", "asyncio.runners"]
)
def test_help_imports_no_library_it_does_not_need(library: str) -> None:
    found = modules_after(
        "import contextlib, io\nfrom lmxd.cli.app import execute\n"
        "with contextlib.redirect_stdout(io.StringIO()):\n    execute(['--help'])\n"
    )
    assert library not in found
