"""Neutral events to OpenAI's text completions, whole and streamed, and to vLLM's answers about
tokens; pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from lmxd.dialects import openai_logprobs
from lmxd.dialects.answer import Answer, Choice
from lmxd.dialects.openai_answers import REASONS, Heading, WireReason, usage_of
from schemas.inference import Event, Finish, Text, TokenLogprob, Usage

_encode = msgspec.json.Encoder().encode
_KIND = "text_completion"


def completion(heading: Heading, answer: Answer) -> dict[str, object]:
    """The answer as one `text_completion` object."""
    return {
        **heading.members(_KIND),
        "choices": [_whole(choice) for choice in answer.choices],
        "usage": usage_of(answer.usage),
    }


def _whole(choice: Choice) -> dict[str, object]:
    return _piece(choice.index, choice.text, choice.logprobs, 0, REASONS[choice.finish.reason])


def _piece(
    index: int,
    text: str,
    logprobs: Sequence[TokenLogprob] | None,
    offset: int,
    reason: WireReason | None,
) -> dict[str, object]:
    told = None if logprobs is None else openai_logprobs.completion(logprobs, offset)
    return {"text": text, "index": index, "logprobs": told, "finish_reason": reason}


class CompletionStream:
    """The answer as `text_completion` events: texts and finishes, usage if asked, [DONE]."""

    def __init__(self, heading: Heading, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._head = b"data: " + _encode(heading.members(_KIND))[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._offsets: dict[int, int] = {}

    def opening(self) -> bytes:
        """Nothing comes before the text."""
        return b""

    def event(self, event: Event) -> bytes:
        """A text as it comes, the finish, or the usage when it was asked for."""
        match event:
            case Text():
                offset = self._offsets.get(event.index, 0)
                self._offsets[event.index] = offset + len(event.text)
                return self._chunk(_piece(event.index, event.text, event.logprobs, offset, None))
            case Finish():
                return self._chunk(_piece(event.index, "", None, 0, REASONS[event.reason]))
            case Usage() if self._include_usage:
                return self._head + b'],"usage":' + _encode(usage_of(event)) + b"}\n\n"
            case _:
                return b""

    def closing(self) -> bytes:
        """The mark of a stream that ended well."""
        return b"data: [DONE]\n\n"

    def failure(self, body: Mapping[str, object]) -> bytes:
        """The error as the last event."""
        return b"data: " + _encode(body) + b"\n\n"

    def waiting(self) -> bytes:
        """A comment, which SSE clients skip."""
        return b": waiting\n\n"

    def _chunk(self, choice: Mapping[str, object]) -> bytes:
        return self._head + _encode(choice) + self._tail


def tokens(answer: Answer, context: int | None) -> dict[str, object]:
    """The answer of `POST /v1/tokenize`; `context` in tokens, where it is known."""
    found = [token for each in answer.tokens for token in each]
    return {"count": len(found), "max_model_len": context, "tokens": found, "token_strs": None}


def text(answer: Answer) -> dict[str, object]:
    """The answer of `POST /v1/detokenize`."""
    return {"prompt": "".join(answer.texts)}
