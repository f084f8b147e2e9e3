"""One scalar -> how it is written in YAML, so that every reader takes it for what it is.

Pure. Called by `splice` and `dump`. Plain words that YAML 1.1 makes booleans, numbers or dates
are quoted; so are quantities with a unit, times and revisions where they are written anew.
"""

from __future__ import annotations

import re

__all__ = ["doubtful", "folded", "literal", "quoted", "scalar"]

_WORDS = re.compile(r"(?i:y|n|yes|no|on|off|true|false|null|~)")
_NUMBERS = re.compile(
    r"[-+.]?[0-9][-+.:_0-9]*([eE][-+0-9]*)?"  # also 22:30, 2026-12-25 and 1_000
    r"|[-+]?0[xob][0-9a-fA-F_]*"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}[Tt \t].*"
    r"|[-+]?\.(?i:inf|nan)"
    r"|[0-9_]+"
)
_QUANTITY = re.compile(r"[-+.]?[0-9].*|[0-9a-f]{40}", re.DOTALL)
_UNSAFE = re.compile(r": |:$| #|^\s|\s$")
_UNSAFE_IN_FLOW = re.compile(r"[,\[\]{}:]")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def doubtful(text: str) -> bool:
    """Could a reader of YAML 1.1 or 1.2 take this plain word for something else than text."""
    return not text or bool(_WORDS.fullmatch(text) or _NUMBERS.fullmatch(text))


def scalar(value: object, *, flow: bool, like: str | None = None) -> str:
    """A JSON scalar on one line.

    `like` is how what it replaces was written, and is kept where it can hold the value: `"`, `'`
    or "" for plain; None where there was nothing. `flow`: inside brackets or braces.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        # YAML 1.1 knows no exponent without a point.
        return re.sub(r"^(-?[0-9]+)e", r"\1.0e", repr(value))
    if not isinstance(value, str):
        return str(value)
    if like == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    plain = like == "" or (like is None and not _QUANTITY.fullmatch(value))
    if plain and not doubtful(value) and _may_be_plain(value, flow):
        return value
    return quoted(value)


def quoted(text: str) -> str:
    """In double quotes; what is not printable is escaped, so JSON can read it too."""
    return '"' + "".join(map(_escaped, text)) + '"'


def literal(text: str) -> tuple[str, list[str]] | None:
    """Header and lines of a `|` block; None where a block would hide or lose something."""
    lines = _block_lines(text)
    return None if lines is None else ("|" + _chomping(text), lines)


def folded(text: str) -> tuple[str, list[str]] | None:
    """Header and lines of a `>` block, whose single line ends are written as empty lines."""
    lines = _block_lines(text)
    if lines is None or any(not line or line[0] in " \t" for line in lines):
        return None
    spread = [part for line in lines for part in ("", line)]
    return ">" + _chomping(text), spread[1:]


def _block_lines(text: str) -> list[str] | None:
    body = text.removesuffix("\n")
    lines = body.split("\n")
    visible = all(line.replace("\t", "").isprintable() and line == line.rstrip() for line in lines)
    return lines if visible and lines[0] and lines[0][0] not in " \t" and lines[-1] else None


def _chomping(text: str) -> str:
    return "" if text.endswith("\n") else "-"


def _may_be_plain(text: str, flow: bool) -> bool:
    """Strict on purpose: quotes are never wrong."""
    if not text.isprintable() or not (text[0].isalnum() or text[0] in "_/"):
        return False
    return not _UNSAFE.search(text) and not (flow and _UNSAFE_IN_FLOW.search(text))


def _escaped(char: str) -> str:
    if char in _SHORT:
        return _SHORT[char]
    if char.isprintable() or ord(char) > 0xFFFF:
        return char
    return f"\\u{ord(char):04x}"
