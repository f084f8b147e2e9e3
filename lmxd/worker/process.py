"""The life of a worker: hello, one load, then steps until it is told to stop.

The main thread is the engine thread: it alone loads, generates and frees. The I/O thread
(`channel`) and the preparation thread put what arrives into the inbox, which is looked at before
every step.
"""

from __future__ import annotations

import importlib
import os
import socket
import sys
import time
import traceback
from typing import NoReturn, cast

from lmxd.worker import log
from lmxd.worker.channel import Channel, end_process
from lmxd.worker.engine import Answered, Engine, EngineModule, Prepared
from lmxd.worker.inbox import Inbox, Item
from lmxd.worker.preparation import Preparation, refusal
from lmxd.worker.pulse import Pulse
from schemas.errors import ActionError, Code
from schemas.frames import (
    EXIT_FATAL,
    EXIT_LOAD_FAILED,
    EXIT_PROTOCOL,
    EXIT_STOP,
    PROTOCOL,
    Cancel,
    Down,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    Memory,
    Progress,
    Step,
    Stop,
    Submit,
)
from schemas.inference import Event

__all__ = ["ENGINES", "TASKS", "Worker"]

ENGINES = {"mlx": "lmxd.worker.mlx.engine"}
TASKS = {
    ("mlx", "embed"): "lmxd.worker.embedding.engine",
    ("mlx", "rerank"): "lmxd.worker.embedding.engine",
}
"""Where another module than the engine's own serves a task."""
_DRAINING = "the model is being unloaded"


class Worker:
    """One worker process over an inherited socket."""

    def __init__(self, sock: socket.socket) -> None:
        self._pulse = Pulse()
        self._inbox = Inbox()
        self._preparation = Preparation(self._inbox, self._pulse)
        self._channel = Channel(sock, self._pulse, self._handle)
        self._given_load = False
        self._serving = False
        self._stopping = False
        self._stop_at: float | None = None
        self._memory: int | None = None

    def run(self, engine: str) -> NoReturn:
        """Warms `engine`, says hello, takes one load and serves it; ends by exiting."""
        # A template is Python too: while one renders, a step gets its turn within a millisecond.
        sys.setswitchinterval(0.001)
        self._channel.start()
        try:
            versions = _engine_module(engine).warm()
            self._channel.send(Hello(PROTOCOL, os.getpid(), versions))
            self._serve(self._load(self._wait_for_load()))
        except Exception as error:  # noqa: BLE001 - the last resort: say why, then end
            log.write("fatal", error=repr(error))
            traceback.print_exc()
            self._channel.leave(EXIT_FATAL)

    def _handle(self, frame: Down) -> None:
        """Takes a frame on the I/O thread."""
        match frame:
            case Load():
                if self._given_load:
                    log.write("frame-refused", reason="a worker takes exactly one load")
                    end_process(EXIT_PROTOCOL)
                self._given_load = True
                self._inbox.put(frame)
            case Submit(request) if self._stopping:
                self._inbox.put(refusal(request.id, Code.MODEL_DRAINING, _DRAINING))
            case Submit(request):
                self._preparation.submit(request)
            case Cancel(request_id):
                if not self._preparation.cancel(request_id):
                    self._inbox.put(frame)
            case Stop():
                if not self._serving:  # nothing runs, and a load cannot be interrupted otherwise
                    self._channel.leave(EXIT_STOP, bye="stopped before it served")
                self._stopping = True
                self._inbox.put(frame)
            case Memory():
                self._inbox.put(frame)

    def _wait_for_load(self) -> Load:
        while True:
            for item in self._inbox.take(wait=True):
                if isinstance(item, Load):
                    return item
                if isinstance(item, Memory):
                    self._memory = item.limit

    def _load(self, load: Load) -> Engine:
        self._pulse.enter("load")
        started = time.monotonic()
        log.write("load", uid=load.uid, engine=load.engine, path=load.path)
        try:
            module = _engine_module(load.engine, load.task)
            engine = module.open_engine(load, self._pulse, self._report)
        except ActionError as error:
            log.write("load-failed", code=error.reason, message=str(error))
            self._channel.send(LoadFailed(error.reason, str(error), error.terminal))
            self._channel.leave(EXIT_LOAD_FAILED)
        if self._memory is not None:
            engine.limit_memory(self._memory)
        self._serving = True
        self._pulse.enter("idle")
        self._preparation.start(engine.prepare)
        seconds = time.monotonic() - started
        log.write("loaded", seconds=f"{seconds:.2f}", memory=engine.memory())
        self._channel.send(
            Loaded(
                seconds, engine.memory(), engine.context, engine.capabilities, engine.tokenizer_sha
            )
        )
        return engine

    def _report(self, done: int, total: int) -> None:
        self._channel.send(Progress("load", done, total))

    def _serve(self, engine: Engine) -> NoReturn:
        while True:
            events: list[Event] = []
            for item in self._inbox.take(wait=not engine.busy, timeout_s=self._left_s()):
                events += self._apply(engine, item)
            if engine.busy:
                events += engine.step()
            if not engine.busy and self._pulse.phase != "idle":
                self._pulse.enter("idle")
            if self._stop_at is not None:
                self._end_if_done(engine, events)
            if events:
                self._channel.send(Step(tuple(events)))

    def _left_s(self) -> float | None:
        return None if self._stop_at is None else max(0.0, self._stop_at - time.monotonic())

    def _apply(self, engine: Engine, item: Item) -> tuple[Event, ...]:
        match item:
            case Prepared():
                engine.submit(item)
            case Answered():
                return item.events
            case Cancel():
                engine.cancel(item.id)
            case Memory():
                engine.limit_memory(item.limit)
            case Stop() if self._stop_at is None:
                self._stop_at = time.monotonic() + item.grace_ms / 1000
        return ()

    def _end_if_done(self, engine: Engine, events: list[Event]) -> None:
        done = not engine.busy and not self._preparation.pending and self._inbox.empty
        if not done and self._left_s():
            return
        self._pulse.enter("stop")
        events += engine.abort(Code.MODEL_DRAINING, _DRAINING)
        if events:
            self._channel.send(Step(tuple(events)))
        log.write("stopped")
        self._channel.leave(EXIT_STOP, bye="stopped")


def _engine_module(name: str, task: str = "auto") -> EngineModule:
    path = TASKS.get((name, task)) or ENGINES.get(name)
    if path is None:
        raise ActionError(
            "UnsupportedField",
            f"engine {name!r} is not built into this worker",
            hint=f"engines: {', '.join(ENGINES)}",
            terminal=True,
        )
    return cast("EngineModule", importlib.import_module(path))
