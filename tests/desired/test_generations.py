"""The history of a document: complete or not there, growing, and read after a restart."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lmxd.desired.generations import KEEP, DocumentPath, Generation, Generations
from schemas.errors import StartupError

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
DOCUMENT = DocumentPath("/etc/lmxd/desired-state.yaml", "/etc/lmxd/desired-state.yaml")
OTHER = DocumentPath("/srv/other.yaml", "/srv/other.yaml")


def keep(history: Generations, raw: bytes, document: DocumentPath = DOCUMENT) -> Generation:
    return history.store(raw, document, accepted_at=NOW, author="file")


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
    (folder / "meta.json").write_text(json.dumps({**meta, "status": "intended"}))


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
