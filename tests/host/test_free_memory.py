"""How much memory is left: the machine's, or that of the control group with its file cache."""

from __future__ import annotations

from pathlib import Path

import psutil

from lmxd.host.memory import free_memory, total_memory

MIB = 1024 * 1024


def test_what_is_left_is_part_of_what_there_is() -> None:
    assert 0 < free_memory() <= total_memory()


def test_a_control_group_leaves_its_limit_without_what_it_cannot_give_back(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(f"{100 * MIB}\n")
    (tmp_path / "memory.current").write_text(f"{60 * MIB}\n")
    assert free_memory((limit,)) == 40 * MIB
    stat = tmp_path / "memory.stat"
    stat.write_text(f"anon {10 * MIB}\ninactive_file {20 * MIB}\n")
    assert free_memory((limit,)) == 60 * MIB
    stat.write_text("nothing that is known\n")
    assert free_memory((limit,)) == 40 * MIB
    (tmp_path / "memory.current").write_text(f"{160 * MIB}\n")
    assert free_memory((limit,)) == 0


def test_a_group_without_a_limit_or_of_another_kind_limits_nothing(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("max\n")
    machine = psutil.virtual_memory().total
    assert MIB < free_memory((limit,)) <= machine
    limit.write_text(f"{MIB}\n")  # a limit, and nobody says how much of it is used
    assert MIB < free_memory((limit,)) <= machine
