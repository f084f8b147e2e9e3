"""Every way in which people and tools save a file is noticed by file events alone.

The poll is out of the way here (an hour), except where it is what is tested.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from watchfiles import Change

from lmxd.desired.watch import Watcher, watched

DEADLINE_S = 30


class Seen:
    """Pokes of a watcher, waited for with a deadline."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self.poke = self._event.set

    async def next(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self._event.wait()
        self._event.clear()

    async def repeating(self, act: Callable[[], object]) -> None:
        """Act again and again until it is noticed: file events begin at an unknown moment."""
        async with asyncio.timeout(DEADLINE_S):
            while not self._event.is_set():
                act()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._event.wait(), 0.5)

    async def quiet(self) -> None:
        """Until the echoes of earlier edits have come, so that none is taken for a later one."""
        with suppress(TimeoutError):
            while True:
                self._event.clear()
                await asyncio.wait_for(self._event.wait(), 0.4)


@asynccontextmanager
async def watching(path: Path, *, poll_s: float = 3600.0) -> AsyncIterator[tuple[Watcher, Seen]]:
    watcher, seen = Watcher(path, poll_s=poll_s), Seen()
    task = asyncio.create_task(watcher.run(seen.poke))
    try:
        await seen.next()  # the first look of the poll
        yield watcher, seen
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def assert_noticed(path: Path, *saves: Callable[[], object]) -> None:
    """Each of the saves, one after the other, is noticed by the same watcher."""
    async with watching(path) as (_, seen):
        await seen.repeating(path.touch)
        await seen.quiet()
        for save in saves:
            save()
            await seen.next()
            await seen.quiet()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "here" / "desired-state.yaml"
    path.parent.mkdir()
    path.write_text("version: 1\n")
    return path


def in_place(path: Path) -> None:
    path.write_text("version: 1  # in place\n")


def atomically(path: Path) -> None:
    draft = path.with_name(".draft")
    draft.write_text("version: 1  # replaced\n")
    draft.replace(path)


def like_vim(path: Path) -> None:
    path.rename(path.with_name(f"{path.name}~"))
    path.write_text("version: 1  # written anew\n")


def delete(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("save", [in_place, atomically, like_vim])
async def test_saves_are_noticed_again_and_again(path: Path, save: Callable[[Path], None]) -> None:
    await assert_noticed(path, *[lambda: save(path)] * 2)


async def test_deletion_and_return_are_noticed(path: Path) -> None:
    await assert_noticed(path, lambda: delete(path), lambda: in_place(path), lambda: delete(path))


async def test_a_file_that_never_was_is_noticed_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "not" / "yet" / "desired-state.yaml"
    async with watching(path) as (_, seen):
        await seen.repeating(lambda: (path.parent.parent.mkdir(), path.parent.parent.rmdir()))
        path.parent.mkdir(parents=True)
        await seen.repeating(lambda: in_place(path))


@pytest.mark.parametrize("save", [in_place, atomically, like_vim])
async def test_edits_of_the_target_of_a_link_are_noticed(
    path: Path, tmp_path: Path, save: Callable[[Path], None]
) -> None:
    link = tmp_path / "elsewhere" / "link.yaml"
    link.parent.mkdir()
    link.symlink_to(path)
    await assert_noticed(link, *[lambda: save(path)] * 2)


async def test_a_link_that_is_turned_elsewhere_is_followed(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "new.yaml"
    other.parent.mkdir()
    other.write_text("version: 1\n")
    link = path.with_name("link.yaml")
    link.symlink_to(path)

    def turn() -> None:
        draft = path.with_name(".link")
        draft.symlink_to(other)
        draft.replace(link)

    async with watching(link) as (_, seen):
        await seen.repeating(path.touch)
        await seen.quiet()
        turn()
        await seen.next()
        await seen.quiet()
        await seen.repeating(lambda: in_place(other))


async def test_a_link_in_the_middle_of_the_path_is_followed(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "desired-state.yaml").write_text(f"version: 1  # {name}\n")
    current = tmp_path / "current"
    current.symlink_to("one")

    def turn() -> None:
        (tmp_path / ".new").symlink_to("two")
        (tmp_path / ".new").replace(current)

    await assert_noticed(current / "desired-state.yaml", turn)


async def test_a_config_map_is_followed_over_its_swaps(tmp_path: Path) -> None:
    """kubelet writes a new folder, points ..data_tmp at it and renames that over ..data."""
    mount = tmp_path / "mount"
    mount.mkdir()
    path = mount / "desired-state.yaml"

    def publish(number: int) -> None:
        folder = mount / f"..2026_{number}"
        folder.mkdir()
        (folder / path.name).write_text(f"version: 1  # {number}\n")
        (mount / "..data_tmp").symlink_to(folder.name)
        (mount / "..data_tmp").replace(mount / "..data")
        if number:
            shutil.rmtree(mount / f"..2026_{number - 1}")

    publish(0)
    path.symlink_to("..data/desired-state.yaml")
    await assert_noticed(path, lambda: publish(1), lambda: publish(2), lambda: publish(3))


async def test_a_folder_that_is_deleted_and_made_again_is_followed(path: Path) -> None:
    def again() -> None:
        path.parent.mkdir(exist_ok=True)
        in_place(path)

    async with watching(path) as (_, seen):
        await seen.repeating(path.touch)
        await seen.quiet()
        shutil.rmtree(path.parent)
        await seen.next()
        await seen.quiet()
        again()
        await seen.next()
        await seen.quiet()
        await seen.repeating(lambda: atomically(path))


async def test_the_poll_finds_what_events_miss_and_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file system without events: watchfiles polls, and its next look is hours away."""
    monkeypatch.setenv("WATCHFILES_FORCE_POLLING", "true")
    monkeypatch.setenv("WATCHFILES_POLL_DELAY_MS", "10000000")
    async with watching(path, poll_s=0.05) as (watcher, seen):
        assert watcher.healthy
        async with asyncio.timeout(DEADLINE_S):
            while watcher.healthy:
                atomically(path)
                await seen.next()


async def test_an_event_restores_the_trust_in_events(path: Path) -> None:
    async with watching(path) as (watcher, seen):
        watcher._missed = 2
        assert not watcher.healthy
        await seen.repeating(path.touch)
        assert watcher.healthy


async def test_the_content_is_read_again_from_time_to_time(path: Path) -> None:
    """Size, time and inode stay: only reading tells. The pokes come without any change."""
    seen = Seen()
    task = asyncio.create_task(Watcher(path, poll_s=0.01, rehash_s=0.02).run(seen.poke))
    for _ in range(3):
        await seen.next()
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_only_what_leads_to_the_file_is_of_interest(path: Path) -> None:
    plan = watched(path)
    folder = str(path.parent)
    assert plan.folders == {folder}
    assert plan.concerns(Change.modified, str(path))
    assert plan.concerns(Change.deleted, folder)
    assert plan.concerns(Change.added, f"{folder}/..data")
    for name in (".desired-state.yaml.swp", "4913", "desired-state.yaml~", "#x#", "other.yaml"):
        assert not plan.concerns(Change.modified, f"{folder}/{name}")


def test_every_hop_of_a_link_is_watched(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    (tmp_path / "a" / "x").symlink_to("../b/y")
    (tmp_path / "b" / "y").symlink_to(tmp_path / "c" / "z")
    assert watched(tmp_path / "a" / "x").folders == {f"{tmp_path}/{name}" for name in "abc"}


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "x").symlink_to("y")
    (tmp_path / "y").symlink_to("x")
    assert watched(tmp_path / "x").folders == {str(tmp_path)}


def test_a_relative_path_is_seen_from_the_working_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(path.parent)
    assert watched(Path("../here/desired-state.yaml")) == watched(path)
    assert os.path.isabs(next(iter(watched(Path("x.yaml")).folders)))
