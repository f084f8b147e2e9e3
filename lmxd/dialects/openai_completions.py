"""OpenAI's requests about plain text to the neutral request: completions, tokens; pure.

Called by `lmxd.http.openai_completions`, in a thread when the body is long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lmxd.dialects import openai_fields, openai_sampling, openai_tools
from lmxd.dialects.fields import unsupported
from lmxd.dialects.openai import continues, stream_options
from lmxd.dialects.openai_formats import grammar
from lmxd.dialects.openai_messages import messages
from lmxd.dialects.validation import framed, invalid, validated
from schemas.inference import Prompt, Request
from schemas.wire.openai_completions import (
    CompletionRequest,
    DetokenizeRequest,
    TokenizeRequest,
)

_TOKEN_MAX = 2**31 - 1
_CHOICES_MAX = 1024


@dataclass(frozen=True, slots=True)
class Asked:
    """A translated request. `ignored` names the fields that had no effect."""

    request: Request
    ignored: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Completion(Asked):
    """The same of a completion, and how it is answered."""

    stream: bool
    include_usage: bool

    @property
    def choices(self) -> int:
        """How many answers there will be."""
        return len(self.request.prompts) * self.request.n


def completion(body: Mapping[str, object], request_id: str) -> Completion:
    """Translate the body of `POST /v1/completions`. Raises RequestError that names the field."""
    wire = validated(CompletionRequest, body)
    ignored = list(openai_fields.COMPLETION.sift(wire.model_extra or {}))
    include_usage = stream_options(wire.stream_options, ignored)
    found, n = prompts(wire.prompt), wire.n or 1
    if len(found) * n > _CHOICES_MAX:
        raise invalid(
            "prompt", f"times n is {len(found) * n} answers, at most {_CHOICES_MAX} are given"
        )
    if wire.best_of not in (None, n):
        raise unsupported("best_of", (n,))
    if wire.max_tokens == 0 and not wire.echo:
        raise invalid("max_tokens", "must be at least 1, got 0", hint="0 needs echo: true")
    request = Request(
        id=request_id,
        name=wire.model,
        kind="completion",
        prompts=found,
        n=n,
        max_tokens=openai_sampling.max_tokens(wire.max_tokens),
        stop=openai_sampling.stop(wire.stop),
        sampling=openai_sampling.sampling(wire),
        logprobs=wire.logprobs,
        echo=bool(wire.echo),
        suffix=wire.suffix or None,
        format=grammar(wire, ignored),
        identity=wire.user or "anonymous",
        priority=openai_sampling.priority(wire),
    )
    return Completion(request, tuple(ignored), bool(wire.stream), include_usage)


def prompts(given: object, param: str = "prompt") -> tuple[Prompt, ...]:
    """The prompts of a text, texts, tokens, or lists of tokens. Raises RequestError, in which
    `param` is the name of the field.
    """
    if isinstance(given, str):
        return (given,)
    if not isinstance(given, list):
        raise invalid(param, "must be a string, or a list of strings, tokens or lists of these")
    if not given:
        raise invalid(param, "must not be empty")
    if _is_token(given[0]):
        return (_tokens(given, param),)
    return tuple(_prompt(each, f"{param}[{index}]") for index, each in enumerate(given))


def _prompt(given: object, where: str) -> Prompt:
    if isinstance(given, str):
        return given
    if not isinstance(given, list) or not given:
        raise invalid(where, "must be a string or a list of tokens")
    return _tokens(given, where)


def _tokens(given: list[object], where: str) -> tuple[int, ...]:
    found = tuple(token for token in given if isinstance(token, int) and _is_token(token))
    if len(found) != len(given):
        odd = next(index for index, token in enumerate(given) if not _is_token(token))
        raise invalid(f"{where}[{odd}]", f"must be a token, an integer from 0 to {_TOKEN_MAX}")
    return found


def _is_token(value: object) -> bool:
    return type(value) is int and 0 <= value <= _TOKEN_MAX


def tokenize(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /v1/tokenize`. Raises RequestError that names the field."""
    wire = validated(TokenizeRequest, body)
    ignored = list(openai_fields.TOKENIZE.sift(wire.model_extra or {}))
    texts = [text for text in (wire.prompt, wire.content) if text is not None]
    if len(texts) + (wire.messages is not None) != 1:
        raise invalid("prompt", "or messages is required, one of them")
    said = messages(wire.messages or (), ignored)
    kwargs = framed(wire.chat_template_kwargs or {}, "chat_template_kwargs")
    special = wire.add_special_tokens if wire.add_special is None else wire.add_special
    request = Request(
        id=request_id,
        name=wire.model,
        kind="tokenize",
        prompts=tuple(texts),
        messages=said,
        tools=openai_tools.tools(wire.tools),
        template_kwargs=kwargs,
        prefill=bool(said) and continues(wire.continue_final_message, said[-1]),
        special=special is not False,
        identity=wire.user or "anonymous",
    )
    return Asked(request, tuple(ignored))


def detokenize(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /v1/detokenize`. Raises RequestError that names the field."""
    wire = validated(DetokenizeRequest, body)
    request = Request(
        id=request_id,
        name=wire.model,
        kind="detokenize",
        prompts=(tuple(wire.tokens),),
        identity=wire.user or "anonymous",
    )
    return Asked(request, openai_fields.DETOKENIZE.sift(wire.model_extra or {}))
