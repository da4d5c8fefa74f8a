"""Chunks that a peer who knows the association, and means it ill, could send: made by the bytes of a Reader."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiosctp.core.association import AssociationEngine
from aiosctp.core.heartbeat import NONCE_BYTES
from aiosctp.wire.causes import (
    Cause,
    InvalidStreamIdentifier,
    OutOfResource,
    StaleCookie,
    UnknownCause,
    UnrecognizedChunkType,
    UserInitiatedAbort,
)
from aiosctp.wire.chunks import (
    Abort,
    CookieAck,
    CookieEcho,
    Data,
    Error,
    ForwardTsn,
    Heartbeat,
    HeartbeatAck,
    IData,
    IForwardTsn,
    Init,
    InitAck,
    NrSack,
    ReConfig,
    Sack,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    decode_chunks,
)
from aiosctp.wire.packet import RawChunk, encode_chunk, iter_raw_chunks
from aiosctp.wire.parameters import (
    CookiePreservative,
    ForwardTsnSupported,
    IPv4AddressParameter,
    IPv6AddressParameter,
    Parameter,
    StateCookie,
    SupportedAddressTypes,
    SupportedExtensions,
    UnknownParameter,
    UnrecognizedParameter,
)
from aiosctp.wire.reconfig import (
    AddIncomingStreamsRequest,
    AddOutgoingStreamsRequest,
    IncomingSsnResetRequest,
    OutgoingSsnResetRequest,
    ReconfigurationParameter,
    ReconfigurationResponse,
    SsnTsnResetRequest,
)
from tests.fuzz.reader import Reader

STRANGER = "203.0.113.9"

_PAYLOAD_BYTES = (1, 4, 40, 700, 1400, 0, 3000)
_WINDOWS_BYTES = (1 << 20, 0, 1, 1499, 1500, 5000, 0xFFFF_FFFF)
_HALF = 0x8000_0000


@dataclass
class Loot:
    """What passed on the wire: packets to repeat and change, and the newest cookie."""

    packets: list[bytes] = field(default_factory=list)
    cookie: bytes = b"no cookie"

    def see(self, packet: bytes) -> None:
        self.packets.append(packet)
        del self.packets[:-16]
        if packet[12] == InitAck.type:
            for chunk in decode_chunks(packet):
                if isinstance(chunk, InitAck):
                    cookies = [each.cookie for each in chunk.parameters if isinstance(each, StateCookie)]
                    self.cookie = cookies[-1] if cookies else self.cookie


class Forger:
    """Makes chunks for one victim. What they say is near what the victim has sent and received."""

    def __init__(self, reader: Reader, victim: AssociationEngine | None, loot: Loot, addresses: Sequence[str]) -> None:
        self._reader = reader
        self._victim = victim
        self._loot = loot
        self._addresses = addresses
        self._makers: tuple[Callable[[], bytes], ...] = (
            self._data,
            self._sack,
            self._data,
            self._reconfig,
            self._raw,
            self._changed,
            self._heartbeat,
            self._heartbeat_ack,
            self._shutdown,
            self._error,
            self._cookie_echo,
            self._init,
            self._init_ack,
            self._plain,
            self._abort,
            self._cut_short,
            self._data_of_the_other_kind,
            self._forward_tsn,
            self._nr_sack,
        )

    def chunk(self) -> bytes:
        return self._reader.choose(self._makers)()

    # -- near what the victim knows --

    def _tsn(self) -> int:
        """Of the data we send: most likely one that the victim has not received."""
        offset = self._reader.offset()
        cumulative = 0 if self._victim is None else self._victim.receiver.cumulative_tsn
        if offset == -128:
            offset = _HALF + self._reader.offset()
        elif offset == -127:
            offset = 0x1_0000 + self._reader.offset()
        return (cumulative + offset) & 0xFFFF_FFFF

    def _acknowledged(self) -> int:
        """Of the data the victim sent: from just below the Cumulative TSN Ack Point to just above the highest."""
        victim, choice = self._victim, self._reader.byte()
        point = 0 if victim is None else victim.sender.cumulative_tsn_ack_point
        outstanding = 0 if victim is None else victim.sender.unacknowledged_chunks
        match choice >> 6:
            case 0:
                return (point + choice % (outstanding + 1)) & 0xFFFF_FFFF
            case 1:
                return (point + outstanding) & 0xFFFF_FFFF
            case 2:
                return (point + outstanding + 1 + (choice & 3)) & 0xFFFF_FFFF
            case _:
                return (point - (choice & 63) + (_HALF if choice == 0xFF else 0)) & 0xFFFF_FFFF

    # -- chunks --

    def _data(self) -> bytes:
        """In the chunk that the victim takes user messages in."""
        return self._user_data(interleaves=self._victim is not None and self._victim.interleaves)

    def _data_of_the_other_kind(self) -> bytes:
        """RFC 8260 §2.2.1: who gets it ends the association, or does not know the chunk."""
        return self._user_data(interleaves=self._victim is None or not self._victim.interleaves)

    def _user_data(self, *, interleaves: bool) -> bytes:
        reader, flags = self._reader, self._reader.byte()
        payload = reader.byte().to_bytes() * reader.choose(_PAYLOAD_BYTES)
        stream = reader.choose((0, 1, 2, 0xFFFF))
        # U, B, E, I
        bits = (bool(flags & 4), not flags & 2, not flags & 1, bool(flags & 8))
        if interleaves:
            return IData(self._tsn(), stream, self._number(), 7, self._number(), payload, *bits).encode()
        ssn = 0 if flags & 0x20 else reader.byte() & 3 if flags & 0x40 else reader.uint16()
        return Data(self._tsn(), stream, ssn, 7, payload, *bits).encode()

    def _sack(self) -> bytes:
        reader = self._reader
        cumulative, a_rwnd, shape = self._acknowledged(), reader.choose(_WINDOWS_BYTES), reader.byte()
        start, gaps = 1, []
        for _ in range(shape & 7):
            start += reader.byte() & 15
            end = start + (reader.byte() & 15)
            gaps.append((start, end))
            start = end + 1
        if shape & 8:
            gaps.reverse()
        if shape & 16:
            gaps.append((reader.uint16(), reader.uint16()))
        duplicates = [self._tsn() for _ in range(shape >> 5)]
        return Sack(cumulative, a_rwnd, tuple(gaps), tuple(duplicates)).encode()

    def _number(self) -> int:
        """Of a message or a fragment: most likely one of the first."""
        choice = self._reader.byte()
        return choice & 7 if choice < 224 else (0xFFFF + choice - 240 if choice < 248 else 0x1_0000_0000 - 256 + choice)

    def _forward_tsn(self) -> bytes:
        """In the format of DATA or of I-DATA."""
        reader, tsn, shape = self._reader, self._tsn(), self._reader.byte()
        skipped = [(reader.choose((0, 1, 2, 0xFFFF)), reader.flag(), self._number()) for _ in range(shape & 7)]
        if shape & 8:
            return IForwardTsn(tsn, tuple(skipped)).encode()
        return ForwardTsn(tsn, tuple((stream, number & 0xFFFF) for stream, _, number in skipped)).encode()

    def _nr_sack(self) -> bytes:
        reader = self._reader
        cumulative, a_rwnd, shape = self._acknowledged(), reader.choose(_WINDOWS_BYTES), reader.byte()
        blocks = [(reader.byte() & 15, reader.byte() & 31) for _ in range(shape & 7)]
        renegable = shape >> 3 & 7
        duplicates = tuple(self._tsn() for _ in range(shape >> 6))
        return NrSack(cumulative, a_rwnd, tuple(blocks[:renegable]), tuple(blocks[renegable:]), duplicates).encode()

    def _reconfig(self) -> bytes:
        """Requests whose numbers are most likely the next ones, and answers to what is in flight."""
        reader = self._reader
        parameters: list[ReconfigurationParameter | UnknownParameter] = []
        for _ in range(1 + reader.byte() % 3):
            number, answered = self._request_numbers()
            streams = tuple(reader.choose((0, 1, 2, 9, 0xFFFF)) for _ in range(reader.byte() & 3))
            options: tuple[ReconfigurationParameter | UnknownParameter, ...] = (
                OutgoingSsnResetRequest(number, answered, self._tsn(), streams),
                IncomingSsnResetRequest(number, streams),
                SsnTsnResetRequest(number),
                AddOutgoingStreamsRequest(number, reader.choose((0, 1, 3, 0xFFFF))),
                AddIncomingStreamsRequest(number, reader.choose((0, 1, 3, 0xFFFF))),
                ReconfigurationResponse(answered, reader.byte() & 7),
                ReconfigurationResponse(answered, 1, self._tsn(), self._acknowledged()),
                UnknownParameter(reader.choose((0x0100, 0x4100, 0x8100, 0xC100)), b"?"),
            )
            parameters.append(reader.choose(options))
        return ReConfig(tuple(parameters)).encode()

    def _request_numbers(self) -> tuple[int, int]:
        """Of a request to the victim, and of one of the victim's."""
        offset = self._reader.choose((0, 0, 0, 1, -1, -2, _HALF))
        reconfig = None if self._victim is None else self._victim.reconfig
        if self._victim is None or reconfig is None:
            tcb = None if self._victim is None else self._victim.tcb
            first, ours = (0, 0) if tcb is None else (tcb.peer_initial_tsn, tcb.local_initial_tsn)
        else:
            first, ours = reconfig.answering.expected_number, reconfig.asking.next_number - 1
        return (first + offset) & 0xFFFF_FFFF, (ours + offset) & 0xFFFF_FFFF

    def _heartbeat(self) -> bytes:
        return Heartbeat(self._reader.take(self._reader.byte() & 63), b"" if self._reader.flag() else b"rest").encode()

    def _heartbeat_ack(self) -> bytes:
        """With the nonce of a HEARTBEAT that waits for its answer, when one does."""
        reader = self._reader
        paths = [] if self._victim is None else list(self._victim.paths)
        pending = [(nonce, path.address) for path in paths for nonce in path.pending_heartbeats]
        if not pending or reader.byte() & 7 == 7:
            return HeartbeatAck(reader.take(reader.byte() & 63)).encode()
        nonce, address = reader.choose(pending)
        host = reader.choose((address, address, STRANGER)).encode()
        return HeartbeatAck(nonce[:NONCE_BYTES] + bytes(8) + host).encode()

    def _shutdown(self) -> bytes:
        return Shutdown(self._acknowledged()).encode()

    def _plain(self) -> bytes:
        reflected = self._reader.byte() >= 128
        chunks = (ShutdownAck().encode(), CookieAck().encode(), ShutdownComplete(reflected).encode())
        return self._reader.choose(chunks)

    def _causes(self) -> tuple[Cause, ...]:
        reader = self._reader
        causes: list[Cause] = []
        for _ in range(reader.byte() & 3):
            options: tuple[Cause, ...] = (
                StaleCookie(reader.byte()),
                UserInitiatedAbort(b"reason"),
                InvalidStreamIdentifier(3),
                UnrecognizedChunkType(b"\xc0\0\0\4"),
                OutOfResource(),
                UnknownCause(0xBAD, b"?"),
            )
            causes.append(reader.choose(options))
        return tuple(causes)

    def _error(self) -> bytes:
        return Error(self._causes()).encode()

    def _abort(self) -> bytes:
        return Abort(self._causes(), self._reader.byte() >= 128).encode()

    def _cookie_echo(self) -> bytes:
        """The newest cookie, most likely as it is."""
        cookie = bytearray(self._loot.cookie)
        changes = self._reader.byte()
        if changes >= 192:
            cookie[self._reader.byte() % len(cookie)] ^= 1 + (changes & 0x3F)
        return CookieEcho(bytes(cookie)).encode()

    def _parameters(self) -> list[Parameter]:
        reader = self._reader
        host = reader.choose((*self._addresses, STRANGER, "127.0.0.1", "0.0.0.0", "224.0.0.1"))
        options: tuple[Parameter, ...] = (
            IPv4AddressParameter(host),
            IPv6AddressParameter("2001:db8::9"),
            CookiePreservative(60_000),
            SupportedAddressTypes((5,)),
            SupportedExtensions((0xC0, 0x82)),
            UnknownParameter(reader.choose((0x0100, 0x4100, 0x8100, 0xC100)), b"?"),
            UnrecognizedParameter(b"\xc1\0\0\4"),
            StateCookie(self._loot.cookie),
            SupportedExtensions((0x82, 0xC0, 0x40, 0xC2, 0x10)),
            ForwardTsnSupported(),
        )
        return [reader.choose(options) for _ in range(reader.byte() & 7)]

    def _init_facts(self) -> tuple[int, int, int, int, int]:
        reader = self._reader
        tags = [1, 0xFFFF_FFFF, 0]
        if self._victim is not None:
            tags += [self._victim.tcb.peer_tag, self._victim.tcb.local_tag]
        return reader.choose(tags), reader.choose(_WINDOWS_BYTES), reader.byte(), reader.byte(), self._tsn()

    def _init(self) -> bytes:
        return Init(*self._init_facts(), tuple(self._parameters())).encode()

    def _init_ack(self) -> bytes:
        parameters = self._parameters()
        if self._reader.byte() < 192:
            parameters.append(StateCookie(b"a cookie of our own"))
        return InitAck(*self._init_facts(), tuple(parameters)).encode()

    # -- anything --

    def _raw(self) -> bytes:
        reader = self._reader
        return encode_chunk(reader.byte(), reader.byte(), reader.take(reader.byte()))

    def _cut_short(self) -> bytes:
        """A length that is not the chunk's."""
        reader = self._reader
        return bytes((reader.byte(), reader.byte())) + reader.uint16().to_bytes(2) + reader.take(reader.byte() & 31)

    def _changed(self) -> bytes:
        """A chunk that was on the wire, with some bytes changed."""
        reader = self._reader
        if not self._loot.packets:
            return self._raw()
        packet = reader.choose(self._loot.packets)
        chunks = [raw for raw in iter_raw_chunks(packet) if isinstance(raw, RawChunk)]
        if not chunks:
            return self._raw()
        encoded = bytearray(encode_chunk(*reader.choose(chunks)))
        for _ in range(reader.byte() & 3):
            encoded[reader.byte() % min(len(encoded), 32)] ^= reader.byte()
        return bytes(encoded)
