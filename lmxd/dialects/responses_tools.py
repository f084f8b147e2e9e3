"""Tools as the Responses API writes them, flat; pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lmxd.dialects.fields import unsupported
from lmxd.dialects.openai_tools import NO_PARAMETERS, known_name
from lmxd.dialects.validation import framed, invalid, unknown
from schemas.inference import Tool, ToolUse
from schemas.wire.responses import ChosenTool, NamedTool, ResponseRequest, ResponseTool


def tools(given: Sequence[ResponseTool] | None) -> tuple[Tool, ...]:
    """The functions. Raises RequestError for built-in tools and for two of one name."""
    found: dict[str, Tool] = {}
    for index, each in enumerate(given or ()):
        where = f"tools[{index}]"
        _check_type(each.type, where)
        if each.name is None:
            raise invalid(f"{where}.name", "is required")
        if each.name in found:
            raise invalid(f"{where}.name", f"is {each.name!r}, as another tool's is")
        parameters = framed(each.parameters or NO_PARAMETERS, f"{where}.parameters")
        found[each.name] = Tool(each.name, each.description or "", parameters)
    return tuple(found.values())


def use(wire: ResponseRequest, known: Sequence[Tool]) -> ToolUse:
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


def ignored(wire: ResponseRequest, use: ToolUse) -> Iterator[str]:
    """The fields about tools that have no effect; `strict` as in chat completions."""
    for index, tool in enumerate(wire.tools or ()):
        yield from unknown(tool, f"tools[{index}]")
        if tool.strict and use.choice == "auto":
            yield f"tools[{index}].strict"
    if isinstance(wire.tool_choice, ChosenTool):
        yield from unknown(wire.tool_choice, "tool_choice")


def _chosen(choice: ChosenTool, known: Sequence[Tool], *, parallel: bool) -> ToolUse:
    if choice.type == "allowed_tools":
        where = "tool_choice.tools"
        if choice.tools is None:
            raise invalid(where, "is required")
        names = [_name(each, known, f"{where}[{index}]") for index, each in enumerate(choice.tools)]
        return ToolUse(choice.mode or "auto", tuple(dict.fromkeys(names)), parallel)
    # A function that is named is called once.
    return ToolUse("required", (_name(choice, known, "tool_choice"),), parallel=False)


def _name(given: NamedTool, known: Sequence[Tool], where: str) -> str:
    _check_type(given.type, where)
    if given.name is None:
        raise invalid(f"{where}.name", "is required")
    return known_name(given.name, known, f"{where}.name")


def _check_type(kind: str, where: str) -> None:
    if kind != "function":
        raise unsupported(f"{where}.type", ("function",))
