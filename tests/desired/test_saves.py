"""The eight ways in which people and tools save, by the whole owner: watcher, reader and writer.

Each is noticed, becomes a generation, and an edit over HTTP made on it keeps what the file is: a
link stays a link, a mode stays a mode, and a later save is noticed again.
"""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from lmxd.desired.commit import Commit
from lmxd.desired.desk import Pace
from schemas.edit import WholeText
from tests.kit.desk import ONE, Desk, patch

DEADLINE_S = 60


def text(number: int) -> str:
    return f"# save {number}\n{ONE}limits: {{queue: {number}}}\n"


class Place:
    """A document in a folder of its own, as one tool keeps it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "desired-state.yaml"
        self.first()

    def first(self) -> None:
        """Bring it into being."""
        self.path.write_text(text(1))

    def save(self, number: int) -> None:
        """Save it as this tool does."""
        self.path.write_text(text(number))

    def kept(self) -> bool:
        """Is it still what this tool made of it, after an edit over HTTP."""
        return self.path.is_file()


class Atomic(Place):
    def save(self, number: int) -> None:
        draft = self.folder / ".draft"
        draft.write_text(text(number))
        draft.replace(self.path)


class Vim(Place):
    """backupcopy=no: the old file becomes the backup, a new one is written, the backup goes."""

    def save(self, number: int) -> None:
        backup = self.folder / f"{self.path.name}~"
        self.path.rename(backup)
        self.path.write_text(text(number))
        backup.unlink()


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)


class Sed(Place):
    def save(self, number: int) -> None:
        edit = f"s/^# save .*/# save {number}/; s/queue: [0-9]*/queue: {number}/"
        run("sed", "-i", edit, str(self.path))


class Rsync(Place):
    """A temporary name with a leading dot in the same folder, times kept, renamed over."""

    def save(self, number: int) -> None:
        source = self.folder / "source" / self.path.name
        source.parent.mkdir(exist_ok=True)
        source.write_text(text(number))
        if shutil.which("rsync"):
            run("rsync", "-a", "--ignore-times", str(source), str(self.path))
            return
        draft = self.folder / f".{self.path.name}.Xy1z2W"
        shutil.copy2(source, draft)
        draft.replace(self.path)


class Git(Place):
    def first(self) -> None:
        run("git", "-C", str(self.folder), "init", "-q")
        for number in range(1, 10):
            self.path.write_text(text(number))
            self.git("add", self.path.name)
            self.git("commit", "-qm", "save")
            self.git("tag", f"s{number}")
        self.save(1)

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "core.hooksPath=")
        run("git", "-C", str(self.folder), *who, *words)

    def save(self, number: int) -> None:
        self.git("checkout", "-q", "-f", f"s{number}", "--", self.path.name)


class ConfigMap(Place):
    """kubelet: a new folder, and `..data` turned to it in one step."""

    def first(self) -> None:
        self.save(1)
        self.path.symlink_to("..data/desired-state.yaml")

    def save(self, number: int) -> None:
        folder = self.folder / f"..2026_{number}"
        folder.mkdir()
        (folder / self.path.name).write_text(text(number))
        (self.folder / "..data_tmp").symlink_to(folder.name)
        (self.folder / "..data_tmp").replace(self.folder / "..data")

    def kept(self) -> bool:
        return self.path.is_symlink() and (self.folder / "..data").is_symlink()


class Retarget(Place):
    """Dotfiles, a Nix profile: the link is turned to another file elsewhere."""

    def first(self) -> None:
        self.save(1)

    def save(self, number: int) -> None:
        folder = self.folder / f"store-{number}"
        folder.mkdir()
        (folder / "document.yaml").write_text(text(number))
        link = self.folder / ".link"
        link.symlink_to(folder / "document.yaml")
        link.replace(self.path)

    def kept(self) -> bool:
        return self.path.is_symlink()


STYLES: list[type[Place]] = [Place, Atomic, Vim, Sed, Rsync, Git, ConfigMap, Retarget]


@asynccontextmanager
async def followed(desk: Desk) -> AsyncIterator[None]:
    await desk.file.start()
    task = asyncio.create_task(desk.file.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await desk.file.close()


async def until(desk: Desk, number: int) -> None:
    """Until that save is in effect; every change of what is gets told."""
    async with asyncio.timeout(DEADLINE_S):
        while queue(desk) != number:
            desk.changed.clear()
            await desk.changed.wait()


def queue(desk: Desk) -> int:
    accepted = desk.file.view().accepted
    return accepted.document.limits.queue if accepted else 0


@pytest.mark.parametrize("style", STYLES)
async def test_saves_and_edits_follow_each_other(style: type[Place], tmp_path: Path) -> None:
    folder = tmp_path / "place"
    folder.mkdir()
    place = style(folder)
    desk = Desk(tmp_path, pace=Pace(settle_s=0.05, linger_s=0, poll_s=0.5))
    desk.path = place.path
    desk.fresh(place.path)
    async with followed(desk):
        assert queue(desk) == 1
        saved = [desk.file.raw]
        for number in (2, 5):
            place.save(number)
            saved.append(place.path.read_bytes())
            await until(desk, number)
            assert desk.file.raw == saved[-1]
            draft = await desk.file.commit(patch(context=f"{number}k"))
            assert place.path.read_bytes() == draft.raw
            assert draft.raw.startswith(text(number).splitlines()[0].encode())
            assert place.kept()
            assert desk.file.view().current
        assert all(desk.history.knows(each) for each in saved if each)
        assert desk.generation == 5
        place.save(7)
        await until(desk, 7)
        assert [each.author for each in desk.kept] == ["file", "bot", "file", "bot", "file", "file"]


@pytest.mark.parametrize("style", STYLES)
async def test_a_save_during_an_edit_is_never_lost(
    style: type[Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is saved, and however late: both are in the file, and both in the history."""
    folder = tmp_path / "place"
    folder.mkdir()
    place = style(folder)
    desk = Desk(tmp_path)
    desk.path = place.path
    await desk.started(place.path)
    numbers = iter((2, 3, 4))

    def saving(step: Callable[..., object]) -> Callable[..., object]:
        def save_first(*args: object) -> object:
            number = next(numbers, 0)
            if number:
                place.save(number)
            return step(*args)

        return save_first

    for step in ("intend", "unmoved", "exchange"):
        monkeypatch.setattr(Commit, step, saving(getattr(Commit, step)))
    draft = await desk.file.commit(patch(context="4k"))
    assert (queue(desk), place.path.read_bytes()) == (4, draft.raw)
    assert b"4k" in draft.raw
    assert place.kept()
    assert desk.history.knows(text(4).encode())
    assert desk.kept[0].author == "bot"
    await desk.file.close()


async def test_a_rollback_to_a_text_that_a_tool_brought(tmp_path: Path) -> None:
    folder = tmp_path / "place"
    folder.mkdir()
    place = ConfigMap(folder)
    desk = Desk(tmp_path)
    desk.path = place.path
    await desk.started(place.path)
    place.save(2)
    await desk.file.look()
    await desk.commit(WholeText(text(3).encode()))
    await desk.file.rollback(1)
    assert (desk.text, queue(desk), place.kept()) == (text(1), 1, True)
    await desk.file.close()
