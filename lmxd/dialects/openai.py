"""OpenAI chat requests to the neutral request.

Called by `lmxd.http.openai` with the decoded body, in a thread when it is long; pure. What a
chat template, a tokenizer or an engine has to judge is not judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lmxd.dialects import openai_fields, openai_sampling, openai_tools
from lmxd.dialects.fields import unsupported
from lmxd.dialects.openai_formats import grammar
from lmxd.dialects.openai_messages import messages
from lmxd.dialects.validation import framed, invalid, unknown, validated
from schemas.inference import Effort, Message, Reasoning, Request, TextPart, ToolCallPart
from schemas.wire.openai import Effort as SaidEffort
from schemas.wire.openai import StreamOptions
from schemas.wire.openai_chat import ChatRequest, Thinking

KWARGS_DEPTH_MAX = 16
EFFORTS: Mapping[SaidEffort, Effort] = {
    "none": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",  # no template knows a word for more
    "max": "high",
}


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat request, translated. `ignored` names the fields that had no effect."""

    request: Request
    stream: bool
    include_usage: bool
    ignored: tuple[str, ...]


def chat(body: Mapping[str, object], request_id: str) -> Chat:
    """Translate the body of `POST /v1/chat/completions`.

    Raises RequestError (invalid_request, unsupported_parameter) that names the field.
    """
    wire = validated(ChatRequest, body)
    ignored = list(openai_fields.CHAT.sift(wire.model_extra or {}))
    include_usage = stream_options(wire.stream_options, ignored)
    said = messages(wire.messages, ignored)
    tools = openai_tools.tools(wire.tools)
    use = openai_tools.use(wire, tools)
    ignored += openai_tools.ignored(wire, use)
    ignored += unknown(wire.response_format, "response_format")
    request = Request(
        id=request_id,
        name=wire.model,
        messages=said,
        n=wire.n or 1,
        max_tokens=openai_sampling.max_tokens(wire.max_completion_tokens, wire.max_tokens),
        stop=openai_sampling.stop(wire.stop),
        sampling=openai_sampling.sampling(wire),
        logprobs=_logprobs(wire),
        format=grammar(wire, ignored),
        tools=tools,
        tool_use=use,
        reasoning=_reasoning(wire, ignored),
        template_kwargs=framed(
            wire.chat_template_kwargs or {}, "chat_template_kwargs", KWARGS_DEPTH_MAX
        ),
        prefill=continues(wire.continue_final_message, said[-1]),
        identity=wire.user or "anonymous",
        priority=openai_sampling.priority(wire),
    )
    if wire.add_generation_prompt is False and not request.prefill:
        raise unsupported("add_generation_prompt", (True,))
    return Chat(request, bool(wire.stream), include_usage, tuple(ignored))


def stream_options(options: StreamOptions | None, ignored: list[str]) -> bool:
    """Whether the stream ends with the usage."""
    if options is None:
        return False
    extra = options.model_extra or {}
    ignored += openai_fields.STREAM_OPTIONS.sift(extra, "stream_options.")
    return bool(options.include_usage)


def _logprobs(wire: ChatRequest) -> int | None:
    if wire.logprobs:
        return wire.top_logprobs or 0
    if wire.top_logprobs:
        raise invalid("top_logprobs", f"is {wire.top_logprobs}, which needs logprobs: true")
    return None


def _reasoning(wire: ChatRequest, ignored: list[str]) -> Reasoning:
    """OpenAI's word, OpenRouter's object, or a bound of tokens; the word said apart wins."""
    thinking = wire.reasoning or Thinking()
    ignored += openai_fields.THINKING.sift(thinking.model_extra or {}, "reasoning.")
    effort = wire.reasoning_effort or thinking.effort
    if effort is None and thinking.enabled is False:
        effort = "none"
    budget = wire.thinking_budget if wire.thinking_budget is not None else thinking.max_tokens
    return Reasoning(EFFORTS[effort] if effort else None, budget)


def continues(wish: bool | None, last: Message) -> bool:
    """Whether the last message begins the answer: an assistant's does, unless the client says that
    it is over. Raises RequestError for a wish that cannot be.
    """
    open_ended = last.role == "assistant" and _is_text(last)
    if wish and not open_ended:
        raise invalid("continue_final_message", "needs a last message of the assistant with text")
    return open_ended and wish is not False


def _is_text(message: Message) -> bool:
    calls = any(isinstance(part, ToolCallPart) for part in message.parts)
    return not calls and any(isinstance(part, TextPart) and part.text for part in message.parts)
