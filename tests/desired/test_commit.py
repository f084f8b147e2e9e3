"""An edit reaches the file whole, or not at all; whoever saves in between loses nothing."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from lmxd.desired import commit as module
from lmxd.desired.commit import Commit
from lmxd.desired.desk import Pace
from lmxd.desired.editing import TRIES
from schemas.edit import Edit, JsonPatch, MergePatch, WholeData, WholeText
from schemas.errors import Code, DocumentError, LmxdError, PatchError, RequestError
from tests.kit.desk import ONE, TWO, Desk, opened, patch

HUMAN = "# by hand\n" + ONE + "timezone: UTC\n"
PATIENT = Pace(settle_s=0, linger_s=3600)
"""An old file is looked at a second time when its owner is closed, not before."""


def inode(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_ino, status.st_mtime_ns


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    return await opened(tmp_path)


class Between:
    """Calls `act` just before one step of the protocol, the first `times` that it is reached."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, step: str, act: Callable[[], object], times: int = 1
    ) -> None:
        self.left = times
        real = getattr(Commit, step)

        def before(*args: object) -> object:
            if self.left:
                self.left -= 1
                act()
            return real(*args)

        monkeypatch.setattr(Commit, step, before)


async def failed(coroutine: object, code: Code) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await coroutine  # type: ignore[misc]
    assert caught.value.code == code
    return caught.value


async def test_a_merge_patch_is_in_the_file_and_in_effect(desk: Desk) -> None:
    desk.path.chmod(0o640)
    draft = await desk.file.commit(patch(context="4k"))
    view = desk.file.view()
    assert draft.changed
    assert [change.path for change in draft.changes] == [("models", "one", "context")]
    assert draft.accepted is view.accepted
    assert (desk.generation, view.current, desk.path.read_bytes()) == (2, True, draft.raw)
    assert "+" in draft.diff
    assert "4k" in draft.diff
    assert view.accepted is not None
    assert view.accepted.document.models["one"].context == 4096
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o640
    newest = desk.kept[0]
    assert (newest.number, newest.author, newest.base, newest.raw) == (2, "bot", 1, draft.raw)
    assert newest.changes == draft.changes
    await desk.quiet()
    assert desk.litter == []


async def test_the_echo_of_our_own_write_is_nothing(desk: Desk) -> None:
    await desk.file.commit(patch(context="4k"))
    view, pokes = desk.file.view(), desk.pokes
    await desk.file.look()
    assert desk.file.view() == view
    assert (desk.pokes, desk.history.newest()) == (pokes, 2)


async def test_a_draft_writes_nothing(desk: Desk) -> None:
    before, view = inode(desk.path), desk.file.view()
    draft = await desk.file.draft(patch(context="4k"))
    assert (draft.changed, draft.accepted.generation) == (True, 2)
    assert (inode(desk.path), desk.file.view(), desk.history.newest()) == (before, view, 1)


@pytest.mark.parametrize(
    "body",
    [
        MergePatch({}),
        MergePatch({"models": {"one": {"source": "builtin:tiny-chat"}, "gone": None}}),
        JsonPatch([{"op": "test", "path": "/version", "value": 1}]),
        WholeData({"models": {"one": {"source": "builtin:tiny-chat"}}, "version": 1}),
        WholeText(ONE.encode()),
    ],
)
async def test_no_change_of_meaning_rewrites_nothing(desk: Desk, body: object) -> None:
    before, pokes = inode(desk.path), desk.pokes
    draft = await desk.commit(body)  # type: ignore[arg-type]
    assert (draft.changed, draft.changes, draft.diff) == (False, (), "")
    assert (inode(desk.path), desk.generation, desk.pokes) == (before, 1, pokes)


async def test_a_json_patch_and_a_whole_document_are_written_too(desk: Desk) -> None:
    added = {"op": "add", "path": "/models/two", "value": {"source": "builtin:tiny-chat"}}
    await desk.commit(JsonPatch([added]))
    assert desk.models == ["one", "two"]
    await desk.commit(WholeData({"version": 1, "models": {}}))
    assert desk.models == []
    await desk.commit(WholeText(TWO.encode()))
    assert (desk.text, desk.generation) == (TWO, 4)


async def test_a_text_of_the_same_meaning_is_written_under_the_same_number(desk: Desk) -> None:
    draft = await desk.commit(WholeText(b"# a comment\n" + ONE.encode()))
    assert (draft.changed, draft.changes) == (True, ())
    assert (desk.text, desk.generation) == ("# a comment\n" + ONE, 1)
    view = desk.file.view()
    assert view.accepted is not None
    assert (view.current, view.accepted.sha256) == (True, draft.accepted.sha256)
    await desk.restarted()
    assert (desk.generation, desk.file.raw) == (1, b"# a comment\n" + ONE.encode())


async def test_what_would_not_be_valid_changes_nothing(desk: Desk) -> None:
    before = inode(desk.path)
    with pytest.raises(DocumentError) as caught:
        await desk.file.commit(patch(state="nope"))
    assert caught.value.problems[0].pointer == "/models/one/state"
    assert caught.value.problems[0].line
    with pytest.raises(PatchError):
        await desk.commit(JsonPatch([{"op": "remove", "path": "/nothing"}]))
    assert (inode(desk.path), desk.generation, desk.history.newest()) == (before, 1, 1)


async def test_an_edit_that_was_not_noticed_yet_is_taken_in_first(desk: Desk) -> None:
    desk.path.write_text(HUMAN)
    draft = await desk.file.commit(patch(context="4k"))
    assert [each.author for each in desk.kept] == ["bot", "file", "file"]
    assert draft.accepted.data["timezone"] == "UTC"
    assert desk.kept[1].raw == HUMAN.encode()


async def test_an_edit_is_never_written_over_a_broken_file(desk: Desk) -> None:
    desk.path.write_text("version: 1\nmodels: [\n")
    error = await failed(desk.file.commit(patch(context="4k")), Code.DOCUMENT_INVALID)
    assert "line 3" in error.message
    assert error.details == {"reason": "InvalidYAML"}
    await failed(desk.file.draft(patch(context="4k")), Code.DOCUMENT_INVALID)
    desk.path.unlink()
    await failed(desk.file.commit(patch(context="4k")), Code.DOCUMENT_INVALID)
    assert (desk.generation, desk.litter) == (1, [])


@pytest.mark.parametrize("step", ["intend", "unmoved", "exchange"])
async def test_a_save_in_between_is_kept_and_the_edit_made_on_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    Between(monkeypatch, step, lambda: desk.path.write_text(HUMAN))
    draft = await desk.file.commit(patch(context="4k"))
    assert [(each.number, each.author) for each in desk.kept] == [
        (3, "bot"),
        (2, "file"),
        (1, "file"),
    ]
    assert desk.kept[1].raw == HUMAN.encode()
    assert draft.accepted.data["timezone"] == "UTC"
    assert (desk.path.read_bytes(), desk.generation) == (draft.raw, 3)
    await desk.quiet()
    assert (desk.litter, desk.history.intended()) == ([], [])


async def test_a_save_after_the_exchange_is_an_edit_of_its_own(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    Between(monkeypatch, "accept", lambda: desk.path.write_text(HUMAN))
    await desk.file.commit(patch(context="4k"))
    await desk.file.look()
    assert [each.author for each in desk.kept] == ["file", "bot", "file"]
    assert (desk.text, desk.generation) == (HUMAN, 3)


async def test_an_edit_with_a_condition_is_not_made_on_another_document(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    Between(monkeypatch, "exchange", lambda: desk.path.write_text(HUMAN))
    edit = patch(context="4k", if_match=(desk.file.etag,))
    await failed(desk.file.commit(edit), Code.PRECONDITION_FAILED)
    assert (desk.text, desk.generation) == (HUMAN, 2)


async def test_a_broken_save_in_between_ends_the_edit(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    Between(monkeypatch, "exchange", lambda: desk.path.write_text("version: 2\n"))
    await failed(desk.file.commit(patch(context="4k")), Code.DOCUMENT_INVALID)
    assert (desk.text, desk.generation, desk.history.newest()) == ("version: 2\n", 1, 1)


async def test_whoever_saves_all_the_time_wins(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    saves = iter(range(100))
    save = lambda: desk.path.write_text(f"{ONE}limits: {{queue: {next(saves) + 1}}}\n")  # noqa: E731
    Between(monkeypatch, "exchange", save, times=TRIES)
    error = await failed(desk.file.commit(patch(context="4k")), Code.FILE_NOT_WRITABLE)
    assert f"{TRIES} times" in error.message
    assert next(saves) == TRIES
    assert desk.history.intended() == []


async def test_every_text_that_somebody_saved_is_kept(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Comments and layout count too, though they make no generation."""
    saved = [f"# thought {number}\n{ONE}" for number in range(3)]
    for text in saved:
        await desk.save(text)
    Between(monkeypatch, "unmoved", lambda: desk.path.write_text("# last\n" + ONE))
    await desk.file.commit(patch(context="4k"))
    assert desk.generation == 2
    assert all(desk.history.knows(text.encode()) for text in [ONE, *saved, "# last\n" + ONE])


async def test_two_edits_of_one_document_are_made_one_after_the_other(desk: Desk) -> None:
    seen = desk.file.etag
    results = await asyncio.gather(
        desk.file.commit(patch(context="4k", if_match=(seen,))),
        desk.file.commit(patch(parallel=3, if_match=(seen,))),
        return_exceptions=True,
    )
    lost = [each for each in results if isinstance(each, LmxdError)]
    assert len(lost) == 1
    assert lost[0].code == Code.PRECONDITION_FAILED
    assert (desk.generation, desk.history.newest()) == (2, 2)


async def test_edits_without_a_condition_all_arrive(desk: Desk) -> None:
    edits = [patch(f"m{number}", source="builtin:tiny-chat") for number in range(8)]
    await asyncio.gather(*map(desk.file.commit, edits))
    assert sorted(desk.models) == sorted(["one", *(f"m{number}" for number in range(8))])
    assert desk.generation == 9


async def test_what_was_begun_ends_though_its_caller_went_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    Between(monkeypatch, "exchange", lambda: loop.call_soon_threadsafe(begun.set))
    task = asyncio.create_task(desk.file.commit(patch(context="4k")))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await desk.file.close()
    assert (desk.generation, desk.history.intended()) == (2, [])
    assert "4k" in desk.text


@pytest.mark.parametrize("step", ["store", "swap"])
async def test_a_disk_that_fails_leaves_everything_as_it_was(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fails(*_: object) -> object:
        if step == "store":
            raise OSError(28, "No space left on device")
        raise RequestError(Code.FILE_NOT_WRITABLE, "No space left on device")

    monkeypatch.setattr(desk.history if step == "store" else module, step, fails)
    before = inode(desk.path)
    error = await failed(desk.file.commit(patch(context="4k")), Code.FILE_NOT_WRITABLE)
    assert "No space" in error.message
    assert (inode(desk.path), desk.generation, desk.history.newest()) == (before, 1, 1)
    monkeypatch.undo()
    await desk.file.commit(patch(context="4k"))
    assert desk.generation == 2


async def test_what_cannot_be_marked_is_accepted_at_the_next_start(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.history, "mark", fails)
    await desk.file.commit(patch(context="4k"))
    assert (desk.generation, len(desk.history.intended())) == (2, 1)
    monkeypatch.undo()
    await desk.restarted()
    assert (desk.generation, desk.history.intended()) == (2, [])
    assert desk.kept[0].author == "bot"


async def test_a_save_into_the_old_file_is_put_back(tmp_path: Path) -> None:
    """Somebody opened the file before the exchange and writes after it."""
    desk = await opened(tmp_path, pace=PATIENT)
    with desk.path.open("r+b") as editor:
        await desk.file.commit(patch(context="4k"))
        editor.write(HUMAN.encode())
        editor.truncate()
    await desk.file.close()
    assert (desk.text, desk.generation) == (HUMAN, 3)
    assert [each.author for each in desk.kept] == ["file", "bot", "file"]
    assert [event.reason for event in desk.events] == ["SaveRestored"]
    assert desk.litter == []


async def test_a_save_into_the_old_file_is_not_put_over_a_later_one(tmp_path: Path) -> None:
    desk = await opened(tmp_path, pace=PATIENT)
    with desk.path.open("r+b") as editor:
        await desk.file.commit(patch(context="4k"))
        editor.write(HUMAN.encode())
        editor.truncate()
    desk.path.write_text(TWO)
    await desk.file.close()
    assert desk.text == TWO
    assert [event.reason for event in desk.events] == ["SaveSetAside"]
    assert desk.history.knows(HUMAN.encode())


@pytest.mark.parametrize("harm", ["file", "folder"])
async def test_a_file_that_may_not_be_written_is_not(desk: Desk, harm: str) -> None:
    place = desk.path if harm == "file" else desk.path.parent
    if harm == "folder" and os.geteuid() == 0:
        pytest.skip("root writes into every folder")
    mode = place.stat().st_mode
    place.chmod(0o444 if harm == "file" else 0o555)
    try:
        before = inode(desk.path)
        error = await failed(desk.file.commit(patch(context="4k")), Code.FILE_NOT_WRITABLE)
        view = desk.file.view()
        assert "read-only" in error.message
        assert (view.writable, view.writable_reason) == (False, "FileNotWritable")
        assert (inode(desk.path), desk.history.newest()) == (before, 1)
        assert (await desk.file.draft(patch(context="4k"))).changed
    finally:
        place.chmod(mode)
    await desk.file.tend()
    assert desk.file.view().writable
    assert (await desk.file.commit(patch(context="4k"))).changed


async def test_a_document_behind_a_link_stays_behind_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    (tmp_path / "state").mkdir()
    target = tmp_path / "state" / "real.yaml"
    target.write_text(ONE)
    desk.path.symlink_to(target)
    await desk.file.start()
    await desk.file.commit(patch(context="4k"))
    assert desk.path.is_symlink()
    assert "4k" in target.read_text()
    assert desk.generation == 2


async def test_the_first_document_is_created_once(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    await desk.file.start()
    edit = Edit(WholeData({"version": 1, "models": {}}), "bot")
    assert (await desk.file.create(edit, dry_run=True)).accepted.generation == 1
    assert not desk.path.exists()
    draft = await desk.file.create(edit)
    assert (draft.changed, desk.generation, desk.text) == (True, 1, "version: 1\nmodels: {}\n")
    assert desk.kept[0].author == "bot"
    error = await failed(desk.file.create(edit), Code.PRECONDITION_FAILED)
    assert error.details["current_etag"] == desk.file.etag
    assert desk.litter == []


async def test_a_document_that_vanished_can_be_created_again(desk: Desk) -> None:
    desk.path.unlink()
    await desk.file.look()
    await desk.file.create(Edit(WholeText(TWO.encode()), "bot"))
    assert (desk.generation, desk.text, desk.file.view().current) == (2, TWO, True)


async def test_nothing_is_created_over_a_save_that_comes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk(tmp_path)
    await desk.file.start()
    Between(monkeypatch, "exchange", lambda: desk.path.write_text(TWO))
    create = desk.file.create(Edit(WholeText(ONE.encode()), "bot"))
    await failed(create, Code.PRECONDITION_FAILED)
    await desk.file.look()
    assert (desk.text, desk.models, desk.history.newest()) == (TWO, ["one", "two"], 1)
