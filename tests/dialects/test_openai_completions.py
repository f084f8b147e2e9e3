"""Bodies about plain text and tokens to neutral requests, and events to their answers."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from lmxd.dialects import openai_completions as dialect
from lmxd.dialects import openai_completions_answers as answers
from lmxd.dialects.answer import Collector
from lmxd.dialects.openai_answers import Heading
from schemas.errors import Code, RequestError
from schemas.inference import (
    Accepted,
    Alternative,
    Event,
    Finish,
    Grammar,
    Message,
    Prompt,
    Request,
    Text,
    TextPart,
    Timings,
    TokenLogprob,
    Tokens,
    Tool,
    Usage,
)

HEADING = Heading("cmpl-1", "m", 1_700_000_000)
USAGE = Usage("cmpl-1", 0, 10, 4, 8, Timings(0, 0, 0))


def completion(**fields: Any) -> dialect.Completion:
    return dialect.completion({"model": "m", "prompt": "Once", **fields}, "cmpl-1")


def tokenize(**fields: Any) -> Request:
    return dialect.tokenize({"model": "m", **fields}, "tok-1").request


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", ("",)),
        ("a", ("a",)),
        (["a", "b"], ("a", "b")),
        ([1, 2], ((1, 2),)),
        ([[1, 2], [3]], ((1, 2), (3,))),
        (["a", [1]], ("a", (1,))),
    ],
)
def test_the_forms_of_a_prompt(prompt: Any, expected: tuple[Prompt, ...]) -> None:
    asked = completion(prompt=prompt, n=2)
    assert asked.request.prompts == expected
    assert asked.request.kind == "completion"
    assert asked.choices == 2 * len(expected)


@pytest.mark.parametrize(
    ("prompt", "param"),
    [
        (None, "prompt"),
        (7, "prompt"),
        ({}, "prompt"),
        ([], "prompt"),
        ([[]], "prompt[0]"),
        ([1, "a"], "prompt[1]"),
        ([1, -1], "prompt[1]"),
        ([1, True], "prompt[1]"),
        ([1, 2**31], "prompt[1]"),
        ([True], "prompt[0]"),
        (["a", 1], "prompt[1]"),
        ([[1], [2, "a"]], "prompt[1][1]"),
        ([1.5], "prompt[0]"),
        (["a"] * 33, "prompt"),
    ],
)
def test_what_is_no_prompt(prompt: Any, param: str) -> None:
    with pytest.raises(RequestError) as caught:
        completion(prompt=prompt, n=32)
    assert (caught.value.code, caught.value.param) == (Code.INVALID_REQUEST, param)
    assert caught.value.message.startswith(param)


def test_a_prompt_is_needed() -> None:
    with pytest.raises(RequestError, match="prompt is required"):
        dialect.completion({"model": "m"}, "cmpl-1")


def test_all_of_a_completion() -> None:
    asked = completion(
        n=3,
        best_of=3,
        max_tokens=7,
        stop="x",
        temperature=0,
        seed=1,
        logprobs=5,
        echo=True,
        suffix="end",
        stream=True,
        stream_options={"include_usage": True},
        user="ann",
        priority=2,
        guided_regex="a+",
        mood="good",
    )
    request = asked.request
    assert (request.n, request.max_tokens, request.stop) == (3, 7, ("x",))
    assert (request.sampling.temperature, request.sampling.seed) == (0, 1)
    assert (request.logprobs, request.echo, request.suffix) == (5, True, "end")
    assert (request.identity, request.priority) == ("ann", 2)
    assert request.format == Grammar("regex", "a+")
    assert (asked.stream, asked.include_usage) == (True, True)
    assert asked.ignored == ("mood",)


def test_a_prompt_may_be_scored_without_an_answer() -> None:
    assert completion(max_tokens=0, echo=True).request.max_tokens == 0
    assert completion(max_tokens=-1).request.max_tokens is None
    assert completion(suffix="").request.suffix is None


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"max_tokens": 0}, "max_tokens", Code.INVALID_REQUEST),
        ({"max_tokens": -2}, "max_tokens", Code.INVALID_REQUEST),
        ({"logprobs": 21}, "logprobs", Code.INVALID_REQUEST),
        ({"logprobs": True}, "logprobs", Code.INVALID_REQUEST),
        ({"echo": 1}, "echo", Code.INVALID_REQUEST),
        ({"suffix": 1}, "suffix", Code.INVALID_REQUEST),
        ({"best_of": 3}, "best_of", Code.UNSUPPORTED_PARAMETER),
        ({"min_tokens": 3}, "min_tokens", Code.UNSUPPORTED_PARAMETER),
    ],
)
def test_what_is_refused(fields: dict[str, Any], param: str, code: Code) -> None:
    with pytest.raises(RequestError) as caught:
        completion(**fields)
    assert (caught.value.code, caught.value.param) == (code, param)


FIRST = TokenLogprob("Once", b"Once", None, 1)
SECOND = TokenLogprob(
    " a",
    b" a",
    -1.0,
    2,
    (Alternative(" b", b" b", -0.5, 3), Alternative(" c", b" c", -math.inf, 4)),
)
THIRD = TokenLogprob("!", b"!", -0.25, 5, (Alternative("!", b"!", -0.25, 5),))


def events() -> list[Event]:
    return [
        Text("cmpl-1", 0, "Once a", (FIRST, SECOND)),
        Text("cmpl-1", 1, "Twice"),
        Text("cmpl-1", 0, "!", (THIRD,)),
        Finish("cmpl-1", 0, "length"),
        Finish("cmpl-1", 1, "stop"),
    ]


def test_a_whole_answer() -> None:
    collector = Collector(Accepted("cmpl-1", 0, 10))
    for event in [*events(), USAGE]:
        collector.take(event)
    answer = collector.answer()
    assert answer is not None
    body: Any = json.loads(json.dumps(answers.completion(HEADING, answer), allow_nan=False))
    assert body["object"] == "text_completion"
    assert body["choices"] == [
        {
            "text": "Once a!",
            "index": 0,
            "logprobs": {
                "tokens": ["Once", " a", "!"],
                "token_logprobs": [None, -1.0, -0.25],
                "top_logprobs": [None, {" a": -1.0, " b": -0.5, " c": -9999.0}, {"!": -0.25}],
                "text_offset": [0, 4, 6],
            },
            "finish_reason": "length",
        },
        {"text": "Twice", "index": 1, "logprobs": None, "finish_reason": "stop"},
    ]
    assert body["usage"]["total_tokens"] == 14


def test_the_same_streamed() -> None:
    stream = answers.CompletionStream(HEADING, include_usage=True)
    chunks: list[Any] = []
    for event in [*events(), USAGE]:
        message = stream.event(event)
        assert message.startswith(b"data: ")
        chunks.append(json.loads(message.removeprefix(b"data: ")))
    pieces = [chunk["choices"][0] for chunk in chunks[:-1]]
    assert [(piece["index"], piece["text"]) for piece in pieces] == [
        (0, "Once a"),
        (1, "Twice"),
        (0, "!"),
        (0, ""),
        (1, ""),
    ]
    assert pieces[0]["logprobs"]["text_offset"] == [0, 4]
    assert pieces[2]["logprobs"]["text_offset"] == [6]
    assert [piece["finish_reason"] for piece in pieces] == [None, None, None, "length", "stop"]
    assert chunks[0]["usage"] is None
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 4
    assert stream.event(Accepted("cmpl-1", 0, 10)) == b""
    assert answers.CompletionStream(HEADING, include_usage=False).event(USAGE) == b""


def test_tokens_of_a_text() -> None:
    asked = tokenize(prompt="a")
    assert (asked.kind, asked.prompts, asked.special, asked.messages) == (
        "tokenize",
        ("a",),
        True,
        (),
    )
    assert not tokenize(prompt="a", add_special_tokens=False).special
    assert not tokenize(content="a", add_special=False).special


def test_tokens_of_messages() -> None:
    asked = tokenize(
        messages=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        tools=[{"type": "function", "function": {"name": "f"}}],
        chat_template_kwargs={"x": 1},
    )
    assert asked.prompts == ()
    assert asked.messages[0] == Message("user", (TextPart("a"),))
    assert asked.tools == (Tool("f", "", {"type": "object", "properties": {}}),)
    assert asked.template_kwargs == {"x": 1}
    assert asked.prefill


@pytest.mark.parametrize(
    "fields",
    [{}, {"prompt": "a", "content": "b"}, {"prompt": "a", "messages": [{"role": "user"}]}],
)
def test_one_thing_is_tokenized(fields: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        tokenize(**fields)


def test_the_answers_about_tokens() -> None:
    collector = Collector(Accepted("tok-1", 0, 2))
    collector.take(Tokens("tok-1", 0, (1, 2)))
    collector.take(Text("tok-1", 0, "ab"))
    collector.take(USAGE)
    answer = collector.answer()
    assert answer is not None
    assert answers.tokens(answer, 4096) == {
        "count": 2,
        "max_model_len": 4096,
        "tokens": [1, 2],
        "token_strs": None,
    }
    assert answers.text(answer) == {"prompt": "ab"}


def test_text_of_tokens() -> None:
    asked = dialect.detokenize({"model": "m", "tokens": [1, 2], "mood": 1}, "tok-1")
    assert (asked.request.kind, asked.request.prompts) == ("detokenize", ((1, 2),))
    assert asked.ignored == ("mood",)
    with pytest.raises(RequestError, match=r"tokens\[0\]"):
        dialect.detokenize({"model": "m", "tokens": [-1]}, "tok-1")
