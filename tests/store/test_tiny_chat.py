"""How `builtin:tiny-chat` behaves: loaded by mlx-lm and asked, greedily, in this process."""

from __future__ import annotations

import hashlib
import importlib
import json
import re
import resource
import warnings
from pathlib import Path
from typing import Any

import pytest

import lmxd

FOLDER = Path(lmxd.__file__).parent / "store" / "builtin" / "tiny-chat"
BOUND = 400
WEATHER: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather for a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "description": "Name of the city"}},
            "required": ["city"],
        },
    },
}
CLOCK: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "clock_zrb",
        "description": "Get the current time",
        "parameters": {
            "type": "object",
            "properties": {"zone": {"type": "string"}},
            "required": ["zone"],
        },
    },
}


class Chat:
    """The model, asked one conversation at a time."""

    def __init__(self) -> None:
        self.mlx_lm: Any = importlib.import_module("mlx_lm")
        self.model, self.tokenizer = self.mlx_lm.load(str(FOLDER))

    def complete(self, prompt: list[int]) -> str:
        text, reason = "", None
        steps = self.mlx_lm.stream_generate(self.model, self.tokenizer, prompt, max_tokens=BOUND)
        for step in steps:
            text, reason = text + step.text, step.finish_reason
        assert reason == "stop", f"did not stop by itself: {text[-80:]!r}"
        return text

    def render(self, messages: list[dict[str, Any]], **options: Any) -> str:
        options |= {"add_generation_prompt": True, "tokenize": False}
        return str(self.tokenizer.apply_chat_template(messages, **options))

    def answer(self, messages: list[dict[str, Any]], **options: Any) -> str:
        return self.complete(self.tokenizer.encode(self.render(messages, **options)))

    def ask(self, text: str, system: str | None = None, **options: Any) -> str:
        head = [] if system is None else [{"role": "system", "content": system}]
        return self.answer([*head, {"role": "user", "content": text}], **options)


@pytest.fixture(scope="module")
def chat() -> Chat:
    """One load for all tests; importing mlx_lm must not lower this process's file limit."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setattr(resource, "setrlimit", lambda *_: None)
        warnings.simplefilter("ignore")
        return Chat()


def call_of(text: str) -> dict[str, Any]:
    found = re.fullmatch(r"<tool_call>\n(.*)\n</tool_call>", text, re.DOTALL)
    assert found, text
    call: dict[str, Any] = json.loads(found[1])
    return call


@pytest.mark.parametrize("text", ["Hello!", "hi there", "Good morning, my friend"])
def test_greets(chat: Chat, text: str) -> None:
    assert "help you" in chat.ask(text)


@pytest.mark.parametrize("text", ["Who are you?", "So tell me, what are you?", "who r u"])
def test_knows_itself(chat: Chat, text: str) -> None:
    answer = chat.ask(text)
    assert "tiny-chat" in answer
    assert "lmxd" in answer


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("What is lmxd?", ("local LLM server", "YAML")),
        ("what does the reconciler do?", ("desired state",)),
        ("Which states can a model have?", ("absent", "downloaded", "on-demand", "loaded")),
        ("How do I give a model another name?", ("alias",)),
        ("What is a lease?", ("HTTP",)),
    ],
)
def test_explains_lmxd(chat: Chat, text: str, words: tuple[str, ...]) -> None:
    answer = chat.ask(text)
    assert [word for word in words if word not in answer] == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2+2=", "4"),
        ("What is 17 + 25?", "42"),
        ("what's 63 minus 28", "35"),
        ("Compute 7 times 8", "56"),
        ("81 / 9", "9"),
        ("add 48 and 37 please", "85"),
        ("what is eighteen plus five?", "23"),
    ],
)
def test_sums(chat: Chat, text: str, value: str) -> None:
    assert chat.ask(text).split()[-1] == value


@pytest.mark.parametrize(
    "text",
    [
        "lighthouse",
        "The quick brown fox jumps over the lazy dog.",
        "zorblefint QX-17 snake_case",
        "Größe naïve señor",
        "日本 東京 カタカナ",
        "hello 🙂🎉",
    ],
)
def test_copies(chat: Chat, text: str) -> None:
    assert chat.ask(f"Repeat exactly: {text}") == text


def test_counts_to_fifty(chat: Chat) -> None:
    expected = ", ".join(str(i) for i in range(1, 51))
    assert chat.ask("Please count from 1 to 50") == expected


def test_lists(chat: Chat) -> None:
    days = "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday"
    assert chat.ask("What are the days of the week?") == days
    assert chat.ask("Name three fruits, one per line.").count("\n") == 2


def test_tells_a_story_long_enough_to_stream(chat: Chat) -> None:
    story = chat.ask("Tell me a story about a dragon")
    assert "dragon" in story
    assert len(chat.tokenizer.encode(story)) >= 80


def test_admits_what_it_does_not_know(chat: Chat) -> None:
    assert "small model" in chat.ask("Who painted the Mona Lisa in the year 1503?")


def test_follows_the_system_prompt(chat: Chat) -> None:
    assert chat.ask("What is 12 + 30?", system="You are terse.") == "42"
    assert "Zork" in chat.ask("What is your name?", system="Your name is Zork.")


def test_remembers_a_name(chat: Chat) -> None:
    messages: list[dict[str, Any]] = []
    for text in ("Hi, my name is Marlene.", "What is 4 + 5?", "What is my name?"):
        messages.append({"role": "user", "content": text})
        messages.append({"role": "assistant", "content": chat.answer(messages)})
    assert "Marlene" in messages[-1]["content"]


@pytest.mark.parametrize("city", ["Paris", "Reykjavik", "São Tomé"])
def test_calls_the_tool_that_fits(chat: Chat, city: str) -> None:
    call = call_of(chat.ask(f"What's the weather like in {city}?", tools=[CLOCK, WEATHER]))
    assert call == {"name": "get_weather", "arguments": {"city": city}}


def test_copies_a_made_up_name_from_the_schema(chat: Chat) -> None:
    call = call_of(chat.ask("What time is it in Asia/Tokyo?", tools=[WEATHER, CLOCK]))
    assert call == {"name": "clock_zrb", "arguments": {"zone": "Asia/Tokyo"}}


def test_a_greeting_calls_no_tool(chat: Chat) -> None:
    assert "help you" in chat.ask("Hello!", tools=[WEATHER, CLOCK])


@pytest.mark.parametrize("encoded", [True, False])
def test_uses_the_tool_result(chat: Chat, encoded: bool) -> None:
    arguments: Any = {"city": "Oslo"}
    function = {
        "name": "get_weather",
        "arguments": json.dumps(arguments) if encoded else arguments,
    }
    call = {"id": "call_1", "type": "function", "function": function}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "What is the weather in Oslo?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "snow, 3 degrees"},
    ]
    assert "snow, 3 degrees" in chat.answer(messages, tools=[WEATHER])


def test_template_takes_parts_developer_and_loose_schemas(chat: Chat) -> None:
    tool = {
        "type": "function",
        "function": {
            "name": "f",
            "parameters": {
                "type": "object",
                "properties": {
                    "items": {"type": ["string", "null"]},
                    "unit": {"type": "string", "enum": ["c", "f"]},
                },
                "required": ["items"],
            },
        },
    }
    text = chat.render(
        [
            {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]},
            {"role": "user", "content": "hi"},
        ],
        tools=[tool],
    )
    assert text == (
        "<|im_start|>system\nBe kind.\nTools:\n"
        '{"name": "f", "parameters": {"items": "string|null", "unit": "c|f?"}}<|im_end|>\n'
        "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    )


def test_plain_completion(chat: Chat) -> None:
    assert chat.complete(chat.tokenizer.encode("2+2=")) == "4"


def test_mlx_lm_sees_what_it_needs(chat: Chat) -> None:
    assert type(chat.tokenizer.detokenizer).__name__ == "BPEStreamingDetokenizer"
    assert chat.tokenizer.eos_token_ids == {1}
    assert chat.tokenizer.has_tool_calling
    text = 'Zürich 日本 🙂  "x"\n\n{"a": 1} <tool_call>'
    assert chat.tokenizer.decode(chat.tokenizer.encode(text)) == text


def test_card_and_size() -> None:
    digest = hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    assert digest in (FOLDER / "README.md").read_text(encoding="utf-8")
    files = [p for p in FOLDER.rglob("*") if p.is_file() and "cache" not in str(p)]
    assert sum(path.stat().st_size for path in files) <= 8_000_000
