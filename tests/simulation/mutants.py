"""Mistakes that are planted in a copy of the reconciler, each of which the simulator has to find.

A mutant is a name and a few exact replacements of source text. Text that is not there exactly
once means that the code has moved on: the mutant has to be brought up to date with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.simulation.moods import ANYTHING, CROWD, NIGHTS, TROUBLE, Mood


@dataclass(frozen=True, slots=True)
class Patch:
    """One replacement in one file of the reconciler."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake: its name, how it is made, and in which mood it is looked for first."""

    name: str
    patches: tuple[Patch, ...]
    mood: Mood

    def plant(self, folder: Path) -> None:
        """Make the mistake in a copy of the package. AssertionError when its text is not there."""
        for patch in self.patches:
            path = folder / patch.file
            text = path.read_text(encoding="utf-8")
            found = text.count(patch.old)
            assert found == 1, f"{self.name}: {patch.file} has {found} times {patch.old!r}"
            path.write_text(text.replace(patch.old, patch.new), encoding="utf-8")


def mutant(name: str, *patches: tuple[str, str, str], mood: Mood = ANYTHING) -> Mutant:
    """A mutant of file, old text and new text."""
    return Mutant(name, tuple(Patch(*patch) for patch in patches), mood)


MUTANTS = (
    mutant(
        "load before unload",
        ("lane.py", "self.steps.append(Step(load, waits))", "self.steps.append(Step(load, ()))"),
        (
            "loop/start.py",
            "if decided.budget is None or decided.memory_now + load.reserve > decided.budget:",
            "if decided.budget is None:",
        ),
    ),
    mutant(
        "unload without a drain",
        ("lane.py", "self._unload(instance, (drain.key,))", "self._unload(instance, ())"),
    ),
    mutant(
        "files loaded before they are verified",
        (
            "knowledge.py",
            "if disk is None or disk.phase is not DiskPhase.VERIFIED or disk.footprint is None:",
            "if disk is None or disk.footprint is None:",
        ),
    ),
    mutant(
        "a partial download taken as complete",
        (
            "transfers.py",
            "    if disk.phase is DiskPhase.VERIFIED:\n        return None",
            "    if disk.phase in (DiskPhase.VERIFIED, DiskPhase.PARTIAL):\n        return None",
        ),
    ),
    mutant(
        "windows noticed only at edits",
        (
            "loop/core.py",
            "return at < self._latest or (until is not None and at >= until)",
            "return False",
        ),
        mood=NIGHTS,
    ),
    mutant(
        "a bad edit treated as empty",
        (
            "loop/core.py",
            "at, accepted = self._steady(observed.at), config.accepted\n",
            "at, accepted = self._steady(observed.at), config.accepted if config.valid else None\n",
        ),
        (
            "loop/core.py",
            "return config.accepted is not accepted or config.leases != leases",
            "return True",
        ),
    ),
    mutant(
        "files of others deleted",
        ("transfers.py", "if disk.ours <= 0 or not", "if not disk.have or not"),
    ),
    mutant(
        "files in use deleted",
        ("transfers.py", "if in_use(artifact, disk, observed):", "if False:"),
    ),
    mutant(
        "names move before their new model answers",
        ("routes.py", "            held[name] = able\n", "            pass\n"),
    ),
    mutant(
        "success forgives nothing",
        (
            "loop/memory.py",
            "                self._clear(subject)\n        elif",
            "                pass\n        elif",
        ),
    ),
    mutant(
        "health forgives nothing",
        ("loop/memory.py", "if at - since >= HEALTHY:", "if False:"),
        mood=TROUBLE,
    ),
    mutant(
        "any edit forgives all failures",
        (
            "loop/memory.py",
            "            self.view = self.kept.ledger\n",
            "            self.view = self.kept.ledger\n"
            "            self.kept = replace(self.kept, failures={})\n",
        ),
    ),
    mutant(
        "what failed for good is tried again",
        (
            "backoff.py",
            "    if record.retry_at is None:\n        return True\n",
            "    if record.retry_at is None:\n        return False\n",
        ),
        mood=TROUBLE,
    ),
    mutant(
        "no wait between tries",
        (
            "backoff.py",
            "return timedelta() < record.retry_at - at",
            "return False and timedelta() < record.retry_at - at",
        ),
    ),
    mutant(
        "no brake on a crash loop",
        ("backoff.py", "len(recent) >= BRAKE_COUNT", "len(recent) >= 1000"),
        mood=TROUBLE,
    ),
    mutant(
        "drains cut requests at once",
        (
            "lane.py",
            "drain = Drain(instance.key, instance.uid, limit, why)",
            "drain = Drain(instance.key, instance.uid, 0.0, why)",
        ),
    ),
    mutant(
        "suspended models touched",
        (
            "plan.py",
            "untouched = {c.model.key for c in cases if c.model.suspended}",
            "untouched = set[ModelKey]()",
        ),
    ),
    mutant(
        "a number given twice",
        (
            "loop/core.py",
            "memory.serial += sum(isinstance(step.action, Load) for step in decided.steps)",
            "pass",
        ),
    ),
    mutant(
        "windows include their end",
        (
            "timetable.py",
            "return (span for span in spans(schedule, zone, first, last) if span.end > at)",
            "return (span for span in spans(schedule, zone, first, last) if span.end >= at)",
        ),
        mood=NIGHTS,
    ),
    mutant(
        "times that are left out are shifted",
        ("timetable.py", "    if before >= after:\n", "    if True:\n"),
        mood=NIGHTS,
    ),
    mutant(
        "leases never expire",
        ("leases.py", "        if lease.expires_at <= at:\n            continue\n", ""),
    ),
    mutant(
        "promoted before it is loaded",
        (
            "lane.py",
            "promote = self._promote(key, uid, (load.key,))",
            "promote = self._promote(key, uid, ())",
        ),
    ),
    mutant(
        "what is cancelled is forgotten at once",
        (
            "loop/core.py",
            "        for action in start:\n            self._running[action.key] = action\n",
            "        for c in decided.cancels:\n            self._running.pop(c.action, None)\n"
            "        for action in start:\n            self._running[action.key] = action\n",
        ),
    ),
    mutant(
        "a cancelled action runs for ever",
        (
            "loop/core.py",
            "            self._running.pop(outcome.action.key, None)\n",
            "            if not outcome.cancelled:\n"
            "                self._running.pop(outcome.action.key, None)\n",
        ),
    ),
    mutant(
        "the smallest measurement counts",
        (
            "budget.py",
            "return _round_up(max(m.memory for m in seen)) if seen else None",
            "return _round_up(min(m.memory for m in seen)) if seen else None",
        ),
    ),
    mutant(
        "the failure of one model stops those behind it",
        (
            "lane.py",
            "        for wish in self.wishes:\n            if wish.spec",
            "        for wish in self.wishes:\n            if not wish.may_load:\n"
            "                break\n            if wish.spec",
        ),
    ),
    mutant(
        "groups ignored",
        ("admission.py", "return None if holder == candidate.model.key else holder", "return None"),
    ),
    mutant(
        "limits.loaded ignored",
        ("admission.py", "and (self._places is None or self._count < self._places)", ""),
    ),
    mutant(
        "deaths go unnoticed",
        (
            "loop/memory.py",
            "        self._fail(subject, key, failure, observed.at, brake=True)\n",
            "",
        ),
    ),
    mutant(
        "what is taken away is put right all the same",
        (
            "drift.py",
            'return () if effective.upkeep.drift == "enforce" else tuple(found)',
            "return ()",
        ),
    ),
    mutant(
        "ties broken by what is loaded",
        (
            "verdicts.py",
            "        rank=rank(\n            model,\n",
            "        rank=rank(\n            replace(model, order=0) if instances else model,\n",
        ),
        (
            "verdicts.py",
            "from dataclasses import dataclass\n",
            "from dataclasses import dataclass, replace\n",
        ),
    ),
    mutant(
        "demand displaces what is busy",
        (
            "ranking.py",
            "return (pinned, of, not busy, not waiting,",
            "return (pinned, of, busy, not waiting,",
        ),
        mood=CROWD,
    ),
    mutant(
        "the one used last goes first",
        ("ranking.py", "*merit, quiet, model.order)", "*merit, -quiet, model.order)"),
        mood=CROWD,
    ),
    mutant(
        "pinned ignored",
        ("ranking.py", "pinned = 0.0 if model.pinned else 1.0", "pinned = 1.0"),
    ),
    mutant(
        "loads reserve by old measurements",
        (
            "verdicts.py",
            "        reserve = max(reserve, budget.need_of(model, facts.disk, measured).total)\n",
            "        pass\n",
        ),
    ),
    mutant(
        "transition times move with every message",
        (
            "conditions.py",
            "            since = before.last_transition_time\n",
            "            told = before.message == message\n"
            "            since = before.last_transition_time if told else now\n",
        ),
    ),
    mutant(
        "models loaded ahead come before all others",
        (
            "ranking.py",
            "        return (1.0, of, -model.priority, -model.window, model.order)\n    pinned",
            "        return (1.0, -1.0, -model.priority, -model.window, model.order)\n    pinned",
        ),
        mood=NIGHTS,
    ),
    mutant(
        "nothing is loaded ahead",
        (
            "hours.py",
            "        return None if ahead is None else back.at - ahead\n",
            "        return None\n",
        ),
        mood=NIGHTS,
    ),
    mutant(
        "a window that closes hard lets requests end",
        (
            "hours.py",
            "drain_s=0.0 if rests and facts.hard else model.drain_s,",
            "drain_s=model.drain_s,",
        ),
        mood=NIGHTS,
    ),
    mutant(
        "a window that closed lazily is forgotten",
        (
            "hours.py",
            'return Spare.LAZY if facts.close is not None and facts.close.how == "lazy" else None',
            "return None",
        ),
        mood=NIGHTS,
    ),
    mutant(
        "what is told of a model is not told anew",
        ("report.py", "        picture.plan.verdicts[key],\n", ""),
    ),
    mutant(
        "an epoch is not counted",
        (
            "loop/memory.py",
            "epoch=self.kept.epoch + 1, fingerprint",
            "epoch=self.kept.epoch, fingerprint",
        ),
    ),
    mutant(
        "removed models are deleted at once",
        (
            "prune.py",
            "due=until is not None and observed.at >= until and not",
            "due=until is not None and not",
        ),
    ),
    mutant(
        "a crash of the daemon forgets the epoch",
        ("loop/memory.py", "if fingerprint != self.kept.fingerprint:", "if True:"),
    ),
    mutant(
        "a failure of a load is not filed",
        (
            "loop/memory.py",
            "            self._reported.add(action.uid)\n"
            "            self._fail(subject, key, outcome.error, at, brake=True)\n",
            "            self._reported.add(action.uid)\n",
        ),
    ),
)
