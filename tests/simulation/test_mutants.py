"""Every planted mistake is found within a thousand seeds, so the rules are worth something."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.simulation.mutants import MUTANTS, Mutant

ROOT = Path(__file__).resolve().parents[2]
SEEDS = 1000
FEWEST = 20
found: dict[str, str] = {}


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    """What found each of them, shown when tests are run with -s."""
    yield
    for name, how in found.items():
        print(f"{name:50} {how}")  # noqa: T201


def run(mutant: Mutant, folder: Path) -> subprocess.CompletedProcess[str]:
    """Play seeds against a copy of the reconciler with the mistake in it."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "reconciler", folder / "reconciler", ignore=ignore)
    mutant.plant(folder / "reconciler")
    command = ["-m", "tests.simulation", "--until-failure", "--jobs", "1", "--seeds", str(SEEDS)]
    command += ["--mood", mutant.mood.name]
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def test_there_are_enough_of_them_and_each_has_its_name() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS) >= FEWEST


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_a_planted_mistake_is_found(mutant: Mutant, tmp_path: Path) -> None:
    answer = run(mutant, tmp_path)
    match = re.search(r"seed=(\d+) +(\S+ \S+)", answer.stdout)
    assert match is not None, f"{mutant.name} was not found:\n{answer.stdout}{answer.stderr}"
    found[mutant.name] = f"seed {match[1]:>4}  {match[2]}"
    assert answer.returncode == 1
    assert "SyntaxError" not in answer.stdout
