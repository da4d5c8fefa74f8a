"""A scripted peer that speaks I-DATA (RFC 8260): it announces it, writes its own, and looks at every bit of Z's."""

from __future__ import annotations

import struct
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from aiosctp.config import Config
from aiosctp.core.messages import OutgoingMessage, Terms
from aiosctp.events import AssociationChange, AssociationChangeKind
from aiosctp.wire.chunks import Abort, Error, IData, IForwardTsn, Sack
from aiosctp.wire.parameters import ForwardTsnSupported
from tests.core.laws import check_association
from tests.core.reconfig import script as reconfig
from tests.core.reconfig.script import ONE, QUIET, number
from tests.core.scripted import A_INITIAL_TSN, A_RWND, Packet, Raw, chunks_of

DATA, I_DATA, FORWARD_TSN, I_FORWARD_TSN, RE_CONFIG = 0, 64, 192, 194, 130
PROTOCOL_VIOLATION, UNRECOGNIZED_CHUNK_TYPE, NO_USER_DATA, INVALID_STREAM = 13, 6, 9, 1
E_BIT, B_BIT, U_BIT, I_BIT = 1, 2, 4, 8
HEADER_BYTES = 20
PAYLOAD = 1500 - 20 - 8 - 12 - HEADER_BYTES
"""The user data of a chunk that fills a packet: IPv4, UDP, the common header."""
COMMON_HEADER_BYTES = 12
_I_DATA = struct.Struct("!BBHIHHII")

INTERLEAVING = QUIET.replace(interleaving=True, partial_reliability=True, peer_may_reset_association=True)
BOTH = (I_DATA, I_FORWARD_TSN, RE_CONFIG)


class Sent(NamedTuple):
    """An I-DATA chunk as it stands on the wire, field by field (Figure 3)."""

    type: int
    flags: int
    length: int
    tsn: int
    stream: int
    reserved: int
    mid: int
    last: int
    """PPID with the B bit, FSN without."""
    payload: bytes

    @property
    def is_beginning(self) -> bool:
        return bool(self.flags & B_BIT)

    @property
    def is_ending(self) -> bool:
        return bool(self.flags & E_BIT)

    @property
    def is_unordered(self) -> bool:
        return bool(self.flags & U_BIT)

    @property
    def fsn(self) -> int:
        return 0 if self.is_beginning else self.last

    @property
    def name(self) -> tuple[int, bool, int, int]:
        """Stream, U bit, MID and FSN."""
        return self.stream, self.is_unordered, self.mid, self.fsn


def raw_chunks(packet: Packet) -> Iterator[bytes]:
    """Each chunk's bytes without its padding."""
    data = packet.datagram.data
    start = COMMON_HEADER_BYTES
    while start < len(data):
        length = int.from_bytes(data[start + 2 : start + 4], "big")
        yield data[start : start + length]
        start += length + -length % 4


def raw_of(packets: Iterable[Packet], *types: int) -> list[bytes]:
    return [chunk for packet in packets for chunk in raw_chunks(packet) if chunk[0] in types]


def sent_in(packets: Iterable[Packet]) -> list[Sent]:
    """Every I-DATA chunk."""
    return [Sent._make((*_I_DATA.unpack_from(chunk), chunk[HEADER_BYTES:])) for chunk in raw_of(packets, I_DATA)]


def types_used(packets: Iterable[Packet], *types: int) -> set[int]:
    """Which of these chunk types occur."""
    return {chunk[0] for chunk in raw_of(packets, *types)}


def kinds_of_data(packets: Iterable[Packet]) -> set[int]:
    """The types that user messages went in."""
    return types_used(packets, DATA, I_DATA)


def raw_i_data(
    tsn: int, payload: bytes = b"x", *, stream: int = 0, mid: int = 0, last: int = 0, flags: int = 3, reserved: int = 0
) -> Raw:
    """An I-DATA chunk of these fields, whatever they are."""
    length = HEADER_BYTES + len(payload)
    header = _I_DATA.pack(I_DATA, flags, length, tsn & 0xFFFF_FFFF, stream, reserved, mid, last)
    return Raw(header + payload + bytes(-length % 4))


def raw_i_forward_tsn(tsn: int, *entries: tuple[int, int, int], flags: int = 0) -> Raw:
    """Figure 4: an entry is a stream, the sixteen bits before the MID, and the MID."""
    body = b"".join(struct.pack("!HHI", *entry) for entry in entries)
    return Raw(struct.pack("!BBHI", I_FORWARD_TSN, flags, 8 + len(body), tsn & 0xFFFF_FFFF) + body)


def fragments(payload: bytes, count: int) -> list[bytes]:
    """Cut into so many pieces, the last the rest."""
    size = max(1, len(payload) // count)
    return [*(payload[n * size : (n + 1) * size] for n in range(count - 1)), payload[(count - 1) * size :]]


class _Numbers:
    """What holds of all I-DATA chunks of an association, as far as no message was abandoned half sent."""

    def __init__(self) -> None:
        self.first_seen: dict[int, Sent] = {}
        self.last_tsn: int | None = None
        self.next_mid: dict[tuple[int, bool], int] = {}
        self.begun: dict[int, tuple[bool, int, int]] = {}
        """By stream: U bit and MID of the message begun, and its next FSN."""

    def see(self, chunk: Sent) -> None:
        assert not chunk.flags & 0xF0, "§2.1: Res"
        assert chunk.reserved == 0, "§2.1: Reserved"
        assert chunk.length == HEADER_BYTES + len(chunk.payload) > HEADER_BYTES
        before = self.first_seen.get(chunk.tsn)
        if before is not None:
            same = chunk._replace(flags=chunk.flags & ~I_BIT) == before._replace(flags=before.flags & ~I_BIT)
            assert same, f"{before} was retransmitted as {chunk}"
            return
        self.first_seen[chunk.tsn] = chunk
        assert self.last_tsn is None or chunk.tsn == number(self.last_tsn, 1), "§2.2.2: TSNs go out in sequence"
        self.last_tsn = chunk.tsn
        self._see_number(chunk)

    def _see_number(self, chunk: Sent) -> None:
        key = chunk.stream, chunk.is_unordered
        begun = self.begun.pop(chunk.stream, None)
        if begun is None:
            assert chunk.is_beginning, "§2.2.2: the first fragment has the B bit"
            assert chunk.mid == self.next_mid.get(key, 0), "§2.1: counted from 0, by stream and U bit"
            self.next_mid[key] = number(chunk.mid, 1)
        else:
            assert not chunk.is_beginning, "§2.2.2: one message of a stream at a time"
            assert (chunk.is_unordered, chunk.mid, chunk.fsn) == begun
        if not chunk.is_ending:
            self.begun[chunk.stream] = chunk.is_unordered, chunk.mid, number(chunk.fsn, 1)


class Script(reconfig.Script):
    """A: its messages are I-DATA, unless it has not announced them. `announces` is its Supported Extensions, `pr` its
    Forward-TSN-Supported."""

    def __init__(
        self,
        config: Config = INTERLEAVING,
        *,
        addresses: Collection[str] = (ONE,),
        announces: Collection[int] = BOTH,
        pr: bool = False,
        z_first: int | None = None,
    ) -> None:
        self.numbers: _Numbers | None = _Numbers()
        super().__init__(config, addresses=addresses, announces=announces, z_first=z_first)
        if pr:
            self.parameters = (ForwardTsnSupported(),)

    def opened(self, caller: str = "Z") -> Script:
        """Z has called A, or A has called Z."""
        self.established() if caller == "Z" else self.accepted()
        return self

    # -- Z's --

    def z_sends(
        self,
        *messages: bytes,
        stream: int = 0,
        unordered: bool = False,
        ppid: int = 0,
        lifetime_s: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
    ) -> list[Packet]:
        self.z_queues(
            *messages,
            stream=stream,
            unordered=unordered,
            ppid=ppid,
            lifetime_s=lifetime_s,
            max_retransmits=max_retransmits,
            buffer_priority=buffer_priority,
        )
        return self.touch()

    def z_queues(
        self,
        *messages: bytes,
        stream: int = 0,
        unordered: bool = False,
        ppid: int = 0,
        lifetime_s: float | None = None,
        max_retransmits: int | None = None,
        buffer_priority: int | None = None,
    ) -> None:
        """Its user sends, and nothing goes out until the next `touch`."""
        for message in messages:
            terms = None
            if not lifetime_s is max_retransmits is buffer_priority is None:
                terms = Terms(
                    expires_at_s=None if lifetime_s is None else self.now + lifetime_s,
                    max_retransmits=max_retransmits,
                    buffer_priority=buffer_priority,
                )
            self.association.send(OutgoingMessage(message, stream, ppid, unordered, terms=terms))

    def z_tsn(self, n: int) -> int:
        """The nth TSN of Z's, counted from 0."""
        return number(self.z_initial_tsn, n)

    def z_order(self, tsn: int) -> int:
        """Which of Z's TSNs it is."""
        return signed(tsn - self.z_initial_tsn)

    def sack(self, n: int, *gaps: tuple[int, int], rwnd: int = A_RWND) -> list[Packet]:
        """A -> SACK -> Z; Z's TSNs counted from 0, and gaps as first and last of those that came."""
        blocks = tuple((first - n, last - n) for first, last in gaps)
        return self.send(Sack(self.z_tsn(n), rwnd, blocks))

    def acknowledge_all(self) -> list[Packet]:
        tsns = [chunk.tsn for chunk in sent_in(self.heard)]
        return self.acknowledge(max(tsns, key=lambda tsn: tsn - self.z_initial_tsn & 0xFFFF_FFFF))

    def drain(self) -> list[Packet]:
        """A acknowledges whatever comes until Z has no more; what came."""
        packets: list[Packet] = []
        while new := self.acknowledge_all():
            packets += new
        return packets

    # -- A's --

    def a(self, n: int) -> int:
        """The nth TSN of A's, counted from 0, over the wrap."""
        return number(A_INITIAL_TSN, n)

    def chunk(
        self,
        payload: bytes,
        stream: int = 0,
        mid: int = 0,
        fsn: int = 0,
        *,
        flags: str = "BE",
        tsn: int | None = None,
        ppid: int = 0,
    ) -> IData:
        """With the next TSN, or the nth."""
        if tsn is None:
            taken, self.next_tsn = self.next_tsn, number(self.next_tsn, 1)
        else:
            taken = self.a(tsn)
        return IData(
            taken,
            stream,
            mid,
            ppid,
            fsn,
            payload,
            unordered="U" in flags,
            beginning="B" in flags,
            ending="E" in flags,
            immediate="I" in flags,
        )

    def message(
        self, payload: bytes, stream: int = 0, mid: int = 0, *, count: int, unordered: bool = False
    ) -> list[IData]:
        """In so many fragments, with the next TSNs."""
        last = count - 1
        return [
            self.chunk(piece, stream, mid, fsn, flags="B" * (fsn == 0) + "E" * (fsn == last) + "U" * unordered)
            for fsn, piece in enumerate(fragments(payload, count))
        ]

    def i_says(self, payload: bytes, stream: int = 0, mid: int = 0, *, unordered: bool = False) -> list[Packet]:
        """A -> I-DATA -> Z, a whole message with the next TSN."""
        return self.send(self.chunk(payload, stream, mid, flags="BEU" if unordered else "BE"))

    def gives_up(self, tsn: int, *skipped: tuple[int, bool, int]) -> list[Packet]:
        """A -> I-FORWARD-TSN -> Z up to its nth TSN, which it will use no more."""
        if (number(self.a(tsn), 1) - self.next_tsn) & 0xFFFF_FFFF < 0x8000_0000:
            self.next_tsn = self.a(tsn + 1)
        return self.send(IForwardTsn(self.a(tsn), skipped))

    # -- what came of it --

    @property
    def z_has_reached(self) -> int:
        """The Cumulative TSN Ack of Z's last SACK, delayed or not, as the nth TSN of A's."""
        self.wait(0.3)
        return signed(chunks_of(self.heard, Sack)[-1].cumulative_tsn_ack - A_INITIAL_TSN)

    def check(self) -> None:
        check_association(self.association)

    def is_aborted_for(self, cause: int, packets: list[Packet]) -> None:
        """These packets are Z's ABORT with this cause, and its user has been told."""
        (abort,) = chunks_of(packets, Abort)
        assert [each.code for each in abort.causes] == [cause]
        assert self.changes[-1] is AssociationChangeKind.COMM_LOST
        self.check()

    @property
    def changes(self) -> list[AssociationChangeKind]:
        return [event.change for event in self.events_of(AssociationChange)]

    def poll(self) -> list[Packet]:
        packets = super().poll()
        for fault in self.engine.poll_faults():
            raise fault
        if self.numbers is not None:
            for chunk in sent_in(packets):
                self.numbers.see(chunk)
        return packets


def signed(difference: int) -> int:
    """Of two serial numbers."""
    return ((difference + 0x8000_0000) & 0xFFFF_FFFF) - 0x8000_0000


def error_causes(packets: Iterable[Packet]) -> list[int]:
    return [cause.code for error in chunks_of(packets, Error) for cause in error.causes]


def interleaving(
    config: Config = INTERLEAVING, *, announces: Collection[int] = BOTH, pr: bool = False, z_first: int | None = None
) -> Script:
    """Z has called A, and both have announced I-DATA."""
    peer = Script(config, announces=announces, pr=pr, z_first=z_first).opened()
    assert peer.association.interleaves
    return peer


def announced_by(parameters: Iterable[object]) -> set[int]:
    """What an INIT or INIT ACK lists as Supported Extensions."""
    return {int(each) for parameter in parameters for each in getattr(parameter, "chunk_types", ())}


EVERY_WAY: dict[str, Callable[[Script], None]] = {}
"""Each a way in which Z comes to send user data, for a peer that has not yet an association."""


def _way(function: Callable[[Script], None]) -> Callable[[Script], None]:
    EVERY_WAY[function.__name__.strip("_").replace("_", " ")] = function
    return function


@_way
def _all_kinds_of_messages(peer: Script) -> None:
    peer.opened()
    peer.z_sends(b"ordered")
    peer.z_sends(b"unordered", unordered=True)
    for stream in (2, 3):
        peer.z_sends(*[bytes(100)] * 40, stream=stream)
        peer.z_sends(*[bytes(100)] * 40, stream=stream, unordered=True)
        _acknowledge_whatever_comes(peer)
    peer.z_sends(bytes(3 * PAYLOAD), stream=1)
    peer.z_sends(bytes(3 * PAYLOAD), stream=1, unordered=True)
    _acknowledge_whatever_comes(peer)


@_way
def _an_association_that_the_peer_opened(peer: Script) -> None:
    peer.opened("A")
    peer.z_sends(b"answer")
    peer.z_sends(bytes(3 * PAYLOAD), stream=1)
    _acknowledge_whatever_comes(peer)


@_way
def _streams_that_were_added(peer: Script) -> None:
    peer.opened()
    _, packets = peer.adds_outgoing(2)
    (request,) = reconfig.requests_of(packets)
    peer.answer(request)
    peer.z_sends(b"new", stream=11)


@_way
def _loss_that_t3_finds(peer: Script) -> None:
    peer.opened()
    peer.z_sends(b"lost", bytes(2 * PAYLOAD))
    assert kinds_of_data(peer.wait(8))


@_way
def _loss_that_three_reports_find(peer: Script) -> None:
    peer.opened()
    peer.z_sends(*[bytes(600)] * 5)
    reported = [peer.sack(-1, (1, last)) for last in (1, 2, 3)]
    assert kinds_of_data(reported[-1])


@_way
def _a_closed_window_and_its_probe(peer: Script) -> None:
    peer.opened()
    peer.z_sends(b"closes the window")
    peer.sack(0, rwnd=0)
    peer.z_sends(b"probe", b"rest")
    peer.wait(8)
    assert len(kinds_of_data(peer.heard)) == 1


@_way
def _early_data_with_cookie_echo(peer: Script) -> None:
    peer.cookie_wait()
    peer.z_queues(b"early", stream=1)
    packets = peer.send(peer.init_ack())
    assert kinds_of_data(packets), "§5.1 C: DATA may be bundled with COOKIE ECHO"


@_way
def _what_is_left_at_shutdown(peer: Script) -> None:
    peer.opened()
    peer.z_queues(bytes(20 * PAYLOAD))
    assert kinds_of_data(peer.user_shuts_down())
    _acknowledge_whatever_comes(peer)


def _acknowledge_whatever_comes(peer: Script) -> None:
    packets = peer.heard
    while raw := raw_of(packets, DATA, I_DATA):
        packets = peer.acknowledge(int.from_bytes(raw[-1][4:8], "big"))
