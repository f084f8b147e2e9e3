"""Tiny models shared by the whole-daemon scenarios of one test process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.kit import tiny


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes, or finds, a tiny model with these options."""
    base = tmp_path_factory.mktemp("models")
    return lambda **options: tiny.cached(base, **options)


@pytest.fixture
def document(tmp_path: Path) -> Path:
    """Where the test's document will be."""
    return tmp_path / "desired-state.yaml"
