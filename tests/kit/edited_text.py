"""May this text be what the edit of another one made: meaning, comments and untouched lines.

Lines are told by the marks of another YAML parser than the daemon's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from tests.kit.plain_values import YAML12, Data, Path, canon, differ, means, order

__all__ = ["fault_of", "moved"]

COMMENT = re.compile(r"#\tc[0-9]+\.|# note [0-9]+")
BREAK = re.compile(r"\r\n|\n|\r")


def fault_of(base: bytes, found: bytes, data: Data) -> str:
    """What is wrong with a text that should say `data` and was made of `base`; "" for nothing."""
    said = means(found)
    if said is None or canon(said) != canon(data):
        return f"the text says {said}, and should say {data}"
    one, other = base.decode("utf-8-sig"), found.decode("utf-8-sig")
    before, after = sorted(COMMENT.findall(one)), sorted(COMMENT.findall(other))
    if before != after:
        return f"comments {before} became {after}"
    lost = _lost(one, other, data) if base else ""
    return f"the line {lost!r} has nothing to do with what was asked" if lost else ""


def _lost(base: str, found: str, data: Data) -> str:
    """The first line that should have stayed and is not there, in its order."""
    before = means(base.encode())
    assert before is not None
    paths = [*differ(before, data), *([("models",)] if moved(before, data) else [])]
    root = yaml.compose(base, Loader=YAML12)
    touched = {line for path in paths for line in _touched(root, path, data)}
    there = iter(BREAK.split(found))  # a last line without an end gets that of the others
    for number, line in enumerate(BREAK.split(base)):
        if number not in touched and line.strip() and line not in there:
            return line
    return ""


def _touched(node: yaml.Node, path: Path, wanted: object) -> Iterator[int]:
    """Numbers of lines that a change of this leaf may touch."""
    start = node.start_mark.line
    for key in path:
        if not isinstance(node, yaml.MappingNode):
            break
        if node.flow_style or not any(each.value in _keys(wanted) for each, _ in node.value):
            yield from range(start, node.end_mark.line + 1)
        pair = next((pair for pair in node.value if pair[0].value == key), None)
        if pair is None:
            return
        start, node = pair[0].start_mark.line, pair[1]
        wanted = wanted.get(key) if isinstance(wanted, dict) else None
    yield from range(start, node.end_mark.line + 1)


def _keys(wanted: object) -> set[str]:
    return set(wanted) if isinstance(wanted, dict) else set()


def moved(before: Data, after: Data) -> bool:
    """Have models another order than those that stay, and then the new ones."""
    old, new = order(before), order(after)
    stay = [key for key in old if key in new]
    return [*stay, *(key for key in new if key not in old)] != list(new)
