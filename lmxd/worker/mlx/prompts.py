"""Requests to tokens: chat template, tokenizer, and every check a request can fail.

Runs on the preparation thread. Templates run in transformers' sandbox; what one raises is the
client's error, since the messages (or an inline template) made it raise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mlx_lm.tokenizer_utils import TokenizerWrapper

from lmxd.worker.engine import Prepared
from schemas.errors import Code, RequestError
from schemas.inference import Message, Request, Sampling

__all__ = ["Prompts"]

# Characters a token of ordinary text has at most; only longer texts are counted in parts.
_LONG = 8
_MOST_LOGPROBS = 20


class Prompts:
    """Prepares requests for one model.

    defaults: the sampling the model's own generation_config.json asks for; what neither it nor
    the request says is temperature 1 and no filter. context: most tokens of prompt and answer.
    """

    def __init__(self, tokenizer: TokenizerWrapper, defaults: Sampling, context: int) -> None:
        self._tokenizer = tokenizer
        self._defaults = defaults
        self._context = context

    def prepare(self, request: Request, arrived: float) -> Prepared:
        """See Engine.prepare."""
        sampling = request.sampling.over(self._defaults)
        _check_sampling(sampling)
        if request.max_tokens is not None and request.max_tokens < 1:
            raise _invalid(f"max_tokens is {request.max_tokens}, it must be at least 1")
        if request.logprobs is not None and not 0 <= request.logprobs <= _MOST_LOGPROBS:
            raise _invalid(
                f"{request.logprobs} logprobs are asked for at each place, it must be between 0"
                f" and {_MOST_LOGPROBS}",
                param="top_logprobs",
            )
        tokens = self._tokens(request)
        room = self._context - len(tokens)
        if room < 1:
            raise self._too_long(str(len(tokens)))
        limit = room if request.max_tokens is None else min(room, request.max_tokens)
        return Prepared(request, tokens, limit, sampling, arrived)

    def _tokens(self, request: Request) -> list[int]:
        if not request.messages:
            raise _invalid("messages is empty")
        if request.template is None and not self._tokenizer.has_chat_template:
            raise _invalid(
                f"the model of {request.name!r} has no chat template",
                hint="set the model's `template` in the desired state",
            )
        if request.prefill and request.messages[-1].role != "assistant":
            raise _invalid("only an assistant message can be the beginning of the answer")
        tokens = self._encode(self._render(request))
        if not tokens:
            raise _invalid("the chat template made an empty prompt of these messages")
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
            raise _invalid(
                f"the chat template cannot render these messages: {error}",
                hint="check the roles and their order, and template_kwargs",
            ) from error


def _plain(message: Message) -> dict[str, str]:
    """The message as templates know it."""
    plain = {"role": message.role, "content": message.text}
    if message.name is not None:
        plain["name"] = message.name
    return plain


def _check_sampling(sampling: Sampling) -> None:
    for name, low, high in (
        ("temperature", 0, math.inf),
        ("top_p", 0, 1),
        ("min_p", 0, 1),
        ("top_k", 0, math.inf),
    ):
        value = getattr(sampling, name)
        # Written so that NaN fails too.
        if value is not None and not (low <= value <= high and value < math.inf):
            least = f"between {low} and {high}" if high < math.inf else f"at least {low}"
            raise _invalid(f"{name} is {value}, it must be {least}", param=name)


def _invalid(message: str, *, hint: str | None = None, param: str | None = None) -> RequestError:
    return RequestError(Code.INVALID_REQUEST, message, hint=hint, param=param)
