"""OpenAI chat requests to the neutral request.

Called by `lmxd.http.openai` with the decoded body, in a thread when it is long; pure. What a
chat template, a tokenizer or an engine has to judge is not judged here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from lmxd.dialects.faults import fits, invalid
from lmxd.dialects.fields import Table, unsupported
from schemas.errors import Code, RequestError
from schemas.inference import Message, Request, Role, Sampling, TextPart
from schemas.wire.openai import ChatMessage, ChatRequest, ContentPart

CHAT = Table(
    unserved={
        "n": (1,),
        "tools": ([],),
        "tool_choice": ("none", "auto"),
        "functions": ([],),
        "function_call": ("none", "auto"),
        "response_format": ({"type": "text"},),
        "logprobs": (False,),
        "top_logprobs": (0,),
        "logit_bias": ({},),
        "presence_penalty": (0,),
        "frequency_penalty": (0,),
        "repetition_penalty": (1,),
        "repeat_penalty": (1,),
        "xtc_probability": (0,),
        "typical_p": (1,),
        "min_tokens": (0,),
        "ignore_eos": (False,),
        "modalities": (["text"],),
        "audio": (),
        "reasoning_effort": (),
        "verbosity": ("medium",),
        "web_search_options": (),
        "grammar": ("",),
        "json_schema": ({},),
        "guided_json": (),
        "guided_regex": (),
        "guided_grammar": (),
        "guided_choice": (),
        "structured_outputs": (),
        "adapter": (),
        "adapters": (),
        "ttl": (),
        "keep_alive": (),
        "echo": (False,),
        "best_of": (1,),
    },
    advisory=frozenset(
        {
            "cache_prompt",
            "metadata",
            "moderation",
            "parallel_tool_calls",
            "prediction",
            "prompt_cache_key",
            "prompt_cache_retention",
            "safety_identifier",
            "service_tier",
            "store",
        }
    ),
)
"""Fields of a chat request that `ChatRequest` does not declare."""

MESSAGE = Table(
    unserved={"audio": (), "function_call": ()},
    advisory=frozenset({"annotations", "id", "refusal"}),
)
"""Fields of a message; clients send back what they got, with all its decoration."""

STREAM_OPTIONS = Table(unserved={}, advisory=frozenset({"include_obfuscation"}))

_MEDIA = frozenset({"image_url", "input_image", "input_audio", "audio_url", "video_url", "file"})
_ROLES: Mapping[str, Role] = {"developer": "system"}

_KWARGS_DEPTH_MAX = 16


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
    try:
        wire = ChatRequest.model_validate(body)
    except ValidationError as error:
        raise invalid(error) from error
    ignored = list(CHAT.sift(wire.model_extra or {}))
    options = wire.stream_options
    if options is not None:
        ignored += STREAM_OPTIONS.sift(options.model_extra or {}, "stream_options.")
    messages = tuple(
        _message(message, f"messages[{index}]", ignored)
        for index, message in enumerate(wire.messages)
    )
    last = messages[-1]
    request = Request(
        id=request_id,
        name=wire.model,
        messages=messages,
        max_tokens=_max_tokens(wire),
        stop=_stop(wire.stop),
        sampling=_sampling(wire),
        template_kwargs=_template_kwargs(wire.chat_template_kwargs),
        prefill=last.role == "assistant" and bool(last.text),
        identity=wire.user or "anonymous",
    )
    return Chat(
        request=request,
        stream=bool(wire.stream),
        include_usage=bool(options and options.include_usage),
        ignored=tuple(ignored),
    )


def _message(message: ChatMessage, where: str, ignored: list[str]) -> Message:
    if message.tool_calls:
        raise unsupported(f"{where}.tool_calls")
    ignored += MESSAGE.sift(message.model_extra or {}, f"{where}.")
    if message.content is None:
        raise RequestError(
            Code.INVALID_REQUEST, f"{where}.content is required", param=f"{where}.content"
        )
    if isinstance(message.content, str):
        texts = [message.content]
    else:
        texts = [
            _part(part, f"{where}.content[{index}]", ignored)
            for index, part in enumerate(message.content)
        ]
    return Message(
        role=_ROLES.get(message.role) or _as_role(message.role),
        parts=tuple(TextPart(text) for text in texts),
        name=message.name,
    )


def _as_role(role: str) -> Role:
    match role:
        case "system" | "user" | "assistant" | "tool":
            return role
        case _:
            raise ValueError(role)


def _part(part: ContentPart, where: str, ignored: list[str]) -> str:
    if part.type in _MEDIA:
        raise RequestError(
            Code.UNSUPPORTED_PARAMETER,
            f"{where} is of type {part.type}; only text is supported",
            param=where,
        )
    text = part.refusal if part.type == "refusal" else part.text
    if part.type not in {"text", "input_text", "output_text", "refusal"}:
        raise RequestError(
            Code.INVALID_REQUEST,
            f"{where}.type must be 'text', got {part.type[:64]!r}",
            param=f"{where}.type",
        )
    if text is None:
        raise RequestError(Code.INVALID_REQUEST, f"{where}.text is required", param=f"{where}.text")
    ignored.extend(f"{where}.{name}" for name in part.model_extra or {})
    return text


def _max_tokens(wire: ChatRequest) -> int | None:
    asked = wire.max_completion_tokens
    if asked is None:
        asked = wire.max_tokens
    return None if asked == -1 else asked


def _stop(stop: str | list[str] | None) -> tuple[str, ...]:
    """An empty string stops nothing: clients send it for "no stop string"."""
    given = [stop] if isinstance(stop, str) else stop or []
    return tuple(text for text in given if text)


def _sampling(wire: ChatRequest) -> Sampling:
    return Sampling(
        temperature=wire.temperature,
        top_p=wire.top_p,
        top_k=0 if wire.top_k == -1 else wire.top_k,
        min_p=wire.min_p,
        # Engines take unsigned seeds; a negative one keeps its own place in that range.
        seed=None if wire.seed is None else wire.seed % 2**64,
    )


def _template_kwargs(given: Mapping[str, object] | None) -> dict[str, object]:
    """As given, once it is sure to fit into a frame to a worker."""
    kwargs = dict(given or {})
    if not fits(kwargs, _KWARGS_DEPTH_MAX):
        raise RequestError(
            Code.INVALID_REQUEST,
            f"chat_template_kwargs is nested deeper than {_KWARGS_DEPTH_MAX} levels, or holds an "
            "integer of more than 64 bits",
            param="chat_template_kwargs",
        )
    return kwargs
