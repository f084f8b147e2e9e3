"""The grammar around an answer that is bound to a format: what a model writes before it.

A model that reasons does so first, and only what comes after that has to match; the end token is
forbidden until then. The grammar is llguidance's lark, in which `@answer` stands for the format
and `@calls` for the calls of tools. Markers that are tokens are written as tokens, so nothing in
the reasoning or the answer can be one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lmxd.worker.parsing.family import Family
from lmxd.worker.parsing.lark import Lark, quoted
from lmxd.worker.parsing.parser import Format
from lmxd.worker.parsing.think import Tags

__all__ = ["frame"]

_ANY = "/(?s:.*)/"
_LINES = r"/\n{0,2}/"


@dataclass(frozen=True, slots=True)
class _Headers:
    """Of a format of messages: what begins the reasoning, what lies between two messages, and
    what begins the answer. The prompt ends where a header is about to go on.
    """

    thought: str
    between: str
    answer: str


_MESSAGES = {
    "harmony": _Headers(
        "<|channel|>analysis<|message|>",
        "<|end|><|start|>assistant",
        "<|channel|>final<|message|>",
    ),
    "muse_spark": _Headers(
        " to=self<|message|>", "<|eom|><|start|>assistant", " to=user<|message|>"
    ),
}


def frame(
    form: Format, tokens: Mapping[str, int], prompt: str, *, reason: bool, bound: tuple[str, ...]
) -> str:
    """The grammar of an answer to this rendered prompt.

    reason: whether the model may begin to reason where the prompt has not begun it. bound: what
    the answer may be, of `@answer` and `@calls`.
    """
    lark = Lark(tokens, form.markers)
    if form.name in _MESSAGES:
        return lark.whole(_message(lark, _MESSAGES[form.name], bound, reason=reason))
    said = f"({' | '.join(bound)})"
    tags = form.tags if isinstance(form, Family) else None
    if tags is None:
        return lark.whole(said)
    thought = _thought(lark, tags)
    if form.parser((), prompt).thinking:
        return lark.whole(f"{thought} {said}")
    if reason:
        return lark.whole(f"({lark.text(tags.open)} {thought})? {said}")
    return lark.whole(said)


def _thought(lark: Lark, tags: Tags) -> str:
    """What follows the opening tag."""
    lines = lark.rule(_LINES, terminal=True)
    if lark.first_token(tags.shut) == 0:
        return f"{lark.rule(_ANY, terminal=True)} {lark.text(tags.shut)} {lines}"
    # The shortest text that ends with the tag.
    return f"{lark.rule(_ANY, f'[suffix={quoted(tags.shut)}]')} {lines}"


def _message(lark: Lark, headers: _Headers, bound: tuple[str, ...], *, reason: bool) -> str:
    """One that is to the reader; calls have a grammar with headers of their own."""
    ways = [each for each in bound if each == "@calls"]
    if "@answer" in bound:
        answer = f"{lark.text(headers.answer)} @answer"
        if reason and lark.first_token(headers.between) == 0:
            thought = f"{lark.text(headers.thought)} {lark.rule(_ANY, terminal=True)}"
            answer = f"({thought} {lark.text(headers.between)})? {answer}"
        ways.append(answer)
    return " | ".join(ways)
