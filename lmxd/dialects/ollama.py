"""Ollama's requests for inference to the neutral request.

Called by `lmxd.http.ollama` with the decoded body, in a thread when it is long; pure. Messages are
`ollama_messages`'s, options and durations `ollama_fields`'s.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from lmxd.dialects.fields import unsupported
from lmxd.dialects.ollama_fields import EMBEDDED, GENERATED, chosen, seconds
from lmxd.dialects.ollama_messages import conversation, tools
from lmxd.dialects.validation import framed, invalid, validated
from schemas.errors import Code, RequestError
from schemas.inference import Grammar, Message, Reasoning, Request, TextPart
from schemas.wire.ollama import (
    OllamaChatRequest,
    OllamaEmbeddingsRequest,
    OllamaEmbedRequest,
    OllamaGenerateRequest,
    OllamaRequest,
)

__all__ = ["Asked", "chat", "embed", "embeddings", "generate"]

_GO_TEMPLATE = re.compile(r"\{\{-?\s*(?:\.|\$|(?:if|else|end|range|with|block|template|define)\b)")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, translated. stream: None where there is nothing to stream. keep_s: how long the
    model is to be kept after it. nothing: there is nothing to say anything about: the model is to
    be loaded, or, with a keep_s of 0, unloaded. `ignored` names the fields that had no effect.
    """

    request: Request
    ignored: tuple[str, ...]
    stream: bool = True
    keep_s: float | None = None
    nothing: bool = False

    @property
    def unload(self) -> bool:
        """Whether the model is to be let go."""
        return self.nothing and self.keep_s == 0


def chat(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /api/chat`.

    Raises RequestError (invalid_request, unsupported_parameter) that names the field.
    """
    wire = validated(OllamaChatRequest, body)
    ignored = list(GENERATED.sift(wire.model_extra or {}))
    if not wire.messages:
        return _nothing(wire, request_id, ignored)
    said = conversation(wire.messages, ignored)
    last = said[-1]
    request = msgspec.structs.replace(
        _generating(wire, request_id, ignored),
        messages=said,
        tools=tools(wire.tools, ignored),
        prefill=last.role == "assistant" and bool(last.text),
    )
    return _asked(wire, request, ignored)


def generate(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /api/generate`; raises like `chat`."""
    wire = validated(OllamaGenerateRequest, body)
    ignored = list(GENERATED.sift(wire.model_extra or {}))
    if not wire.prompt and not wire.suffix:
        return _nothing(wire, request_id, ignored)
    request = _generating(wire, request_id, ignored)
    if wire.raw or wire.suffix:
        return _asked(wire, _completion(wire, request), ignored)
    system = [Message("system", (TextPart(wire.system),))] if wire.system else []
    said = (*system, Message("user", (TextPart(wire.prompt or ""),)))
    request = msgspec.structs.replace(request, messages=said, template=_template(wire))
    return _asked(wire, request, ignored)


def embed(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /api/embed`; raises like `chat`."""
    wire = validated(OllamaEmbedRequest, body)
    prompts = (wire.input,) if isinstance(wire.input, str) else tuple(wire.input)
    return _embedding(wire, request_id, prompts, wire.dimensions)


def embeddings(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /api/embeddings`; raises like `chat`."""
    wire = validated(OllamaEmbeddingsRequest, body)
    return _embedding(wire, request_id, (wire.prompt,) if wire.prompt else (), None)


def _embedding(
    wire: OllamaEmbedRequest | OllamaEmbeddingsRequest,
    request_id: str,
    prompts: tuple[str, ...],
    dimensions: int | None,
) -> Asked:
    ignored = list(EMBEDDED.sift(wire.model_extra or {}))
    chosen(wire.options, ignored)
    if not prompts:
        return _nothing(wire, request_id, ignored)
    request = Request(
        id=request_id,
        name=wire.model,
        kind="embed",
        prompts=prompts,
        dimensions=dimensions,
        truncate=wire.truncate is not False,  # as Ollama does unless it is told not to
    )
    return Asked(request, tuple(ignored), keep_s=seconds(wire.keep_alive))


def _nothing(wire: OllamaRequest, request_id: str, ignored: list[str]) -> Asked:
    """A request whose only effect is that the model is there when it is answered."""
    request = Request(id=request_id, name=wire.model, kind="tokenize", prompts=("a",))
    return Asked(request, tuple(ignored), keep_s=seconds(wire.keep_alive), nothing=True)


def _asked(
    wire: OllamaChatRequest | OllamaGenerateRequest, request: Request, ignored: list[str]
) -> Asked:
    stream = wire.stream is not False
    return Asked(request, tuple(ignored), stream, seconds(wire.keep_alive))


def _generating(
    wire: OllamaChatRequest | OllamaGenerateRequest, request_id: str, ignored: list[str]
) -> Request:
    options = chosen(wire.options, ignored)
    return Request(
        id=request_id,
        name=wire.model,
        max_tokens=options.max_tokens,
        stop=options.stop,
        sampling=options.sampling,
        format=_format(wire.format),
        reasoning=_reasoning(wire.think),
        logprobs=(wire.top_logprobs or 0) if wire.logprobs else None,
    )


def _completion(wire: OllamaGenerateRequest, request: Request) -> Request:
    """A prompt that goes to the model as it is. A system prompt has no place in one."""
    for name in ("system", "template"):
        if getattr(wire, name):
            with_what = "raw" if wire.raw else "suffix"
            raise invalid(name, f"has no effect with {with_what}", hint="leave one of them out")
    return msgspec.structs.replace(
        request, kind="completion", prompts=(wire.prompt or "",), suffix=wire.suffix or None
    )


def _template(wire: OllamaGenerateRequest) -> str | None:
    return jinja(wire.template, "template")


def jinja(template: str | None, param: str) -> str | None:
    """The template, which must be Jinja's; None for none. Raises RequestError for one of Go."""
    if not template:
        return None
    if _GO_TEMPLATE.search(template):
        raise RequestError(
            Code.UNSUPPORTED_PARAMETER,
            f"{param} is a template of Go; lmxd takes Jinja's, as models bring them",
            hint="leave it out: the model's own is used",
            param=param,
        )
    return template


def _format(given: str | Mapping[str, object] | None) -> Grammar | None:
    if given is None or given == "":
        return None
    if given == "json":
        return Grammar("json")
    if isinstance(given, str):
        raise unsupported("format", ("json",))
    return Grammar("schema", json.dumps(framed(given, "format"), ensure_ascii=False))


def _reasoning(think: bool | str | None) -> Reasoning:
    """Without a word about it, the model does as it does."""
    match think:
        case None:
            return Reasoning()
        case False:
            return Reasoning(effort="none")
        case "low" | "medium" | "high":
            return Reasoning(effort=think)
        case _:
            return Reasoning(effort="medium")
