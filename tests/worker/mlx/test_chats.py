"""Tools and reasoning in the engine: what the template is told, and what the answer becomes."""

import json
from pathlib import Path

import jsonschema
import pytest

import lmxd
from schemas.errors import RequestError
from schemas.inference import (
    Grammar,
    Message,
    Reasoning,
    Sampling,
    Text,
    TextPart,
    Thinking,
    Tool,
    ToolArgs,
    ToolCallPart,
    ToolEnd,
    ToolResultPart,
    ToolStart,
    ToolUse,
)
from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import chat

WEATHER = Tool(
    "get_weather",
    "Gets the weather of a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
ADD = Tool(
    "add",
    "Adds two numbers",
    {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "minimum": 5}},
        "required": ["a", "b"],
    },
)
TOOLS = (WEATHER, ADD)
ASKED = "What is the weather in Paris?"
THINKS = (
    "{% for m in messages %}{{ m.role + ':' + m.content + '\n' }}{% endfor %}"
    "{{ 'assistant\n' }}"
    "{% if enable_thinking is not defined or enable_thinking %}{{ '<think>\n' }}{% endif %}"
    "{# </think> #}"
)


@pytest.fixture(scope="module")
def tiny_chat():
    folder = Path(lmxd.__file__).parent / "store" / "builtin" / "tiny-chat"
    return mlx_engine.engine(mlx_engine.open_model(folder))


@pytest.fixture(scope="module")
def random(models):
    return mlx_engine.engine(mlx_engine.open_model(tiny.cached(models)))


@pytest.fixture(scope="module")
def thinker(models):
    """Says: hm, then what closes the reasoning, then an answer."""
    says = ["hm", " so", "</think>", "\n\n", "Yes", "."]
    return mlx_engine.engine(mlx_engine.open_model(tiny.cached(models, says=says)))


def ask(engine, *requests):
    mlx_engine.submit(engine, *requests)
    answers = mlx_engine.run(engine)
    return [answers[request.id] for request in requests]


def calls(answer):
    """Names and arguments of the calls that ended."""
    names = {e.call: e.name for e in answer.events if isinstance(e, ToolStart)}
    texts = dict.fromkeys(names, "")
    for event in answer.events:
        if isinstance(event, ToolArgs):
            texts[event.call] += event.text
    ended = [event.call for event in answer.events if isinstance(event, ToolEnd)]
    return [(names[call], json.loads(texts[call])) for call in ended]


def thought(answer):
    return "".join(event.text for event in answer.events if isinstance(event, Thinking))


def test_a_model_says_what_it_can_do(tiny_chat, random):
    assert tiny_chat.capabilities == ("chat", "completion", "tools", "structured")
    assert random.capabilities == ("chat", "completion", "structured")


def test_a_call_is_told_as_it_comes_and_its_result_is_used(tiny_chat):
    called, talks, silent = ask(
        tiny_chat,
        chat("called", ASKED, tools=TOOLS, max_tokens=80),
        chat("talks", "Hello!", tools=TOOLS, max_tokens=40),
        chat("silent", ASKED, tools=TOOLS, tool_use=ToolUse("none"), max_tokens=40),
    )
    assert (called.finish, called.text) == ("tool_calls", "")
    assert calls(called) == [("get_weather", {"city": "Paris"})]
    assert sum(isinstance(event, ToolArgs) for event in called.events) > 3
    assert (talks.finish, calls(talks)) == ("stop", [])
    assert talks.text
    assert calls(silent) == []
    assert silent.usage.prompt < called.usage.prompt, "tools that must not be called are not shown"

    turn = (
        Message("user", (TextPart(ASKED),)),
        Message("assistant", (ToolCallPart("c1", "get_weather", '{"city": "Paris"}'),)),
        Message("tool", (ToolResultPart("c1", "sunny, 21 C"),)),
    )
    (used,) = ask(tiny_chat, chat("used", messages=turn, tools=TOOLS, max_tokens=40))
    assert "sunny, 21 C" in used.text
    assert used.finish == "stop"


def test_calls_that_must_be_made_are_made_and_fit_their_schemas(tiny_chat):
    requests = []
    for seed in range(6):
        hot = Sampling(temperature=3.0, seed=seed)
        use = ToolUse("required", parallel=bool(seed % 2))
        requests.append(
            chat(f"r{seed}", "Hi", tools=TOOLS, tool_use=use, sampling=hot, max_tokens=300)
        )
    named = ToolUse("required", ("add",), parallel=False)
    requests.append(chat("named", "Hi", tools=TOOLS, tool_use=named, max_tokens=300))
    answers = ask(tiny_chat, *requests)
    made = [call for answer in answers for call in calls(answer)]
    schemas = {tool.name: tool.parameters for tool in TOOLS}
    for name, arguments in made:
        jsonschema.validate(arguments, schemas[name])
    assert len(made) >= len(answers)
    for answer in answers:
        assert answer.finish in ("tool_calls", "length")
        assert answer.text == ""
    assert [name for name, _ in calls(answers[-1])] == ["add"]


def test_a_call_that_must_be_made_leaves_no_markup_where_it_is_cut_off(tiny_chat):
    requests = [
        chat(f"cut{most}", tools=TOOLS, tool_use=ToolUse("required"), max_tokens=most)
        for most in range(1, 9)
    ]
    for answer in ask(tiny_chat, *requests):
        assert (answer.failed, answer.text, answer.finish) == (None, "", "length")


def test_only_one_call_where_only_one_is_wanted(tiny_chat):
    asked = "What is the weather in Paris and Rome?"
    two, one = ask(
        tiny_chat,
        chat("two", asked, tools=TOOLS, max_tokens=120),
        chat("one", asked, tools=TOOLS, max_tokens=120, tool_use=ToolUse(parallel=False)),
    )
    assert len(calls(two)) == 2
    assert calls(one) == calls(two)[:1]
    assert one.finish == "tool_calls"


def test_a_format_and_tools_together_give_one_or_the_other(tiny_chat):
    form = Grammar("schema", '{"type": "object", "properties": {"x": {"enum": [1, 2]}}}')
    called, formed = ask(
        tiny_chat,
        chat("called", ASKED, tools=TOOLS, format=form, max_tokens=80),
        chat("formed", "Hello!", format=form, max_tokens=80),
    )
    if calls(called):
        assert calls(called) == [("get_weather", {"city": "Paris"})]
    else:
        assert isinstance(json.loads(called.text), dict)
    assert isinstance(json.loads(formed.text), dict)


@pytest.mark.parametrize(
    ("fields", "code", "said"),
    [
        ({"tool_use": ToolUse("required")}, "invalid_request", "no tools are given"),
        (
            {"tools": TOOLS, "tool_use": ToolUse("required", ("nope",))},
            "invalid_request",
            "'nope'",
        ),
        (
            {
                "tools": (Tool("odd", "", {"type": "object", "not": {}}),),
                "tool_use": ToolUse("required"),
            },
            "unsupported_parameter",
            "tool 'odd': the schema's keyword not at /not",
        ),
        (
            {"tools": (Tool("words", "", {"type": "string"}),)},
            "invalid_request",
            "parameters of tool 'words' are of type 'string'",
        ),
    ],
)
def test_tools_that_cannot_be_called_as_wished_are_refused(tiny_chat, fields, code, said):
    with pytest.raises(RequestError) as refused:
        tiny_chat.prepare(chat("bad", **fields), 0.0)
    assert refused.value.code == code
    assert said in refused.value.message


def test_a_model_that_knows_no_tools_refuses_them(random):
    with pytest.raises(RequestError, match="cannot call tools"):
        random.prepare(chat("bad", tools=TOOLS), 0.0)
    prepared = random.prepare(chat("fine", tools=TOOLS, tool_use=ToolUse("none")), 0.0)
    assert prepared.openings


def test_reasoning_that_the_prompt_began_is_told_apart_and_counted(thinker):
    (answer,) = ask(thinker, chat("r", template=THINKS))
    assert thought(answer) == "hm so"
    assert (answer.text, answer.finish) == ("Yes.", "stop")
    assert answer.usage.reasoning == 3
    assert answer.usage.completion > 3


def test_channels_are_reasoning_and_answer(models):
    final = "<|end|><|start|>assistant<|channel|>final<|message|>"
    says = ["<|channel|>analysis<|message|>", "hm", final, "Yes", "<|return|>"]
    engine = mlx_engine.engine(mlx_engine.open_model(tiny.cached(models, says=says)))
    template = "{{ '<|channel|><|message|>\n' }}"
    (answer,) = ask(engine, chat("r", template=template))
    assert (thought(answer), answer.text, answer.finish) == ("hm", "Yes", "stop")


def test_markers_have_text_for_a_parser_only(models):
    from lmxd.worker.mlx.detokenize import Vocabulary  # noqa: PLC0415

    tokenizer = mlx_engine.open_model(tiny.cached(models)).tokenizer
    start, end = tokenizer.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    vocabulary = Vocabulary(tokenizer, {start})
    assert vocabulary.marks(start)
    assert not vocabulary.marks(end)
    for marked, text in ((True, "<|im_start|>"), (False, "")):
        detokenizer = vocabulary.detokenizer(continues=True, marked=marked)
        assert detokenizer.feed(start) == text
        assert detokenizer.feed(end) == ""


def test_too_many_tools_to_force_a_call_are_refused(tiny_chat):
    many = tuple(
        Tool(f"tool{n}", "", {"type": "object", "properties": {"x" * 1800: {"const": n}}})
        for n in range(700)
    )
    request = chat("many", tools=many, tool_use=ToolUse("required"))
    with pytest.raises(RequestError, match="bytes of grammar"):
        tiny_chat.prepare(request, 0.0)


def test_stop_strings_and_logprobs_are_of_the_answer_not_the_reasoning(thinker):
    stopped, told = ask(
        thinker,
        chat("stop", template=THINKS, stop=("hm", "s.")),
        chat("told", template=THINKS, logprobs=0),
    )
    assert (thought(stopped), stopped.text, stopped.finish) == ("hm so", "Ye", "stop")
    tokens = [each.text for e in told.events if isinstance(e, Text) for each in e.logprobs or ()]
    assert "".join(tokens) == "Yes."


def test_a_budget_closes_the_reasoning_and_the_answer_still_matches(random):
    form = {"type": "array", "items": {"type": "integer", "maximum": 99}, "maxItems": 4}
    requests = [
        chat(
            f"r{seed}",
            template=THINKS,
            format=Grammar("schema", json.dumps(form)),
            reasoning=Reasoning(budget=seed * 3),
            sampling=Sampling(temperature=1.0, seed=seed),
            max_tokens=300,
        )
        for seed in range(5)
    ]
    beside = chat("beside", max_tokens=40)
    alone = mlx_engine.texts(random, beside)["beside"]
    *answers, free = ask(random, *requests, beside)
    assert free.text == alone
    for seed, answer in enumerate(answers):
        assert answer.failed is None
        assert seed or not thought(answer)
        assert answer.usage.reasoning <= seed * 3 + len("\n</think>\n\n")
        if answer.finish == "stop":
            jsonschema.validate(json.loads(answer.text), form)
    assert any(answer.finish == "stop" for answer in answers)
    assert any(thought(answer) for answer in answers)


def test_a_budget_holds_after_a_failed_step(random):
    request = chat("r", template=THINKS, reasoning=Reasoning(budget=9), max_tokens=60)
    (undisturbed,) = ask(random, request)
    mlx_engine.submit(random, request)
    steps = []

    def watch(engine):
        steps.append(1)
        if len(steps) in (5, 14):
            for sequence in engine._running.values():
                sequence.faults = 0
            engine._recover(RuntimeError("a hiccup"))

    answer = mlx_engine.run(random, watch=watch)["r"]
    assert thought(answer) == thought(undisturbed)
    assert answer.text == undisturbed.text
    assert answer.usage.reasoning == undisturbed.usage.reasoning


def test_no_reasoning_is_asked_of_the_template_and_forced_where_it_cannot(random):
    always = THINKS.replace("enable_thinking is not defined or enable_thinking", "true")
    quiet, closed = ask(
        random,
        chat("quiet", template=THINKS, reasoning=Reasoning(effort="none"), max_tokens=30),
        chat("closed", template=always, reasoning=Reasoning(effort="none"), max_tokens=30),
    )
    assert (thought(quiet), thought(closed)) == ("", "")
    assert quiet.text
    assert closed.text
    assert quiet.usage.prompt < closed.usage.prompt
