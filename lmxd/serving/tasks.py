"""Which kind of work a request asks for, by its look alone: for aliases that choose by task. Pure.

No model is asked, so it costs well below a millisecond and gives the same answer each time. The
rules, the first that fits:

    1 it wants at most `FEW` tokens                               light
    2 a title, a summary, a label (also by the system message)    light
    3 code, or talk of it                                         code
    4 mathematics, logic, a puzzle                                reasoning
    5 the client asks for much effort                             reasoning
    6 tools, or images                                            heavy
    7 what is expected is shorter than `FEW` tokens               light
    8 everything else                                             heavy
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from lmxd.serving import task_signs as signs
from schemas.inference import Message, Request

__all__ = ["FEW", "Judgement", "Task", "judge"]

Task = Literal["light", "heavy", "code", "reasoning"]

FEW = 140
"""Tokens of a short answer."""

_LOOKED_AT = 16_000
"""Characters of a message that are looked at: from the beginning and from the end, half each."""

_CODE, _REASONING = 3, 3
_LONG_PROMPT = 300  # words, of which nothing says what is to be done


@dataclass(frozen=True, slots=True)
class Judgement:
    """The task and why, in words. expected: tokens of the answer, roughly; None: not estimated."""

    task: Task
    reason: str
    expected: int | None = None


def judge(request: Request) -> Judgement:
    """The kind of work; looks at the system messages and at the last thing the user said."""
    system = _clipped(_said(request.messages, "system"))
    asked = _clipped(_last(request) or "")
    return (
        _by_bound(request)
        or _by_digest(system, asked)
        or _by_code(system, asked)
        or _by_reasoning(request, asked)
        or _by_tools(request)
        or _by_length(system, asked)
    )


def _by_bound(request: Request) -> Judgement | None:
    if request.max_tokens is not None and request.max_tokens <= FEW:
        return Judgement("light", f"max_tokens is {request.max_tokens}", request.max_tokens)
    return None


def _by_digest(system: str, asked: str) -> Judgement | None:
    for text, where in ((system, "the system message: "), (asked, "")):
        weight, shown = signs.DIGEST.weigh(text)
        if weight:
            return Judgement("light", f"a title, a summary or a label: {where}{shown!r}", 40)
    return None


def _by_code(system: str, asked: str) -> Judgement | None:
    weight, shown = signs.CODE.weigh(asked)
    of_system, shown_there = signs.CODE.weigh(system)
    if weight + (_CODE if of_system >= _CODE else 0) >= _CODE:
        return Judgement("code", f"it is about code: {shown or shown_there!r}")
    return None


def _by_reasoning(request: Request, asked: str) -> Judgement | None:
    weight, shown = signs.REASONING.weigh(asked)
    if weight >= _REASONING:
        return Judgement("reasoning", f"it takes thinking: {shown!r}")
    if request.reasoning.effort == "high":
        return Judgement("reasoning", "effort high is asked for")
    return None


def _by_tools(request: Request) -> Judgement | None:
    if request.tools and request.tool_use.choice != "none":
        return Judgement("heavy", f"it brings {len(request.tools)} tools")
    return None


def _by_length(system: str, asked: str) -> Judgement:
    expected, why = _expected(system, asked)
    task: Task = "light" if expected < FEW else "heavy"
    return Judgement(task, f"about {expected} tokens are expected: {why}", expected)


def _expected(system: str, asked: str) -> tuple[int, str]:
    """Tokens of the answer, roughly, and what says so."""
    words = len(asked.split())
    short, shown = signs.SHORT.weigh(f"{system}\n{asked}")
    if short:
        return 40, shown
    said = signs.said_length(asked)
    if said is not None and said >= FEW:
        return said, "its own words"
    long, shown_long = signs.LONG.weigh(f"{system}\n{_first_line(asked)}")
    modest, shown = signs.MODEST.weigh(asked)
    if modest and not long:
        return max(20, int(words * 1.4)), f"{shown!r} of {words} words"
    if long:
        return 400, shown_long
    plain, shown = signs.PLAIN.weigh(asked)
    if plain or words < 8:
        return 60, shown or f"{words} words"
    return (300, f"{words} words") if words > _LONG_PROMPT else (100, f"{words} words")


def _said(messages: tuple[Message, ...], role: str) -> str:
    return "\n".join(message.text for message in messages if message.role == role)


def _last(request: Request) -> str | None:
    """What the user said last, or the prompt of a completion."""
    texts = (message.text for message in reversed(request.messages) if message.role == "user")
    prompts = (prompt for prompt in request.prompts if isinstance(prompt, str))
    return next(texts, None) or next(prompts, None)


def _first_line(asked: str) -> str:
    """Where people say what they want, before what they want it done to."""
    return asked.strip().partition("\n")[0]


def _clipped(text: str) -> str:
    if len(text) <= _LOOKED_AT:
        return text
    half = _LOOKED_AT // 2
    return f"{text[:half]}\n{text[-half:]}"
