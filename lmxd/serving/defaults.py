"""Lays what the document says for a model under what a request says. Pure."""

from __future__ import annotations

import msgspec

from reconciler.state import ServingDefaults
from schemas.inference import Message, Request, TextPart

__all__ = ["complete"]


def complete(request: Request, defaults: ServingDefaults, longest_s: float) -> Request:
    """The request as a worker gets it. The request's own word always wins; its stop strings and
    the document's both hold. longest_s: the longest generation, in seconds; may be infinite.
    """
    messages = request.messages
    spoken = any(message.role == "system" for message in messages)
    if defaults.system and messages and not spoken:
        messages = (Message("system", (TextPart(defaults.system),)), *messages)
    deadline_ms = request.deadline_ms
    if deadline_ms is None and longest_s < float("inf"):
        deadline_ms = int(longest_s * 1000)
    return msgspec.structs.replace(
        request,
        messages=messages,
        sampling=request.sampling.over(defaults.sampling),
        max_tokens=defaults.max_tokens if request.max_tokens is None else request.max_tokens,
        stop=tuple(dict.fromkeys((*request.stop, *defaults.stop))),
        template=defaults.template if request.template is None else request.template,
        deadline_ms=deadline_ms,
    )
