"""Runs of datagrams in one piece (GSO, GRO): where the kernel can, where it can't, and where it can no longer."""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

import pytest

from aiosctp.batching import (
    MAX_BYTES_PER_WAKE_UP,
    SOL_UDP,
    UDP_GRO,
    UDP_SEGMENT,
    BatchingTransport,
    batching_carrier,
)
from aiosctp.core.datagram import segments
from aiosctp.sockets import IS_LINUX
from aiosctp.udp import Carrier
from tests.surface.udp_hosts import CARRIERS, LOOPS, Host, LoopFactory, run

pytestmark = pytest.mark.skipif(not IS_LINUX, reason="Linux's socket options")

SEGMENT_BYTES = 1000
# Ten, and a shorter one.
RUN = b"".join(b"%d" % number * SEGMENT_BYTES for number in range(10)) + b"short"
PACKETS = list(segments(RUN, SEGMENT_BYTES))


class OtherKernel(socket.socket):
    """Refuses and does as one that is set, and keeps what was asked of it."""

    def __init__(self) -> None:
        super().__init__(socket.AF_INET, socket.SOCK_DGRAM)
        self.setblocking(False)
        self.bind(("127.0.0.1", 0))
        self.unknown_options: set[int] = set()
        """Of UDP."""
        self.run_errors: list[int] = []
        """What the next calls to send a run fail with."""
        self.max_datagram_bytes = 65507
        self.is_stuck = False
        self.sent: list[tuple[int, int]] = []
        """Bytes and segment size of each call, those that failed included."""

    def setsockopt(self, *args: Any) -> None:
        if args[0] == SOL_UDP and args[1] in self.unknown_options:
            raise OSError(errno.ENOPROTOOPT, "no such option")
        super().setsockopt(*args)

    def sendto(self, *args: Any) -> int:
        self.sent.append((len(args[0]), 0))
        self._refuse(len(args[0]))
        return super().sendto(*args)

    def sendmsg(self, *args: Any) -> int:
        buffers, ((level, option, value),), *_ = args
        assert (level, option) == (SOL_UDP, UDP_SEGMENT)
        segment_bytes = int.from_bytes(value, "little")
        self.sent.append((len(buffers[0]), segment_bytes))
        if not self.is_stuck and self.run_errors:
            raise OSError(self.run_errors.pop(0), "refused")
        self._refuse(segment_bytes)
        return super().sendmsg(*args)

    def _refuse(self, datagram_bytes: int) -> None:
        if self.is_stuck:
            raise BlockingIOError
        if datagram_bytes > self.max_datagram_bytes:
            raise OSError(errno.EMSGSIZE, "too long")


SINGLES = [(len(packet), 0) for packet in PACKETS]
AS_RUN = (len(RUN), SEGMENT_BYTES)


class Pair:
    """`one` sends through `kernel` to `other`."""

    def __init__(self, unknown_options: set[int] | None = None) -> None:
        self.kernel = OtherKernel()
        self.kernel.unknown_options = unknown_options or set()
        self.one, self.other = Host(batching_carrier, udp_socket=self.kernel), Host(batching_carrier)

    def send_run(self) -> None:
        self.one.protocol.send(self.one.run(RUN, SEGMENT_BYTES, self.other))

    def send_single(self, data: bytes) -> None:
        self.one.protocol.send(self.one.datagram(data, self.other))

    async def arrive(self, packets: list[bytes]) -> None:
        """These and no others, and no other before `one` is closed."""
        await self.other.recorder.until(lambda: len(self.other.recorder.packets) >= len(packets))
        self.send_single(b"the last")
        await self.other.recorder.until(lambda: self.other.recorder.packets[-1:] == [b"the last"])
        assert self.other.recorder.packets == [*packets, b"the last"]

    async def close(self) -> None:
        await self.one.close()
        await self.other.close()


@pytest.mark.parametrize("loop_factory", LOOPS)
@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_run_arrives_as_its_datagrams(loop_factory: LoopFactory, carrier: Carrier, host: str) -> None:
    async def main() -> None:
        one, other = Host(carrier, host), Host(batching_carrier, host)
        one.protocol.send(one.run(RUN, SEGMENT_BYTES, other))
        one.protocol.send(one.datagram(b"single", other))
        await other.recorder.until(lambda: other.recorder.packets == [*PACKETS, b"single"])
        for received in (each for batch in other.recorder.batches for each in batch):
            assert received[1:3] == (host, one.protocol.udp_port)
            assert received.segment_bytes in (0, SEGMENT_BYTES)
        await one.close()
        await other.close()

    run(loop_factory, main())


@pytest.mark.parametrize("loop_factory", LOOPS)
def test_a_run_is_one_call_to_send_and_one_to_receive(loop_factory: LoopFactory) -> None:
    async def main() -> None:
        pair = Pair()
        pair.send_run()
        await pair.other.recorder.until(lambda: pair.other.recorder.batches != [])
        assert pair.kernel.sent == [AS_RUN]
        ((received,),) = pair.other.recorder.batches
        assert (received.data, received.segment_bytes) == (RUN, SEGMENT_BYTES)
        await pair.close()

    run(loop_factory, main())


def test_a_datagram_that_came_alone_is_no_run() -> None:
    class Generous(socket.socket):
        def recvmsg(self, *args: Any) -> Any:
            data, _, flags, address = super().recvmsg(*args)
            size = len(data).to_bytes(4, "little")
            return data, [(SOL_UDP, UDP_GRO + 1, size), (SOL_UDP, UDP_GRO, size)], flags, address

    async def main() -> None:
        generous = Generous(socket.AF_INET, socket.SOCK_DGRAM)
        generous.setblocking(False)
        generous.bind(("127.0.0.1", 0))
        one, other = Host(batching_carrier), Host(batching_carrier, udp_socket=generous)
        one.protocol.send(one.datagram(b"alone", other))
        await other.recorder.until(lambda: other.recorder.received == [b"alone"])
        assert other.recorder.batches[0][0].segment_bytes == 0
        await one.close()
        await other.close()

    run(asyncio.SelectorEventLoop, main())


def test_a_receiver_whose_kernel_puts_nothing_together_gets_datagrams() -> None:
    async def main() -> None:
        old = OtherKernel()
        old.unknown_options = {UDP_GRO}
        one, other = Host(batching_carrier), Host(batching_carrier, udp_socket=old)
        one.protocol.send(one.run(RUN, SEGMENT_BYTES, other))
        await other.recorder.until(lambda: other.recorder.received == PACKETS)
        await one.close()
        await other.close()

    run(asyncio.SelectorEventLoop, main())


def test_a_kernel_that_knows_no_runs_is_given_none() -> None:
    """One before 4.18 would send it as a single datagram."""

    async def main() -> None:
        pair = Pair({UDP_SEGMENT})
        pair.send_run()
        await pair.arrive(PACKETS)
        assert pair.kernel.sent[: len(SINGLES)] == SINGLES
        await pair.close()

    run(asyncio.SelectorEventLoop, main())


@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EMSGSIZE], ids=errno.errorcode.get)
def test_a_refused_run_goes_out_one_by_one_and_nothing_is_lost_or_sent_twice(number: int) -> None:
    async def main() -> None:
        pair = Pair()
        pair.kernel.run_errors = [number]
        pair.send_run()
        assert pair.kernel.sent == [AS_RUN, *SINGLES]
        pair.kernel.sent.clear()
        pair.send_run()
        # EIO says what the device can't do; the others may be this route's alone.
        assert pair.kernel.sent == (SINGLES if number == errno.EIO else [AS_RUN])
        await pair.arrive(PACKETS + PACKETS)
        assert not pair.one.recorder.refused
        await pair.close()

    run(asyncio.SelectorEventLoop, main())


def test_a_run_refused_after_the_error_of_another_datagram_goes_out_one_by_one() -> None:
    async def main() -> None:
        pair = Pair()
        pair.kernel.run_errors = [errno.ECONNREFUSED, errno.EIO]
        pair.send_run()
        assert pair.kernel.sent == [AS_RUN, AS_RUN, *SINGLES]
        await pair.arrive(PACKETS)
        assert not pair.one.recorder.refused
        await pair.close()

    run(asyncio.SelectorEventLoop, main())


def test_the_error_of_another_datagram_does_not_cut_a_run() -> None:
    async def main() -> None:
        pair = Pair()
        pair.kernel.run_errors = [errno.ECONNREFUSED]
        pair.send_run()
        assert pair.kernel.sent == [AS_RUN, AS_RUN]
        await pair.arrive(PACKETS)
        assert not pair.one.recorder.refused
        await pair.close()

    run(asyncio.SelectorEventLoop, main())


def test_what_refuses_every_datagram_is_told_once_for_the_run() -> None:
    async def main() -> None:
        pair = Pair()
        pair.kernel.run_errors = [errno.ENETUNREACH, errno.ENETUNREACH]
        pair.send_run()
        assert pair.one.recorder.refused == [(pair.one.run(RUN, SEGMENT_BYTES, pair.other), False)]
        no_interface = pair.one.run(RUN, SEGMENT_BYTES, pair.other)._replace(destination="fe80::1%nowhere0")
        pair.one.protocol.send(no_interface)
        assert pair.one.recorder.refused[1:] == [(no_interface, False)]
        await pair.arrive([])
        await pair.close()

    run(asyncio.SelectorEventLoop, main())


def test_each_datagram_of_a_run_that_the_interface_does_not_take_is_told_as_too_big() -> None:
    async def main() -> None:
        pair = Pair()
        pair.kernel.max_datagram_bytes = SEGMENT_BYTES - 1
        pair.send_run()
        assert pair.one.recorder.refused == [(pair.one.datagram(data, pair.other), True) for data in PACKETS[:-1]]
        await pair.arrive(PACKETS[-1:])
        await pair.close()

    run(asyncio.SelectorEventLoop, main())


def test_a_run_that_may_be_fragmented_goes_out_one_by_one() -> None:
    """§6.9: DF is off for each of them alone."""

    async def main() -> None:
        pair = Pair()
        pair.one.protocol.send(pair.one.run(RUN, SEGMENT_BYTES, pair.other)._replace(dont_fragment=False))
        assert pair.kernel.sent == SINGLES
        await pair.arrive(PACKETS)
        await pair.close()

    run(asyncio.SelectorEventLoop, main())


@pytest.mark.parametrize("loop_factory", LOOPS)
@pytest.mark.parametrize("run_errors", [[], [errno.EIO], [errno.EMSGSIZE]], ids=["taken", "EIO", "EMSGSIZE"])
def test_a_full_socket_keeps_runs_in_order_and_sends_them_once(
    loop_factory: LoopFactory, run_errors: list[int]
) -> None:
    async def main() -> None:
        pair = Pair()
        pair.kernel.is_stuck = True
        pair.send_single(b"before")
        pair.send_run()
        pair.send_single(b"after")
        pair.send_run()
        assert pair.kernel.sent == [(6, 0)]
        pair.kernel.run_errors = run_errors.copy()
        pair.kernel.is_stuck = False
        await pair.arrive([b"before", *PACKETS, b"after", *PACKETS])
        assert not pair.one.recorder.refused
        await pair.close()

    run(loop_factory, main())


def test_a_socket_that_fills_within_a_refused_run_keeps_the_rest_of_it() -> None:
    async def main() -> None:
        pair = Pair()
        pair.kernel.is_stuck = True
        pair.send_run()
        pair.kernel.is_stuck = False
        pair.kernel.run_errors = [errno.EIO]
        taken = 3
        take = pair.kernel.sendto

        def take_some(*args: Any) -> int:
            nonlocal taken
            taken -= 1
            if taken == -1:
                raise BlockingIOError
            return take(*args)

        pair.kernel.sendto = take_some  # type: ignore[method-assign]  # the kernel's buffer fills up once
        await pair.other.recorder.until(lambda: len(pair.other.recorder.packets) == len(PACKETS))
        await pair.arrive(PACKETS)
        await pair.close()

    run(asyncio.SelectorEventLoop, main())


def test_the_bound_of_what_waits_counts_the_datagrams_of_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiosctp.batching.MAX_UNSENT_DATAGRAMS", 2 * len(PACKETS))

    async def main() -> None:
        pair = Pair()
        pair.kernel.is_stuck = True
        for _ in range(3):
            pair.send_run()
        a_run = pair.one.run(RUN, SEGMENT_BYTES, pair.other)
        assert pair.one.recorder.refused == [(a_run, False)]
        pair.send_single(b"one more")
        assert len(pair.one.recorder.refused) == 2
        # Of those that are sent room becomes free, one by one or all at once.
        pair.kernel.run_errors = [errno.EMSGSIZE]
        pair.kernel.is_stuck = False
        await pair.other.recorder.until(lambda: len(pair.other.recorder.packets) == 2 * len(PACKETS))
        pair.kernel.is_stuck = True
        for _ in range(3):
            pair.send_run()
        assert len(pair.one.recorder.refused) == 3
        pair.kernel.is_stuck = False
        await pair.close()

    run(asyncio.SelectorEventLoop, main())


def test_one_wake_up_takes_many_bytes_within_a_bound() -> None:
    async def main() -> None:
        one, other = Host(batching_carrier), Host(batching_carrier)
        large = bytes(60 * SEGMENT_BYTES)
        for _ in range(12):
            one.protocol.send(one.run(large, SEGMENT_BYTES, other))
        await other.recorder.until(lambda: len(other.recorder.packets) == 12 * 60)
        sizes = [sum(len(each.data) for each in batch) for batch in other.recorder.batches]
        assert len(sizes) > 1
        assert max(sizes) < MAX_BYTES_PER_WAKE_UP + len(large)
        await one.close()
        await other.close()

    run(asyncio.SelectorEventLoop, main())


def test_those_who_sent_are_told_apart_within_a_wake_up() -> None:
    """They are named anew only where the address changes."""

    async def main() -> None:
        hosts = [Host(batching_carrier, host) for host in ("127.0.0.2", "127.0.0.3", "127.0.0.2")]
        other = Host(batching_carrier)
        order = [0, 0, 1, 2, 0, 1, 1]
        for number in order:
            hosts[number].protocol.send(hosts[number].datagram(b"%d" % number, other))
        await other.recorder.until(lambda: len(other.recorder.packets) == len(order))
        received = [each for batch in other.recorder.batches for each in batch]
        for one, number in zip(received, order, strict=True):
            sender = hosts[number].protocol
            assert one == (b"%d" % number, sender.local_host, sender.udp_port, 0)
        for host in (*hosts, other):
            await host.close()

    run(asyncio.SelectorEventLoop, main())


def test_a_transport_that_is_closing_drops_a_run() -> None:
    async def main() -> None:
        pair = Pair()
        transport = BatchingTransport(asyncio.get_running_loop(), pair.kernel, pair.one.protocol)
        transport.close()
        assert transport.send_run(RUN, ("127.0.0.1", pair.other.protocol.udp_port), SEGMENT_BYTES)
        assert not pair.kernel.sent
        await pair.other.close()

    run(asyncio.SelectorEventLoop, main())
