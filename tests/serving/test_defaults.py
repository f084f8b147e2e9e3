"""What the document adds to a request."""

from __future__ import annotations

from lmxd.serving.defaults import complete
from reconciler.state import ServingDefaults
from schemas.inference import Message, Request, Sampling, TextPart
from tests.kit.stage import request

DEFAULTS = ServingDefaults(
    system="Be terse.",
    sampling=Sampling(temperature=0.2, top_p=0.9),
    max_tokens=100,
    stop=("END", "STOP"),
    template="{{ messages }}",
)


def test_what_the_request_does_not_say_comes_from_the_document() -> None:
    asked = request("m", "hi")
    got = complete(asked, DEFAULTS, 60.0)
    assert got.messages == (Message("system", (TextPart("Be terse."),)), *asked.messages)
    assert got.sampling == DEFAULTS.sampling
    assert (got.max_tokens, got.stop) == (100, ("END", "STOP"))
    assert (got.template, got.deadline_ms) == ("{{ messages }}", 60_000)


def test_the_requests_own_word_wins() -> None:
    mine = Message("system", (TextPart("Be long."),))
    asked = Request(
        "r",
        "m",
        (mine,),
        max_tokens=0,
        stop=("MINE", "END"),
        sampling=Sampling(temperature=0.0),
        template="own",
        deadline_ms=5,
    )
    got = complete(asked, DEFAULTS, 60.0)
    assert got.messages == (mine,)
    assert got.sampling == Sampling(temperature=0.0, top_p=0.9)
    assert (got.max_tokens, got.template, got.deadline_ms) == (0, "own", 5)
    assert got.stop == ("MINE", "END", "STOP")


def test_nothing_is_added_when_the_document_says_nothing() -> None:
    asked = request("m", "hi")
    assert complete(asked, ServingDefaults(), float("inf")) == asked


def test_a_text_to_go_on_with_has_no_system_message() -> None:
    request = Request("r", "m", kind="completion", prompts=("Once",))
    assert complete(request, ServingDefaults(system="Be terse."), 60.0).messages == ()
