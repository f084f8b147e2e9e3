"""Which database of time zones is used: found beside the zones, else of the package."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from lmxd.host.zones import zone_database


@pytest.mark.parametrize(
    ("name", "content"),
    [("tzdata.zi", "# version 2026a\n# more\n"), ("version", "2026a\n"), ("+VERSION", "2026a")],
)
def test_the_version_stands_beside_the_zones(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    assert zone_database((str(tmp_path / "missing"), str(tmp_path))) == "2026a"


def test_zones_that_do_not_say_are_not_taken_for_those_of_the_package(tmp_path: Path) -> None:
    assert zone_database((str(tmp_path),)) == ""
    (tmp_path / "version").write_text("")
    assert zone_database((str(tmp_path),)) == ""


def test_without_zones_on_the_machine_it_is_the_package(tmp_path: Path) -> None:
    try:
        expected = metadata.version("tzdata")
    except metadata.PackageNotFoundError:
        expected = ""
    assert zone_database((str(tmp_path / "missing"),)) == expected
