"""What is done about files: in which order, for whom, and what is never done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.actions import Action, Delete, Download, Failure, Verify
from reconciler.backoff import failed
from reconciler.knowledge import Knowledge, download_key, download_subject
from reconciler.limits import DiskLimits
from reconciler.plan import plan
from reconciler.state import (
    ArtifactRef,
    DiskPhase,
    DiskState,
    Effective,
    InstancePhase,
    Observed,
)
from tests.reconciler.build import AT, GIB, effective, instance, model, observed, verified

ONE = ArtifactRef("hf:org/one")
COMPLETE = DiskState(DiskPhase.COMPLETE, None, "r1", GIB, GIB, GIB)
PARTIAL = DiskState(DiskPhase.PARTIAL, None, "r1", 5, GIB, 5)


def files(
    wanted: Effective,
    seen: Observed | None = None,
    running: Iterable[Action] = (),
    known: Knowledge | None = None,
) -> list[tuple[str, tuple[str, ...]]]:
    actions = {action.key: action for action in running}
    result = plan(wanted, seen or observed(), known or Knowledge(), actions)
    return [
        (step.action.key, step.after)
        for step in result.steps
        if isinstance(step.action, Download | Verify | Delete)
    ]


def at(artifact: ArtifactRef, state: DiskState, *instances: object) -> Observed:
    seen = observed()
    return replace(seen, disk={artifact: state}, instances=tuple(instances))  # type: ignore[arg-type]


@pytest.mark.parametrize("state", ["loaded", "on-demand", "downloaded"])
def test_every_state_but_absent_brings_the_files(state: str) -> None:
    assert files(effective(model("a", state))) == [("download:hf:org/a", ())]
    assert files(effective(model("a", "absent"))) == []


def test_two_models_share_one_download_and_both_are_named() -> None:
    wanted = effective(model("a", artifact=ONE), model("b", "downloaded", artifact=ONE))
    result = plan(wanted, observed(), Knowledge(), {})
    assert [step.action for step in result.steps] == [
        Download(ONE, wanted.disk, (wanted.models[0].key, wanted.models[1].key))
    ]


def test_what_requests_wait_for_comes_first_then_what_is_loaded_by_priority_and_order() -> None:
    wanted = effective(
        model("later", "downloaded", priority=99),
        model("low", priority=1),
        model("first"),
        model("second"),
        model("asked", "on-demand", priority=0, demanded=True),
    )
    keys = [key.rpartition("/")[2] for key, _ in files(wanted)]
    assert keys == ["asked", "first", "second", "low", "later"]


def test_complete_files_are_verified_and_partial_ones_downloaded_further() -> None:
    wanted = effective(model("a", artifact=ONE))
    assert files(wanted, at(ONE, COMPLETE)) == [("verify:hf:org/one", ())]
    whole = replace(verified(), phase=DiskPhase.COMPLETE)
    result = plan(wanted, at(ONE, whole), Knowledge(), {})
    assert [step.action.key for step in result.steps] == ["verify:hf:org/one"]  # and no load
    assert files(wanted, at(ONE, PARTIAL)) == [("download:hf:org/one", ())]
    assert files(wanted, at(ONE, verified())) == []


def test_what_runs_stays_in_the_plan_and_nothing_starts_beside_it() -> None:
    wanted = effective(model("a", artifact=ONE))
    download, verify = Download(ONE, wanted.disk, ()), Verify(ONE, ())
    assert files(wanted, at(ONE, COMPLETE), [download]) == [("download:hf:org/one", ())]
    assert files(wanted, at(ONE, DiskState()), [verify]) == [("verify:hf:org/one", ())]


def test_a_transfer_that_no_model_wants_any_more_is_cancelled() -> None:
    running: dict[str, Action] = {a.key: a for a in (Download(ONE, DiskLimits(), ()),)}
    result = plan(effective(model("a")), observed(), Knowledge(), running)
    assert [cancel.action for cancel in result.cancels] == ["download:hf:org/one"]


def test_absent_deletes_what_is_ours_and_only_then() -> None:
    wanted = effective(model("a", "absent", artifact=ONE))
    assert files(wanted, at(ONE, verified(ours=5))) == [("delete:hf:org/one", ())]
    assert files(wanted, at(ONE, PARTIAL)) == [("delete:hf:org/one", ())]
    assert files(wanted, at(ONE, verified(ours=0))) == []


def test_a_removed_key_deletes_nothing() -> None:
    assert files(effective(), at(ONE, verified(ours=5))) == []


def test_absent_deletes_nothing_that_another_model_wants_or_that_still_runs() -> None:
    absent, other = model("a", "absent", artifact=ONE), model("b", "downloaded", artifact=ONE)
    assert files(effective(absent, other), at(ONE, verified(ours=5))) == []
    leaving = instance(absent, phase=InstancePhase.DRAINING)
    assert files(effective(absent), at(ONE, verified(ours=5), leaving)) == []


def test_absent_spares_the_same_files_under_another_name() -> None:
    """`main` and no revision at all may be the same commit; while that is open, nothing goes."""
    main = ArtifactRef("hf:org/one", "main")
    wanted = effective(model("a", "absent", artifact=ONE), model("b", "downloaded", artifact=main))
    seen = at(ONE, verified(ours=5))

    def deletes(state: DiskState) -> bool:
        disk = {**seen.disk, main: state}
        return ("delete:hf:org/one", ()) in files(wanted, replace(seen, disk=disk))

    assert not deletes(DiskState())
    assert not deletes(replace(PARTIAL, revision="r2"))
    assert not deletes(verified(revision="r1"))
    assert deletes(verified(revision="r2"))


def test_a_suspended_model_neither_brings_nor_deletes() -> None:
    wanted = effective(model("a", "absent", artifact=ONE, suspended=True))
    assert files(wanted, at(ONE, verified(ours=5))) == []
    assert files(effective(model("a", suspended=True))) == []
    shared = effective(model("a", artifact=ONE, suspended=True), model("b", artifact=ONE))
    assert files(shared) == [("download:hf:org/one", ())]


def test_a_deletion_waits_for_the_download_that_is_being_cancelled_and_the_other_way_round() -> (
    None
):
    absent, wanted = (effective(model("a", s, artifact=ONE)) for s in ("absent", "loaded"))
    download, delete = Download(ONE, DiskLimits(), ()), Delete(ONE, "r1", ())
    assert files(absent, at(ONE, PARTIAL), [download]) == [
        ("download:hf:org/one", ()),
        ("delete:hf:org/one", ("download:hf:org/one",)),
    ]
    assert files(wanted, at(ONE, DiskState()), [delete]) == [
        ("delete:hf:org/one", ()),
        ("download:hf:org/one", ("delete:hf:org/one",)),
    ]


def test_a_failed_download_waits_for_its_time_or_for_another_token_or_other_limits() -> None:
    wanted = effective(model("a", artifact=ONE))
    key = download_key(ONE, wanted.disk, "token")
    gated = Failure("GatedRepo", "gated", terminal=True)
    record = failed(None, key, gated, AT, brake=False)
    known = Knowledge(failures={download_subject(ONE): record}, credentials="token")
    assert files(wanted, known=known) == []
    assert files(wanted, known=replace(known, credentials="other")) != []
    assert files(replace(wanted, disk=DiskLimits(free=7)), known=known) != []
    cut = failed(None, key, Failure("HubUnreachable", "cut"), AT, brake=False)
    known = replace(known, failures={download_subject(ONE): cut})
    assert files(wanted, known=known) == []
    assert files(wanted, observed(at=AT + timedelta(seconds=6)), known=known) != []


def test_a_failed_deletion_waits_for_its_time() -> None:
    wanted = effective(model("a", "absent", artifact=ONE))
    action = Delete(ONE, "r1", ())
    record = failed(None, action.key, Failure("DiskError", "io"), AT, brake=False)
    known = Knowledge(failures={action.key: record})
    assert files(wanted, at(ONE, verified(ours=5)), known=known) == []
