"""A save that removes many models at once waits for a word, and only such a save."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmxd.desired.guard import held, vanished
from lmxd.desired.read import read
from schemas.edit import Edit, MergePatch, WholeText
from schemas.errors import Code, RequestError
from tests.kit.desk import Desk, opened, patch, six

HALF = six(without="abc")
ALL = six(without="abcdef")


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    return await opened(tmp_path, six())


@pytest.mark.parametrize(
    ("before", "after", "gone"),
    [
        (six(), six(without="ab"), ""),
        (six(), six(without="abc"), "abc"),
        (six(), ALL, "abcdef"),
        (six(without="cdef"), six(without="acdef"), ""),
        (six(without="cdef"), ALL, "ab"),
        (six(without="bcdef"), ALL, ""),
        (ALL, six(), ""),
        (six(without="abc"), six(without="def"), "def"),
        (six(head="reconcile: {guard: off}\n"), ALL, ""),
        (six(), six(without="abcdef", head="reconcile: {guard: off}\n"), "abcdef"),
    ],
)
def test_two_or_more_and_at_least_half(before: str, after: str, gone: str) -> None:
    one, other = read(before.encode()).document, read(after.encode()).document
    assert vanished(one, other) == tuple(gone)


def test_the_message_names_number_models_and_command() -> None:
    edit = held("f" * 64, tuple(f"m{number}" for number in range(11)), 12)
    assert edit.reason == "Held"
    assert "11 of 12 models (m0, m1," in edit.message
    assert "m7 and 3 more)" in edit.message
    assert f"lmxd apply --confirm {'f' * 64}" in edit.message


async def waits(desk: Desk) -> str:
    """The digest of the text that waits; everything else is as it was."""
    view = desk.file.view()
    assert view.held is not None
    assert view.held == desk.file.held
    assert (view.valid, view.current, view.held.reason) == (True, False, "Held")
    assert desk.models == list("abcdef")
    return view.held.sha256


async def test_a_mass_removal_waits_for_confirmation(desk: Desk) -> None:
    await desk.save(HALF)
    sha256 = await waits(desk)
    draft = await desk.file.confirm(sha256)
    assert (draft.changed, draft.raw, draft.accepted.generation) == (True, HALF.encode(), 2)
    assert [change.path for change in draft.changes] == [("models", key) for key in "abc"]
    assert "-  a: " in draft.diff
    view = desk.file.view()
    assert (view.held, view.current, desk.models) == (None, True, list("def"))
    assert (desk.kept[0].author, desk.kept[0].note) == ("file", "confirmed")
    assert not (await desk.file.confirm(sha256)).changed


async def test_only_the_text_that_waits_can_be_confirmed(desk: Desk) -> None:
    await desk.save(HALF)
    sha256 = await waits(desk)
    for other in ("0" * 64, sha256[:7], sha256[1:], ""):
        with pytest.raises(RequestError) as caught:
            await desk.file.confirm(other)
        assert caught.value.code == Code.PRECONDITION_FAILED
        assert caught.value.details == {"held": sha256}
    await desk.save(six())
    with pytest.raises(RequestError, match="no edit is held") as caught:
        await desk.file.confirm(sha256)
    assert caught.value.details == {"held": None}


async def test_the_first_digits_name_it(desk: Desk) -> None:
    await desk.save(HALF)
    assert (await desk.file.confirm((await waits(desk))[:8])).changed
    assert desk.models == list("def")


async def test_a_save_that_comes_before_the_confirmation_is_not_confirmed(desk: Desk) -> None:
    await desk.save(HALF)
    sha256 = await waits(desk)
    desk.path.write_text(ALL)
    with pytest.raises(RequestError):
        await desk.file.confirm(sha256)
    assert await waits(desk) != sha256


async def test_saving_it_once_more_lets_it_through(desk: Desk) -> None:
    await desk.save(HALF)
    await waits(desk)
    await desk.file.look()
    await waits(desk)
    await desk.save("# really\n" + HALF)
    assert (desk.models, desk.file.held) == (list("def"), None)


async def test_another_removal_waits_again(desk: Desk) -> None:
    await desk.save(HALF)
    await waits(desk)
    await desk.save(ALL)
    await waits(desk)
    await desk.save(six(without="ab"))
    assert desk.models == list("cdef")


async def test_the_file_as_it_was_ends_the_wait(desk: Desk) -> None:
    await desk.save(HALF)
    await desk.save(six())
    view = desk.file.view()
    assert (view.held, view.current, desk.generation) == (None, True, 1)
    await desk.save(HALF)
    await waits(desk)


async def test_it_waits_over_a_restart(desk: Desk) -> None:
    await desk.save(HALF)
    sha256 = await waits(desk)
    await desk.restarted()
    assert await waits(desk) == sha256
    await desk.died()
    assert await waits(desk) == sha256
    await desk.file.confirm(sha256)
    assert desk.models == list("def")


async def test_a_removal_while_lmxd_was_down_waits_too(desk: Desk) -> None:
    await desk.file.close()
    desk.path.write_text(ALL)
    await desk.started()
    await waits(desk)


async def test_while_it_waits_nothing_is_written_over_it(desk: Desk) -> None:
    await desk.save(HALF)
    sha256 = await waits(desk)
    for attempt in (
        desk.file.commit(patch("d", context="4k")),
        desk.file.draft(patch("d", context="4k")),
        desk.file.rollback(1),
    ):
        with pytest.raises(RequestError) as caught:
            await attempt
        assert caught.value.code == Code.DOCUMENT_HELD
        assert caught.value.details == {"reason": "Held", "sha256": sha256}
        assert f"lmxd apply --confirm {sha256}" in caught.value.message
    assert desk.text == HALF


async def test_edits_over_http_are_not_asked_twice(desk: Desk) -> None:
    await desk.commit(MergePatch({"models": dict.fromkeys("abc")}))
    assert desk.models == list("def")
    await desk.file.commit(Edit(WholeText(ALL.encode()), "bot", (desk.file.etag,)))
    assert desk.models == []
    await desk.file.rollback(1)
    await desk.file.rollback(3)
    assert desk.models == []


async def test_a_guard_that_is_off_holds_nothing(tmp_path: Path) -> None:
    desk = await opened(tmp_path, six(head="reconcile: {guard: off}\n"))
    await desk.save(ALL)
    assert (desk.models, desk.file.held) == ([], None)
