"""Who is admitted: the walk over the wanted models in the declared order, and why one is left out.

Selection takes what fits: bytes of the budget, one of the places of `limits.loaded`, and its
group when nobody has it. A model that does not fit is passed over and others behind it may still
fit. What is loaded already does not matter, so the same document, instant and ledger always give
the same set. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reconciler.actions import Need
from reconciler.state import EffectiveModel, ModelKey
from schemas.quantities import format_bytes

NAMED = 8
"""Holders of memory that a refusal names."""


class Candidate(NamedTuple):
    """A model that wants memory. `rank` sorts: smaller is served first."""

    model: EffectiveModel
    need: Need
    rank: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """What instances of a suspended model take, which nobody can have."""

    key: ModelKey
    size: int
    instances: int = 1
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a candidate is in, and the sentence that says why not."""

    admitted: bool
    reason: str
    message: str


class Room:
    """What is left while candidates are let in: bytes, places, and groups that are free.

    kept: what nobody can have. places: most instances at once, None for any number.
    """

    def __init__(self, total: int, places: int | None = None, kept: Sequence[Kept] = ()) -> None:
        self._total = total
        self._places = places
        self._left = total - sum(each.size for each in kept)
        self._count = sum(each.instances for each in kept)
        self._groups = {each.group: each.key for each in kept if each.group is not None}
        self._kept = kept
        self._taken: list[Candidate] = []

    def take(self, candidate: Candidate) -> None:
        """Let it in, whether it fits or not."""
        self._left -= candidate.need.total
        self._count += 1
        self._taken.append(candidate)
        if candidate.model.group is not None:
            self._groups.setdefault(candidate.model.group, candidate.model.key)

    def fits(self, candidate: Candidate) -> bool:
        """Whether it could be let in now."""
        return (
            candidate.need.total <= self._left
            and (self._places is None or self._count < self._places)
            and self._rival(candidate) is None
        )

    def refusal(self, candidate: Candidate) -> Admission:
        """Why it does not fit: what it needed, what is left, who has it, what would help."""
        if candidate.need.total > self._total:
            return self._never(candidate)
        rival = self._rival(candidate)
        if rival is not None:
            return Admission(False, "GroupTaken", self._group_taken(candidate, rival))
        if self._places is not None and self._count >= self._places:
            return Admission(False, "TooManyLoaded", self._no_place(candidate, self._places))
        return self._no_memory(candidate)

    def _rival(self, candidate: Candidate) -> ModelKey | None:
        """Who has the candidate's group."""
        group = candidate.model.group
        holder = self._groups.get(group) if group is not None else None
        return None if holder == candidate.model.key else holder

    def _group_taken(self, loser: Candidate, rival: ModelKey) -> str:
        holder = next((c.model for c in self._taken if c.model.key == rival), None)
        rank = "suspended" if holder is None else f"priority {holder.priority}"
        return (
            f"group {loser.model.group} has {rival} ({rank}), and at most one of a group is "
            f"loaded; set {rival} to downloaded, or give {loser.model.key} a higher priority"
        )

    def _no_place(self, loser: Candidate, places: int) -> str:
        verb = "place is" if places == 1 else "places are"
        return (
            f"{self._count} of {places} {verb} taken by {self._holders(priced=False)}; "
            f"raise limits.loaded to {self._count + 1}, or give {loser.model.key} a higher priority"
        )

    def _never(self, loser: Candidate) -> Admission:
        need = loser.need
        message = (
            f"needs {format_bytes(need.total)}, the whole budget is {format_bytes(self._total)}; "
            f"raise limits.memory to {format_bytes(need.total)}, or lower its context or kv_memory "
            f"(weights {format_bytes(need.weights + need.overhead)}, "
            f"KV {format_bytes(need.kv_pool)})"
        )
        return Admission(False, "NeverFits", message)

    def _no_memory(self, loser: Candidate) -> Admission:
        left = f"{format_bytes(max(0, self._left))} of {format_bytes(self._total)} left"
        message = (
            f"needs {format_bytes(loser.need.total)}, {left} "
            f"after {self._holders(priced=True)}; {self._remedies(loser)}"
        )
        return Admission(False, "InsufficientMemory", message)

    def _holders(self, *, priced: bool) -> str:
        """Who has it, the first ones by name."""
        kept = [f"{each.key} (suspended){_price(each.size, shown=priced)}" for each in self._kept]
        taken = [c for c in self._taken if c.need.total or not priced]
        named = [
            f"{c.model.key} (priority {c.model.priority}){_price(c.need.total, shown=priced)}"
            for c in taken[:NAMED]
        ]
        more = [f"{len(taken) - NAMED} more"] if len(taken) > NAMED else []
        return ", ".join([*kept, *named, *more])

    def _remedies(self, loser: Candidate) -> str:
        """The two cheapest ways out: the smallest model whose going makes room, more budget."""
        missing = loser.need.total - self._left
        enough = [c for c in self._taken if c.need.total >= missing]
        more = f"raise limits.memory to {format_bytes(self._total + missing)}"
        if not enough:
            return f"{more}, or give it a higher priority"
        cheapest = min(enough, key=lambda c: c.need.total)
        return f"{more}, or set {cheapest.model.key} to downloaded"


def select(
    candidates: Sequence[Candidate],
    total: int,
    kept: Sequence[Kept] = (),
    places: int | None = None,
) -> Mapping[ModelKey, Admission]:
    """Admit candidates in rank order while they fit; explain every loser."""
    room = Room(total, places, kept)
    result: dict[ModelKey, Admission] = {}
    for candidate in sorted(candidates, key=lambda c: c.rank):
        if not room.fits(candidate):
            result[candidate.model.key] = room.refusal(candidate)
            continue
        room.take(candidate)
        if candidate.need.basis == "unknown":
            admission = Admission(
                True, "EstimateUnknown", "its size is known once its file list is"
            )
        else:
            size = format_bytes(candidate.need.total)
            message = f"needs {size} of {format_bytes(total)}"
            admission = Admission(True, "WithinBudget", message)
        result[candidate.model.key] = admission
    return result


def _price(size: int, *, shown: bool) -> str:
    return f" {format_bytes(size)}" if shown else ""
