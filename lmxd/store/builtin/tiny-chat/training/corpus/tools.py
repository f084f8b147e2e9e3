"""Dialogues with tools: calls copied from the schema and the message, and answers from results."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from .dialogue import Message, ToolSchema, Topic, say, turns
from .phrasing import phrase, pick
from .texts import sections
from .tool_catalog import FAMILIES, Family, Tool, toolbox, value_of
from .words import VALUES, code, invented, number, phrase_of, word

Talk = tuple[tuple[Message, ...], tuple[ToolSchema, ...]]

_TEXT = sections("tool_words")
_KNOWN_ANYWAY = {
    "add",
    "multiply",
    "calculate",
    "get_capital",
    "define",
    "get_recipe",
    "ask_expert",
    "search",
}


@dataclass(frozen=True)
class Call:
    """A tool with the arguments it is called with."""

    tool: Tool
    arguments: dict[str, Any]

    def message_part(self, encoded: bool) -> dict[str, Any]:
        """The call as a client sends it back."""
        arguments: Any = (
            json.dumps(self.arguments, ensure_ascii=False) if encoded else self.arguments
        )
        return {"type": "function", "function": {"name": self.tool.name, "arguments": arguments}}


def _numbered(template: str, count: int) -> str:
    for i in range(count):
        template = template.replace(f"{{{i}}}", f"{{s{i}}}")
    return template


def _asked(rng: Random, tool: Tool) -> tuple[str, Call]:
    values = [value_of(rng, p) for _, p in tool.params]
    arguments: dict[str, Any] = {name: v for (name, _), v in zip(tool.params, values, strict=True)}
    if rng.random() < 0.16:
        return _by_name(rng, tool, arguments), Call(tool, arguments)
    template = _numbered(pick(rng, tool.family.asks), len(values))
    stem, mark = (template[:-1], template[-1]) if template[-1] in "?." else (template, "")
    if tool.optional and rng.random() < 0.5 and stem.endswith("}"):
        choice = pick(rng, tool.optional[1].choices)
        arguments[tool.optional[0]] = choice
        template = stem + tool.family.optional_tail.replace("{u}", choice) + mark
    shown: dict[str, Any] = {f"s{i}": v for i, v in enumerate(values)}
    return phrase(rng, template, **shown), Call(tool, arguments)


def _by_name(rng: Random, tool: Tool, arguments: dict[str, Any]) -> str:
    if not arguments:
        return phrase(rng, pick(rng, _TEXT["named_bare"]), f=tool.name)
    style = rng.choice(("{k}={v}", "{k} {v}", "{k} = {v}", "{k}: {v}", "{v}"))
    given = rng.choice((", ", " and ")).join(style.format(k=k, v=v) for k, v in arguments.items())
    return phrase(rng, pick(rng, _TEXT["named"]), f=tool.name, v=given)


def _result(rng: Random, call: Call) -> tuple[str, str]:
    chance = rng.random()
    if chance < 0.07:
        problem = pick(
            rng, ("not found", "timeout", "no such file", "permission denied", phrase_of(rng, 1, 3))
        )
        return f"{pick(rng, ('error', 'Error'))}: {problem}", f"The tool gave an error: {problem}."
    if chance < 0.37:
        return _json_result(rng)
    family = call.tool.family
    text = pick(rng, family.results).format_map(_Drawn(rng))
    if rng.random() < 0.12:
        text = f"{VALUES['sentence'](rng)}."
    told = family.told
    for i, value in enumerate(call.arguments.values()):
        told = told.replace(f"{{{i}}}", str(value))
    told = told.replace("{r}", text)
    return text, told[:-1] if told.endswith("..") else told


class _Drawn(dict[str, Any]):
    """Draws a value for each name a template asks for."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._rng = rng

    def __missing__(self, name: str) -> Any:
        if name in ("hour", "minute"):
            return f"{self._rng.randint(0, 23 if name == 'hour' else 59):02d}"
        return VALUES[name](self._rng)


def _scalar(rng: Random) -> Any:
    choices: tuple[Any, ...] = (
        number(rng),
        rng.randint(-20, 60),
        word(rng),
        pick(rng, ("ok", "sunny", "rain", "cloudy", "open")),
        phrase_of(rng, 1, 3),
        code(rng),
        round(rng.random() * 50, 1),
        rng.choice((True, False, None)),
    )
    return choices[rng.randrange(len(choices))]


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_shown(v) for v in value)
    return value if isinstance(value, str) else json.dumps(value)


def _json_result(rng: Random) -> tuple[str, str]:
    separators = (",", ":") if rng.random() < 0.25 else None
    if rng.random() < 0.1:
        items = [_scalar(rng) for _ in range(rng.randint(1, 4))]
        return json.dumps(
            items, ensure_ascii=False, separators=separators
        ), f"The result is {_shown(items)}."
    fields: dict[str, Any] = {}
    for key in rng.sample(_TEXT["keys"], rng.choice((1, 1, 2, 2, 3))):
        many = [_scalar(rng) for _ in range(rng.randint(1, 3))]
        fields[key if rng.random() < 0.9 else invented(rng)] = (
            many if rng.random() < 0.12 else many[0]
        )
    parts = [f"{key} is {_shown(value)}" for key, value in fields.items()]
    told = " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
    return json.dumps(fields, ensure_ascii=False, separators=separators), f"The {told}."


def using(rng: Random, small: Topic) -> Talk:
    """A conversation in which one or more tools are called; `small` makes small talk."""
    tools = toolbox(rng, rng.choice((1, 1, 1, 2, 2, 2, 3, 3, 4, 5)))
    messages: list[Message] = turns(small(rng)) if rng.random() < 0.15 else []
    for _ in range(rng.choice((1, 1, 1, 1, 2))):
        messages += _round(rng, tools)
        if rng.random() < 0.2:
            messages += turns(small(rng))
    return tuple(messages), tuple(tool.schema for tool in tools)


def idle(rng: Random, small: Topic, sums: Topic) -> Talk:
    """Tools are at hand, but the user asks for nothing they do."""
    tools = toolbox(rng, rng.choice((1, 1, 2, 3, 4, 5)))
    helped = any(_KNOWN_ANYWAY & set(tool.family.names) for tool in tools)
    messages: list[Message] = []
    for _ in range(rng.choice((1, 1, 2))):
        messages += turns(small(rng) if helped or rng.random() < 0.6 else sums(rng))
    return tuple(messages), tuple(tool.schema for tool in tools)


def lacking(rng: Random) -> Talk:
    """A question that none of the tools at hand answers."""
    asked = FAMILIES[rng.randrange(len(FAMILIES))]
    while _KNOWN_ANYWAY & set(asked.names):
        asked = FAMILIES[rng.randrange(len(FAMILIES))]
    tools = [
        t
        for t in toolbox(rng, rng.randint(1, 3), avoid=asked)
        if not _KNOWN_ANYWAY & set(t.family.names)
    ]
    values: dict[str, Any] = {f"s{i}": value_of(rng, p) for i, p in enumerate(asked.params)}
    question = phrase(rng, _numbered(pick(rng, asked.asks), len(values)), **values)
    answer = "I have no tool for that." if tools else _without(asked)
    return (say("user", question), say("assistant", answer)), tuple(tool.schema for tool in tools)


def _without(asked: Family) -> str:
    if "get_weather" in asked.names:
        return "I have no tool to look up the weather."
    if "get_time" in asked.names:
        return "I cannot see a clock, so I do not know the time."
    return "I have no tool for that."


def _round(rng: Random, tools: list[Tool]) -> list[Message]:
    tool = tools[rng.randrange(len(tools))]
    question, call = _asked(rng, tool)
    calls = [call]
    if _single_text(tool) and rng.random() < 0.12:
        question, calls = _pair(rng, tool)
    encoded = rng.random() < 0.5
    parts = [c.message_part(encoded) for c in calls]
    messages = [say("user", question), say("assistant", None, tool_calls=parts)]
    results = [_result(rng, c) for c in calls]
    messages += [say("tool", text) for text, _ in results]
    messages.append(say("assistant", " ".join(told for _, told in results)))
    return messages


def _single_text(tool: Tool) -> bool:
    kinds = ("city", "word", "name", "path", "code", "zone")
    return (
        len(tool.params) == 1
        and tool.params[0][1].type == "string"
        and tool.params[0][1].kind in kinds
    )


def _pair(rng: Random, tool: Tool) -> tuple[str, list[Call]]:
    name, param = tool.params[0]
    one, other = value_of(rng, param), value_of(rng, param)
    template = pick(rng, tool.family.asks).replace("{0}", "{a} and {b}")
    calls = [Call(tool, {name: one}), Call(tool, {name: other})]
    return phrase(rng, template, a=one, b=other), calls
