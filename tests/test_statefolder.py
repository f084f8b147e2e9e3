"""The state folder: private, locked, versioned, and never silently lost."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lmxd.statefolder import StateFolder, write_durably
from schemas.errors import StartupError

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)


def folder_at(path: Path) -> StateFolder:
    return StateFolder(path, now=lambda: NOW)


@pytest.fixture
def folder(tmp_path: Path) -> StateFolder:
    made = folder_at(tmp_path / "state")
    made.open()
    return made


def test_the_folder_is_made_private(tmp_path: Path) -> None:
    path = tmp_path / "a" / "state"
    with folder_at(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    path.chmod(0o755)
    with folder_at(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_what_was_written_is_read(folder: StateFolder) -> None:
    assert folder.read("state") is None
    folder.write("state", {"epoch": 3, "stateId": "x"})
    assert folder.read("state") == {"epoch": 3, "stateId": "x"}
    raw = json.loads((folder.path / "state.json").read_text())
    assert raw == {"format": "lmxd/state", "version": 1, "epoch": 3, "stateId": "x"}
    assert stat.S_IMODE((folder.path / "state.json").stat().st_mode) == 0o600


def test_names_may_lie_in_a_folder_of_their_own(folder: StateFolder) -> None:
    folder.write("inventory/ab12", {"files": []})
    assert folder.read("inventory/ab12") == {"files": []}


def test_a_second_daemon_is_told_who_holds_the_folder(tmp_path: Path) -> None:
    """Real processes: a lock is not seen from within the one that holds it."""
    with folder_at(tmp_path):
        program = (
            "import sys; from datetime import datetime; from pathlib import Path\n"
            "from lmxd.statefolder import StateFolder\n"
            "StateFolder(Path(sys.argv[1]), now=datetime.now).open()\n"
        )
        command = [sys.executable, "-c", program, str(tmp_path)]
        second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert second.returncode == 1
        assert f"is in use by the daemon with pid {os.getpid()}" in second.stderr
    again = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (again.returncode, again.stderr) == (0, "")


def test_the_lock_goes_with_its_holder(tmp_path: Path) -> None:
    """A killed daemon leaves the file and no lock; a pid in it says nothing."""
    (tmp_path / "lock").write_text("1\n")
    with folder_at(tmp_path):
        assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"epoch": 1}',
        b'{"format": "lmxd/ledger", "version": 1}',
        b'{"format": "lmxd/state", "version": "1"}',
        b'{"format": "lmxd/state", "version": true}',
        b'{"format": "lmxd/state", "version": 0}',
        b"[" * 100_000,
    ],
)
def test_a_file_that_cannot_be_understood_is_set_aside(folder: StateFolder, content: bytes) -> None:
    (folder.path / "state.json").write_bytes(content)
    assert folder.read("state") is None
    (notice,) = folder.notices
    assert notice.startswith(
        f"{folder.path}/state.json was moved to state.json.bad-20260329T013000"
    )
    assert (folder.path / "state.json.bad-20260329T013000").read_bytes() == content
    folder.write("state", {"epoch": 1})
    assert folder.read("state") == {"epoch": 1}


def test_a_newer_version_is_left_alone_and_stops_the_start(folder: StateFolder) -> None:
    folder.write("ledger", {"entries": [1]}, version=2)
    before = (folder.path / "ledger.json").read_bytes()
    with pytest.raises(StartupError, match="has version 2, and this lmxd knows versions up to 1"):
        folder.read("ledger", version=1)
    assert (folder.path / "ledger.json").read_bytes() == before
    assert folder.read("ledger", version=2) == {"entries": [1]}


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(folder: StateFolder) -> None:
    folder.write("state", {"epoch": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        folder.write("state", {"epoch": float("nan")})
    with pytest.raises(OSError, match="directory"):
        write_durably(folder.path / "missing" / "x.json", b"{}")
    assert folder.read("state") == {"epoch": 1}
    assert sorted(os.listdir(folder.path)) == ["lock", "state.json"]


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    """A real process with a real limit on file size, as a disk cannot be filled here."""
    program = (
        "import resource, signal, sys; from datetime import datetime; from pathlib import Path\n"
        "from lmxd.statefolder import StateFolder\n"
        "folder = StateFolder(Path(sys.argv[1]), now=datetime.now); folder.open()\n"
        "folder.write('state', {'epoch': 1})\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))\n"
        "try: folder.write('state', {'text': 'x' * 4096})\n"
        "except OSError: print('refused', folder.read('state'))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "refused {'epoch': 1}\n"
    assert sorted(os.listdir(tmp_path)) == ["lock", "state.json"]


def test_a_folder_that_cannot_be_used_is_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartupError, match="cannot be used") as caught:
        folder_at(tmp_path / "file").open()
    assert "--state-dir" in (caught.value.hint or "")
