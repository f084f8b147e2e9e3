"""Bytes of a desired-state file -> plain JSON values, the document, and where everything stands.

Called by `document` in a thread (a large file takes seconds) and by the command line, which
validates offline. Raises `DocumentError` whose problems all carry line and column; never raises
anything else for bad content. Plain values only leave this file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from lmxd.desired.nodes import (
    MAX_DEPTH,
    AliasNode,
    ListNode,
    MapNode,
    Mark,
    Node,
    ScalarNode,
    compose,
    fail,
)
from reconciler.clashes import clashes
from schemas.desired import DesiredState
from schemas.errors import DocumentError, Problem
from schemas.parse import KeyProblem, escape, parse

__all__ = [
    "MAX_BYTES",
    "Parsed",
    "Place",
    "Reading",
    "accept",
    "canonical",
    "excerpt",
    "load_file",
    "parsed",
    "read",
    "read_raw",
]

MAX_BYTES = 1024 * 1024
MAX_VALUES = 200_000

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]{1,40}|0o[0-7]{1,40}|0x[0-9a-fA-F]{1,40}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands, where its key does (None in a list), and what kind of node it is.

    `plain` is how an unquoted scalar was written; None for quoted ones, maps and lists.
    """

    value: Mark
    key: Mark | None
    scalar: bool
    plain: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """A valid file: its bytes and digest, its plain values, the document, places by pointer."""

    raw: bytes
    sha256: str
    data: Mapping[str, object]
    document: DesiredState
    places: Mapping[str, Place]


@dataclass(frozen=True, slots=True)
class Parsed:
    """A file that is YAML, and not asked yet whether it is a document: its text without a byte
    order mark, its nodes, its plain values, places by pointer.
    """

    text: str
    root: Node
    data: object
    places: Mapping[str, Place]


def parsed(raw: bytes) -> Parsed:
    """Read the bytes of a file as YAML only; raises DocumentError."""
    text = _decoded(raw)
    root = compose(text)
    if root is None or (isinstance(root, ScalarNode) and root.plain and root.text in _NULLS):
        problem = Problem("", "the file is empty", "write `version: 1`; no models are `models: {}`")
        raise DocumentError("EmptyFile", (problem,))
    values = _Values()
    data = values.convert(root)
    return Parsed(text, root, data, values.places)


def read(raw: bytes) -> Reading:
    """Read the bytes of a file; raises DocumentError."""
    found = parsed(raw)
    texts = {at: place.plain for at, place in found.places.items() if place.plain is not None}
    try:
        document = parse(DesiredState, found.data, texts)
    except DocumentError as error:
        located = sorted(_located(error.problems, found.places), key=lambda each: each.line or 0)
        raise DocumentError(error.reason, tuple(located)) from None
    assert isinstance(found.data, dict)  # noqa: S101 - the model accepts nothing else
    digest = hashlib.sha256(raw).hexdigest()
    return Reading(raw, digest, found.data, document, found.places)


def accept(raw: bytes, at: datetime) -> Reading:
    """Read the bytes of a file that is to take effect at `at`; raises DocumentError also for
    windows that contradict each other from then on.
    """
    reading = read(raw)
    problems = clashes(reading.document, at)
    if problems:
        raise DocumentError("InvalidDocument", tuple(_located(tuple(problems), reading.places)))
    return reading


def load_file(path: Path, at: datetime) -> Reading:
    """Read and validate one file as it would be accepted at `at`; raises DocumentError. Blocks."""
    raw, _ = read_raw(path)
    return accept(raw, at)


def read_raw(path: Path) -> tuple[bytes, int]:
    """The bytes of a regular file and its inode; raises DocumentError. Blocks."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise _refused("FileUnreadable", f"{path} is not a regular file")
            raw = file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise _refused("FileMissing", f"{path} does not exist", "create it") from None
    except OSError as error:
        raise _refused("FileUnreadable", f"{path} cannot be read: {error.strerror}") from error
    if len(raw) > MAX_BYTES:
        raise _refused("FileTooLarge", f"{path} is larger than 1 MiB")
    return raw, status.st_ino


def canonical(data: Mapping[str, object]) -> bytes:
    """One spelling of all documents that mean the same: equal where `changes` finds nothing.

    Order has meaning in lists and in `models`, where it breaks ties; all else is sorted.
    """
    plain = {key: value for key, value in data.items() if key != "models"}
    models = data.get("models")
    ordered = models
    if isinstance(models, dict):
        ordered = [[key, _sorted(model)] for key, model in models.items()]
    return json.dumps([_sorted(plain), ordered], separators=(",", ":")).encode()


def excerpt(text: str, problem: Problem) -> str:
    """The line a problem points at with a caret below it; "" where the place is not known."""
    lines = re.split(r"\r\n|[\n\r\x85\u2028\u2029]", text.removeprefix("\ufeff"))
    if problem.line is None or problem.line > len(lines):
        return ""
    line = lines[problem.line - 1]
    column = problem.column or 1
    begin = max(0, column - 60)
    shown = "".join(char if char.isprintable() else " " for char in line[begin : begin + 100])
    margin = f"{problem.line:>5} | "
    return f"{margin}{shown}\n{' ' * (len(margin) - 2)}| {' ' * (column - 1 - begin)}^"


def _decoded(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise _refused("FileTooLarge", "the document is larger than 1 MiB")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start]
        mark = Mark(before.count(b"\n") + 1, error.start - before.rfind(b"\n"))
        fail(mark, f"byte 0x{raw[error.start]:02x} is not UTF-8", "save the file as UTF-8")


def _refused(reason: str, message: str, hint: str | None = None) -> DocumentError:
    return DocumentError(reason, (Problem("", message, hint),))


def _sorted(value: object) -> object:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    # JSON knows one kind of number: 1.0 is 1.
    return int(value) if isinstance(value, float) and value.is_integer() else value


class _Values:
    """Nodes -> plain values, remembering the place of each; aliases are copied out.

    Aliases of aliases can make a small text large, or deep; both are bounded here.
    """

    def __init__(self) -> None:
        self.places: dict[str, Place] = {}
        self._count = 0

    def convert(
        self, node: Node, pointer: str = "", key: Mark | None = None, depth: int = 0
    ) -> object:
        node = _resolved(node)
        self._spend(node, depth)
        scalar = isinstance(node, ScalarNode)
        plain = node.text if isinstance(node, ScalarNode) and node.plain else None
        self.places[pointer] = Place(node.mark, key, scalar, plain)
        if isinstance(node, ScalarNode):
            return _scalar(node.text) if node.plain else node.text
        if isinstance(node, ListNode):
            return [
                self.convert(item, f"{pointer}/{index}", None, depth + 1)
                for index, item in enumerate(node.items)
            ]
        return {
            name.text: self.convert(value, f"{pointer}/{escape(name.text)}", name.mark, depth + 1)
            for name, value in self._merged(node, depth)
        }

    def _merged(self, node: MapNode, depth: int) -> Iterator[tuple[ScalarNode, Node]]:
        """The pairs of a map with what `<<` brings in first; its own win, then earlier maps."""
        own = [(key, value) for key, value in node.pairs if not _is_merge(key)]
        taken = {key.text for key, _ in own}
        for key, value in node.pairs:
            if _is_merge(key):
                given = _resolved(value)
                for each in given.items if isinstance(given, ListNode) else [given]:
                    base = _resolved(each)
                    if not isinstance(base, MapNode):
                        fail(base.mark, "<< takes a map, or a list of maps", "write `<<: *name`")
                    self._spend(base, depth + 1)
                    for inner, below in self._merged(base, depth + 1):
                        if inner.text not in taken:
                            taken.add(inner.text)
                            yield inner, below
        yield from own

    def _spend(self, node: Node, depth: int) -> None:
        self._count += 1
        if self._count > MAX_VALUES:
            fail(node.mark, f"aliases expand to more than {MAX_VALUES} values")
        if depth > MAX_DEPTH:
            fail(node.mark, f"aliases nest more than {MAX_DEPTH} levels deep")


def _resolved(node: Node) -> ScalarNode | ListNode | MapNode:
    return node.target if isinstance(node, AliasNode) else node


def _is_merge(key: ScalarNode) -> bool:
    return key.plain and key.text == "<<"


def _scalar(text: str) -> object:
    """The core schema of YAML 1.2: dates, times and 1_000 stay text."""
    if text in _NULLS:
        return None
    if text in _BOOLS:
        return _BOOLS[text]
    if _INT.fullmatch(text):
        return int(text, 0 if text.startswith(("0o", "0x")) else 10)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if abs(number) != float("inf") else text
    return text


def _located(problems: tuple[Problem, ...], places: Mapping[str, Place]) -> Iterator[Problem]:
    for problem in problems:
        at = problem.pointer
        while at not in places:
            at = at.rpartition("/")[0]
        place = places[at]
        # A map or a list is pointed at by its key: that is where its line begins.
        by_key = isinstance(problem, KeyProblem) or not place.scalar
        mark = place.key if by_key and place.key else place.value
        yield replace(problem, line=mark.line, column=mark.column)
