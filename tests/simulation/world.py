"""The fake world with everything that goes wrong: a whole pass of the driver, seam by seam.

`passing` does what `reconciler.loop.driver` does, in its order: outcomes are taken before the
world is read, files are read before instances, what is remembered is saved part by part before
any effect. At each seam it stops, so that the world can move in between, or the daemon can die.
Two clocks: the wall, which can be set, and the one that durations are measured by.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta

from reconciler.actions import Action, Delete, Download, Failure, Load, Outcome
from reconciler.loop.core import Core, Decision, Seen
from reconciler.loop.memory import Remembered
from reconciler.state import (
    Accepted,
    ConfigView,
    Device,
    DiskPhase,
    HostView,
    Lease,
    ModelKey,
    Observed,
)
from tests.reconciler.disk import Repo, look
from tests.reconciler.world import GIB, World
from tests.simulation.documents import parse
from tests.simulation.rules import Rules

RESYNC_S = 20.0
PAUSE_S = 1.0
PATIENCE_S = 120.0
"""So long after the last request, all that wait have given up."""
NAPS = 2
"""So many passes at most in one sleep: a machine that does nothing may as well be late."""
DISK = 1000 * GIB
PARTS = [f.name for f in fields(Remembered) if f.name not in ("epoch", "fingerprint")]
HUNG = Failure("WorkerHung", "no sign of life")
FULL = Failure("DiskFull", "no space left")
MISSING = Failure("FilesMissing", "the files are not what was to be loaded")


@dataclass
class Source(Repo):
    """What is true of one source. `hangs`: a load never ends by itself. `sways`: loads measure
    differently, by so many bytes at most.
    """

    hangs: bool = False
    sways: int = 0
    loads: int = 0

    def measured(self) -> int:
        """Resident bytes after the next load."""
        self.loads += 1
        return Repo.measured(self) - self.sways * (self.loads % 3) // 2


class Simulated(World):
    """A world whose passes have seams, and whose memories are saved part by part."""

    repos: Mapping[str, Source]

    def _boot(self) -> None:
        self.boots: int = getattr(self, "boots", 0) + 1
        self.saved: Remembered = getattr(self, "saved", self.remembered)
        self.disk_free: int = getattr(self, "disk_free", DISK)
        self.trace: list[str] | None = getattr(self, "trace", None)
        self.asked_at = 0.0
        self.lent = getattr(self, "lent", 0)
        self.retries: set[ModelKey] = set()
        self.clocks: tuple[datetime, float] | None = None
        self.journal_fails = False
        self.open: Iterator[str] | None = None
        self.due = getattr(self, "lived", 0.0)
        super()._boot()

    def _core(self) -> Core:
        self.remembered = self.saved
        software = f"start {self.boots}"
        return Core(self.saved, "0", "state", software=software, host=self.name)

    def say(self, line: str) -> None:
        """Write into the trace, if one is kept."""
        if self.trace is not None:
            self.trace.append(f"{self.at:%a %d %H:%M:%S} {self.lived:8.1f}  {line}")

    # --- what people and machines do to it -----------------------------------------------------

    def edit(self, document: Mapping[str, object]) -> None:
        """A valid edit, of the file or over HTTP: a generation more."""
        self.generation += 1
        number = self.generation
        accepted = Accepted(number, str(number), parse(document), document, self.at)
        leases = self.config.leases
        self.config = ConfigView("/doc.yaml", accepted, True, True, "Valid", "", leases=leases)

    def lend(self, patch: Mapping[str, object], lasts_s: float) -> None:
        """A lease, laid over what there is."""
        self.lent += 1
        until = self.at + timedelta(seconds=lasts_s)
        made = Lease(str(self.lent), "bot", self.at, until, patch)
        self.config = replace(self.config, leases=(*self.config.leases, made))

    def end_lease(self) -> None:
        """The lease that was made first is taken back."""
        self.config = replace(self.config, leases=self.config.leases[1:])

    def retry(self, key: str) -> None:
        """Failures of a model are to be forgotten."""
        self.retries.add(ModelKey(key))

    def spoil(self, reason: str = "InvalidYAML") -> None:
        """The file is not valid, empty, cut off or gone: the last good one holds."""
        self.config = replace(
            self.config, valid=False, current=False, reason=reason, message="line 1"
        )

    def mend(self) -> None:
        """The file is again what was accepted last."""
        good = self.config.accepted is not None
        self.config = replace(self.config, valid=good, current=good, reason="Valid")

    def request(self, name: str) -> None:
        """Somebody asks for a name."""
        self.asked_at = self.lived
        super().request(name)

    def sleep(self, seconds: float) -> None:
        """Time passes, on both clocks."""
        super().sleep(seconds)
        if self.waiting and self.lived - self.asked_at > PATIENCE_S:
            self.waiting.clear()

    def nap(self, seconds: float) -> None:
        """Time passes, and the loop wakes up by itself when it is due, though perhaps late."""
        end = self.lived + seconds
        for _ in range(NAPS):
            if self.due > end:
                break
            self.sleep(max(0.0, self.due - self.lived))
            self.step()
            self.due = max(self.due, self.lived + (end - self.lived) / NAPS)
        self.sleep(end - self.lived)

    # --- one pass of the loop ------------------------------------------------------------------

    def step(self) -> Decision:
        """A whole pass; one that is open is finished first."""
        self.finish()
        for _ in self.passing():
            pass
        assert self.decision is not None
        return self.decision

    def finish(self) -> None:
        """Let an open pass go on to its end."""
        if self.open is not None:
            for _ in self.open:
                pass
            self.open = None

    def stop_at(self, seam: int) -> None:
        """Begin a pass and leave it open at its `seam`-th seam, unless it ends before."""
        self.finish()
        self.open = self.passing()
        for passed, _ in enumerate(self.open):
            if passed >= seam:
                return
        self.open = None

    def passing(self) -> Iterator[str]:
        """One pass as the driver does it, with the names of the places where it can be met."""
        taken, config, at = tuple(self.outcomes), self.config, self.at
        host, retry = self.host(), frozenset(self.retries)
        wanted = self.core.artifacts(config, at)
        disk = {ref: look(self.disk, ref) for ref in sorted(wanted, key=str)}
        yield "looked"
        views, demands = self.pool.view(self.at), self.demands()
        observed = Observed(at, host, disk, views, demands)
        if isinstance(self.watch, Rules):
            self.watch.retry = retry
        decision = self.decide(
            Seen(config, observed, self.credentials, taken, self._stepped(), retry)
        )
        del self.outcomes[: len(taken)]
        self.retries -= retry
        yield "decided"
        if self.journal_fails:
            self.journal_fails = False
            self.say("the journal cannot be written")
            self.outcomes += [Outcome(a, cancelled=True) for a in decision.start]
            self.due = self.lived + PAUSE_S
            return
        yield from self._save(decision.remembered)
        self.act(decision)
        wake = decision.wake_at
        ahead = RESYNC_S if wake is None else (wake - observed.at).total_seconds()
        self.due = self.lived + min(RESYNC_S, max(0.0, ahead))

    def _stepped(self) -> float:
        """Seconds by which the wall clock went further than the time that passed."""
        before, self.clocks = self.clocks, (self.at, self.lived)
        if before is None:
            return 0.0
        return (self.at - before[0]).total_seconds() - (self.lived - before[1])

    def _save(self, now: Remembered) -> Iterator[str]:
        """The epoch first, then all else, one part after the other."""
        if now.fingerprint is not self.saved.fingerprint or now.epoch != self.saved.epoch:
            self.saved = replace(self.saved, epoch=now.epoch, fingerprint=now.fingerprint)
        yield "saved the epoch"
        for part in PARTS:
            if getattr(now, part) is not getattr(self.saved, part):
                self.saved = replace(self.saved, **{part: getattr(now, part)})
                yield f"saved the {part}"
        self.remembered = self.saved

    def act(self, decision: Decision) -> None:
        """Carry out what was decided."""
        if self.trace is not None:
            for key in decision.cancel:
                self.say(f"  cancels {key}")
            for action in decision.start:
                self.say(f"  starts {action.key}")
        super().act(decision)

    # --- actions go on -------------------------------------------------------------------------

    def host(self) -> HostView:
        """The machine, with its disk."""
        ours = sum(state.ours for state in self.disk.values())
        device = Device("metal", "fake", self.memory) if self.probed else None
        return HostView(self.memory, self.free(), ours, device, memory_free=self.memory_free)

    def free(self) -> int:
        """Bytes free on the volume."""
        return self.disk_free - sum(state.have for state in self.disk.values())

    def begin(self, key: str) -> None:
        """The effect of a started action can be seen from now on."""
        super().begin(key)
        self.say(f"  {key} begins")
        action = self.running[key].action
        if isinstance(action, Delete):
            state = self.disk.get(action.artifact)
            if state is not None:
                half = replace(state, phase=DiskPhase.PARTIAL, path=None, footprint=None)
                self.disk[action.artifact] = half

    def can_end(self, key: str) -> bool:
        """A hanging load ends when it is cancelled, or when its time is over."""
        effect = self.running[key]
        load = effect.action
        if isinstance(load, Load) and not effect.cancelled and self._hangs(load):
            return effect.begun and self.lived >= effect.begun_at + load.timeout_s
        return super().can_end(key)

    def end(self, key: str, fault: Failure | None = None) -> None:
        """An action ends."""
        super().end(key, fault)
        if self.trace is not None:
            outcome = self.outcomes[-1]
            how = "cancelled" if outcome.cancelled else outcome.error
            self.say(f"  {key} ends: {how or 'done'}")

    def _hangs(self, load: Load) -> bool:
        repo = self.repo(load.spec.artifact)
        return repo.hangs and repo.load_fault is None

    def repo(self, artifact: object) -> Source:
        """What is true of an artifact."""
        found = super().repo(artifact)  # type: ignore[arg-type]
        assert isinstance(found, Source)
        return found

    def _trouble(self, action: Action) -> Failure | None:
        match action:
            case Download(artifact=artifact) if self.free() < self.repo(artifact).weights:
                return FULL
            case Load(spec=spec):
                state = look(self.disk, replace(spec.artifact, revision=spec.revision))
                if state.phase is not DiskPhase.VERIFIED or state.revision != spec.revision:
                    return MISSING
                if self._hangs(action):
                    return HUNG
        return super()._trouble(action)
