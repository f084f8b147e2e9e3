"""Saves that land between any two steps of the daemon, and daemons that are killed there.

Whatever comes of it must be what some order of the same events comes to: nothing half done,
nobody's text lost, no number twice. A kill is what is on disk at that instant, under a new daemon.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import combinations_with_replacement, product
from typing import Any

import pytest
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import rule

from schemas.edit import Edit, WholeText
from tests.kit.effects import between
from tests.kit.expected import World
from tests.kit.machines import DeskMachine, settings
from tests.kit.saves import STYLES, save
from tests.kit.wishes import FIRST, MANAGERS, SEEDS, bodies, leases, patches, written
from tests.kit.witness import Asked, Story

pytestmark = pytest.mark.timeout(600)  # a failing example is made small, which takes its time

STYLE = st.sampled_from(STYLES)
WHEN = st.integers(0, 40)
"""An edit that becomes a generation takes about so many steps; others take fewer."""
CALLS = st.sampled_from(["edit", "edit", "edit", "two", "two", "look", "back", "confirm", "create"])
SAVES = st.tuples(WHEN, st.sampled_from(["edit", "edit", "note", "old", "broken", "gone"]), STYLE)


class Races(DeskMachine):
    """Two things at once."""

    @rule(patch=patches, seed=SEEDS, style=STYLE, look=st.booleans())
    def somebody_edits_the_file(self, patch, seed, style, look) -> None:
        self.save(written(self.at_hand(), patch, seed), style, look=look)

    @rule(keys=st.sets(st.sampled_from("abcd"), min_size=2), seed=SEEDS)
    def somebody_removes_many_models(self, keys, seed) -> None:
        patch = {"models": dict.fromkeys(keys), "aliases": None}
        self.save(written(self.at_hand(), patch, seed), "atomic")

    @rule(how=bodies, manager=MANAGERS)
    def a_bot_edits(self, how, manager) -> None:
        self.ask(self.edit(how, manager, "none"))

    @rule(patch=leases, manager=MANAGERS)
    def a_lease_is_made(self, patch, manager) -> None:
        self.ask(self.lend(patch, 3600, manager))

    @rule(seconds=st.sampled_from([45, 700]))
    def time_passes(self, seconds) -> None:
        self.pass_time(seconds)

    @rule(what=CALLS, how=bodies, more=bodies, saves=st.lists(SAVES, min_size=1, max_size=2))
    def somebody_saves_in_the_middle(self, what, how, more, saves) -> None:
        asked = self.calls(what, how, more)
        saves = sorted(saves)
        texts = [self.text(kind, more) for _, kind, _ in saves]
        done: list[bytes | None] = []

        def saving(raw: bytes | None, style: str) -> Any:
            def act() -> None:
                save(self.witness.path, raw, style)
                done.append(raw)

            return act

        acts = {at: saving(raw, style) for (at, _, style), raw in zip(saves, texts, strict=True)}
        with between(self.folder, acts):
            self.witness.ask(*asked, stories=lambda: mixed(asked, done))

    @rule(
        what=CALLS | st.sampled_from(["lend", "end", "tend", "start", "stop"]),
        how=bodies,
        more=bodies,
        when=WHEN,
        then=st.sampled_from(["", "", "edit", "note", "old", "gone"]),
    )
    def the_daemon_is_killed_in_the_middle(self, what, how, more, when, then) -> None:
        asked = self.calls(what, how, more)
        past = self.root / "past"
        with between(self.folder, {when: lambda: self.witness.office.keep_past(past)}):
            answers = self.witness.made(*asked)
        if not past.exists():
            self.witness.follow([list(enumerate(each.turn for each in asked))], answers)
            return
        saves = [self.text(then, more)] if then else []
        self.witness.killed(past, saves, cut(asked, saves))

    @rule(how=bodies, more=bodies)
    def somebody_saves_into_the_old_file(self, how, more) -> None:
        """An editor that has had the file open since before the edit."""
        raw, before = self.text("edit", more), self.world.file
        assume(before is not None and raw != before and self.witness.path.exists())
        descriptor = os.open(self.witness.path, os.O_WRONLY)
        try:
            self.ask(self.edit(how, "night-bot", "none"))
            assume(raw != before and raw is not None)
            os.ftruncate(descriptor, 0)
            os.write(descriptor, raw)
        finally:
            os.close(descriptor)
        asked = self.stop()
        save = [(None, saving(raw))]
        stories = [[*save, (0, asked.turn)], [*save, (None, looking), (0, asked.turn)]]
        self.witness.ask(asked, stories=lambda: stories)

    # --- what happens at once -----------------------------------------------------------------

    def calls(self, what: str, how: Any, more: Any) -> list[Asked]:
        """One call, or two."""
        first = Edit(WholeText(written(FIRST, how[1], how[2])), "day-bot")
        number = self.world.generation - 1 - how[2] % 3
        terms = ["none", "current"][how[2] % 2]
        known = {
            "edit": lambda: [self.edit(how, "night-bot", terms)],
            "two": lambda: [self.edit(each, "anonymous", "current") for each in (how, more)],
            "look": lambda: [self.look()],
            "back": lambda: [self.rollback(number, "day-bot", "none")],
            "confirm": lambda: [self.confirm(64)],
            "create": lambda: [self.create(first)],
            "lend": lambda: [self.lend(how[1], 3600, "day-bot")],
            "end": lambda: [self.end(0)],
            "tend": lambda: [self.tend()],
            "start": lambda: [self.start()],
            "stop": lambda: [self.stop()],
        }
        return known[what]()

    def text(self, kind: str, how: Any) -> bytes | None:
        """What is saved in the middle."""
        file = self.world.file or b"# none\n"
        match kind:
            case "edit":
                return written(self.at_hand(), how[1], how[2])
            case "note":
                return f"# note {how[2]}\n".encode() + file.removeprefix(b"\xef\xbb\xbf")
            case "old":
                return self.witness.texts[-1 - how[2] % len(self.witness.texts)]
            case "broken":
                return file[: len(file) // 2]
            case _:
                return None


def mixed(asked: Sequence[Asked], saves: Sequence[bytes | None]) -> list[Story]:
    """Calls in their order, saves in theirs, between each other in any way; with or without a
    look at the file before and after each save.
    """
    stories: list[Story] = []
    for places in combinations_with_replacement(range(len(asked) + 1), len(saves)):
        for first, *looks in product((False, True), repeat=len(saves) + 1):
            story: list[Any] = [(None, looking)] if first else []
            for number in range(len(asked) + 1):
                for place, look, raw in zip(places, looks, saves, strict=True):
                    if place == number:
                        story.append((None, saving(raw)))
                        story += [(None, looking)] if look else []
                story += [(number, asked[number].turn)] if number < len(asked) else []
            stories.append(story)
    return stories


def cut(asked: Sequence[Asked], saves: Sequence[bytes | None]) -> list[Story]:
    """As many of the calls as there may have been, saves, and a start."""
    stories: list[Story] = []
    for count in range(len(asked) + 1):
        turns = [(None, each.turn) for each in asked[:count]]
        halves = [each.half for each in asked[count : count + 1] if each.half is not None]
        for half in ([], *([(None, each)] for each in halves)):
            end = [(None, saving(raw)) for raw in saves]
            stories.append([*turns, *half, *end, (None, starting)])
    return stories


def saving(raw: bytes | None) -> Any:
    return lambda world: (world.saved(raw), None)


def looking(world: World) -> Any:
    return world.looked(), None


def starting(world: World) -> Any:
    return world.started(clean=False), None


TestRaces = Races.TestCase
TestRaces.settings = settings(60, 12)
