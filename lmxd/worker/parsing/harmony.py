"""Harmony, which gpt-oss writes: messages on channels.

`analysis` is reasoning, `commentary` and `final` are text, and a message to `functions.name` is a
call, whatever its channel. Calls of tools that nobody offered come out as text with their name.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial

from lmxd.worker.parsing.lark import Lark, arguments_schema
from lmxd.worker.parsing.messages import Address, Messages
from lmxd.worker.parsing.scripted import ScriptedParser
from schemas.inference import Tool, ToolUse

__all__ = ["Harmony"]

_TO = re.compile(r"\bto=([^\s<]+)")
_CHANNEL = re.compile(r"<\|channel\|>\s*(\w+)")
_FINAL = "<|end|><|start|>assistant<|channel|>final<|message|>"
_CALL = "<|channel|>commentary to=functions.NAME <|constrain|>json<|message|>"


class Harmony:
    """The `Format`. tokens: the vocabulary, of which markers are looked up for grammars."""

    def __init__(self, tokens: Mapping[str, int]) -> None:
        self._tokens = tokens
        self.name = "harmony"
        self.thinks = True
        self.markers: tuple[str, ...] = (
            *("<|start|>", "<|end|>", "<|message|>", "<|channel|>"),
            *("<|constrain|>", "<|return|>", "<|call|>"),
        )

    def parser(self, tools: Sequence[Tool], prompt: str) -> ScriptedParser:
        """One for an answer to this rendered prompt, which ends inside a header."""
        messages = Messages(
            starts=("<|start|>", "<|channel|>"),
            words=("assistant", "to=", "<|constrain|>"),
            ends=("<|end|>", "<|return|>", "<|call|>"),
            reads=partial(_address, frozenset(tool.name for tool in tools)),
            openers={},
        )
        return ScriptedParser(partial(messages.read, prompt))

    def close(self) -> str:
        """The text that ends the reasoning and begins the answer."""
        return _FINAL

    def grammar(self, tools: Sequence[Tool], use: ToolUse) -> str | None:
        """Reasoning first, if the model wants to, then one call: this format ends with a call."""
        allowed = [tool for tool in tools if not use.only or tool.name in use.only]
        if not allowed:
            return None
        lark = Lark(self._tokens, self.markers)
        call = lark.any_of(_call(lark, tool) for tool in allowed)
        if not lark.is_token("<|end|>"):
            return lark.whole(call)
        thought = lark.rule("/(?s:.*)/", terminal=True)
        before = lark.text("<|channel|>analysis<|message|>")
        analysis = f"{before} {thought} {lark.text('<|end|><|start|>assistant')}"
        return lark.whole(f"({analysis})? {call}")


def _call(lark: Lark, tool: Tool) -> str:
    before = lark.text(_CALL.replace("NAME", tool.name))
    return f"{before} {lark.json(arguments_schema(tool.parameters))}"


def _address(names: frozenset[str], header: str) -> Address:
    """What a header says."""
    recipient = _TO.search(header)
    if recipient is not None:
        to = recipient.group(1)
        name = to.removeprefix("functions.")
        return Address("call", name) if name in names else Address("text", to)
    channel = _CHANNEL.search(header)
    is_thought = channel is not None and channel.group(1) == "analysis"
    return Address("thought" if is_thought else "text")
