"""Short words for tests over the fake world: documents of a few models, and going on until."""

from __future__ import annotations

from reconciler.actions import Failure
from reconciler.loop.core import Decision
from reconciler.state import ModelKey
from schemas.status import Condition
from tests.reconciler.disk import Repo
from tests.reconciler.world import GIB, World
from tests.simulation.rules import Rules

BROKEN = Failure("UnsupportedArchitecture", "no such architecture", terminal=True)
GATED = Failure("GatedRepo", "gated", terminal=True)
CUT = Failure("HubUnreachable", "cut")
Entry = dict[str, object]


def world(*, memory: int = 16, watch: Rules | None = None, **sizes: float) -> World:
    """Repositories `org/<name>` of so many GiB, worker's overhead not counted."""
    repos = {f"org/{name}": Repo(int(size * GIB)) for name, size in sizes.items()}
    return World(repos, memory=memory * GIB, watch=watch or Rules())


def entry(name: str, state: str = "loaded", **fields: object) -> Entry:
    return {"source": f"hf:org/{name}", "state": state, **fields}


def edit(at: World, aliases: object = None, **models: Entry) -> None:
    at.edit({"models": models, "aliases": aliases or {}, "limits": {"memory": "100%"}})


def condition(decision: Decision, key: str, kind: str) -> Condition:
    model = decision.status.model(key)
    found = model.condition(kind) if model else None
    assert found is not None
    return found


def run_until(at: World, start: str) -> None:
    """Go on, everything ending well, until an action of that key is started."""
    for _ in range(100):
        if any(action.key.startswith(start) for action in at.step().start):
            return
        ready = [key for key in at.running if at.can_end(key)]
        if ready:
            at.end(ready[0])
    raise AssertionError(f"{start} was not started: {at.history}")


def uid_of(at: World, key: str) -> str:
    return at.pool.current[ModelKey(key)]
