"""Asks a worker process what the device has, once a boot, and remembers the answer.

The daemon itself never imports MLX. The answer is kept in the state folder under the boot and the
versions it was given for; after a failure it is asked again, at the latest every minute.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import msgspec

from lmxd.host.memory import boot_id
from lmxd.statefolder import StateFolder
from schemas.frames import Device as Answer

log = logging.getLogger(__name__)

PROBE_COMMAND = (sys.executable, "-P", "-m", "lmxd.worker", "--probe")
ANSWER_S = 60.0
RETRY_S = 60.0


class Probe:
    """The device, once it is known. `changed` is called when an answer or an error arrives."""

    def __init__(
        self,
        folder: StateFolder,
        changed: Callable[[], None],
        command: Sequence[str] = PROBE_COMMAND,
        retry_s: float = RETRY_S,
    ) -> None:
        self._folder = folder
        self._changed = changed
        self._command = tuple(command)
        self._retry_s = retry_s
        self.answer: Answer | None = None
        self.error: str | None = None

    async def run(self) -> None:
        """Ask until there is an answer, then end."""
        stamp = {"boot": boot_id(), "versions": _versions()}
        kept = await asyncio.to_thread(self._folder.read, "probe")
        if kept is not None and kept.get("stamp") == stamp:
            self.answer = msgspec.convert(kept["device"], Answer)
        while self.answer is None:
            await self._ask()
            self._changed()
            if self.answer is None:
                log.warning("probe failed", extra={"error": self.error})
                await asyncio.sleep(self._retry_s)
            else:
                body = {"stamp": stamp, "device": msgspec.to_builtins(self.answer)}
                await asyncio.to_thread(self._folder.write, "probe", body)
        self._changed()

    async def _ask(self) -> None:
        """One try; sets `answer` or `error`."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=Path("/"),
        )
        try:
            async with asyncio.timeout(ANSWER_S):
                out, err = await process.communicate()
        except TimeoutError:
            self.error = f"the device probe gave no answer within {ANSWER_S:.0f} s"
            return
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        try:
            self.answer = msgspec.json.decode(out, type=Answer)
            self.error = None
        except msgspec.MsgspecError:
            last = err.decode(errors="replace").strip().splitlines()[-1:] or ["no output"]
            self.error = f"the device probe ended with {process.returncode}: {last[0][:300]}"


def _versions() -> dict[str, str]:
    """Versions whose change makes an old answer doubtful."""
    found = {}
    for name in ("mlx", "mlx-lm"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = ""
    return found
