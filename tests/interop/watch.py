"""What two peers say of streams on the wire, read here without aiosctp and written as RFC 6525 does in appendix A.

Each packet is a list of its chunks, of which these are told:

    DATA:STREAM/SSN
    OUT-REQ:X,Y,T/1,2       request X, response Y, the sender's last assigned TSN, streams (none: all)
    IN-REQ:X/1,2
    TSN-REQ:X
    RESP:X=RESULT           with /S-TSN=T,R-TSN=T where it has them
    ADD_OUT_STRMS:X/3
    ADD_IN_STRMS:X/3

Parameters of one RE-CONFIG chunk are joined by "|". Request numbers and TSNs are counted from the initial TSN of
the side that chooses them, which is 0.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator

from tests.interop.relay import Sender

COMMON_HEADER_BYTES = 12
DATA, INIT, INIT_ACK, RE_CONFIG = 0, 1, 2, 130


class Watch:
    """A gate for the relay: keeps what it saw, and loses what it is told to."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._initial_tsn: dict[Sender, int] = {}
        self._to_lose: list[tuple[Sender, str]] = []
        self._saw_more = asyncio.Event()

    @property
    def reconfig(self) -> list[str]:
        """The RE-CONFIG chunks: "> " before those of the first peer, "< " before the second's."""
        return [told for told in self.seen if "DATA" not in told]

    @property
    def all_lost(self) -> bool:
        """Whether everything that was to be lost has been."""
        return not self._to_lose

    def lose(self, sender: Sender, beginning: str) -> None:
        """Lose the next packet of this peer with a chunk that begins so; it counts as seen."""
        self._to_lose.append((sender, beginning))

    async def saw(self, words: str, *, times: int = 1, timeout_s: float = 10.0) -> None:
        """Wait until this has been seen so often."""
        try:
            async with asyncio.timeout(timeout_s):
                while self.seen.count(words) < times:
                    self._saw_more.clear()
                    await self._saw_more.wait()
        except TimeoutError:
            raise AssertionError(f"not {times} times {words!r} within {timeout_s} s: {self.seen}") from None

    def __call__(self, sender: Sender, packet: bytes) -> bool:
        chunks = _tlvs(packet[COMMON_HEADER_BYTES:], ">BxH")
        told = [words for chunk in chunks for words in self._tell(sender, *chunk)]
        self.seen += [f"{'>' if sender == 'first' else '<'} {words}" for words in told]
        self._saw_more.set()
        for loss in self._to_lose:
            if loss[0] == sender and any(words.startswith(loss[1]) for words in told):
                self._to_lose.remove(loss)
                return False
        return True

    def _tell(self, sender: Sender, chunk_type: int, value: bytes) -> Iterator[str]:
        if chunk_type in (INIT, INIT_ACK):
            (self._initial_tsn[sender],) = struct.unpack_from(">I", value, 12)
        elif chunk_type == DATA:
            _, stream, ssn = struct.unpack_from(">IHH", value)
            yield f"DATA:{stream}/{ssn}"
        elif chunk_type == RE_CONFIG:
            yield "|".join(self._tell_parameter(sender, *parameter) for parameter in _tlvs(value, ">HH"))

    def _tell_parameter(self, sender: Sender, parameter_type: int, value: bytes) -> str:
        other: Sender = "second" if sender == "first" else "first"
        number, *more = struct.unpack_from(f">{len(value) // 4}I", value)
        mine, theirs = self._initial_tsn[sender], self._initial_tsn[other]
        match parameter_type:
            case 13:
                streams = _tell_streams(value[12:])
                return f"OUT-REQ:{_since(mine, number)},{_since(theirs, more[0])},{_since(mine, more[1])}{streams}"
            case 14:
                return f"IN-REQ:{_since(mine, number)}{_tell_streams(value[4:])}"
            case 15:
                return f"TSN-REQ:{_since(mine, number)}"
            case 16:
                tsns = f"/S-TSN={_since(mine, more[1])},R-TSN={_since(theirs, more[2])}" if more[1:] else ""
                return f"RESP:{_since(theirs, number)}={more[0]}{tsns}"
            case 17 | 18:
                name = "ADD_OUT_STRMS" if parameter_type == 17 else "ADD_IN_STRMS"
                return f"{name}:{_since(mine, number)}/{more[0] >> 16}"
        raise AssertionError(f"a RE-CONFIG chunk with parameter {parameter_type}")


def _tlvs(data: bytes, header: str) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position + 4 <= len(data):
        type_, length = struct.unpack_from(header, data, position)
        assert length >= 4
        yield type_, data[position + 4 : position + length]
        position += (length + 3) // 4 * 4


def _since(initial: int, number: int) -> int:
    """How far a serial number is after, or before, another."""
    return (number - initial + 2**31) % 2**32 - 2**31


def _tell_streams(numbers: bytes) -> str:
    streams = struct.unpack(f">{len(numbers) // 2}H", numbers)
    return "/" + ",".join(map(str, streams)) if streams else ""
