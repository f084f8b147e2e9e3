"""The table of names: who answers, who is coming, who is refused and with which code."""

from __future__ import annotations

from datetime import timedelta

import pytest

from reconciler.actions import Failure
from reconciler.backoff import failed
from reconciler.knowledge import (
    Knowledge,
    download_key,
    download_subject,
    load_key,
    load_subject,
)
from reconciler.plan import plan
from reconciler.routes import build
from reconciler.state import (
    Effective,
    EffectiveModel,
    InstancePhase,
    Live,
    ModelKey,
    Observed,
    Routes,
    ServingDefaults,
    Target,
)
from schemas.errors import Code
from tests.reconciler.build import AT, GIB, effective, instance, model, observed, spec, verified

BROKEN = Failure("UnsupportedArchitecture", "no such architecture", terminal=True)
CUT = Failure("HubUnreachable", "cut")


def table(wanted: Effective, seen: Observed, known: Knowledge | None = None) -> Routes:
    knows = known or Knowledge()
    return build(1, wanted, seen, plan(wanted, seen, knows, {}), knows)


def target(each: EffectiveModel, known: Knowledge | None = None, *, there: bool = True) -> Target:
    seen = observed({"a": verified(4)} if there else {})
    return table(effective(each), seen, known).targets[ModelKey("a")]


def failing(each: EffectiveModel, failure: Failure) -> Knowledge:
    """What is known after a load of the model, and a download of its files, failed."""
    loading = load_key(spec(each, verified(4)).spec_hash, each, 10 * GIB)
    fetching = download_key(each.artifact, effective().disk, "")
    return Knowledge(
        failures={
            load_subject(each.key): failed(None, loading, failure, AT, brake=False),
            download_subject(each.artifact): failed(None, fetching, failure, AT, brake=False),
        }
    )


def test_a_model_is_ready_exactly_while_an_instance_is_current() -> None:
    each = model("a", parallel=3, serving=ServingDefaults(system="Be terse."))
    for phase in InstancePhase:
        seen = observed({"a": verified(4)}, [instance(each, verified(4), phase)])
        found = table(effective(each), seen).targets[ModelKey("a")]
        assert (found.live is Live.READY) == (phase is InstancePhase.CURRENT)
        assert found.parallel == 3
        assert found.serving.system == "Be terse."
        assert found.revision == ("r1" if phase is InstancePhase.CURRENT else None)


@pytest.mark.parametrize(
    ("state", "live", "code", "retry"),
    [
        ("loaded", Live.COMING, Code.MODEL_LOADING, True),
        ("on-demand", Live.ON_DEMAND, Code.MODEL_LOADING, True),
        ("downloaded", Live.REFUSED, Code.MODEL_NOT_LOADED, False),
        ("absent", Live.REFUSED, Code.MODEL_NOT_LOADED, False),
    ],
)
@pytest.mark.parametrize("there", [True, False])
def test_each_state_without_an_instance(
    state: str, live: Live, code: Code, retry: bool, there: bool
) -> None:
    found = target(model("a", state), there=there)
    assert (found.live, found.code, found.retry) == (live, code, retry)
    assert "a" in found.message


@pytest.mark.parametrize("there", [True, False])
def test_waiting_is_useless_after_a_failure_for_good_and_not_after_another(there: bool) -> None:
    each = model("a")
    found = target(each, failing(each, BROKEN), there=there)
    assert (found.live, found.code, found.retry) == (Live.REFUSED, Code.MODEL_FAILED, False)
    assert "no such architecture" in found.message
    found = target(each, failing(each, CUT), there=there)
    assert (found.live, found.retry, found.message) == (Live.COMING, True, "cut")


def test_a_failure_under_another_key_is_not_told() -> None:
    before = model("a", context=512)
    assert target(model("a"), failing(before, BROKEN)).live is Live.COMING


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"suspended": True}, Code.SUSPENDED),
        ({"engine": "gguf"}, Code.MODEL_FAILED),
        ({"task": "vision"}, Code.MODEL_FAILED),
        ({"kv_memory": 99 * GIB}, Code.NOT_ADMITTED),
    ],
)
@pytest.mark.parametrize("state", ["loaded", "on-demand"])
def test_refusals_name_their_reason(state: str, fields: dict[str, object], code: Code) -> None:
    found = target(model("a", state, **fields))
    assert (found.live, found.code, found.retry) == (Live.REFUSED, code, False)
    assert found.message


def test_a_suspended_model_that_is_loaded_answers() -> None:
    each = model("a", suspended=True)
    seen = observed({"a": verified(4)}, [instance(each, verified(4))])
    assert table(effective(each), seen).targets[ModelKey("a")].live is Live.READY


def test_before_the_device_is_known_models_are_coming() -> None:
    wanted = effective(model("a"))
    seen = observed({"a": verified(4)}, probed=False)
    assert table(wanted, seen).targets[ModelKey("a")].live is Live.COMING


def test_names_keep_their_order_and_sources_go_to_the_first_model_of_the_file() -> None:
    a, b = model("a"), model("b", artifact=model("a").artifact)
    wanted = effective(a, b, aliases={"x": (b.key, a.key), "y*": (a.key,)})
    found = table(wanted, observed())
    assert found.names == {"x": ("b", "a"), "y*": ("a",)}
    assert found.sources == {"org/a": "a"}
    assert found.flow is wanted.flow


def before(seen: Observed, **names: tuple[str, ...]) -> Knowledge:
    """What is known when these names led to these models, which were ready."""
    keyed = {name: tuple(map(ModelKey, keys)) for name, keys in names.items()}
    targets = {i.key: Target(i.key, Live.READY, ServingDefaults(), 8) for i in seen.instances}
    return Knowledge(published=Routes(names=keyed, targets=targets))


def test_a_name_keeps_what_answered_for_it_behind_its_new_model_until_that_answers() -> None:
    old, new = model("old"), model("new")
    wanted = effective(new, aliases={"x": (new.key,)})
    seen = observed({"new": verified(2)}, [instance(old, verified(2))])
    found = table(wanted, seen, before(seen, x=("old",)))
    assert found.names == {"x": ("new", "old")}
    assert found.targets[ModelKey("old")].live is Live.READY
    both = observed({"new": verified(2)}, [*seen.instances, instance(new, verified(2))])
    found = table(wanted, both, before(both, x=("new", "old")))
    assert found.names == {"x": ("new",)}
    assert "old" not in found.targets


def test_a_held_model_of_the_document_keeps_its_own_target() -> None:
    old, new = model("old", "downloaded"), model("new")
    wanted = effective(old, new, aliases={"x": (new.key,)})
    seen = observed({"new": verified(2), "old": verified(2)}, [instance(old, verified(2))])
    found = table(wanted, seen, before(seen, x=("old",)))
    assert found.names == {"x": ("new", "old")}
    assert found.targets[ModelKey("old")].live is Live.READY


def test_a_held_model_that_was_not_ready_when_it_left_the_document_is_ready_now() -> None:
    old, new = model("a"), model("b")
    coming = observed({"a": verified(4)})
    before = table(effective(old, aliases={"auto": (old.key,)}), coming)
    assert before.targets[old.key].live is Live.COMING
    seen = observed({"a": verified(4)}, [instance(old, verified(4))])
    after = table(effective(new, aliases={"auto": (new.key,)}), seen, Knowledge(published=before))
    assert after.names["auto"] == (new.key, old.key)
    assert (after.targets[old.key].live, after.targets[old.key].revision) == (Live.READY, "r1")


def test_a_name_keeps_what_answers_also_while_the_one_before_that_drains() -> None:
    old, new = model("old", "downloaded"), model("new")
    wanted = effective(old, new, aliases={"x": (new.key,)})
    older = instance(old, verified(1), InstancePhase.READY, uid="old#1", in_flight=1)
    answers = instance(old, verified(2), uid="old#2")
    seen = observed({"new": verified(2), "old": verified(2)}, [older, answers])
    assert table(wanted, seen, before(seen, x=("old",))).names == {"x": ("new", "old")}


def test_a_name_that_was_not_there_before_holds_nothing() -> None:
    old, new = model("old"), model("new")
    wanted = effective(new, aliases={"x": (new.key,)})
    seen = observed({"new": verified(2)}, [instance(old, verified(2))])
    assert table(wanted, seen, before(seen, y=("old",))).names == {"x": ("new",)}


def test_a_failed_first_target_gives_way_to_one_that_a_request_can_raise() -> None:
    """The document names its own stand-in, so the model before is not needed."""
    old, new, other = model("old"), model("new"), model("other", "on-demand")
    wanted = effective(new, other, aliases={"x": (new.key, other.key)})
    disk = {"new": verified(2), "other": verified(2)}
    seen = observed(disk, [instance(old, verified(2))], at=AT + timedelta(seconds=1))
    key = load_key(spec(new, verified(2)).spec_hash, new, 10 * GIB)
    record = failed(None, key, BROKEN, AT, brake=False)
    known = before(seen, x=("old",))
    assert table(wanted, seen, known).names == {"x": ("new", "other", "old")}
    hopeless = Knowledge(published=known.published, failures={load_subject(new.key): record})
    assert table(wanted, seen, hopeless).names == {"x": ("new", "other")}
