"""What came of a change, for people: the lines that changed, the plan, and what to know about it.

Data goes to stdout as for all verbs; warnings, among them what covers a change, go to stderr.
Refusals become their list of problems or owners.
"""

from __future__ import annotations

import json
import sys

import msgspec
from rich.console import Console
from rich.text import Text

from lmxd.cli.client import Client, decoded
from lmxd.cli.meanwhile import meanwhile
from lmxd.cli.messages import note, warn
from lmxd.cli.options import Form
from lmxd.cli.output import structured
from lmxd.cli.speech import Call
from schemas.errors import LmxdError, RequestError
from schemas.wire.control import Changed, LeaseMade, Unsettled

__all__ = ["carry_out", "diff", "plan", "refusal", "settled"]

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def carry_out(url: str, call: Call, form: Form) -> int:
    """Send a change and show what came of it; returns the exit code."""
    with Client(url) as daemon, meanwhile(url, call.terms.wait_s):
        try:
            content = daemon.send(call)
        except RequestError as error:
            raise refusal(error) from error
    if form is not Form.TABLE:
        sys.stdout.write(structured(json.loads(content), form))
        return _code(json.loads(content).get("converged", True))
    if call.terms.lease is not None:
        return _lease(decoded(content, LeaseMade), call)
    return _changed(decoded(content, Changed))


def diff(text: str) -> None:
    """A unified diff, coloured on a terminal."""
    console = Console(highlight=False, markup=False, emoji=False)
    for line in text.splitlines():
        style = "bold" if line.startswith(("+++", "---")) else _COLOURS.get(line[:1], "")
        if console.is_terminal:
            console.print(Text(line, style=style), soft_wrap=True)
        else:
            print(line)


def refusal(error: RequestError) -> LmxdError:
    """The refusal with everything it lists, one a line."""
    lines = [error.message]
    problems = error.details.get("problems", ())
    for problem in problems if len(problems) > 1 else ():  # one is the message itself
        place = f"line {problem['line']}: " if problem.get("line") else ""
        hint = f" ({problem['hint']})" if problem.get("hint") else ""
        lines.append(f"  {place}{problem.get('pointer') or '/'}: {problem.get('message')}{hint}")
    for conflict in error.details.get("conflicts", ()):
        owner = conflict.get("manager") or "the file"
        lines.append(
            f"  {conflict['path']}: {owner} says {conflict.get('current')!r}, "
            f"you {conflict.get('yours')!r}"
        )
    lines += [f"  {path} was changed meanwhile" for path in error.details.get("overlaps", ())]
    return RequestError(error.code, "\n".join(lines), hint=error.hint)


def _changed(found: Changed) -> int:
    if not found.changed:
        note(f"nothing to change: generation {found.generation} says so already")
        return 0
    diff(found.diff)
    plan(found.plan)
    for text in found.warnings:
        warn(text)
    if found.dry_run:
        note("dry run: nothing was changed")
    else:
        note(f"generation {found.generation}")
    return settled(found.converged, found.unsettled)


def _lease(found: LeaseMade, call: Call) -> int:
    plan(found.plan)
    for text in found.warnings:
        warn(text)
    if found.dry_run:
        note("dry run: no lease was made")
    else:
        note(f"lease {found.id} until {found.expires_at}; `lmxd leases --end {found.id}` ends it")
    return settled(found.converged, found.unsettled)


def plan(found: dict[str, object]) -> None:
    """The text of a plan."""
    text = str(found.get("text", "")).strip()
    if text:
        print(text)


def settled(
    converged: bool | msgspec.UnsetType, unsettled: tuple[Unsettled, ...] | msgspec.UnsetType
) -> int:
    """Say who has not arrived after a wait; returns the exit code."""
    if isinstance(unsettled, tuple):
        for each in unsettled:
            note(f"{each.model} is not Ready, {each.reason}: {each.message}")
    return _code(converged is not False)


def _code(converged: object) -> int:
    return 0 if converged is not False else 1
