"""A value as models write it, read as it comes and written as JSON text as it is read.

What formats do to values differs little: JSON, Python literals, Gemma's quotes of several
characters and keys without any. White space between tokens is written in one way whatever came.
What JSON forbids and models do is put right where there is no doubt: raw line breaks inside
strings, escapes that are none, Python's words, a comma before the end.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from lmxd.worker.parsing.reader import Reader, Script, Sink

__all__ = ["JSON", "PYTHON", "Dialect", "escaped", "read_run", "read_string", "read_value"]

DEPTH = 64
"""Deepest nesting; readers of the arguments must be able to walk them."""

_CLOSERS = {"{": "}", "[": "]", "(": ")"}
_WORDS = {"true": "true", "false": "false", "null": "null"}
_WORDS |= {"True": "true", "False": "false", "None": "null"}
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)
_TOKEN = re.compile(r"[^\s,:;()\[\]{}\"'=<|]*")
_BARE = re.compile(r"[^,\]}]*")
_KEY = re.compile(r"[^\s,:()\[\]{}\"']*")
_RUNS = {quote: re.compile(rf'[^"\\\x00-\x1f{quote}]+') for quote in "\"'"}
_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")
_UNICODE = re.compile(r"\\u[0-9a-fA-F]{4}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_HEX = re.compile(r"\\x[0-9a-fA-F]{2}|\\U[0-9a-fA-F]{8}")
_LENGTHS = {"x": 4, "U": 10}


@dataclass(frozen=True, slots=True)
class Dialect:
    """How values are written. quotes: what begins a string and ends it; inside those of one
    character a backslash escapes. bare: keys, and strings that look like nothing else, have no
    quotes. python: tuples, and Python's escapes.
    """

    quotes: tuple[str, ...] = ('"', "'")
    bare: bool = False
    python: bool = False


JSON = Dialect()
PYTHON = Dialect(python=True)


def escaped(text: str) -> str:
    """The text as it stands inside a JSON string."""
    return json.dumps(text, ensure_ascii=False)[1:-1]


def read_value(reader: Reader, sink: Sink, dialect: Dialect = JSON) -> Script[bool]:
    """Reads one value; False where it is none, with the reader at that place."""
    opened: list[str] = []
    while True:
        first = yield from reader.space()
        if first in ("{", "[") or (first == "(" and dialect.python):
            reader.at += 1
            opened.append(_CLOSERS[first])
            sink("{" if first == "{" else "[")
            inside = (yield from reader.space()) != opened[-1]
            if len(opened) > DEPTH:
                return False
        elif not (yield from _scalar(reader, sink, dialect)):
            return False
        else:
            inside = False
        if not inside and not (yield from _between(reader, sink, opened)):
            return not opened
        if opened[-1] == "}" and not (yield from _key(reader, sink, dialect)):
            return False


def _between(reader: Reader, sink: Sink, opened: list[str]) -> Script[bool]:
    """After a value: closes what ends here; whether another value comes."""
    while opened:
        following = yield from reader.space()
        if following == ",":
            reader.at += 1
            if (yield from reader.space()) != opened[-1]:
                sink(", ")
                return True
        elif following == opened[-1]:
            reader.at += 1
            sink("}" if opened.pop() == "}" else "]")
        else:
            return False
    return False


def _key(reader: Reader, sink: Sink, dialect: Dialect) -> Script[bool]:
    yield from reader.space()
    if quote := (yield from reader.take(*dialect.quotes)):
        if not (yield from read_string(reader, sink, quote, dialect)):
            return False
    else:
        key = yield from read_run(reader, _KEY)
        if not key or not dialect.bare:
            return False
        sink(f'"{escaped(key)}"')
    if (yield from reader.space()) != ":":
        return False
    reader.at += 1
    sink(": ")
    return True


def _scalar(reader: Reader, sink: Sink, dialect: Dialect) -> Script[bool]:
    if quote := (yield from reader.take(*dialect.quotes)):
        return (yield from read_string(reader, sink, quote, dialect))
    if dialect.bare:
        word = (yield from read_run(reader, _BARE)).strip()
    else:
        word = yield from read_run(reader, _TOKEN)
    if word in _WORDS:
        sink(_WORDS[word])
    elif _NUMBER.fullmatch(word):
        sink(word)
    elif word and dialect.bare:
        sink(f'"{escaped(word)}"')
    else:
        reader.at -= len(word) if not dialect.bare else 0
        return False
    return True


def read_run(reader: Reader, pattern: re.Pattern[str]) -> Script[str]:
    """All the text that the pattern goes over, read."""
    while True:
        found = pattern.match(reader.text, reader.at)
        run = found.group() if found else ""
        if reader.at + len(run) < len(reader.text) or not (yield from reader.more()):
            reader.at += len(run)
            return run


def read_string(reader: Reader, sink: Sink, quote: str, dialect: Dialect = JSON) -> Script[bool]:
    """Reads the rest of a string whose opening quote was read."""
    sink('"')
    if len(quote) > 1:
        if not (yield from reader.pour(lambda text: sink(escaped(text)), (quote,))):
            return False
        sink('"')
        return True
    run = _RUNS[quote]
    while True:
        if found := run.match(reader.text, reader.at):
            reader.at = found.end()
            sink(found.group())
        following = yield from reader.peek()
        if following == quote:
            reader.at += 1
            sink('"')
            return True
        if not following:
            return False
        if following == "\\":
            if not (yield from _escape(reader, sink, dialect)):
                return False
        elif not run.match(following):
            reader.at += 1
            sink(escaped(following))


def _escape(reader: Reader, sink: Sink, dialect: Dialect) -> Script[bool]:
    if not (yield from reader.need(2)):
        return False
    letter = reader.text[reader.at + 1]
    if letter == "u":
        return (yield from _unicode(reader, sink))
    if letter in _LENGTHS and dialect.python:
        yield from reader.need(_LENGTHS[letter])
        if found := _HEX.match(reader.text, reader.at):
            sink(escaped(_character(int(found.group()[2:], 16))))
            reader.at = found.end()
            return True
    reader.at += 2
    if letter in '"\\bfnrt' or (letter == "/" and not dialect.python):
        sink("\\" + letter)
    elif letter == "'":
        sink("'")
    elif letter != "\n" or not dialect.python:
        sink("\\\\" + escaped(letter))
    return True


def _character(code: int) -> str:
    """The character, if there is one that can be encoded."""
    return chr(code) if code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF else "\ufffd"


def _unicode(reader: Reader, sink: Sink) -> Script[bool]:
    """`\\uXXXX`; half of a surrogate pair alone cannot be encoded, so it is replaced."""
    yield from reader.need(6)
    if not _UNICODE.match(reader.text, reader.at):
        sink("\\\\u")
        reader.at += 2
        return True
    if not _SURROGATE.match(reader.text, reader.at):
        sink(reader.text[reader.at : reader.at + 6])
        reader.at += 6
        return True
    yield from reader.need(12)
    pair = _PAIR.match(reader.text, reader.at)
    sink(pair.group() if pair else "\\ufffd")
    reader.at += 12 if pair else 6
    return True
