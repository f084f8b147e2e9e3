"""Bots and people at one document over HTTP, in any order: every answer as the contract has it.

A whole daemon in this process, spoken to in bytes; what it must come to is said by the same rules
as for the document's owner (`tests.kit.expected`), statuses and headers by `tests.kit.caller`.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from schemas.edit import ANONYMOUS, Edit, JsonPatch, MergePatch, WholeData, WholeText
from tests.kit import answers_due
from tests.kit.answers_due import Told
from tests.kit.caller import Call, Caller, encoded
from tests.kit.expected import World
from tests.kit.machines import SHM, settings
from tests.kit.plain_values import canon
from tests.kit.saves import STYLES
from tests.kit.wishes import FIRST, MANAGERS, SEEDS, body, likely, quiet, written

pytestmark = pytest.mark.timeout(600)  # a failing example is made small, which takes its time

SUSPENDED = {**FIRST, "suspend": True}
"""Nothing is ever loaded."""
TERMS = st.sampled_from(["none", "none", "none", "current", "text", "stale", "weak", "both", "any"])
WISHES = st.one_of(likely, st.tuples(st.sampled_from("mmmjjjwt"), quiet, SEEDS))
KEYS = st.sampled_from(["", "", "", "k1", "k2"])
QUERY = st.sampled_from(["", "", "", "?dry_run=true", "?force=true", "?force=true&dry_run=true"])
MERGES = st.sampled_from(
    ["application/merge-patch+json", "application/json; charset=utf-8", "application/yaml"]
)
LISTS = st.sampled_from(["application/json-patch+json", "application/json"])
JSON = {"content-type": "application/json"}
NONSENSE: list[tuple[Call, str]] = [
    (Call("PATCH", "desired", b"{", JSON), "invalid_json"),
    (Call("PATCH", "desired", b"", JSON), "invalid_json"),
    (Call("PATCH", "desired", b"7", JSON), "invalid_request"),
    (Call("PATCH", "desired", b"{}"), "unsupported_media_type"),
    (Call("PATCH", "desired", b"{}", {"content-type": "text/plain"}), "unsupported_media_type"),
    (Call("PATCH", "desired", b"{}", JSON | {"if-match": "no tag"}), "invalid_request"),
    (Call("PATCH", "desired", b"{}", JSON | {"lmxd-manager": "file"}), "invalid_request"),
    (Call("PATCH", "desired", b"[]", JSON | {"lmxd-lease": "2h"}), "unsupported_media_type"),
    (Call("PATCH", "desired", b"{}", JSON | {"lmxd-lease": "soon"}), "invalid_request"),
    (Call("PATCH", "desired?dry=1", b"{}", JSON), "invalid_request"),
    (Call("PATCH", "desired", b"a: [", {"content-type": "text/yaml"}), "invalid_request"),
    (Call("PUT", "desired", b'{"version": 1}', JSON), "precondition_required"),
    (Call("PUT", "desired", b"", JSON | {"if-match": "*"}), "invalid_json"),
    (Call("PUT", "desired", b"[]", JSON | {"if-match": "*"}), "invalid_request"),
    (Call("POST", "desired/confirm", b"{}", JSON), "invalid_request"),
    (Call("POST", "generations/x/rollback", b"", JSON), "not_found"),
    (Call("POST", "generations/1/rollback", b""), "unsupported_media_type"),
    (Call("POST", "desired", b"{}", JSON), "method_not_allowed"),
    (Call("PATCH", "leases/l-0", b'{"ttl": 0}', JSON), "invalid_request"),
]


class Calls(RuleBasedStateMachine):
    """One thing after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=SHM))
        self.caller = Caller(self.root, written(SUSPENDED, {}, 5))
        self.kept = [self.world.file]

    def teardown(self) -> None:
        try:
            self.caller.check_all() if self.world.generation else None
            self.caller.close()
        finally:
            shutil.rmtree(self.root)

    @property
    def world(self) -> World:
        return self.caller.world

    # --- edits --------------------------------------------------------------------------------

    @rule(how=WISHES, manager=MANAGERS, terms=TERMS, one=MERGES, two=LISTS)
    def a_bot_edits(self, how, manager, terms, one, two) -> None:
        self.edit(how, manager, terms, "", "", one, two)

    @rule(how=WISHES, manager=MANAGERS, terms=TERMS, query=QUERY, key=KEYS, one=MERGES, two=LISTS)
    def a_bot_edits_on_terms(self, how, manager, terms, query, key, one, two) -> None:
        self.edit(how, manager, terms, query, key, one, two)

    def edit(self, how, manager, terms, query, key, one, two) -> None:
        """A PATCH or a PUT."""
        wish = body(how, self.world.data or SUSPENDED)
        tags, headers = self.terms(terms, manager, key)
        match wish:
            case MergePatch(patch):
                call = Call("PATCH", f"desired{query}", encoded(patch), headers | typed(one))
            case JsonPatch(operations):
                call = Call("PATCH", f"desired{query}", encoded(operations), headers | typed(two))
            case WholeData(data):
                call = Call("PUT", f"desired{query}", encoded(data), headers | JSON)
            case WholeText(raw):
                call = Call("PUT", f"desired{query}", raw, headers | typed("application/yaml"))
        edit = Edit(wish, manager, tags, "force=true" in query)
        dry = "dry_run=true" in query

        def turn(world: World) -> tuple[World, Told]:
            if call.method == "PUT" and not tags:
                return world, Told(frozenset({"precondition_required"}))
            return answers_due.edited(
                world, edit, self.caller, matches=self.matching(tags), dry=dry
            )

        self.caller.ask(call, turn, dry=dry)

    @rule(how=WISHES, manager=MANAGERS)
    def a_first_document_is_sent(self, how, manager) -> None:
        raw = written(SUSPENDED, how[1], how[2])
        _, headers = self.terms("none", manager, "")
        call = Call("PUT", "desired", raw, headers | typed("text/yaml") | {"if-none-match": "*"})
        edit = Edit(WholeText(raw), manager)
        self.caller.ask(call, lambda world: answers_due.created(world, edit, self.caller))

    @rule(back=st.integers(0, 9), manager=MANAGERS, terms=TERMS, key=KEYS)
    def a_generation_is_brought_back(self, back, manager, terms, key) -> None:
        number = max(0, self.world.generation - back)
        tags, headers = self.terms(terms, manager, key)
        call = Call("POST", f"generations/{number}/rollback", b"", headers | JSON)
        matches = self.matching(tags)
        self.caller.ask(
            call,
            lambda world: answers_due.rolled_back(
                world, number, manager, tags, self.caller, matches=matches
            ),
        )

    @rule(digits=st.sampled_from([64, 8, 7]))
    def what_waits_is_confirmed(self, digits) -> None:
        raw = self.world.file or b""
        sha256 = answers_due.sha256_of(raw)[:digits]
        call = Call("POST", "desired/confirm", encoded({"sha256": sha256}), JSON)
        self.caller.ask(call, lambda world: answers_due.confirmed_by(world, sha256))

    @rule(how=WISHES)
    def a_plan_is_asked_for(self, how) -> None:
        edit = Edit(MergePatch(how[1]), ANONYMOUS, (), force=True)
        call = Call("POST", "plan", encoded({"patch": how[1]}), JSON)

        def turn(world: World) -> tuple[World, Told]:
            world, told = answers_due.edited(world, edit, self.caller, dry=True)
            return world, Told(told.refused)

        self.caller.ask(call, turn)

    # --- leases -------------------------------------------------------------------------------

    @rule(how=WISHES, manager=MANAGERS, terms=TERMS, query=QUERY, key=KEYS)
    def a_lease_is_made(self, how, manager, terms, query, key) -> None:
        tags, headers = self.terms(terms, manager, key)
        headers |= JSON | {"lmxd-lease": "1h"}
        edit = Edit(MergePatch(how[1]), manager, tags, "force=true" in query)
        dry, matches = "dry_run=true" in query, self.matching(tags)

        def turn(world: World) -> tuple[World, Told]:
            if world.data is not None and not matches(world):
                return world, Told(frozenset({"precondition_failed"}))
            after, told = answers_due.lent(world, manager, how[1], 3600)
            if world.data is not None and answers_due.lease_conflicts(world, edit, how[1]):
                return world, Told(told.refused | {"field_conflict"})
            return (world if dry else after), told

        self.caller.ask(Call("PATCH", f"desired{query}", encoded(how[1]), headers), turn)

    @precondition(lambda self: self.world.standing)
    @rule(number=st.integers(0, 2), ttl=st.sampled_from(["", "30s", "2h"]), key=KEYS)
    def a_lease_is_extended_or_ended(self, number, ttl, key) -> None:
        leases = self.caller.leases()
        path = f"leases/{leases[number]['id'] if number < len(leases) else 'l-none'}"
        _, headers = self.terms("none", ANONYMOUS, key)
        if ttl:
            seconds = {"30s": 30, "2h": 7200}[ttl]
            call = Call("PATCH", path, encoded({"ttl": ttl}), headers | JSON)
            self.caller.ask(call, lambda world: answers_due.extended(world, number, seconds))
        else:
            call = Call("DELETE", path, b"", headers | JSON)
            self.caller.ask(call, lambda world: answers_due.ended(world, number))

    # --- the rest -----------------------------------------------------------------------------

    @rule(number=st.integers(0, 5), other=st.booleans())
    def a_call_is_made_again(self, number, other) -> None:
        """Under its key: whatever happened since, it is told what it was told."""
        known = list(self.caller.remembered.values())
        if known:
            call = known[number % len(known)][0]
            if other:
                call = Call(call.method, call.path, call.content + b" ", call.headers)
            self.caller.ask(call, never)

    @rule(each=st.sampled_from(NONSENSE))
    def nonsense_is_refused(self, each) -> None:
        call, code = each
        self.caller.ask(call, lambda world: (world, Told(frozenset({code}))))

    @rule(
        kind=st.sampled_from(["edit", "edit", "old", "bad", "cut", "gone"]),
        how=WISHES,
        style=st.sampled_from(STYLES),
        look=st.booleans(),
    )
    def somebody_saves(self, kind, how, style, look) -> None:
        edited = written(self.world.data or SUSPENDED, how[1], how[2])
        texts = {
            "edit": edited,
            "old": self.kept[how[2] % len(self.kept)],
            "bad": b"version: 2\n",
            "cut": b"version: 1\nsuspend: true\n",
            "gone": None,
        }
        self.kept.append(edited if kind == "edit" else self.kept[-1])
        self.caller.save(texts[kind], style, look=look)

    @rule(what=st.sampled_from([60, 3600, 90_000, "look", "look", "restart"]))
    def time_passes(self, what) -> None:
        match what:
            case "look" if self.world.generation:
                self.caller.check_all()
            case "look" | "restart":
                self.caller.restart()
            case _:
                self.caller.pass_time(what)

    def terms(self, kind: str, manager: str, key: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """The tags of a condition, and the headers that say who asks and under which one."""
        current = [each for each, said in self.caller.etags.items() if said == self.meaning]
        stale = [each for each in self.caller.etags if each not in current] or ["0" * 64]
        now = current[0] if current else "1" * 64
        text = answers_due.sha256_of(self.world.raw or b"")
        known = {
            "none": (),
            "current": (now,),
            "text": (text,),
            "stale": (stale[-1],),
            "weak": (f"W/{now}",),
            "both": (stale[0], now),
            "any": ("*",),
        }
        tags = known[kind]
        headers = {} if manager == ANONYMOUS else {"lmxd-manager": manager}
        headers |= {"idempotency-key": key} if key else {}
        headers |= {"if-match": ", ".join(quoted(each) for each in tags)} if tags else {}
        return tags, headers

    @property
    def meaning(self) -> object:
        return canon(self.world.data) if self.world.data is not None else None

    def matching(self, tags: tuple[str, ...]) -> Callable[[World], bool]:
        """Does one of these tags name what is in effect in a world."""
        meanings = [self.caller.etags.get(tag) for tag in tags]

        def matches(world: World) -> bool:
            if not tags or "*" in tags or world.tags & set(tags):
                return True
            return world.data is not None and canon(world.data) in meanings

        return matches


def quoted(tag: str) -> str:
    weak = tag.removeprefix("W/")
    return tag if tag == "*" else f'W/"{weak}"' if weak != tag else f'"{tag}"'


def typed(content_type: str) -> dict[str, str]:
    return {"content-type": content_type}


def never(world: World) -> Any:
    raise AssertionError("this call had been made before")


TestCalls = Calls.TestCase
TestCalls.settings = settings(16, 14)
