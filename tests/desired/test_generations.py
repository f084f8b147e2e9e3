"""The history of a document: complete or not there, growing, and read after a restart."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lmxd.desired.generation import DocumentPath, Generation, Status
from lmxd.desired.generations import KEEP, Generations
from schemas.edit import MISSING, Change
from schemas.errors import StartupError

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
DOCUMENT = DocumentPath("/etc/lmxd/desired-state.yaml", "/etc/lmxd/desired-state.yaml")
OTHER = DocumentPath("/srv/other.yaml", "/srv/other.yaml")


def keep(
    history: Generations,
    raw: bytes,
    document: DocumentPath = DOCUMENT,
    *,
    status: Status = "accepted",
    confirmed: bool = False,
) -> Generation:
    generation = Generation(0, document, raw, NOW, "file", status=status, confirmed=confirmed)
    return history.store(generation)


def test_generations_survive_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "generations"
    assert Generations(folder).newest() == 0
    assert Generations(folder).last_good(DOCUMENT) is None
    first, second = keep(Generations(folder), b"a"), keep(Generations(folder), b"b")
    assert (first.number, second.number) == (1, 2)
    assert Generations(folder).last_good(DOCUMENT) == second
    assert (folder / "000002" / "desired.yaml").read_bytes() == b"b"
    meta = json.loads((folder / "000002" / "meta.json").read_text())
    assert (meta["generation"], meta["author"], meta["status"]) == (2, "file", "accepted")


def test_each_document_has_its_own_last_good_and_shares_the_numbers(tmp_path: Path) -> None:
    history = Generations(tmp_path)
    mine, other = keep(history, b"a"), keep(history, b"b", OTHER)
    assert (mine.number, other.number) == (1, 2)
    assert history.last_good(DOCUMENT) == mine
    assert history.last_good(OTHER) == other


def test_a_document_is_known_by_its_name_or_by_its_real_path(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("")
    link = tmp_path / "link.yaml"
    link.symlink_to("real.yaml")
    real = DocumentPath.of(tmp_path / "real.yaml")
    before = DocumentPath.of(link)
    assert before.is_same(real)
    link.unlink()
    link.symlink_to("elsewhere.yaml")
    after = DocumentPath.of(link)
    assert after.is_same(before)
    assert not after.is_same(real)


def damage_meta(folder: Path) -> None:
    (folder / "meta.json").write_text("{")


def damage_text(folder: Path) -> None:
    (folder / "desired.yaml").write_bytes(b"something else")


def damage_status(folder: Path) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    (folder / "meta.json").write_text(json.dumps({**meta, "status": "perhaps"}))


def remove_text(folder: Path) -> None:
    (folder / "desired.yaml").unlink()


@pytest.mark.parametrize("damage", [damage_meta, damage_text, damage_status, remove_text])
def test_a_damaged_generation_is_passed_over_and_its_number_not_used_again(
    tmp_path: Path, damage: object
) -> None:
    history = Generations(tmp_path)
    good, bad = keep(history, b"a"), keep(history, b"b")
    damage(tmp_path / f"{bad.number:06}")  # type: ignore[operator]
    assert history.last_good(DOCUMENT) == good
    assert keep(history, b"c").number == 3


def test_a_half_written_generation_does_not_exist(tmp_path: Path) -> None:
    """What a crash between the first byte and the rename leaves behind."""
    history = Generations(tmp_path)
    (tmp_path / ".000001.new").mkdir()
    (tmp_path / ".000001.new" / "desired.yaml").write_text("half")
    assert history.newest() == 0
    assert keep(history, b"whole").number == 1
    assert os.listdir(tmp_path) == ["000001"]


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "generations").write_text("a file in the way")
    with pytest.raises(OSError, match="directory"):
        keep(Generations(tmp_path / "generations"), b"a")


def test_old_generations_are_forgotten_and_numbers_go_on(tmp_path: Path) -> None:
    history = Generations(tmp_path)
    for number in range(KEEP + 3):
        keep(history, str(number).encode())
    assert len(os.listdir(tmp_path)) == KEEP
    assert history.newest() == KEEP + 3
    assert not (tmp_path / "000003").exists()


def test_a_generation_of_a_newer_lmxd_stops_the_start(tmp_path: Path) -> None:
    history = Generations(tmp_path)
    keep(history, b"a")
    meta = json.loads((tmp_path / "000001" / "meta.json").read_text())
    (tmp_path / "000001" / "meta.json").write_text(json.dumps({**meta, "version": 2}))
    with pytest.raises(StartupError, match="has version 2"):
        history.last_good(DOCUMENT)


def test_everything_that_is_known_of_a_generation_survives(tmp_path: Path) -> None:
    made = (
        Change(("models", "a"), MISSING, {"source": "hf:a/b"}),
        Change(("limits", "queue"), 1, 2),
        Change(("timezone",), "UTC", MISSING),
        Change(("aliases", "x"), None, [1, 2.5, True]),
    )
    told = Generation(
        7, DOCUMENT, b"a", NOW, "bot", "tag", "why", 3, made, "accepted", True, True, True, "by"
    )
    kept = Generations(tmp_path).store(told)
    assert kept.number == 4
    assert Generations(tmp_path).load(4) == kept
    assert (kept.changes, kept.note, kept.base) == (made, "why", 3)


def test_an_intended_generation_is_in_effect_only_once_it_is_accepted(tmp_path: Path) -> None:
    history = Generations(tmp_path)
    good, meant = keep(history, b"a"), keep(history, b"b", status="intended")
    assert (history.last_good(DOCUMENT), history.load(meant.number)) == (good, None)
    assert history.intended() == [meant]
    history.mark(Generation(meant.number, DOCUMENT, b"b", NOW, "file"))
    assert history.intended() == []
    last = history.last_good(DOCUMENT)
    assert last is not None
    assert last.number == meant.number


def test_the_number_of_a_discarded_generation_is_free_again(tmp_path: Path) -> None:
    history = Generations(tmp_path)
    keep(history, b"a")
    history.discard(keep(history, b"b", status="intended").number)
    assert os.listdir(tmp_path) == ["000001"]
    assert keep(history, b"c").number == 2


def test_other_spellings_are_kept_and_the_last_is_shown(tmp_path: Path) -> None:
    history = Generations(tmp_path)
    first = keep(history, b"a")
    for number in range(KEEP + 3):
        history.respell(first.number, b"a # %d" % number)
    shown = Generations(tmp_path).load(1)
    assert shown is not None
    assert shown.raw == b"a # %d" % (KEEP + 2)
    assert shown.sha256 != first.sha256
    assert history.knows(b"a")
    assert history.knows(b"a # 3")
    assert not history.knows(b"a # 2")
    assert len(os.listdir(tmp_path / "000001")) == KEEP + 2


def test_a_mark_leaves_the_spellings_alone(tmp_path: Path) -> None:
    history = Generations(tmp_path)
    keep(history, b"a")
    history.respell(1, b"a # more")
    shown = history.load(1)
    assert shown is not None
    history.mark(replace(shown, confirmed=True))
    again = Generations(tmp_path).load(1)
    assert again is not None
    assert (again.raw, again.confirmed) == (b"a # more", True)


def test_texts_that_are_set_aside_are_known_and_bounded(tmp_path: Path) -> None:
    history = Generations(tmp_path)
    for number in range(KEEP + 1):
        path = history.set_aside(b"%d" % number, NOW + timedelta(seconds=number))
    assert path.read_bytes() == b"%d" % KEEP
    assert len(os.listdir(path.parent)) == KEEP
    assert (history.knows(b"0"), history.knows(b"1")) == (False, True)
    assert history.newest() == 0


def test_the_last_confirmed_generation_is_not_forgotten(tmp_path: Path) -> None:
    """Probation would go back to it."""
    history = Generations(tmp_path)
    keep(history, b"earlier", confirmed=True)
    keep(history, b"good", confirmed=True)
    for number in range(KEEP + 5):
        keep(history, str(number).encode())
    assert not (tmp_path / "000001").exists()
    assert (tmp_path / "000002").exists()
    assert len(os.listdir(tmp_path)) == KEEP + 1
