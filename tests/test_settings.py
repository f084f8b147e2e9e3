"""Flags and variables to settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmxd.settings import Flags, Folders, load, parse_address
from schemas.errors import StartupError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    empty = tmp_path / "cwd"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:11434", ("127.0.0.1", 11434)),
        ("localhost:0", ("localhost", 0)),
        ("8080", ("127.0.0.1", 8080)),
        (":8080", ("127.0.0.1", 8080)),
        ("localhost", ("localhost", 1234)),
        ("[::1]:8080", ("::1", 8080)),
        ("[::1]", ("::1", 1234)),
        (" 127.0.0.1:65535 ", ("127.0.0.1", 65535)),
    ],
)
def test_addresses(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "::1",
        "::1:8080",
        "localhost:",
        "localhost:http",
        "localhost:65536",
        "70000",
        "localhost:-1",
        "http://localhost:1234",
        "[::1",
        "[]:80",
        "[::1]80",
        "a b:80",
        "localhost:٣",
    ],
)
def test_nonsense_for_an_address(text: str) -> None:
    with pytest.raises(StartupError) as caught:
        parse_address(text)
    assert repr(text.strip()) in caught.value.message
    assert caught.value.hint


def test_with_nothing_said(home: Path) -> None:
    found = load(Flags(), {"HOME": str(home)}, platform="linux")
    assert found.document is None
    assert found.listen == (("127.0.0.1", 1234),)
    assert found.state_dir == home / ".local/state/lmxd"
    assert found.models_dir is None
    assert found.host_name
    assert (found.log_format, found.log_level) == ("text", "info")
    assert (found.allow_host, found.cors) == ((), ())


def test_variables_and_flags_over_them(home: Path) -> None:
    environ = {
        "HOME": str(home),
        "LMXD_DOCUMENT": "other.yaml",
        "LMXD_LISTEN": "1234, [::1]:1234",
        "LMXD_STATE_DIR": "~/state",
        "LMXD_MODELS_DIR": "/models",
        "LMXD_HOST_NAME": "studio-1",
        "LMXD_LOG_FORMAT": "JSON",
        "LMXD_LOG_LEVEL": "debug",
        "LMXD_ALLOW_HOST": "studio.lan",
        "LMXD_CORS": "https://a.example,https://b.example",
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "HF_TOKEN": "hf_secret",
        "HF_HOME": "/hf",
    }
    found = load(Flags(), environ)
    assert found.document == Path.cwd() / "other.yaml"
    assert found.listen == (("127.0.0.1", 1234), ("::1", 1234))
    assert found.state_dir == Path("~/state").expanduser()
    assert found.models_dir == Path("/models")
    assert found.host_name == "studio-1"
    assert (found.log_format, found.log_level) == ("json", "debug")
    assert found.allow_host == ("studio.lan",)
    assert found.cors == ("https://a.example", "https://b.example")
    assert "hf_secret" not in repr(found)
    flags = Flags(document="mine.yaml", listen=["0"], log_level="error", cors=["https://c.example"])
    over = load(flags, environ)
    assert over.document == Path.cwd() / "mine.yaml"
    assert over.listen == (("127.0.0.1", 0),)
    assert over.log_level == "error"
    assert over.cors == ("https://c.example",)


@pytest.mark.parametrize(
    "flags",
    [Flags(log_format="xml"), Flags(log_level="loud"), Flags(listen=["here"] * 2 + ["a b"])],
)
def test_values_that_make_no_sense(home: Path, flags: Flags) -> None:
    with pytest.raises(StartupError):
        load(flags, {"HOME": str(home)})


def test_the_document_is_found_here_then_in_the_config_folder(home: Path) -> None:
    environ = {"HOME": str(home)}
    configured = home / ".config/lmxd/desired-state.yaml"
    configured.parent.mkdir(parents=True)
    configured.write_text("version: 1\n")
    assert load(Flags(), environ, platform="linux").document == configured
    here = Path.cwd() / "desired-state.yaml"
    here.write_text("version: 1\n")
    assert load(Flags(), environ, platform="linux").document == here


def test_folders_of_systems() -> None:
    mac = Folders.of({"HOME": "/Users/ann"}, "darwin")
    assert mac.config == mac.state == Path("/Users/ann/Library/Application Support/lmxd")
    xdg = Folders.of({"HOME": "/h", "XDG_CONFIG_HOME": "/c", "XDG_STATE_HOME": "/s"}, "linux")
    assert (xdg.config, xdg.state) == (Path("/c/lmxd"), Path("/s/lmxd"))
    relative = Folders.of({"HOME": "/h", "XDG_STATE_HOME": "s"}, "linux")
    assert relative.state == Path("/h/.local/state/lmxd")
