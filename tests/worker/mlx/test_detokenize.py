"""Text comes out in whole characters and adds up to what the tokenizer decodes."""

import pytest

from tests.kit import mlx_engine, tiny

TEXTS = [
    "plain words, the world",
    "grüß dich 👋🏽 日本語 — naïve",
    "two  spaces and a line\nbreak\t!",
    "",
    "👩‍👩‍👧‍👦" * 3,
]


@pytest.fixture(scope="module", params=["bytes", "spm"])
def tokenizer(request, models):
    return mlx_engine.open_model(tiny.cached(models, tokenizer=request.param)).tokenizer


def vocabulary(tokenizer):
    from lmxd.worker.mlx.detokenize import Vocabulary  # noqa: PLC0415

    return Vocabulary(tokenizer)


def pieces(detokenizer, tokens):
    return [detokenizer.feed(token) for token in tokens] + [detokenizer.flush()]


@pytest.mark.parametrize("text", TEXTS)
def test_any_text_comes_back_in_whole_characters(tokenizer, text):
    tokens = tokenizer.encode(text, add_special_tokens=False)
    got = pieces(vocabulary(tokenizer).detokenizer(continues=False), tokens)
    assert "".join(got) == text
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in got)


@pytest.mark.parametrize("text", TEXTS)
def test_the_fallback_for_other_vocabularies_agrees(tokenizer, text):
    from lmxd.worker.mlx.detokenize import _Windowed  # noqa: PLC0415

    tokens = tokenizer.encode(text, add_special_tokens=False)
    got = pieces(_Windowed(tokenizer.decode, set()), tokens)
    assert "".join(got) == text
    assert not any("\N{REPLACEMENT CHARACTER}" in piece for piece in got)


def test_control_tokens_have_no_text(tokenizer):
    tokens = tokenizer.encode("<|im_start|>hello<|endoftext|>", add_special_tokens=False)
    got = pieces(vocabulary(tokenizer).detokenizer(continues=False), tokens)
    assert "".join(got).strip() == "hello"


def test_an_unfinished_character_is_shown_as_broken_only_at_the_end(tokenizer):
    tokens = tokenizer.encode("a👋", add_special_tokens=False)[:-1]
    *before, last = pieces(vocabulary(tokenizer).detokenizer(continues=False), tokens)
    assert ("".join(before), last) == ("a", "\N{REPLACEMENT CHARACTER}")


def test_ids_beyond_the_vocabulary_have_no_text(tokenizer):
    got = pieces(vocabulary(tokenizer).detokenizer(continues=False), [10**6])
    assert got == ["", ""]


def test_a_continued_text_keeps_its_first_space(models):
    tokenizer = mlx_engine.open_model(tiny.cached(models, tokenizer="spm")).tokenizer
    tokens = tokenizer.encode("the world", add_special_tokens=False)
    words = vocabulary(tokenizer)
    assert "".join(pieces(words.detokenizer(continues=False), tokens)) == "the world"
    assert "".join(pieces(words.detokenizer(continues=True), tokens)) == " the world"
