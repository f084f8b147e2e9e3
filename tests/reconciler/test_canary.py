"""The question before a promotion: who is asked, and what comes of a wrong answer."""

from __future__ import annotations

from reconciler.actions import Load
from reconciler.canary import SHOWN, Canary
from tests.reconciler.stage import condition, edit, entry, uid_of, world
from tests.reconciler.world import World
from tests.simulation.rest import at_rest

ASKED = {"prompt": "2+2=", "expect": "4"}


def loads(here: World) -> int:
    return sum(key.startswith("load:") for key in here.history)


def test_a_load_asks_the_question_as_a_client_of_the_model_would() -> None:
    here = world(a=2)
    edit(here, a=entry("a", canary=ASKED, system="Be terse.", template="{{ messages }}"))
    here.settle()
    loaded = here.pool.residents[uid_of(here, "a")].action  # type: ignore[index]
    assert isinstance(loaded, Load)
    assert loaded.canary == Canary("2+2=", "4", "Be terse.", "{{ messages }}")
    request = loaded.canary.request("x", "a")
    assert [(m.role, m.text) for m in request.messages] == [
        ("system", "Be terse."), ("user", "2+2="),
    ]  # fmt: skip
    assert request.sampling.temperature == 0.0
    assert request.template == "{{ messages }}"


def test_a_model_of_vectors_is_not_asked() -> None:
    here = world(a=2)
    edit(here, a=entry("a", canary=ASKED, task="embed"))
    here.settle()
    loaded = here.pool.residents[uid_of(here, "a")].action  # type: ignore[index]
    assert isinstance(loaded, Load)
    assert (loaded.spec.task, loaded.spec.kv_bytes, loaded.canary) == ("embed", 0, None)


def test_a_wrong_answer_keeps_the_old_one_and_is_asked_again_only_after_a_change() -> None:
    here = world(a=2, b=2)
    edit(here, a=entry("a"))
    here.settle()
    here.repos["org/b"].silent = True
    edit(here, a=entry("b", canary=ASKED))
    decision = here.settle()
    at_rest(here, decision)
    assert uid_of(here, "a") == "a#1"
    assert condition(decision, "a", "Stalled").reason == "CanaryFailed"
    assert condition(decision, "a", "Degraded").reason == "ServingOldRevision"
    assert loads(here) == 2
    here.repos["org/b"].silent = False
    here.sleep(86400)
    here.settle()
    assert loads(here) == 2
    edit(here, a=entry("b", canary={"prompt": "2+2=", "expect": "four"}))
    here.settle()
    assert uid_of(here, "a") == "a#3"


def test_without_room_for_both_the_old_one_comes_back_and_is_not_asked() -> None:
    here = world(a=10, b=10)
    here.repos["org/b"].silent = True
    edit(here, a=entry("a"))
    here.settle()
    here.repos["org/a"].silent = True
    edit(here, a=entry("b", canary=ASKED))
    at_rest(here, here.settle())
    assert uid_of(here, "a") == "a#3"
    assert condition(here.step(), "a", "Ready").status == "True"


def test_another_question_waits_for_the_next_load() -> None:
    here = world(a=2)
    edit(here, a=entry("a", canary=ASKED))
    here.settle()
    here.repos["org/a"].silent = True
    edit(here, a=entry("a", canary={"prompt": "3+3=", "expect": "6"}))
    here.settle()
    assert (uid_of(here, "a"), loads(here)) == ("a#1", 1)


def test_the_answer_has_to_contain_what_is_expected_and_long_ones_are_quoted_in_part() -> None:
    canary = Canary("2+2=", "4")
    assert canary.fault("That is 4.") is None
    assert canary.fault("") == 'asked "2+2=", it has to say "4" and said nothing'
    long = canary.fault("x" * 1000)
    assert long is not None
    assert long.endswith(f'said "{"x" * SHOWN}…"')
