"""The chunks of the data transfer between two peers, read here without aiosctp.

DATA and I-DATA (RFC 9260 §3.3.1, RFC 8260 §2.1), FORWARD-TSN and I-FORWARD-TSN (RFC 3758 §3.2, RFC 8260 §2.3.1), SACK
and NR-SACK, ABORT and ERROR, and what INIT and INIT ACK say of streams, extensions and the adaptation layer. TSNs are
counted from the initial TSN of the side that chooses them, which is 0.
"""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from tests.interop.relay import Sender

COMMON_HEADER_BYTES = 12
NAMES = {
    0: "DATA",
    1: "INIT",
    2: "INIT ACK",
    3: "SACK",
    6: "ABORT",
    9: "ERROR",
    16: "NR-SACK",
    64: "I-DATA",
    192: "FORWARD-TSN",
    194: "I-FORWARD-TSN",
}
SUPPORTED_EXTENSIONS, FORWARD_TSN_SUPPORTED, ADAPTATION_LAYER = 0x8008, 0xC000, 0xC006


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """One chunk; what a type does not have keeps its default."""

    sender: Sender
    name: str
    flags: int
    packet: int
    """The number of its packet, both senders counted together."""
    at: float
    """When it was on the wire, by the loop's clock."""
    tsn: int = 0
    """Of a SACK the Cumulative TSN Ack, of a FORWARD-TSN the New Cumulative TSN."""
    stream: int = 0
    number: int = 0
    """SSN or MID."""
    fsn: int | None = None
    """None in the first chunk of a message, and in DATA."""
    ppid: int | None = None
    """None where an I-DATA has its FSN."""
    data: bytes = b""
    skipped: tuple[tuple[int, bool, int], ...] = ()
    """Stream, U bit, SSN or MID."""
    a_rwnd: int = 0
    gaps: tuple[tuple[int, int], ...] = ()
    nr_gaps: tuple[tuple[int, int], ...] = ()
    extensions: frozenset[int] = frozenset()
    knows_forward_tsn: bool = False
    """The parameter of RFC 3758 §3.1."""
    outbound_streams: int = 0
    max_inbound_streams: int = 0
    adaptation: int | None = None
    """The parameter of RFC 5061 §4.2.6."""

    @property
    def is_user_data(self) -> bool:
        return self.name in ("DATA", "I-DATA")

    @property
    def ends(self) -> bool:
        return self.flags & 1 != 0

    @property
    def begins(self) -> bool:
        return self.flags & 2 != 0

    @property
    def unordered(self) -> bool:
        return self.flags & 4 != 0

    @property
    def immediate(self) -> bool:
        return self.flags & 8 != 0


Rule: TypeAlias = Callable[[Chunk], bool]


class Tap:
    """A gate for the relay: keeps the chunks it saw, and loses the packets it is told to."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []
        self.lost: list[Chunk] = []
        self._packets = 0
        self._initial_tsn: dict[Sender, int] = {}
        self._rules: list[Rule] = []
        self._saw_more = asyncio.Event()

    def of(self, sender: Sender, *names: str) -> list[Chunk]:
        """What this peer has sent, whether it was lost or not."""
        return [chunk for chunk in self.chunks if chunk.sender == sender and chunk.name in names]

    def user_data(self, sender: Sender) -> list[Chunk]:
        return self.of(sender, "DATA", "I-DATA")

    def names(self, sender: Sender) -> set[str]:
        return {chunk.name for chunk in self.chunks if chunk.sender == sender}

    def lose(self, rule: Rule) -> None:
        """From now on, lose every packet with a chunk of which the rule is true."""
        self._rules.append(rule)

    def lose_all_of(self, sender: Sender, stream: int) -> None:
        """Lose every packet with user data of this stream."""
        self.lose(lambda chunk: chunk.sender == sender and chunk.is_user_data and chunk.stream == stream)

    def lose_once(self, sender: Sender, rule: Rule) -> None:
        """Lose the first transmission of each of this peer's user data chunks of which the rule is true."""
        seen: set[int] = set()

        def first_time(chunk: Chunk) -> bool:
            is_meant = chunk.sender == sender and chunk.is_user_data and chunk.tsn not in seen and rule(chunk)
            if is_meant:
                seen.add(chunk.tsn)
            return is_meant

        self.lose(first_time)

    def lose_nothing(self) -> None:
        self._rules.clear()

    async def until(self, rule: Callable[[], object], *, timeout_s: float = 10.0) -> None:
        """Wait until this is true, asked after every packet."""
        try:
            async with asyncio.timeout(timeout_s):
                while not rule():
                    self._saw_more.clear()
                    await self._saw_more.wait()
        except TimeoutError:
            seen = Counter((chunk.sender, chunk.name) for chunk in self.chunks)
            raise AssertionError(f"not within {timeout_s} s; seen: {seen}") from None

    def __call__(self, sender: Sender, packet: bytes) -> bool:
        self._packets += 1
        chunks = [self._read(sender, *chunk) for chunk in _tlvs(packet[COMMON_HEADER_BYTES:]) if chunk[0] >> 8 in NAMES]
        self.chunks += chunks
        self._saw_more.set()
        # Every rule sees every chunk: some count.
        verdicts = [rule(chunk) for chunk in chunks for rule in self._rules]
        is_lost = any(verdicts)
        if is_lost:
            self.lost += chunks
        return not is_lost

    def _read(self, sender: Sender, head: int, value: bytes) -> Chunk:
        other: Sender = "second" if sender == "first" else "first"
        name, flags = NAMES[head >> 8], head & 0xFF
        fields: dict[str, Any] = {}
        match name:
            case "INIT" | "INIT ACK":
                fields["a_rwnd"], outbound, inbound, self._initial_tsn[sender] = struct.unpack_from(">IHHI", value, 4)
                fields["outbound_streams"], fields["max_inbound_streams"] = outbound, inbound
                parameters = list(_tlvs(value[16:]))
                listed = b"".join(content for kind, content in parameters if kind == SUPPORTED_EXTENSIONS)
                fields["extensions"] = frozenset(listed)
                indications = [content for kind, content in parameters if kind == ADAPTATION_LAYER]
                fields["adaptation"] = int.from_bytes(indications[0], "big") if indications else None
                fields["knows_forward_tsn"] = any(kind == FORWARD_TSN_SUPPORTED for kind, _ in parameters)
            case "DATA":
                tsn, stream, number, ppid = struct.unpack_from(">IHHI", value)
                fields = {"tsn": tsn, "stream": stream, "number": number, "ppid": ppid, "data": value[12:]}
            case "I-DATA":
                tsn, stream, _, number, last = struct.unpack_from(">IHHII", value)
                fields = {"tsn": tsn, "stream": stream, "number": number, "data": value[16:]}
                fields["ppid" if flags & 2 else "fsn"] = last
            case "FORWARD-TSN":
                (fields["tsn"],) = struct.unpack_from(">I", value)
                pairs = struct.iter_unpack(">HH", value[4:])
                fields["skipped"] = tuple((stream, False, number) for stream, number in pairs)
            case "I-FORWARD-TSN":
                (fields["tsn"],) = struct.unpack_from(">I", value)
                triples = struct.iter_unpack(">HHI", value[4:])
                fields["skipped"] = tuple((stream, bits & 1 != 0, number) for stream, bits, number in triples)
            case "SACK":
                fields["tsn"], fields["a_rwnd"], gaps, _ = struct.unpack_from(">IIHH", value)
                fields["gaps"] = _blocks(value, 12, gaps)
            case "NR-SACK":
                fields["tsn"], fields["a_rwnd"], gaps, nr_gaps, _, _ = struct.unpack_from(">IIHHHH", value)
                fields["gaps"] = _blocks(value, 16, gaps)
                fields["nr_gaps"] = _blocks(value, 16 + 4 * gaps, nr_gaps)
        if "tsn" in fields:
            counted_by = other if name in ("SACK", "NR-SACK") else sender
            fields["tsn"] = _since(self._initial_tsn[counted_by], fields["tsn"])
        at = asyncio.get_running_loop().time()
        return Chunk(sender=sender, name=name, flags=flags, packet=self._packets, at=at, **fields)


def _tlvs(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Of each, the first two bytes as a number, and the value."""
    position = 0
    while position + 4 <= len(data):
        head, length = struct.unpack_from(">HH", data, position)
        assert length >= 4
        yield head, data[position + 4 : position + length]
        position += (length + 3) // 4 * 4


def _blocks(value: bytes, position: int, count: int) -> tuple[tuple[int, int], ...]:
    numbers = struct.unpack_from(f">{2 * count}H", value, position)
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def _since(initial: int, number: int) -> int:
    """How far a serial number is after, or before, another."""
    return (number - initial + 2**31) % 2**32 - 2**31
