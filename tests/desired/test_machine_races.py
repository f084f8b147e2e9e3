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
from tests.kit.wishes import FIRST, likely, written
from tests.kit.witness import Asked, Story

pytestmark = pytest.mark.timeout(600)  # a failing example is made small, which takes its time

Raw = bytes | None
STYLE = st.sampled_from(STYLES)
WHEN = st.integers(0, 36)
"""An edit that becomes a generation takes so many steps, eight of them at the document."""
CALLS = st.sampled_from(["edit", "edit", "edit", "two", "two", "look", "back", "confirm", "create"])
TEXTS = st.sampled_from(["edit", "edit", "note", "old", "broken", "gone"])
SAVES = st.tuples(st.integers(0, 10), TEXTS, STYLE)


class Races(DeskMachine):
    """Two things at once."""

    @rule(kind=st.sampled_from(["save", "unseen", "cut", "bot", "lease", "later"]), how=likely)
    def something_else_happens(self, kind, how) -> None:
        match kind:
            case "save" | "unseen":
                self.save(self.text("edit", how), "atomic", look=kind == "save")
            case "cut":
                patch = {"models": dict.fromkeys("ab"), "aliases": None}
                self.save(written(self.at_hand(), patch, how[2]), "in place")
            case "bot":
                self.ask(self.edit(how, "night-bot", "none"))
            case "lease":
                self.ask(self.lend({"models": {"a": {"state": "downloaded"}}}, 3600, "day-bot"))
            case _:
                self.witness.pass_time([45, 700][how[2] % 2])
                self.ask(self.tend())

    @rule(what=CALLS, how=likely, more=likely, saves=st.lists(SAVES, min_size=1, max_size=2))
    def somebody_saves_in_the_middle(self, what, how, more, saves) -> None:
        asked = self.calls(what, how, more)
        saves = sorted(saves)
        texts = [self.text(kind, more) for _, kind, _ in saves]
        done: list[Raw] = []
        acts = {
            at: self.saving(raw, style, done)
            for (at, _, style), raw in zip(saves, texts, strict=True)
        }
        with between(self.folder, acts, but=self.folder / "state"):
            self.witness.ask(*asked, stories=lambda: mixed(asked, done))

    @rule(
        what=CALLS | st.sampled_from(["lend", "end", "tend", "start", "stop"]),
        how=likely,
        more=likely,
        when=WHEN,
        then=st.sampled_from(["", "", "edit", "note", "old", "gone"]),
    )
    def the_daemon_is_killed_in_the_middle(self, what, how, more, when, then) -> None:
        self.kill(self.calls(what, how, more), when, {}, [self.text(then, more)] if then else [])

    @rule(how=likely, more=likely, when=WHEN, gap=st.integers(1, 4), kind=TEXTS)
    def the_daemon_is_killed_just_after_a_save(self, how, more, when, gap, kind) -> None:
        """It may stand only beside the file by then."""
        raw = self.text(kind, more)
        self.kill(self.calls("edit", how, more), when + gap, {when: raw}, [])

    def kill(
        self,
        asked: list[Asked],
        when: int,
        early: dict[int, Raw],
        late: list[Raw],
    ) -> None:
        """The disk as it is before step `when` is what the next daemon finds, after other saves."""
        past, done = self.root / "past", list[Raw]()
        saves = {at: self.saving(raw, "atomic", done) for at, raw in early.items()}
        kept = {when: lambda: self.witness.office.keep_past(past)}
        with between(self.folder, saves | kept):
            answers = self.witness.made(*asked)
        if past.exists():
            self.witness.killed(past, late, cut(asked, done, late))
        else:
            self.witness.follow(mixed(asked, done), answers)

    @rule(how=likely, more=likely)
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

    def saving(self, raw: Raw, style: str, done: list[Raw]) -> Any:
        """A save that notes that it was made."""

        def act() -> None:
            save(self.witness.path, raw, style)
            done.append(raw)

        return act

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

    def text(self, kind: str, how: Any) -> Raw:
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


def mixed(asked: Sequence[Asked], saves: Sequence[Raw]) -> list[Story]:
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


def cut(asked: Sequence[Asked], early: Sequence[Raw], late: Sequence[Raw]) -> list[Story]:
    """As many of the calls as there may have been, among the early saves; late ones, a start."""
    end = [*((None, saving(raw)) for raw in late), (None, starting)]
    stories: list[Story] = []
    for count in range(len(asked) + 1):
        halves = [each.half for each in asked[count : count + 1] if each.half is not None]
        for story in mixed(asked[:count], early):
            begun = [(None, turn) for _, turn in story]
            stories += [[*begun, *half, *end] for half in ([], *([(None, h)] for h in halves))]
    return stories


def saving(raw: Raw) -> Any:
    return lambda world: (world.saved(raw), None)


def looking(world: World) -> Any:
    return world.looked(), None


def starting(world: World) -> Any:
    return world.started(clean=False), None


TestRaces = Races.TestCase
TestRaces.settings = settings(30, 12)
