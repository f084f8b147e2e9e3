"""The daemon is told to stop while it serves: nobody is left without a reason."""

from __future__ import annotations

import signal
from pathlib import Path

from openai import APIError

from tests.kit.daemon import Daemon, running
from tests.kit.documents import client, loaded, write


async def test_a_stream_that_outlasts_the_grace_hears_why_it_ends(
    model, document: Path, tmp_path: Path
) -> None:
    """SIGTERM: the stream goes on for the grace, then ends with an error, and the daemon with 0."""
    slow = model(says="abc", loop=True, mib=60, context=16384)
    write(document, {"one": loaded(slow, context=16384)})
    async with running(document, tmp_path) as daemon:
        await daemon.ready()
        assert await _code_of_the_end(daemon) == "shutting_down"
        assert await daemon.process.wait() == 0


async def _code_of_the_end(daemon: Daemon) -> str | None:
    """Stop the daemon at the first piece of a stream, read on, and say how it ended."""
    async with client(daemon) as talk:
        stream = await talk.chat.completions.create(
            model="one", messages=[{"role": "user", "content": "hi"}], stream=True, temperature=0
        )
        told = False
        try:
            async for _ in stream:
                if not told:
                    daemon.process.send_signal(signal.SIGTERM)
                    told = True
        except APIError as error:
            return error.code
    return None
