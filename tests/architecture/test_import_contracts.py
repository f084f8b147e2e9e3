"""The import contracts hold, and each of them catches what it forbids.

All violations are planted at once in a copy of the tree; every one must be reported under its
contract, so that an upgrade of import-linter cannot silently switch one off.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("lmxd", "reconciler", "schemas")

DECISIONS = "Reconciler decisions are synchronous and silent"
PURE = "Reconciler and schemas know no framework, runtime or disk"

# Contract (how its name begins), file, what is appended to it, what the report must say.
PLANTED = (
    (
        "Packages point one way",
        "reconciler/ports.py",
        "import lmxd.framing",
        "reconciler.ports -> lmxd.framing ",
    ),
    (
        "Packages point one way",
        "schemas/status.py",
        "import reconciler.state",
        "schemas.status -> reconciler.state ",
    ),
    (
        "lmxd layers",
        "lmxd/store/files.py",
        "import lmxd.serving.gate",
        "lmxd.store.files -> lmxd.serving.gate ",
    ),
    (
        "lmxd layers",
        "lmxd/store/hub.py",
        "import lmxd.desired.read",
        "lmxd.store.hub -> lmxd.desired.read ",
    ),
    ("lmxd layers", "lmxd/helpers.py", '"""New."""', "- lmxd.helpers\n"),
    (
        "Reconciler layers",
        "reconciler/state.py",
        "import reconciler.plan",
        "reconciler.state -> reconciler.plan ",
    ),
    ("Reconciler layers", "reconciler/utils.py", '"""New."""', "- reconciler.utils\n"),
    (
        "Loop layers",
        "reconciler/loop/memory.py",
        "import reconciler.loop.core",
        "reconciler.loop.memory -> reconciler.loop.core ",
    ),
    (
        "Schema layers",
        "schemas/desired.py",
        "import schemas.wire.openai",
        "schemas.desired -> schemas.wire.openai ",
    ),
    ("Schema layers", "schemas/misc.py", '"""New."""', "- schemas.misc\n"),
    (
        "No cycles",
        "lmxd/dialects/fields.py",
        "import lmxd.serving.names",
        "No cycles are allowed in lmxd.",
    ),
    (
        "No cycles",
        "lmxd/serving/names.py",
        "import lmxd.dialects.fields",
        "No cycles are allowed in lmxd.",
    ),
    (
        "Nobody imports the worker",
        "lmxd/serving/gate.py",
        "import lmxd.worker.mlx.engine",
        "lmxd.serving.gate -> lmxd.worker.mlx.engine ",
    ),
    (
        "The worker knows only",
        "lmxd/worker/process.py",
        "import lmxd.store.hub",
        "lmxd.worker.process -> lmxd.store.hub ",
    ),
    (
        "Only the composition root",
        "lmxd/http/health.py",
        "import reconciler.loop.core",
        "lmxd.http.health -> reconciler.loop.core ",
    ),
    (
        "Wire shapes of clients",
        "lmxd/http/openai.py",
        "import schemas.wire.openai",
        "lmxd.http.openai -> schemas.wire.openai ",
    ),
    (
        "Wire shapes of the control API",
        "lmxd/serving/gate.py",
        "import schemas.wire.control",
        "lmxd.serving.gate -> schemas.wire.control ",
    ),
    (PURE, "reconciler/loop/core.py", "import time", "reconciler.loop.core -> time "),
    (
        PURE,
        "reconciler/budget.py",
        "if TYPE_CHECKING:\n    import sanic",
        "reconciler.budget -> sanic ",
    ),
    (
        PURE,
        "schemas/source.py",
        "def f() -> None:\n    import pathlib",
        "schemas.source -> pathlib ",
    ),
    ("Schemas do no I/O", "schemas/parse.py", "import asyncio", "schemas.parse -> asyncio "),
    (DECISIONS, "reconciler/plan.py", "import asyncio", "reconciler.plan -> asyncio "),
    (DECISIONS, "reconciler/lane.py", "import logging", "reconciler.lane -> logging "),
    (
        DECISIONS,
        "reconciler/resolve.py",
        "import reconciler.ports",
        "reconciler.resolve -> reconciler.ports ",
    ),
    (
        "HTTP and serving reach",
        "lmxd/http/control.py",
        "import lmxd.store.hub",
        "lmxd.http.control -> lmxd.store.hub ",
    ),
    ("Sanic only", "lmxd/daemon/control.py", "import sanic", "lmxd.daemon.control -> sanic "),
    (
        "Hub only",
        "lmxd/cli/client.py",
        "import huggingface_hub",
        "lmxd.cli.client -> huggingface_hub ",
    ),
    (
        "An HTTP client only",
        "lmxd/supervisor/spawn.py",
        "import httpx2",
        "lmxd.supervisor.spawn -> httpx2 ",
    ),
    (
        "YAML and file events",
        "lmxd/cli/get.py",
        "from ruamel.yaml import YAML",
        "lmxd.cli.get -> ruamel ",
    ),
    (
        "YAML and file events",
        "lmxd/store/sweep.py",
        "import watchfiles",
        "lmxd.store.sweep -> watchfiles ",
    ),
    (
        "psutil only",
        "lmxd/supervisor/spawn.py",
        "import psutil",
        "lmxd.supervisor.spawn -> psutil ",
    ),
    (
        "Tables, bars and command",
        "lmxd/daemon/control.py",
        "import rich",
        "lmxd.daemon.control -> rich ",
    ),
    ("Tables, bars and command", "lmxd/settings.py", "import typer", "lmxd.settings -> typer "),
    (
        "Wire shapes of the control API",
        "lmxd/serving/names.py",
        "from schemas.wire.control import Changed",
        "lmxd.serving.names -> schemas.wire.control ",
    ),
    ("pydantic only", "lmxd/serving/pool.py", "import pydantic", "lmxd.serving.pool -> pydantic "),
    ("Grammars only", "lmxd/worker/process.py", "import llguidance", "lmxd.worker.process -> llgu"),
    ("MLX only", "lmxd/worker/process.py", "import mlx.core", "lmxd.worker.process -> mlx "),
    ("MLX only", "lmxd/host/probe.py", "import mlx_lm", "lmxd.host.probe -> mlx_lm "),
)


def contracts() -> list[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return [contract["name"] for contract in settings["tool"]["importlinter"]["contracts"]]


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """What `lint-imports` says there, on lines that are not broken."""
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder), "COLUMNS": "1000", "TERM": "dumb"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def copy_of_the_tree(folder: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package,
            folder / package,
            ignore=shutil.ignore_patterns("__pycache__", "builtin"),
        )


def reported(text: str) -> Mapping[str, str]:
    """The parts of the report that list violations, by contract."""
    details = text.partition("Broken contracts")[2]
    found: dict[str, str] = {}
    names = [name for name in contracts() if f"\n{name}\n---" in details]
    for name in names:
        rest = details.partition(f"\n{name}\n---")[2]
        ends = [rest.find(f"\n{other}\n---") for other in names]
        found[name] = rest[: min((end for end in ends if end >= 0), default=len(rest))]
    return found


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    folder = tmp_path_factory.mktemp("planted")
    copy_of_the_tree(folder)
    for _, name, line, _ in PLANTED:
        with (folder / name).open("a") as file:
            file.write(f"\n{line}\n")
    answer = lint(folder)
    assert answer.returncode == 1, answer.stdout + answer.stderr
    return reported(answer.stdout)


def test_all_contracts_hold() -> None:
    answer = lint(ROOT)
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_every_contract_is_broken_by_something_that_was_planted(report: Mapping[str, str]) -> None:
    assert sorted(report) == sorted(contracts())


@pytest.mark.parametrize(("contract", "file", "line", "says"), PLANTED)
def test_a_planted_violation_is_reported(
    report: Mapping[str, str], contract: str, file: str, line: str, says: str
) -> None:
    """Under its contract, and naming what was planted."""
    name = next(each for each in report if each.startswith(contract))
    assert says in report[name], f"{line} in {file} is not in:\n{report[name]}"
