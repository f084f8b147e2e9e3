"""What decides, and what simulates it, reads no clock, draws no lots and goes by no order of sets.

A pass is a function of what it saw, and a seed is one history, only as long as that holds: of
`reconciler/` without exception, of `tests/simulation/` with the generators that are made of a
seed, and with the clock that says how many seeds a second its command line plays.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.set_orders import Sets

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("reconciler", "tests/simulation")
MODULES = {"time", "random", "uuid", "secrets", "socket", "getpass", "tempfile"}
NAMES = {
    "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "os.urandom", "os.getpid",
    "os.environ", "os.getenv", "id", "hash",
}  # fmt: skip
SEEDED = {"tests/simulation": "random.Random"}
"""All that modules in a folder may use of a module that is otherwise refused."""
EXCEPT = {
    ("tests/simulation/__main__.py", "time.perf_counter"),  # how fast it plays, said at the end
    ("tests/simulation/test_mutants.py", "os.environ"),  # given on to the processes it starts
    ("tests/simulation/test_mutants.py", "tempfile"),
    ("tests/simulation/test_same_everywhere.py", "os.environ"),
}
FILES = sorted(
    path.relative_to(ROOT).as_posix() for each in FOLDERS for path in (ROOT / each).rglob("*.py")
)
TREES = {name: ast.parse((ROOT / name).read_text(encoding="utf-8")) for name in FILES}
SETS = Sets(TREES.values())


def refused(name: str, tree: ast.AST) -> Iterator[str]:
    """Uses of what is refused in a file of that name."""
    for node in ast.walk(tree):
        match node:
            case ast.ImportFrom(module=str() as module) if module in MODULES:
                yield from (f"{module}.{each.name}" for each in node.names)
            case ast.Import():
                aliased = [each for each in node.names if each.asname and each.name in MODULES]
                yield from (f"{each.name} under another name" for each in aliased)
            case ast.Attribute(ctx=ast.Load()) | ast.Name(ctx=ast.Load()):
                said = ast.unparse(node)
                module, dot, _ = said.partition(".")
                if said in NAMES or (dot and module in MODULES):
                    yield said


def allowed(name: str, said: str) -> bool:
    seeded = next((what for folder, what in SEEDED.items() if name.startswith(folder)), None)
    return said == seeded or (name, said) in EXCEPT


@pytest.mark.parametrize("name", FILES)
def test_no_clock_and_no_chance(name: str) -> None:
    assert [said for said in refused(name, TREES[name]) if not allowed(name, said)] == []


@pytest.mark.parametrize("name", FILES)
def test_no_order_of_sets(name: str) -> None:
    assert [f"{name}:{line}: {said}" for line, said in SETS.orders(TREES[name])] == []


@pytest.mark.parametrize("name", sorted(SEEDED))
def test_every_generator_has_its_seed(name: str) -> None:
    for file in (each for each in FILES if each.startswith(name)):
        for node in ast.walk(TREES[file]):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "random.Random":
                assert node.args, f"{file}:{node.lineno}: a generator without a seed"


@pytest.mark.parametrize(
    "code",
    [
        "import time\nat = time.time()",
        "from random import choice",
        "import random as dice",
        "at = datetime.now(UTC)",
        "x = uuid.uuid4()",
        "x = os.urandom(8)",
        "order = sorted(items, key=id)",
    ],
)
def test_what_is_refused_is_found(code: str) -> None:
    found = [*refused("reconciler/x.py", ast.parse(code))]
    assert found
    assert not any(allowed("reconciler/x.py", said) for said in found)


@pytest.mark.parametrize(
    ("code", "times"),
    [
        ("for key in {a, b}: act(key)", 1),
        ("found = [f(key) for key in set(keys)]", 1),
        ("found = {key: 1 for key in frozenset(keys)}", 1),
        ("def f(keys: set[str]) -> list[str]:\n    return list(keys)", 1),
        ("def f(keys: frozenset[str]) -> list[str]:\n    return [*keys]", 1),
        ("def f(a, b):\n    left = set(a)\n    for key in left - b:\n        act(key)", 1),
        ("first = next(iter(a.keys() & b))", 1),
        ("text = ', '.join({a, b})", 1),
        ("class A:\n    keys: set[str]\ndef f(a):\n    return tuple(a.keys)", 1),
        ("def g() -> set[str]: ...\nfor key in g(): act(key)", 1),
        ("for key in sorted({a, b}): act(key)", 0),
        ("total = sum(sizes[key] for key in {a, b})", 0),
        ("found = {f(key) for key in {a, b}}", 0),
        ("late = any(key in done for key in set(keys))", 0),
        ("def f(keys: list[str]) -> list[str]:\n    return list(keys)", 0),
        ("for key in {**a, **b}: act(key)", 0),
    ],
)
def test_an_order_of_a_set_is_found(code: str, times: int) -> None:
    tree = ast.parse(code)
    assert len([*Sets([tree]).orders(tree)]) == times
