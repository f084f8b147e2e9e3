"""Memory: how much there is, what each model takes, and who is admitted."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from reconciler import budget
from reconciler.actions import Need
from reconciler.admission import Admission, Candidate, Kept, select
from reconciler.budget import MIB, Ledger, Measurement
from reconciler.knowledge import spec_of
from reconciler.limits import MemoryLimit
from reconciler.ranking import rank
from reconciler.state import (
    Device,
    DiskState,
    HostView,
    InstancePhase,
    ModelKey,
)
from tests.reconciler.build import GIB, OVERHEAD, instance, model, verified


def candidate(key: str, gib: float, **fields: Any) -> Candidate:
    each = model(key, **fields)
    return Candidate(each, Need(int(gib * GIB), basis="estimate"), rank(each))


def admitted(result: dict[ModelKey, Admission]) -> list[str]:
    return [key for key, admission in result.items() if admission.admitted]


def chosen(*candidates: Candidate, total: float = 10) -> list[str]:
    ordered = [
        c._replace(rank=rank(replace(c.model, order=place))) for place, c in enumerate(candidates)
    ]
    return admitted(dict(select(ordered, int(total * GIB))))


@pytest.mark.parametrize(
    ("limit", "host", "expected"),
    [
        (MemoryLimit(0.5), HostView(32 * GIB, 0, 0, Device("metal", "m", 24 * GIB)), 12 * GIB),
        (MemoryLimit(0.5), HostView(16 * GIB, 0, 0, Device("metal", "m", 24 * GIB)), 8 * GIB),
        (MemoryLimit(1.0), HostView(16 * GIB, 0, 0, Device("cuda", "c", 80 * GIB)), 80 * GIB),
        (
            MemoryLimit(None, 4 * GIB),
            HostView(16 * GIB, 0, 0, Device("cpu", "c", GIB * 9)),
            4 * GIB,
        ),
        (
            MemoryLimit(None, 99 * GIB),
            HostView(16 * GIB, 0, 0, Device("cpu", "c", 9 * GIB)),
            9 * GIB,
        ),
        (MemoryLimit(0.5), HostView(16 * GIB, 0, 0, None), None),
    ],
)
def test_budget_is_a_share_or_a_size_of_what_models_can_use(
    limit: MemoryLimit, host: HostView, expected: int | None
) -> None:
    assert budget.budget(limit, host) == expected


def test_the_order_is_pinned_then_priority_then_place_in_the_file() -> None:
    assert chosen(candidate("a", 6), candidate("b", 6, priority=60)) == ["b"]
    assert chosen(candidate("a", 6), candidate("b", 6)) == ["a"]
    assert chosen(candidate("a", 6, priority=99), candidate("b", 6, pinned=True)) == ["b"]


def test_a_loaded_model_comes_before_a_demanded_one_of_any_priority() -> None:
    demanded = candidate("d", 6, state="on-demand", priority=99, demanded=True)
    assert chosen(demanded, candidate("l", 6, priority=0)) == ["l"]


def test_what_does_not_fit_is_passed_over_and_smaller_ones_behind_it_are_taken() -> None:
    big = candidate("big", 8, priority=90)
    assert chosen(candidate("top", 6, priority=99), big, candidate("small", 3)) == ["top", "small"]


def test_the_loser_is_told_both_numbers_who_holds_the_rest_and_two_remedies() -> None:
    winners = (candidate("a", 6, priority=90), candidate("b", 3, priority=80))
    result = select([*winners, candidate("c", 2)], 10 * GIB)
    loser = result[ModelKey("c")]
    assert loser.reason == "InsufficientMemory"
    for part in (
        "needs 2 GiB", "1 GiB of 10 GiB left", "a (priority 90) 6 GiB", "b (priority 80) 3 GiB",
        "raise limits.memory to 11 GiB", "set b to downloaded",
    ):  # fmt: skip
        assert part in loser.message


def test_without_one_model_that_makes_room_the_remedy_is_priority() -> None:
    winners = [candidate(key, 3, priority=90) for key in "abc"]
    loser = select([*winners, candidate("z", 9)], 10 * GIB)[ModelKey("z")]
    assert "higher priority" in loser.message


def test_what_is_larger_than_the_whole_budget_never_fits_and_is_told_its_parts() -> None:
    need = Need(weights=10 * GIB, overhead=GIB, kv_pool=2 * GIB, basis="estimate")
    each = model("huge")
    result = select([Candidate(each, need, rank(each))], 10 * GIB)
    loser = result[ModelKey("huge")]
    assert loser.reason == "NeverFits"
    for part in ("needs 13 GiB", "budget is 10 GiB", "raise limits.memory to 13 GiB", "KV 2 GiB"):
        assert part in loser.message


def test_memory_of_suspended_models_can_be_had_by_nobody_and_is_named() -> None:
    result = select([candidate("a", 6)], 10 * GIB, [Kept(ModelKey("s"), 5 * GIB)])
    assert result[ModelKey("a")].reason == "InsufficientMemory"
    assert "s (suspended) 5 GiB" in result[ModelKey("a")].message


def test_an_unknown_size_is_admitted_and_says_so() -> None:
    each = model("new")
    result = select([Candidate(each, Need(), rank(each))], GIB)
    assert result[ModelKey("new")] == Admission(
        True, "EstimateUnknown", "its size is known once its file list is"
    )


def test_selection_never_exceeds_the_budget_and_does_not_depend_on_the_order_it_is_given() -> None:
    for seed in range(300):
        rng = random.Random(seed)
        everyone = [
            candidate(str(n), rng.uniform(0.1, 8), priority=rng.choice((10, 50)))._replace(
                rank=(rng.randint(0, 1), n)
            )
            for n in range(rng.randint(1, 8))
        ]
        result = select(everyone, 10 * GIB)
        assert sum(c.need.total for c in everyone if result[c.model.key].admitted) <= 10 * GIB
        shuffled = rng.sample(everyone, len(everyone))
        assert admitted(dict(select(shuffled, 10 * GIB))) == admitted(dict(result))
        left = 10 * GIB
        for each in sorted(
            everyone, key=lambda c: c.rank
        ):  # nobody could have been taken who was not
            assert result[each.model.key].admitted == (each.need.total <= left)
            left -= each.need.total if result[each.model.key].admitted else 0


def test_need_is_the_listing_before_the_files_the_header_after_and_what_was_measured_at_last() -> (
    None
):
    each, disk = model("a", context=1000), verified(1, kv=100)
    assert budget.need_of(each, DiskState(), None) == Need()
    listed = budget.need_of(each, DiskState(total=GIB), None)
    assert listed == Need(GIB, OVERHEAD, 0, "estimate")
    estimated = budget.need_of(each, disk, None)
    assert estimated == Need(GIB - OVERHEAD, OVERHEAD, 100_000, "estimate")
    measured = budget.need_of(each, disk, 3 * GIB)
    assert measured == Need(3 * GIB, 0, 100_000, "measured")


def test_the_pool_is_one_full_context_at_most_the_models_own_or_what_the_document_says() -> None:
    disk = verified(1, kv=10)
    assert budget.need_of(model("a"), disk, None).kv_pool == 16 * 1024 * 10
    assert budget.need_of(model("a", context=10**6), disk, None).kv_pool == 32768 * 10
    assert budget.need_of(model("a", kv_memory=7), disk, None).kv_pool == 7


def test_an_instance_counts_what_it_reserved_until_it_is_measured_and_nothing_once_dead() -> None:
    each = model("a")
    loading = instance(each, phase=InstancePhase.LOADING, reserved=5 * GIB, kv_bytes=GIB)
    assert budget.accounted(loading) == 5 * GIB
    assert budget.accounted(replace(loading, measured=2 * GIB + 1)) == 3 * GIB + 64 * MIB
    assert budget.accounted(replace(loading, phase=InstancePhase.DEAD)) == 0


def test_the_ledger_keeps_the_last_five_and_answers_with_the_largest_rounded_up() -> None:
    ledger = Ledger()
    assert ledger.memory("x") is None
    for size in (9 * GIB, 1, 2, 3, 4, 5):
        ledger = ledger.noting("x", Measurement(size, size / 10))
    assert ledger.memory("x") == 64 * MIB
    assert ledger.load_s("x") == 0.5
    assert len(ledger.entries["x"]) == 5


def test_who_takes_nothing_yet_is_not_named_as_a_holder() -> None:
    """A model whose size is not known holds nothing that the loser could have."""
    unknown = candidate("unknown", 0)
    result = select([unknown, candidate("a", 6), candidate("b", 6)], 10 * GIB)
    assert "a (priority 50) 6 GiB" in result[ModelKey("b")].message
    assert "unknown" not in result[ModelKey("b")].message


@pytest.mark.parametrize(
    ("stated", "found", "pool"),
    [
        ("auto", "chat", 1024 * 8),
        ("auto", "embed", 0),
        ("rerank", "chat", 0),
        ("chat", "embed", 1024 * 8),
    ],
)
def test_a_model_of_vectors_reserves_no_cache(stated: str, found: str, pool: int) -> None:
    disk = verified(1, kv=8)
    assert disk.footprint is not None
    disk = replace(disk, footprint=replace(disk.footprint, task=found))
    each = model("a", task=stated, context=1024)
    assert budget.need_of(each, disk, None).kv_pool == pool
    spec = spec_of(each, disk)
    assert spec is not None
    assert spec.kv_bytes == pool
