"""What the reconciler remembers survives a restart, and a broken file only costs its memory."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from lmxd.journal import Journal
from lmxd.statefolder import StateFolder
from reconciler.actions import InstanceSpec
from reconciler.backoff import Record
from reconciler.budget import Ledger, Measurement
from reconciler.drift import Drift, Drifts
from reconciler.previous import Proven
from reconciler.state import ArtifactRef, ModelKey
from reconciler.tombstones import Tombstone, Tombstones

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def folder(path: Path) -> StateFolder:
    return StateFolder(path, now=lambda: AT)


async def test_everything_comes_back(tmp_path: Path) -> None:
    record = Record("k", "NotFound", "no such repository", 2, None, (AT,))
    waiting = Record("k2", "HubUnreachable", "500", 1, AT, (AT,))
    ledger = Ledger({"hash": (Measurement(123, 4.5), Measurement(125, 4.0))})
    drift = Drift("FilesChanged", "disk.files", "verified files", "no files", AT, "entry")
    drifts = Drifts({ModelKey("a"): (drift,)}, {"hf:org/a": "r1"})
    spec = InstanceSpec(
        "hash",
        ArtifactRef("hf:org/a", "main"),
        "r1",
        "/x",
        "mlx",
        "chat",
        8,
        2,
        99,
        {"n": [1, "x"]},
    )
    proven = Proven(spec, 7)
    stone = Tombstone(ModelKey("b"), ArtifactRef("hf:org/b", "main"), AT, 3)
    tombstones = Tombstones("/doc", {ModelKey("a"): ArtifactRef("hf:org/a")}, (stone,))
    with folder(tmp_path) as state:
        first = Journal(state)
        assert first.drifts() == Drifts()
        assert first.epoch() == (0, "")
        await first.save_epoch(7, "print")
        await first.save_ledger(ledger)
        await first.save_failures({"load:a": record, "download:b": waiting})
        await first.save_drifts(drifts)
        await first.save_proven({ModelKey("a"): proven})
        assert first.tombstones() == Tombstones()
        await first.save_tombstones(tombstones)
    with folder(tmp_path) as state:
        again = Journal(state)
        assert again.state_id == first.state_id
        assert again.epoch() == (7, "print")
        assert again.ledger() == ledger
        assert again.failures() == {"load:a": record, "download:b": waiting}
        assert again.drifts() == drifts
        assert again.proven() == {"a": proven}
        assert again.tombstones() == tombstones


async def test_a_broken_file_costs_only_its_own_memory(tmp_path: Path) -> None:
    with folder(tmp_path) as state:
        journal = Journal(state)
        await journal.save_epoch(3, "print")
        await journal.save_ledger(Ledger({"hash": (Measurement(1, 1.0),)}))
    (tmp_path / "ledger.json").write_text("{")
    with folder(tmp_path) as state:
        again = Journal(state)
        assert again.epoch() == (3, "print")
        assert again.ledger() == Ledger()
        assert state.notices


async def test_values_of_another_shape_are_begun_anew(tmp_path: Path) -> None:
    with folder(tmp_path) as state:
        state.write("failures", {"records": {"load:a": "nonsense"}})
        state.write("state", {"stateId": "kept", "epoch": "nonsense", "fingerprint": "f"})
        journal = Journal(state)
        assert (journal.failures(), journal.epoch(), journal.state_id) == ({}, (0, ""), "kept")
        assert [notice.partition(" was moved")[0] for notice in state.notices] == [
            str(tmp_path / name) for name in ("state.json", "failures.json")
        ]
    assert len(list(tmp_path.glob("*.json.bad-*"))) == 2
