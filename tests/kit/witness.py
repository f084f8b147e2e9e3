"""Follows what may have happened to an `Office` and holds it against what is there.

Keeps every `World` that nothing seen so far contradicts. A story is a row of turns; after each
step at least one story must explain answers, view, file, history, owners and leases.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmxd.desired.drafts import Draft
from schemas.errors import LmxdError
from schemas.leaves import leaf_changes
from tests.kit.answers_due import Told
from tests.kit.expected import Impossible, World
from tests.kit.office import Office
from tests.kit.plain_values import canon, means
from tests.kit.saves import litter, save

__all__ = ["Asked", "Story", "Turn", "Witness"]

Turn = Callable[[World], tuple[World, Told | None]]
Story = Sequence[tuple[int | None, Turn]]
"""Turns with the number of the call that each answers."""


@dataclass(frozen=True)
class Asked:
    """One call: how it is made, what it comes to, and what half of it does that can be told."""

    call: Callable[[], Coroutine[Any, Any, object]]
    turn: Turn
    half: Turn | None = None


class Witness:
    """An office over a document, and all that may be true of it."""

    def __init__(self, folder: Path, first: bytes) -> None:
        self.runner = asyncio.Runner()
        self.office = Office(folder)
        self.path = self.office.path
        self.possible: list[World] = []
        self.etags: dict[str, object] = {}
        self.texts = [first]
        self.owed: set[bytes] = set()
        self.crashed = False
        save(self.path, first, "in place")
        self.run(self.office.started())
        world = World(self.office.at, first).started(clean=False)
        self.possible = [replace(world, running=True)]
        self.check()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Everything that is asked goes through here."""
        return self.runner.run(work)

    def close(self) -> None:
        """The daemon stops in good order; nothing of it stays."""
        self.run(self.office.file.close())
        self.runner.close()

    @property
    def world(self) -> World:
        """One that is possible, to make wishes about."""
        return self.possible[0]

    # --- steps --------------------------------------------------------------------------------

    def ask(self, *asked: Asked, stories: Callable[[], Iterable[Story]] | None = None) -> None:
        """Make calls at once, and explain them; without `stories` they take their turns in the
        order in which they were made.
        """
        before = None if stories else self.stamp()
        answers = self.made(*asked)
        in_turn = [[*enumerate(each.turn for each in asked)]]
        self.follow(stories() if stories else in_turn, answers, before)

    def made(self, *asked: Asked) -> list[object]:
        """Make calls at once; nobody has explained them yet."""
        return [_answer(each) for each in self.run(_all(asked))]

    def killed(self, past: Path, saves: Sequence[bytes | None], stories: Iterable[Story]) -> None:
        """The daemon was killed when the disk was as it is in `past`; people save, and the next
        one starts.
        """
        self.run(self.office.dropped())
        self.office.bring_back(past)
        self.crashed = True
        for raw in saves:
            save(self.path, raw, "atomic")
        self.run(self.office.started())
        self.follow(stories, [], told=False)

    def pass_time(self, seconds: int) -> None:
        """Both clocks move."""
        self.office.pass_time(seconds)
        self.possible = [each.passed(seconds) for each in self.possible]

    def follow(
        self,
        stories: Iterable[Story],
        answers: Sequence[object],
        before: tuple[object, ...] | None = None,
        *,
        told: bool = True,
    ) -> None:
        """Keep the worlds in which one of the stories explains what there is now.

        `before`: the stamp of the file, which changes only with what it says. `told`: events are
        looked at too; a daemon that dies tells nobody.
        """
        stories, found, wrong = list(stories), [], []
        for world in self.possible:
            for story in stories:
                try:
                    after = self._told(replace(world, undone=frozenset()), story, answers)
                    self._agrees(after)
                    if told:
                        self._reported(after)
                except Impossible as error:
                    wrong.append(str(error))
                    continue
                if after not in found:
                    found.append(after)
        reasons = "\n  ".join(dict.fromkeys(wrong))
        assert found, f"nothing explains what there is: {reasons}\n  {_shown(answers)}"
        unwritten = all(world.file == self.world.file for world in found)
        if before is not None and unwritten:
            assert self.stamp() == before, "a file that should stay as it was has been written"
        self.possible = found
        self.check()

    def _told(self, world: World, story: Story, answers: Sequence[object]) -> World:
        for number, turn in story:
            world, told = turn(world)
            if number is not None and told is not None:
                _compare(told, answers[number])
        return world

    def stamp(self) -> tuple[object, ...]:
        """What a write of the file would change."""
        try:
            status = self.path.stat()
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns

    # --- what is there ------------------------------------------------------------------------

    def _agrees(self, world: World) -> None:
        """Raise Impossible where the office differs from this world."""
        view, office = self.office.file.view(), self.office
        accepted = view.accepted
        _same("generation", accepted.generation if accepted else 0, world.generation)
        if accepted is not None and world.data is not None:
            _same("the meaning", canon(accepted.data), canon(world.data))
        _same("the text in effect", office.file.raw, world.raw)
        _same("the file", self._file(), world.file)
        status = {"current": (True, True, None), "invalid": (False, False, None)}
        held = {"held": "Held", "blamed": "RolledBackAfterCrash"}.get(world.status)
        reason = view.held.reason if view.held else None
        expected = status.get(world.status, (True, False, held))
        if world.judged == (world.file,):
            _same("the view", (view.valid, view.current, reason), expected)
        kept = office.kept
        _same("the authors", tuple(each.author for each in kept), world.authors)
        _same("the texts", {each.number: each.raw for each in kept}, world.texts)
        _same("the owners", self._owners(), _owners(world))
        leases = [(each.manager, each.patch, each.expires_at) for each in office.leases.all()]
        _same("the leases", leases, [(e.manager, e.patch, e.ends) for e in world.standing])

    def _file(self) -> bytes | None:
        return self.path.read_bytes() if self.path.exists() else None

    def _owners(self) -> dict[str, tuple[str, int]]:
        return {
            f"{key}{at}": (each.by, each.generation)
            for key in "abcd"
            for at, each in self.office.managers.owned(key).items()
        }

    def _reported(self, world: World) -> None:
        """Everything that a save took back from somebody is told, and nothing else."""
        events = [each for each in self.office.events if each.reason == "BotPatchReverted"]
        told = {(str(each.data["manager"]), str(each.data["path"])) for each in events}
        for manager, path in world.undone:
            at = "/" + "/".join(path)
            if not any(who == manager and at.startswith(each) for who, each in told):
                raise Impossible(f"nobody is told that {at} of {manager} was undone")
        for manager, at in told:
            mine = ["/" + "/".join(path) for who, path in world.undone if who == manager]
            if not any(each.startswith(at) for each in mine):
                raise Impossible(f"{at} of {manager} is said to be undone")

    def check(self) -> None:
        """What holds whatever has happened."""
        office, world = self.office, self.world
        self.office.events.clear()
        accepted = office.accepted
        if accepted is not None:
            etag, meaning = office.file.etag, canon(accepted.data)
            assert self.etags.setdefault(etag, meaning) == meaning
            assert list(self.etags.values()).count(meaning) == 1, "two tags for one document"
            assert office.file.raw is not None
            assert accepted.sha256 == hashlib.sha256(office.file.raw).hexdigest()
            assert means(office.file.raw) is not None
        if world.status == "current" and world.judged == (world.file,) and world.file:
            self.owed.add(world.file)
            if world.file not in self.texts:
                self.texts.append(world.file)
        lost = [each for each in self.owed if not self.kept(each)]
        assert not lost, f"{lost[0]!r} was in effect and is nowhere"
        assert litter(self.path) == []
        assert office.history.intended() == []
        if not self.crashed:
            hidden = [each.name for each in office.state.path.rglob(".*")]
            assert hidden == []

    def kept(self, raw: bytes) -> bool:
        """Is this text in the file or in the state folder."""
        return raw == self._file() or self.office.history.knows(raw)


async def _all(asked: Sequence[Asked]) -> list[object]:
    return await asyncio.gather(*(each.call() for each in asked), return_exceptions=True)


def _answer(answer: object) -> object:
    """An answer as it may be; anything but an error that people are meant to read is a fault."""
    if isinstance(answer, BaseException) and not isinstance(answer, LmxdError):
        raise answer
    return answer


def _shown(answers: Sequence[object]) -> str:
    drafts = [
        (each.changed, each.accepted.generation) for each in answers if isinstance(each, Draft)
    ]
    return f"answered {[each for each in answers if isinstance(each, LmxdError)]}, done {drafts}"


def _compare(told: Told, answer: object) -> None:
    if isinstance(answer, LmxdError):
        if answer.code not in told.refused:
            raise Impossible(f"{answer.code} ({answer.message}), expected {told}")
        return
    if told.refused:
        raise Impossible(f"done, expected {told}")
    if isinstance(answer, Draft):
        if told.changed is not None:
            _same("changed", answer.changed, told.changed)
        if told.paths is not None:
            paths = {each.path for each in leaf_changes(answer.changes)}
            _same("the changes", paths, told.paths)


def _owners(world: World) -> dict[str, tuple[str, int]]:
    return {
        "/".join([path[1], *path[2:]]): (each.by, each.generation)
        for path, each in world.owners.items()
        if path[0] == "models" and len(path) > 1 and not each.gone
    }


def _same(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise Impossible(f"{what}: there is {found}, expected {expected}")
