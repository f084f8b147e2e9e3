"""Who changed what, when, and what became of it; and the way back."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmxd.desired.text_diff import text_diff
from schemas.edit import Edit, JsonPatch, WholeData, WholeText
from schemas.errors import Code, RequestError
from tests.kit.desk import NOW, ONE, TWO, Desk, opened, patch


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    """Generation 1 by hand, 2 by a bot, 3 by hand."""
    desk = await opened(tmp_path)
    await desk.file.commit(patch(context="4k"))
    await desk.save(TWO)
    return desk


async def test_every_generation_says_who_when_and_what(desk: Desk) -> None:
    newest, second, first = await desk.file.history()
    assert [each.number for each in (newest, second, first)] == [3, 2, 1]
    assert [each.author for each in (newest, second, first)] == ["file", "bot", "file"]
    assert [each.base for each in (newest, second, first)] == [2, 1, 0]
    assert [each.outcome for each in (newest, second, first)] == [
        "current",
        "superseded",
        "superseded",
    ]
    assert {change.path for change in newest.changes} == {
        ("models", "one", "context"),
        ("models", "two"),
    }
    assert {change.path for change in first.changes} == {("version",), ("models",)}
    assert (newest.at, newest.raw, newest.diff) == (NOW, None, None)
    assert newest.etag == desk.file.etag


async def test_only_so_many_are_listed(desk: Desk) -> None:
    assert [each.number for each in await desk.file.history(2)] == [3, 2]


async def test_one_generation_has_its_text_and_the_diff_to_the_one_before(desk: Desk) -> None:
    record = await desk.file.generation(3)
    assert record.raw == TWO.encode()
    assert record.diff is not None
    lines = record.diff.splitlines()
    assert lines[:2] == ["--- generation 2", "+++ generation 3"]
    assert "+  two: {source: 'builtin:tiny-chat'}" in lines
    first = await desk.file.generation(1)
    assert first.diff is not None
    assert first.diff.startswith("--- nothing\n+++ generation 1\n@@ -0,0 +1,3 @@\n+version: 1\n")


async def test_a_generation_that_is_not_kept_is_not_found(desk: Desk) -> None:
    with pytest.raises(RequestError, match="there are 1 to 3") as caught:
        await desk.file.generation(9)
    assert caught.value.code == Code.NOT_FOUND
    with pytest.raises(RequestError):
        await desk.file.rollback(9)


async def test_a_plan_that_became_empty_is_remembered(desk: Desk) -> None:
    await desk.file.converged(2)
    assert [each.outcome for each in await desk.file.history(1)] == ["current"]
    await desk.file.converged(3)
    await desk.restarted()
    assert [each.outcome for each in await desk.file.history()] == [
        "converged",
        "superseded",
        "superseded",
    ]


async def test_a_note_is_kept(desk: Desk) -> None:
    edit = patch(context="8k")
    await desk.file.commit(Edit(edit.body, "bot", note="more room"))
    assert (await desk.file.generation(4)).note == "more room"


async def test_a_rollback_is_a_new_generation_with_the_old_text(desk: Desk) -> None:
    draft = await desk.file.rollback(1, "ann")
    assert (desk.text, desk.generation, draft.raw) == (ONE, 4, ONE.encode())
    record = await desk.file.generation(4)
    assert (record.author, record.base) == ("rollback", 3)
    assert record.note == "the text of generation 1, by ann"
    assert [change.path for change in record.changes] == [("models", "two")]


async def test_a_rollback_to_what_is_there_changes_nothing(desk: Desk) -> None:
    draft = await desk.file.rollback(3)
    assert (draft.changed, desk.generation) == (False, 3)


async def test_a_rollback_can_be_tried_out(desk: Desk) -> None:
    draft = await desk.file.rollback(1, dry_run=True)
    assert (draft.changed, draft.accepted.generation) == (True, 4)
    assert (desk.text, desk.generation) == (TWO, 3)


async def test_a_rollback_under_a_condition_that_fails_changes_nothing(desk: Desk) -> None:
    with pytest.raises(RequestError) as caught:
        await desk.file.rollback(1, "ann", ("0" * 64,))
    assert caught.value.code == Code.PRECONDITION_FAILED
    assert desk.text == TWO


async def test_a_rollback_of_a_file_that_may_not_be_written_changes_nothing(desk: Desk) -> None:
    desk.path.chmod(0o444)
    with pytest.raises(RequestError) as caught:
        await desk.file.rollback(1)
    assert caught.value.code == Code.FILE_NOT_WRITABLE
    assert (desk.text, desk.generation) == (TWO, 3)


async def test_a_rollback_brings_comments_back(desk: Desk) -> None:
    text = "# why it is so\n" + TWO
    await desk.save(text)
    await desk.commit(WholeText(ONE.encode()))
    await desk.file.rollback(3)
    assert desk.text == text


async def test_the_condition_may_name_the_json_or_the_text(desk: Desk) -> None:
    accepted = desk.file.view().accepted
    assert accepted is not None
    for tag in (desk.file.etag, accepted.sha256, "*"):
        assert (await desk.file.draft(patch(context="8k", if_match=("other", tag)))).changed


async def test_a_comment_changes_the_tag_of_the_text_alone(desk: Desk) -> None:
    accepted, etag = desk.file.view().accepted, desk.file.etag
    assert accepted is not None
    await desk.save("# new\n" + TWO)
    assert desk.file.etag == etag
    await desk.file.draft(patch(context="8k", if_match=(etag,)))
    with pytest.raises(RequestError):
        await desk.file.draft(patch(context="8k", if_match=(accepted.sha256,)))


async def refusal(desk: Desk, edit: Edit) -> RequestError:
    with pytest.raises(RequestError) as caught:
        await desk.file.draft(edit)
    assert caught.value.code == Code.PRECONDITION_FAILED
    return caught.value


async def refused(desk: Desk, edit: Edit) -> dict[str, object]:
    return (await refusal(desk, edit)).details


async def test_a_refused_edit_is_told_what_has_changed_since(desk: Desk) -> None:
    """Known by either tag of what its author saw: generation 2."""
    second = await desk.file.generation(2)
    changed = ["/models/one/context", "/models/two"]
    current = {"current_etag": desk.file.etag, "generation": 3, "changed_paths": changed}
    for tag in (second.etag, second.sha256):
        overlapping = await refused(desk, patch(context="8k", if_match=(tag,)))
        assert overlapping == {**current, "overlaps": ["/models/one/context"]}
        apart = await refused(desk, patch(parallel=2, if_match=(tag,)))
        assert apart == {**current, "overlaps": []}


async def test_an_edit_that_no_longer_applies_overlaps_with_everything(desk: Desk) -> None:
    second = await desk.file.generation(2)
    gone = {"op": "remove", "path": "/aliases"}
    edit = Edit(JsonPatch([gone]), "bot", (second.etag,))
    assert (await refused(desk, edit))["overlaps"] == ["/models/one/context", "/models/two"]


async def test_a_whole_document_would_take_back_all_that_has_changed(desk: Desk) -> None:
    """So nobody is told that it could be sent again as it is; a comment is lost as well."""
    second = await desk.file.generation(2)
    text, data = (second.raw or b"") + b"# mine\n", {"version": 1}
    for body in (WholeText(text), WholeData(data)):
        error = await refusal(desk, Edit(body, "bot", (second.etag,)))
        assert error.details["overlaps"] == error.details["changed_paths"] != []
        assert "what it says now" in str(error.hint)
    third = desk.file.view().accepted
    assert third is not None
    await desk.save("# theirs\n" + desk.text)
    error = await refusal(desk, Edit(WholeText(text), "bot", (third.sha256,)))
    assert error.details["changed_paths"] == []
    assert "the same edit" not in str(error.hint)


async def test_an_unknown_tag_is_told_what_is_current(desk: Desk) -> None:
    """Whether the document has changed since is not known, and not said."""
    error = await refusal(desk, patch(context="8k", if_match=("0" * 64,)))
    assert error.details == {"current_etag": desk.file.etag, "generation": 3}
    assert "changed" not in error.message
    weak = await refusal(desk, patch(context="8k", if_match=(f"W/{desk.file.etag}",)))
    assert (
        weak.message == "a weak ETag is a condition that never holds; the document is generation 3"
    )


def test_a_diff_is_as_diff_shows_it() -> None:
    names = ("a", "b")
    assert text_diff(b"x\n", b"x\n", names) == ""
    assert text_diff(b"x\ny\n", b"x\nz\n", names) == ("--- a\n+++ b\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n")
    assert text_diff(b"x", b"x\n", names) == (
        "--- a\n+++ b\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+x\n"
    )
    assert text_diff(b"", b"x\xc2\x85y\r\n\xff", names).splitlines(keepends=False)[-1:] == [
        "\\ No newline at end of file"
    ]
