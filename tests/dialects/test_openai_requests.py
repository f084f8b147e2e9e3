"""OpenAI chat bodies to neutral requests: what is honoured, refused, ignored, and said about it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lmxd.dialects import openai
from lmxd.dialects.openai_fields import CHAT
from schemas.errors import Code, RequestError
from schemas.inference import Message, Sampling, TextPart

HELLO = [{"role": "user", "content": "hello"}]


def chat(**fields: Any) -> openai.Chat:
    return openai.chat({"model": "day-coder", "messages": HELLO, **fields}, "chatcmpl-1")


def refusal(**fields: Any) -> RequestError:
    with pytest.raises(RequestError) as caught:
        chat(**fields)
    return caught.value


def test_the_least_request() -> None:
    asked = chat()
    assert asked.request.id == "chatcmpl-1"
    assert asked.request.name == "day-coder"
    assert asked.request.messages == (Message("user", (TextPart("hello"),)),)
    assert asked.request.sampling == Sampling()
    assert asked.request.max_tokens is None
    assert asked.request.identity == "anonymous"
    assert not asked.request.prefill
    assert not asked.stream
    assert asked.ignored == ()


def test_sampling_and_bounds() -> None:
    asked = chat(
        temperature=0, top_p=0.9, top_k=40, min_p=0.05, seed=7, max_tokens=64, stop=["\n", "END"]
    ).request
    assert asked.sampling == Sampling(0.0, 0.9, 40, 0.05, 7)
    assert asked.max_tokens == 64
    assert asked.stop == ("\n", "END")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({"max_tokens": -1}, None),
        ({"max_tokens": None}, None),
    ],
)
def test_max_tokens_under_both_names(fields: dict[str, Any], expected: int | None) -> None:
    assert chat(**fields).request.max_tokens == expected


@pytest.mark.parametrize(
    ("stop", "expected"),
    [(None, ()), ("END", ("END",)), ([], ()), ("", ()), (["", "a"], ("a",))],
)
def test_stop_strings(stop: Any, expected: tuple[str, ...]) -> None:
    assert chat(stop=stop).request.stop == expected


@pytest.mark.parametrize(("seed", "expected"), [(0, 0), (-1, 2**64 - 1), (2**64 - 1, 2**64 - 1)])
def test_seeds_are_unsigned_for_engines(seed: int, expected: int) -> None:
    assert chat(seed=seed).request.sampling.seed == expected


def test_top_k_of_minus_one_is_off() -> None:
    assert chat(top_k=-1).request.sampling.top_k == 0


def test_roles_parts_and_names() -> None:
    asked = chat(
        messages=[
            {"role": "developer", "content": "be terse"},
            {"role": "system", "content": [{"type": "text", "text": "be kind"}]},
            {
                "role": "user",
                "name": "ann",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "42"},
        ]
    ).request
    assert [message.role for message in asked.messages] == [
        "system",
        "system",
        "user",
        "assistant",
        "tool",
    ]
    assert [message.text for message in asked.messages] == [
        "be terse",
        "be kind",
        "ab",
        "no",
        "42",
    ]
    assert asked.messages[2].name == "ann"
    assert not asked.prefill


def test_a_last_assistant_message_is_the_beginning_of_the_answer() -> None:
    start = {"role": "assistant", "content": "Once upon"}
    assert chat(messages=[*HELLO, start]).request.prefill
    assert not chat(messages=[*HELLO, start, *HELLO]).request.prefill
    assert not chat(messages=[*HELLO, {"role": "assistant", "content": ""}]).request.prefill


def test_stream_user_and_template_arguments() -> None:
    asked = chat(
        stream=True,
        stream_options={"include_usage": True, "include_obfuscation": False},
        user="night-bot",
        chat_template_kwargs={"enable_thinking": False, "deep": [{"a": None}]},
    )
    assert asked.stream
    assert asked.include_usage
    assert asked.request.identity == "night-bot"
    assert asked.request.template_kwargs == {"enable_thinking": False, "deep": [{"a": None}]}
    assert asked.ignored == ()


NEUTRAL = [{name: value} for name, values in CHAT.unserved.items() for value in (*values, None)]


@pytest.mark.parametrize("fields", NEUTRAL, ids=json.dumps)
def test_values_that_ask_for_nothing_are_accepted_in_silence(fields: dict[str, Any]) -> None:
    assert chat(**fields).ignored == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"functions": [{"name": "f"}]},
        {"function_call": {"name": "f"}},
        {"best_of": 2},
        {"min_tokens": 5},
        {"service_tier": "gold"},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "alloy"}},
        {"adapter": "sql"},
        {"ttl": 300},
        {"ignore_eos": True},
    ],
    ids=json.dumps,
)
def test_what_means_something_and_cannot_be_done_is_refused(fields: dict[str, Any]) -> None:
    error = refusal(**fields)
    (name,) = fields
    assert (error.code, error.param) == (Code.UNSUPPORTED_PARAMETER, name)
    assert name in error.message


@pytest.mark.parametrize("name", sorted(CHAT.advisory))
def test_advice_is_accepted_in_silence(name: str) -> None:
    assert chat(**{name: {"any": "thing"}}).ignored == ()


def test_unknown_fields_are_ignored_and_named() -> None:
    asked = chat(
        foo=1,
        bar=None,
        stream_options={"speed": 9},
        messages=[
            {
                "role": "user",
                "mood": "good",
                "content": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}],
            },
            {"role": "assistant", "content": "b", "refusal": None, "annotations": [], "id": "m"},
        ],
    )
    assert asked.ignored == (
        "foo",
        "stream_options.speed",
        "messages[0].mood",
        "messages[0].content[0].cache_control",
    )


BAD = [
    ({"model": 7}, "model"),
    ({"model": ""}, "model"),
    ({"model": None}, "model"),
    ({"messages": []}, "messages"),
    ({"messages": None}, "messages"),
    ({"messages": "hello"}, "messages"),
    ({"messages": {}}, "messages"),
    ({"messages": ["hello"]}, "messages[0]"),
    ({"messages": [{}]}, "messages[0].role"),
    ({"messages": [{"role": "user"}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
    ({"messages": [{"role": "user", "content": {"a": 1}}]}, "messages[0].content"),
    ({"messages": [{"role": "king", "content": "a"}]}, "messages[0].role"),
    ({"messages": [{"role": "user", "content": "a", "name": 1}]}, "messages[0].name"),
    ({"messages": [{"role": "user", "content": ["a"]}]}, "messages[0].content[0]"),
    ({"messages": [{"role": "user", "content": [{}]}]}, "messages[0].content[0].type"),
    ({"messages": [{"role": "user", "content": [{"type": "x"}]}]}, "messages[0].content[0].type"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "text", "text": 1}]}]},
        "messages[0].content[0].text",
    ),
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": -0.1}, "temperature"),
    ({"temperature": 2.1}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"top_p": 1.5}, "top_p"),
    ({"top_p": [1]}, "top_p"),
    ({"top_k": 1.5}, "top_k"),
    ({"top_k": -2}, "top_k"),
    ({"min_p": 2}, "min_p"),
    ({"seed": "7"}, "seed"),
    ({"seed": 2**64}, "seed"),
    ({"seed": 1.5}, "seed"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"max_tokens": -2}, "max_tokens"),
    ({"max_tokens": "many"}, "max_tokens"),
    ({"max_completion_tokens": 0}, "max_completion_tokens"),
    ({"stop": 7}, "stop"),
    ({"stop": [7]}, "stop[0]"),
    ({"stop": ["a"] * 17}, "stop"),
    ({"stream": "yes"}, "stream"),
    ({"stream": 1}, "stream"),
    ({"stream_options": []}, "stream_options"),
    ({"stream_options": {"include_usage": 1}}, "stream_options.include_usage"),
    ({"user": 7}, "user"),
    ({"n": 0}, "n"),
    ({"n": 33}, "n"),
    ({"n": True}, "n"),
    ({"logprobs": 1}, "logprobs"),
    ({"top_logprobs": 21, "logprobs": True}, "top_logprobs"),
    ({"top_logprobs": 3}, "top_logprobs"),
    ({"top_logprobs": 3, "logprobs": False}, "top_logprobs"),
    ({"logit_bias": {"hello": 1}}, "logit_bias.hello"),
    ({"logit_bias": {"-1": 1}}, "logit_bias.-1"),
    ({"logit_bias": {"5": 101}}, "logit_bias.5"),
    ({"logit_bias": [5]}, "logit_bias"),
    ({"presence_penalty": 2.1}, "presence_penalty"),
    ({"frequency_penalty": "x"}, "frequency_penalty"),
    ({"repetition_penalty": 0}, "repetition_penalty"),
    ({"repetition_penalty": 1.1, "repeat_penalty": 1.2}, "repeat_penalty"),
    ({"xtc_probability": 2}, "xtc_probability"),
    ({"priority": 101}, "priority"),
    ({"reasoning_effort": "hard"}, "reasoning_effort"),
    ({"reasoning": {"max_tokens": -1}}, "reasoning.max_tokens"),
    ({"thinking_budget": "long"}, "thinking_budget"),
    ({"continue_final_message": True}, "continue_final_message"),
    ({"chat_template_kwargs": []}, "chat_template_kwargs"),
    ({"chat_template_kwargs": {"a": 2**64}}, "chat_template_kwargs"),
]


@pytest.mark.parametrize(("fields", "param"), BAD, ids=lambda value: json.dumps(value)[:60])
def test_bad_input_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    error = refusal(**fields)
    assert (error.code, error.param) == (Code.INVALID_REQUEST, param)
    assert error.message.startswith(param)


def test_sentences_about_bad_input() -> None:
    assert refusal(temperature=2.5).message == (
        "temperature must be less than or equal to 2, got 2.5"
    )
    assert refusal(messages=[]).message == "messages must not be empty"
    assert refusal(max_tokens=0).message == "max_tokens must be at least 1, got 0"
    assert refusal(stop={}).message == "stop must be a string or a list of strings, got {}"
    assert len(refusal(temperature="x" * 10_000).message) < 200


def test_template_arguments_are_not_nested_without_end() -> None:
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"a": deep}
    assert refusal(chat_template_kwargs=deep).param == "chat_template_kwargs"


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file"])
def test_media_parts_are_not_supported(kind: str) -> None:
    error = refusal(messages=[{"role": "user", "content": [{"type": kind, kind: {}}]}])
    assert (error.code, error.param) == (Code.UNSUPPORTED_PARAMETER, "messages[0].content[0]")


@pytest.mark.parametrize(
    "message",
    [
        {"role": "assistant", "content": "", "function_call": {"name": "f"}},
        {"role": "assistant", "content": "", "audio": {"id": "a"}},
    ],
)
def test_calls_of_old_and_voices_are_not_supported(message: dict[str, Any]) -> None:
    error = refusal(messages=[*HELLO, message])
    assert error.code is Code.UNSUPPORTED_PARAMETER
    assert (error.param or "").startswith("messages[1].")


def test_the_error_for_an_old_field_names_the_new_one() -> None:
    assert refusal(functions=[{"name": "f"}]).hint == "use tools"
    assert refusal(best_of=2).hint == "leave it out"
