"""Edits of the file that wait for a word: why, and with which command they are let through.

A file that was cut short is a valid document with fewer models, and so is a slip of the hand.
Pure; called by `intake` for edits of the file only: whoever uses the API names what he removes.
"""

from __future__ import annotations

from lmxd.desired.probation import DEATHS, Crashed
from reconciler.state import HeldEdit
from schemas.desired import DesiredState

__all__ = ["confirm_command", "held", "rolled_back", "vanished"]

LEAST = 2
_NAMES = 8


def vanished(before: DesiredState, after: DesiredState) -> tuple[str, ...]:
    """The models that this edit removes, if they are two or more and at least half of all; none
    where the document that holds has switched the guard off.
    """
    gone = tuple(key for key in before.models if key not in after.models)
    if before.reconcile.guard == "off" or len(gone) < LEAST or 2 * len(gone) < len(before.models):
        return ()
    return gone


def held(sha256: str, gone: tuple[str, ...], of: int) -> HeldEdit:
    """The edit that waits, with the command that lets it through."""
    names = ", ".join(gone[:_NAMES]) + (f" and {len(gone) - _NAMES} more" if gone[_NAMES:] else "")
    message = (
        f"the file removes {len(gone)} of {of} models ({names}), so it waits; "
        f"if that is meant: {confirm_command(sha256)}; another edit of the file does it too"
    )
    return HeldEdit(sha256, "Held", message)


def confirm_command(sha256: str) -> str:
    """What a person types to let the waiting text through."""
    return f"lmxd apply --confirm {sha256}"


def rolled_back(crashed: Crashed, running: int) -> HeldEdit:
    """The text of which the daemon died, as long as it stands in the file."""
    message = (
        f"the daemon died {DEATHS} times of generation {crashed.generation}, which the file "
        f"holds, so generation {running} runs; change the file, or try it again: "
        f"{confirm_command(crashed.sha256)}"
    )
    return HeldEdit(crashed.sha256, "RolledBackAfterCrash", message)
