"""The requests that somebody still reads, by their names: for cancelling. Owned by the gate."""

from __future__ import annotations

from lmxd.serving.generation import Generation

__all__ = ["OpenRequests"]


class OpenRequests:
    """Ids are unique; a tag is what clients call theirs, and may be anybody's."""

    def __init__(self) -> None:
        self._by_name: dict[str, set[Generation]] = {}
        self._names: dict[Generation, tuple[str, ...]] = {}

    def __len__(self) -> int:
        return len(self._names)

    def add(self, generation: Generation, tag: str) -> None:
        """Know it under its id and, where there is one, the tag."""
        self._names[generation] = names = (generation.request.id, tag)
        for name in filter(None, names):
            self._by_name.setdefault(name, set()).add(generation)

    def remove(self, generation: Generation) -> None:
        """Forget it; nothing happens when it is not known."""
        for name in filter(None, self._names.pop(generation, ())):
            same = self._by_name[name]
            same.discard(generation)
            if not same:
                del self._by_name[name]

    def named(self, name: str) -> tuple[Generation, ...]:
        """All of that id or tag that are not over, in order of arrival."""
        found = (each for each in self._by_name.get(name, ()) if not each.over)
        return tuple(sorted(found, key=lambda each: each.number))
