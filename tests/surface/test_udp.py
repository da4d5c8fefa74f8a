"""SCTP in UDP over real sockets: both transports, stock asyncio and uvloop, DF, and what the kernel refuses."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

import aiosctp
from aiosctp.batching import MAX_READS_PER_WAKE_UP, BatchingTransport, batching_carrier
from aiosctp.core.datagram import Datagram
from aiosctp.network import SystemNetwork
from aiosctp.sockets import (
    IP_MTU_DISCOVER,
    IS_LINUX,
    PMTUDISC_PROBE,
    set_dont_fragment,
)
from aiosctp.udp import MAX_EARLY_DATAGRAMS, Carrier, UDPEncapsulation, endpoint_carrier
from aiosctp.wire.chunks import Init, decode_chunks
from aiosctp.wire.packet import HEADER_BYTES, decode_header
from tests.surface.udp_hosts import CARRIERS, LOOPS, Host, LoopFactory, Recorder, run

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
        count = MAX_READS_PER_WAKE_UP + 50
        for number in range(count):
            one.protocol.send(one.datagram(b"%d" % number, other))
        await other.recorder.until(lambda: len(other.recorder.received) == count)
        sizes = [len(batch) for batch in other.recorder.batches]
        assert max(sizes) == MAX_READS_PER_WAKE_UP
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

    def sendmsg(self, *args: Any) -> int:
        if self.is_stuck:
            raise BlockingIOError
        return super().sendmsg(*args)


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


@pytest.mark.parametrize("carrier", CARRIERS)
def test_over_ipv6_a_datagram_that_may_be_fragmented_leaves_no_bound_to_those_after_it(carrier: Carrier) -> None:
    async def main() -> None:
        one, other = Host(carrier, "::1"), Host(carrier, "::1")
        for dont_fragment in (True, False, True):
            one.protocol.send(one.datagram(bytes(3000), other, dont_fragment=dont_fragment))
        await other.recorder.until(lambda: len(other.recorder.received) == 3)
        assert one.recorder.refused == []
        await one.close()
        await other.close()

    run(asyncio.SelectorEventLoop, main())
