"""Tools and whether they are called, as chat completions say it; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lmxd.dialects.fields import unsupported
from lmxd.dialects.validation import framed, invalid, unknown
from schemas.inference import Tool, ToolUse
from schemas.wire.openai import Function
from schemas.wire.openai_chat import ChatRequest, ChatTool, NamedTool, ToolChoice

NO_PARAMETERS: dict[str, object] = {"type": "object", "properties": {}}


def tools(given: Sequence[ChatTool] | None) -> tuple[Tool, ...]:
    """The functions. Raises RequestError for other tools and for two of one name."""
    found: dict[str, Tool] = {}
    for index, each in enumerate(given or ()):
        where = f"tools[{index}]"
        if each.type != "function":
            raise unsupported(f"{where}.type", ("function",))
        if each.function is None:
            raise invalid(f"{where}.function", "is required")
        tool = function(each.function, f"{where}.function")
        if tool.name in found:
            raise invalid(f"{where}.function.name", f"is {tool.name!r}, as another tool's is")
        found[tool.name] = tool
    return tuple(found.values())


def function(given: Function, where: str) -> Tool:
    """One function; without parameters it takes none."""
    parameters = given.parameters if given.parameters else NO_PARAMETERS
    return Tool(given.name, given.description or "", framed(parameters, f"{where}.parameters"))


def use(wire: ChatRequest, known: Sequence[Tool]) -> ToolUse:
    """Whether they are called. Raises RequestError for a name that none of them has."""
    parallel = wire.parallel_tool_calls is not False
    choice = wire.tool_choice
    if choice is None or choice == "auto":
        return ToolUse(parallel=parallel)
    if choice == "none":
        return ToolUse("none", parallel=parallel)
    if not known:
        raise invalid("tool_choice", "asks for a call, and there are no tools")
    if isinstance(choice, str):
        return ToolUse("required", parallel=parallel)
    return _chosen(choice, known, parallel=parallel)


def ignored(wire: ChatRequest, use: ToolUse) -> Iterator[str]:
    """The fields about tools that have no effect. Arguments are sure to fit their schema only
    where a call is asked for, so `strict` is among them where none is.
    """
    for index, tool in enumerate(wire.tools or ()):
        yield from unknown(tool, f"tools[{index}]")
        if tool.function is not None and tool.function.strict and use.choice == "auto":
            yield f"tools[{index}].function.strict"
    if isinstance(wire.tool_choice, ToolChoice):
        yield from unknown(wire.tool_choice, "tool_choice")


def _chosen(choice: ToolChoice, known: Sequence[Tool], *, parallel: bool) -> ToolUse:
    if choice.type == "allowed_tools":
        allowed = choice.allowed_tools
        where = "tool_choice.allowed_tools"
        if allowed is None:
            raise invalid(where, "is required")
        names = tuple(
            _name(each, known, f"{where}.tools[{index}]")
            for index, each in enumerate(allowed.tools)
        )
        return ToolUse(allowed.mode, tuple(dict.fromkeys(names)), parallel)
    # A function that is named is called once.
    return ToolUse("required", (_name(choice, known, "tool_choice"),), parallel=False)


def _name(given: NamedTool, known: Sequence[Tool], where: str) -> str:
    if given.type != "function":
        raise unsupported(f"{where}.type", ("function",))
    if given.function is None:
        raise invalid(f"{where}.function", "is required")
    return known_name(given.function.name, known, f"{where}.function.name")


def known_name(name: str, known: Sequence[Tool], where: str) -> str:
    """The name, which must be one of the tools'. Raises RequestError."""
    if name not in {tool.name for tool in known}:
        raise invalid(where, f"is {name[:64]!r}, and no tool has that name")
    return name
