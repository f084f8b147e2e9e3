"""Requests to texts in tokens, and every check a request can fail; on the preparation thread."""

from __future__ import annotations

from typing import Any

from lmxd.worker.checks import check_tokens, invalid
from lmxd.worker.embedding.loading import Model
from lmxd.worker.engine import Answered, Opening, Prepared
from schemas.errors import Code, RequestError
from schemas.inference import (
    Accepted,
    Event,
    Prompt,
    Request,
    Text,
    Timings,
    Tokens,
    Usage,
)

__all__ = ["Texts"]

_MOST_TEXTS = 2048
# Characters a token has at most in any text worth reading; a longer text is not tokenized whole.
_LONG = 32


class Texts:
    """Prepares requests for one model. context: most tokens of a text. width: numbers in a vector,
    0 for a model that gives scores.
    """

    def __init__(self, model: Model, context: int, width: int) -> None:
        self._tokenizer = model.tokenizer
        self._pairs = model.pairs
        self._size = model.vocabulary
        self._context = context
        self._width = width

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the model can be asked for."""
        return ("embed",) if self._pairs is None else ("rerank",)

    def prepare(self, request: Request, arrived: float) -> Prepared | Answered:
        """See Engine.prepare."""
        match request.kind:
            case "embed" if self._pairs is None:
                openings = self._embed(request)
            case "rerank" if self._pairs is not None:
                openings = self._rerank(request)
            case "tokenize" if request.prompts:
                found = self._tokenizer.encode(
                    self._only(request, str), add_special_tokens=request.special
                ).ids
                return _answered(request, len(found), Tokens(request.id, 0, tuple(found)))
            case "detokenize":
                ids = self._only(request, tuple)
                check_tokens(ids, self._size, "tokens")
                text = self._tokenizer.decode(list(ids), skip_special_tokens=False)
                return _answered(request, len(ids), Text(request.id, 0, text))
            case _:
                raise self._wrong_task(request)
        return Prepared(request, openings, request.sampling, arrived)

    def _wrong_task(self, request: Request) -> RequestError:
        does = "gives vectors of texts" if self._pairs is None else "gives scores of documents"
        return RequestError(
            Code.WRONG_TASK,
            f"{request.name!r} {does} and cannot {request.kind}",
            hint="/v1/models tells which models do",
        )

    def _embed(self, request: Request) -> tuple[Opening, ...]:
        _check_count(len(request.prompts), "inputs", "input")
        if request.dimensions is not None and not 1 <= request.dimensions <= self._width:
            raise invalid(
                f"dimensions is {request.dimensions}, vectors of this model have 1 to"
                f" {self._width} numbers",
                param="dimensions",
            )
        return tuple(
            self._input(prompt, f"input[{place}]", request.truncate)
            for place, prompt in enumerate(request.prompts)
        )

    def _input(self, prompt: Prompt, where: str, truncate: bool) -> Opening:
        if isinstance(prompt, str):
            text = self._bounded(prompt, where, truncate)
            found = self._tokenizer.encode(text)
            tokens = found.ids
            if truncate and len(tokens) > self._context:
                tokens = self._cut(text)
        else:
            check_tokens(prompt, self._size, where)
            tokens = list(prompt[: self._context] if truncate else prompt)
        if not tokens:
            raise invalid(f"{where} is empty", param="input")
        if len(tokens) > self._context:
            raise self._too_long(where, str(len(tokens)), "input")
        return Opening(tokens, 0)

    def _cut(self, text: str) -> list[int]:
        """As many tokens as fit, with those that the model wants at the end of every text."""
        self._tokenizer.enable_truncation(self._context)
        try:
            return self._tokenizer.encode(text).ids
        finally:
            self._tokenizer.no_truncation()

    def _rerank(self, request: Request) -> tuple[Opening, ...]:
        assert self._pairs is not None  # noqa: S101 - asked by the caller
        query = self._bounded(self._only(request, str), "query", truncate=False)
        _check_count(len(request.documents), "documents", "documents")
        most = self._context if request.truncate else None
        openings = []
        for place, document in enumerate(request.documents):
            where = f"documents[{place}]"
            text = self._bounded(document, where, request.truncate)
            opening = self._pairs.write(query, text, most)
            if len(opening.tokens) > self._context:
                where = "query" if most else f"{where} with the query"
                raise self._too_long(where, str(len(opening.tokens)), "documents")
            openings.append(opening)
        return tuple(openings)

    def _bounded(self, text: str, where: str, truncate: bool) -> str:
        """The text, cut where that is far beyond what the model reads. Raises RequestError for one
        that is too long beyond doubt: a body of many megabytes would take a minute to count.
        """
        head = text[: _LONG * self._context]
        if len(head) == len(text):
            return text
        count = len(self._tokenizer.encode(head, add_special_tokens=False).ids)
        if truncate and count > self._context:
            return head
        if count > self._context:
            raise self._too_long(where, f"more than {count}", where.partition("[")[0])
        return text

    def _too_long(self, where: str, count: str, param: str) -> RequestError:
        return RequestError(
            Code.CONTEXT_LENGTH_EXCEEDED,
            f"{where} has {count} tokens, this model takes {self._context}",
            hint="send shorter texts, or truncate: true",
            param=param,
        )

    def _only(self, request: Request, kind: type[Any]) -> Any:
        if len(request.prompts) != 1 or not isinstance(request.prompts[0], kind):
            what = "text" if kind is str else "list of tokens"
            raise invalid(f"{request.kind} takes exactly one {what}")
        return request.prompts[0]


def _check_count(count: int, what: str, param: str) -> None:
    if not 1 <= count <= _MOST_TEXTS:
        raise invalid(
            f"there are {count} {what}, 1 to {_MOST_TEXTS} are taken at once", param=param
        )


def _answered(request: Request, count: int, answer: Event) -> Answered:
    """The events of a request that needed no more than a tokenizer."""
    usage = Usage(request.id, 0, count, 0, 0, Timings(0.0, 0.0, 0.0))
    return Answered((Accepted(request.id, 0, count), answer, usage))
