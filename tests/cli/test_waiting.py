"""`lmxd wait`: only a condition of the present epoch or a later one counts."""

from __future__ import annotations

import pytest
import typer

from lmxd.cli.waiting import Baseline, Wish, judge
from tests.cli.statuses import condition, daemon, model

NOW = Baseline("one", 5)


@pytest.mark.parametrize(
    ("subject", "text", "wish"),
    [
        ("model/tiny", "condition=Ready", Wish("tiny", "Ready", "True")),
        ("model/tiny", "condition=ready=false", Wish("tiny", "Ready", "False")),
        ("daemon", "condition=Converged", Wish(None, "Converged", "True")),
        ("daemon", "condition=MemoryPressure=Unknown", Wish(None, "MemoryPressure", "Unknown")),
    ],
)
def test_a_wish_is_read(subject: str, text: str, wish: Wish) -> None:
    assert Wish.parse(subject, text) == wish


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("tiny", "condition=Ready"),
        ("model/", "condition=Ready"),
        ("daemon/x", "condition=Ready"),
        ("model/tiny", "Ready"),
        ("model/tiny", "condition="),
        ("model/tiny", "condition=Converged"),
        ("daemon", "condition=Ready"),
        ("model/tiny", "condition=Ready=maybe"),
    ],
)
def test_nonsense_is_a_usage_error(subject: str, text: str) -> None:
    with pytest.raises(typer.BadParameter):
        Wish.parse(subject, text)


def test_a_condition_of_this_epoch_counts() -> None:
    holds, words = judge(Wish("tiny", "Ready", "True"), daemon(model()), NOW)
    assert holds
    assert words == "Ready=True, Because: tiny is Ready"


def test_a_condition_of_an_older_epoch_does_not_count() -> None:
    """The classic race: Ready=True from before an edit would satisfy the wait for that edit."""
    old = model(conditions=(condition("Ready", epoch=4),))
    holds, words = judge(Wish("tiny", "Ready", "True"), daemon(old), NOW)
    assert not holds
    assert "epoch 5 has not been looked at yet" in words


def test_another_status_says_why() -> None:
    holds, words = judge(Wish("tiny", "Ready", "True"), daemon(model(summary="Loading")), NOW)
    assert not holds
    assert "tiny is Loading" in words


def test_a_missing_model_names_the_nearest() -> None:
    holds, words = judge(Wish("tinny", "Ready", "True"), daemon(model()), NOW)
    assert not holds
    assert words == "the document has no model tinny, only tiny; did you mean tiny?"


def test_epochs_of_another_state_folder_start_anew() -> None:
    """Else a wait over a reset would compare numbers that have nothing to do with each other."""
    assert NOW.following(daemon()) == NOW
    assert NOW.following(daemon(state_id="two", epoch=1)) == Baseline("two", 1)
