"""ICMP errors as the sockets' error queues tell them (§10)."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from typing import Any

import pytest

import aiosctp
from aiosctp.batching import BatchingTransport, batching_carrier
from aiosctp.core.datagram import Datagram, Received
from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.sockets import (
    IS_LINUX,
    bind_sockets,
)
from aiosctp.udp import UDPEncapsulation
from tests.surface.udp_hosts import LOOPS, Host, LoopFactory, Recorder, run


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
    first_failure: OSError | None
    """How the first call to receive ends."""

    def recvmsg(self, *args: Any) -> Any:
        if socket.MSG_ERRQUEUE not in args:
            if self.first_failure is not None:
                failure, self.first_failure = self.first_failure, None
                raise failure
            return super().recvmsg(*args)
        if not self.errors:
            raise BlockingIOError
        number, origin, icmp_type, icmp_code, info = self.errors.pop(0)
        data = struct.pack("=IBBBBII", number, origin, icmp_type, icmp_code, 0, info, 0)
        local = 1
        quoted = b"" if origin == local else b"quoted"
        return quoted, [(socket.IPPROTO_IP, 11, data), (socket.SOL_SOCKET, 29, data)], 0, ("192.0.2.7", 9899)


@pytest.mark.skipif(not IS_LINUX, reason="Linux's error queue")
@pytest.mark.parametrize("failure", [ConnectionRefusedError(), BlockingIOError()], ids=["pending", "nothing there"])
def test_icmp_types_mean_what_the_engine_tells_apart(failure: OSError) -> None:
    """RFC 9260 §10: by origin, type and code of either family; what else the kernel says is passed over.

    The kernel makes the next call fail with what it queues; but a queue that fills without is emptied too.
    """

    async def main() -> None:
        told = ToldSocket(socket.AF_INET, socket.SOCK_DGRAM)
        told.bind(("127.0.0.1", 0))
        told.setblocking(False)
        told.first_failure = failure
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
        ]
        assert {(message.quoted, message.destination) for message in recorder.icmp} == {(b"quoted", "192.0.2.7")}
        protocol.close()
        told.errors = []
        protocol.batch_received([Received(b"late", "127.0.0.1", 1)])
        protocol.icmp_received(recorder.icmp[0])
        assert (len(recorder.received), len(recorder.icmp)) == (1, 8)

    run(asyncio.SelectorEventLoop, main())


class NarrowSocket(ToldSocket):
    """Its interface takes 1200 bytes, which the kernel says as Linux does: the call fails, and an entry that quotes
    nothing is in the error queue."""

    def sendto(self, data: Any, *where: Any) -> int:
        local = 1
        if len(data) > 1200 - 28:
            self.errors.append((errno.EMSGSIZE, local, 0, 0, 1200))
            raise OSError(errno.EMSGSIZE, "Message too long")
        return super().sendto(data, *where)


@pytest.mark.skipif(not IS_LINUX, reason="Linux's error queue")
def test_what_the_interface_takes_is_told_with_the_datagram_that_was_too_large() -> None:
    """It is no ICMP message."""

    async def main() -> None:
        narrow = NarrowSocket(socket.AF_INET, socket.SOCK_DGRAM)
        narrow.bind(("127.0.0.1", 0))
        narrow.setblocking(False)
        narrow.errors, narrow.first_failure = [], None
        recorder = Recorder()
        protocol = UDPEncapsulation(recorder, "127.0.0.1", narrow)
        BatchingTransport(asyncio.get_running_loop(), narrow, protocol)
        fits, too_large = (Datagram(bytes(n), "127.0.0.1", "127.0.0.1", protocol.udp_port) for n in (1172, 1173))
        protocol.send(too_large)
        protocol.send(fits)
        assert (recorder.refused, recorder.told_mtus) == ([(too_large, True)], [1200])
        assert (recorder.icmp, narrow.errors) == ([], [])
        await recorder.until(lambda: recorder.received == [fits.data])
        protocol.close()

    run(asyncio.SelectorEventLoop, main())
