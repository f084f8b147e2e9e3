"""What the pages name exists: files, modules and symbols, links, and every package has its line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from schemas.status import DAEMON_CONDITIONS, MODEL_CONDITIONS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PACKAGES = ("lmxd", "reconciler", "schemas")
FOLDERS = (*PACKAGES, "tests", "docs", "benchmarks", ".ci")
WORDS = {*MODEL_CONDITIONS, *DAEMON_CONDITIONS, "True", "False"}

PATH = re.compile(rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*")
MODULE = re.compile(rf"(?:{'|'.join(PACKAGES)})(?:\.\w+)+")
SYMBOL = re.compile(r"[A-Z][A-Za-z]+(?:\.\w+\(\))?|[a-z_]+\(\)")


def quoted(page: Path) -> Iterator[str]:
    """What stands in backticks, fenced blocks left out."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.S | re.M)
    yield from dict.fromkeys(re.findall(r"`([^`\n]+)`", text))


@cache
def symbols() -> frozenset[str]:
    """Every class, function and `Class.method` of the three packages."""
    found: set[str] = set()
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.parse(file.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    found.add(f"{node.name}()")
                if isinstance(node, ast.ClassDef):
                    found.add(node.name)
                    found.update(
                        f"{node.name}.{inner.name}()"
                        for inner in node.body
                        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
                    )
    return frozenset(found)


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.is_dir() or path.with_suffix(".py").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_and_modules_that_a_page_names_exist(page: Path) -> None:
    names = list(quoted(page))
    paths = [name for name in names if PATH.fullmatch(name)]
    modules = [name for name in names if MODULE.fullmatch(name)]
    assert [name for name in paths if not (ROOT / name).exists()] == []
    assert [name for name in modules if not is_module(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_within_the_repository_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
    inside = [link.partition("#")[0] for link in links if "://" not in link]
    assert [link for link in inside if link and not (page.parent / link).exists()] == []


def test_symbols_that_the_architecture_names_exist() -> None:
    names = [name for name in quoted(ARCHITECTURE) if SYMBOL.fullmatch(name)]
    assert len(names) > 20
    assert [name for name in names if name not in symbols() | WORDS] == []


def test_every_part_has_its_line_in_the_code_map() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    parts = [
        f"lmxd/{part.name}" + ("/" if part.is_dir() else "")
        for part in (ROOT / "lmxd").iterdir()
        if (part.is_dir() or part.suffix == ".py") and not part.name.startswith("__")
    ]
    parts += [
        f"reconciler/{file.name}"
        for file in (ROOT / "reconciler").glob("*.py")
        if not file.name.startswith("__")
    ]
    assert sorted(part for part in parts if part not in text) == []


def test_no_page_names_a_machine_or_a_registry() -> None:
    places = re.compile(r"/[w]ork/|/root/|/home/\w|py[p]i\.org|python[h]osted")
    files = [*PAGES, ROOT / "Makefile", ROOT / "constraints.txt", ROOT / ".ci" / "run"]
    assert [str(file) for file in files if places.search(file.read_text("utf-8"))] == []


def test_constraints_hold_names_and_versions_only() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pinned = [line for line in lines if not line.startswith("#")]
    assert [line for line in pinned if not re.fullmatch(r"[\w.-]+==[\w.!+-]+", line)] == []
