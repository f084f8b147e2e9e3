"""Text of an answer to events, with a real format's parser."""

from lmxd.worker.attribution import Attribution
from lmxd.worker.parsing.detect import detect
from lmxd.worker.speech import Speech
from schemas.inference import Text, Thinking, TokenLogprob, Tool, ToolArgs, ToolEnd, ToolStart

FORM = detect("<think> </think> <tool_call> </tool_call> tools", {})
ADD = Tool("add", "", {"type": "object", "properties": {"a": {"type": "integer"}}})
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'


def speak(text, *, stops=(), step=1, prompt="", parser=True, attribution=None):
    """The speech, and its events after the text came in pieces of `step` characters."""
    made = FORM.parser([ADD], prompt) if parser else None
    speech = Speech("r", 3, stops, made, attribution)
    events = []
    for place in range(0, len(text), step):
        events += speech.feed(text[place : place + step])
    return speech, [*events, *speech.finish()]


def joined(events, kind):
    return "".join(event.text for event in events if isinstance(event, kind))


def test_reasoning_text_and_calls_become_their_events():
    for step in (1, 3, 1000):
        speech, events = speak(f"<think>\nhm\n</think>\n\nSo:\n{CALL}\n{CALL}", step=step)
        assert {(event.id, event.index) for event in events} == {("r", 3)}
        assert joined(events, Thinking).strip() == "hm"
        assert joined(events, Text).strip() == "So:"
        starts = [event for event in events if isinstance(event, ToolStart)]
        assert [(each.call, each.name) for each in starts] == [(0, "add"), (1, "add")]
        for call in (0, 1):
            args = [e.text for e in events if isinstance(e, ToolArgs) and e.call == call]
            assert "".join(args) == '{"a": 1}'
            assert ToolEnd("r", 3, call) in events
        assert speech.called


def test_what_is_said_after_a_call_or_a_call_cut_off_is_not_called():
    assert not speak(f"{CALL}\nDone.")[0].called
    assert not speak('<tool_call>\n{"name": "add", "arguments": {"a":')[0].called
    assert not speak("Hello")[0].called
    assert speak(f"Hello {CALL}\n")[0].called


def test_stop_strings_are_looked_for_in_what_is_said_only():
    speech, events = speak(f"<think>\nSTOP\n</think>\n\nOne{CALL}", stops=("STOP", "add"))
    assert speech.stop is None
    assert "STOP" in joined(events, Thinking)
    assert speech.called
    speech, events = speak(f"One STOP two {CALL}", stops=("STOP",))
    assert speech.stop == "STOP"
    assert joined(events, Text) == "One "
    assert not any(isinstance(event, ToolStart) for event in events)


def test_text_that_a_stop_string_held_back_comes_before_the_call():
    _, events = speak(f"ab{CALL}", stops=("abc",))
    kinds = [type(event) for event in events]
    assert kinds.index(Text) < kinds.index(ToolStart)
    assert joined(events, Text) == "ab"


def test_reasoning_tokens_are_counted_also_when_the_prompt_began_it():
    assert speak("abcd</think>xy", prompt="<think>\n")[0].reasoning == 12
    assert speak("Hello")[0].reasoning == 0


def test_without_a_parser_text_passes_as_it_is():
    speech, events = speak(f" {CALL} \n", parser=False)
    assert joined(events, Text) == f" {CALL} \n"
    assert not speech.called


def test_logprobs_come_with_the_text_that_is_said_only():
    attribution = Attribution()
    speech = Speech("r", 0, (), FORM.parser([ADD], ""), attribution)
    events = []
    for token, text in enumerate(("<think>", "hm", "</think>", "Hi", " you")):
        attribution.add(TokenLogprob(text, text.encode(), -1.0, token), text)
        events += speech.feed(text)
    events += speech.finish()
    told = [each for event in events if isinstance(event, Text) for each in event.logprobs]
    assert [each.text for each in told] == ["Hi", " you"]


def test_what_is_said_is_not_taken_for_the_same_words_thought_or_called():
    thought = "<think>\nadd\n</think>\n\n"
    text = f"{thought}add{CALL}add"
    said = [*range(len(thought), len(thought) + 3), *range(len(text) - 3, len(text))]
    for step in (1, 2, 3, 5, 1000):
        attribution = Attribution()
        speech = Speech("r", 0, (), FORM.parser([ADD], ""), attribution)
        events, inside = [], []
        for place in range(0, len(text), step):
            part = text[place : place + step]
            if set(range(place, place + len(part))) <= set(said):
                inside.append(place)
            attribution.add(TokenLogprob(part, part.encode(), -1.0, place), part)
            events += speech.feed(part)
        events += speech.finish()
        told = [e for event in events if isinstance(event, Text) for e in event.logprobs]
        assert [each.token for each in told] == inside
