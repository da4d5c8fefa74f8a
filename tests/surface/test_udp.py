"""The sockets: both transports, stock asyncio and uvloop, ICMP errors, DF, and what the kernel refuses."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import struct
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import pytest
import uvloop

import aiosctp
from aiosctp.batching import MAX_DATAGRAMS_PER_WAKE_UP, BatchingTransport, batching_carrier
from aiosctp.core.datagram import Datagram, Received
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.network import SystemNetwork
from aiosctp.udp import (
    IP_MTU_DISCOVER,
    IPV6_MTU_DISCOVER,
    IS_LINUX,
    MAX_EARLY_DATAGRAMS,
    PMTUDISC_DONT,
    PMTUDISC_PROBE,
    Carrier,
    SockAddr,
    UDPEncapsulation,
    bind_sockets,
    endpoint_carrier,
    host_of,
    set_dont_fragment,
    socket_address,
    with_named_scope,
)
from aiosctp.wire.chunks import Init, decode_chunks
from aiosctp.wire.packet import HEADER_BYTES, decode_header

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
LOOPS = [
    pytest.param(asyncio.SelectorEventLoop, id="asyncio"),
    pytest.param(uvloop.new_event_loop, id="uvloop"),
]
CARRIERS = [pytest.param(endpoint_carrier, id="endpoint")]
if IS_LINUX:
    CARRIERS.insert(0, pytest.param(batching_carrier, id="batching"))


def run(loop_factory: LoopFactory, main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=loop_factory, debug=False) as runner:
        runner.run(main)


class Recorder:
    """A stack's place: keeps what arrives, and lets a test await it."""

    def __init__(self) -> None:
        self.batches: list[list[Received]] = []
        self.icmp: list[IcmpMessage] = []
        self.refused: list[tuple[Datagram, bool]] = []
        self._changed = asyncio.Event()

    def datagrams_received(self, datagrams: Iterable[Received], local_host: str) -> None:
        self.batches.append(list(datagrams))
        self._changed.set()

    def icmp_received(self, message: IcmpMessage) -> None:
        self.icmp.append(message)
        self._changed.set()

    def send_failed(self, datagram: Datagram, *, too_big: bool) -> None:
        self.refused.append((datagram, too_big))
        self._changed.set()

    @property
    def received(self) -> list[bytes]:
        return [data for batch in self.batches for data, *_ in batch]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():
                self._changed.clear()
                await self._changed.wait()


class Host:
    """One encapsulated socket on the loopback interface."""

    def __init__(self, carrier: Carrier, host: str = "127.0.0.1") -> None:
        ((_, self.socket),) = bind_sockets([host], 0, skip_unusable=False)
        self.recorder = Recorder()
        self.protocol = UDPEncapsulation(self.recorder, host, self.socket)
        carrier(asyncio.get_running_loop(), self.socket, self.protocol)

    def datagram(self, data: bytes, to: Host, *, dont_fragment: bool = True) -> Datagram:
        return Datagram(data, None, to.protocol.local_host, to.protocol.udp_port, dont_fragment)

    async def close(self) -> None:
        self.protocol.close()
        await self.protocol.wait_closed()


# -- whole associations --


@pytest.mark.parametrize("loop_factory", LOOPS)
@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_messages_go_both_ways(loop_factory: LoopFactory, carrier: Carrier, host: str) -> None:
    async def echo(association: aiosctp.Association) -> None:
        async for message in association:
            await association.send(message.data, stream=message.stream, ppid=message.ppid)

    async def main() -> None:
        network = SystemNetwork(carrier)
        async with (
            aiosctp.Stack(udp_port=0, local_addresses=[host], network=network) as there,
            aiosctp.Stack(udp_port=0, local_addresses=[host], network=network) as here,
            await aiosctp.serve(echo, host, 7777, stack=there) as server,
            aiosctp.connect(host, 7777, remote_udp_port=server.udp_port, stack=here) as association,
        ):
            assert association.get_extra_info("udp_port") == here.udp_port
            assert len(server.sockets) == 1
            assert server.sockets[0].getsockname()[:2] == (host, server.udp_port)
            for number in range(100):
                await association.send(b"%d" % number, stream=number % 10, ppid=number)
            for number in range(100):
                message = await association.receive()
                assert (message.data, message.ppid) == (b"%d" % number, number)

    run(loop_factory, main())


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_sctp_packet_is_the_whole_payload_of_a_datagram_between_the_two_udp_ports(
    carrier: Carrier, host: str
) -> None:
    """S01: RFC 6951 §5.3: both ports, the length, and both checksums, over IPv4 and IPv6."""

    async def main() -> None:
        peer = Host(carrier, host)
        async with aiosctp.Stack(udp_port=0, local_addresses=[host], network=SystemNetwork(carrier)) as stack:

            async def call() -> None:
                await aiosctp.connect(host, 7777, remote_udp_port=peer.protocol.udp_port, stack=stack)

            calling = asyncio.create_task(call())
            # To another UDP port nothing would come.
            async with asyncio.timeout(3):
                await peer.recorder.until(lambda: peer.recorder.received != [])
            calling.cancel()
            (payload, host_seen, udp_port, _), *_ = peer.recorder.batches[0]
            assert (host_seen, udp_port) == (host, stack.udp_port)
        await peer.close()
        # Raises when the CRC32c is wrong.
        assert decode_header(payload)[1:] == (7777, 0)
        (init,) = decode_chunks(payload)
        assert isinstance(init, Init)
        assert len(payload) == HEADER_BYTES + len(init.encode())

    run(asyncio.SelectorEventLoop, main())


@pytest.mark.skipif(not IS_LINUX, reason="Linux's socket options")
@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_udp_checksum_is_computed(carrier: Carrier, host: str) -> None:
    """S01: RFC 6951 §5.3: "the UDP checksum SHOULD be computed for IPv4 and IPv6": nothing asks the kernel not to."""
    so_no_check, udp_no_check6_tx = 11, 101

    async def main() -> None:
        one = Host(carrier, host)
        assert one.socket.getsockopt(socket.SOL_SOCKET, so_no_check) == 0
        assert one.socket.getsockopt(socket.IPPROTO_UDP, udp_no_check6_tx) == 0
        await one.close()

    run(asyncio.SelectorEventLoop, main())


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_default_stacks_over_real_sockets_leave_no_socket_open(loop_factory: LoopFactory) -> None:
    """A05: unbound connect takes an ephemeral UDP port on all addresses of the machine."""

    async def main() -> None:
        async def echo(association: aiosctp.Association) -> None:
            async for message in association:
                await association.send(message.data)

        async with aiosctp.Stack(udp_port=0) as there, await aiosctp.serve(echo, None, 7777, stack=there):
            assert {"127.0.0.1", "::1"} <= set(there.local_addresses)
            async with aiosctp.connect("localhost", 7777, remote_udp_port=there.udp_port) as association:
                await association.send(b"x")
                assert (await association.receive()).data == b"x"
            await aiosctp.connect("127.0.0.1", 7777, remote_udp_port=there.udp_port)

    run(loop_factory, main())


@pytest.mark.skipif(not IS_LINUX, reason="ICMP errors are read on Linux alone")
@pytest.mark.parametrize("loop_factory", LOOPS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_closed_udp_port_refuses_and_the_socket_goes_on(loop_factory: LoopFactory, host: str) -> None:
    """I03: ICMP port unreachable for our INIT is ConnectionRefusedError."""

    async def main() -> None:
        async def idle(association: aiosctp.Association) -> None:
            await association.wait_closed()

        async with (
            aiosctp.Stack(udp_port=0, local_addresses=[host]) as there,
            aiosctp.Stack(udp_port=0, local_addresses=[host]) as here,
            await aiosctp.serve(idle, host, 7777, stack=there),
        ):
            (closed,) = bind_sockets([host], 0, skip_unusable=False)
            closed_port = closed[1].getsockname()[1]
            closed[1].close()
            for _ in range(3):
                with pytest.raises(aiosctp.AssociationRefused):
                    await aiosctp.connect(host, 7777, remote_udp_port=closed_port, stack=here, timeout=5)
                async with aiosctp.connect(host, 7777, remote_udp_port=there.udp_port, stack=here, timeout=5):
                    pass
            assert here.statistics().icmp_received == 3

    run(loop_factory, main())


# -- one socket --


@pytest.mark.parametrize("loop_factory", LOOPS)
@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_is_sent_before_the_transport_is_there_is_not_lost(loop_factory: LoopFactory, carrier: Carrier) -> None:
    async def main() -> None:
        one, other = Host(carrier), Host(carrier)
        one.protocol.send(one.datagram(b"early", other))
        await other.recorder.until(lambda: other.recorder.received == [b"early"])
        assert other.recorder.batches[0][0][1:3] == ("127.0.0.1", one.protocol.udp_port)
        await one.close()
        await other.close()

    run(loop_factory, main())


def test_closing_before_the_transport_is_there_closes_the_socket() -> None:
    async def main() -> None:
        host = Host(endpoint_carrier)
        for _ in range(MAX_EARLY_DATAGRAMS + 10):
            host.protocol.send(host.datagram(b"never leaves", host))
        host.protocol.close()
        await host.protocol.wait_closed()
        assert host.socket.fileno() < 0
        assert not host.recorder.batches

    run(asyncio.SelectorEventLoop, main())


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_one_wake_up_takes_many_datagrams_within_a_bound(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        one, other = Host(batching_carrier), Host(batching_carrier)
        count = MAX_DATAGRAMS_PER_WAKE_UP + 50
        for number in range(count):
            one.protocol.send(one.datagram(b"%d" % number, other))
        await other.recorder.until(lambda: len(other.recorder.received) == count)
        sizes = [len(batch) for batch in other.recorder.batches]
        assert max(sizes) == MAX_DATAGRAMS_PER_WAKE_UP
        assert other.recorder.received == [b"%d" % number for number in range(count)]
        await one.close()
        await other.close()

    run(loop_factory, main())


class StuckSocket(socket.socket):
    """Says that it would block while it is stuck."""

    is_stuck = False

    def sendto(self, *args: Any) -> int:
        if self.is_stuck:
            raise BlockingIOError
        return super().sendto(*args)


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_a_full_socket_keeps_the_tail_in_order(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        other = Host(batching_carrier)
        stuck = StuckSocket(socket.AF_INET, socket.SOCK_DGRAM)
        stuck.setblocking(False)
        stuck.bind(("127.0.0.1", 0))
        protocol = UDPEncapsulation(Recorder(), "127.0.0.1", stuck)
        transport = BatchingTransport(asyncio.get_running_loop(), stuck, protocol)
        stuck.is_stuck = True
        for data in (b"1", b"2"):
            protocol.send(Datagram(data, None, "127.0.0.1", other.protocol.udp_port))
        stuck.is_stuck = False
        protocol.send(Datagram(b"3", None, "127.0.0.1", other.protocol.udp_port, dont_fragment=False))
        transport.close()  # what waits is still sent
        assert transport.is_closing()
        await other.recorder.until(lambda: len(other.recorder.received) == 3)
        assert other.recorder.received == [b"1", b"2", b"3"]
        await asyncio.sleep(0)
        assert stuck.fileno() < 0
        transport.close()
        transport.abort()
        await other.close()

    run(loop_factory, main())


def test_aborting_a_transport_drops_the_tail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiosctp.batching.MAX_UNSENT_DATAGRAMS", 2)

    async def main() -> None:
        other = Host(batching_carrier)
        stuck = StuckSocket(socket.AF_INET, socket.SOCK_DGRAM)
        stuck.bind(("127.0.0.1", 0))
        recorder = Recorder()
        protocol = UDPEncapsulation(recorder, "127.0.0.1", stuck)
        transport = BatchingTransport(asyncio.get_running_loop(), stuck, protocol)
        stuck.is_stuck = True
        for _ in range(3):
            protocol.send(Datagram(b"x", None, "127.0.0.1", other.protocol.udp_port))
        assert len(recorder.refused) == 1
        transport.close()
        assert stuck.fileno() >= 0
        transport.abort()
        assert stuck.fileno() < 0
        protocol.send(Datagram(b"x", None, "127.0.0.1", other.protocol.udp_port))
        await other.close()

    run(asyncio.SelectorEventLoop, main())


@pytest.mark.parametrize("carrier", CARRIERS)
def test_what_the_system_refuses_is_told_and_never_raised(carrier: Carrier) -> None:
    async def main() -> None:
        host = Host(carrier)
        other = Host(carrier)
        host.protocol.send(host.datagram(b"first", other))
        await other.recorder.until(lambda: other.recorder.received == [b"first"])  # by now both transports are there
        broadcast = Datagram(b"x", None, "255.255.255.255", 9)
        host.protocol.send(broadcast)
        assert host.recorder.refused == [(broadcast, False)]
        no_interface = Datagram(b"x", None, "fe80::1%nowhere0", 9)
        host.protocol.send(no_interface)
        assert host.recorder.refused[1:] == [(no_interface, False)]
        await host.close()
        await other.close()

    run(asyncio.SelectorEventLoop, main())


@pytest.mark.skipif(not IS_LINUX, reason="Linux's socket options")
@pytest.mark.parametrize("carrier", CARRIERS)
def test_df_is_set_but_for_a_datagram_that_may_be_fragmented(carrier: Carrier, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[bool] = []

    def recorded(udp_socket: socket.socket, dont_fragment: bool) -> None:
        modes.append(dont_fragment)
        set_dont_fragment(udp_socket, dont_fragment)

    async def main() -> None:
        one, other = Host(carrier), Host(carrier)
        assert one.socket.getsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER) == PMTUDISC_PROBE
        one.protocol.send(one.datagram(b"whole", other))
        await other.recorder.until(lambda: len(other.recorder.received) == 1)
        monkeypatch.setattr("aiosctp.udp.set_dont_fragment", recorded)
        monkeypatch.setattr("aiosctp.batching.set_dont_fragment", recorded)
        one.protocol.send(one.datagram(bytes(3000), other, dont_fragment=False))
        one.protocol.send(one.datagram(b"whole", other))
        await other.recorder.until(lambda: len(other.recorder.received) == 3)
        assert modes == [False, True]
        assert one.socket.getsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER) == PMTUDISC_PROBE
        await one.close()
        await other.close()

    run(asyncio.SelectorEventLoop, main())


@pytest.mark.skipif(not IS_LINUX, reason="Linux's error queue")
@pytest.mark.parametrize("loop_factory", LOOPS)
def test_a_datagram_larger_than_the_interface_tells_the_mtu(loop_factory: LoopFactory) -> None:
    """The loopback interface carries 65536 bytes: nothing fits UDP and exceeds it, so the refusal is the length's."""

    async def main() -> None:
        one, other = Host(batching_carrier), Host(batching_carrier)
        too_long = one.datagram(bytes(65508), other)
        one.protocol.send(too_long)
        assert one.recorder.refused == [(too_long, True)]
        one.protocol.send(one.datagram(b"next", other))
        await other.recorder.until(lambda: other.recorder.received == [b"next"])
        await one.close()
        await other.close()

    run(loop_factory, main())


@pytest.mark.skipif(not IS_LINUX, reason="Linux's error queue")
@pytest.mark.parametrize("loop_factory", LOOPS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_icmp_errors_are_told_with_what_they_quote_and_fail_no_other_datagram(
    loop_factory: LoopFactory, host: str
) -> None:
    async def main() -> None:
        one, other = Host(batching_carrier, host), Host(batching_carrier, host)
        gone = Host(batching_carrier, host)
        await gone.close()
        for _ in range(3):
            one.protocol.send(one.datagram(b"to nobody", gone))
            one.protocol.send(one.datagram(b"to somebody", other))
        await one.recorder.until(lambda: len(one.recorder.icmp) == 3)
        await other.recorder.until(lambda: len(other.recorder.received) == 3)
        assert one.recorder.icmp == [IcmpMessage(IcmpKind.PORT_UNREACHABLE, b"to nobody", host)] * 3
        assert not one.recorder.refused
        other.protocol.send(other.datagram(b"back", one))
        await one.recorder.until(lambda: one.recorder.received == [b"back"])
        await one.close()
        await other.close()

    run(loop_factory, main())


class ToldSocket(socket.socket):
    """Has crafted messages in its error queue."""

    errors: list[tuple[int, int, int, int, int]]
    """errno, origin, type, code, info."""

    def recvmsg(self, *args: Any) -> Any:
        if not self.errors:
            raise BlockingIOError
        number, origin, icmp_type, icmp_code, info = self.errors.pop(0)
        data = struct.pack("=IBBBBII", number, origin, icmp_type, icmp_code, 0, info, 0)
        return b"quoted", [(socket.IPPROTO_IP, 11, data), (socket.SOL_SOCKET, 29, data)], 0, ("192.0.2.7", 9899)


@pytest.mark.skipif(not IS_LINUX, reason="Linux's error queue")
def test_icmp_types_mean_what_the_engine_tells_apart() -> None:
    """RFC 9260 §10: by origin, type and code of either family; what else the kernel says is passed over."""

    async def main() -> None:
        told = ToldSocket(socket.AF_INET, socket.SOCK_DGRAM)
        told.bind(("127.0.0.1", 0))
        told.setblocking(False)
        local, icmp, icmpv6 = 1, 2, 3
        told.errors = [
            (errno.ECONNREFUSED, icmp, 3, 3, 0),
            (errno.ENOPROTOOPT, icmp, 3, 2, 0),
            (errno.EHOSTUNREACH, icmp, 3, 1, 0),
            (errno.EMSGSIZE, icmp, 3, 4, 1400),
            (errno.EPROTO, icmp, 12, 0, 0),
            (errno.EACCES, icmpv6, 1, 1, 0),
            (errno.ECONNREFUSED, icmpv6, 1, 4, 0),
            (errno.EMSGSIZE, icmpv6, 2, 0, 1300),
            (errno.EPROTO, icmpv6, 4, 1, 0),
            (errno.EMSGSIZE, local, 0, 0, 1200),
            (errno.EHOSTUNREACH, local, 0, 0, 0),
        ]
        recorder = Recorder()
        protocol = UDPEncapsulation(recorder, "127.0.0.1", told)
        BatchingTransport(asyncio.get_running_loop(), told, protocol)
        told.sendto(b"wake up", told.getsockname())
        await recorder.until(lambda: recorder.received == [b"wake up"])
        unreachable = IcmpKind.DESTINATION_UNREACHABLE
        assert [(message.kind, message.mtu) for message in recorder.icmp] == [
            (IcmpKind.PORT_UNREACHABLE, 0),
            (IcmpKind.PROTOCOL_UNREACHABLE, 0),
            (unreachable, 0),
            (IcmpKind.PACKET_TOO_BIG, 1400),
            (unreachable, 0),
            (IcmpKind.PORT_UNREACHABLE, 0),
            (IcmpKind.PACKET_TOO_BIG, 1300),
            (IcmpKind.PROTOCOL_UNREACHABLE, 0),
            (IcmpKind.PACKET_TOO_BIG, 1200),
        ]
        assert {(message.quoted, message.destination) for message in recorder.icmp} == {(b"quoted", "192.0.2.7")}
        protocol.close()
        told.errors = []
        protocol.batch_received([(b"late", ("127.0.0.1", 1))])
        protocol.icmp_received(recorder.icmp[0])
        assert (len(recorder.received), len(recorder.icmp)) == (1, 9)

    run(asyncio.SelectorEventLoop, main())


# -- binding --


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
    with pytest.raises(OSError, match=rf"UDP port {port} of 127\.0\.0\.2 is in use: .*udp_port=") as caught:
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

    monkeypatch.setattr("aiosctp.udp.socket_address", address)
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


def test_a_route_that_is_not_there_has_no_mtu() -> None:
    network = SystemNetwork()
    # From an address of another machine; through no interface.
    assert network.route_mtu("192.0.2.254", "127.0.0.1") is None
    assert network.route_mtu("2001:db8::1", "::1") is None
    assert network.route_mtu(None, "fe80::1%nowhere0") is None


def test_the_mtu_of_a_route_is_not_known_off_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiosctp.udp.IS_LINUX", False)
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
