"""Anthropic requests to the neutral request.

Called by `lmxd.http.anthropic` with the decoded body, in a thread when it is long; pure. Content
blocks are `anthropic_content`'s; what a chat template, a tokenizer or an engine has to judge is
not judged here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from lmxd.dialects import anthropic_content
from lmxd.dialects.fields import Table
from lmxd.dialects.validation import framed, invalid, validated
from schemas.errors import Code, RequestError
from schemas.inference import Effort, Grammar, Reasoning, Request, Sampling, Tool, ToolUse
from schemas.wire.anthropic import (
    CountRequest,
    MessagesRequest,
    MessagesThinking,
    MessagesTool,
    MessagesToolChoice,
)

__all__ = ["Asked", "Shown", "count", "messages"]

MESSAGES = Table(
    unserved={"container": (), "mcp_servers": ([],)},
    advisory=frozenset(
        {
            "anthropic_beta",
            "anthropic_version",
            "betas",
            "cache_control",
            "context_management",
            "diagnostics",
            "inference_geo",
            "service_tier",
            "speed",
            "user_profile_id",
            "workspace_id",
        }
    ),
)
"""Fields of a request that `MessagesRequest` does not declare."""

TOOL = Table(
    unserved={},
    advisory=frozenset(
        {
            "allowed_callers",
            "cache_control",
            "defer_loading",
            "eager_input_streaming",
            "input_examples",
            "strict",
        }
    ),
)

_EFFORTS: Mapping[str, Effort] = {
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}

Shown = Literal["all", "signature", "nothing"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, translated. `shown`: how much of the reasoning belongs into the answer.
    `ignored` names the fields that had no effect.
    """

    request: Request
    stream: bool
    shown: Shown
    ignored: tuple[str, ...]


def messages(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /v1/messages`.

    Raises RequestError (invalid_request, unsupported_parameter) that names the field.
    """
    wire = validated(MessagesRequest, body)
    ignored = list(MESSAGES.sift(wire.model_extra or {}))
    request = msgspec.structs.replace(
        _prompt(wire, request_id, ignored),
        max_tokens=wire.max_tokens,
        stop=tuple(text for text in wire.stop_sequences or () if text),
        sampling=Sampling(temperature=wire.temperature, top_p=wire.top_p, top_k=wire.top_k),
        format=_format(wire),
    )
    return Asked(request, bool(wire.stream), _shown(wire.thinking), tuple(ignored))


def count(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /v1/messages/count_tokens`; raises like `messages`."""
    wire = validated(CountRequest, body)
    ignored = list(MESSAGES.sift(wire.model_extra or {}))
    request = msgspec.structs.replace(_prompt(wire, request_id, ignored), kind="count")
    return Asked(request, stream=False, shown="nothing", ignored=tuple(ignored))


def _prompt(wire: CountRequest, request_id: str, ignored: list[str]) -> Request:
    """All that has an effect on the prompt."""
    said = anthropic_content.conversation(wire.system, wire.messages, ignored)
    last = said[-1]
    tools = _tools(wire.tools or (), ignored)
    user = wire.metadata.user_id if wire.metadata else None
    return Request(
        id=request_id,
        name=wire.model,
        messages=said,
        tools=tools,
        tool_use=_tool_use(wire.tool_choice, tools),
        reasoning=_reasoning(wire),
        prefill=last.role == "assistant" and bool(last.text),
        identity=user or "anonymous",
    )


def _tools(given: Sequence[MessagesTool], ignored: list[str]) -> tuple[Tool, ...]:
    found: dict[str, Tool] = {}
    for index, each in enumerate(given):
        if each.name in found:
            raise invalid(f"tools[{index}].name", f"is {each.name!r}, as another tool's is")
        found[each.name] = _tool(each, f"tools[{index}]", ignored)
    return tuple(found.values())


def _tool(tool: MessagesTool, where: str, ignored: list[str]) -> Tool:
    if tool.type not in {None, "custom"}:
        raise RequestError(
            Code.UNSUPPORTED_PARAMETER,
            f"{where} is of type {str(tool.type)[:64]}, which is run by Anthropic's servers",
            hint="leave it out, or define a tool of your own with an input_schema",
            param=where,
        )
    ignored += TOOL.sift(tool.model_extra or {}, f"{where}.")
    schema = tool.input_schema
    if schema is None:
        raise invalid(f"{where}.input_schema", "is required")
    return Tool(tool.name, tool.description or "", framed(schema, f"{where}.input_schema"))


def _tool_use(choice: MessagesToolChoice | None, tools: tuple[Tool, ...]) -> ToolUse:
    if choice is None:
        return ToolUse()
    parallel = not choice.disable_parallel_tool_use
    if choice.type in {"auto", "none"}:
        return ToolUse("none" if choice.type == "none" else "auto", parallel=parallel)
    names = [tool.name for tool in tools]
    if not names:
        raise invalid("tool_choice", f"is {choice.type!r}, and there are no tools")
    if choice.type == "any":
        return ToolUse("required", parallel=parallel)
    if choice.name not in names:
        raise invalid("tool_choice.name", f"is {str(choice.name)[:64]!r}, which is no tool")
    # A tool that is named is called once.
    return ToolUse("required", only=(choice.name,), parallel=False)


def _reasoning(wire: CountRequest) -> Reasoning:
    """Thinking is something to ask for: without a word about it there is none."""
    thinking = wire.thinking
    if thinking is None or thinking.type == "disabled":
        return Reasoning(effort="none")
    if thinking.type == "enabled" and thinking.budget_tokens is None:
        hint = 'or ask for {"type": "adaptive"}'
        raise invalid("thinking.budget_tokens", "is required", hint=hint)
    effort = wire.output_config.effort if wire.output_config else None
    return Reasoning(effort=_EFFORTS[effort or "medium"], budget=thinking.budget_tokens)


def _shown(thinking: MessagesThinking | None) -> Shown:
    if thinking is None or thinking.type == "disabled":
        return "nothing"
    return "signature" if thinking.display == "omitted" else "all"


def _format(wire: CountRequest) -> Grammar | None:
    given = wire.output_config.format if wire.output_config else None
    where = "output_config.format" if given else "output_format"
    given = given or wire.output_format
    if given is None:
        return None
    schema = framed(given.schema_, f"{where}.schema")
    return Grammar("schema", json.dumps(schema, ensure_ascii=False))
