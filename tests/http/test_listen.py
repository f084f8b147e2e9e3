"""Addresses: several, IPv6, free ports, and the sentences for those that cannot be had."""

from __future__ import annotations

import socket

import pytest

from lmxd.http.listen import bind, show
from schemas.errors import StartupError
from tests.kit.http_stage import stage


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


async def test_a_port_in_use_is_named_with_a_way_out() -> None:
    async with stage() as first:
        host, port = first.address
        with pytest.raises(StartupError) as caught:
            async with stage(listen=[(host, port)]):
                pass
    assert caught.value.message == f"cannot listen on {host}:{port}: the port is in use"
    assert "--listen" in (caught.value.hint or "")


async def test_a_failed_start_leaves_no_socket_behind() -> None:
    async with stage() as taken:
        with pytest.raises(StartupError):
            bind([("127.0.0.1", 0), taken.address])
    again = bind([taken.address])
    for sock in again:
        sock.close()


async def test_several_addresses_serve_the_same() -> None:
    async with stage(listen=[("127.0.0.1", 0), ("127.0.0.2", 0)]) as on:
        assert len(on.server.addresses) == 2
        for host, port in on.server.addresses:
            assert port != 0
            answer = await on.client.get(f"http://{host}:{port}/health")
            assert answer.status_code == 200


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6 loopback")
async def test_ipv6_loopback_and_both_addresses_of_localhost() -> None:
    async with stage(listen=[("::1", 0), ("localhost", 0)]) as on:
        for host, port in on.server.addresses:
            answer = await on.client.get(f"http://{show(host, port)}/health")
            assert answer.status_code == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "8.8.8.8"])
def test_what_other_machines_reach_is_refused(host: str) -> None:
    with pytest.raises(StartupError, match=r"will not listen on .*no keys"):
        bind([(host, 0)])


def test_a_name_that_is_nobodys_is_refused() -> None:
    with pytest.raises(StartupError, match="not a name or address of this machine"):
        bind([("no-such-host.invalid", 1234)])


def test_accepted_connections_will_not_wait_for_delayed_acknowledgements() -> None:
    """asyncio switches Nagle off only where the protocol is named: 40 ms a stream otherwise."""
    (sock,) = bind([("127.0.0.1", 0)])
    assert sock.proto == socket.IPPROTO_TCP
    sock.close()
