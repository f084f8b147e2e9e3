"""How the hub is reached: endpoint, token, offline switch and cache folder, from the environment.

Read anew for each use, so that a token that was put in place counts at the next try. The token
leaves this file only inside an Authorization header for the endpoint's own origin.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

DEFAULT_ENDPOINT = "https://huggingface.co"
_TRUE = {"1", "on", "yes", "true"}


@dataclass(frozen=True, slots=True)
class HubAccess:
    """Where the hub is and as whom to ask. `endpoint` has no trailing slash."""

    endpoint: str = DEFAULT_ENDPOINT
    token: str | None = field(default=None, repr=False)
    offline: bool = False

    def headers(self, url: str) -> dict[str, str]:
        """Headers for a request: the token only when `url` is of the endpoint's origin."""
        headers = {"User-Agent": "lmxd", "Accept-Encoding": "identity"}
        if self.token and self.is_hub(url):
            headers["Authorization"] = f"Bearer {self.token}"
        return headers

    def is_hub(self, url: str) -> bool:
        """Whether a URL is of the hub's own origin (scheme, host and port)."""
        origin = _origin(url)
        return origin is not None and origin == _origin(self.endpoint)

    @property
    def fingerprint(self) -> str:
        """Changes with token and endpoint; says nothing about either."""
        secret = f"{self.endpoint}\n{self.token or ''}"
        return hashlib.sha256(secret.encode()).hexdigest()[:16]


def read_access(environ: Mapping[str, str]) -> HubAccess:
    """HF_ENDPOINT, HF_TOKEN (or the token file) and HF_HUB_OFFLINE, with the hub's meanings."""
    endpoint = (environ.get("HF_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    offline = environ.get("HF_HUB_OFFLINE") or environ.get("TRANSFORMERS_OFFLINE") or ""
    return HubAccess(endpoint, _token(environ), offline.lower() in _TRUE)


def default_cache(environ: Mapping[str, str]) -> Path:
    """The hub cache folder that every Hugging Face program uses."""
    named = environ.get("HF_HUB_CACHE") or environ.get("HUGGINGFACE_HUB_CACHE")
    return _path(named) if named else _home(environ) / "hub"


def _token(environ: Mapping[str, str]) -> str | None:
    named = environ.get("HF_TOKEN") or environ.get("HUGGING_FACE_HUB_TOKEN")
    if named and named.strip():
        return named.strip()
    if environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").lower() in _TRUE:
        return None
    place = environ.get("HF_TOKEN_PATH")
    try:
        content = (_path(place) if place else _home(environ) / "token").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return content.strip() or None


def _home(environ: Mapping[str, str]) -> Path:
    if named := environ.get("HF_HOME"):
        return _path(named)
    return _path(environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"


def _path(text: str) -> Path:
    return Path(os.path.expandvars(text)).expanduser()


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:  # not a URL; asking it will say so
        return None
    return parts.scheme, parts.hostname, port
