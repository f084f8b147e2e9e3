"""Windows that contradict each other are found with the first instant at which they do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from reconciler.clashes import clashes
from schemas.desired import DesiredState
from schemas.errors import Problem

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a Friday, 13:00 in Paris
MODELS = {"a": {"source": "hf:org/a"}, "b": {"source": "hf:org/b"}}
LOADED: dict[str, Any] = {"models": {"a": {"state": "loaded"}}}
IDLE: dict[str, Any] = {"models": {"a": {"state": "downloaded"}}}


def found(at: datetime = AT, /, **windows: dict[str, Any]) -> list[Problem]:
    document = {"version": 1, "timezone": "Europe/Paris", "models": MODELS, "schedules": windows}
    return clashes(DesiredState.model_validate(document), at)


def window(begin: str, end: str, what: dict[str, Any], **parts: Any) -> dict[str, Any]:
    days = parts.pop("days", None)
    rule = {"from": begin, "to": end, **({"days": days} if days else {})}
    return {"when": [rule], "set": what, **parts}


def test_a_contradiction_names_path_windows_and_first_instant() -> None:
    (problem,) = found(
        day=window("08:00", "20:00", LOADED, days=["mon-thu"]),
        late=window("19:00", "23:00", IDLE),
    )
    assert problem.pointer == "/schedules/late/set/models/a/state"
    assert '"day" and "late" set models.a.state' in problem.message
    assert "first at Mon 2026-11-23 19:00 Europe/Paris, with equal priority 10" in problem.message


@pytest.mark.parametrize(
    ("one", "two"),
    [
        (window("08:00", "12:00", LOADED), window("12:00", "16:00", IDLE)),
        (window("08:00", "12:00", LOADED), window("08:00", "12:00", LOADED)),
        (window("08:00", "12:00", LOADED, priority=20), window("08:00", "12:00", IDLE)),
        (window("08:00", "12:00", LOADED), window("08:00", "12:00", {"aliases": {"x": "a"}})),
        (
            window("08:00", "12:00", LOADED, days=["mon"]),
            window("08:00", "12:00", IDLE, days=["tue"]),
        ),
        (
            window("08:00", "12:00", {"models": {"a": {"sampling": {"temperature": 1}}}}),
            window("08:00", "12:00", {"models": {"a": {"sampling": {"top_p": 0.5}}}}),
        ),
    ],
)
def test_what_never_meets_or_never_differs_is_no_contradiction(
    one: dict[str, Any], two: dict[str, Any]
) -> None:
    assert found(one=one, two=two) == []


def test_aliases_and_single_sampling_fields_can_contradict() -> None:
    cold = {"models": {"a": {"sampling": {"temperature": 0}}}, "aliases": {"x": "a"}}
    hot = {"models": {"a": {"sampling": {"temperature": 1}}}, "aliases": {"x": ["a", "b"]}}
    problems = found(one=window("08:00", "12:00", cold), two=window("11:00", "13:00", hot))
    assert [problem.pointer for problem in problems] == [
        "/schedules/two/set/models/a/sampling/temperature",
        "/schedules/two/set/aliases/x",
    ]


def test_windows_of_two_zones_meet_only_where_clocks_change_apart() -> None:
    """11:30 in New York is 17:30 in Paris, and 16:30 in the weeks between their changes."""
    (problem,) = found(
        paris=window("16:30", "17:30", LOADED),
        york=window("11:30", "12:30", IDLE, timezone="America/New_York"),
    )
    assert "first at Sun 2027-03-14 11:30 America/New_York" in problem.message


def test_three_windows_of_one_path_are_walked_together() -> None:
    (problem,) = found(
        long=window("06:00", "22:00", LOADED),
        short=window("07:00", "08:00", LOADED),
        other=window("21:00", "23:00", IDLE),
    )
    assert '"long" and "other"' in problem.message
