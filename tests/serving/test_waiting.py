"""Whose turn it is."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from lmxd.serving.waiting import Waiting
from reconciler.state import ModelKey

M, N = ModelKey("m"), ModelKey("n")


@dataclass(eq=False)
class Waiter:
    number: int
    identity: str = "a"
    priority: int = 0


def turns(waiting: Waiting[Waiter], key: ModelKey = M) -> list[int]:
    order = []
    while (waiter := waiting.next(key)) is not None:
        order.append(waiter.number)
    return order


def line(*identities: str) -> tuple[Waiting[Waiter], list[Waiter]]:
    waiting: Waiting[Waiter] = Waiting()
    waiters = [Waiter(number, identity) for number, identity in enumerate(identities)]
    for waiter in waiters:
        waiting.join(M, waiter)
    return waiting, waiters


def test_one_identity_is_served_in_order_of_arrival() -> None:
    waiting, _ = line("a", "a", "a")
    assert turns(waiting) == [0, 1, 2]


def test_identities_take_turns() -> None:
    waiting, _ = line("a", "a", "a", "a", "b", "c", "b")
    assert turns(waiting) == [0, 4, 5, 1, 6, 2, 3]


def test_the_greatest_priority_goes_first() -> None:
    waiting: Waiting[Waiter] = Waiting()
    for number, (identity, priority) in enumerate(
        [("a", 0), ("a", 1), ("b", 1), ("a", 1), ("c", -1), ("b", 0)]
    ):
        waiting.join(M, Waiter(number, identity, priority))
    assert turns(waiting) == [1, 2, 3, 5, 0, 4]


def test_one_that_comes_again_and_again_does_not_overtake() -> None:
    """`b` has one request at a time and comes back as soon as it is served."""
    waiting, _ = line("a", "a", "a", "b")
    order = []
    for number in range(10, 14):
        waiter = waiting.next(M)
        assert waiter is not None
        order.append(waiter.identity)
        if waiter.identity == "b":
            waiting.join(M, Waiter(number, "b"))
    assert order == ["a", "b", "a", "b"]


def test_who_comes_back_has_the_old_place_and_the_turn() -> None:
    waiting, waiters = line("a", "a", "b")
    assert waiting.next(M) is waiters[0]
    waiting.rejoin(M, waiters[0])
    assert turns(waiting) == [0, 2, 1]


def test_moving_keeps_the_number() -> None:
    waiting, waiters = line("a", "a")
    waiting.join(N, Waiter(5))
    assert waiting.move(N, waiters[1])
    assert not waiting.move(N, waiters[1])
    assert waiting.place(waiters[1]) == N
    assert (turns(waiting), turns(waiting, N)) == ([0], [1, 5])


def test_all_are_seen_in_order_of_arrival() -> None:
    waiting, waiters = line("b", "a", "b", "a")
    waiting.move(N, waiters[2])
    assert [waiter.number for waiter in waiting] == [0, 1, 2, 3]
    assert (waiting.at(M), waiting.at(N), waiting.models()) == (3, 1, (M, N))


ACTS = st.lists(
    st.tuples(
        st.sampled_from(["join", "leave", "next", "move", "rejoin"]),
        st.integers(0, 5),
        st.sampled_from([M, N]),
    ),
    max_size=60,
)


@given(ACTS)
def test_nothing_is_lost_and_nothing_is_kept(acts: list[tuple[str, int, ModelKey]]) -> None:
    """Whatever happens, those who wait are those who joined and did not leave; then no trace."""
    waiting: Waiting[Waiter] = Waiting()
    present: dict[int, Waiter] = {}
    served: list[Waiter] = []
    for number, (act, which, key) in enumerate(acts):
        waiter = present.get(sorted(present)[which % len(present)]) if present else None
        if act == "join":
            new = Waiter(number, "abc"[which % 3])
            waiting.join(key, new)
            present[number] = new
        elif act == "rejoin" and served:
            again = served.pop()
            waiting.rejoin(key, again)
            present[again.number] = again
        elif act == "leave" and waiter is not None:
            waiting.leave(waiter)
            waiting.leave(waiter)
            del present[waiter.number]
        elif act == "move" and waiter is not None:
            waiting.move(key, waiter)
        elif act == "next" and (taken := waiting.next(key)) is not None:
            served.append(present.pop(taken.number))
        assert [w.number for w in waiting] == sorted(present)
        assert len(waiting) == len(present) == waiting.at(M) + waiting.at(N)
    for waiter in tuple(present.values()):
        waiting.leave(waiter)
    assert waiting.models() == ()
    assert waiting._lines == {}
    assert waiting._places == {}
