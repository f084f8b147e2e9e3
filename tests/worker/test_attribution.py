"""A token is told with the text it is part of, and never when any of its text was cut away."""

from lmxd.worker.attribution import Attribution
from lmxd.worker.parsing.stop import StopMatcher
from schemas.inference import TokenLogprob


def token(text: str) -> TokenLogprob:
    return TokenLogprob(text, text.encode(), -1.0, 0)


def told(attribution: Attribution, shown: str) -> list[str]:
    return [each.text for each in attribution.shown(shown)]


def test_a_token_comes_with_its_text():
    attribution = Attribution()
    attribution.add(token("Hel"), "Hel")
    assert told(attribution, "Hel") == ["Hel"]
    attribution.add(token("lo"), "lo")
    assert told(attribution, "lo") == ["lo"]


def test_tokens_of_one_character_come_together_with_it():
    attribution = Attribution()
    for part, whole in (("a", ""), ("b", ""), ("c", "日")):
        attribution.add(token(part), whole)
    assert told(attribution, "日") == ["a", "b", "c"]


def test_a_token_whose_text_is_partly_held_back_waits_for_the_rest():
    attribution = Attribution()
    attribution.add(token(" wor"), " wor")
    assert told(attribution, " w") == []
    attribution.add(token("k"), "k")
    assert told(attribution, "ork") == [" wor", "k"]


def test_text_that_was_cut_away_takes_its_tokens_with_it():
    attribution = Attribution()
    for text in ("<think>", "hm", "</th", "ink>x", "y"):
        attribution.add(token(text), text)
    assert told(attribution, "hm") == ["hm"]
    assert told(attribution, "xy") == ["y"], "half of `ink>x` was cut"


def test_a_character_that_never_ended_is_told_when_it_is_given_up():
    attribution = Attribution()
    attribution.add(token("a"), "")
    attribution.complete("?")
    assert told(attribution, "?") == ["a"]


def test_told_tokens_are_never_more_than_the_text_whatever_the_pieces():
    """Every way to cut a text into tokens, with a stop string inside."""
    text, stop = "abXYcd", "XY"
    for cuts in range(1 << (len(text) - 1)):
        pieces, piece = [], ""
        for place, letter in enumerate(text):
            piece += letter
            if place == len(text) - 1 or cuts >> place & 1:
                pieces.append(piece)
                piece = ""
        attribution, stops = Attribution(), StopMatcher((stop,))
        shown, names = "", []
        for piece in pieces:
            attribution.add(token(piece), piece)
            out = stops.feed(piece)
            shown += out
            names += told(attribution, out)
        assert shown == "ab"
        assert shown.startswith("".join(names))
        whole = [p for n, p in enumerate(pieces) if len("".join(pieces[: n + 1])) <= 2]
        assert names == whole
