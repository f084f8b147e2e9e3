"""The environment a worker starts with: the daemon's, without secrets and without a network.

Model files come from strangers, so the process that reads them gets nothing worth stealing: no
token, key or password, and no proxy that may carry one. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import lmxd

__all__ = ["worker_environment"]

# Whole words between underscores: TOKENIZERS_PARALLELISM holds no token, HF_TOKEN does.
_SECRET_WORDS = frozenset(
    {
        *("APIKEY", "AUTH", "COOKIE", "CREDENTIAL", "CREDENTIALS", "KEY", "KEYS", "PASSPHRASE"),
        *("PASSWD", "PASSWORD", "PAT", "PROXY", "SECRET", "SECRETS", "TOKEN", "TOKENS"),
    }
)

_ALWAYS = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "PYTHONFAULTHANDLER": "1",  # a crash's stack is then among the last log lines
    "PYTHONUNBUFFERED": "1",
    "PYTHONIOENCODING": "utf-8",
}


def worker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a worker. The code it imports is the very code that this daemon runs."""
    kept = {name: value for name, value in environ.items() if not _is_secret(name)}
    root = str(Path(lmxd.__file__).resolve().parent.parent)
    paths = [root, *filter(None, environ.get("PYTHONPATH", "").split(":"))]
    return {**kept, **_ALWAYS, "PYTHONPATH": ":".join(dict.fromkeys(paths))}


def _is_secret(name: str) -> bool:
    return not _SECRET_WORDS.isdisjoint(name.upper().split("_"))
