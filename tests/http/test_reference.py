"""The generated parts of the reference of the HTTP API are fresh."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lmxd.http.reference import PAGE, fresh, main

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_fresh() -> None:
    """Run `python -m lmxd.http.reference` when this fails."""
    page = (ROOT / PAGE).read_text(encoding="utf-8")
    assert fresh(page) == page
    assert page.count("<!-- generated: ") == page.count("<!-- end -->") >= 6


def test_stale_parts_are_written_anew(tmp_path: Path) -> None:
    page = tmp_path / PAGE
    page.parent.mkdir(parents=True)
    shutil.copy(ROOT / PAGE, page)
    before = page.read_text(encoding="utf-8")
    page.write_text(before.replace("| `POST /v1/chat/completions` |", "| old |"), encoding="utf-8")
    assert main([str(tmp_path)]) == 0
    assert page.read_text(encoding="utf-8") == before


def test_a_part_nobody_makes_is_an_error() -> None:
    with pytest.raises(KeyError):
        fresh("<!-- generated: nothing -->\n<!-- end -->")
