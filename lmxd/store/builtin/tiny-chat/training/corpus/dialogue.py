"""What a training example looks like, and how topics are mixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from random import Random
from typing import Any, TypeVar

ME = "\x00"
"""Stands for the model's own name until a dialogue is composed."""

Message = dict[str, Any]
ToolSchema = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Exchange:
    """One question and its answer; `terse` is the answer under a terse system prompt."""

    user: str
    answer: str
    terse: str | None = None


@dataclass(frozen=True)
class Dialogue:
    """A whole conversation, or raw text (`raw`) for plain completion."""

    messages: tuple[Message, ...] = ()
    tools: tuple[ToolSchema, ...] = ()
    raw: str | None = None


Topic = Callable[[Random], Exchange]


def mixed(*shares: tuple[float, Callable[[Random], T]]) -> Callable[[Random], T]:
    """One maker that draws among several by weight."""
    makers = [maker for _, maker in shares]
    weights = list(accumulate(weight for weight, _ in shares))
    return lambda rng: rng.choices(makers, cum_weights=weights)[0](rng)


def say(role: str, content: str | None, **more: Any) -> Message:
    """A message in the OpenAI shape."""
    return {"role": role, "content": content, **more}


def turns(exchange: Exchange) -> list[Message]:
    """The two messages of an exchange outside any persona."""
    answer = exchange.answer.replace(ME, "tiny-chat")
    return [say("user", exchange.user), say("assistant", answer)]
