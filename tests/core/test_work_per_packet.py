"""No packet costs more work than its bytes, nor more because much is outstanding, held, or remembered.

Counted in bytecode instructions, for one size and for four times as much (`tests/core/work.py`). A packet of a path MTU
of 1500 holds 365 Gap Ack Blocks, 85 DATA chunks of one byte, 368 empty chunks, or 182 IPv4 addresses.
"""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable

import pytest

from aiosctp.core.states import AssociationState
from aiosctp.wire.causes import UnknownCause, UnrecognizedChunkType
from aiosctp.wire.chunks import (
    Abort,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    Sack,
    Shutdown,
    ShutdownAck,
    UnknownChunk,
)
from aiosctp.wire.parameters import IPv4AddressParameter, StateCookie, UnknownParameter
from tests.core.laws import check_association
from tests.core.many_outstanding import LARGE_WINDOW, open_peer, with_outstanding, z_tsn
from tests.core.scripted import A_INITIAL_TSN, A_RWND, A_TAG, COOKIE, Encodable, Peer
from tests.core.work import assert_constant, assert_linear, flush, instructions, take


def a_tsn(n: int) -> int:
    return (A_INITIAL_TSN + n) & 0xFFFF_FFFF


def with_cookie_wait() -> Peer:
    peer = Peer(LARGE_WINDOW)
    peer.cookie_wait()
    return peer


# -- one packet of so many things --


def whole(n: int) -> Data:
    return Data(a_tsn(n), 0, n & 0xFFFF, 0, b"x")


def fragment(tsn: int, *, beginning: bool = False, ending: bool = False) -> Data:
    return Data(a_tsn(tsn), 0, 0, 0, b"x", beginning=beginning, ending=ending)


def init_with(*parameters: IPv4AddressParameter | UnknownParameter) -> Init:
    return Init(A_TAG + 1, A_RWND, 10, 10, A_INITIAL_TSN, parameters)


def init_ack_with(*parameters: IPv4AddressParameter | UnknownParameter) -> InitAck:
    return InitAck(A_TAG, A_RWND, 10, 10, A_INITIAL_TSN, (*parameters, StateCookie(COOKIE)))


def addresses(count: int) -> list[IPv4AddressParameter]:
    return [IPv4AddressParameter(f"198.51.{100 + n // 250}.{n % 250 + 1}") for n in range(count)]


def unknown_parameters(count: int) -> list[UnknownParameter]:
    return [UnknownParameter(0xC100 | n, b"") for n in range(count)]


PACKETS: dict[str, tuple[int, Callable[[int], list[Encodable]]]] = {
    "DATA in order": (20, lambda n: [whole(i) for i in range(n)]),
    "DATA backwards": (20, lambda n: [whole(n - i) for i in range(n)]),
    "DATA, every second TSN": (20, lambda n: [whole(2 * i + 1) for i in range(n)]),
    "DATA, the same": (20, lambda n: [whole(0)] * n),
    "DATA of streams that are not there": (20, lambda n: [Data(a_tsn(i), 65535, 0, 0, b"x") for i in range(n)]),
    "fragments": (20, lambda n: [fragment(i, beginning=i == 0) for i in range(n)]),
    "HEARTBEATs": (90, lambda n: [Heartbeat(b"")] * n),
    "HEARTBEAT ACKs": (90, lambda n: [HeartbeatAck(b"")] * n),
    "unknown chunks to report": (90, lambda n: [UnknownChunk(0xFE, 0, b"")] * n),
    "unknown chunks to skip": (90, lambda n: [UnknownChunk(0xBE, 0, b"")] * n),
    "SACKs": (20, lambda n: [Sack(0, A_RWND)] * n),
    "SHUTDOWNs": (40, lambda n: [Shutdown(0)] * n),
    "SHUTDOWN ACKs": (90, lambda n: [ShutdownAck()] * n),
    "INIT ACKs": (15, lambda n: [init_ack_with()] * n),
    "COOKIE ECHOs behind another chunk": (90, lambda n: [Heartbeat(b""), *[CookieEcho(b"")] * n]),
    "ERROR with causes": (90, lambda n: [Error(tuple(UnknownCause(0x4000 + i, b"") for i in range(n)))]),
    "ERRORs": (40, lambda n: [Error((UnrecognizedChunkType(b""),))] * n),
    "ABORT with causes": (90, lambda n: [Abort(tuple(UnknownCause(0x4000 + i, b"") for i in range(n)))]),
    "SACK with blocks of nothing": (90, lambda n: [Sack(0xFFFF_FFFF, A_RWND, ((0, 0),) * n)]),
    "SACK with duplicates": (90, lambda n: [Sack(0, A_RWND, (), tuple(range(n)))]),
}


@pytest.mark.parametrize("name", PACKETS)
def test_a_packet_costs_what_its_bytes_cost(name: str) -> None:
    """X36, X52: linear in the chunks, blocks, causes and parameters of one packet, whatever they are."""
    size, chunks = PACKETS[name]

    def cost(count: int) -> int:
        return instructions(take(open_peer(), *chunks(count)))

    assert_linear(cost, size)


def test_fragments_that_are_alike_cost_what_their_bytes_cost() -> None:
    """X36: they are read column by column, and taken one by one."""

    def cost(count: int) -> int:
        peer = open_peer()
        take(peer, fragment(0, beginning=True))()
        return instructions(take(peer, *(fragment(1 + i) for i in range(count))))

    assert_linear(cost, 20)


@pytest.mark.parametrize("name", PACKETS)
def test_a_packet_out_of_the_blue_costs_what_its_bytes_cost(name: str) -> None:
    """X22: §8.4: its chunks are looked at once, whatever they are."""
    size, chunks = PACKETS[name]

    def cost(count: int) -> int:
        return instructions(take(Peer(LARGE_WINDOW), *chunks(count), tag=0xB10E))

    assert_linear(cost, size)


@pytest.mark.parametrize("state", ["nobody", "listening", "established"])
@pytest.mark.parametrize("parameters", [addresses, unknown_parameters])
def test_an_init_costs_what_its_bytes_cost(
    parameters: Callable[[int], list[IPv4AddressParameter | UnknownParameter]], state: str
) -> None:
    """X26: however many addresses it lists, and however much there is to report."""

    def cost(count: int) -> int:
        peer = open_peer() if state == "established" else Peer(LARGE_WINDOW)
        if state == "listening":
            peer.listen()
        return instructions(take(peer, init_with(*parameters(count)), tag=0))

    assert_linear(cost, 40)


@pytest.mark.parametrize("parameters", [addresses, unknown_parameters])
def test_an_init_ack_costs_what_its_bytes_cost(
    parameters: Callable[[int], list[IPv4AddressParameter | UnknownParameter]],
) -> None:
    """X26: the other way round."""

    def cost(count: int) -> int:
        return instructions(take(with_cookie_wait(), init_ack_with(*parameters(count))))

    assert_linear(cost, 40)


def test_a_cookie_costs_what_its_bytes_cost() -> None:
    """R01: a forged one costs two MACs, whatever its length: that work is C's."""

    def cost(size: int) -> int:
        peer = Peer(LARGE_WINDOW)
        peer.cookie_echo()
        return instructions(take(peer, CookieEcho(bytes(size))))

    assert_constant(cost, 250)


# -- SACKs against what is outstanding --


def comb(count: int) -> tuple[tuple[int, int], ...]:
    return tuple((n, n) for n in range(2, 2 * count + 2, 2))


def test_gap_ack_blocks_cost_what_they_acknowledge() -> None:
    """X36, X52: each block, each chunk it acknowledges and each that it leaves missing is looked at once."""

    def cost(count: int) -> int:
        peer = with_outstanding(2 * count + 1)
        return instructions(take(peer, Sack(z_tsn(peer, -1), A_RWND, comb(count))))

    assert_linear(cost, 80)


def test_the_same_sack_again_costs_what_its_bytes_cost() -> None:
    """X52: what changes nothing does not walk what is outstanding."""

    def cost(count: int) -> int:
        peer = with_outstanding(count)
        sack = take(peer, Sack(z_tsn(peer, -1), A_RWND, ((count - 10, count - 8),)))
        sack()
        return instructions(sack)

    assert_constant(cost, 500)


def test_a_sack_that_moves_on_by_one_costs_the_same_however_much_is_outstanding() -> None:
    """X52: the outstanding chunks are taken from the front, not gone through."""

    def cost(count: int) -> int:
        peer = with_outstanding(count)
        sacks = [take(peer, Sack(z_tsn(peer, n), A_RWND)) for n in range(20)]
        return instructions(lambda: [sack() for sack in sacks])

    assert_constant(cost, 500)


def test_one_block_over_everything_costs_what_it_acknowledges() -> None:
    """X36: it is not expanded beyond what is outstanding, and taking it back costs no more than giving it."""

    def cost(count: int) -> int:
        peer = with_outstanding(count)
        all_but_one = take(peer, Sack(z_tsn(peer, -1), A_RWND, ((2, count),)))
        none = take(peer, Sack(z_tsn(peer, -1), A_RWND))
        return instructions(lambda: (all_but_one(), none()))

    assert_linear(cost, 500)


def test_a_timeout_costs_what_it_marks() -> None:
    """§6.3.3 E3: and sending one packet of it again."""

    def cost(count: int) -> int:
        peer = with_outstanding(count)
        peer.now += 10.0

        def work() -> None:
            peer.engine.handle_timeout(peer.now)
            flush(peer)

        return instructions(work)

    assert_linear(cost, 500)


def test_a_fast_retransmit_on_two_paths_costs_what_it_retransmits() -> None:
    """X38: the earliest chunk of a path, for which T3 restarts (§6.1), is not searched for behind all of another's."""

    def cost(count: int) -> int:
        peer = Peer(LARGE_WINDOW, addresses=("192.0.2.1", "192.0.2.2"))
        peer.established("192.0.2.1", "192.0.2.2")
        peer.association.sender.peer_window_advertised(2**31)
        for address in peer.addresses:
            peer.path(address).congestion.cwnd = 2**30
            peer.association.set_primary(peer.path(address))
            peer.user_sends(*[b"x" * 700] * count)
        sacks = [take(peer, Sack(z_tsn(peer, -1), A_RWND, ((2 * count - 2, 2 * count + n),))) for n in (-2, -1, 0)]
        total = instructions(lambda: [sack() for sack in sacks])
        assert peer.association.counters.rtxchunks == 2 * count - 3
        check_association(peer.association)
        return total

    assert_linear(cost, 200)


def test_a_sack_for_the_last_alone_costs_what_it_reports_missing() -> None:
    """X52: three such SACKs mark what is missing; each later one still looks at that once (§7.2.4)."""

    def cost(count: int) -> int:
        peer = with_outstanding(count)
        sacks = [take(peer, Sack(z_tsn(peer, -1), A_RWND, ((count - n, count),))) for n in range(10)]
        return instructions(lambda: [sack() for sack in sacks])

    assert_linear(cost, 250)


# -- reassembly and delivery --


def orders(count: int) -> dict[str, list[int]]:
    shuffled = list(range(count))
    random.Random(1).shuffle(shuffled)
    middle = sorted(range(count), key=lambda n: abs(2 * n - count))
    return {
        "in order": list(range(count)),
        "backwards": list(range(count - 1, -1, -1)),
        "the even ones, then the odd": [*range(0, count, 2), *range(1, count, 2)],
        "the odd ones, then the even backwards": [*range(1, count, 2), *reversed(range(0, count, 2))],
        "from the middle": middle,
        "from both ends": middle[::-1],
        "shuffled": shuffled,
    }


def receive_one_by_one(peer: Peer, chunks: list[Data]) -> None:
    """What the receiver makes of them; the SACKs, whose length is the number of gaps, are not built."""
    receiver, path = peer.association.receiver, peer.path("192.0.2.1")
    for chunk in chunks:
        assert receiver.data_received(chunk, path, peer.now) is None
        receiver.packet_done(peer.now)


@pytest.mark.parametrize("order", orders(1))
def test_fragments_cost_the_same_in_any_order(order: str) -> None:
    """X29, X33: a message of so many fragments, a fragment a packet, is linear in them, join and delivery included."""

    def cost(count: int) -> int:
        peer = open_peer()
        chunks = [fragment(n, beginning=n == 0, ending=n == count - 1) for n in orders(count)[order]]
        total = instructions(lambda: receive_one_by_one(peer, chunks))
        assert [len(message.data) for message in peer.user_reads()] == [count]
        return total

    assert_linear(cost, 150)


@pytest.mark.parametrize("order", orders(1))
def test_messages_cost_the_same_in_any_order(order: str) -> None:
    """X38: those that wait for their turn are released once, not looked at for each that comes."""

    def cost(count: int) -> int:
        peer = open_peer()
        chunks = [whole(n) for n in orders(count)[order]]
        total = instructions(lambda: receive_one_by_one(peer, chunks))
        assert len(peer.user_reads()) == count
        return total

    assert_linear(cost, 150)


def test_a_sack_costs_no_more_than_a_packet_holds() -> None:
    """X29: however many gaps are open, and with each packet that comes then."""

    def cost(count: int) -> int:
        peer = open_peer()
        receive_one_by_one(peer, [whole(2 * n + 1) for n in range(count)])
        flush(peer)
        return instructions(take(peer, whole(2 * count + 1)))

    assert_constant(cost, 500)


def test_a_full_window_costs_the_same_for_each_chunk() -> None:
    """X29, X38, X39: the highest chunk held is found and dropped for each that fills a gap below, not searched for."""

    def cost(count: int) -> int:
        peer = open_peer(LARGE_WINDOW.replace(receive_window_bytes=count * 500))
        packets = [take(peer, whole(n)) for n in range(3 * count, count, -1)]
        return instructions(lambda: [packet() for packet in packets])

    assert_linear(cost, 150)


def test_a_read_costs_the_same_however_much_waits() -> None:
    """X29: reading takes from the front of a queue."""

    def cost(count: int) -> int:
        peer = open_peer()
        for first in range(0, count, 50):
            take(peer, *(whole(n) for n in range(first, first + 50)))()
        return instructions(lambda: [peer.association.receiver.read() for _ in range(20)])

    assert_constant(cost, 500)


def test_reading_parts_costs_what_they_hold() -> None:
    """X33: a message delivered in parts to who wants it whole is collected without copying what was collected."""

    def cost(count: int) -> int:
        peer = open_peer(LARGE_WINDOW.replace(partial_delivery_point_bytes=1))
        packets = [take(peer, fragment(n, beginning=n == 0, ending=n == count - 1)) for n in range(count)]

        def work() -> None:
            for packet in packets:
                packet()
                peer.association.receiver.read()

        return instructions(work)

    assert_linear(cost, 150)


# -- what a stack remembers --


def with_associations(count: int) -> Peer:
    """Z has so many associations with as many ports of A's, and one more, which is the peer's."""
    peer = open_peer()
    for port in range(10_000, 10_000 + count):
        peer.engine.connect(peer.endpoint, peer.addresses, port, udp_port=9899, config=LARGE_WINDOW, now=peer.now)
    flush(peer)
    return peer


WORK: dict[str, Callable[[Peer], Callable[[], None]]] = {
    "a packet": lambda peer: take(peer, Heartbeat(b"x")),
    "a packet out of the blue": lambda peer: take(peer, Heartbeat(b"x"), tag=0xB10E),
    "an INIT": lambda peer: take(peer, init_with(), tag=0),
    "an ABORT": lambda peer: take(peer, Abort()),
}


@pytest.mark.parametrize("name", WORK)
def test_a_packet_costs_the_same_among_many_associations(name: str) -> None:
    """A packet is looked up, not searched for, and wakes nobody else."""
    assert_constant(lambda count: instructions(WORK[name](with_associations(count))), 50)


def test_the_end_of_an_association_costs_the_same_however_many_ended_before() -> None:
    """X29: §5.3.1: the tags that rest are not gone through, nor copied."""

    def peak_bytes(ended: int) -> int:
        peer = open_peer()
        until = peer.now + 60.0
        peer.engine._tags.resting.update((0x1000_0000 + n, until) for n in range(ended))
        abort = take(peer, Abort())
        tracemalloc.start()
        abort()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peer.state is AssociationState.CLOSED
        return peak

    assert peak_bytes(20_000) < peak_bytes(10) + 100_000


def test_tags_that_have_rested_are_forgotten_at_a_price_paid_once() -> None:
    """§5.3.1: as many as have ended since."""

    def cost(ended: int) -> int:
        peer = open_peer()
        peer.engine._tags.resting.update((0x1000_0000 + n, peer.now - 1) for n in range(ended))
        total = instructions(take(peer, Abort()))
        assert len(peer.engine._tags.resting) == 1
        return total

    assert_linear(cost, 1000)
