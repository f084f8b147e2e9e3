"""Sockets to listen on: from `(host, port)` pairs to bound sockets, or a reason why not.

Binding before anything else starts makes a port that is in use a sentence instead of a traceback.
Only loopback is bound: there are no keys yet that would protect anything else.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from contextlib import ExitStack
from ipaddress import ip_address

from schemas.errors import StartupError

Address = tuple[str, int]


def show(host: str, port: int) -> str:
    """`host:port`, IPv6 in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind(addresses: Iterable[Address]) -> list[socket.socket]:
    """One bound socket for each address a name stands for; all of them, or none.

    Port 0 takes a free port, the same for all addresses of one name. Raises StartupError.
    """
    with ExitStack() as undo:
        bound: list[socket.socket] = []
        for host, port in addresses:
            for sock in _bind_name(host, port):
                undo.callback(sock.close)
                bound.append(sock)
        undo.pop_all()
        return bound


def _bind_name(host: str, port: int) -> list[socket.socket]:
    found = _resolve(host, port)
    bound: list[socket.socket] = []
    for family, address in found:
        try:
            sock = _bind_one(family, address, port)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                continue  # localhost is also ::1 where IPv6 is switched off
            for other in bound:
                other.close()
            raise _refusal(host, port, error) from error
        port = sock.getsockname()[1]
        bound.append(sock)
    if not bound:
        raise StartupError(f"cannot listen on {show(host, port)}: no such address here")
    return bound


def _resolve(host: str, port: int) -> list[tuple[socket.AddressFamily, str]]:
    try:
        infos = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise StartupError(
            f"cannot listen on {show(host, port)}: {host} is not a name or address of this machine"
        ) from error
    found: list[tuple[socket.AddressFamily, str]] = list(
        dict.fromkeys((family, str(address[0])) for family, _, _, _, address in infos)
    )
    for _, address in found:
        if not ip_address(address.partition("%")[0]).is_loopback:
            raise StartupError(
                f"will not listen on {show(host, port)}: other machines could reach it, and there "
                "are no keys to protect it",
                hint="listen on 127.0.0.1 and put a tunnel or a proxy with a login in front of it",
            )
    return found


def _bind_one(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    # With the protocol named, asyncio switches Nagle off on what is accepted: without, the last
    # write of a stream waits 40 ms for the client's delayed acknowledgement (measured).
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, port))
        # Listening already here: two servers with SO_REUSEADDR may bind one port, not listen.
        sock.listen(512)
        sock.setblocking(False)
    except OSError:
        sock.close()
        raise
    return sock


def _refusal(host: str, port: int, error: OSError) -> StartupError:
    if error.errno == errno.EADDRINUSE:
        return StartupError(
            f"cannot listen on {show(host, port)}: the port is in use",
            hint=f"another server is running there; choose another port with --listen "
            f"{show(host, port + 1)}",
        )
    if error.errno == errno.EACCES:
        return StartupError(
            f"cannot listen on {show(host, port)}: permission denied",
            hint="ports below 1024 belong to the administrator; choose a higher one",
        )
    return StartupError(f"cannot listen on {show(host, port)}: {error.strerror}")
