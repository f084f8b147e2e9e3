"""A daemon that is killed in the middle of a commit starts with the old document or the new one.

The killed process is a real one; what it leaves on disk is what the next one finds.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

from lmxd.desired import commit
from lmxd.desired.exchange import swap
from lmxd.desired.names import swap_names
from schemas.edit import WholeText
from schemas.errors import RequestError
from tests.kit.desk import ONE, TWO, Desk, opened, patch

HUMAN = "# by hand\n" + ONE
STEPS = ("intend", "unmoved", "exchange", "accept", "answer")
ROOT = Path(__file__).parents[2]

VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
from lmxd.desired import commit, exchange
from schemas.edit import Edit, WholeText
from tests.kit.desk import Desk, patch

step, save = sys.argv[2], sys.argv[3]

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    desk = Desk(Path(sys.argv[1]))
    await desk.file.start()
    if step == "answer":
        desk.file._intake.settle = die
    elif step in ("link", "unlink"):  # of the first document
        setattr(os, step, die)
        await desk.file.create(Edit(WholeText(sys.argv[3].encode()), "bot"))
    elif step == "settle":  # the exchange has happened, what came out was not looked at
        exchange._settle = die
        look = commit.Commit.unmoved
        def saved(self, base):
            found = look(self, base)
            if save:
                real = exchange.swap_names
                def swap(one, other):
                    desk.path.write_text(save)
                    return real(one, other)
                commit.swap = lambda path, base, new: exchange.swap(path, base, new, exchange=swap)
            return found
        commit.Commit.unmoved = saved
    else:
        setattr(commit.Commit, step, die)
    await desk.file.commit(patch(context="4k"))

asyncio.run(main())
"""


def kill(desk: Desk, step: str, save: str = "") -> None:
    """Another process edits the document and is killed just before `step`."""
    done = subprocess.run(
        [sys.executable, "-c", VICTIM, str(desk.path.parent), step, save],
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert done.returncode == -9


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    """Generation 1, of which nobody is the owner now."""
    desk = await opened(tmp_path)
    await desk.file.close()
    return desk


@pytest.mark.parametrize("step", STEPS)
async def test_a_killed_commit_has_happened_or_not(desk: Desk, step: str) -> None:
    kill(desk, step)
    written = step in ("accept", "answer")
    await desk.started()
    view = desk.file.view()
    assert ("4k" in desk.text) == written
    assert (view.valid, view.current) == (True, True)
    assert desk.generation == desk.history.newest() == (2 if written else 1)
    assert (desk.history.intended(), desk.litter) == ([], [])
    if written:
        assert (desk.kept[0].author, desk.kept[0].base) == ("bot", 1)
    await desk.file.commit(patch(parallel=2))
    assert desk.generation == (3 if written else 2)


@pytest.mark.parametrize("step", STEPS)
async def test_a_save_after_the_kill_is_what_counts(desk: Desk, step: str) -> None:
    kill(desk, step)
    desk.path.write_text(TWO)
    await desk.started()
    assert (desk.text, desk.models) == (TWO, ["one", "two"])
    assert desk.history.intended() == []
    assert desk.kept[0].author == "file"


async def test_a_kill_right_after_the_exchange_keeps_the_edit(desk: Desk) -> None:
    kill(desk, "settle")
    assert len(desk.litter) == 1
    await desk.started()
    assert ("4k" in desk.text, desk.generation, desk.litter) == (True, 2, [])
    assert desk.kept[0].author == "bot"


async def test_a_save_that_had_just_been_displaced_comes_back(desk: Desk) -> None:
    """The one moment in which a person's text stands only beside the file."""
    kill(desk, "settle", HUMAN)
    assert "4k" in desk.text
    await desk.started()
    assert (desk.text, desk.generation, desk.litter) == (HUMAN, 1, [])
    assert desk.history.intended() == []
    assert desk.history.knows(HUMAN.encode())


async def test_a_displaced_save_of_an_old_text_comes_back_too(desk: Desk) -> None:
    """The history has it, but it is what somebody wants now."""
    await desk.started()
    await desk.save(TWO)
    await desk.file.close()
    kill(desk, "settle", ONE)
    assert "4k" in desk.text
    await desk.started()
    assert (desk.text, desk.models, desk.litter) == (ONE, ["one"], [])
    assert [each.author for each in desk.kept] == ["file"] * 3


async def test_a_displaced_save_is_not_put_over_a_later_one(desk: Desk) -> None:
    kill(desk, "settle", HUMAN)
    desk.path.write_text(TWO)
    await desk.started()
    assert (desk.text, desk.models, desk.litter) == (TWO, ["one", "two"], [])
    assert [event.reason for event in desk.events] == ["SaveSetAside"]
    assert desk.history.knows(HUMAN.encode())


@pytest.mark.parametrize("step", ["link", "unlink"])
async def test_a_killed_create_leaves_nothing_beside_the_document(
    tmp_path: Path, step: str
) -> None:
    desk = Desk(tmp_path)
    kill(desk, step, TWO)
    assert len(desk.litter) == 1
    await desk.started()
    written = step == "unlink"
    assert (desk.litter, desk.history.intended()) == ([], [])
    assert (desk.path.exists(), desk.generation) == (written, 1 if written else None)
    assert [each.author for each in desk.kept] == (["bot"] if written else [])
    assert desk.events == []


@pytest.mark.parametrize("method", ["knows", "set_aside"])
async def test_a_displaced_save_survives_a_second_kill(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """The daemon that finds it dies before it has kept it."""
    kill(desk, "settle", HUMAN)
    desk.path.write_text(TWO)
    with monkeypatch.context() as patched:
        patched.setattr(desk.history, method, raises)
        with pytest.raises(SystemError):
            await desk.started()
    desk.file._writing.release()  # the kernel does it for a process
    await desk.started()
    assert (desk.text, desk.litter) == (TWO, [])
    assert desk.history.knows(HUMAN.encode())


def raises(*_: object) -> None:
    """The daemon dies here."""
    raise SystemError


async def test_what_a_crash_left_is_found_where_a_link_led(desk: Desk, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / desk.path.name).write_text(ONE)
    desk.path.unlink()
    desk.path.symlink_to(tmp_path / "one" / desk.path.name)
    kill(desk, "settle", HUMAN)
    assert len(list((tmp_path / "one").glob(".*"))) == 1
    desk.path.unlink()
    desk.path.symlink_to(tmp_path / "two" / desk.path.name)
    await desk.started()
    assert list((tmp_path / "one").glob(".*")) == []
    assert (desk.text, desk.history.knows(HUMAN.encode())) == (ONE, True)


async def test_recovering_twice_changes_nothing_more(desk: Desk) -> None:
    kill(desk, "accept")
    await desk.started()
    before = (desk.text, desk.kept)
    await desk.restarted()
    assert (desk.text, desk.kept) == before


async def test_another_documents_intention_is_judged_by_its_own_file(
    desk: Desk, tmp_path: Path
) -> None:
    kill(desk, "accept")
    other = tmp_path / "other.yaml"
    other.write_text(TWO)
    await desk.started(other)
    await desk.restarted()
    assert [(each.number, each.author) for each in desk.kept][-2:] == [(2, "bot"), (1, "file")]
    assert "4k" in desk.text


async def test_an_edit_that_only_changes_the_spelling_survives_too(desk: Desk) -> None:
    await desk.started()
    await desk.commit(WholeText(HUMAN.encode()))
    await desk.died()
    assert (desk.generation, desk.file.raw) == (1, HUMAN.encode())


async def test_what_another_writer_left_is_kept_when_it_is_taken_over(
    desk: Desk, tmp_path: Path
) -> None:
    """While the other writes, its draft is in use and not ours to remove."""
    await desk.started()
    draft = desk.path.with_name(f".{desk.path.name}.lmxd-abc.swap")
    draft.write_text(HUMAN)
    (tmp_path / "second").mkdir()
    second = Desk(tmp_path / "second")
    await second.started(desk.path)
    assert second.file.view().writable_reason == "DocumentLocked"
    await second.file.tend()
    assert draft.exists()
    await desk.file.close()
    await second.file.tend()
    assert not draft.exists()
    assert second.history.knows(HUMAN.encode())
    await second.file.close()


async def test_a_read_only_file_ends_a_killed_commit_too(desk: Desk) -> None:
    kill(desk, "accept")
    desk.path.chmod(0o444)
    await desk.started()
    assert (desk.generation, desk.history.intended()) == (2, [])
    assert desk.kept[0].author == "bot"


async def test_a_save_of_a_file_that_is_then_removed_is_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The save lands just before the exchange, the removal before it is swapped back: no crash
    is needed for a text that stands only beside the file.
    """

    saves = [TWO]

    def swapped(one: str, other: str) -> bool:
        for text in saves:
            desk.path.write_text(text)
        done = swap_names(one, other)
        if saves:
            desk.path.unlink()
            saves.clear()
        return done

    await desk.started()
    monkeypatch.setattr(commit, "swap", functools.partial(swap, exchange=swapped))
    with pytest.raises(RequestError, match="not valid"):
        await desk.file.commit(patch(context="4k"))
    assert (desk.path.exists(), desk.litter, desk.history.intended()) == (False, [], [])
    assert desk.history.knows(TWO.encode())
    assert [each.reason for each in desk.events] == ["SaveSetAside"]
