"""OpenAI's embeddings: the request to the neutral one, vectors to the answer; pure.

Called by `lmxd.http.embeddings`, in a thread when there is much of it.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from struct import unpack
from typing import Literal

import msgspec

from lmxd.dialects.answer import Answer
from lmxd.dialects.fields import Table
from lmxd.dialects.openai_completions import prompts
from lmxd.dialects.validation import invalid, validated
from schemas.inference import Request
from schemas.wire.embeddings import EmbeddingRequest

_INPUTS_MAX = 2048
_encode = msgspec.json.Encoder().encode

FIELDS = Table(
    unserved={
        "embedding_type": ("float",),
        "embedding_types": (["float"],),
        "input_type": (),
        "late_chunking": (False,),
        "normalized": (True,),
        "output_dimension": (),
        "output_dtype": ("float",),
        "prompt_name": (),
        "task": (),
        "truncate_prompt_tokens": (),
    },
    advisory=frozenset({"metadata", "priority", "safety_identifier"}),
)
"""Fields of the body that `EmbeddingRequest` does not declare."""

Encoding = Literal["float", "base64"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A translated request. `ignored` names the fields that had no effect."""

    request: Request
    encoding: Encoding
    ignored: tuple[str, ...]


def embeddings(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /v1/embeddings`. Raises RequestError that names the field."""
    wire = validated(EmbeddingRequest, body)
    ignored = FIELDS.sift(wire.model_extra or {})
    found = prompts(wire.input, "input")
    if len(found) > _INPUTS_MAX:
        raise invalid("input", f"has {len(found)} texts, at most {_INPUTS_MAX} are taken at once")
    request = Request(
        id=request_id,
        name=wire.model,
        kind="embed",
        prompts=found,
        dimensions=wire.dimensions,
        truncate=bool(wire.truncate),
        identity=wire.user or "anonymous",
    )
    return Asked(request, wire.encoding_format or "float", ignored)


def answer(model: str, encoding: Encoding, found: Answer) -> dict[str, object]:
    """The answer. `model`: the name that was asked for."""
    tokens = found.usage.prompt
    return {
        "object": "list",
        "data": [_entry(index, encoding, each) for index, each in enumerate(found.vectors)],
        "model": model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _entry(index: int, encoding: Encoding, vector: bytes) -> msgspec.Raw:
    """One vector, encoded by itself: thousands at once would hold up every stream."""
    shown: object = (
        base64.b64encode(vector).decode()
        if encoding == "base64"
        else unpack(f"<{len(vector) // 4}f", vector)
    )
    return msgspec.Raw(_encode({"object": "embedding", "index": index, "embedding": shown}))
