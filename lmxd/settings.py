"""Process settings: what the command line and the environment say, as one frozen record.

Built once by the command line; the daemon hands the parts to whoever needs them. What should be
served is never here: that is the document's; what the hub is asked with is `lmxd.store.access`'s.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from schemas.errors import StartupError

Address = tuple[str, int]

DEFAULT_PORT = 1234
DOCUMENT_NAME = "desired-state.yaml"
LOG_FORMATS = ("text", "json")
LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class Settings:
    """One daemon's settings.

    document: None when there is none anywhere: the daemon then starts empty.
    models_dir: for the hub cache and the store; None: the usual places.
    allow_host, cors: Host names and origins of web pages that may use the server.
    """

    document: Path | None
    listen: tuple[Address, ...]
    state_dir: Path
    models_dir: Path | None
    host_name: str
    log_format: Literal["text", "json"]
    log_level: str
    allow_host: tuple[str, ...]
    cors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Flags:
    """The command line of `lmxd serve`; None or empty where it says nothing. Each flag has a
    variable `LMXD_` and its name, lists separated by commas; the flag wins.
    """

    document: str | None = None
    listen: Sequence[str] = ()
    state_dir: str | None = None
    models_dir: str | None = None
    host_name: str | None = None
    log_format: str | None = None
    log_level: str | None = None
    allow_host: Sequence[str] = ()
    cors: Sequence[str] = ()


def load(flags: Flags, environ: Mapping[str, str], *, platform: str = sys.platform) -> Settings:
    """The settings. Raises StartupError for values that make no sense; reads no file's content."""
    folders = Folders.of(environ, platform)
    one = _One(environ)
    document = one.text("document", flags.document)
    models_dir = one.text("models_dir", flags.models_dir)
    log_format = one.choice("log_format", flags.log_format, LOG_FORMATS, "text")
    return Settings(
        document=_path(document) if document else _find_document(folders),
        listen=tuple(parse_address(text) for text in one.texts("listen", flags.listen))
        or (("127.0.0.1", DEFAULT_PORT),),
        state_dir=_path(one.text("state_dir", flags.state_dir) or str(folders.state)),
        models_dir=_path(models_dir) if models_dir else None,
        host_name=one.text("host_name", flags.host_name) or socket.gethostname(),
        log_format="json" if log_format == "json" else "text",
        log_level=one.choice("log_level", flags.log_level, LOG_LEVELS, "info"),
        allow_host=one.texts("allow_host", flags.allow_host),
        cors=one.texts("cors", flags.cors),
    )


@dataclass(frozen=True, slots=True)
class Folders:
    """Where this user's configuration and state belong on this system."""

    config: Path
    state: Path

    @classmethod
    def of(cls, environ: Mapping[str, str], platform: str) -> Folders:
        """By the XDG variables; on macOS, without them, in Application Support."""
        home = Path(environ.get("HOME") or Path.home())
        if platform == "darwin":
            config = state = home / "Library" / "Application Support"
        else:
            config, state = home / ".config", home / ".local" / "state"
        return cls(
            config=_base(environ, "XDG_CONFIG_HOME", config) / "lmxd",
            state=_base(environ, "XDG_STATE_HOME", state) / "lmxd",
        )


def _base(environ: Mapping[str, str], variable: str, usual: Path) -> Path:
    """The variable's folder; the XDG rules ignore relative ones."""
    named = environ.get(variable, "")
    return Path(named) if named.startswith("/") else usual


def _find_document(folders: Folders) -> Path | None:
    """The first there is: one in the working folder, then one in the user's config folder."""
    for candidate in (Path.cwd() / DOCUMENT_NAME, folders.config / DOCUMENT_NAME):
        if candidate.exists():
            return candidate
    return None


def _path(text: str) -> Path:
    return Path(text).expanduser().absolute()


class _One:
    """One value out of a flag and its variable."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def text(self, name: str, flag: str | None) -> str | None:
        return flag or self._environ.get(_variable(name)) or None

    def texts(self, name: str, flag: Sequence[str]) -> tuple[str, ...]:
        given = flag or self._environ.get(_variable(name), "").split(",")
        return tuple(text.strip() for text in given if text.strip())

    def choice(self, name: str, flag: str | None, allowed: Sequence[str], default: str) -> str:
        value = (self.text(name, flag) or default).lower()
        if value not in allowed:
            raise StartupError(
                f"--{name.replace('_', '-')} is {value!r}", hint=f"use one of {', '.join(allowed)}"
            )
        return value


def _variable(name: str) -> str:
    return f"LMXD_{name.upper()}"


def parse_address(text: str) -> Address:
    """`HOST:PORT`, `[IPV6]:PORT`, `PORT`, `:PORT` or `HOST`; port 0 takes a free one.

    A missing host is 127.0.0.1, a missing port 1234. Raises StartupError.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return "127.0.0.1", _port(text, text)
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or not host or (rest and not rest.startswith(":")):
            raise _nonsense(text)
        return host, _port(rest[1:], text) if rest else DEFAULT_PORT
    if text.count(":") > 1:
        raise StartupError(
            f"--listen {text!r} is not HOST:PORT", hint="write IPv6 in brackets: [::1]:1234"
        )
    host, colon, port = text.partition(":")
    if not text or "/" in text or any(letter.isspace() for letter in text):
        raise _nonsense(text)
    return host or "127.0.0.1", _port(port, text) if colon else DEFAULT_PORT


def _port(port: str, text: str) -> int:
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise _nonsense(text)
    return int(port)


def _nonsense(text: str) -> StartupError:
    return StartupError(
        f"--listen {text!r} is not HOST:PORT with a port of 0 to 65535",
        hint="write for example 127.0.0.1:1234",
    )
