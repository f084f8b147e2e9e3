"""The first document of a machine: its memory in, commented YAML out.

The built-in model is served at once and needs no download; what fits the machine beyond it stands
there as comments, so that nothing large is fetched because somebody typed `lmxd init`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lmxd.cli.messages import complain, note
from lmxd.host.memory import total_memory
from schemas.quantities import format_bytes

__all__ = ["SUGGESTIONS", "Suggestion", "document", "write"]

GIB = 1024**3


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A model that is comfortable from `memory` bytes of RAM on."""

    memory: int
    key: str
    source: str
    what: str


SUGGESTIONS = (
    Suggestion(
        4 * GIB,
        "llama-1b",
        "hf:mlx-community/Llama-3.2-1B-Instruct-4bit",
        "quick answers; about 0.7 GiB on disk",
    ),
    Suggestion(
        8 * GIB,
        "llama-3b",
        "hf:mlx-community/Llama-3.2-3B-Instruct-4bit",
        "a small assistant; about 1.8 GiB on disk",
    ),
    Suggestion(
        16 * GIB,
        "qwen-coder-7b",
        "hf:mlx-community/Qwen2.5-Coder-7B-Instruct-4bit",
        "code; about 4.3 GiB on disk",
    ),
    Suggestion(
        32 * GIB,
        "qwen-14b",
        "hf:mlx-community/Qwen2.5-14B-Instruct-4bit",
        "a capable assistant; about 8.3 GiB on disk",
    ),
    Suggestion(
        64 * GIB,
        "qwen-coder-32b",
        "hf:mlx-community/Qwen2.5-Coder-32B-Instruct-4bit",
        "code, near the best open models; about 18 GiB on disk",
    ),
    Suggestion(
        96 * GIB,
        "llama-70b",
        "hf:mlx-community/Llama-3.3-70B-Instruct-4bit",
        "large; about 40 GiB on disk",
    ),
)
"""From small to large. Sizes are parameters times 4.5 bits, scales included."""

_HEAD = """\
# What this machine serves. lmxd makes it so and keeps it so: save the file, and it follows.
# `lmxd validate` checks it, `lmxd plan` says what would happen, `lmxd status` what is so.
version: 1

limits:
  memory: {memory}               # for all models together; this machine has {ram}
  free_disk: 10GiB          # what downloads leave free

models:                     # their order is meaning: of equal priority the first wins memory
  tiny:
    source: builtin:tiny-chat   # comes with lmxd, to see that everything works
    state: loaded               # loaded | on-demand | downloaded | absent
"""
_ALIASES = """
aliases:                    # names that clients use
  default: tiny
"""


def document(memory: int) -> str:
    """The text for a machine with so many bytes of memory. Pure."""
    fitting = [each for each in SUGGESTIONS if each.memory <= memory][-3:]
    share = "90%" if memory >= 16 * GIB else "75%"
    text = _HEAD.format(memory=share, ram=format_bytes(memory))
    if fitting:
        text += "\n  # Models that fit this machine; take the # away to have one.\n"
    return text + "".join(map(_commented, reversed(fitting))) + _ALIASES


def write(path: Path, *, force: bool) -> int:
    """Write the document of this machine; returns the exit code."""
    text = document(total_memory())
    try:
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        complain(f"{path} exists", hint="--force replaces it")
        return 1
    except OSError as error:
        complain(f"{path} cannot be written: {error.strerror}")
        return 1
    note(f"wrote {path}; `lmxd serve {path}` does what it says")
    return 0


def _commented(each: Suggestion) -> str:
    return (
        f"  # {f'{each.key}:':<25} # {each.what}\n"
        f"  #   source: {each.source}\n"
        "  #   state: on-demand\n"
    )
