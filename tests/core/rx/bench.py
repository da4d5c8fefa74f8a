"""A receiver and what tests say to it: chunks by their flags, TSNs counted from one that wraps soon."""

from __future__ import annotations

from collections.abc import Sequence

from aiosctp.config import Config
from aiosctp.core.messages import Message
from aiosctp.core.paths import Path
from aiosctp.core.rx import Receiver
from aiosctp.core.statistics import AssociationCounters
from aiosctp.core.timers import Timer, Timers
from aiosctp.wire.causes import Cause
from aiosctp.wire.checksum import seed
from aiosctp.wire.chunks import (
    DATA_FORMAT,
    Data,
    DataFields,
    DataFormat,
    IData,
    NrSack,
    Sack,
    UserData,
    decode_bulk,
)
from aiosctp.wire.packet import encode_packet
from aiosctp.wire.serial import TSN_MASK

FIRST_TSN = 0xFFFF_FFFE


def tsn_of(n: int) -> int:
    """The TSN of the n-th chunk, counted from 0."""
    return (FIRST_TSN + n) & TSN_MASK


def data(
    n: int, flags: str = "BE", *, ssn: int = 0, stream: int = 0, payload: bytes | int | None = None, ppid: int = 0
) -> Data:
    """The n-th chunk with flags out of I, U, B and E. A number for the payload is its size."""
    if payload is None:
        payload = b"<%d>" % n
    elif isinstance(payload, int):
        payload = bytes([n & 0xFF]) * payload
    return Data(
        tsn_of(n),
        stream,
        ssn,
        ppid,
        payload,
        unordered="U" in flags,
        beginning="B" in flags,
        ending="E" in flags,
        immediate="I" in flags,
    )


def i_data(
    n: int,
    flags: str = "BE",
    *,
    mid: int = 0,
    fsn: int = 0,
    stream: int = 0,
    payload: bytes | int | None = None,
    ppid: int = 0,
) -> IData:
    """As `data`."""
    like = data(n, flags, ssn=mid, stream=stream, payload=payload, ppid=ppid)
    bits = like.unordered, like.beginning, like.ending, like.immediate
    return IData(like.tsn, stream, mid, ppid if like.beginning else 0, fsn, like.payload, *bits)


def decoded(chunks: Sequence[UserData], format: DataFormat = DATA_FORMAT) -> Sequence[DataFields]:
    """What `decode_bulk` makes of a packet with these."""
    packet = encode_packet(1, 2, 3, [chunk.encode() for chunk in chunks])
    bulk = decode_bulk(packet, memoryview(packet), 0, len(packet), seed(packet[:8]), format)
    return [] if bulk is None else bulk[1]


class Bench:
    """One receiver on a clock of its own."""

    def __init__(
        self,
        *,
        inbound_streams: int = 10,
        config: Config | None = None,
        goes_short_way: bool = True,
        format: DataFormat = DATA_FORMAT,
        sends_nr_sacks: bool = False,
    ) -> None:
        self.goes_short_way = goes_short_way
        self.format = format
        self.sends_nr_sacks = sends_nr_sacks
        self.config = config or Config()
        self.timers = Timers()
        self.counters = AssociationCounters()
        self.path = Path("192.0.2.1", "192.0.2.2", 9899, self.config, is_confirmed=True)
        self.now = 1000.0
        self.receiver = self.make_receiver(inbound_streams)

    def make_receiver(self, inbound_streams: int = 10) -> Receiver:
        return Receiver(
            peer_initial_tsn=FIRST_TSN,
            inbound_streams=inbound_streams,
            config=self.config,
            timers=self.timers,
            counters=self.counters,
            format=self.format,
            sends_nr_sacks=self.sends_nr_sacks,
        )

    def packet(self, *chunks: UserData) -> Cause | None:
        """One packet. Returns the first cause, after which an association would look no further."""
        taken = self.receiver.take_in_order(decoded(chunks, self.format), self.path) if self.goes_short_way else 0
        for chunk in chunks[taken:]:
            cause = self.receiver.data_received(chunk, self.path, self.now)
            if cause is not None:
                return cause
        self.receiver.packet_done(self.now)
        self.receiver.check_invariants()
        return None

    def forward(self, n: int, *skipped: tuple[int, bool, int]) -> list[tuple[int, int]]:
        """A packet with a FORWARD TSN or I-FORWARD-TSN up to the n-th chunk."""
        seen = self.receiver.forward_tsn_received(tsn_of(n), skipped, self.path)
        self.receiver.packet_done(self.now)
        self.receiver.check_invariants()
        return seen

    def packets(self, *chunks: UserData) -> None:
        """One packet for each chunk, none of them with a fault."""
        for chunk in chunks:
            assert self.packet(chunk) is None

    def sack(self, room_bytes: int = 1400) -> Sack:
        encoded = self.receiver.build_sack(room_bytes)
        assert len(encoded) <= room_bytes
        return Sack.decode(0, encoded[4:])

    def nr_sack(self, room_bytes: int = 1400) -> NrSack:
        encoded = self.receiver.build_sack(room_bytes)
        assert len(encoded) <= room_bytes
        return NrSack.decode(0, encoded[4:])

    def settled(self) -> Bench:
        """After the first DATA, which is always acknowledged at once: chunk 0 has come and is read."""
        self.packets(data(0, "UBE"))
        assert self.receiver.read() is not None
        self.sack()
        return self

    def sack_is_due(self) -> bool:
        return self.receiver.sack_is_due

    def delay_is_running(self) -> bool:
        return self.timers.is_running(Timer.SACK_DELAY)

    def read_all(self, stream: int | None = None, *, partial: bool = False) -> list[Message]:
        messages: list[Message] = []
        while self.receiver.has_message(stream):
            if (message := self.receiver.read(stream, partial=partial)) is not None:
                messages.append(message)
        self.receiver.check_invariants()
        return messages

    def read_payloads(self, stream: int | None = None, *, partial: bool = False) -> list[bytes]:
        return [message.data for message in self.read_all(stream, partial=partial)]
