"""A worker process that does what the test says: the real protocol, no engine.

    python tests/kit/scripted_worker.py [--beat S] [--mute] --fd 5 --protocol 1

`options["script"]` of its load says how the load goes:

    ok · hold (loads for ever) · mute (loads for ever without beats) · die (SIGKILL)
    fail CODE (load_failed frame) · slow-end (serves, but ignores stop and SIGTERM)
    no-tools (serves, and says that it cannot call tools)

The last message of a request says how it is answered, by its first word:

    say A B …      accepted, a text for each word, finish
    hold A B …     accepted, a text for each word, then nothing until cancelled or released
    withhold       not even accepted until cancelled or released
    release        answers "released" and finishes everything that is held
    echo           one text: the request as the worker got it, as JSON
    call TOOL A B  where that tool is offered: accepted, a call of it, finish; else as `say`
    refuse CODE    failed before accepted
    fail A B …     accepted, texts, failed
    partly         accepted, the first of two choices failed, then nothing until cancelled
    flood          accepted, texts of 64 KiB until cancelled
    die A B …      accepted, texts, then SIGKILL · die-early: SIGKILL before accepted
    mute           accepted, then no frame any more
    deaf           accepted, then nothing is read or sent until SIGUSR1
    stick PHASE    accepted, then beats that say PHASE lasts longer and longer

It has its own few lines of codec, so that the daemon's is tested against the words of the
contract and not against itself.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import socket
import struct
import sys
import time
from collections.abc import Iterator

import msgspec

from schemas.frames import (
    DOWN,
    UP,
    Beat,
    Cancel,
    Hello,
    Load,
    Loaded,
    LoadFailed,
    Progress,
    Step,
    Stop,
    Submit,
    Up,
)
from schemas.inference import (
    Accepted,
    Event,
    Failed,
    Finish,
    Request,
    Text,
    Timings,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
)

_NAMES = {kind: name for name, kind in UP.items()}


class Peer:
    """One scripted worker; single-threaded, so what it does is in one order."""

    def __init__(self, sock: socket.socket, beat_s: float) -> None:
        self.sock = sock
        self.beat_s = beat_s
        self.buffer = b""
        self.idle_load = False
        self.script = "ok"
        self.muted = False
        self.phase = "spare"
        self.stuck_since: float | None = None
        self.held: dict[str, Request] = {}
        self.floods: set[str] = set()
        self.next_beat = time.monotonic()

    def run(self) -> None:
        while True:
            if time.monotonic() >= self.next_beat:
                self.beat()
            wait = 0.0 if self.floods else max(0.0, self.next_beat - time.monotonic())
            if select.select([self.sock], [], [], wait)[0]:
                for frame in self.receive():
                    self.handle(frame)
            for request_id in tuple(self.floods):
                self.step(Text(request_id, 0, "x" * 65536))

    def receive(self) -> Iterator[object]:
        data = self.sock.recv(1 << 18)
        if not data:
            os._exit(4)
        self.buffer += data
        while len(self.buffer) >= 4:
            (size,) = struct.unpack(">I", self.buffer[:4])
            if len(self.buffer) < 4 + size:
                return
            name, raw = msgspec.msgpack.decode(
                self.buffer[4 : 4 + size], type=tuple[str, msgspec.Raw]
            )
            self.buffer = self.buffer[4 + size :]
            yield msgspec.msgpack.decode(raw, type=DOWN[name])

    def send(self, frame: Up) -> None:
        if not self.muted:
            body = msgspec.msgpack.encode([_NAMES[type(frame)], frame])
            self.sock.sendall(struct.pack(">I", len(body)) + body)

    def step(self, *events: Event) -> None:
        self.send(Step(events))

    def beat(self) -> None:
        now = time.monotonic()
        self.next_beat = now + self.beat_s
        age = now - self.stuck_since if self.stuck_since is not None else 0.0
        self.send(Beat(self.phase, 1, age, len(self.held), 0, 1000))  # type: ignore[arg-type]

    def handle(self, frame: object) -> None:
        match frame:
            case Load():
                self.load(frame)
            case Submit():
                self.answer(frame.request)
            case Cancel():
                if frame.id in self.held or frame.id in self.floods:
                    self.finish(frame.id, "cancelled")
            case Stop() if self.script != "slow-end":
                os._exit(0)

    def load(self, load: Load) -> None:
        self.script = str(load.options.get("script", "ok"))
        self.phase = "load"
        self.send(Progress("load", 1, 2))
        sys.stderr.write(f"script {self.script}\n")
        match self.script.split():
            case ["die"]:
                os.kill(os.getpid(), signal.SIGKILL)
            case ["fail", code]:
                self.send(LoadFailed(code, f"scripted {code}"))
                os._exit(2)
            case ["hold"] if self.idle_load:
                self.phase = "idle"
            case ["hold"]:
                self.stuck_since = time.monotonic()
            case ["mute"]:
                self.muted = True
            case _:
                if self.script == "slow-end":
                    signal.signal(signal.SIGTERM, signal.SIG_IGN)
                self.phase = "idle"
                can = ("chat",) if self.script == "no-tools" else ("chat", "tools")
                self.send(Loaded(0.25, 4096, load.limits.context, can, "sha"))

    def answer(self, request: Request) -> None:
        verb, *words = request.messages[-1].text.split()
        if verb in {"die-early", "refuse", "withhold"}:
            self.answer_unaccepted(request, verb, words)
            return
        self.step(Accepted(request.id, 0, len(request.messages)))
        if verb not in {"call", "echo", "flood", "release", "stick"}:
            for word in words:
                self.step(Text(request.id, 0, f"{word} "))
        if verb in {"fail", "die", "mute", "deaf", "stick", "partly"}:
            self.go_wrong(request, verb, words)
            return
        match verb:
            case "hold":
                self.held[request.id] = request
            case "flood":
                self.floods.add(request.id)
            case "release":
                self.release(request)
            case "call":
                self.call(request, *words)
            case "echo":
                self.step(Text(request.id, 0, json.dumps(msgspec.to_builtins(request))))
                self.finish(request.id, "stop")
            case _:
                self.finish(request.id, "stop")

    def release(self, request: Request) -> None:
        self.step(Text(request.id, 0, "released"))
        self.finish(request.id, "stop")
        for held in tuple(self.held):
            self.finish(held, "stop")

    def call(self, request: Request, name: str, *words: str) -> None:
        offered = any(tool.name == name for tool in request.tools)
        if offered:
            self.step(ToolStart(request.id, 0, 0, name))
            self.step(ToolArgs(request.id, 0, 0, "{}"))
            self.step(ToolEnd(request.id, 0, 0))
        else:
            self.step(Text(request.id, 0, " ".join(words)))
        self.finish(request.id, "tool_calls" if offered else "stop")

    def go_wrong(self, request: Request, verb: str, words: list[str]) -> None:
        match verb:
            case "fail":
                self.step(Failed(request.id, 0, "internal", "scripted failure"))
                self.usage(request.id)
            case "partly":
                self.step(Failed(request.id, 0, "internal", "scripted failure"))
                self.held[request.id] = request
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "mute":
                self.muted = True
            case "deaf":
                signal.sigwait({signal.SIGUSR1})
                self.finish(request.id, "stop")
            case _:
                self.phase = words[0]
                self.stuck_since = time.monotonic()
                self.held[request.id] = request

    def answer_unaccepted(self, request: Request, verb: str, words: list[str]) -> None:
        match verb:
            case "die-early":
                os.kill(os.getpid(), signal.SIGKILL)
            case "withhold":
                self.held[request.id] = request
            case _:
                self.step(Failed(request.id, 0, words[0], "scripted refusal"))
                self.usage(request.id)

    def finish(self, request_id: str, reason: str) -> None:
        self.held.pop(request_id, None)
        self.floods.discard(request_id)
        self.step(Finish(request_id, 0, reason))  # type: ignore[arg-type]
        self.usage(request_id)

    def usage(self, request_id: str) -> None:
        self.step(Usage(request_id, 0, 1, 1, 0, Timings(0.0, 0.0, 0.0)))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--protocol", type=int, required=True)
    parser.add_argument("--say-protocol", type=int, default=1)
    parser.add_argument("--beat", type=float, default=0.05)
    parser.add_argument("--mute", action="store_true", help="never say hello")
    parser.add_argument("--idle-load", action="store_true", help="script hold: say it is idle")
    arguments = parser.parse_args()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    peer = Peer(socket.socket(fileno=arguments.fd), arguments.beat)
    peer.idle_load = arguments.idle_load
    peer.muted = arguments.mute
    peer.send(Hello(arguments.say_protocol, os.getpid(), {}))
    peer.run()


if __name__ == "__main__":
    main()
