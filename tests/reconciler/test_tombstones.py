"""Removed models: what is remembered of them, and when their files are deleted, if ever."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconciler import explain, preview
from reconciler.actions import Delete, Failure
from reconciler.loop.core import Decision
from reconciler.resolve import named
from reconciler.state import (
    Accepted,
    ArtifactRef,
    DiskPhase,
    HostView,
    Lease,
    ModelKey,
    Observed,
)
from reconciler.tombstones import MOST, Tombstones, following, remaining
from schemas.desired import DesiredState
from tests.reconciler.build import AT, instance, model, verified
from tests.reconciler.stage import Entry, entry, run_until, world
from tests.reconciler.world import World
from tests.simulation.rules import Rules

WEEK = timedelta(days=7)
PRUNE = {"prune_disk": True}


def edit(at: World, reconcile: object = None, **models: Entry) -> None:
    limits = {"memory": "100%"}
    at.edit({"models": models, "limits": limits, "reconcile": reconcile or {}})


def left(decision: Decision) -> dict[str, str]:
    """By key, what is left of the models that were removed."""
    return {each.key: each.doing for each in decision.picture.plan.removed}


def deletions(at: World) -> list[str]:
    return [key for key in at.history if key.startswith("delete:")]


def pass_time(at: World, by: timedelta) -> Decision:
    at.sleep(by.total_seconds())
    return at.settle()


def restart(at: World) -> None:
    at.restart()
    assert isinstance(at.watch, Rules)
    at.watch.restarted()


def shop(reconcile: object = None) -> World:
    """Two models are served, of which `old` is then removed."""
    here = world(one=1, two=1)
    edit(here, reconcile, a=entry("one"), old=entry("two"))
    here.settle()
    edit(here, reconcile, a=entry("one"))
    return here


# --- what is remembered ---------------------------------------------------------------------


def stones(tombstones: Tombstones) -> list[tuple[str, str]]:
    return [(stone.key, str(stone.artifact)) for stone in tombstones.removed]


def keys(**artifacts: str) -> dict[ModelKey, ArtifactRef]:
    return {ModelKey(key): ArtifactRef(f"hf:org/{name}") for key, name in artifacts.items()}


def test_a_key_that_is_gone_leaves_a_stone_and_takes_it_away_when_it_comes_back() -> None:
    first = following(Tombstones(), "/d", keys(a="x", b="y"), 1, AT)
    assert first == Tombstones("/d", keys(a="x", b="y"))
    second = following(first, "/d", keys(b="z"), 7, AT + WEEK)
    (stone,) = second.removed
    assert (stone.key, stone.artifact) == ("a", ArtifactRef("hf:org/x"))
    assert (stone.since, stone.generation) == (AT + WEEK, 7)
    assert following(second, "/d", keys(b="z"), 8, AT + 2 * WEEK) is second
    assert stones(following(second, "/d", keys(a="q", b="z"), 9, AT)) == []


def test_a_document_of_another_path_has_removed_nothing() -> None:
    first = following(Tombstones(), "/d", keys(a="x"), 1, AT)
    gone = following(first, "/d", {}, 2, AT)
    assert stones(gone) == [("a", "hf:org/x")]
    assert following(gone, "/other", keys(b="y"), 3, AT) == Tombstones("/other", keys(b="y"))


def test_no_more_than_the_latest_thousand_are_kept() -> None:
    many = {f"m{number}": f"r{number}" for number in range(MOST)}
    before = following(Tombstones(), "/d", keys(first="x"), 1, AT)
    before = following(before, "/d", keys(**many), 2, AT)
    after = following(before, "/d", {}, 3, AT)
    assert len(after.removed) == MOST
    assert after.removed[0].key == "m0"
    assert after.removed[-1].key == f"m{MOST - 1}"


def test_a_stone_stays_while_something_of_it_is_left() -> None:
    before = following(Tombstones(), "/d", keys(a="a", b="b"), 1, AT)
    before = following(before, "/d", keys(b="b"), 2, AT)
    files, a = ArtifactRef("hf:org/a"), model("a")

    def seen(ours: int, *instances: object) -> Observed:
        disk = {files: verified(ours=ours)}
        return Observed(AT, HostView(0, 0, 0, None), disk, instances)  # type: ignore[arg-type]

    assert remaining(before, Observed(AT, HostView(0, 0, 0, None), {}), ()) is before
    assert remaining(before, seen(1), ()) is before
    assert remaining(before, seen(0, instance(a)), ()) is before
    assert remaining(before, seen(0), {files}) is before
    assert stones(remaining(before, seen(0), ())) == []
    shared = following(before, "/d", keys(b="a"), 3, AT)
    assert remaining(shared, seen(1, instance(a)), ()) is shared
    assert stones(remaining(shared, seen(1), {files})) == []
    again = following(shared, "/d", keys(b="b"), 4, AT)
    assert again.removed == shared.removed, "what is of two models is nobody's any more"


def test_the_files_are_those_that_the_machine_of_that_name_had() -> None:
    data = {
        "models": {"a": entry("one")},
        "hosts": {"studio-*": {"set": {"models": {"a": {"revision": "mine"}}}}},
    }
    document = DesiredState.model_validate({"version": 1, **data})
    accepted = Accepted(1, "x", document, data, AT)
    assert named(accepted, "laptop") == {"a": ArtifactRef("hf:org/one")}
    assert named(accepted, "studio-1") == {"a": ArtifactRef("hf:org/one", "mine")}


# --- without prune_disk ---------------------------------------------------------------------


def test_files_of_a_removed_model_stay_for_ever_and_are_listed() -> None:
    here = shop()
    assert left(here.step()) == {"old": "draining"}
    assert left(here.settle()) == {"old": "files"}
    decision = pass_time(here, 60 * WEEK)
    assert left(decision) == {"old": "files"}
    assert decision.wake_at is None
    assert decision.picture.plan.empty
    assert deletions(here) == []
    assert ArtifactRef("hf:org/two") in here.disk


def test_the_stone_goes_when_somebody_takes_the_files_away() -> None:
    here = shop()
    here.settle()
    del here.disk[ArtifactRef("hf:org/two")]
    assert left(here.settle()) == {}


def test_several_removals_while_the_daemon_was_down_are_noticed_at_its_start() -> None:
    here = world(one=1, two=1, three=1)
    edit(here, a=entry("one"), b=entry("two"), c=entry("three"))
    here.settle()
    edit(here, a=entry("one"), b=entry("two"))
    edit(here, a=entry("one"))
    restart(here)
    assert left(here.settle()) == {"b": "files", "c": "files"}
    restart(here)
    assert left(here.settle()) == {"b": "files", "c": "files"}


def test_a_bad_document_removes_nothing() -> None:
    here = world(one=1)
    edit(here, a=entry("one"))
    here.settle()
    here.spoil()
    assert left(here.settle()) == {}


def test_files_of_others_leave_no_stone() -> None:
    here = world(one=1)
    foreign = ArtifactRef("hf:org/one")
    here.foreign = frozenset({foreign})
    here.disk[foreign] = here.repo(foreign).complete(0)
    edit(here, PRUNE, a=entry("one"))
    here.settle()
    edit(here, PRUNE)
    assert left(here.step()) == {"a": "draining"}
    assert left(here.settle()) == {}
    assert foreign in here.disk


# --- with prune_disk ------------------------------------------------------------------------


def test_files_go_when_their_time_is_over_and_not_a_moment_earlier() -> None:
    here = shop(PRUNE)
    removed_at = here.at
    run_until(here, "unload:")
    here.end(here.history[-1])
    decision = here.step()
    assert left(decision) == {"old": "files"}
    assert decision.wake_at == removed_at + WEEK
    here.sleep((removed_at + WEEK - here.at).total_seconds() - 0.001)
    assert here.step().start == ()
    here.sleep(0.001)
    (action,) = here.step().start
    assert isinstance(action, Delete)
    assert (action.models, action.revision) == (("old",), "r1")
    assert left(here.step()) == {"old": "deleting"}
    here.end(action.key)
    decision = here.step()
    assert left(decision) == {}
    assert decision.picture.plan.empty
    assert here.disk.keys() == {ArtifactRef("hf:org/one")}


def test_a_retention_of_nothing_waits_for_the_requests_that_run() -> None:
    reconcile = {**PRUNE, "retention": "0s"}
    here = world(one=1)
    edit(here, reconcile, old=entry("one"))
    here.settle()
    here.request("old")
    edit(here, reconcile)
    assert {a.key.partition(":")[0] for a in here.step().start} == {"drain"}
    drain = here.history[-1]
    here.begin(drain)
    assert here.step().start == ()
    assert not here.can_end(drain)
    here.settle()
    assert here.disk == {}
    assert here.history.index(deletions(here)[0]) == len(here.history) - 1


def test_a_restart_does_not_begin_the_time_anew() -> None:
    here = shop(PRUNE)
    run_until(here, "unload:")
    here.sleep(WEEK.total_seconds() - 60)
    restart(here)
    decision = here.step()
    assert decision.wake_at is not None
    assert decision.wake_at <= here.at + timedelta(seconds=60)
    assert deletions(here) == []


def test_the_key_or_another_model_with_the_files_cancels() -> None:
    for key in ("old", "other"):
        here = shop(PRUNE)
        run_until(here, "unload:")
        edit(here, PRUNE, a=entry("one"), **{key: entry("two", "downloaded")})
        decision = pass_time(here, 2 * WEEK)
        assert left(decision) == {}
        assert deletions(here) == []
        edit(here, PRUNE, a=entry("one"))
        assert left(here.step()) == {key: "files"}
        assert here.step().wake_at == here.at + WEEK


def test_files_that_another_revision_of_the_document_is_stay() -> None:
    here = shop(PRUNE)
    run_until(here, "unload:")
    edit(here, PRUNE, a=entry("one"), b=entry("two", "downloaded", revision="main"))
    decision = pass_time(here, 2 * WEEK)
    assert left(decision) == {"old": "files"}
    assert decision.picture.plan.removed[0].why == "models of the document need them"
    assert deletions(here) == []
    edit(here, PRUNE, a=entry("one"))
    decision = here.step()
    assert decision.start == ()
    assert decision.wake_at == here.at + WEEK, "the last model that had them counts"


def test_switching_it_off_or_suspending_stops_it_and_back_goes_on() -> None:
    here = shop(PRUNE)
    run_until(here, "unload:")
    edit(here, a=entry("one"))
    pass_time(here, 2 * WEEK)
    here.edit({"models": {"a": entry("one")}, "reconcile": PRUNE, "suspend": True})
    decision = here.settle()
    assert decision.picture.plan.removed[0].why == "the whole document is suspended"
    assert deletions(here) == []
    edit(here, PRUNE, a=entry("one"))
    assert [action.key for action in here.step().start] == ["delete:hf:org/two"]


def test_a_lease_on_the_files_keeps_them_while_it_lasts() -> None:
    here = shop(PRUNE)
    run_until(here, "unload:")
    here.end(here.history[-1])
    until = here.at + 2 * WEEK
    patch = {"models": {"a": {"source": "hf:org/two"}}}
    lease = Lease("1", "bot", here.at, until, patch)
    here.config = replace(here.config, leases=(lease,))
    pass_time(here, 2 * WEEK - timedelta(seconds=1))
    assert deletions(here) == []
    pass_time(here, timedelta(seconds=1))
    assert deletions(here) == ["delete:hf:org/two"]
    assert here.serving() == {"a"}


def test_a_deletion_that_fails_is_tried_again_later_and_says_why() -> None:
    here = shop(PRUNE)
    run_until(here, "unload:")
    here.sleep(WEEK.total_seconds())
    run_until(here, "delete:")
    here.end("delete:hf:org/two", Failure("DiskError", "input/output error"))
    decision = here.step()
    assert decision.start == ()
    assert decision.picture.plan.removed[0].why == "input/output error"
    here.settle()
    assert deletions(here) == ["delete:hf:org/two"] * 2
    assert ArtifactRef("hf:org/two") not in here.disk


def test_half_of_a_download_is_deleted_too() -> None:
    reconcile = {**PRUNE, "retention": "1h"}
    here = world(one=1, two=1)
    edit(here, reconcile, a=entry("one"), old=entry("two"))
    run_until(here, "download:hf:org/two")
    here.begin("download:hf:org/two")
    part = here.disk[ArtifactRef("hf:org/two")]
    assert part.phase is DiskPhase.PARTIAL
    edit(here, reconcile, a=entry("one"))
    assert here.step().cancel == ("download:hf:org/two",)
    here.end("download:hf:org/two")
    here.settle()
    assert left(here.settle()) == {}


# --- for people -----------------------------------------------------------------------------


def test_a_preview_tells_what_a_removal_would_come_to() -> None:
    here = world(one=1, two=1)
    edit(here, PRUNE, a=entry("one"), old=entry("two"))
    picture = here.settle().picture
    here.edit({"models": {"a": entry("one")}, "reconcile": PRUNE})
    after = preview.candidate(picture, here.config, {}, "")
    assert [each.key for each in after.plan.removed] == ["old"]
    words = explain.text(after)
    assert "old: draining; 1 GiB of files are deleted at Fri 2026-11-27 12:00 UTC" in words
    later = preview.candidate(picture, here.config, {}, "", here.at + WEEK)
    assert later.plan.removed[0].until == here.at + WEEK
    assert here.settle().picture.plan.empty
