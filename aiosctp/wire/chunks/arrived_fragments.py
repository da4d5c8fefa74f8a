"""The short way beside `decode_bulk`: fragments that came in a run of packets, each alone in one.

A large message is nearly all of such. What each needs is done for the whole run in one call: the first to ask for
fragments of it pays for all that follow, of this message and the next ones.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import compress, count, islice, repeat
from operator import ne
from typing import TypeAlias

from crc32c import crc32c

from aiosctp.wire.chunks.bulk import decode_data
from aiosctp.wire.chunks.data_format import DATA_HEADER_START, DATA_UNORDERED, DataFields, DataFormat
from aiosctp.wire.packet import HEADER_BYTES, PORTS_AND_TAG
from aiosctp.wire.serial import TSN_MASK

_Head: TypeAlias = tuple[bytes, int, int, int, int]
"""Of a chunk: type, flags and length; TSN; stream; message number; PPID or FSN."""


class ArrivedFragments:
    """The full packets of a run, from the first on that is asked for, as far as each has the same ports and tag and is
    intact: read as if there were a fragment in each."""

    __slots__ = ("_datagrams", "_format", "_heads", "_overhead_bytes", "_start", "_view", "packet_bytes", "seed")

    def __init__(self, datagrams: bytes, view: memoryview, packet_bytes: int, seed: int, format: DataFormat) -> None:
        """view: of `datagrams`. seed: that of the first eight header bytes of the packets that will be asked for.
        format: that of the association whose they are."""
        self._format = format
        self._overhead_bytes = HEADER_BYTES + format.header_bytes
        self._datagrams = datagrams
        self._view = view
        self.packet_bytes: int = packet_bytes
        self.seed: int = seed
        self._start = -1
        self._heads: list[_Head] = []

    @property
    def payload_bytes(self) -> int:
        """The user data of each; a packet of a run may be too small for any."""
        return self.packet_bytes - self._overhead_bytes

    def take(self, start: int, first: DataFields, tsn: int, most: int) -> tuple[bytes, ...]:
        """The user data of packets from `start` on, so many at most, as far as each has nothing in it but a fragment
        from the middle of the message that `first` began, with this TSN or the next in turn. None came between that
        and `first` that is not of this message."""
        format, index = self._format, self._index(start)
        length = self.packet_bytes - HEADER_BYTES
        head_start = DATA_HEADER_START.pack(format.chunk_type, first[1] & DATA_UNORDERED, length)
        # The TSN and, where the format counts fragments, the FSN count on from one to the next.
        tsns = map(TSN_MASK.__and__, count(tsn))
        lasts = count(tsn - first[3] & TSN_MASK) if format.counts_fragments else repeat(first[6])
        expected = zip(repeat(head_start), tsns, repeat(first[4]), repeat(first[5]), lasts)
        differ = map(ne, islice(self._heads, index, index + most), expected)
        taken = next(compress(count(), differ), min(most, len(self._heads) - index))
        return _payloads(self._overhead_bytes, self.payload_bytes, taken).unpack_from(self._datagrams, start)

    def chunks(self, start: int) -> Sequence[DataFields] | None:
        """What is in the packet at `start`: None unless it is DATA with user data, and nothing else."""
        if self._index(start) >= len(self._heads):
            return None
        return decode_data(self._datagrams, start + HEADER_BYTES, start + self.packet_bytes, self._format)

    def _index(self, start: int) -> int:
        if self._start < 0:
            self._read(start)
        return (start - self._start) // self.packet_bytes

    def _read(self, start: int) -> None:
        datagrams, packet_bytes = self._datagrams, self.packet_bytes
        self._start = start
        intact = self._intact(start, (len(datagrams) - start) // packet_bytes)
        view = self._view[start : start + intact * packet_bytes]
        self._heads = list(_head(self._format, self.payload_bytes).iter_unpack(view))

    def _intact(self, start: int, count: int) -> int:
        """How many of so many packets are (§6.8), and have the ports and the tag of the first."""
        fields = _packets(self.packet_bytes - HEADER_BYTES, count).unpack_from(self._datagrams, start)
        ports_and_tag = self._datagrams[start : start + PORTS_AND_TAG.size]
        checksums = tuple(map(crc32c, fields[2::3], repeat(self.seed)))
        if checksums == fields[1::3] and fields[::3].count(ports_and_tag) == count:
            return count
        for index, (found, right) in enumerate(zip(fields[1::3], checksums, strict=True)):
            if found != right or fields[3 * index] != ports_and_tag:
                return index
        raise AssertionError("one of them is not")


@lru_cache(maxsize=256)
def _packets(chunks_bytes: int, count: int) -> struct.Struct:
    """Of each ports and tag, checksum, chunks."""
    return struct.Struct("<" + f"8sL{chunks_bytes}s" * count)


@lru_cache(maxsize=64)
def _head(format: DataFormat, payload_bytes: int) -> struct.Struct:
    fields = format.header_after_start.format.removeprefix("!")
    return struct.Struct(f"!{HEADER_BYTES}x{fields}{payload_bytes}x")


@lru_cache(maxsize=256)
def _payloads(overhead_bytes: int, payload_bytes: int, count: int) -> struct.Struct:
    return struct.Struct(f"{overhead_bytes}x{payload_bytes}s" * count)
