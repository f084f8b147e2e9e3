"""`python -m lmxd.worker`: a spare that takes one load over an inherited socket, or the probe.

    python -m lmxd.worker --fd 5 --protocol 1     serve frames on descriptor 5
    python -m lmxd.worker --probe                 one line of JSON about the device, then exit 0

Started by the daemon's supervisor, never by people. Exit codes: `schemas.frames`.
"""

from __future__ import annotations

import argparse
import signal
import socket
import sys

from lmxd.worker import log
from schemas.frames import EXIT_PROTOCOL, PROTOCOL


def main() -> None:
    """Reads the command line and becomes what it asks for; a worker ends by exiting."""
    parser = argparse.ArgumentParser(prog="python -m lmxd.worker")
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--fd", type=int, help="inherited socket to serve frames on")
    mode.add_argument("--probe", action="store_true", help="describe the device as JSON")
    parser.add_argument("--protocol", type=int, default=PROTOCOL, help="the daemon's protocol")
    parser.add_argument("--engine", default="mlx", help="the engine to import before hello")
    arguments = parser.parse_args()
    if arguments.probe:
        from lmxd.worker.mlx.probe import line  # noqa: PLC0415 - a spare never touches the device

        sys.stdout.write(line() + "\n")
        return
    if arguments.protocol != PROTOCOL:
        log.write("protocol-mismatch", daemon=arguments.protocol, worker=PROTOCOL)
        sys.exit(EXIT_PROTOCOL)
    # A terminal's Ctrl-C reaches the whole process group; the daemon decides what happens then.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    log.quiet()
    from lmxd.worker.process import Worker  # noqa: PLC0415 - after `quiet`, before heavy imports

    Worker(socket.socket(fileno=arguments.fd)).run(arguments.engine)


if __name__ == "__main__":
    main()
