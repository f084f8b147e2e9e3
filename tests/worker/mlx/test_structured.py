"""Grammars in the running batch: what ends matches, whatever the model would rather say."""

import json
import re

import jsonschema
import pytest

from lmxd.worker.constrain import GrammarError
from schemas.inference import Grammar, Sampling
from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import chat

PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
        "tags": {"type": "array", "items": {"enum": ["a", "b", "the world"]}, "maxItems": 3},
        "home": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/place"}]},
    },
    "required": ["name", "age", "home"],
    "additionalProperties": False,
    "$defs": {
        "place": {
            "type": "object",
            "properties": {"city": {"type": "string", "pattern": "^[A-Z][a-z]{1,8}$"}},
            "required": ["city"],
            "additionalProperties": False,
        }
    },
}
SCHEMAS = [
    PERSON,
    {"type": "array", "items": {"type": "boolean"}, "minItems": 2, "maxItems": 5},
    {"enum": ["red", "green", 3, None, {"a": [1.5]}]},
    {"type": "string", "format": "date"},
    {"type": "string", "minLength": 2, "maxLength": 9},
    {"type": "integer", "multipleOf": 5, "minimum": -20, "exclusiveMaximum": 40},
    {"allOf": [{"type": "string"}, {"minLength": 4}, {"maxLength": 6}]},
    {
        "oneOf": [
            {"type": "object", "properties": {"k": {"const": k}}, "required": ["k"]}
            | {"additionalProperties": False}
            for k in ("x", "y")
        ]
    },
    {"type": "object", "patternProperties": {"^[ab]$": {"type": "null"}}}
    | {"additionalProperties": False, "maxProperties": 2},
]
FREE = [
    chat("free-greedy", "one", max_tokens=60),
    chat("free-hot", "two words", max_tokens=60, sampling=Sampling(temperature=1.0, seed=7)),
    chat("free-ranked", "three", max_tokens=60, sampling=Sampling(top_p=0.8, top_k=40, seed=2)),
]


def bound(request_id, grammar, *, seed=1, max_tokens=400, **fields):
    sampling = fields.pop("sampling", Sampling(temperature=1.0, seed=seed))
    return chat(
        request_id,
        "say it",
        max_tokens=max_tokens,
        sampling=sampling,
        format=grammar if isinstance(grammar, Grammar) else Grammar("schema", json.dumps(grammar)),
        **fields,
    )


@pytest.fixture(scope="module", params=["bytes", "spm"])
def model(request, models):
    return mlx_engine.open_model(tiny.cached(models, tokenizer=request.param))


@pytest.fixture(scope="module")
def engine(model):
    return mlx_engine.engine(model, parallel=16)


def answers_of(engine, *requests):
    mlx_engine.submit(engine, *requests)
    return mlx_engine.run(engine)


def test_answers_validate_and_rows_beside_them_are_unchanged(engine):
    alone = mlx_engine.texts(engine, *FREE)
    judged = {f"{n}-{seed}": (n, seed) for n in range(len(SCHEMAS)) for seed in range(4)}
    requests = [bound(key, SCHEMAS[n], seed=seed) for key, (n, seed) in judged.items()]
    answers = answers_of(engine, *requests[:9], *FREE, *requests[9:])
    assert {each.id: answers[each.id].text for each in FREE} == alone
    ended = 0
    for key, (n, _) in judged.items():
        assert answers[key].failed is None
        assert answers[key].finish in ("stop", "length")
        if answers[key].finish == "stop":
            jsonschema.validate(json.loads(answers[key].text), SCHEMAS[n])
            ended += 1
    assert ended > len(judged) * 3 / 4, "these schemas leave little room to go on for ever"
    assert len({answers[f"0-{seed}"].text for seed in range(4)}) == 4


def test_any_json_is_an_object(engine):
    answers = answers_of(engine, *(bound(f"any{n}", Grammar("json"), seed=n) for n in range(12)))
    texts = [answer.text for answer in answers.values() if answer.finish == "stop"]
    assert texts
    assert all(isinstance(json.loads(text), dict) for text in texts)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(temperature=0.0),
        Sampling(temperature=1.0, seed=1, top_k=1),
        Sampling(temperature=2.0, seed=1, top_k=3, top_p=0.3),
        Sampling(temperature=1.5, seed=1, min_p=0.5),
    ],
)
def test_a_regular_expression_binds_however_tokens_are_drawn(engine, sampling):
    pattern = r"(the|of|é日|[A-D]{2})-[0-9]{3} ?world"
    grammar = Grammar("regex", pattern)
    (answer,) = answers_of(engine, bound("re", grammar, sampling=sampling)).values()
    assert answer.finish == "stop"
    assert re.fullmatch(pattern, answer.text)


def test_a_space_that_the_grammar_wants_first_is_shown(engine):
    (answer,) = answers_of(engine, bound("lark", Grammar("lark", 'start: " the" | " of"'))).values()
    assert answer.text in (" the", " of")


def test_equal_seeds_give_equal_text_alone_and_in_a_batch(engine):
    one = answers_of(engine, bound("one", PERSON, seed=5))["one"]
    many = answers_of(
        engine,
        bound("same", PERSON, seed=5),
        bound("other", PERSON, seed=6),
        *FREE,
        bound("regex", Grammar("regex", "[a-z]{30}")),
    )
    assert many["same"].text == one.text
    assert many["other"].text != one.text


def test_one_that_joins_and_one_that_is_cancelled_disturb_nobody(engine):
    alone = answers_of(engine, bound("long", PERSON, seed=3))["long"].text
    endless = Grammar("regex", "a{300}")
    mlx_engine.submit(engine, bound("long", PERSON, seed=3), bound("gone", endless))
    steps = []

    def watch(engine):
        steps.append(1)
        if len(steps) == 4:
            mlx_engine.submit(engine, bound("late", SCHEMAS[1]))
        if len(steps) == 6:
            engine.cancel("gone")

    answers = mlx_engine.run(engine, watch=watch)
    assert answers["gone"].finish == "cancelled"
    assert answers["long"].text == alone
    jsonschema.validate(json.loads(answers["late"].text), SCHEMAS[1])


def test_a_stop_string_ends_it_earlier(engine):
    grammar = Grammar("regex", "[ab]{8}END[ab]{8}")
    (answer,) = answers_of(engine, bound("stop", grammar, stop=("END",))).values()
    assert answer.finish == "stop"
    assert re.fullmatch("[ab]{8}", answer.text)


def test_too_few_tokens_end_it_with_length(engine):
    (answer,) = answers_of(engine, bound("cut", Grammar("regex", "a{50}b"), max_tokens=5)).values()
    assert answer.finish == "length"
    assert set(answer.text) == {"a"}


def test_a_grammar_error_fails_its_row_alone(engine):
    alone = mlx_engine.texts(engine, *FREE)
    mlx_engine.submit(engine, bound("bad", PERSON), *FREE, bound("good", PERSON, seed=9))

    def spoil(engine):
        for sequence in engine._running.values():
            if sequence.id == "bad" and len(sequence.generated) == 3:
                sequence.row.constraint.matcher.consume_token(1)

    answers = mlx_engine.run(engine, watch=spoil)
    assert answers["bad"].failed.code == "internal"
    assert {each.id: answers[each.id].text for each in FREE} == alone
    jsonschema.validate(json.loads(answers["good"].text), PERSON)


def test_a_format_that_becomes_too_complex_is_the_client_s_error(engine):
    properties = {f"p{n}": {"type": "integer"} for n in range(1500)}
    inner = {"type": "object", "properties": properties, "additionalProperties": False}
    deeper = {"anyOf": [{"const": 1}, {"type": "array", "items": inner, "minItems": 1}]}
    requests = [bound(f"deep{n}", deeper, seed=n) for n in range(4)]
    answers = answers_of(engine, *requests, FREE[0])
    failed = [each.failed for each in answers.values() if each.failed is not None]
    assert failed, "one of four takes the list"
    assert {(each.code, each.retryable) for each in failed} == {("invalid_request", False)}
    assert answers["free-greedy"].finish


def test_tokens_that_no_longer_fit_fail_the_sequence_when_it_joins_again(engine, monkeypatch):
    def broken(compiled, budget=None, generated=()):
        raise GrammarError("no way back")

    monkeypatch.setattr("lmxd.worker.reading.Constraint", broken)
    answers = answers_of(engine, bound("bad", PERSON), FREE[0])
    assert "no way back" in answers["bad"].failed.message
    assert answers["free-greedy"].finish


def test_an_answer_goes_on_where_it_was_after_a_failed_step(engine):
    requests = [bound("a", PERSON, seed=1), bound("b", Grammar("regex", "[a-z]{40}")), FREE[1]]
    undisturbed = {key: each.text for key, each in answers_of(engine, *requests).items()}
    mlx_engine.submit(engine, *requests)
    steps = []

    def watch(engine):
        steps.append(1)
        if len(steps) == 7:
            engine._recover(RuntimeError("a hiccup"))

    answers = mlx_engine.run(engine, watch=watch)
    assert {key: each.text for key, each in answers.items()} == undisturbed


def test_an_answer_goes_on_where_it_was_when_the_pool_was_full(model):
    requests = [bound(f"r{n}", Grammar("regex", "[a-z]{90}"), seed=n) for n in range(3)]
    wide = mlx_engine.engine(model)
    undisturbed = {key: each.text for key, each in answers_of(wide, *requests).items()}
    narrow = mlx_engine.engine(model, context=160)
    mlx_engine.submit(narrow, *requests)
    back = []

    def watch(engine):
        back.extend(sequence.id for sequence in engine._waiting if sequence.generated)

    answers = mlx_engine.run(narrow, watch=watch)
    assert back, "nobody had to make room"
    assert {key: each.text for key, each in answers.items()} == undisturbed


def test_a_refused_grammar_never_reaches_the_engine(engine):
    from schemas.errors import RequestError  # noqa: PLC0415

    with pytest.raises(RequestError, match="uniqueItems at /uniqueItems"):
        engine.prepare(bound("bad", {"type": "array", "uniqueItems": True}), 0.0)
