"""New bytes into somebody's file: nothing that is saved at the same moment is lost."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lmxd.desired.exchange import Displaced, strays, swap
from lmxd.desired.names import swap_names
from schemas.errors import Code, RequestError
from tests.kit.effects import between

BASE, NEW, SAVE, LATER = b"version: 1\n", b"version: 1\nx: 2\n", b"by hand\n", b"by hand, later\n"


def sha(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def never(_one: str, _other: str) -> bool:
    """A file system without an exchange of names."""
    return False


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "desired-state.yaml"
    path.write_bytes(BASE)
    yield path
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".swap")] == []


@pytest.fixture(params=["exchange", "replace"])
def exchange(request: pytest.FixtureRequest) -> Callable[[str, str], bool]:
    return swap_names if request.param == "exchange" else never


def put(path: Path, exchange: Callable[[str, str], bool]) -> Displaced:
    displaced = swap(path, sha(BASE), NEW, exchange=exchange)
    assert displaced is not None
    return displaced


def test_this_system_has_the_exchange(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("1")
    other.write_text("2")
    assert swap_names(str(one), str(other))
    assert (one.read_text(), other.read_text()) == ("2", "1")
    with pytest.raises(FileNotFoundError):
        swap_names(str(one), str(tmp_path / "missing"))


@pytest.mark.apple
@pytest.mark.skipif(sys.platform != "darwin", reason="the call of macOS")
def test_macos_has_the_exchange(tmp_path: Path) -> None:
    test_this_system_has_the_exchange(tmp_path)


def test_the_content_changes_and_mode_group_and_attributes_stay(
    path: Path, exchange: Callable[[str, str], bool]
) -> None:
    path.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(path, 12345, 23456)
    attributes = hasattr(os, "setxattr")
    if attributes:
        try:
            os.setxattr(path, "user.note", b"kept")
        except OSError:
            attributes = False  # tmpfs before Linux 6.6 has none
    before = path.stat()
    put(path, exchange).forget()
    after = path.stat()
    assert path.read_bytes() == NEW
    assert stat.S_IMODE(after.st_mode) == 0o664
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert not attributes or os.getxattr(path, "user.note") == b"kept"


def test_a_symlink_stays_and_its_target_is_replaced(
    path: Path, tmp_path: Path, exchange: Callable[[str, str], bool]
) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "link.yaml"
    link.symlink_to(Path("..") / path.name)
    put(link, exchange).forget()
    assert os.readlink(link) == f"../{path.name}"
    assert not path.is_symlink()
    assert path.read_bytes() == NEW
    assert [each.name for each in link.parent.iterdir()] == ["link.yaml"]


def test_another_hard_link_keeps_the_old_content(
    path: Path, tmp_path: Path, exchange: Callable[[str, str], bool]
) -> None:
    other = tmp_path / "other.yaml"
    os.link(path, other)
    put(path, exchange).forget()
    assert (path.read_bytes(), other.read_bytes()) == (NEW, BASE)


def test_a_file_that_holds_something_else_is_left(
    path: Path, exchange: Callable[[str, str], bool]
) -> None:
    path.write_bytes(SAVE)
    assert swap(path, sha(BASE), NEW, exchange=exchange) is None
    assert path.read_bytes() == SAVE


@pytest.mark.parametrize("make", [lambda _: None, os.mkdir, os.mkfifo])
def test_a_path_without_a_file_has_changed(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "missing.yaml"
    make(path)
    assert swap(path, sha(BASE), NEW) is None
    assert swap(path / "below", sha(BASE), NEW) is None


class Saving:
    """Editors that save just before the names are exchanged, once for each time that they are."""

    def __init__(self, path: Path, *saves: bytes, in_place: bool = False) -> None:
        self._path = path
        self._saves = list(saves)
        self._in_place = in_place

    def __call__(self, one: str, other: str) -> bool:
        if self._saves:
            target = self._path if self._in_place else self._path.with_suffix(".draft")
            target.write_bytes(self._saves.pop(0))
            target.replace(self._path)
        return swap_names(one, other)


@pytest.mark.parametrize("in_place", [True, False])
def test_a_save_between_look_and_exchange_is_put_back(path: Path, in_place: bool) -> None:
    assert swap(path, sha(BASE), NEW, exchange=Saving(path, SAVE, in_place=in_place)) is None
    assert path.read_bytes() == SAVE


def test_a_save_while_a_save_is_put_back_wins(path: Path) -> None:
    assert swap(path, sha(BASE), NEW, exchange=Saving(path, SAVE, LATER)) is None
    assert path.read_bytes() == LATER


def test_a_link_put_in_its_place_is_put_back(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "target.yaml"
    target.write_bytes(BASE)

    def retarget(one: str, other: str) -> bool:
        if not path.is_symlink() and not os.path.islink(one):
            path.unlink()
            path.symlink_to(target)
        return swap_names(one, other)

    assert swap(path, sha(BASE), NEW, exchange=retarget) is None
    assert path.is_symlink()
    assert target.read_bytes() == BASE


@pytest.mark.parametrize("step", range(10))
def test_a_link_put_in_its_place_at_any_step_has_changed_the_file(
    path: Path, tmp_path: Path, step: int, exchange: Callable[[str, str], bool]
) -> None:
    target = tmp_path / "store" / path.name
    target.parent.mkdir()
    target.write_bytes(SAVE)
    link = tmp_path / ".link"
    link.symlink_to(target)

    with between(tmp_path, {step: lambda: os.rename(link, path)}), ThreadPoolExecutor() as pool:
        displaced = pool.submit(swap, path, sha(BASE), NEW, exchange=exchange).result()
    if displaced is not None:
        displaced.forget()
    lost_at_the_last_moment = displaced is not None and exchange is never
    assert link.is_symlink() or lost_at_the_last_moment or path.read_bytes() == SAVE
    assert path.read_bytes() in {NEW, SAVE}


def test_a_file_that_goes_away_before_the_exchange_has_changed(path: Path) -> None:
    def remove(one: str, other: str) -> bool:
        path.unlink()
        return swap_names(one, other)

    assert swap(path, sha(BASE), NEW, exchange=remove) is None
    assert not path.exists()


def test_a_save_before_a_replacement_is_left(path: Path) -> None:
    def save(_one: str, _other: str) -> bool:
        path.write_bytes(SAVE)
        return False

    assert swap(path, sha(BASE), NEW, exchange=save) is None
    assert path.read_bytes() == SAVE


def test_a_writer_who_had_the_file_open_is_heard(
    path: Path, exchange: Callable[[str, str], bool]
) -> None:
    with path.open("r+b", buffering=0) as writer:
        displaced = put(path, exchange)
        assert displaced.again() is None
        writer.truncate()
        writer.write(SAVE)
        assert displaced.again() == SAVE
    displaced.forget()
    displaced.forget()
    assert displaced.again() is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may; see the mounts below")
@pytest.mark.parametrize("closed", ["file", "folder"])
def test_what_must_not_be_written_is_refused(path: Path, closed: str) -> None:
    target, mode = (path, 0o444) if closed == "file" else (path.parent, 0o555)
    target.chmod(mode)
    try:
        with pytest.raises(RequestError) as caught:
            swap(path, sha(BASE), NEW)
    finally:
        path.parent.chmod(0o755)
    assert caught.value.code is Code.FILE_NOT_WRITABLE
    assert path.read_bytes() == BASE


@pytest.mark.parametrize("code", [errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOSPC])
def test_a_refusal_of_the_system_says_what_to_do(path: Path, code: int) -> None:
    def refuse(_one: str, _other: str) -> bool:
        raise OSError(code, os.strerror(code))

    with pytest.raises(RequestError) as caught:
        swap(path, sha(BASE), NEW, exchange=refuse)
    assert caught.value.code is Code.FILE_NOT_WRITABLE
    assert os.strerror(code) in caught.value.message
    assert ("free some space" if code == errno.ENOSPC else "lease") in (caught.value.hint or "")
    assert path.read_bytes() == BASE


NAMESPACE = shutil.which("unshare")
MOUNTED = """
    import hashlib, os, sys
    from pathlib import Path
    from lmxd.desired.exchange import swap
    from schemas.errors import RequestError
    path, new = Path(sys.argv[1]), b"version: 1\\nx: 2\\n"
    inode = path.stat().st_ino
    try:
        displaced = swap(path, hashlib.sha256(path.read_bytes()).hexdigest(), new)
    except RequestError as error:
        print(error.code)
    else:
        print(displaced.again(), path.read_bytes() == new, path.stat().st_ino == inode)
"""


def mounted(script: str, path: Path) -> str:
    """What the swap says in a namespace of its own, after these commands."""
    if NAMESPACE is None:
        pytest.skip("no unshare here")
    code = textwrap.dedent(MOUNTED)
    run = [NAMESPACE, "-rm", "sh", "-ec", f'{script}\nexec "$PY" -c "$CODE" "$DOC"']
    root = str(Path(__file__).resolve().parents[2])
    env = {**os.environ, "PY": sys.executable, "CODE": code, "DOC": str(path), "PYTHONPATH": root}
    done = subprocess.run(run, env=env, capture_output=True, text=True, timeout=60, check=False)
    if "unshare" in done.stderr:
        pytest.skip(f"namespaces are closed here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_mounted_file_is_written_in_place(path: Path, tmp_path: Path) -> None:
    source = tmp_path / "source with space.yaml"
    source.write_bytes(BASE * 9)
    assert mounted(f'mount --bind "{source}" "$DOC"', path) == "None True True"
    assert source.read_bytes() == NEW
    assert path.read_bytes() == BASE


def test_a_file_mounted_read_only_is_refused(path: Path, tmp_path: Path) -> None:
    source = tmp_path / "source.yaml"
    source.write_bytes(BASE)
    script = f'mount --bind "{source}" "$DOC" && mount -o remount,bind,ro "$DOC"'
    assert mounted(script, path) == "file_not_writable"


def test_a_folder_mounted_read_only_is_refused(path: Path) -> None:
    script = f'mount --bind "{path.parent}" "{path.parent}"\n'
    script += f'mount -o remount,bind,ro "{path.parent}"\ncd "{path.parent}"'
    assert mounted(script, path) == "file_not_writable"
    assert path.read_bytes() == BASE


def test_what_a_crash_left_is_found_and_stays_until_it_is_removed(path: Path) -> None:
    """The process dies between the exchange and the look at what came out."""
    code = textwrap.dedent(
        """
        import hashlib, os, sys
        from pathlib import Path
        from lmxd.desired.exchange import swap
        from lmxd.desired.names import swap_names
        path = Path(sys.argv[1])
        def crash(one, other):
            path.write_bytes(b"by hand\\n")
            swap_names(one, other)
            os._exit(9)
        swap(path, hashlib.sha256(path.read_bytes()).hexdigest(), b"new", exchange=crash)
        """
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, check=False)
    assert done.returncode == 9
    assert path.read_bytes() == b"new"
    (path.parent / ".other.yaml.lmxd-x.swap.txt").write_text("not ours")
    assert [each.raw for each in strays(path)] == [SAVE]
    for each in strays(path):
        each.remove()
        each.remove()
    assert strays(path) == ()
    assert (path.parent / ".other.yaml.lmxd-x.swap.txt").exists()
