"""Events of one request, in the orders in which they may come, to one answer."""

from __future__ import annotations

from lmxd.dialects.answer import Answer, Call, Collector
from schemas.inference import (
    Accepted,
    Event,
    Finish,
    ReasoningPart,
    Score,
    Text,
    TextPart,
    Thinking,
    Timings,
    TokenLogprob,
    Tokens,
    ToolArgs,
    ToolEnd,
    ToolStart,
    Usage,
    Vector,
)

USAGE = Usage("r", 0, 7, 3, 0, Timings(0, 0, 0))


def collected(*events: Event) -> Answer:
    collector = Collector(Accepted("r", 0, 7))
    for event in events:
        collector.take(event)
    assert collector.answer() is None
    collector.take(USAGE)
    answer = collector.answer()
    assert answer is not None
    return answer


def logprob(text: str) -> TokenLogprob:
    return TokenLogprob(text, text.encode(), -0.5, 1)


def test_choices_that_came_mixed_are_told_apart_and_put_in_order() -> None:
    answer = collected(
        Text("r", 1, "b"),
        Text("r", 0, "a"),
        Text("r", 1, "B"),
        Finish("r", 1, "stop", "END"),
        Text("r", 0, "A"),
        Finish("r", 0, "length"),
    )
    assert [(each.index, each.text) for each in answer.choices] == [(0, "aA"), (1, "bB")]
    assert [each.finish.reason for each in answer.choices] == ["length", "stop"]
    assert answer.choices[1].finish.matched == "END"
    assert answer.usage is USAGE
    assert answer.accepted.prompt_tokens == 7


def test_pieces_keep_their_order_and_calls_their_arguments() -> None:
    (choice,) = collected(
        Thinking("r", 0, "hm"),
        Thinking("r", 0, "m"),
        Text("r", 0, "I look."),
        ToolStart("r", 0, 0, "weather"),
        ToolArgs("r", 0, 0, '{"at":'),
        ToolStart("r", 0, 1, "time"),
        ToolArgs("r", 0, 1, "{}"),
        ToolArgs("r", 0, 0, '"x"}'),
        ToolEnd("r", 0, 0),
        Text("r", 0, "Done."),
        Finish("r", 0, "length"),
    ).choices
    weather, time = Call(0, "weather", '{"at":"x"}', True), Call(1, "time", "{}", False)
    assert choice.pieces == (
        ReasoningPart("hmm"),
        TextPart("I look."),
        weather,
        time,
        TextPart("Done."),
    )
    assert (choice.thinking, choice.text) == ("hmm", "I look.Done.")
    assert choice.calls == (weather, time)


def test_logprobs_are_none_unless_some_came() -> None:
    a, b = logprob("a"), logprob("b")
    with_some, without = collected(
        Text("r", 0, "a", (a,)),
        Text("r", 0, "", (b,)),
        Text("r", 1, "x"),
        Finish("r", 0, "stop"),
        Finish("r", 1, "stop"),
    ).choices
    assert with_some.logprobs == (a, b)
    assert without.logprobs is None
    assert with_some.pieces == (TextPart("a"),)


def test_an_answer_of_no_text_is_a_choice_all_the_same() -> None:
    (choice,) = collected(Finish("r", 0, "stop")).choices
    assert (choice.text, choice.pieces, choice.calls) == ("", (), ())


def test_what_other_kinds_of_requests_bring() -> None:
    answer = collected(
        Tokens("r", 1, (3,)),
        Tokens("r", 0, (1, 2)),
        Vector("r", 1, b"1"),
        Vector("r", 0, b"0"),
        Score("r", 0, 0.5),
        Text("r", 0, "detokenized"),
    )
    assert answer.tokens == ((1, 2), (3,))
    assert answer.vectors == (b"0", b"1")
    assert answer.scores == (0.5,)
    assert answer.texts == ("detokenized",)
    assert answer.choices == ()
