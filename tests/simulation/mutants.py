"""Mistakes that are planted in a copy of the reconciler, each of which the simulator has to find.

A mutant is a name and a few exact replacements of source text. Text that is not there exactly
once means that the code has moved on: the mutant has to be brought up to date with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Patch:
    """One replacement in one file of the reconciler."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake: its name, and how it is made."""

    name: str
    patches: tuple[Patch, ...]

    def plant(self, folder: Path) -> None:
        """Make the mistake in a copy of the package. AssertionError when its text is not there."""
        for patch in self.patches:
            path = folder / patch.file
            text = path.read_text(encoding="utf-8")
            found = text.count(patch.old)
            assert found == 1, f"{self.name}: {patch.file} has {found} times {patch.old!r}"
            path.write_text(text.replace(patch.old, patch.new), encoding="utf-8")


def mutant(name: str, *patches: tuple[str, str, str]) -> Mutant:
    """A mutant of file, old text and new text."""
    return Mutant(name, tuple(Patch(*patch) for patch in patches))


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
        ("transfers.py", "if _in_use(artifact, disk, observed):", "if False:"),
    ),
    mutant(
        "the budget ignores what is reserved",
        (
            "budget.py",
            "    if instance.measured is None:\n        return instance.reserved\n",
            "    if instance.measured is None:\n        return 0\n",
        ),
    ),
    mutant(
        "names move before their new model answers",
        ("routes.py", "            held[name] = able\n", "            pass\n"),
    ),
    mutant(
        "ties broken by what is loaded",
        (
            "verdicts.py",
            "-model.priority, -model.window, 0.0, model.order)\n    demand",
            "-model.priority, -model.window, "
            "float(not any(i.key == model.key for i in observed.instances)), model.order)\n"
            "    demand",
        ),
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
        "demand displaces what is busy",
        (
            "verdicts.py",
            "return (pinned, 1.0, not busy, not waiting,",
            "return (pinned, 1.0, busy, not waiting,",
        ),
    ),
    mutant(
        "the one used last goes first",
        ("verdicts.py", "*merit, quiet, model.order)", "*merit, -quiet, model.order)"),
    ),
    mutant(
        "pinned ignored",
        ("verdicts.py", "pinned = 0.0 if model.pinned else 1.0", "pinned = 1.0"),
    ),
    mutant(
        "windows include their end",
        (
            "timetable.py",
            "return (span for span in spans(schedule, zone, first, last) if span.end > at)",
            "return (span for span in spans(schedule, zone, first, last) if span.end >= at)",
        ),
    ),
    mutant(
        "times that are left out are shifted",
        ("timetable.py", "    if before >= after:\n", "    if True:\n"),
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
        "loads reserve by old measurements",
        ("verdicts.py", "        reserve = max(reserve, fresh.total)\n", ""),
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
        "transition times move with every message",
        (
            "conditions.py",
            "if before is not None and before.status == status:",
            "if before is not None and before.status == status and before.message == message:",
        ),
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
        "a clock set back by a little reopens windows",
        ("loop/core.py", "SWAY = timedelta(minutes=1)", "SWAY = timedelta()"),
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
        "models loaded ahead come before all others",
        ("verdicts.py", "        return 3.0\n", "        return -1.0\n"),
    ),
)
