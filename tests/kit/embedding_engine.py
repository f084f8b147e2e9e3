"""The embedding engine inside the test's process, in float32 on whatever device there is."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any
from unittest import mock

from schemas.frames import Limits, Load
from schemas.inference import Prompt, Request, Score, Vector
from tests.kit.worker_client import Answer

__all__ = ["answer_to", "embed", "open_model", "rerank", "run", "scores_of", "submit", "vectors_of"]


def open_model(folder: Path, task: str = "embed", *, context: int = 16384) -> Any:
    """`lmxd.worker.embedding.engine.open_engine`; raises what it raises."""
    with mock.patch.object(resource, "setrlimit"):
        from lmxd.worker.embedding.engine import open_engine  # noqa: PLC0415
        from lmxd.worker.pulse import Pulse  # noqa: PLC0415

    load = Load("uid-1", str(folder), "mlx", task, Limits(context, 8, 0), {})
    return open_engine(load, Pulse(), lambda done, total: None)


def embed(*prompts: Prompt, id: str = "r", **fields: Any) -> Request:
    return Request(id, "m", kind="embed", prompts=prompts, **fields)


def rerank(query: str, *documents: str, **fields: Any) -> Request:
    return Request("r", "m", kind="rerank", prompts=(query,), documents=documents, **fields)


def submit(engine: Any, *requests: Request) -> None:
    for request in requests:
        engine.submit(engine.prepare(request, 0.0))


def run(engine: Any, most_steps: int = 1000) -> dict[str, Answer]:
    """Steps until nothing is left."""
    answers: dict[str, Answer] = {}
    for _ in range(most_steps):
        if not engine.busy:
            return answers
        for event in engine.step():
            answers.setdefault(event.id, Answer()).events.append(event)
    raise AssertionError(f"the engine was still busy after {most_steps} steps")


def answer_to(engine: Any, request: Request) -> Answer:
    submit(engine, request)
    return run(engine)[request.id]


def vectors_of(answer: Answer) -> list[bytes]:
    """By growing index; each has come once."""
    found = {event.index: event.data for event in answer.events if isinstance(event, Vector)}
    assert len(found) == sum(isinstance(event, Vector) for event in answer.events)
    return [found[index] for index in sorted(found)]


def scores_of(answer: Answer) -> list[float]:
    found = {event.index: event.value for event in answer.events if isinstance(event, Score)}
    return [found[index] for index in sorted(found)]
