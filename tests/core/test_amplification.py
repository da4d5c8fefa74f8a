"""What a stranger gets for a packet with a forged source: every answer to who is not verified, byte for byte.

Sizes are those on the wire over IPv4: 20 bytes of IP, 8 of UDP, 12 of the SCTP common header, then the chunks. One
packet is answered by one packet at most, no larger than the path MTU, but where our own addresses alone fill more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from aiosctp.wire.chunks import (
    Abort,
    Chunk,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    Heartbeat,
    HeartbeatAck,
    Init,
    InitAck,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
)
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import encode_chunk, encode_packet
from aiosctp.wire.parameters import HostNameAddress, IPv4AddressParameter, Parameter, UnknownParameter
from tests.core.transcript import OUR_PORT, PEER_HOST, PEER_PORT, PEER_TAG, PEER_TSN, UDP_PORT, Bench, Peer

IP_AND_UDP_BYTES = 20 + 8
BLUE_TAG = 0xB10E_B10E
A_RWND = 100_000


def bench_with(addresses: int = 1) -> Bench:
    bench = Bench(addresses=[f"192.0.2.{100 + n}" for n in range(addresses)])
    bench.listen()
    return bench


@dataclass(frozen=True)
class Provocation:
    """One packet to an engine, and what it makes it send."""

    chunk: Chunk | bytes
    tag: int
    answer: type[Chunk]
    bench: Bench = field(default_factory=bench_with)
    host: str = PEER_HOST
    udp_port: int = UDP_PORT

    def bytes_in_and_out(self) -> tuple[int, int]:
        encoded = self.chunk if isinstance(self.chunk, bytes) else self.chunk.encode()
        packet = encode_packet(PEER_PORT, OUR_PORT, self.tag, [encoded])
        self.bench.receive(packet, self.host, self.udp_port, self.bench.addresses[0])
        (sent,) = self.bench.unread
        assert sent.kinds == (self.answer,)
        assert (sent.datagram.destination, sent.datagram.udp_port) == (self.host, self.udp_port)
        return len(packet) + IP_AND_UDP_BYTES, len(sent.datagram.data) + IP_AND_UDP_BYTES


def init(*parameters: Parameter, a_rwnd: int = A_RWND) -> Init:
    return Init(PEER_TAG + 1, a_rwnd, 1, 1, PEER_TSN, parameters)


def victims(count: int) -> tuple[IPv4AddressParameter, ...]:
    return tuple(IPv4AddressParameter(f"198.51.100.{n + 1}") for n in range(count))


def unknown(count: int) -> tuple[UnknownParameter, ...]:
    """As small as a parameter can be, each to be reported."""
    return tuple(UnknownParameter(0xC100 | n, b"") for n in range(count))


def greeting(*parameters: Parameter, addresses: int = 1) -> Provocation:
    return Provocation(init(*parameters), 0, InitAck, bench_with(addresses))


def stale_cookie() -> Provocation:
    bench = bench_with()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.now += 100.0
    return Provocation(CookieEcho(cookie), peer.our_tag, Error, bench)


def replayed_cookie() -> Provocation:
    bench = bench_with()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    peer.send(CookieEcho(cookie))
    bench.unread.clear()
    return Provocation(CookieEcho(cookie), peer.our_tag, CookieAck, bench)


def refused_cookie() -> Provocation:
    bench = bench_with()
    peer = Peer(bench)
    cookie = peer.get_cookie()
    bench.endpoint().backlog = 0
    return Provocation(CookieEcho(cookie), peer.our_tag, Abort, bench)


def restart() -> Provocation:
    bench = bench_with()
    Peer(bench).associate()
    return Provocation(init(), 0, InitAck, bench)


def restart_with_new_addresses() -> Provocation:
    bench = bench_with()
    Peer(bench).associate()
    return Provocation(init(*victims(30)), 0, Abort, bench)


def restart_from_another_udp_port() -> Provocation:
    bench = bench_with()
    Peer(bench).associate()
    return Provocation(init(), 0, Abort, bench, udp_port=40_000)


def shutdown_ack_to_who_calls() -> Provocation:
    bench = bench_with()
    Peer(bench).is_called()
    return Provocation(ShutdownAck(), BLUE_TAG, ShutdownComplete, bench)


def nobody_listens() -> Provocation:
    bench = Bench()
    return Provocation(init(), 0, Abort, bench)


def broken_init() -> Provocation:
    value = init().encode()[4:] + b"\0\5\0\5b"
    return Provocation(encode_chunk(ChunkType.INIT, 0, value), 0, Abort)


# Bytes out for each byte in, at most; and no more than a fiftieth below that, so that the table stays true.
RATIOS: dict[str, tuple[Callable[[], Provocation], float]] = {
    # INIT ACK, whose cookie stands for the state that is not kept (§5.1.3). QUIC allows 3 (RFC 9000 §8.1).
    "INIT": (greeting, 2.74),
    "INIT, many addresses of the peer's": (lambda: greeting(*victims(31)), 1.03),
    "INIT, more addresses than are taken": (lambda: greeting(*victims(180)), 0.22),
    "INIT, one unknown parameter": (lambda: greeting(*unknown(1)), 2.69),
    "INIT, unknown parameters that fill a packet": (lambda: greeting(*unknown(165)), 2.07),
    "INIT, unknown parameters beyond a packet": (lambda: greeting(*unknown(350)), 1.03),
    "INIT for a restart": (restart, 2.74),
    # An operator with so many addresses can tell none of them: `Config.advertise_addresses`.
    "INIT, 2 addresses of ours": (lambda: greeting(addresses=2), 3.2),
    "INIT, 8 addresses of ours": (lambda: greeting(addresses=8), 4.47),
    "INIT, 32 addresses of ours": (lambda: greeting(addresses=32), 9.67),
    # ABORT instead of it.
    "INIT nobody wants": (nobody_listens, 0.74),
    "INIT with an impossible window": (lambda: Provocation(init(a_rwnd=1), 0, Abort), 0.8),
    "INIT with a host name": (lambda: Provocation(init(HostNameAddress(b"x" * 250)), 0, Abort), 0.97),
    "INIT with a host name that is none": (lambda: Provocation(init(HostNameAddress(b"x" * 9000)), 0, Abort), 0.04),
    "INIT that can't be read": (broken_init, 0.71),
    "INIT for a restart with new addresses": (restart_with_new_addresses, 0.94),
    "INIT for a restart from another UDP port": (restart_from_another_udp_port, 0.87),
    # COOKIE ECHO: it needs a cookie of ours, but not the address that it was sent to.
    "stale cookie": (stale_cookie, 0.4),
    "cookie replayed": (replayed_cookie, 0.34),
    "cookie refused": (refused_cookie, 0.37),
    # Out of the blue (§8.4).
    "DATA": (lambda: Provocation(Data(PEER_TSN, 0, 0, 0, b"x"), BLUE_TAG, Abort), 0.74),
    "the smallest chunk": (lambda: Provocation(UnknownChunk(0xFE, 0, b""), BLUE_TAG, Abort), 1.0),
    "HEARTBEAT": (lambda: Provocation(Heartbeat(b"x" * 1000), BLUE_TAG, Abort), 0.05),
    "SHUTDOWN ACK": (lambda: Provocation(ShutdownAck(), BLUE_TAG, ShutdownComplete), 1.0),
    "SHUTDOWN ACK in the handshake": (shutdown_ack_to_who_calls, 1.0),
}


@pytest.mark.parametrize("name", RATIOS)
def test_an_answer_to_a_stranger_is_as_large_as_the_table_says(name: str) -> None:
    """E09, R14, X26: §12.2.4.1: what can be had without a valid source address is little more than what it cost."""
    provoke, stated = RATIOS[name]
    bytes_in, bytes_out = provoke().bytes_in_and_out()
    ratio = bytes_out / bytes_in
    assert stated - 0.02 <= ratio <= stated, f"{bytes_in} bytes get {bytes_out}: {ratio:.3f}"


def test_an_answer_fits_the_path_mtu_whatever_asked_for_it() -> None:
    """X12, X26: or nobody would ever get it."""
    for name, (provoke, _) in RATIOS.items():
        assert provoke().bytes_in_and_out()[1] <= 1500, name


@pytest.mark.parametrize("hidden", ["none", ("192.0.2.100",)])
def test_who_tells_no_addresses_amplifies_as_little_as_with_one(hidden: object) -> None:
    """`Config.advertise_addresses` is how an operator with many addresses gets back to the first row."""
    bench = Bench(addresses=[f"192.0.2.{100 + n}" for n in range(32)], advertise_addresses=hidden)
    bench.listen()
    bytes_in, bytes_out = Provocation(init(), 0, InitAck, bench).bytes_in_and_out()
    assert bytes_out <= 2.74 * bytes_in


def test_a_flood_is_answered_packet_by_packet_and_nothing_follows_later() -> None:
    """E09: §5.1.3: no timer repeats an INIT ACK, nor any other answer."""
    for name, (provoke, _) in RATIOS.items():
        provocation = provoke()
        if name == "SHUTDOWN ACK in the handshake" or provocation.bench.endpoint().associations:
            continue  # the timers of the association
        provocation.bytes_in_and_out()
        provocation.bench.unread.clear()
        provocation.bench.expect_nothing_ever()


def attack_by_listing_addresses(seconds: float) -> tuple[int, int]:
    """A peer that is where it says it is lists 31 victims besides, and keeps the association alive: bytes that it
    sends, and bytes that the victims get."""
    bench = Bench(heartbeat=True)
    bench.listen()
    peer = Peer(bench)
    cookie = peer.get_cookie(*victims(31))
    peer.send(CookieEcho(cookie))
    spent = sum(len(chunk.encode()) + 12 + IP_AND_UDP_BYTES for chunk in (init(*victims(31)), CookieEcho(cookie)))
    received = 0
    for _ in range(int(seconds)):
        bench.advance(1.0)
        for sent in bench.unread:
            assert set(sent.kinds) <= {Heartbeat, CookieAck}
            if sent.datagram.destination != peer.host:
                received += len(sent.datagram.data) + IP_AND_UDP_BYTES
                continue
            for chunk in sent.chunks:
                if isinstance(chunk, Heartbeat):
                    spent += len(chunk.encode()) + 12 + IP_AND_UDP_BYTES
                    peer.send(HeartbeatAck(chunk.info))
        bench.unread.clear()
    return spent, received


def test_victims_that_a_peer_lists_as_its_addresses_get_few_probes() -> None:
    """R12: §5.4: all that an unconfirmed address ever gets, in the first minute and in an hour.

    HB.Max.Burst bounds it: one HEARTBEAT of 76 bytes in an RTO, for all addresses together.
    """
    spent, received = attack_by_listing_addresses(60)
    assert received <= 60 * 76
    assert received <= 6 * spent
    _, received = attack_by_listing_addresses(3600)
    assert received <= 31 * 76 * (1 + 5 + 3600 / 30)
