"""The neutral request and the neutral events: what every dialect translates to and from.

Engines read these and know no dialect; dialects write these and know no engine. They travel to
workers as MessagePack, so they are msgspec structs: frozen, decoded and type-checked in one pass.

Per (request, index) there is exactly one `Finish` or `Failed`; after all indexes one `Usage`;
nothing after it. `Accepted` comes first, and only once.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field, structs

__all__ = [
    "Accepted",
    "Event",
    "Failed",
    "Finish",
    "FinishReason",
    "Message",
    "Part",
    "Request",
    "Role",
    "Sampling",
    "Text",
    "TextPart",
    "Timings",
    "Usage",
]

Role = Literal["system", "user", "assistant", "tool"]
FinishReason = Literal["stop", "length", "cancelled"]


class TextPart(Struct, frozen=True, tag="text"):
    """Plain text."""

    text: str


Part = TextPart


class Message(Struct, frozen=True):
    """One turn of a conversation; `name` is the speaker, where a template shows it."""

    role: Role
    parts: tuple[Part, ...]
    name: str | None = None

    @property
    def text(self) -> str:
        """All text parts, one after the other."""
        return "".join(part.text for part in self.parts)


class Sampling(Struct, frozen=True, omit_defaults=True):
    """How a token is chosen; None means nobody asked, so the layer below decides.

    temperature: 0 is greedy. top_p, min_p: probabilities in [0, 1]. top_k: 0 is off.
    seed: equal seed, prompt and options give equal text, also inside a batch.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    seed: int | None = None

    def over(self, base: Sampling) -> Sampling:
        """These choices laid over `base`."""
        chosen = {
            name: value
            for name in Sampling.__struct_fields__
            if (value := getattr(self, name)) is not None
        }
        return structs.replace(base, **chosen)


class Request(Struct, frozen=True, omit_defaults=True):
    """One generation.

    id: unique in the daemon. name: what the client asked for, echoed back.
    max_tokens: None is as many as fit the context. stop: strings matched on text; never shown.
    template: inline Jinja in place of the model's own chat template.
    template_kwargs: handed to the template as they are.
    prefill: the last assistant message is the beginning of the answer.
    deadline_ms: longest generation, from acceptance. identity: who is asking, for fair queueing.
    """

    id: str
    name: str
    messages: tuple[Message, ...]
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = field(default_factory=Sampling)
    template: str | None = None
    template_kwargs: dict[str, object] = field(default_factory=dict)
    prefill: bool = False
    deadline_ms: int | None = None
    identity: str = "anonymous"


class _Event(Struct, frozen=True, array_like=True):
    """What all events carry: the request's id and the index of the choice."""

    id: str
    index: int


class Accepted(_Event, frozen=True, array_like=True, tag="accepted"):
    """The engine took the request; the prompt is valid and counted in tokens."""

    prompt_tokens: int
    cached_tokens: int = 0


class Text(_Event, frozen=True, array_like=True, tag="text"):
    """New text, whole characters only, stop strings already cut away; never empty."""

    text: str


class Finish(_Event, frozen=True, array_like=True, tag="finish"):
    """The choice ended as it should. `stop`: end token or stop string; `length`: max_tokens."""

    reason: FinishReason


class Timings(Struct, frozen=True, array_like=True):
    """Seconds spent waiting in the worker, in prefill and in decoding."""

    queued_s: float
    prefill_s: float
    decode_s: float


class Usage(_Event, frozen=True, array_like=True, tag="usage"):
    """Tokens counted, after all choices of the request ended; `index` is 0."""

    prompt: int
    completion: int
    cached: int
    timings: Timings


class Failed(_Event, frozen=True, array_like=True, tag="failed"):
    """The choice ended in an error. `code` is one of `schemas.errors.Code`."""

    code: str
    message: str
    hint: str | None = None
    retryable: bool = False


Event = Accepted | Text | Finish | Usage | Failed
