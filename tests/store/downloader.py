"""A process of its own that runs the real store once: `python -m tests.store.downloader`.

Arguments: state folder, cache folder, endpoint, source, and optionally the largest file it may
write (RLIMIT_FSIZE). Prints `done`, or the reason of the error it ended with. Tests kill it.
"""

from __future__ import annotations

import asyncio
import resource
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

from lmxd.statefolder import StateFolder
from lmxd.store.files import ModelFiles
from reconciler.actions import Download
from reconciler.limits import DiskLimits
from reconciler.state import ArtifactRef
from schemas.errors import ActionError


async def download(state: Path, cache: Path, endpoint: str, source: str) -> str:
    def now() -> datetime:
        return datetime.now(UTC)

    with StateFolder(state, now=now) as folder:
        files = ModelFiles(cache, folder, now=now, environ={"HF_ENDPOINT": endpoint})
        try:
            await files.download(Download(ArtifactRef(source), DiskLimits(), ()))
        except ActionError as error:
            return error.reason
        finally:
            await files.aclose()
    return "done"


def main() -> None:
    state, cache, endpoint, source, *limit = sys.argv[1:]
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit[0]), int(limit[0])))
    print(asyncio.run(download(Path(state), Path(cache), endpoint, source)))  # noqa: T201


if __name__ == "__main__":
    main()
