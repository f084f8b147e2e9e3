"""Asks a loaded instance its canary before it is promoted; called by the pool, inside a load.

The worker cannot tell this request from a client's. Nobody else can reach the instance meanwhile.
"""

from __future__ import annotations

import asyncio

from lmxd.serving.instance import Instance
from reconciler.canary import PATIENCE_S, Canary
from schemas.errors import ActionError, Code, RequestError
from schemas.inference import Event, Failed, Text, Usage

__all__ = ["ask"]


async def ask(instance: Instance, canary: Canary, patience_s: float = PATIENCE_S) -> None:
    """Returns when the answer is right.

    Raises ActionError: CanaryFailed, terminal, when it is wrong, refused or late (patience_s
    seconds); the report of a worker that dies meanwhile.
    """
    answer = _Answer()
    request = canary.request(f"canary-{instance.uid}", instance.key)
    try:
        claim = instance.claim(request, answer)
    except RequestError as error:
        raise _failed(instance, error.message) from error
    try:
        async with asyncio.timeout(patience_s):
            await answer.over.wait()
    except TimeoutError as error:
        said = canary.fault(answer.text) or "it has not stopped talking"
        raise _failed(instance, f"no answer within {patience_s:g} s: {said}") from error
    finally:
        instance.let_go(claim)
    if answer.died:
        await _report(instance)
    fault = answer.fault or canary.fault(answer.text)
    if fault is not None:
        raise _failed(instance, fault)


class _Answer:
    """Holds the claim, and takes what comes."""

    def __init__(self) -> None:
        self.text = ""
        self.fault: str | None = None
        self.died = False
        self.over = asyncio.Event()

    def deliver(self, event: Event) -> bool:
        """A part of the answer, or its end."""
        if isinstance(event, Text):
            self.text += event.text
        elif isinstance(event, Failed):
            self.fault = f"the worker refused to answer: {event.message}"
        if isinstance(event, Failed | Usage):
            self.over.set()
        return True

    def fail(self, code: Code, message: str) -> None:
        """The daemon ends all requests."""
        self.fault = f"{message} ({code})"
        self.over.set()

    def orphaned(self, why: str) -> None:
        """The worker died."""
        self.fault, self.died = why, True
        self.over.set()


def _failed(instance: Instance, what: str) -> ActionError:
    return ActionError(
        "CanaryFailed",
        f"{instance.key} did not pass its canary: {what}",
        hint="change the canary or the model; another entry is tried at once",
        terminal=True,
    )


async def _report(instance: Instance) -> None:
    """Why the worker died, as for any load."""
    report = await asyncio.shield(instance.worker.ended) if instance.worker else None
    if report is not None:
        raise ActionError(report.reason, report.message, terminal=report.terminal)
