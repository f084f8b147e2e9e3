"""Muse Spark: messages to somebody, calls tagged inside of them.

`to=self` is reasoning, `to=user` is text. The header of a call names the tool, and so does its tag;
the tag counts.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

from lmxd.worker.parsing.lark import Lark
from lmxd.worker.parsing.messages import Address, Messages
from lmxd.worker.parsing.scripted import ScriptedParser
from lmxd.worker.parsing.tagged import Tag, Tagged
from lmxd.worker.parsing.texts import Texts
from schemas.inference import Tool, ToolUse

__all__ = ["Muse"]

_CALLS = Tagged(
    "muse_spark",
    section=("<atem:function_calls>", "</atem:function_calls>"),
    call=Tag("<atem:invoke", ">", "</atem:invoke>"),
    argument=Tag("<atem:parameter", ">", "</atem:parameter>"),
    texts=Texts("</atem:parameter>", untyped="json"),
    markers=("<atem:function_calls>", "</atem:function_calls>"),
    bare=False,
)
_SELF = re.compile(r"\bto=self\b")


class Muse:
    """The `Format`. tokens: the vocabulary, of which markers are looked up for grammars."""

    def __init__(self, tokens: Mapping[str, int]) -> None:
        self._tokens = tokens
        self.name = _CALLS.name
        self.thinks = True
        self.markers: tuple[str, ...] = (
            *("<|start|>", "<|message|>", "<|eom|>", "<|eot|>"),
            *_CALLS.markers,
        )

    def parser(self, tools: Sequence[Tool], prompt: str) -> ScriptedParser:
        """One for an answer to this rendered prompt, which ends inside a header."""
        messages = Messages(
            starts=("<|start|>",),
            words=("assistant", "to="),
            ends=("<|eom|>", "<|eot|>"),
            reads=lambda header: Address("thought" if _SELF.search(header) else "text"),
            openers=_CALLS.openers({tool.name: tool for tool in tools}),
        )
        return ScriptedParser(partial(messages.read, prompt))

    def close(self) -> str:
        """The text that ends the reasoning and begins the answer."""
        return "<|eom|><|start|>assistant to=user<|message|>"

    def grammar(self, tools: Sequence[Tool], use: ToolUse) -> str | None:
        """A message to the first tool that is called, with the calls."""
        allowed = [tool for tool in tools if not use.only or tool.name in use.only]
        if not allowed:
            return None
        lark = Lark(self._tokens, self.markers)
        to = lark.any_of(lark.text(f" to={tool.name}") for tool in allowed)
        calls = _CALLS.grammar(lark, allowed, many=use.parallel)
        return lark.whole(f"{to} {lark.text('<|message|>')} {calls}")
