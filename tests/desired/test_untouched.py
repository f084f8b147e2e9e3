"""The last look refuses every text that says more, less or something else than was asked."""

from __future__ import annotations

import pytest

from lmxd.desired.read import parsed
from lmxd.desired.untouched import require_untouched
from schemas.edit import MISSING, Change
from schemas.errors import RequestError

BEFORE = "a: 1 # one\nb:\n  c: 2\n  # two\n  d: {e: 3,\n    f: 4}\ng: 5\n"
SET = Change(("b", "c"), 2, 7)


def look(after: str, change: Change, wanted: dict[str, object]) -> None:
    require_untouched(parsed(BEFORE.encode()), parsed(after.encode()), wanted, [change])


def with_c(value: object) -> dict[str, object]:
    return {"a": 1, "b": {"c": value, "d": {"e": 3, "f": 4}}, "g": 5}


def test_the_change_alone_is_let_through() -> None:
    look(BEFORE.replace("c: 2", "c: 7"), SET, with_c(7))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("c: 2", "c: 8", "/b/c would not become"),
        ("c: 2", 'c: "7"', "/b/c would not become"),
        ("g: 5", "g: 6", "/g would not become"),
        (" # one", "", "a comment would be lost"),
        ("  # two\n", "", "a comment would be lost"),
        ("# two", "# three", "a comment would be lost"),
        ("g: 5", "g:  5", "a line that is not asked about would change: g: 5"),
        ("g: 5\n", "g: 5\r\n", "a line that is not asked about would change: g: 5"),
        ("{e: 3,\n    f: 4}", "{e: 3, f: 4}", "a line that is not asked about would change: d:"),
        ("  # two\n", "    # two\n", "a line that is not asked about would change: # two"),
    ],
)
def test_anything_else_is_refused(old: str, new: str, words: str) -> None:
    after = BEFORE.replace(old, new)
    after = after if "c: 2" not in after else after.replace("c: 2", "c: 7")
    with pytest.raises(RequestError, match=words):
        look(after, SET, with_c(7))


def test_lines_of_brackets_may_change_with_what_is_in_them() -> None:
    wanted: dict[str, object] = {"a": 1, "b": {"c": 2, "d": {"f": 4}}, "g": 5}
    look(BEFORE.replace("e: 3,\n    ", ""), Change(("b", "d", "e"), 3, MISSING), wanted)
