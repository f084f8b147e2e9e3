"""The driver on a real event loop: tasks, outcomes, pokes and passes that fail.

The ports are small stand-ins that wait on events of the test; nothing sleeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.actions import Action, Delete, Download, Drain, Load, Promote, Unload, Verify
from reconciler.backoff import Record
from reconciler.budget import Ledger
from reconciler.drift import Drifts
from reconciler.loop.core import Core, Decision
from reconciler.loop.driver import Loop, Ports
from reconciler.loop.memory import Remembered
from reconciler.previous import Proven
from reconciler.state import (
    ArtifactRef,
    ConfigView,
    Demand,
    DiskState,
    HostView,
    InstanceUid,
    InstanceView,
    ModelKey,
    Routes,
)
from reconciler.tombstones import Tombstones
from schemas.errors import ActionError
from schemas.events import Event
from tests.reconciler.disk import Repo
from tests.reconciler.stage import edit, entry
from tests.reconciler.world import GIB, World

PATIENCE_S = 20.0


class Stage:
    """All ports over a fake world; what begins waits until the test says how it ends."""

    def __init__(self) -> None:
        self.world = World({"org/a": Repo(2 * GIB), "org/b": Repo(2 * GIB)})
        self.begun: list[str] = []
        self.endings: dict[str, asyncio.Future[None]] = {}
        self.published: list[Routes] = []
        self.saved: list[str] = []
        self.told: list[Event] = []
        self.ahead = timedelta()
        self.spare: bool | None = None
        self.observing: BaseException | None = None
        self.saving: BaseException | None = None
        self.cleaning = asyncio.Event()
        self.cleaned = 0
        self.looking, self.may_look = asyncio.Event(), asyncio.Event()
        self.may_look.set()
        self.passes = 0
        remembered = Remembered()
        core = Core(remembered, "0", "state")
        ports = Ports(self, self, self, self, self, self, self, self)  # type: ignore[arg-type]
        self.loop = Loop(ports, core, remembered)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()

    def view(self) -> ConfigView:
        return self.world.config

    async def observe(self, wanted: frozenset[ArtifactRef] | None = None) -> object:
        if wanted is not None:
            return {ref: self.world.disk.get(ref, DiskState()) for ref in wanted}
        self.passes += 1
        self.looking.set()
        await self.may_look.wait()
        if self.observing is not None:
            raise self.observing
        return HostView(16 * GIB, 1000 * GIB, 0, self.world.host().device)

    def credentials(self) -> str:
        return "token"

    def snapshot(self) -> tuple[InstanceView, ...]:
        return self.world.pool.view(self.world.at)

    def demands(self) -> Mapping[ModelKey, Demand]:
        return {}

    def publish(self, routes: Routes) -> None:
        self.published.append(routes)

    def forget(self, uid: InstanceUid) -> None:
        self.world.pool.forget(uid)

    def want_spare(self, wanted: bool) -> None:
        self.spare = wanted

    def emit(self, event: Event) -> None:
        self.told.append(event)

    async def save_epoch(self, epoch: int, fingerprint: str) -> None:
        if self.saving is not None:
            raise self.saving
        self.saved.append(f"epoch {epoch}")

    async def save_ledger(self, ledger: Ledger) -> None:
        self.saved.append("ledger")

    async def save_failures(self, failures: Mapping[str, Record]) -> None:
        self.saved.append("failures")

    async def save_drifts(self, drifts: Drifts) -> None:
        self.saved.append("drifts")

    async def save_proven(self, proven: Mapping[ModelKey, Proven]) -> None:
        self.saved.append("proven")

    async def save_tombstones(self, tombstones: Tombstones) -> None:
        self.saved.append("tombstones")

    async def _carry(self, action: Action) -> None:
        self.begun.append(action.key)
        ending: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.endings[action.key] = ending
        self.cleaning.clear()
        try:
            await ending
        except asyncio.CancelledError:
            await self.cleaning.wait()
            self.cleaned += 1
            raise
        self.world._done(action)

    async def download(self, action: Download) -> None:
        await self._carry(action)

    async def verify(self, action: Verify) -> None:
        await self._carry(action)

    async def delete(self, action: Delete) -> None:
        await self._carry(action)

    async def drain(self, action: Drain) -> None:
        await self._carry(action)

    async def unload(self, action: Unload) -> None:
        await self._carry(action)

    async def load(self, action: Load) -> None:
        self.world.pool.begin(action, self.world.at)
        try:
            await self._carry(action)
        except BaseException:
            self.world.pool.gone(action.uid)
            raise

    def promote(self, action: Promote) -> None:
        self.begun.append(action.key)
        self.world.pool.promote(action.uid)

    # --- for tests -----------------------------------------------------------------------------

    async def until(self, begun: str) -> None:
        """Passes until an action has begun."""
        async with asyncio.timeout(PATIENCE_S):
            while begun not in self.begun:
                await self.loop.fresh()

    async def end(self, key: str, error: BaseException | None = None) -> Decision:
        """End an action; the decision of a pass that knows of it."""
        await self.until(key)
        if error is None:
            self.endings[key].set_result(None)
        else:
            self.endings[key].set_exception(error)
        await self.loop.fresh()
        return await self.loop.fresh()


@asynccontextmanager
async def staged(**models: dict[str, object]) -> AsyncIterator[Stage]:
    stage = Stage()
    edit(stage.world, **models)
    task = asyncio.create_task(stage.loop.run(), name="loop")
    try:
        async with asyncio.timeout(PATIENCE_S):
            yield stage
    finally:
        stage.cleaning.set()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_actions_are_carried_out_one_after_the_other_to_the_end() -> None:
    async with staged(a=entry("a")) as stage:
        await stage.end("download:hf:org/a")
        decision = await stage.end("load:a#1")
        await stage.until("promote:a#1")
        decision = await stage.loop.fresh()
        decision = await stage.loop.fresh()
        assert decision.status.summary == "Healthy"
        assert stage.begun == ["download:hf:org/a", "load:a#1", "promote:a#1"]
        assert stage.saved == ["epoch 1", "tombstones", "drifts", "ledger", "proven"]
        assert stage.spare is True
        assert stage.published[-1].targets[ModelKey("a")].revision == "r1"


async def test_many_pokes_are_one_pass() -> None:
    async with staged() as stage:
        await stage.loop.fresh()
        before = stage.passes
        for _ in range(100):
            stage.loop.poke()
        await stage.loop.fresh()
        assert stage.passes - before <= 2


async def test_fresh_is_a_decision_that_has_seen_what_was_there_when_it_was_asked_for() -> None:
    async with staged(a=entry("a")) as stage:
        for priority in range(20):
            edit(stage.world, a=entry("a", priority=priority))
            decision = await stage.loop.fresh()
            assert decision.status.generation == stage.world.generation


async def test_an_error_of_an_action_becomes_its_failure() -> None:
    async with staged(a=entry("a")) as stage:
        error = ActionError("GatedRepo", "the repository is gated", hint="ask", terminal=True)
        decision = await stage.end("download:hf:org/a", error)
        record = decision.remembered.failures["download:hf:org/a"]
        assert (record.reason, record.retry_at) == ("GatedRepo", None)
        assert record.message == "the repository is gated; ask"
        assert stage.begun.count("download:hf:org/a") == 1
        assert "failures" in stage.saved


async def test_an_unexpected_exception_is_a_failure_that_is_tried_again_and_stops_nothing() -> None:
    async with staged(a=entry("a"), b=entry("b")) as stage:
        decision = await stage.end("download:hf:org/a", ValueError("a bug"))
        record = decision.remembered.failures["download:hf:org/a"]
        assert record.reason == "InternalError"
        assert "ValueError: a bug" in record.message
        assert record.retry_at is not None
        await stage.end("download:hf:org/b")
        await stage.until("load:b#1")


async def test_a_pass_that_fails_is_tried_again_and_no_outcome_is_lost() -> None:
    async with staged(a=entry("a")) as stage:
        await stage.until("download:hf:org/a")
        stage.observing = OSError("no such machine")
        stage.endings["download:hf:org/a"].set_result(None)
        for _ in range(3):
            await stage.loop.fresh()  # the decision before: the loop lives and answers
        stage.observing = None
        await stage.until("load:a#1")


async def test_an_outcome_that_comes_while_a_pass_looks_is_filed_by_the_next() -> None:
    async with staged(a=entry("a")) as stage:
        await stage.until("download:hf:org/a")
        stage.may_look.clear()
        stage.looking.clear()
        stage.loop.poke()
        await stage.looking.wait()
        task = stage.loop._tasks["download:hf:org/a"]
        stage.endings["download:hf:org/a"].set_result(None)
        await asyncio.wait([task])
        stage.may_look.set()
        await stage.until("load:a#1")
        assert "download:hf:org/a" not in stage.loop._core._running


async def test_what_could_not_be_remembered_is_not_acted_on_and_not_forgotten() -> None:
    async with staged() as stage:
        await stage.loop.fresh()
        stage.saving = OSError("no space left")
        edit(stage.world, a=entry("a"))
        for _ in range(3):
            await stage.loop.fresh()
        assert stage.begun == []
        stage.saving = None
        await stage.until("download:hf:org/a")


async def test_fresh_says_so_when_no_pass_ever_succeeded() -> None:
    async with staged() as stage:
        stage.observing = OSError("no such machine")
        with pytest.raises(RuntimeError, match="without a decision"):
            await stage.loop.fresh()


async def test_a_cancelled_action_is_cancelled_once_and_cleans_up_in_peace() -> None:
    async with staged(a=entry("a")) as stage:
        await stage.end("download:hf:org/a")
        await stage.until("load:a#1")
        edit(stage.world)
        for _ in range(5):
            decision = await stage.loop.fresh()
            assert decision.cancel in ((), ("load:a#1",))
        assert stage.cleaned == 0
        stage.cleaning.set()
        while stage.world.pool.residents:
            await stage.loop.fresh()
        assert stage.cleaned == 1
        assert (await stage.loop.fresh()).remembered.failures == {}


async def test_a_task_that_is_cancelled_before_its_first_step_is_not_lost() -> None:
    async with staged(a=entry("a")) as stage:
        await stage.loop.fresh()
        await stage.end("download:hf:org/a")
        for task in stage.loop._tasks.values():
            task.cancel()
        edit(stage.world)
        for _ in range(3):
            stage.cleaning.set()
            await stage.loop.fresh()
        assert stage.loop._core._running == {}


async def test_cancelling_the_loop_cancels_what_runs_and_waits_for_its_clean_up() -> None:
    async with staged(a=entry("a")) as stage:
        await stage.end("download:hf:org/a")
        await stage.until("load:a#1")
    assert stage.cleaned == 1
    assert stage.world.pool.residents == {}


async def test_the_epoch_is_remembered_before_anything_starts() -> None:
    stage = Stage()
    edit(stage.world, a=entry("a"))
    order: list[str] = []
    saving, fetching = stage.save_epoch, stage.download

    async def save(epoch: int, fingerprint: str) -> None:
        order.append("saved")
        await saving(epoch, fingerprint)

    async def fetch(action: Download) -> None:
        order.append("started")
        await fetching(action)

    stage.save_epoch, stage.download = save, fetch  # type: ignore[method-assign]
    task = asyncio.create_task(stage.loop.run())
    await stage.until("download:hf:org/a")
    stage.cleaning.set()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert order == ["saved", "started"]


async def test_what_happened_is_told_once_also_when_nothing_could_be_saved() -> None:
    async with staged(a=entry("a")) as stage:
        stage.saving = OSError("disk full")
        with pytest.raises(RuntimeError):
            await stage.loop.fresh()
        stage.saving = None
        await stage.end("download:hf:org/a")
        await stage.until("load:a#1")
        await stage.loop.fresh()
        told = [event.reason for event in stage.told]
        for reason in ("Started", "EpochChanged", "DownloadDone", "Loading"):
            assert told.count(reason) == (reason != "EpochChanged"), reason


async def test_a_wall_clock_that_runs_away_from_the_time_that_passes_is_seen() -> None:
    async with staged() as stage:
        await stage.loop.fresh()
        assert "ClockStepped" not in [event.reason for event in stage.told]
        stage.ahead = timedelta(hours=1)
        await stage.loop.fresh()
        await stage.loop.fresh()
        (event,) = [event for event in stage.told if event.reason == "ClockStepped"]
        assert 3590 < float(str(event.data["seconds"])) < 3610
