"""Documents in the order in which they fit a query, in the shapes of Jina and Cohere; pure.

Called by `lmxd.http.rerank`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lmxd.dialects.answer import Answer
from lmxd.dialects.fields import Table
from lmxd.dialects.validation import validated
from schemas.inference import Request
from schemas.wire.rerank import RerankRequest

FIELDS = Table(
    unserved={
        "max_chunks_per_doc": (),
        "max_tokens_per_doc": (),
        "rank_fields": (["text"],),
        "return_embeddings": (False,),
        "truncate_prompt_tokens": (),
    },
    advisory=frozenset({"priority"}),
)
"""Fields of the body that `RerankRequest` does not declare."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A translated request. top: how many results are shown, None: all. show: with their
    documents. `ignored` names the fields that had no effect.
    """

    request: Request
    top: int | None
    show: bool
    ignored: tuple[str, ...]


def rerank(body: Mapping[str, object], request_id: str) -> Asked:
    """Translate the body of `POST /v1/rerank`. Raises RequestError that names the field."""
    wire = validated(RerankRequest, body)
    request = Request(
        id=request_id,
        name=wire.model,
        kind="rerank",
        prompts=(wire.query,),
        documents=tuple(each if isinstance(each, str) else each.text for each in wire.documents),
        truncate=bool(wire.truncate),
        identity=wire.user or "anonymous",
    )
    ignored = FIELDS.sift(wire.model_extra or {})
    return Asked(request, wire.top_n, bool(wire.return_documents), ignored)


def answer(asked: Asked, found: Answer) -> dict[str, object]:
    """The answer, best first; of two that fit as well, the one that was named first."""
    request = asked.request
    order = sorted(range(len(found.scores)), key=lambda index: -found.scores[index])
    results: list[dict[str, object]] = []
    for index in order[: asked.top]:
        result: dict[str, object] = {"index": index, "relevance_score": found.scores[index]}
        if asked.show:
            result["document"] = {"text": request.documents[index]}
        results.append(result)
    tokens = found.usage.prompt
    return {
        "id": request.id,
        "object": "list",
        "model": request.name,
        "results": results,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        "meta": {"tokens": {"input_tokens": tokens, "output_tokens": 0}},
    }
