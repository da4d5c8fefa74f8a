"""Addresses, binding, and what the machine tells of itself."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
from pathlib import Path
from typing import Any

import pytest

import aiosctp
from aiosctp.batching import batching_carrier
from aiosctp.network import SystemNetwork
from aiosctp.sockets import (
    IPV6_MTU_DISCOVER,
    IS_LINUX,
    PMTUDISC_DONT,
    PMTUDISC_PROBE,
    SO_RCVBUFFORCE,
    SO_SNDBUFFORCE,
    SOCKET_BUFFER_BYTES,
    SockAddr,
    bind_sockets,
    host_of,
    receive_buffer_drops,
    set_dont_fragment,
    socket_address,
    with_named_scope,
)
from aiosctp.udp import UDPEncapsulation
from tests.surface.udp_hosts import Recorder, run


def test_all_addresses_share_one_udp_port() -> None:
    bound = bind_sockets(["127.0.0.1", "127.0.0.2", "::1"], 0, skip_unusable=False)
    ports = {udp_socket.getsockname()[1] for _, udp_socket in bound}
    assert len(ports) == 1
    v6 = bound[2][1]
    assert v6.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1
    assert v6.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER) == PMTUDISC_PROBE
    set_dont_fragment(v6, False)
    assert v6.getsockopt(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER) == PMTUDISC_DONT
    assert all(not udp_socket.getblocking() for _, udp_socket in bound)
    (port,) = ports
    with pytest.raises(
        OSError, match=rf"UDP port {port} of 127\.0\.0\.2 is in use: .*udp_port=.*stack=Stack"
    ) as caught:
        bind_sockets(["127.0.0.3", "127.0.0.2"], port, skip_unusable=True)
    assert caught.value.errno == errno.EADDRINUSE
    # The first address of the failed attempt was let go.
    (again,) = bind_sockets(["127.0.0.3"], port, skip_unusable=False)
    for _, udp_socket in (*bound, again):
        udp_socket.close()


def test_an_ephemeral_port_that_is_taken_elsewhere_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.2", 0))
    port = taken.getsockname()[1]
    attempts: list[int] = []

    def address(host: str, wanted: int) -> SockAddr:
        if host == "127.0.0.1":
            attempts.append(wanted)
            wanted = port if len(attempts) == 1 else wanted
        return socket_address(host, wanted)

    monkeypatch.setattr("aiosctp.sockets.socket_address", address)
    bound = bind_sockets(["127.0.0.1", "127.0.0.2"], 0, skip_unusable=False)
    assert attempts == [0, 0]
    assert len({udp_socket.getsockname()[1] for _, udp_socket in bound}) == 1
    for _, udp_socket in bound:
        udp_socket.close()
    taken.close()


def test_an_address_that_is_not_ours_is_an_error_only_when_it_was_named() -> None:
    (bound,) = bind_sockets(["192.0.2.254", "127.0.0.1"], 0, skip_unusable=True)
    assert bound[0] == "127.0.0.1"
    bound[1].close()
    for hosts, skip in ((["192.0.2.254", "127.0.0.1"], False), (["192.0.2.254"], True)):
        with pytest.raises(OSError, match=r"assign|can be bound") as caught:
            bind_sockets(hosts, 0, skip_unusable=skip)
        assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_loop_that_takes_no_sockets_leaves_none_open() -> None:
    """The loop on virtual time, outside of every simulated host."""
    carried: list[socket.socket] = []

    def carry_one(loop: asyncio.AbstractEventLoop, udp_socket: socket.socket, protocol: UDPEncapsulation) -> None:
        carried.append(udp_socket)
        if len(carried) > 1:
            raise NotImplementedError("no sockets")
        batching_carrier(loop, udp_socket, protocol)

    async def main() -> None:
        with pytest.raises(NotImplementedError, match="no sockets"):
            SystemNetwork(carry_one).open_ports(["127.0.0.1", "127.0.0.2", "127.0.0.3"], 0, Recorder())
        await asyncio.sleep(0)

    run(asyncio.SelectorEventLoop, main())
    assert [udp_socket.fileno() for udp_socket in carried] == [-1, -1]


def test_link_local_hosts_carry_their_scope() -> None:
    index, name = socket.if_nameindex()[0]
    assert socket_address(f"fe80::1%{name}", 5) == ("fe80::1", 5, 0, index)
    assert socket_address("fe80::1%3", 5) == ("fe80::1", 5, 0, 3)
    assert socket_address("2001:db8::1", 5) == ("2001:db8::1", 5, 0, 0)
    assert socket_address("192.0.2.1", 5) == ("192.0.2.1", 5)
    assert host_of(("fe80:0::1", 5, 0, index)) == f"fe80::1%{name}"
    assert host_of(("fe80::1", 5, 0, 2**31 - 1)) == f"fe80::1%{2**31 - 1}"
    assert host_of((f"fe80::1%{name}", 5, 0, index)) == f"fe80::1%{name}"
    assert host_of(("2001:db8:0::1", 5, 0, 0)) == "2001:db8::1"
    assert host_of(("192.0.2.1", 5)) == "192.0.2.1"


async def test_an_interface_is_known_by_its_name_though_given_by_number() -> None:
    """Hosts are equal wherever they appear, and what comes from the wire has the interface's name."""
    index, name = socket.if_nameindex()[0]
    for scope in (name, str(index)):
        assert with_named_scope(f"fe80::1%{scope}") == f"fe80::1%{name}"
        assert await SystemNetwork().resolve(f"fe80:0::1%{scope}") == [f"fe80::1%{name}"]
    assert with_named_scope("fe80::1") == "fe80::1"
    for scope in ("nope", "2147483647", 30 * "9"):
        with pytest.raises(OSError, match=rf"host fe80::1%{scope}: there is no interface") as caught:
            with_named_scope(f"fe80::1%{scope}")
        assert caught.value.errno == errno.ENODEV
    with pytest.raises(ValueError, match="host 'nobody%lo' is no address"):
        await SystemNetwork().resolve("nobody%lo")


async def test_ports_are_bound_to_interfaces_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    index, name = socket.if_nameindex()[0]
    chosen: list[str] = []

    def bind(hosts: list[str], udp_port: int, *, skip_unusable: bool) -> list[tuple[str, socket.socket]]:
        chosen.extend(hosts)
        raise OSError(errno.EADDRNOTAVAIL, "nothing is bound here")

    monkeypatch.setattr("aiosctp.network.bind_sockets", bind)
    with pytest.raises(OSError, match="nothing is bound here"):
        aiosctp.Stack(udp_port=0, local_addresses=[f"fe80::1%{index}", "127.0.0.1"]).open()
    assert chosen == [f"fe80::1%{name}", "127.0.0.1"]
    with pytest.raises(OSError, match="no interface nope"):
        aiosctp.Stack(udp_port=0, local_addresses=["fe80::1%nope"]).open()


async def test_an_interface_that_there_is_not_is_told_at_once() -> None:
    async with aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"]) as stack:
        for host in ("fe80::1%nope", ["127.0.0.1", "fe80::1%nope"]):
            with pytest.raises(OSError, match="no interface nope"):
                await asyncio.wait_for(aiosctp.connect(host, 7777, stack=stack), 5)
        with pytest.raises(OSError, match="no interface nope"):
            await aiosctp.serve(lambda association: association.wait_closed(), "fe80::1%nope", 7777, stack=stack)
        assert not stack.owners


async def test_the_system_network_knows_its_addresses_and_resolves_names() -> None:
    network = SystemNetwork()
    assert "127.0.0.1" in network.local_addresses()
    assert set(await network.resolve("localhost")) <= {"127.0.0.1", "::1"}
    assert len(network.entropy(16)) == 16
    assert network.now() <= network.now()
    with pytest.raises(socket.gaierror, match=r"host name\.invalid: "):
        await network.resolve("name.invalid")


@pytest.mark.skipif(not IS_LINUX, reason="Linux's socket options")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_mtu_of_a_route_is_the_interfaces(host: str) -> None:
    # The loopback interface's, or the largest that IPv4 and UDP can have.
    network = SystemNetwork()
    assert network.route_mtu(host, host) == network.route_mtu(None, host)
    mtu = network.route_mtu(host, host)
    assert mtu is not None
    assert 1280 <= mtu <= 65536


class MisledSocket(socket.socket):
    """The kernel was told by ICMP that no route carries more than 552 bytes."""

    def getsockopt(self, level: int, option: int, *buffer: Any) -> Any:
        ip_mtu, ipv6_mtu = 14, 24
        if (level, option) in ((socket.IPPROTO_IP, ip_mtu), (socket.IPPROTO_IPV6, ipv6_mtu)):
            return 552
        return super().getsockopt(level, option, *buffer)


@pytest.mark.skipif(not IS_LINUX, reason="the MTU of an interface is asked for on Linux alone")
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_mtu_of_a_route_is_not_what_icmp_told_the_kernel(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 8899 §4.6.1: "MUST validate": the kernel looks at ports alone, no tag."""
    monkeypatch.setattr(socket, "socket", MisledSocket)
    assert SystemNetwork().route_mtu(host, host) == int(Path("/sys/class/net/lo/mtu").read_text())


def test_a_route_that_is_not_there_has_no_mtu() -> None:
    network = SystemNetwork()
    # From an address of another machine; through no interface.
    assert network.route_mtu("192.0.2.254", "127.0.0.1") is None
    assert network.route_mtu("2001:db8::1", "::1") is None
    assert network.route_mtu(None, "fe80::1%nowhere0") is None


def test_the_mtu_of_a_route_is_not_known_off_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiosctp.sockets.IS_LINUX", False)
    assert SystemNetwork().route_mtu("127.0.0.1", "127.0.0.1") is None


def test_the_entropy_of_a_stack_is_the_operating_systems(monkeypatch: pytest.MonkeyPatch) -> None:
    """R02, R27: "cryptographic quality" (RFC 9260 §14.1): tags, nonces and the cookie's key come from os.urandom."""
    monkeypatch.setattr("os.urandom", lambda count: b"\x5a" * count)
    assert SystemNetwork().entropy(5) == b"\x5a" * 5


@pytest.mark.parametrize("host", [64 * "x", "a..b"], ids=["long", "empty label"])
async def test_what_can_be_no_name_is_refused_by_name(host: str) -> None:
    async with aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"]) as stack:
        with pytest.raises(ValueError, match=re.escape(f"host {host!r} is no name")):
            await aiosctp.connect(host, 7777, stack=stack)
        with pytest.raises(ValueError, match=re.escape(f"host {host!r} is no name")):
            await aiosctp.serve(lambda association: association.wait_closed(), host, 7777, stack=stack)


def test_an_address_of_another_machine_is_named() -> None:
    with pytest.raises(OSError, match=r"192\.0\.2\.1 can't be bound") as caught:
        bind_sockets(["192.0.2.1"], 0, skip_unusable=False)
    assert caught.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.skipif(not IS_LINUX, reason="Linux's socket options")
@pytest.mark.parametrize("may_force", [True, False])
def test_socket_buffers_are_as_large_as_they_may_be(may_force: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past net.core.rmem_max with CAP_NET_ADMIN, up to it without."""
    asked: list[tuple[int, int]] = []

    class Watched(socket.socket):
        def setsockopt(self, *args: Any) -> None:
            if args[0] == socket.SOL_SOCKET:
                asked.append(args[1:])
                if args[1] in (SO_RCVBUFFORCE, SO_SNDBUFFORCE):
                    if not may_force:
                        raise PermissionError
                    return
            super().setsockopt(*args)

    monkeypatch.setattr("socket.socket", Watched)
    ((_, bound),) = bind_sockets(["127.0.0.1"], 0, skip_unusable=False)
    bound.close()
    forced = [SO_RCVBUFFORCE, SO_SNDBUFFORCE]
    plain = [SO_RCVBUFFORCE, socket.SO_RCVBUF, SO_SNDBUFFORCE, socket.SO_SNDBUF]
    assert asked == [(option, SOCKET_BUFFER_BYTES) for option in (forced if may_force else plain)]


@pytest.mark.skipif(not IS_LINUX, reason="Linux's socket options")
async def test_what_a_full_receive_buffer_drops_is_counted() -> None:
    count = 200
    async with aiosctp.Stack(udp_port=0, local_addresses=["127.0.0.1"]) as stack:
        assert stack.statistics().receive_buffer_drops == 0
        (full,) = stack.sockets
        full.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
            for _ in range(count):
                flood.sendto(bytes(1000), full.getsockname())
        drops = stack.statistics().receive_buffer_drops
        assert 0 < drops < count
    assert stack.statistics().receive_buffer_drops == drops


def test_what_does_not_tell_its_drops_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.close()
    assert receive_buffer_drops(one) == 0
    monkeypatch.setattr("aiosctp.sockets.IS_LINUX", False)
    assert receive_buffer_drops(one) == 0
