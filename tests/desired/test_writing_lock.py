"""One daemon at a time writes a document, whatever state folder it has."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lmxd.desired.writing_lock import WritingLock
from schemas.errors import Code, RequestError
from tests.kit.desk import ONE, Desk, opened, patch

HOLDER = """
import sys
from pathlib import Path
from lmxd.desired.writing_lock import WritingLock
lock = WritingLock(Path(sys.argv[1]))
print(lock.acquire().reason, flush=True)
sys.stdin.read()
"""
ROOT = Path(__file__).parents[2]


@contextmanager
def another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "Writable\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "desired-state.yaml"
    path.write_text(ONE)
    return path


def test_the_second_is_told_who_the_first_is(path: Path) -> None:
    lock = WritingLock(path)
    with another_process(path) as process:
        found = lock.acquire()
        assert (found.writable, found.reason) == (False, "DocumentLocked")
        assert f"pid {process.pid}" in found.message
        assert str(path) in found.message
    assert lock.acquire().writable
    lock.release()


def test_the_lock_is_kept_until_it_is_released(path: Path) -> None:
    one, other = WritingLock(path), WritingLock(path)
    assert one.acquire().writable
    assert one.acquire().writable
    assert f"pid {os.getpid()}" in other.acquire().message
    one.release()
    assert list(path.parent.iterdir()) == [path]
    assert other.acquire().writable
    one.release()
    assert not one.acquire().writable
    other.release()


def test_a_lock_file_that_somebody_removed_is_taken_again(path: Path) -> None:
    one, other = WritingLock(path), WritingLock(path)
    one.acquire()
    lock = path.with_name(f"{path.name}.lmxd.lock")
    lock.unlink()
    assert one.acquire().writable
    assert lock.exists()
    assert not other.acquire().writable
    one.release()


def test_what_a_crash_left_locks_nobody_out(path: Path) -> None:
    path.with_name(f"{path.name}.lmxd.lock").write_text("1\n")
    lock = WritingLock(path)
    assert lock.acquire().writable
    lock.release()


def test_the_lock_is_that_of_the_real_file(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.yaml"
    link.parent.mkdir()
    link.symlink_to(path)
    one, other = WritingLock(link), WritingLock(path)
    assert one.acquire().writable
    assert not other.acquire().writable
    link.unlink()
    link.write_text(ONE)
    assert one.acquire().writable
    assert other.acquire().writable
    one.release()
    other.release()


def test_a_document_that_is_not_there_yet_can_be_locked(tmp_path: Path) -> None:
    lock = WritingLock(tmp_path / "desired-state.yaml")
    assert lock.acquire().writable
    lock.release()
    missing = WritingLock(tmp_path / "nowhere" / "desired-state.yaml").acquire()
    assert (missing.writable, missing.reason) == (False, "FileNotWritable")


def test_a_file_without_a_write_bit_is_not_to_be_written(path: Path) -> None:
    path.chmod(0o444)
    lock = WritingLock(path)
    found = lock.acquire()
    assert (found.writable, found.reason) == (False, "FileNotWritable")
    assert found.message == f"{path} is read-only"
    lock.release()


async def test_a_daemon_beside_another_only_follows_the_file(path: Path) -> None:
    with another_process(path) as process:
        desk = await opened(path.parent)
        view = desk.file.view()
        assert (view.current, desk.generation) == (True, 1)
        assert (view.writable, view.writable_reason) == (False, "DocumentLocked")
        assert f"pid {process.pid}" in view.writable_message
        with pytest.raises(RequestError, match=f"pid {process.pid}") as caught:
            await desk.file.commit(patch(context="4k"))
        assert caught.value.code == Code.FILE_NOT_WRITABLE
        assert not (await desk.file.rollback(1)).changed
        assert (desk.text, desk.history.newest()) == (ONE, 1)
    await desk.file.tend()
    assert desk.file.view().writable
    assert (await desk.file.commit(patch(context="4k"))).changed


async def test_two_owners_of_one_document_change_places(path: Path, tmp_path: Path) -> None:
    """The second takes over when the first stops, and has followed its edits until then."""
    first = await opened(path.parent)
    (tmp_path / "second").mkdir()
    second = Desk(tmp_path / "second")
    await second.started(path)
    assert second.file.view().writable_reason == "DocumentLocked"
    await first.file.commit(patch(context="4k"))
    await second.file.look()
    assert (second.generation, second.file.raw) == (2, first.file.raw)
    await first.file.close()
    await second.file.tend()
    await second.file.commit(patch(context="8k"))
    assert second.generation == 3
