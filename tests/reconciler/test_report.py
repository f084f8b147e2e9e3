"""Conditions and status: what is said of a model in each situation, and since when."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from reconciler import conditions
from reconciler.backoff import Record
from reconciler.knowledge import download_subject
from reconciler.loop.core import Decision
from reconciler.report import About, report
from reconciler.state import ArtifactRef, InstanceUid, ModelKey
from schemas.status import DAEMON_CONDITIONS, MODEL_CONDITIONS, Condition
from tests.reconciler.stage import BROKEN, CUT, condition, edit, entry, run_until, world
from tests.reconciler.world import GIB, World


def told(decision: Decision, key: str = "a") -> dict[str, tuple[str, str]]:
    """Status and reason by type."""
    model = decision.status.model(key)
    assert model is not None
    return {c.type: (c.status, c.reason) for c in model.conditions}


def summary(decision: Decision, key: str = "a") -> str:
    model = decision.status.model(key)
    assert model is not None
    return model.summary


def situation(name: str) -> Decision:
    """A world brought into a situation, and what is said then."""
    here = world(a=20 if name == "never fits" else 2, b=2, z=15)
    return SITUATIONS[name](here)


def downloading(here: World) -> Decision:
    edit(here, a=entry("a"))
    return here.step()


def queued(here: World) -> Decision:
    models = {"b": entry("b"), "a": entry("a")}
    here.edit({"models": models, "limits": {"downloads": 1}})
    return here.step()


def verifying(here: World) -> Decision:
    here.repos["org/a"].whole = False
    edit(here, a=entry("a"))
    run_until(here, "verify")
    return here.step()


def unreachable(here: World) -> Decision:
    here.repos["org/a"].download_fault = CUT
    edit(here, a=entry("a"))
    run_until(here, "download")
    here.end("download:hf:org/a")
    return here.step()


def loading(here: World) -> Decision:
    edit(here, a=entry("a"))
    run_until(here, "load")
    here.begin("load:a#1")
    return here.step()


def failed(here: World) -> Decision:
    here.repos["org/a"].load_fault = BROKEN
    edit(here, a=entry("a"))
    return here.settle()


def ready(here: World) -> Decision:
    edit(here, a=entry("a"))
    return here.settle()


def draining(here: World) -> Decision:
    edit(here, a=entry("a"))
    here.settle()
    here.request("a")
    edit(here, a=entry("a", "downloaded"))
    run_until(here, "drain")
    here.begin("drain:a#1")
    return here.step()


def crashed(here: World) -> Decision:
    edit(here, a=entry("a"))
    here.settle()
    here.kill(here.pool.current[ModelKey("a")])
    return here.step()


def plain(**fields: Any) -> Callable[[World], Decision]:
    def settled(here: World) -> Decision:
        edit(here, a=entry("a", **fields))
        return here.settle()

    return settled


def crowded(here: World) -> Decision:
    edit(here, z=entry("z"), a=entry("a"))
    return here.settle()


SITUATIONS: dict[str, Callable[[World], Decision]] = {
    "downloading": downloading,
    "queued": queued,
    "verifying": verifying,
    "unreachable": unreachable,
    "loading": loading,
    "failed": failed,
    "ready": ready,
    "draining": draining,
    "crashed": crashed,
    "downloaded": plain(state="downloaded"),
    "absent": plain(state="absent"),
    "on demand": plain(state="on-demand"),
    "suspended": plain(suspend=True),
    "unsupported": plain(engine="gguf"),
    "never fits": plain(),
    "crowded": crowded,
}


@pytest.mark.parametrize(
    ("name", "word", "said"),
    [
        ("downloading", "Downloading", {"Downloaded": "False Partial", "Ready": "False Downloading",
            "Reconciling": "True Progressing", "Wanted": "True Always",
            "Admitted": "True EstimateUnknown"}),
        ("queued", "Waiting", {"Downloaded": "False Queued", "Ready": "False Downloading"}),
        ("verifying", "Verifying", {"Downloaded": "False Verifying"}),
        ("unreachable", "Failed", {"Downloaded": "False HubUnreachable",
            "Reconciling": "True ProgressingWithRetry", "Stalled": "False NotStalled",
            "Ready": "False HubUnreachable"}),
        ("loading", "Loading", {"Downloaded": "True Verified", "Loaded": "False Loading",
            "Ready": "False Loading", "Admitted": "True WithinBudget"}),
        ("failed", "Stalled", {"Loaded": "False UnsupportedArchitecture",
            "Stalled": "True UnsupportedArchitecture", "Ready": "False UnsupportedArchitecture",
            "Reconciling": "False Settled", "Admitted": "Unknown UnsupportedArchitecture"}),
        ("ready", "Ready", {"Loaded": "True Resident", "Ready": "True Serving",
            "Reconciling": "False Settled", "Stalled": "False NotStalled",
            "Degraded": "False AsDesired", "Supported": "True AllFields"}),
        ("draining", "Draining", {"Wanted": "False NotWanted", "Ready": "False NotWanted",
            "Loaded": "False NotLoaded", "Reconciling": "True Progressing"}),
        ("crashed", "Failed", {"Ready": "False WorkerCrashed",
            "Reconciling": "True ProgressingWithRetry"}),
        ("downloaded", "Downloaded", {"Wanted": "False NotWanted", "Downloaded": "True Verified",
            "Ready": "False NotWanted", "Admitted": "Unknown NotWanted"}),
        ("absent", "Absent", {"Wanted": "False NotWanted", "Downloaded": "False Absent"}),
        ("on demand", "Idle", {"Wanted": "False OnDemandIdle", "Ready": "False OnDemandIdle"}),
        ("suspended", "Suspended", {"Ready": "False Suspended", "Admitted": "Unknown Suspended",
            "Stalled": "False NotStalled"}),
        ("unsupported", "Stalled", {"Supported": "False UnsupportedField",
            "Stalled": "True UnsupportedField", "Admitted": "False UnsupportedField"}),
        ("never fits", "Stalled", {"Admitted": "False NeverFits", "Stalled": "True NeverFits",
            "Ready": "False NotAdmitted"}),
        ("crowded", "NotAdmitted", {"Admitted": "False InsufficientMemory",
            "Stalled": "False NotStalled", "Ready": "False NotAdmitted"}),
    ],
)  # fmt: skip
def test_each_situation_is_told(name: str, word: str, said: dict[str, str]) -> None:
    decision = situation(name)
    assert summary(decision) == word
    found = told(decision)
    assert {kind: " ".join(found[kind]) for kind in said} == said


@pytest.mark.parametrize("name", SITUATIONS)
def test_all_conditions_are_there_in_order_with_reasons_and_sentences(name: str) -> None:
    status = situation(name).status
    assert tuple(c.type for c in status.conditions) == DAEMON_CONDITIONS
    everything = list(status.conditions)
    for model in status.models:
        assert tuple(c.type for c in model.conditions) == MODEL_CONDITIONS
        everything += model.conditions
    for each in everything:
        assert re.fullmatch("[A-Z][A-Za-z]+", each.reason), each
        assert each.message, each
        assert each.last_transition_time.endswith("Z")


@pytest.mark.parametrize(
    ("name", "word", "converged"),
    [
        ("ready", "Healthy", "True AllMet"),
        ("on demand", "Healthy", "True AllMet"),
        ("loading", "Progressing", "False Progressing"),
        ("failed", "Degraded", "True WithExceptions"),
        ("suspended", "Healthy", "True WithExceptions"),
        ("crowded", "Healthy", "True WithExceptions"),
        ("never fits", "Degraded", "True WithExceptions"),
        ("unreachable", "Degraded", "True WithExceptions"),
    ],
)
def test_the_daemon_is_as_well_as_its_worst_model(name: str, word: str, converged: str) -> None:
    status = situation(name).status
    assert status.summary == word
    found = status.condition("Converged")
    assert found is not None
    assert f"{found.status} {found.reason}" == converged
    if found.reason == "WithExceptions":
        assert "a: " in found.message


def test_a_transition_time_moves_with_the_status_and_not_with_the_reason() -> None:
    since = "2026-11-20T12:00:00.000Z"
    before = [Condition("Ready", "False", "Downloading", "m", 1, 1, since)]
    later = "2026-11-20T13:00:00.000Z"
    (same,) = conditions.stamp([("Ready", "False", "Loading", "n")], before, 2, 3, later)
    assert (same.reason, same.last_transition_time) == ("Loading", since)
    assert (same.observed_generation, same.observed_epoch) == (2, 3)
    (moved,) = conditions.stamp([("Ready", "True", "Serving", "n")], before, 2, 3, later)
    assert moved.last_transition_time == later
    (new,) = conditions.stamp([("Loaded", "True", "Resident", "n")], before, 2, 3, later)
    assert new.last_transition_time == later


def test_progress_changes_fields_and_not_conditions() -> None:
    here = world(a=2)
    edit(here, a=entry("a"))
    here.step()
    here.begin("download:hf:org/a")
    before = here.step()
    artifact = ArtifactRef("hf:org/a")
    here.disk[artifact] = replace(here.disk[artifact], have=GIB)
    here.sleep(1)
    after = here.step()
    assert after.status.models[0].disk.bytes_have == GIB
    assert after.status.models[0].conditions == before.status.models[0].conditions


def test_numbers_of_a_serving_model_are_told() -> None:
    here = world(a=2)
    here.repos["org/a"].kv_per_token = 1000
    edit(here, {"x": "a"}, a=entry("a", context=2048))
    here.settle()
    here.request("x")
    decision = here.step()
    model = decision.status.models[0]
    assert (model.serving.instance, model.serving.in_flight) == ("a#1", 1)
    assert model.serving.names == ("a", "x")
    assert model.serving.context == 2048
    assert model.memory.kv_pool == 2048 * 1000
    assert model.memory.measured is not None
    assert model.memory.reserved >= model.memory.measured + 2048 * 1000
    assert model.memory.basis == "estimate"
    assert decision.status.machine.memory_reserved == model.memory.reserved
    assert decision.status.machine.memory_budget == 16 * GIB
    assert decision.status.machine.device == "metal: fake"


def test_a_failure_is_told_with_its_count_and_next_try_and_is_absent_otherwise() -> None:
    retried = situation("unreachable").status.models[0]
    assert not isinstance(retried.failure, msgspec.UnsetType)
    assert (retried.failure.reason, retried.failure.count) == ("HubUnreachable", 1)
    assert retried.failure.next_retry is not None
    assert retried.failure.next_retry.endswith("Z")
    final = situation("failed").status.models[0]
    assert not isinstance(final.failure, msgspec.UnsetType)
    assert final.failure.next_retry is None
    assert situation("ready").status.models[0].failure is msgspec.UNSET


def test_json_is_camel_case_and_leaves_out_what_is_not_there() -> None:
    status = msgspec.json.decode(msgspec.json.encode(situation("ready").status))
    assert {"version", "stateId", "document", "generation", "epoch", "summary", "conditions",
        "machine", "models", "windows", "next", "leases", "tzdata",
        "removed"} == set(status)  # fmt: skip
    (model,) = status["models"]
    assert set(model) == {"key", "summary", "generation", "observedGeneration", "observedEpoch",
        "target", "conditions", "disk", "memory", "serving", "drift",
        "managers"}  # fmt: skip
    assert set(model["conditions"][0]) == {"type", "status", "reason", "message",
        "observedGeneration", "observedEpoch", "lastTransitionTime"}  # fmt: skip
    assert model["target"] == {"state": "loaded", "because": "document"}
    assert model["disk"]["bytesTotal"] == 2 * GIB
    assert model["disk"]["resolvedRevision"] == "r1"


def test_pressure_of_memory_and_disk_is_told_with_numbers() -> None:
    here = world(a=2)
    edit(here, a=entry("a", suspend=True))
    here.settle()
    here.edit({"models": {}, "limits": {"free_disk": "2TiB"}})
    decision = here.settle()
    pressure = decision.status.condition("DiskPressure")
    assert pressure is not None
    assert pressure.status == "True"
    assert "1000 GiB free, 2 TiB" in pressure.message
    assert decision.status.condition("MemoryPressure").status == "False"  # type: ignore[union-attr]


def test_an_instance_that_holds_a_name_is_told_to_be_leaving() -> None:
    here = world(a=2, b=2)
    edit(here, {"x": "a"}, a=entry("a"), b=entry("b", "downloaded"))
    here.settle()
    edit(here, {"x": "b"}, a=entry("a", "downloaded"), b=entry("b"))
    decision = here.step()
    assert condition(decision, "a", "Ready").status == "True"
    assert condition(decision, "a", "Degraded").reason == "Leaving"
    assert here.pool.residents[InstanceUid("a#1")].in_flight == 0


def test_only_what_is_said_of_the_model_that_moves_is_said_anew() -> None:
    here = world(a=2, b=2)
    edit(here, a=entry("a"), b=entry("b"))
    before = here.settle().status
    here.sleep(3600)
    here.request("b")
    after = here.step().status
    assert after.models[0] is before.models[0]
    assert after.models[1].serving.in_flight == 1


def test_a_failure_that_is_forgotten_is_no_longer_told_of_a_model_that_is_absent() -> None:
    here = world(a=2)
    edit(here, a=entry("a", state="absent"))
    picture = here.settle().picture
    subject = download_subject(picture.effective.models[0].artifact)
    record = Record("k", "DiskFull", "no space left", 1, None, ())
    failed = replace(picture, known=replace(picture.known, failures={subject: record}))
    about = About("1", "s", "t")
    first = report(failed, None, about)
    again = report(picture, first, about)
    reasons = [
        next(c.reason for c in each.status.models[0].conditions if c.type == "Downloaded")
        for each in (first, again)
    ]
    assert reasons == ["DiskFull", "Absent"]
