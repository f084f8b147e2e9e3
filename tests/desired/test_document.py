"""Whatever happens to the file, what was good last stays in effect, and the view says why."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from lmxd.desired import intake as module
from lmxd.desired.desk import Pace
from lmxd.desired.read import read
from schemas.errors import DocumentError
from tests.kit.desk import NOW, ONE, TWO, Desk

EXAMPLE = (Path(__file__).parents[2] / "desired-state.example.yaml").read_text(encoding="utf-8")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_a_valid_file_becomes_a_generation(desk: Desk) -> None:
    desk.path.write_text(ONE)
    await desk.file.start()
    view = desk.file.view()
    assert (view.valid, view.current, view.reason, view.path) == (
        True,
        True,
        "Accepted",
        str(desk.path),
    )
    assert view.accepted is not None
    assert (view.accepted.generation, view.accepted.accepted_at) == (1, NOW)
    assert view.accepted.data == {"version": 1, "models": {"one": {"source": "builtin:tiny-chat"}}}
    assert desk.file.raw == ONE.encode()
    assert desk.pokes > 0


async def test_before_the_first_read_nothing_is_claimed(desk: Desk) -> None:
    view = desk.file.view()
    assert (view.accepted, view.valid, view.reason) == (None, False, "NotReadYet")


async def test_edits_grow_the_generation_by_one(desk: Desk) -> None:
    for number, text in enumerate((ONE, TWO, ONE), start=1):
        await desk.save(text)
        assert desk.generation == number
    assert desk.pokes == 3


async def test_an_edit_without_meaning_keeps_the_generation(desk: Desk) -> None:
    await desk.save("version: 1\nlimits: {queue: 1, downloads: 2}\n")
    await desk.save("# a comment\nlimits:\n  downloads: 2\n  queue: 1\nversion: 1\n")
    view = desk.file.view()
    assert view.accepted is not None
    assert view.accepted.generation == 1
    assert view.accepted.sha256 == read(desk.path.read_bytes()).sha256
    assert view.current
    assert desk.history.newest() == 1


async def test_the_order_of_models_has_a_meaning(desk: Desk) -> None:
    swapped = "version: 1\nmodels:\n  b: {source: 'hf:a/b'}\n  a: {source: 'hf:a/b'}\n"
    await desk.save("version: 1\nmodels:\n  a: {source: 'hf:a/b'}\n  b: {source: 'hf:a/b'}\n")
    await desk.save(swapped)
    assert (desk.generation, desk.models) == (2, ["b", "a"])


BAD: dict[str, tuple[str | bytes, str, str]] = {
    "bad YAML": ("version: 1\nmodels: [\n", "InvalidYAML", "line 3, column 1"),
    "unknown key": ("version: 1\nmodls: {}\n", "InvalidDocument", 'did you mean "models"?'),
    "wrong unit": ("version: 1\nlimits:\n  wait: 5\n", "InvalidDocument", "line 3, column 9"),
    "duplicate key": ("version: 1\nversion: 1\n", "InvalidYAML", "appears twice, first in line 1"),
    "empty file": ("", "EmptyFile", "the file is empty"),
    "only comments": ("# soon\n", "EmptyFile", "the file is empty"),
    "not UTF-8": (b"version: 1 # \xff\n", "InvalidYAML", "is not UTF-8"),
    "too large": (b"version: 1\n" + b"#" * 2**20, "FileTooLarge", "larger than 1 MiB"),
    "too deep": ("a: " + "[" * 3000, "InvalidYAML", "nested more than 64 levels"),
    "half an alias": (ONE + "aliases: {auto: [one, tw]}\n", "InvalidDocument", 'no model "tw"'),
}


@pytest.mark.parametrize("name", sorted(BAD))
async def test_a_bad_file_changes_nothing_and_says_why(desk: Desk, name: str) -> None:
    text, reason, words = BAD[name]
    await desk.save(ONE)
    before = desk.file.view().accepted
    await desk.save(text)
    view = desk.file.view()
    assert (view.valid, view.current, view.reason) == (False, False, reason)
    assert words in view.message
    assert view.message.endswith("generation 1 stays in effect")
    assert view.accepted is before
    await desk.save(TWO)
    assert (desk.file.view().valid, desk.generation, desk.models) == (True, 2, ["one", "two"])


async def test_the_same_bad_file_is_reported_once(desk: Desk) -> None:
    await desk.save(ONE)
    await desk.save("version: 2\n")
    await desk.file.look()
    os.utime(desk.path)
    await desk.file.look()
    assert desk.pokes == 2


async def test_a_good_file_that_comes_back_keeps_its_number(desk: Desk) -> None:
    await desk.save(ONE)
    await desk.save("version: 2\n")
    await desk.save(ONE)
    assert (desk.file.view().valid, desk.generation, desk.history.newest()) == (True, 1, 1)


def _delete(desk: Desk) -> None:
    desk.path.unlink()


def _make_folder(desk: Desk) -> None:
    desk.path.unlink()
    desk.path.mkdir()


@pytest.mark.parametrize(
    ("harm", "reason"),
    [(_delete, "FileMissing"), (_make_folder, "FileUnreadable")],
)
async def test_a_file_that_cannot_be_read_changes_nothing(
    desk: Desk, harm: Callable[[Desk], None], reason: str
) -> None:
    await desk.save(ONE)
    harm(desk)
    await desk.file.look()
    assert (desk.file.view().reason, desk.models) == (reason, ["one"])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads what nobody may read")
async def test_a_file_without_permission_changes_nothing(desk: Desk) -> None:
    await desk.save(ONE)
    desk.path.chmod(0)
    await desk.file.look()
    assert (desk.file.view().reason, desk.models) == ("FileUnreadable", ["one"])


async def test_a_missing_file_that_never_was_serves_nothing(desk: Desk) -> None:
    await desk.file.start()
    view = desk.file.view()
    assert (view.accepted, view.valid, view.reason) == (None, False, "NoLastGood")
    assert "does not exist" in view.message
    await desk.save(ONE)
    assert desk.models == ["one"]


async def test_a_writer_between_two_reads_is_waited_for(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow writer adds a line between any two reads: not one of its prefixes is taken.

    Nearly each of them is a valid document, so parsing could not tell.
    """
    await desk.save(ONE)
    lines = EXAMPLE.splitlines(keepends=True)
    real = module._look
    written = 0

    def look_then_write(path: Path) -> object:
        nonlocal written
        seen = real(path)
        if written < len(lines):
            written += 1
            path.write_text("".join(lines[:written]))
        return seen

    monkeypatch.setattr(module, "_look", look_then_write)
    desk.path.write_text("")
    await desk.file.look()
    assert written == len(lines)
    assert (desk.generation, desk.history.newest(), desk.models) == (2, 2, ["tiny-chat"])
    assert desk.file.raw == EXAMPLE.encode()


async def test_a_truncated_file_counts_only_as_what_it_says(desk: Desk) -> None:
    """Every line prefix that stays is either a document of its own or changes nothing."""
    await desk.save(EXAMPLE)
    lines = EXAMPLE.splitlines(keepends=True)
    for end in range(len(lines)):
        prefix = "".join(lines[:end]).encode()
        before = desk.file.view().accepted
        await desk.save(prefix)
        view = desk.file.view()
        expected, reason = _outcome(prefix)
        assert (view.valid, view.reason) == (expected is not None, reason)
        if expected is None:
            assert view.accepted is before
        else:
            assert view.accepted is not None
            assert view.accepted.data == expected


def _outcome(raw: bytes) -> tuple[Mapping[str, object] | None, str]:
    try:
        return read(raw).data, "Accepted"
    except DocumentError as error:
        return None, error.reason


async def test_the_last_good_generation_survives_a_restart_on_a_bad_file(desk: Desk) -> None:
    await desk.save(ONE)
    desk.path.write_text("version: 2\n")
    await desk.restarted()
    view = desk.file.view()
    assert (view.valid, view.reason, desk.generation, desk.models) == (
        False,
        "InvalidDocument",
        1,
        ["one"],
    )
    assert desk.file.raw == ONE.encode()


async def test_a_restart_on_the_same_file_keeps_its_number(desk: Desk) -> None:
    await desk.save(TWO)
    await desk.restarted()
    assert (desk.file.view().valid, desk.generation, desk.history.newest()) == (True, 1, 1)


async def test_an_edit_while_lmxd_was_down_is_a_new_generation(desk: Desk) -> None:
    await desk.save(ONE)
    desk.path.write_text(TWO)
    await desk.restarted()
    assert (desk.generation, desk.models) == (2, ["one", "two"])


async def test_the_last_good_of_another_document_is_not_taken(desk: Desk) -> None:
    await desk.save(ONE)
    other = desk.path.with_name("other.yaml")
    other.write_text("version: 2\n")
    await desk.restarted(other)
    assert (desk.file.view().reason, desk.generation) == ("NoLastGood", None)


async def test_numbers_do_not_go_back_after_another_document(desk: Desk) -> None:
    await desk.save(ONE)
    other = desk.path.with_name("other.yaml")
    other.write_text(TWO)
    await desk.restarted(other)
    assert desk.generation == 2
    desk.path.write_text("version: 2\n")
    await desk.restarted()
    assert (desk.generation, desk.models, desk.file.view().valid) == (3, ["one"], False)


async def test_a_document_that_cannot_be_kept_does_not_take_effect(desk: Desk) -> None:
    await desk.save(ONE)
    shutil.rmtree(desk.path.parent / "state")
    (desk.path.parent / "state").write_text("in the way")
    await desk.save(TWO)
    assert (desk.file.view().reason, desk.models) == ("GenerationNotStored", ["one"])
    (desk.path.parent / "state").unlink()
    await desk.file.tend()  # of itself, without anybody touching the file
    assert (desk.file.view().valid, desk.models) == (True, ["one", "two"])


async def test_a_running_document_follows_edits(tmp_path: Path) -> None:
    """The real watcher and the real 250 ms; a bad edit in between is survived."""
    desk = Desk(tmp_path, pace=Pace(poll_s=0.2))
    desk.path.write_text(ONE)
    await desk.file.start()
    task = asyncio.create_task(desk.file.run())
    for text, valid, generation in ((TWO, True, 2), ("x: [", False, 2), (ONE, True, 3)):
        desk.changed.clear()
        desk.path.write_text(text)
        async with asyncio.timeout(30):
            await desk.changed.wait()
        assert (desk.file.view().valid, desk.generation) == (valid, generation)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
