"""The shape of the source: small files with one noun each, and a docstring that says what for."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINES = 400
FUNCTION_LINES = 60
DRAWERS = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
FOLDERS = ("lmxd", "reconciler", "schemas", "tests", "benchmarks")


def sources() -> list[str]:
    """The Python files of this checkout, those included that are not committed yet."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", *(f"{f}/*.py" for f in FOLDERS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return sorted(name for name in listed.stdout.splitlines() if (ROOT / name).exists())


SOURCES = sources()


def test_there_are_sources() -> None:
    assert {name.partition("/")[0] for name in SOURCES} >= {"lmxd", "reconciler", "schemas"}


@pytest.mark.parametrize("name", SOURCES)
def test_a_file_is_short_and_says_what_it_is_for(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES
    assert Path(name).stem not in DRAWERS, "name it after what it holds"
    assert ast.get_docstring(ast.parse(text)), "a module docstring: what it turns into what"


@pytest.mark.parametrize("name", [name for name in SOURCES if not name.startswith("tests/")])
def test_functions_are_short(name: str) -> None:
    tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES
    }
    assert not long


@pytest.mark.parametrize("name", [name for name in SOURCES if name.endswith("__init__.py")])
def test_a_package_holds_nothing_but_its_docstring(name: str) -> None:
    """Importing a package must never drag in a library."""
    if "/training/" in name:
        return
    body = ast.parse((ROOT / name).read_text(encoding="utf-8")).body
    assert len(body) == 1
