"""Requests to tokens: tokenizer, and every check a request can fail.

Runs on the preparation thread, which also answers what needs only a tokenizer. What is chat about
a request, from template to format, is with `Chats`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lmxd.worker.checks import check_counts, check_echo, check_sampling, check_tokens, invalid
from lmxd.worker.engine import Answered, Opening, Prepared
from lmxd.worker.mlx.chats import Chats
from lmxd.worker.mlx.infill import Infill
from lmxd.worker.mlx.loading import Model
from lmxd.worker.reading import PLAIN, Reading
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

__all__ = ["Prompts"]

# Characters a token of ordinary text has at most; only longer texts are counted in parts.
_LONG = 8
# Texts of at most that many tokens are counted for whoever only wants to know; it takes a second.
_COUNTED = 131_072


class Prompts:
    """Prepares requests for one model. context: most tokens of prompt and answer.

    What neither the request nor the model's own generation_config.json says of sampling is
    temperature 1 and no filter.
    """

    def __init__(self, model: Model, chats: Chats, context: int) -> None:
        self._tokenizer = model.tokenizer
        self._defaults = model.defaults
        self._size = model.vocabulary
        self._chats = chats
        self._context = context
        self._infill = Infill.of(model.tokenizer)

    @property
    def capabilities(self) -> tuple[str, ...]:
        """What the model can be asked for: `chat`, `completion`, `suffix` in the latter, and what
        `Chats` says of tools, reasoning and formats.
        """
        chat = ("chat",) if self._tokenizer.has_chat_template else ()
        suffix = ("suffix",) if self._infill else ()
        return (*chat, "completion", *suffix, *self._chats.capabilities)

    def prepare(self, request: Request, arrived: float) -> Prepared | Answered:
        """See Engine.prepare."""
        match request.kind:
            case "chat" | "completion":
                return self._generation(request, arrived)
            case "count":
                tokens = self._encode(self._chats.text(request), self._counted)
                return _answered(request, len(tokens))
            case "tokenize" if not request.prompts:  # the messages of a chat
                tokens = self._encode(self._chats.text(request), self._counted)
                return _answered(request, len(tokens), Tokens(request.id, 0, tuple(tokens)))
            case "tokenize":
                tokens = self._text_tokens(self._only(request, str), self._counted, request.special)
                return _answered(request, len(tokens), Tokens(request.id, 0, tuple(tokens)))
            case "detokenize":
                ids = self._only(request, tuple)
                check_tokens(ids, self._size, "tokens")
                text = self._tokenizer.decode(list(ids), clean_up_tokenization_spaces=False)
                return _answered(request, len(ids), Text(request.id, 0, text))
            case _:
                raise RequestError(
                    Code.WRONG_TASK,
                    f"{request.name!r} generates text and cannot {request.kind}",
                    hint="/v1/models tells which models do",
                )

    def _generation(self, request: Request, arrived: float) -> Prepared:
        sampling = request.sampling.over(self._defaults)
        check_sampling(sampling, self._size)
        check_counts(request)
        if request.kind == "chat":
            return Prepared(request, (self._chat(request),), sampling, arrived)
        openings = tuple(self._completion(request, prompt) for prompt in request.prompts)
        return Prepared(request, openings, sampling, arrived)

    def _chat(self, request: Request) -> Opening:
        prompt, reading = self._chats.prompt(request)
        tokens = self._encode(prompt, self._context)
        if not tokens:
            raise invalid("the chat template made an empty prompt of these messages")
        return self._opening(request, tokens, reading=reading)

    def _completion(self, request: Request, prompt: Prompt) -> Opening:
        if request.suffix is not None:
            return self._gap(request, prompt, request.suffix)
        if isinstance(prompt, str):
            tokens, shown = self._text_tokens(prompt, self._context, special=True), prompt
        else:
            check_tokens(prompt, self._size, "prompt")
            tokens, shown = list(prompt), self._shown(prompt) if request.echo else ""
        if not tokens:
            raise invalid("the prompt is empty", param="prompt")
        check_echo(request, len(tokens))
        reading = self._chats.raw(request)
        return self._opening(request, tokens, shown if request.echo else "", reading=reading)

    def _gap(self, request: Request, prompt: Prompt, suffix: str) -> Opening:
        if self._infill is None:
            raise RequestError(
                Code.UNSUPPORTED_PARAMETER,
                f"suffix: the model of {request.name!r} has no tokens for a gap in a text",
                hint="choose a model for code that has, such as Qwen2.5-Coder or StarCoder",
                param="suffix",
            )
        if request.echo:
            raise invalid("echo and suffix do not go together", param="suffix")
        if isinstance(prompt, str):
            before = self._encode(prompt, self._context)
        else:
            check_tokens(prompt, self._size, "prompt")
            before = list(prompt)
        tokens = self._infill.prompt(before, suffix, lambda text: self._encode(text, self._context))
        reading = self._chats.raw(request)
        return self._opening(
            request, [*self._first(), *tokens], ends=self._infill.ends, reading=reading
        )

    def _opening(
        self,
        request: Request,
        tokens: list[int],
        shown: str = "",
        ends: frozenset[int] = frozenset(),
        reading: Reading = PLAIN,
    ) -> Opening:
        room = self._context - len(tokens)
        if room < (request.max_tokens != 0):
            raise self._too_long(str(len(tokens)), self._context)
        limit = room if request.max_tokens is None else min(room, request.max_tokens)
        return Opening(tokens, limit, shown, ends, reading)

    def _first(self) -> list[int]:
        """What the tokenizer puts before every text."""
        if self._tokenizer.bos_token_id is None:
            return []
        tokens: list[int] = self._tokenizer.encode("", add_special_tokens=True)
        return tokens[:1] if tokens[:1] == [self._tokenizer.bos_token_id] else []

    def _text_tokens(self, text: str, most: int, special: bool) -> list[int]:
        """The tokens of a text by itself; it may begin with what would be put before it."""
        first = self._tokenizer.bos_token
        begun = bool(first) and text.startswith(first)
        return self._encode(text, most, special=special and not begun)

    def _encode(self, text: str, context: int, *, special: bool = False) -> list[int]:
        """The tokens of a text. Raises RequestError early when it is far too long.

        20 MB take a minute, in which no other request is prepared. So a long text is counted
        from its beginning, four times as much each time, until it is known to be too long; what
        a cut in the middle of a word may add to the count is allowed for.
        """
        encode: Callable[..., list[int]] = self._tokenizer.encode
        most = context + context // 4 + 64
        length = _LONG * context
        while length < len(text):
            if len(encode(text[:length], add_special_tokens=False)) > most:
                raise self._too_long(f"more than {most}", context)
            length *= 4
        return encode(text, add_special_tokens=special)

    @property
    def _counted(self) -> int:
        """Tokens of the longest text that is counted for its own sake."""
        return max(4 * self._context, _COUNTED)

    def _too_long(self, count: str, most: int) -> RequestError:
        room = " with at least one for the answer" if most == self._context else " to be counted"
        return RequestError(
            Code.CONTEXT_LENGTH_EXCEEDED,
            f"the prompt has {count} tokens, this model takes {most}{room}",
            hint="shorten the prompt, or give the model more context or kv_memory",
        )

    def _shown(self, tokens: tuple[int, ...]) -> str:
        """The text of a prompt that came as tokens."""
        detokenizer = self._chats.vocabulary.detokenizer(continues=False)
        return "".join(map(detokenizer.feed, tokens)) + detokenizer.flush()

    def _only(self, request: Request, kind: type[Any]) -> Any:
        if len(request.prompts) != 1 or not isinstance(request.prompts[0], kind):
            what = "text" if kind is str else "list of tokens"
            raise invalid(f"{request.kind} takes exactly one {what}")
        return request.prompts[0]


def _answered(request: Request, count: int, *answer: Event) -> Answered:
    """The events of a request that needed no more than a tokenizer."""
    usage = Usage(request.id, 0, count, 0, 0, Timings(0.0, 0.0, 0.0))
    return Answered((Accepted(request.id, 0, count), *answer, usage))
