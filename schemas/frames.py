"""The worker protocol: the frames that pass between the daemon and one worker.

A frame on the wire is a u32 big-endian length (at most `MAX_FRAME` bytes) and a MessagePack pair
`[type, body]`; the codec is `lmxd.framing`. `Hello.protocol` is checked by the daemon, and a
worker that is told a different number exits with `EXIT_PROTOCOL`.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from schemas.inference import Event, Request

__all__ = [
    "DOWN",
    "EXIT_FATAL",
    "EXIT_LOAD_FAILED",
    "EXIT_PARENT_GONE",
    "EXIT_PROTOCOL",
    "EXIT_STOP",
    "MAX_FRAME",
    "PROTOCOL",
    "UP",
    "Beat",
    "Bye",
    "Cancel",
    "Device",
    "Down",
    "Hello",
    "Limits",
    "Load",
    "LoadFailed",
    "Loaded",
    "Memory",
    "Phase",
    "Progress",
    "Step",
    "Stop",
    "Submit",
    "Up",
]

PROTOCOL = 1
MAX_FRAME = 64 * 1024 * 1024

EXIT_STOP = 0
EXIT_LOAD_FAILED = 2
EXIT_PROTOCOL = 3
EXIT_PARENT_GONE = 4
EXIT_FATAL = 5

Phase = Literal["spare", "load", "warm-up", "idle", "prefill", "decode", "stop"]


class Limits(Struct, frozen=True):
    """What an instance may use: context in tokens, sequences decoded together, KV pool in bytes."""

    context: int
    parallel: int
    kv_bytes: int


class Load(Struct, frozen=True):
    """Load the model in folder `path` and serve it; a worker takes exactly one."""

    uid: str
    path: str
    engine: str
    task: str
    limits: Limits
    options: dict[str, object] = field(default_factory=dict)


class Submit(Struct, frozen=True):
    """Generate for this request; every answer comes as events of its id."""

    request: Request


class Cancel(Struct, frozen=True):
    """Stop the request at the next token; an id that is not running is no error."""

    id: str


class Memory(Struct, frozen=True):
    """The device memory, in bytes, that the worker may use from now on."""

    limit: int


class Stop(Struct, frozen=True):
    """End: running requests may finish within `grace_ms`, then the process exits with 0."""

    grace_ms: int = 0


class Hello(Struct, frozen=True):
    """First frame of a worker. `versions`: library name to version."""

    protocol: int
    pid: int
    versions: dict[str, str]


class Progress(Struct, frozen=True):
    """How far a load is, in bytes."""

    phase: Phase
    done: int
    total: int


class Loaded(Struct, frozen=True):
    """The instance can serve. memory: resident bytes now; context: tokens it really takes."""

    seconds: float
    memory: int
    context: int
    capabilities: tuple[str, ...]
    tokenizer_sha: str


class LoadFailed(Struct, frozen=True):
    """The load ended in an error; the worker exits with `EXIT_LOAD_FAILED` after this frame.

    `code` is a CamelCase condition reason: LoadFailed, UnsupportedArchitecture, OutOfMemory,
    UnverifiedFiles or UnsupportedField. `terminal`: the same load would fail again.
    """

    code: str
    message: str
    terminal: bool = False


class Step(Struct, frozen=True):
    """All events of one engine step, of all sequences."""

    events: tuple[Event, ...]


class Beat(Struct, frozen=True):
    """Sent each second by the I/O thread, also while the engine is inside a long step.

    phase_age_s: seconds since the phase began (a decode step and a prefill chunk are a phase
    each, so a growing age is a hang). memory: resident bytes.
    """

    phase: Phase
    step: int
    phase_age_s: float
    active: int
    queued: int
    memory: int


class Bye(Struct, frozen=True):
    """Last frame of a worker that ends on purpose."""

    reason: str


class Device(Struct, frozen=True):
    """What `python -m lmxd.worker --probe` prints, as one line of JSON.

    memory: bytes of the memory models live in (the GPU's own on CUDA, the machine's elsewhere).
    recommended: the bytes the device advises to use at most (Metal's working set); None: no advice.
    """

    kind: Literal["cpu", "metal", "cuda"]
    name: str
    memory: int
    recommended: int | None
    versions: dict[str, str]


Down = Load | Submit | Cancel | Memory | Stop
Up = Hello | Progress | Loaded | LoadFailed | Step | Beat | Bye

DOWN: dict[str, type[Down]] = {
    "load": Load,
    "submit": Submit,
    "cancel": Cancel,
    "memory": Memory,
    "stop": Stop,
}
UP: dict[str, type[Up]] = {
    "hello": Hello,
    "progress": Progress,
    "loaded": Loaded,
    "load_failed": LoadFailed,
    "step": Step,
    "beat": Beat,
    "bye": Bye,
}
