"""Ollama's bodies to neutral requests: what is honoured, refused, ignored, and said about it."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from lmxd.dialects import ollama
from lmxd.dialects.ollama_fields import seconds
from schemas.errors import Code, RequestError
from schemas.inference import (
    Grammar,
    Message,
    Reasoning,
    ReasoningPart,
    Request,
    Sampling,
    TextPart,
    Tool,
    ToolCallPart,
    ToolResultPart,
)

HELLO = [{"role": "user", "content": "hello"}]
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "description": "of a city", "parameters": {"type": "object"}},
}


def chat(**fields: Any) -> ollama.Asked:
    return ollama.chat({"model": "day-coder", "messages": HELLO, **fields}, "r1")


def generate(**fields: Any) -> ollama.Asked:
    return ollama.generate({"model": "day-coder", "prompt": "hello", **fields}, "r1")


def said(*texts: str) -> tuple[TextPart, ...]:
    return tuple(TextPart(each) for each in texts)


def test_the_least_chat() -> None:
    found = chat()
    assert found.request == Request("r1", "day-coder", (Message("user", said("hello")),))
    assert (found.stream, found.keep_s, found.nothing, found.ignored) == (True, None, False, ())


def test_the_least_generate() -> None:
    assert generate().request == chat().request
    assert generate(system="Be brief.").request.messages == (
        Message("system", said("Be brief.")),
        Message("user", said("hello")),
    )


def test_options() -> None:
    found = chat(
        options={
            "num_predict": 42,
            "temperature": 0.5,
            "top_k": 40,
            "top_p": 0.9,
            "min_p": 0.05,
            "seed": -7,
            "stop": ["END", ""],
            "repeat_penalty": 1.1,
            "presence_penalty": 0.5,
            "frequency_penalty": -0.5,
            "num_ctx": 8192,
            "num_gpu": 99,
            "mirostat": 0,
            "surprise": 1,
        },
        stream=False,
    )
    assert found.request.sampling == Sampling(
        temperature=0.5,
        top_k=40,
        top_p=0.9,
        min_p=0.05,
        seed=2**64 - 7,
        repetition=1.1,
        presence=0.5,
        frequency=-0.5,
    )
    assert (found.request.max_tokens, found.request.stop) == (42, ("END",))
    assert (found.stream, found.ignored) == (False, ("options.surprise",))


@pytest.mark.parametrize("bound", [-1, -2, 0])
def test_no_bound_on_tokens(bound: int) -> None:
    assert chat(options={"num_predict": bound, "seed": -1}).request == chat().request


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, None), ("", None), ("json", Grammar("json")), ({"a": "ü"}, {"a": "ü"})],
)
def test_format(given: Any, expected: Any) -> None:
    found = generate(format=given).request.format
    if isinstance(expected, dict):
        assert found is not None
        assert (found.kind, json.loads(found.text)) == ("schema", expected)
    else:
        assert found == expected


@pytest.mark.parametrize(
    ("think", "expected"),
    [
        (None, Reasoning()),
        (False, Reasoning("none")),
        (True, Reasoning("medium")),
        ("high", Reasoning("high")),
    ],
)
def test_think(think: Any, expected: Reasoning) -> None:
    assert chat(think=think).request.reasoning == expected


def test_logprobs() -> None:
    assert chat(logprobs=True, top_logprobs=3).request.logprobs == 3
    assert chat(logprobs=True).request.logprobs == 0
    assert chat(top_logprobs=3).request.logprobs is None


def test_a_conversation_with_tools_and_thoughts() -> None:
    rome = {"function": {"name": "weather", "arguments": {"c": "Röm"}}}
    oslo = {"id": "own", "function": {"name": "time", "arguments": {}}}
    found = chat(
        messages=[
            *HELLO,
            {"role": "assistant", "thinking": "two", "content": "", "tool_calls": [rome, oslo]},
            {"role": "tool", "tool_name": "time", "content": "noon"},
            {"role": "tool", "content": "sunny"},
            {"role": "tool", "content": "whose?", "tool_name": "x"},
        ],
        tools=[WEATHER],
    ).request
    assert found.tools == (Tool("weather", "of a city", {"type": "object"}),)
    assert found.messages[1:] == (
        Message(
            "assistant",
            (
                ReasoningPart("two"),
                ToolCallPart("call_0", "weather", '{"c": "Röm"}'),
                ToolCallPart("own", "time", "{}"),
            ),
        ),
        Message("tool", (ToolResultPart("own", "noon"),), "time"),
        Message("tool", (ToolResultPart("call_0", "sunny"),), "weather"),
        Message("tool", (ToolResultPart("x", "whose?"),), "x"),
    )


def test_an_answer_can_be_begun() -> None:
    assert chat(messages=[*HELLO, {"role": "assistant", "content": "Well,"}]).request.prefill


def test_raw_prompts_and_gaps_go_to_the_model_as_they_are() -> None:
    raw = generate(raw=True, options={"num_predict": 5}).request
    assert (raw.kind, raw.prompts, raw.messages, raw.max_tokens) == (
        "completion",
        ("hello",),
        (),
        5,
    )
    gap = generate(suffix="end").request
    assert (gap.kind, gap.prompts, gap.suffix) == ("completion", ("hello",), "end")


def test_a_template_of_ones_own_is_jinja() -> None:
    assert generate(template="{{ messages }}").request.template == "{{ messages }}"
    for go in ("{{ .Prompt }}", "{{- if .System }}x{{ end }}", "{{range .Messages}}"):
        with pytest.raises(RequestError) as caught:
            generate(template=go)
        assert (caught.value.code, caught.value.param) == (Code.UNSUPPORTED_PARAMETER, "template")


@pytest.mark.parametrize(
    "found",
    [
        ollama.chat({"model": "m"}, "r1"),
        ollama.chat({"model": "m", "messages": []}, "r1"),
        ollama.generate({"model": "m", "prompt": ""}, "r1"),
        ollama.embed({"model": "m", "input": []}, "r1"),
        ollama.embeddings({"model": "m", "prompt": ""}, "r1"),
    ],
)
def test_nothing_to_say_anything_about(found: ollama.Asked) -> None:
    assert (found.nothing, found.unload, found.request.kind) == (True, False, "tokenize")


def test_nothing_and_nobody_to_stay_for() -> None:
    assert ollama.generate({"model": "m", "keep_alive": 0}, "r1").unload
    assert not generate(keep_alive=0).unload
    assert generate(keep_alive=0).keep_s == 0


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, None),
        ("", None),
        (0, 0),
        ("0", 0),
        ("0s", 0),
        (300, 300),
        (1.5, 1.5),
        ("5m", 300),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("500ms", 0.5),
        (-1, math.inf),
        ("-1", math.inf),
        ("-1m", math.inf),
        ("24h", 86400),
    ],
)
def test_keep_alive(given: Any, expected: float | None) -> None:
    assert seconds(given) == expected


def test_embeddings() -> None:
    body = {"model": "m", "input": ["a", "b"], "dimensions": 64, "truncate": True}
    found = ollama.embed(body, "r1")
    assert found.request == Request(
        "r1", "m", kind="embed", prompts=("a", "b"), dimensions=64, truncate=True
    )
    assert found.ignored == ()
    assert ollama.embed({"model": "m", "input": "a"}, "r1").request.prompts == ("a",)
    assert ollama.embeddings({"model": "m", "prompt": "a"}, "r1").request.prompts == ("a",)
    assert ollama.embed({"model": "m", "input": "a"}, "r1").request.truncate
    assert not ollama.embed({"model": "m", "input": "a", "truncate": False}, "r1").request.truncate


DEEP: Any = {"a": 2**70}


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"model": ""}, Code.INVALID_REQUEST, "model"),
        ({"messages": "x"}, Code.INVALID_REQUEST, "messages"),
        ({"messages": [{"role": "bot"}]}, Code.INVALID_REQUEST, "messages[0].role"),
        (
            {"messages": [{"role": "user", "images": ["x"]}]},
            Code.UNSUPPORTED_PARAMETER,
            "messages[0].images",
        ),
        ({"options": {"temperature": "1"}}, Code.INVALID_REQUEST, "options.temperature"),
        ({"options": {"mirostat": 2}}, Code.UNSUPPORTED_PARAMETER, "options.mirostat"),
        ({"format": "yaml"}, Code.UNSUPPORTED_PARAMETER, "format"),
        ({"format": DEEP}, Code.INVALID_REQUEST, "format"),
        ({"keep_alive": "soon"}, Code.INVALID_REQUEST, "keep_alive"),
        ({"keep_alive": True}, Code.INVALID_REQUEST, None),
        ({"think": "a lot"}, Code.INVALID_REQUEST, None),
        ({"tools": [WEATHER, WEATHER]}, Code.INVALID_REQUEST, "tools[1].function.name"),
        ({"tools": [{"type": "function"}]}, Code.INVALID_REQUEST, "tools[0].function"),
        ({"context": [1, 2]}, Code.UNSUPPORTED_PARAMETER, "context"),
    ],
)
def test_what_is_refused_is_named(fields: dict[str, Any], code: Code, param: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        chat(**fields)
    assert caught.value.code == code
    assert caught.value.param
    assert param is None or caught.value.param == param


def test_what_a_raw_prompt_cannot_have_is_refused() -> None:
    for fields in ({"raw": True, "system": "x"}, {"suffix": "s", "template": "{{ x }}"}):
        with pytest.raises(RequestError):
            generate(**fields)
    with pytest.raises(RequestError) as caught:
        generate(images=["x"])
    assert caught.value.param == "images"


def test_unknown_fields_are_named() -> None:
    found = chat(mood=1, messages=[{"role": "user", "content": "x", "odd": 1}])
    assert found.ignored == ("mood", "messages[0].odd")
