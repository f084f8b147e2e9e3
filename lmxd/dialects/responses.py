"""Requests of OpenAI's Responses API to the neutral request.

In two steps, as what a request refers to must be read from disk in between: `draft` checks the
body and says which responses are needed, `translate` makes the request of it and of them. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from lmxd.dialects import openai_fields, openai_sampling, responses_items, responses_tools
from lmxd.dialects.openai import EFFORTS, KWARGS_DEPTH_MAX
from lmxd.dialects.openai_formats import response_format
from lmxd.dialects.validation import framed, invalid, unknown, validated
from lmxd.kept_responses import Kept
from schemas.inference import Grammar, Message, Reasoning, Request, TextPart
from schemas.wire.openai import ResponseFormat
from schemas.wire.responses import Item, ResponseRequest, TextFormat

_LOGPROBS = "message.output_text.logprobs"
_TEXT: Mapping[str, object] = {"type": "text"}


@dataclass(frozen=True, slots=True)
class Draft:
    """A body that is right in itself. needs: the responses it refers to."""

    id: str
    body: Mapping[str, object]
    wire: ResponseRequest
    needs: frozenset[str]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, translated. shell: what the answer repeats of it. context: all items that are
    answered, those of earlier turns too. `ignored` names the fields that had no effect.
    """

    request: Request
    stream: bool
    store: bool
    shell: Mapping[str, object]
    context: Sequence[responses_items.Kept]
    ignored: tuple[str, ...]


def draft(body: Mapping[str, object], response_id: str) -> Draft:
    """Check the body of `POST /v1/responses`. Raises RequestError that names the field."""
    wire = validated(ResponseRequest, body)
    items = [] if isinstance(wire.input, str) else wire.input
    needs = responses_items.references(items)
    if wire.previous_response_id is not None:
        needs.add(wire.previous_response_id)
    return Draft(response_id, body, wire, frozenset(needs))


def translate(asked: Draft, known: Mapping[str, Kept]) -> Asked:
    """The request. `known`: of what the draft needs, what is kept. Raises RequestError."""
    wire = asked.wire
    ignored = list(openai_fields.RESPONSE.sift(wire.model_extra or {}))
    if wire.text is not None:
        ignored += openai_fields.TEXT.sift(wire.text.model_extra or {}, "text.")
        ignored += unknown(wire.text.format, "text.format")
    tools = responses_tools.tools(wire.tools)
    use = responses_tools.use(wire, tools)
    ignored += responses_tools.ignored(wire, use)
    context, said = _conversation(asked, known, ignored)
    request = Request(
        id=asked.id,
        name=wire.model,
        messages=said,
        max_tokens=openai_sampling.max_tokens(wire.max_output_tokens),
        stop=openai_sampling.stop(wire.stop),
        sampling=openai_sampling.sampling(wire),
        logprobs=_logprobs(wire),
        format=_format(wire.text.format if wire.text else None),
        tools=tools,
        tool_use=use,
        reasoning=_reasoning(wire, ignored),
        template_kwargs=framed(
            wire.chat_template_kwargs or {}, "chat_template_kwargs", KWARGS_DEPTH_MAX
        ),
        identity=wire.user or "anonymous",
        priority=openai_sampling.priority(wire),
    )
    shell = _shell(asked)
    store = wire.store is not False
    return Asked(request, bool(wire.stream), store, shell, context, tuple(ignored))


def _conversation(
    asked: Draft, known: Mapping[str, Kept], ignored: list[str]
) -> tuple[list[responses_items.Kept], tuple[Message, ...]]:
    """Earlier turns, then the new items; and all of it as messages, the instructions first."""
    before: list[responses_items.Kept] = []
    previous = asked.wire.previous_response_id
    if previous is not None:
        before = history(known.get(previous), previous)
    given = cast("str | list[Mapping[str, object]]", asked.body["input"])
    mentioned = [item for kept in known.values() for item in all_items(kept)]
    new = responses_items.resolved(responses_items.kept(given, asked.id), mentioned)
    context = [*before, *new]
    items = [validated(Item, item) for item in context]
    turns = responses_items.messages(items, ignored, new=len(new))
    if asked.wire.instructions:
        turns.insert(0, Message("system", (TextPart(asked.wire.instructions),)))
    return context, tuple(turns)


def history(kept: Kept | None, identifier: str) -> list[responses_items.Kept]:
    """All items up to the end of a response. Raises RequestError when it is not kept."""
    if kept is None:
        raise invalid(
            "previous_response_id",
            f"is {identifier[:64]!r}, and no such response is kept",
            hint="send the whole conversation as input",
        )
    return all_items(kept)


def all_items(kept: Kept) -> list[responses_items.Kept]:
    """What a response answered, and the answer."""
    output = cast("list[responses_items.Kept]", kept.response["output"])
    return [*kept.context, *output]


def _logprobs(wire: ResponseRequest) -> int | None:
    if wire.top_logprobs:
        return wire.top_logprobs
    return 0 if _LOGPROBS in (wire.include or ()) else None


def _format(wire: TextFormat | None) -> Grammar | None:
    if wire is None:
        return None
    if wire.type == "json_schema" and wire.schema_ is None:
        raise invalid("text.format.schema", "is required")
    flat = ResponseFormat.model_validate({"type": wire.type, "schema": wire.schema_})
    return response_format(flat, "text.format")


def _reasoning(wire: ResponseRequest, ignored: list[str]) -> Reasoning:
    given = wire.reasoning
    if given is None:
        return Reasoning()
    ignored += openai_fields.RESPONSE_REASONING.sift(given.model_extra or {}, "reasoning.")
    return Reasoning(EFFORTS[given.effort] if given.effort else None, given.max_tokens)


def _shell(asked: Draft) -> dict[str, object]:
    """What was asked for, in the members of the answer; `body` has every field as it was sent."""
    wire, body = asked.wire, asked.body
    text = wire.text.format if wire.text else None
    return {
        "instructions": wire.instructions,
        "max_output_tokens": openai_sampling.max_tokens(wire.max_output_tokens),
        "metadata": wire.metadata or {},
        "parallel_tool_calls": wire.parallel_tool_calls is not False,
        "previous_response_id": wire.previous_response_id,
        "reasoning": {"effort": wire.reasoning.effort if wire.reasoning else None, "summary": None},
        "store": wire.store is not False,
        "temperature": wire.temperature,
        "text": {"format": text.model_dump(by_alias=True, exclude_none=True) if text else _TEXT},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": [_tool(each) for each in cast("list[Mapping[str, object]]", body.get("tools"))]
        if wire.tools
        else [],
        "top_logprobs": wire.top_logprobs or 0,
        "top_p": wire.top_p,
        "truncation": "disabled",
        "user": wire.user,
    }


def _tool(given: Mapping[str, object]) -> dict[str, object]:
    return {"parameters": None, "strict": None, **given}
