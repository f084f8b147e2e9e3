"""The MLX engine inside the test's process, for faults that no outside hand can cause.

mlx_lm is imported at the first use, not when tests are collected, and without letting it lower
the open-file limit of the test process.
"""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from schemas.frames import Limits
from schemas.inference import Request
from tests.kit.worker_client import Answer


def open_model(folder: Path) -> Any:
    """`lmxd.worker.mlx.loading.load`."""
    with mock.patch.object(resource, "setrlimit"):
        from lmxd.worker.mlx import loading  # noqa: PLC0415

    return loading.load(folder, lambda done, total: None)


def engine(model: Any, *, context: int = 2048, parallel: int = 8, kv_bytes: int = 0) -> Any:
    """An engine on a loaded model; several may share one, one after the other."""
    from lmxd.worker.mlx.engine import MlxEngine  # noqa: PLC0415
    from lmxd.worker.pulse import Pulse  # noqa: PLC0415

    return MlxEngine(model, Limits(context, parallel, kv_bytes), Pulse())


def submit(engine: Any, *requests: Request) -> None:
    for request in requests:
        engine.submit(engine.prepare(request, 0.0))


def run(
    engine: Any, *, watch: Callable[[Any], None] = lambda engine: None, most_steps: int = 5000
) -> dict[str, Answer]:
    """Steps until nothing is left; `watch` sees the engine after each step."""
    answers: dict[str, Answer] = {}
    for _ in range(most_steps):
        if not engine.busy:
            return answers
        for event in engine.step():
            answers.setdefault(event.id, Answer()).events.append(event)
        watch(engine)
    raise AssertionError(f"the engine was still busy after {most_steps} steps")


def texts(engine: Any, *requests: Request) -> dict[str, str]:
    submit(engine, *requests)
    return {request_id: answer.text for request_id, answer in run(engine).items()}
