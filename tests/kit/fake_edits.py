"""Stands for the owners of document, leases and history: applies merge patches to a map in memory.

It keeps what it was asked for, and can be told to refuse, to take its time, or how models settle.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lmxd.http.ports import Effect, Settled
from schemas.edit import Edit, JsonPatch, MergePatch, WholeData, WholeText
from schemas.errors import Code, DocumentError, LmxdError, Problem, RequestError
from schemas.verbs import Verb
from schemas.wire.admin import Done, Reloaded
from schemas.wire.control import (
    Changed,
    GenerationInfo,
    Generations,
    LeaseEnded,
    LeaseInfo,
    LeaseMade,
    Leases,
    Planned,
    Retried,
)
from tests.kit.fake_gate import DEADLINE_S

LEASE = LeaseInfo("l-1", "night-bot", "2026-11-21T02:00:00Z", "2026-11-21T04:00:00Z", {"a": 1})
PLAN: dict[str, object] = {"generation": 8, "actions": []}


@dataclass
class FakeEdits:
    """`refusal` is raised by whatever would change something. `hold`: changes wait for it."""

    data: dict[str, Any] = field(default_factory=lambda: {"version": 1, "models": {}})
    number: int = 7
    touched: frozenset[str] = frozenset({"day-coder"})
    settled: Settled = field(default_factory=lambda: Settled(done=True))
    refusal: LmxdError | None = None
    hold: asyncio.Event | None = None
    calls: list[tuple[str, Any]] = field(default_factory=list)
    waited: list[tuple[frozenset[str], float]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)
    settling: asyncio.Event | None = None

    @property
    def etag(self) -> str:
        return hashlib.sha256(json.dumps(self.data, sort_keys=True).encode()).hexdigest()

    @property
    def edits(self) -> list[Edit]:
        return [edit for name, edit in self.calls if name in ("change", "lend", "create")]

    def read_yaml(self, raw: bytes) -> object:
        if raw.startswith(b"!"):
            problem = Problem("", "no tags here", "write plain values", 1, 1)
            raise DocumentError("InvalidYAML", (problem,))
        try:
            return json.loads(raw)
        except ValueError as error:
            problem = Problem("", "that is neither JSON nor YAML", None, 1, 1)
            raise DocumentError("InvalidYAML", (problem,)) from error

    async def change(self, edit: Edit, *, dry_run: bool, plan_id: str | None) -> Effect:
        await self._enter("change", edit)
        self.calls.append(("terms", (dry_run, plan_id)))
        if edit.if_match and not {self.etag, "*"} & set(edit.if_match):
            raise RequestError(
                Code.PRECONDITION_FAILED,
                "the document is another by now",
                details={"current_etag": self.etag, "generation": self.number},
            )
        after = self._after(edit)
        changed = after != self.data
        if changed and not dry_run:
            self.data, self.number = after, self.number + 1
        self.ended.set()
        return Effect(self._changed(changed=changed, dry_run=dry_run), self.touched)

    async def create(self, edit: Edit, *, dry_run: bool) -> Effect:
        await self._enter("create", edit)
        return Effect(self._changed(changed=True, dry_run=dry_run), self.touched)

    async def confirm(self, sha256: str) -> Effect:
        await self._enter("confirm", sha256)
        return Effect(self._changed(changed=True, dry_run=False), self.touched)

    async def rollback(self, number: int, edit: Edit, *, dry_run: bool) -> Effect:
        await self._enter("rollback", (number, edit.manager, dry_run))
        return Effect(self._changed(changed=True, dry_run=dry_run), self.touched)

    async def planned(self, edit: Edit, at: datetime | None = None) -> Planned:
        self.calls.append(("planned", (edit, at)))
        if self.refusal is not None:
            raise self.refusal
        return Planned("p-1", self.etag, self.number, (), "", PLAN, (), ())

    async def retry(self, key: str) -> Effect:
        await self._enter("retry", key)
        return Effect(Retried(key, True, 12), frozenset({key}))

    async def settle(self, touched: Collection[str], wait_s: float) -> Settled:
        self.waited.append((frozenset(touched), wait_s))
        self.waiting.set()
        if self.settling is not None:
            async with asyncio.timeout(DEADLINE_S):
                await self.settling.wait()
        return self.settled

    def leases(self) -> Leases:
        return Leases((LEASE,))

    async def lend(self, edit: Edit, ttl_s: float, *, dry_run: bool) -> Effect:
        await self._enter("lend", edit)
        self.calls.append(("ttl", ttl_s))
        return Effect(self._lease(dry_run=dry_run), self.touched)

    async def extend(self, lease: str, ttl_s: float) -> Effect:
        await self._enter("extend", (lease, ttl_s))
        return Effect(self._lease(dry_run=False))

    async def end(self, lease: str) -> Effect:
        await self._enter("end", lease)
        return Effect(LeaseEnded(lease, 13))

    async def perform(
        self, verb: Verb, edit: Edit, *, ttl_s: float | None, dry_run: bool
    ) -> Effect:
        await self._enter("perform", verb)
        self.calls.append(("terms", (edit.manager, edit.force, ttl_s, dry_run)))
        return Effect(self._done(dry_run=dry_run), self.touched)

    async def reload(self) -> Effect:
        await self._enter("reload", None)
        return Effect(Reloaded(self.number, 12, False, PLAN, ()), self.touched)

    async def generations(self, limit: int) -> Generations:
        self.calls.append(("generations", limit))
        return Generations((self._info(),))

    async def generation(self, number: int) -> GenerationInfo:
        if number != self.number:
            raise RequestError(Code.NOT_FOUND, f"there is no generation {number}")
        return self._info()

    async def _enter(self, name: str, asked: object) -> None:
        self.calls.append((name, asked))
        self.begun.set()
        if self.hold is not None:
            async with asyncio.timeout(DEADLINE_S):
                await self.hold.wait()
        if self.refusal is not None:
            raise self.refusal

    def _after(self, edit: Edit) -> dict[str, Any]:
        match edit.body:
            case MergePatch(patch=patch):
                return _merged(self.data, dict(patch))
            case WholeData(data=data):
                return dict(data)
            case WholeText(raw=raw):
                return {"version": 1, "text": raw.decode(errors="replace")}
            case JsonPatch(operations=operations):
                return {**self.data, "patched": len(operations)}

    def _changed(self, *, changed: bool, dry_run: bool) -> Changed:
        return Changed(
            generation=self.number,
            epoch=12,
            etag=self.etag,
            changed=changed,
            dry_run=dry_run,
            changes=(),
            diff="",
            plan=PLAN,
            warnings=(),
            shadowed=(),
        )

    def _done(self, *, dry_run: bool) -> Done:
        return Done(
            model="day-coder",
            state="loaded",
            how="edit",
            generation=self.number,
            epoch=12,
            changed=True,
            dry_run=dry_run,
            changes=(),
            diff="",
            plan=PLAN,
            warnings=(),
            shadowed=(),
        )

    def _lease(self, *, dry_run: bool) -> LeaseMade:
        return LeaseMade("l-1", LEASE.expires_at, 13, dry_run, PLAN, (), ())

    def _info(self) -> GenerationInfo:
        return GenerationInfo(
            self.number, "ab" * 32, LEASE.created_at, "file", "", "current", True, ()
        )


def _merged(below: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    result = dict(below)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            inner = result.get(key)
            result[key] = _merged(inner if isinstance(inner, dict) else {}, value)
        else:
            result[key] = value
    return result
