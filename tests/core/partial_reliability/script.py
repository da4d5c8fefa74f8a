"""A scripted peer that speaks FORWARD TSN (RFC 3758): it numbers Z's chunks and its own from 0, over the wrap."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage, Terms
from aiosctp.events import SendFailed
from aiosctp.wire.chunks import Chunk, Data, ForwardTsn, Sack
from aiosctp.wire.codepoints import ChunkType
from aiosctp.wire.packet import encode_chunk
from aiosctp.wire.parameters import ForwardTsnSupported, Parameter
from tests.core.laws import check_association
from tests.core.scripted import A_INITIAL_TSN, A_RWND, Encodable, Packet, Peer, Raw, chunks_of

ONE, TWO = "192.0.2.1", "192.0.2.2"
RTO_S = 1.0
"""RTO.Initial, and RTO.Min: T3 expires 1, 3, 7 and 15 s after the first transmission while A is silent."""
FIRST_TSN = 0xFFFF_FFFD
"""Z's, so that it wraps in nearly every test."""
PAYLOAD = 1444
"""What one DATA chunk takes at most, alone in its packet, at an MTU of 1500 over UDP and IPv4."""
QUIET = Config(
    heartbeat=False,
    path_mtu_discovery=False,
    reconfig=False,
    partial_reliability=True,
    interleaving=False,
    nrsack=False,
)
"""Nothing goes out but what a test asks for, and user messages go as DATA."""
WITHOUT = QUIET.replace(partial_reliability=False)
SUPPORTED = ForwardTsnSupported()
PARAMETER = bytes.fromhex("c0000004")
"""As it stands on the wire."""

ORDERED_0 = ((0, 0),)
"""The entry of the first ordered message of stream 0."""


def number(first: int, n: int = 0) -> int:
    """The nth serial number after the first, over the wrap."""
    return (first + n) & 0xFFFF_FFFF


def distance(first: int, later: int) -> int:
    """How far a serial number is after another; negative when before."""
    return (later - first + 0x8000_0000 & 0xFFFF_FFFF) - 0x8000_0000


def tsn_of(n: int) -> int:
    """A's TSNs, counted from 0."""
    return number(A_INITIAL_TSN, n)


def forward(n: int, *skipped: tuple[int, int]) -> ForwardTsn:
    """A's FORWARD TSN up to its TSN n, with (stream, SSN) entries."""
    return ForwardTsn(tsn_of(n), skipped)


def raw_forward(body: bytes, flags: int = 0) -> Raw:
    """A FORWARD TSN chunk of these bytes."""
    return Raw(encode_chunk(ChunkType.FORWARD_TSN, flags, body))


def data(
    n: int, flags: str = "BE", *, stream: int = 0, ssn: int = 0, payload: bytes | None = None, size: int = 0
) -> Data:
    """A's DATA with its TSN n; flags out of U, B, E and I."""
    return Data(
        tsn_of(n),
        stream,
        ssn,
        0,
        (b"<%d>" % n if payload is None else payload) + bytes(size),
        unordered="U" in flags,
        beginning="B" in flags,
        ending="E" in flags,
        immediate="I" in flags,
    )


def forward_tsns_of(packets: Iterable[Packet]) -> list[ForwardTsn]:
    return chunks_of(packets, ForwardTsn)


def sacks_of(packets: Iterable[Packet]) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
    """Of each SACK the cumulative TSN ack, counted from A's TSN 0, and the Gap Ack Blocks."""
    return [
        (distance(A_INITIAL_TSN, sack.cumulative_tsn_ack), sack.gap_ack_blocks) for sack in chunks_of(packets, Sack)
    ]


class Script(Peer):
    """Every FORWARD TSN that Z ever sends is checked for what holds of all: both sides have announced it, its flags are
    0, no stream is named twice, it gets through the path, it is ahead of what A has acknowledged, it
    ends at the end of a message, and nothing it has passed over is sent again."""

    def __init__(
        self,
        config: Config = QUIET,
        *,
        addresses: Collection[str] = (ONE,),
        announces: Collection[Parameter] = (SUPPORTED,),
        seed: int = 1,
        z_first: int | None = FIRST_TSN,
    ) -> None:
        super().__init__(config, addresses=tuple(addresses), seed=seed)
        self.parameters = tuple(announces)
        self.acknowledged = -1
        """The greatest cumulative TSN ack that A has sent, counted from Z's TSN 0."""
        self.passed_over = -1
        """The greatest New Cumulative TSN of Z, likewise."""
        if z_first is not None:
            dice = random.Random(seed)
            given = iter([0x5A5A_5A5A, z_first])
            self.engine._entropy = self.engine._tags.entropy = lambda size: next(
                given, dice.getrandbits(8 * size)
            ).to_bytes(size)

    # -- Z --

    def queue(
        self,
        payload: bytes | int = b"message",
        *,
        stream: int = 0,
        unordered: bool = False,
        context: int = 0,
        lifetime: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
    ) -> None:
        """Z's user sends a message, and nobody looks yet what comes of it. A number for the payload is its size."""
        terms = None
        if (lifetime, max_retransmits, buffer_priority) != (None, None, None):
            terms = Terms(
                expires_at_s=None if lifetime is None else self.now + lifetime,
                max_retransmits=max_retransmits,
                buffer_priority=buffer_priority,
            )
        payload = bytes(payload) if isinstance(payload, int) else payload
        self.association.send(OutgoingMessage(payload, stream, unordered=unordered, context=context, terms=terms))

    def z_sends(
        self,
        payload: bytes | int = b"message",
        *,
        stream: int = 0,
        unordered: bool = False,
        context: int = 0,
        lifetime: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
    ) -> list[Packet]:
        """Z's user sends a message; what Z puts on the wire at once."""
        self.queue(
            payload,
            stream=stream,
            unordered=unordered,
            context=context,
            lifetime=lifetime,
            max_retransmits=max_retransmits,
            buffer_priority=buffer_priority,
        )
        return self.touch()

    def fills_the_window(self, max_retransmits: int | None = 0, *, lifetime: float | None = None) -> int:
        """Z's user sends messages of one packet each until the cwnd of A's first address is full; how many."""
        path = self.path(self.addresses[0])
        sent = 0
        while path.flight_bytes < path.congestion.cwnd:
            assert len(self.sent(self.z_sends(PAYLOAD, max_retransmits=max_retransmits, lifetime=lifetime))) == 1
            sent += 1
        return sent

    def z_tsn(self, n: int) -> int:
        return number(self.z_initial_tsn, n)

    def n_of(self, tsn: int) -> int:
        """Z's TSNs counted from 0."""
        return distance(self.z_initial_tsn, tsn)

    def sent(self, packets: Iterable[Packet]) -> list[int]:
        """The TSNs of all DATA chunks, counted from 0."""
        return [self.n_of(chunk.tsn) for chunk in chunks_of(packets, Data)]

    def forwards(self, packets: Iterable[Packet]) -> list[tuple[int, tuple[tuple[int, int], ...]]]:
        """Of each FORWARD TSN the New Cumulative TSN, counted from 0, and the entries."""
        return [(self.n_of(chunk.new_cumulative_tsn), chunk.skipped) for chunk in forward_tsns_of(packets)]

    def failures(self) -> list[SendFailed]:
        return self.events_of(SendFailed)

    @property
    def window_bytes(self) -> int:
        """What Z believes of A's receive window."""
        return self.association.sender.peer_rwnd_bytes

    # -- A --

    def sacks(
        self,
        n: int,
        *gaps: tuple[int, int],
        a_rwnd: int = A_RWND,
        source: str | None = None,
    ) -> list[Packet]:
        """A -> SACK -> Z: all up to Z's TSN n, and those from the first to the last of each gap block."""
        self.acknowledged = max(self.acknowledged, n)
        blocks = tuple((first - n, last - n) for first, last in gaps)
        return self.send(Sack(self.z_tsn(n), a_rwnd, blocks), source=source)

    def reports_missing(self, n: int, times: int = 3, *, first: int | None = None) -> list[Packet]:
        """A -> SACKs -> Z that report the TSN after n missing, each with one more TSN behind it."""
        first = n + 2 if first is None else first
        return [packet for each in range(times) for packet in self.sacks(n, (first, first + each))]

    def says(self, *chunks: Chunk | Encodable) -> list[Packet]:
        """A -> a packet for each chunk -> Z."""
        return [packet for chunk in chunks for packet in self.send(chunk)]

    def reads(self) -> list[bytes]:
        return [message.data for message in self.user_reads()]

    def late(self) -> list[Packet]:
        """Half a second: long enough for every delayed SACK."""
        return self.wait(0.5)

    # -- the laws of every chunk that Z sends --

    def poll(self) -> list[Packet]:
        packets = super().poll()
        for packet in packets:
            for chunk in packet.chunks:
                if isinstance(chunk, ForwardTsn):
                    self._check_forward_tsn(chunk, packet)
                elif isinstance(chunk, Data):
                    assert self.n_of(chunk.tsn) > self.passed_over, "DATA that a FORWARD TSN has passed over"
                    assert not self._ended_before(chunk) or chunk.beginning, "a FORWARD TSN ended in a message"
        if self._association is not None:
            check_association(self._association)
        return packets

    def _ended_before(self, chunk: Data) -> bool:
        return self.n_of(chunk.tsn) == self.passed_over + 1 and self.passed_over > self.acknowledged

    def _check_forward_tsn(self, chunk: ForwardTsn, packet: Packet) -> None:
        assert self.association.supports_partial_reliability, "a FORWARD TSN that was not negotiated"
        assert chunk.encode() in packet.datagram.data, "flags that are not 0"
        assert packet.datagram.data.count(bytes([ChunkType.FORWARD_TSN, 0])) >= 1
        streams = [stream for stream, _ in chunk.skipped]
        assert len(streams) == len(set(streams)), "§3.5 C4: a stream that is reported twice"
        fits = len(packet.datagram.data) <= self.path(packet.destination).packet_bytes
        assert fits or not packet.datagram.dont_fragment, "larger than the path takes"
        n = self.n_of(chunk.new_cumulative_tsn)
        assert n > self.acknowledged, "§3.5 C3: only when it is greater than the Cumulative TSN ack"
        assert n >= self.passed_over, "the Advanced.Peer.Ack.Point has gone back"
        self.passed_over = n
        for each in chunks_of(self.heard, Data):
            if self.n_of(each.tsn) == n:
                assert each.ending, "X43: it ends in the midst of a message"
            if self.n_of(each.tsn) == n + 1:
                assert each.beginning, "X43: it ends in the midst of a message"


def established(config: Config = QUIET, *, z_first: int | None = FIRST_TSN) -> Script:
    """Z has opened an association with A, and both have announced FORWARD TSN."""
    peer = Script(config, z_first=z_first)
    peer.established()
    assert peer.association.supports_partial_reliability
    return peer
