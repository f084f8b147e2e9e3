"""A request's messages, tools and wishes as chat templates know them.

Templates agree on OpenAI's shapes, with arguments as objects; what only some of them know is told
to those that name it. Pure; used by every engine that renders a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from jinja2 import Environment, TemplateError, meta

from schemas.inference import (
    Effort,
    Message,
    ReasoningPart,
    Request,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

__all__ = ["TemplateWords", "messages", "tools", "variables"]

_WORDS = re.compile(r"\w+")
# Templates that take an effort know three; the two at the ends are said with the nearest.
_EFFORTS: dict[Effort, str] = {
    "none": "low",
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
}


class TemplateWords:
    """What a chat template asks for. free: the variables it reads. text: the template itself."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            # A parser's use of Jinja only: nothing is rendered here.
            tree = Environment(autoescape=True, extensions=["jinja2.ext.loopcontrols"]).parse(text)
            self.free = frozenset(meta.find_undeclared_variables(tree))
        except TemplateError:  # it has tags of its own: every word may be a variable
            self.free = frozenset(_WORDS.findall(text))

    @property
    def thinking_key(self) -> str | None:
        """Where a message has its reasoning; None: the template does not show it."""
        for key in ("reasoning_content", "thinking", "reasoning"):
            if re.search(rf"""message\.{key}\b|["']{key}["']""", self.text):
                return key
        return None


def messages(request: Request, words: TemplateWords) -> list[dict[str, Any]]:
    """The conversation; each result of a tool is a message of its own."""
    names: dict[str, str] = {}
    told: list[dict[str, Any]] = []
    for message in request.messages:
        told += _results(message, names)
        calls = [part for part in message.parts if isinstance(part, ToolCallPart)]
        names |= {call.call: call.name for call in calls}
        if plain := _plain(message, calls, words):
            told.append(plain)
    return told


def tools(offered: tuple[Tool, ...]) -> list[dict[str, Any]]:
    """The tools in OpenAI's shape."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters or {"type": "object", "properties": {}},
            },
        }
        for tool in offered
    ]


def variables(request: Request, words: TemplateWords) -> dict[str, Any]:
    """How much to reason, in the template's own words; what the request says itself comes last."""
    told: dict[str, Any] = {}
    effort, budget = request.reasoning.effort, request.reasoning.budget
    if effort is not None:
        thinks = effort != "none"
        told = {"enable_thinking": thinks, "thinking": thinks, "reasoning_effort": _EFFORTS[effort]}
    if budget is not None:
        told["thinking_budget"] = budget
    return {key: value for key, value in told.items() if key in words.free} | dict(
        request.template_kwargs
    )


def _results(message: Message, names: dict[str, str]) -> Iterator[dict[str, Any]]:
    for part in message.parts:
        if isinstance(part, ToolResultPart):
            result = {"role": "tool", "content": part.text, "tool_call_id": part.call}
            name = message.name or names.get(part.call)
            yield result | ({"name": name} if name else {})


def _plain(
    message: Message, calls: list[ToolCallPart], words: TemplateWords
) -> dict[str, Any] | None:
    """The message without results of tools; None when it holds nothing else."""
    results = any(isinstance(part, ToolResultPart) for part in message.parts)
    text = "".join(part.text for part in message.parts if isinstance(part, TextPart))
    if results and not text and not calls:
        return None
    plain: dict[str, Any] = {"role": message.role, "content": text}
    if message.name is not None:
        plain["name"] = message.name
    if calls:
        plain["tool_calls"] = [_call(call) for call in calls]
    thought = "".join(part.text for part in message.parts if isinstance(part, ReasoningPart))
    if thought and words.thinking_key is not None:
        plain[words.thinking_key] = thought
    return plain


def _call(call: ToolCallPart) -> dict[str, Any]:
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:  # it was cut off, or a client made it up: shown as it is
        arguments = call.arguments
    return {
        "id": call.call,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }
