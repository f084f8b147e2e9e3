"""A call that is a JSON object: `{"name": …, "arguments": {…}}`, and the ways models vary that.

The name may be called `function` or `tool` too, the arguments `parameters`; either may come first;
arguments may be a string that holds the JSON. Once the name is known, arguments go out as they
come. Used by the formats that differ only in what they put around such objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from lmxd.worker.parsing.answer import Answer
from lmxd.worker.parsing.literal import read_string, read_value
from lmxd.worker.parsing.reader import Reader, Script, whole
from schemas.inference import Tool

__all__ = ["Toolbox", "read_arguments", "read_call", "read_calls"]

Toolbox = Mapping[str, Tool]
"""The tools of a request, by name."""

_NAMES = ("name", "function", "tool")
_ARGUMENTS = ("arguments", "parameters")
_KNOWN = (*_NAMES, *_ARGUMENTS, "type", "id", "index")
"""Keys that may come before the name is known; any other is of an object that is no call."""


def read_arguments(name: str, reader: Reader, answer: Answer) -> Script[bool]:
    """Reads a JSON object that is the arguments of a call of `name`; False where none begins.
    The call has begun, and not ended, where the object is broken.
    """
    if (yield from reader.space()) != "{":
        return False
    answer.start(name)
    if (yield from read_value(reader, answer.args)):
        answer.end()
    return True


def read_calls(tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
    """Reads one call, or several: in a list, or one after the other. Whether one was begun; what
    then turns out to be no call is left unread.
    """
    if (yield from reader.space()) == "[":
        reader.at += 1
        yield from reader.space()
    if not (yield from read_call(tools, reader, answer)):
        return False
    while True:
        following = yield from reader.space()
        reader.hold()
        if following in (",", ";"):
            reader.at += 1
            yield from reader.space()
        if not (yield from read_call(tools, reader, answer)):
            reader.back()
            yield from reader.take("]")
            return True


def read_call(tools: Toolbox, reader: Reader, answer: Answer) -> Script[bool]:
    """Reads one call; whether it was begun. What follows the arguments inside the object is read
    as far as it makes sense.
    """
    if (yield from reader.peek()) != "{":
        return False
    return (yield from _Call(tools, reader, answer).read())


class _Call:
    """One object: its name and its arguments, in whatever order they come."""

    def __init__(self, tools: Toolbox, reader: Reader, answer: Answer) -> None:
        self._tools = tools
        self._reader = reader
        self._answer = answer
        self._name: str | None = None
        self._early: str | None = None
        self._begun = False

    def read(self) -> Script[bool]:
        self._reader.at += 1
        while True:
            following = yield from self._reader.space()
            if following == "}":
                self._reader.at += 1
                self._close()
                return self._begun
            if following == ",":
                self._reader.at += 1
                continue
            if not (yield from self._member()):
                return self._begun

    def _member(self) -> Script[bool]:
        key = yield from self._string()
        if self._name is None and key not in _KNOWN:
            return False
        if key is None or (yield from self._reader.space()) != ":":
            return False
        self._reader.at += 1
        following = yield from self._reader.space()
        if key in _NAMES and self._name is None:
            return (yield from self._named(following))
        if key in _ARGUMENTS and not self._begun and self._early is None:
            return (yield from self._arguments(following))
        return (yield from read_value(self._reader, _nothing))

    def _named(self, following: str) -> Script[bool]:
        if following == "{":  # the whole call is the value
            self._begun = yield from read_call(self._tools, self._reader, self._answer)
            return self._begun
        self._name = yield from self._string()
        return self._name in self._tools

    def _arguments(self, following: str) -> Script[bool]:
        if following == "{" and self._name is not None:
            self._begun = yield from read_arguments(self._name, self._reader, self._answer)
            return True
        parts: list[str] = []
        if not (yield from read_value(self._reader, parts.append)):
            return False
        self._early = _object("".join(parts))
        return self._early is not None

    def _close(self) -> None:
        """A call whose arguments were not streamed, or that has none."""
        if self._begun or self._name is None:
            return
        self._begun = True
        self._answer.start(self._name)
        self._answer.args(self._early or "{}")
        self._answer.end()

    def _string(self) -> Script[str | None]:
        yield from self._reader.space()
        quote = yield from self._reader.take('"', "'")
        parts: list[str] = []
        if not quote or not (yield from read_string(self._reader, parts.append, quote)):
            return None
        return str(json.loads("".join(parts)))


def _object(text: str) -> str | None:
    """The JSON text of an object, which a string may hold and null stands for."""
    if text == "null":
        return "{}"
    if text.startswith('"'):
        inside = Reader(json.loads(text), ended=True)
        parts: list[str] = []
        complete = whole(read_value(inside, parts.append)) and whole(inside.space()) == ""
        text = "".join(parts) if complete else ""
    return text if text.startswith("{") else None


def _nothing(_: str) -> None:
    """What a sink does with a value that nobody asked for."""
