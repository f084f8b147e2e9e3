"""Reads the plain-text tables beside this file: sections of phrases, and records of named lines.

Phrases are separated by ` | ` or by line ends; `\\n` in a phrase is a line break.
"""

from __future__ import annotations

from pathlib import Path

Section = tuple[str, ...]
Record = dict[str, Section]

_FOLDER = Path(__file__).parent / "text"


def sections(name: str) -> dict[str, Section]:
    """The `[named]` lists of a table."""
    found: dict[str, Section] = {}
    title = ""
    for line in _lines(name):
        if line.startswith("[") and line.endswith("]"):
            title = line[1:-1]
            found[title] = ()
        elif line:
            found[title] += _phrases(line)
    return found


def records(name: str) -> tuple[Record, ...]:
    """The blocks of `key: phrases` of a table, blank lines between them."""
    found: list[Record] = [{}]
    for line in _lines(name):
        if line:
            key, _, value = line.partition(": ")
            found[-1][key] = found[-1].get(key, ()) + _phrases(value)
        elif found[-1]:
            found.append({})
    return tuple(record for record in found if record)


def pairs(section: Section) -> dict[str, str]:
    """`key: value` phrases as a mapping."""
    return {key: value for key, _, value in (phrase.partition(": ") for phrase in section)}


def _lines(name: str) -> list[str]:
    return (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split("\n")


def _phrases(line: str) -> Section:
    parts = (part.strip() for part in line.split(" | "))
    return tuple(p.replace("\\n", "\n").replace("\\\\", "\\") for p in parts if p)
