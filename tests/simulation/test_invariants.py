"""The list of what holds is whole, and leads to where it is checked."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.simulation.invariants import HERE, INVARIANTS, Invariant

ROOT = Path(__file__).resolve().parents[2]


def numbers(path: Path) -> set[int]:
    """The invariants that docstrings of a file name, as `7:` or `16, 17:` at their beginning."""
    found: set[int] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            said = re.match(r"(\d+(?:, \d+)*): ", ast.get_docstring(node) or "")
            found.update(map(int, said[1].split(", ")) if said else ())
    return found


def test_there_are_all_of_them() -> None:
    assert [each.number for each in INVARIANTS] == [*range(1, 29)]


@pytest.mark.parametrize("each", INVARIANTS, ids=lambda each: str(each.number))
def test_it_is_checked_where_the_list_says(each: Invariant) -> None:
    for name in each.where:
        path = ROOT / name
        assert path.is_file()
        if name.startswith(HERE):
            assert each.number in numbers(path), f"{name} does not name {each.number}"
