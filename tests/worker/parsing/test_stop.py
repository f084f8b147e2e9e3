"""Stop strings end the text where they begin, however the text is cut, and never show."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmxd.worker.parsing.stop import StopMatcher

LETTERS = st.text(alphabet="abc", max_size=24)


def expected(text: str, stops: list[str]) -> tuple[str, bool]:
    places = [place for stop in stops if stop and (place := text.find(stop)) >= 0]
    return (text[: min(places)], True) if places else (text, False)


@given(
    text=LETTERS,
    stops=st.lists(st.text(alphabet="abc", max_size=4), max_size=4),
    cuts=st.lists(st.integers(0, 24), max_size=8),
)
def test_any_cutting_shows_what_comes_before_the_earliest_stop(text, stops, cuts):
    matcher = StopMatcher(stops)
    places = sorted(min(cut, len(text)) for cut in cuts)
    shown = ""
    for start, end in zip([0, *places], [*places, len(text)], strict=True):
        shown += matcher.feed(text[start:end])
        assert expected(text, stops)[0].startswith(shown), "text of a stop leaked"
    shown += matcher.flush()
    assert (shown, matcher.hit is not None) == expected(text, stops)


def test_text_is_held_back_only_while_it_may_become_a_stop():
    matcher = StopMatcher(["</s>"])
    assert [matcher.feed(piece) for piece in ["a<", "b", "<", "/", "x", "</s"]] == [
        "a",
        "<b",
        "",
        "",
        "</x",
        "",
    ]
    assert matcher.flush() == "</s"
    assert matcher.hit is None


def test_an_earlier_stop_that_is_still_open_wins_over_a_later_complete_one():
    matcher = StopMatcher(["bc", "abcd"])
    assert matcher.feed("xabc") == "x"
    assert matcher.hit is None
    assert matcher.feed("d") == ""
    assert matcher.hit == "abcd"


@pytest.mark.parametrize("ending", ["e", None])
def test_the_complete_stop_wins_when_the_earlier_one_comes_to_nothing(ending):
    matcher = StopMatcher(["bc", "abcd"])
    shown = matcher.feed("xabc")
    shown += matcher.feed(ending) if ending else matcher.flush()
    assert (shown, matcher.hit) == ("xa", "bc")


def test_nothing_is_shown_after_a_hit():
    matcher = StopMatcher(["."])
    assert matcher.feed("one. two") == "one"
    assert matcher.feed(" three") == ""
    assert matcher.flush() == ""


def test_no_stops_and_empty_stops_change_nothing():
    for stops in ([], [""]):
        matcher = StopMatcher(stops)
        assert matcher.feed("text") + matcher.flush() == "text"
