"""The grammar around an answer that is bound to a format: what a model writes before it.

A model that reasons does so first, and only what comes after that has to match; the end token is
forbidden until then. The grammar is llguidance's lark, in which `@answer` stands for the format
and `@calls` for the calls of tools. Markers that are tokens are written as tokens, so nothing in
the reasoning or the answer can be one of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from lmxd.worker.parsing.family import Family
from lmxd.worker.parsing.lark import Lark
from lmxd.worker.parsing.parser import Format
from lmxd.worker.parsing.think import Tags

__all__ = ["frame"]

_ANY = "/(?s:.*)/"
_LINES = r"/\n{0,2}/"


def frame(
    form: Format, tokens: Mapping[str, int], prompt: str, *, reason: bool, bound: tuple[str, ...]
) -> str:
    """The grammar of an answer to this rendered prompt.

    reason: whether the model may begin to reason where the prompt has not begun it. bound: what
    the answer may be, of `@answer` and `@calls`.
    """
    lark = Lark(tokens, form.markers)
    if form.name == "harmony":
        return lark.whole(_harmony(lark, bound, reason=reason))
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
    if lark.is_token(tags.shut):
        return f"{lark.rule(_ANY, terminal=True)} {lark.text(tags.shut)} {lines}"
    # The shortest text that ends with the tag.
    return f"{lark.rule(_ANY, f'[suffix={_quoted(tags.shut)}]')} {lines}"


def _harmony(lark: Lark, bound: tuple[str, ...], *, reason: bool) -> str:
    """The final channel; calls have a grammar that is whole."""
    ways = [each for each in bound if each == "@calls"]
    if "@answer" in bound:
        final = lark.text("<|channel|>final<|message|>")
        analysis = " ".join(
            (
                lark.text("<|channel|>analysis<|message|>"),
                lark.rule(_ANY, terminal=True),
                lark.text("<|end|><|start|>assistant"),
            )
        )
        ways.append(f"({analysis})? {final} @answer" if reason else f"{final} @answer")
    return " | ".join(ways)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
