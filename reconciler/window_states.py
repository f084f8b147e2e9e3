"""Which window says what the state of a model is: the states that windows set, read once. Pure.

`overlay` lays whole windows over the document; this answers the same about states alone, for the
many instants at which nobody asks for more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from schemas.desired import DesiredState


def in_order(document: DesiredState, names: Iterable[str]) -> tuple[str, ...]:
    """These windows, the one that wins last."""
    return tuple(sorted(names, key=lambda name: (document.schedules[name].priority, name)))


class WindowStates:
    """The states that a document and its windows give to models."""

    def __init__(self, document: DesiredState) -> None:
        self._document = document
        self._set: Mapping[str, Mapping[str, str]] = {
            name: {
                key: changes.state
                for key, changes in document.schedules[name].set.models.items()
                if changes.state is not None
            }
            for name in in_order(document, document.schedules)
        }

    def ever(self) -> dict[str, set[str]]:
        """By model, all states it ever has; models that no window moves are not there."""
        found: dict[str, set[str]] = {}
        for states in self._set.values():
            for key, state in states.items():
                found.setdefault(key, set()).add(state)
        for key, states_ in found.items():
            states_.add(self.said(None, key))
        return found

    def setters(self, open_: Collection[str]) -> dict[str, str]:
        """By model, the open window that says what its state is."""
        found: dict[str, str] = {}
        for name, states in self._set.items():
            if name in open_:
                found.update(dict.fromkeys(states, name))
        return found

    def said(self, window: str | None, key: str) -> str:
        """The state that a window gives a model; None: the document does."""
        if window is None:
            return self._document.resolved(key).state
        return self._set[window][key]
