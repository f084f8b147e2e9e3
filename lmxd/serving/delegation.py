"""The tool by which a light model hands a request on to the heavy one. Pure.

It is added to what the light model gets, and nobody else sees it: the client's request is then
answered by the heavy model, as it was asked.
"""

from __future__ import annotations

import msgspec

from schemas.inference import Event, Request, Tool, ToolStart

__all__ = ["asks", "offered", "possible"]

_NAME = "hand_over_to_larger_model"
_TOOL = Tool(
    _NAME,
    "Hand this request over to a larger and slower model, which then answers the user in your"
    " place. Call it, and say nothing else, when the request is too difficult for you, or when"
    " your answer would probably be wrong or incomplete. Answer everything else yourself.",
    {
        "type": "object",
        "properties": {
            "reason": {"type": "string", "description": "Why, in a few words."},
        },
        "required": ["reason"],
        "additionalProperties": False,
    },
)


def possible(request: Request) -> bool:
    """Whether the tool can be offered: the model is free to call, and gives one answer."""
    free = request.tool_use.choice == "auto" and not request.tool_use.only
    plain = request.format is None and request.n == 1 and request.kind == "chat"
    return free and plain and all(tool.name != _NAME for tool in request.tools)


def offered(request: Request) -> Request:
    """The request with the tool."""
    return msgspec.structs.replace(request, tools=(*request.tools, _TOOL))


def asks(event: Event) -> bool:
    """Whether the model begins to call it."""
    return isinstance(event, ToolStart) and event.name == _NAME
