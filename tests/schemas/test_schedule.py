"""Windows: both forms of a rule, and what one window can get wrong by itself."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.schedule import Schedule


def window(**parts: Any) -> Schedule:
    when = [{"from": "22:00", "to": "06:00"}]
    return Schedule.model_validate({"when": when, "set": {}, **parts})


@pytest.mark.parametrize(
    "rule",
    [
        {"days": ["mon-thu", "sun"], "from": "22:00", "to": "06:00"},
        {"from": "00:00", "to": "24:00"},
        {"from": "22:00:30", "to": "22:00:31"},
        {"from": "fri 22:00", "to": "mon 06:00"},
    ],
)
def test_both_forms_of_a_rule_are_accepted(rule: dict[str, Any]) -> None:
    (when,) = window(when=[rule]).when
    assert (when.from_, when.to) == (rule["from"], rule["to"])


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"from": "22:00", "to": "22:00:00"}, "from and to are equal"),
        ({"from": "fri 22:00", "to": "fri 22:00"}, "from and to are equal"),
        ({"from": "fri 22:00", "to": "06:00"}, "name a day both, or neither of them"),
        ({"days": ["mon"], "from": "fri 22:00", "to": "mon 06:00"}, "days has no meaning"),
        ({"days": ["monday"], "from": "22:00", "to": "06:00"}, "is not a day"),
        ({"from": "friday 22:00", "to": "mon 06:00"}, "is not a day"),
        ({"from": "24:00", "to": "06:00"}, "24:00 can only be an end"),
        ({"from": "8:00", "to": "12:00"}, "is not a time"),
        ({"from": 480, "to": "12:00"}, "valid string"),
        ({"from_": "08:00", "to": "12:00"}, "from_"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(rule: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        window(when=[rule])


def test_a_window_has_defaults() -> None:
    plain = window()
    assert (plain.priority, plain.prefetch, plain.prewarm, plain.close) == (
        10,
        86400,
        "auto",
        "drain",
    )
    assert window(**{"except": ["2026-12-25"]}).except_ == ("2026-12-25",)


@pytest.mark.parametrize(
    "parts",
    [
        {"when": []},
        {"except": ["25.12.2026"]},
        {"except": ["2026-02-30"]},
        {"timezone": "Mars/Olympus"},
        {"timezone": "/etc/localtime"},
        {"timezone": "../Paris"},
        {"timezone": "localtime"},
        {"close": "slowly"},
        {"set": {"models": {"m": {"source": "hf:a/b"}}}},
        {"set": {"limits": {}}},
    ],
)
def test_a_wrong_window_is_refused(parts: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        window(**parts)
