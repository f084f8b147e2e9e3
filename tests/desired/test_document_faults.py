"""A document whose surroundings are taken away or broken while its owner lives."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from schemas.edit import Edit, EditBody, MergePatch, WholeData, WholeText
from schemas.errors import DocumentError
from tests.kit.desk import ONE, TWO, Desk, opened, patch


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    return await opened(tmp_path)


async def test_numbers_grow_on_when_somebody_removes_the_history(desk: Desk) -> None:
    for context in ("4k", "8k", "2k"):
        await desk.file.commit(patch(context=context))
    shutil.rmtree(desk.state.path)
    draft = await desk.file.draft(patch(context="4k"))
    assert draft.accepted.generation == 5
    assert (await desk.file.commit(patch(context="4k"))).accepted.generation == 5
    await desk.save(TWO)
    assert [each.number for each in desk.kept] == [6, 5]
    shutil.rmtree(desk.state.path)
    desk.path.unlink()
    made = await desk.file.create(Edit(WholeText(ONE.encode()), "bot"))
    assert (made.accepted.generation, desk.generation) == (7, 7)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (WholeData({}), ""),
        (WholeData({"models": {}}), ""),
        (MergePatch({"aliases": {"a" * 5000: "one"}}), f"/aliases/{'a' * 5000}"),
    ],
)
async def test_what_no_text_can_say_is_called_invalid(
    desk: Desk, body: EditBody, pointer: str
) -> None:
    """Before anybody is told to write by hand what would not be valid there either."""
    with pytest.raises(DocumentError) as caught:
        await desk.commit(body)
    assert caught.value.problems[0].pointer == pointer
    assert (desk.text, desk.generation) == (ONE, 1)
