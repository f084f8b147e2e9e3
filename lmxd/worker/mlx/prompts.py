"""Requests to tokens: chat template, tokenizer, and every check a request can fail.

Runs on the preparation thread. Templates run in transformers' sandbox; what one raises is the
client's error, since the messages (or an inline template) made it raise.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lmxd.worker.checks import check_counts, check_sampling, invalid
from lmxd.worker.engine import Prepared
from lmxd.worker.mlx.loading import Model
from schemas.errors import Code, RequestError
from schemas.inference import Message, Request

__all__ = ["Prompts"]

# Characters a token of ordinary text has at most; only longer texts are counted in parts.
_LONG = 8


class Prompts:
    """Prepares requests for one model. context: most tokens of prompt and answer.

    What neither the request nor the model's own generation_config.json says of sampling is
    temperature 1 and no filter.
    """

    def __init__(self, model: Model, context: int) -> None:
        self._tokenizer = model.tokenizer
        self._defaults = model.defaults
        self._vocabulary = model.vocabulary
        self._context = context

    def prepare(self, request: Request, arrived: float) -> Prepared:
        """See Engine.prepare."""
        sampling = request.sampling.over(self._defaults)
        check_sampling(sampling, self._vocabulary)
        check_counts(request)
        tokens = self._tokens(request)
        room = self._context - len(tokens)
        if room < 1:
            raise self._too_long(str(len(tokens)))
        limit = room if request.max_tokens is None else min(room, request.max_tokens)
        return Prepared(request, tokens, limit, sampling, arrived)

    def _tokens(self, request: Request) -> list[int]:
        if not request.messages:
            raise invalid("messages is empty")
        if request.template is None and not self._tokenizer.has_chat_template:
            raise invalid(
                f"the model of {request.name!r} has no chat template",
                hint="set the model's `template` in the desired state",
            )
        if request.prefill and request.messages[-1].role != "assistant":
            raise invalid("only an assistant message can be the beginning of the answer")
        tokens = self._encode(self._render(request))
        if not tokens:
            raise invalid("the chat template made an empty prompt of these messages")
        return tokens

    def _encode(self, text: str) -> list[int]:
        """The tokens of a text. Raises RequestError early when it is far too long.

        20 MB take a minute, in which no other request is prepared. So a long text is counted
        from its beginning, four times as much each time, until it is known to be too long; what
        a cut in the middle of a word may add to the count is allowed for.
        """
        encode: Callable[..., list[int]] = self._tokenizer.encode
        most = self._context + self._context // 4 + 64
        length = _LONG * self._context
        while length < len(text):
            if len(encode(text[:length], add_special_tokens=False)) > most:
                raise self._too_long(f"more than {most}")
            length *= 4
        return encode(text, add_special_tokens=False)

    def _too_long(self, count: str) -> RequestError:
        return RequestError(
            Code.CONTEXT_LENGTH_EXCEEDED,
            f"the prompt has {count} tokens, this model takes {self._context}"
            " with at least one for the answer",
            hint="shorten the messages, or give the model more context or kv_memory",
            param="messages",
        )

    def _render(self, request: Request) -> str:
        options: dict[str, Any] = dict(request.template_kwargs)
        if request.template is not None:
            options["chat_template"] = request.template
        render: Callable[..., str] = self._tokenizer.apply_chat_template
        try:
            return render(
                [_plain(message) for message in request.messages],
                tokenize=False,
                add_generation_prompt=not request.prefill,
                continue_final_message=request.prefill,
                **options,
            )
        except Exception as error:
            raise invalid(
                f"the chat template cannot render these messages: {error}",
                hint="check the roles and their order, and template_kwargs",
            ) from error


def _plain(message: Message) -> dict[str, str]:
    """The message as templates know it."""
    plain = {"role": message.role, "content": message.text}
    if message.name is not None:
        plain["name"] = message.name
    return plain
