"""Which of an alias's models takes a request."""

from __future__ import annotations

import pytest

from lmxd.serving.choice import choose
from reconciler.state import Live, ModelKey, Target
from schemas.errors import Code, RequestError
from tests.kit.stage import routes, target

READY, COMING = target("ready"), target("coming", Live.COMING)
ON_DEMAND = target("demand", Live.ON_DEMAND)
REFUSED = target("refused", Live.REFUSED, code=Code.NOT_ADMITTED, retry=False)


def pick(*targets: Target, resident: tuple[str, ...] = ("ready",), patient: bool = False) -> str:
    keys = tuple(t.key for t in targets)
    choice = choose(routes(*targets), keys, lambda key: key in resident, patient=patient)
    return f"{choice.target.key} {choice.live.value}"


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ((REFUSED, ON_DEMAND, COMING, READY), "ready ready"),
        ((REFUSED, ON_DEMAND, COMING), "coming coming"),
        ((REFUSED, ON_DEMAND), "demand on-demand"),
        ((COMING, target("coming2", Live.COMING)), "coming coming"),
    ],
)
def test_the_nearest_wins_and_then_the_first(targets: tuple[Target, ...], expected: str) -> None:
    assert pick(*targets) == expected


def test_none_is_refused_with_the_first_ones_reason() -> None:
    with pytest.raises(RequestError) as caught:
        pick(REFUSED, target("other", Live.REFUSED, code=Code.SUSPENDED))
    assert (caught.value.code, caught.value.retry) == (Code.NOT_ADMITTED, False)
    assert caught.value.message == "refused is refused"


def test_the_pool_knows_better_than_the_table() -> None:
    assert pick(READY, resident=()) == "ready coming", "its worker has just died"
    assert pick(COMING, resident=("coming",)) == "coming ready", "it was just promoted"
    assert pick(COMING, ON_DEMAND, resident=("demand",)) == "demand ready"


def test_a_model_that_is_refused_is_refused_while_its_instance_ends() -> None:
    with pytest.raises(RequestError):
        pick(REFUSED, resident=("refused",))


def test_useless_waiting_is_refused() -> None:
    with pytest.raises(RequestError) as caught:
        pick(target("late", Live.COMING, retry=False))
    assert caught.value.retry is False


def test_who_waits_already_stays_where_it_may_come_back() -> None:
    failed = target("failed", Live.REFUSED, code=Code.MODEL_FAILED, retry=True)
    with pytest.raises(RequestError):
        pick(failed)
    assert pick(failed, patient=True) == "failed refused"
    with pytest.raises(RequestError):
        pick(REFUSED, patient=True)


def test_a_model_that_is_not_loaded_tells_what_serves() -> None:
    stored = target("stored", Live.REFUSED, code=Code.MODEL_NOT_LOADED, retry=False)
    table = routes(stored, READY)
    with pytest.raises(RequestError) as caught:
        choose(table, (ModelKey("stored"),), lambda key: key == "ready")
    error = caught.value
    assert (error.code, error.param) == (Code.MODEL_NOT_LOADED, "model")
    assert error.details == {"serving": ["ready"]}
    assert error.hint == "these models answer now: ready"


def test_a_name_for_models_that_are_gone_is_not_found() -> None:
    with pytest.raises(RequestError) as caught:
        choose(routes(), (ModelKey("gone"),), lambda _: False)
    assert caught.value.code is Code.MODEL_NOT_FOUND
