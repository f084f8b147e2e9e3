"""Two texts of a document -> what differs line by line, as `diff -u` shows it. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator

__all__ = ["text_diff"]

_NO_NEWLINE = "\\ No newline at end of file\n"


def text_diff(before: bytes, after: bytes, names: tuple[str, str]) -> str:
    """The unified diff; "" for equal texts. Slow for large texts: call it in a thread."""
    if before == after:
        return ""
    old, new = _lines(before), _lines(after)
    return "".join(_closed(difflib.unified_diff(old, new, *names)))


def _lines(raw: bytes) -> list[str]:
    """Only line feeds end a line: a text has no other lines for the tools that show diffs."""
    text = raw.decode("utf-8", "replace")
    return [f"{line}\n" for line in text.split("\n")[:-1]] + [
        line for line in text.split("\n")[-1:] if line
    ]


def _closed(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line
        if not line.endswith("\n"):
            yield f"\n{_NO_NEWLINE}"
