"""What of the daemon's environment reaches a worker."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

import lmxd
from lmxd.supervisor.environment import worker_environment
from lmxd.supervisor.supervisor import Supervisor

TELLS_ITS_ENVIRONMENT = "import os, sys; sys.stderr.write('\\n'.join(os.environ))"


@pytest.mark.parametrize(
    "name",
    [
        *("HF_TOKEN", "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN", "LMXD_API_KEY", "https_proxy"),
        *("AWS_SECRET_ACCESS_KEY", "PGPASSWORD_PASSWORD", "GITHUB_PAT", "NETRC_AUTH"),
    ],
)
def test_secrets_are_left_out(name: str) -> None:
    assert name not in worker_environment({name: "value"})


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LD_PRELOAD", "TOKENIZERS_PARALLELISM", "OMP_NUM_THREADS", "MONKEY"]
)
def test_the_rest_is_kept(name: str) -> None:
    assert worker_environment({name: "value"})[name] == "value"


def test_a_worker_runs_this_code_and_asks_no_hub() -> None:
    environ = worker_environment({"PYTHONPATH": "/other"})
    assert lmxd.__file__ is not None
    assert environ["PYTHONPATH"] == f"{Path(lmxd.__file__).resolve().parent.parent}:/other"
    assert environ["HF_HUB_OFFLINE"] == "1"


async def test_a_started_process_has_no_token() -> None:
    clock = asyncio.get_running_loop().time
    command = (sys.executable, "-c", TELLS_ITS_ENVIRONMENT)
    supervisor = Supervisor({"HF_TOKEN": "hf_x", "VISIBLE": "1"}, clock, command=command)
    worker = await supervisor.take()
    told = await asyncio.wait_for(worker.ended, 30)
    await supervisor.close()
    assert told is not None
    lines = told.message.split()
    assert "VISIBLE" in lines
    assert "HF_TOKEN" not in lines
