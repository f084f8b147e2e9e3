"""The moves of state machines over a document: each made in the office and in every world.

`settings` says how long they run: the same examples each time, or by `LMXD_EXAMPLES` so many
times more, and others.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import RuleBasedStateMachine

from schemas.edit import Edit
from schemas.errors import Code, RequestError
from tests.kit import answers_due
from tests.kit.expected import World
from tests.kit.plain_values import Data, canon, means
from tests.kit.saves import save
from tests.kit.wishes import FIRST, body, written
from tests.kit.witness import Asked, Turn, Witness

__all__ = ["DeskMachine", "settings"]

TIMES = int(os.environ.get("LMXD_EXAMPLES", "1"))
SHM = "/dev/shm"


def settings(examples: int, steps: int) -> hypothesis.settings:
    """So many examples of at most so many steps."""
    return hypothesis.settings(
        max_examples=examples * TIMES,
        stateful_step_count=steps,
        deadline=None,
        derandomize=TIMES == 1,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


class DeskMachine(RuleBasedStateMachine):
    """One document, its daemon, and what may be true of both."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp(dir=SHM if os.path.isdir(SHM) else None))
        self.folder = self.root / "world"
        self.folder.mkdir()
        self.witness = Witness(self.folder, written(FIRST, {}, 5))

    def teardown(self) -> None:
        """Nothing of it stays."""
        try:
            self.witness.close()
        finally:
            shutil.rmtree(self.root)

    @property
    def world(self) -> World:
        """One that is possible."""
        return self.witness.world

    def at_hand(self) -> Data:
        """What somebody who opens the file begins with."""
        data = means(self.world.file) if self.world.file else None
        return data or self.world.data or FIRST

    def ask(self, *asked: Asked) -> None:
        """Calls made at once."""
        self.witness.ask(*asked)

    # --- moves --------------------------------------------------------------------------------

    def save(self, raw: bytes | None, style: str, *, look: bool = True) -> None:
        """Somebody saves; the daemon looks, or is not told yet."""
        save(self.witness.path, raw, style)
        worlds = self.witness.possible
        self.witness.possible = [each.saved(raw) for each in worlds]
        if look:
            self.ask(self.look())

    def look(self) -> Asked:
        """The daemon looks at the file."""
        return Asked(self.witness.office.file.look, lambda world: (world.looked(), None))

    def edit(
        self,
        how: tuple[str, Data, int],
        manager: str,
        terms: str,
        *,
        force: bool = False,
        dry: bool = False,
    ) -> Asked:
        """An edit of what holds now."""
        tags = self.tags(terms)
        wish = Edit(body(how, self.world.data or FIRST), manager, tags, force)
        office = self.witness.office

        def turn(world: World) -> Any:
            return answers_due.edited(world, wish, office, matches=self.matching(tags), dry=dry)

        return Asked(lambda: (office.file.draft if dry else office.file.commit)(wish), turn)

    def create(self, wish: Edit) -> Asked:
        """The first document, or one that has to come back."""
        office = self.witness.office
        return Asked(
            lambda: office.file.create(wish), lambda world: answers_due.created(world, wish, office)
        )

    def rollback(self, number: int, manager: str, terms: str, *, dry: bool = False) -> Asked:
        """The text of a generation, as it is kept now."""
        tags, office = self.tags(terms), self.witness.office

        def turn(world: World) -> Any:
            return answers_due.rolled_back(
                world, number, manager, tags, office, matches=self.matching(tags), dry=dry
            )

        return Asked(lambda: office.file.rollback(number, manager, tags, dry_run=dry), turn)

    def confirm(self, digits: int) -> Asked:
        """Let what waits through, or what is there anyway."""
        held = self.witness.office.file.held
        accepted = self.witness.office.accepted
        sha256 = (held.sha256 if held else accepted.sha256 if accepted else "0" * 64)[:digits]
        call = self.witness.office.file.confirm
        return Asked(lambda: call(sha256), lambda world: answers_due.confirmed_by(world, sha256))

    def lend(self, patch: Data, seconds: int, manager: str) -> Asked:
        """A lease over what holds."""
        office = self.witness.office

        async def call() -> object:
            if office.accepted is None:
                raise RequestError(Code.DOCUMENT_INVALID, "none")
            return await office.leases.add(patch, seconds, manager, office.accepted)

        return Asked(call, lambda world: answers_due.lent(world, manager, patch, seconds))

    def extend(self, number: int, seconds: int) -> Asked:
        """Another end for one of the leases."""
        call, lease = self.witness.office.leases.extend, self._lease(number)
        return Asked(
            lambda: call(lease, seconds), lambda world: answers_due.extended(world, number, seconds)
        )

    def end(self, number: int) -> Asked:
        """The end of one of the leases."""
        call, lease = self.witness.office.leases.end, self._lease(number)
        return Asked(lambda: call(lease), lambda world: answers_due.ended(world, number))

    def _lease(self, number: int) -> str:
        leases = self.witness.office.leases.all()
        return leases[number].id if number < len(leases) else "l-none"

    def pass_time(self, seconds: int) -> None:
        """Both clocks move, and the daemon sees to what is due."""
        self.witness.pass_time(seconds)
        self.ask(self.tend())

    def tend(self) -> Asked:
        """The daemon sees to what is due."""
        office = self.witness.office
        lived = office.lived
        return Asked(office.file.tend, lambda world: (world.lived() if lived else world, None))

    def restart(self, *, clean: bool) -> None:
        """The daemon ends, in good order or not, and the next one starts."""
        self.ask(self.stop() if clean else self.start())

    def stop(self) -> Asked:
        """The daemon ends in good order, and the next one starts."""
        return Asked(self.witness.office.restarted, _turn_of_start(clean=True), _stopped)

    def start(self) -> Asked:
        """The daemon ends without a word, and the next one starts."""
        return Asked(self.witness.office.died, _turn_of_start(clean=False), _begun)

    # --- conditions ---------------------------------------------------------------------------

    def tags(self, terms: str) -> tuple[str, ...]:
        """An If-Match of this kind."""
        current, accepted = self.witness.office.file.etag, self.witness.office.accepted
        known = [each for each in self.witness.etags if each != current] or ["0" * 64]
        text = accepted.sha256 if accepted else "1" * 64
        match terms:
            case "none":
                return ()
            case "current":
                return (current or "0" * 64,)
            case "text":
                return (text,)
            case "stale":
                return (known[-1],)
            case "both":
                return (known[0], current or "0" * 64)
            case _:
                return ("*",)

    def matching(self, tags: tuple[str, ...]) -> Callable[[World], bool]:
        """Does one of these tags name what is in effect in a world."""
        meanings = [self.witness.etags.get(tag) for tag in tags]

        def matches(world: World) -> bool:
            if not tags or "*" in tags or world.tags & set(tags):
                return True
            return world.data is not None and canon(world.data) in meanings

        return matches


def _turn_of_start(*, clean: bool) -> Turn:
    return lambda world: (world.started(clean=clean), None)


def _stopped(world: World) -> Any:
    """In good order, and no more."""
    return replace(world, running=False), None


def _begun(world: World) -> Any:
    """A daemon that has noted its start, and no more."""
    return world.begun(clean=False), None
