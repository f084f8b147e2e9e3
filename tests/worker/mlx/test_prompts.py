"""A request that cannot be served is refused with a code, the field and the numbers."""

import math

import pytest

from schemas.errors import RequestError
from schemas.inference import Message, Sampling, TextPart
from tests.kit import mlx_engine, tiny
from tests.kit.worker_client import chat


@pytest.fixture(scope="module")
def engine(models):
    folder = tiny.cached(
        models, generation_config={"temperature": 0.25, "top_k": 9, "do_sample": True}
    )
    return mlx_engine.engine(mlx_engine.open_model(folder), context=64)


def message(role, text):
    return Message(role, (TextPart(text),))


BAD = [
    ({"messages": ()}, "invalid_request", "messages is empty"),
    ({"max_tokens": 0}, "invalid_request", "max_tokens is 0"),
    ({"template": "{% if %}"}, "invalid_request", "template cannot render"),
    ({"template": "{{ raise_exception('roles!') }}"}, "invalid_request", "roles!"),
    ({"template": "{{ nothing.at.all }}"}, "invalid_request", "template cannot render"),
    ({"template": ""}, "invalid_request", "empty prompt"),
    ({"template": "{% set x = 1 %}"}, "invalid_request", "empty prompt"),
    ({"prefill": True}, "invalid_request", "only an assistant message"),
    ({"sampling": Sampling(temperature=-1)}, "invalid_request", "temperature is -1"),
    ({"sampling": Sampling(temperature=math.nan)}, "invalid_request", "temperature is nan"),
    ({"sampling": Sampling(temperature=math.inf)}, "invalid_request", "temperature is inf"),
    ({"sampling": Sampling(top_p=1.5)}, "invalid_request", "top_p is 1.5"),
    ({"sampling": Sampling(top_k=-1)}, "invalid_request", "top_k is -1"),
    ({"logprobs": 21}, "invalid_request", "top_logprobs is 21, it must be between 0 and 20"),
    ({"logprobs": -1}, "invalid_request", "top_logprobs is -1"),
    ({"sampling": Sampling(presence=2.5)}, "invalid_request", "presence_penalty is 2.5"),
    ({"sampling": Sampling(frequency=-3)}, "invalid_request", "frequency_penalty is -3"),
    ({"sampling": Sampling(repetition=0)}, "invalid_request", "repetition_penalty is 0"),
    ({"sampling": Sampling(repetition=math.nan)}, "invalid_request", "repetition_penalty is nan"),
    ({"sampling": Sampling(xtc_probability=1.1)}, "invalid_request", "xtc_probability is 1.1"),
    ({"sampling": Sampling(xtc_threshold=-0.1)}, "invalid_request", "xtc_threshold is -0.1"),
    (
        {"sampling": Sampling(logit_bias={5: 1.0, 10**6: 1.0, -1: 2.0})},
        "invalid_request",
        r"logit_bias has tokens .* vocabulary of \d+: 1000000, -1",
    ),
    (
        {"sampling": Sampling(logit_bias={5: 101.0})},
        "invalid_request",
        "logit_bias of token 5 is 101.0, it must be between -100 and 100",
    ),
    ({"sampling": Sampling(min_p=2)}, "invalid_request", "min_p is 2"),
    (
        {"messages": (message("user", "x" * 80),)},
        "context_length_exceeded",
        r"the prompt has 99 tokens, this model takes 64",
    ),
]


@pytest.mark.parametrize(("fields", "code", "text"), BAD)
def test_bad_requests_are_refused(engine, fields, code, text):
    with pytest.raises(RequestError, match=text) as caught:
        engine.prepare(chat("a", **fields), 0.0)
    assert caught.value.code == code


def test_a_model_without_a_template_says_so_and_takes_an_inline_one(models):
    engine = mlx_engine.engine(mlx_engine.open_model(tiny.cached(models, chat=False)))
    assert engine.capabilities == ("completion", "structured")
    with pytest.raises(RequestError, match="has no chat template") as caught:
        engine.prepare(chat("a"), 0.0)
    assert caught.value.code == "invalid_request"
    inline = "{% for m in messages %}{{ m.role }}:{{ m.content }}{{ bye }}{% endfor %}"
    request = chat("a", "hi", template=inline, template_kwargs={"bye": "!"})
    prepared = engine.prepare(request, 0.0)
    assert engine._model.tokenizer.decode(prepared.openings[0].tokens) == "user:hi!"


def test_prefill_ends_the_prompt_inside_the_answer(engine):
    request = chat(
        "a", messages=(message("user", "q"), message("assistant", "It is")), prefill=True
    )
    prepared = engine.prepare(request, 0.0)
    assert engine._model.tokenizer.decode(prepared.openings[0].tokens).endswith("assistant\nIt is")


def test_sampling_is_the_request_over_the_model_over_one(engine):
    prepared = engine.prepare(chat("a", sampling=Sampling(temperature=0.5)), 0.0)
    assert prepared.sampling == Sampling(temperature=0.5, top_k=9)
    prepared = engine.prepare(chat("a", sampling=Sampling()), 0.0)
    assert prepared.sampling == Sampling(temperature=0.25, top_k=9)


@pytest.mark.parametrize(("asked", "given"), [(None, 43), (5, 5), (500, 43)])
def test_the_answer_is_bounded_by_the_context(engine, asked, given):
    prepared = engine.prepare(chat("a", "hi", max_tokens=asked), 0.0)
    assert len(prepared.openings[0].tokens) == 21
    assert prepared.openings[0].limit == given


@pytest.fixture
def counted(engine, monkeypatch):
    """Lengths of the texts that the tokenizer is given."""
    lengths: list[int] = []
    known = engine._prompts._tokenizer

    class Counting:
        has_chat_template = known.has_chat_template
        apply_chat_template = known.apply_chat_template

        @staticmethod
        def encode(text, **options):
            lengths.append(len(text))
            return known.encode(text, **options)

    monkeypatch.setattr(engine._prompts, "_tokenizer", Counting)
    return lengths


def test_of_a_far_too_long_prompt_only_the_beginning_is_counted(engine, counted):
    """All of 20 MB would take a minute, with every other request behind it."""
    with pytest.raises(RequestError, match="more than 144 tokens, this model takes 64") as caught:
        engine.prepare(chat("a", "x" * 20_000_000), 0.0)
    assert caught.value.code == "context_length_exceeded"
    assert counted == [512]


def test_a_long_text_of_few_tokens_is_taken(engine, counted):
    """Eight characters a token are common, more are possible: then all of it is counted."""
    request = chat("a", "<|im_end|>" * 60, template="{{ messages[0].content }}")
    prepared = engine.prepare(request, 0.0)
    assert len(prepared.openings[0].tokens) == 60
    assert counted == [512, 600]
