"""What was said on the simulated wire, a line a packet, for a person to read; or as a file for Wireshark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from os import PathLike
from typing import Final

from aiosctp.arguments import check_int
from aiosctp.core.addresses import is_ipv6
from aiosctp.testing import pcapng
from aiosctp.testing.packet import NOT_ECT, Packet, Passage
from aiosctp.wire.chunks import decode_chunks
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import HEADER_BYTES, decode_header

SCTP_OVER_UDP_PORT: Final = 9899  # RFC 6951 §5.1

_ECN: Final = ("", "ECT(1)", "ECT(0)", "CE")


class Trace:
    """The packets of a network, oldest first: `str(trace)` is a line for each.

    A line tells when the packet was sent, in seconds of virtual time, from where to where, what is in it, and in
    brackets what befell it, unless it simply arrived. This one's SACK reports one gap, and the packet was lost:

        1.230000 192.0.2.1:9899 > 192.0.2.2:9899 SCTP 49152 > 7777 tag=0x5afe0001: SACK cum=9 a_rwnd=131072 gaps=2-4
        duplicates=- [lost]

    Letters after DATA are its flags: I immediate, U unordered, B beginning and E ending of a message. T after ABORT or
    SHUTDOWN_COMPLETE: the tag is reflected.
    """

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = passages

    def __len__(self) -> int:
        return len(self._passages)

    def __iter__(self) -> Iterator[Passage]:
        return iter(self._passages)

    def __repr__(self) -> str:
        return f"<Trace, {len(self)} packets>"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self, newest: int | None = None) -> list[str]:
        """A line for each of the `newest` packets, or of all that are kept."""
        if newest is not None:
            check_int("newest", newest)
            if newest < 0:
                raise ValueError(f"newest must not be negative, and is {newest}")
        left_out = 0 if newest is None else max(0, len(self._passages) - newest)
        return [line(passage) for passage in islice(self._passages, left_out, None)]

    def write_pcapng(self, path: str | PathLike[str]) -> None:
        """Write the packets to a file that Wireshark, tshark and tcpdump read, as they are seen at their sender.

        That is before any fault, and before a NAT: addresses inside it are not translated, which the comment tells.
        Time 0.0 is the beginning of the year 2000. What befell a packet is its comment. Wireshark knows SCTP in UDP by
        port 9899; on any other, it has to be told: `-d udp.port==PORT,sctp`. Raises OSError.
        """
        with open(path, "wb") as file:
            file.write(pcapng.file_header())
            for passage in self._passages:
                file.write(pcapng.packet_block(passage.packet, passage.sent_at_s, "; ".join(_befell(passage))))


def line(passage: Passage) -> str:
    """One packet as text, whatever its bytes are."""
    packet = passage.packet
    source = _address(packet.source, packet.source_port)
    destination = _address(packet.destination, packet.destination_port)
    befell = _befell(passage)
    told = f" [{'; '.join(befell)}]" if befell else ""
    return f"{passage.sent_at_s:.6f} {source} > {destination} {_contents(packet)}{told}"


def _befell(passage: Passage) -> list[str]:
    """What happened to the packet besides arriving as it was."""
    sent, arriving = passage.packet, passage.arriving
    told: list[str] = []
    if passage.fate != "delivered":
        told.append(passage.fate)
    told += passage.faults
    if sent[:2] != arriving[:2]:
        told.append(f"from {_address(arriving.source, arriving.source_port)}")
    if sent[2:4] != arriving[2:4]:
        told.append(f"to {_address(arriving.destination, arriving.destination_port)}")
    return told


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if is_ipv6(host) else f"{host}:{port}"


def _contents(packet: Packet) -> str:
    text = _sctp(packet) or f"UDP {len(packet.data)}B"
    if packet.ecn != NOT_ECT:
        text = f"{_ECN[packet.ecn]} {text}"
    return text


def _sctp(packet: Packet) -> str:
    """The packet as SCTP; nothing when it is none. Off SCTP's own UDP port, only a right checksum shows that it is."""
    data = packet.data
    fault = ""
    try:
        decode_header(data)
    except DecodeError as error:
        if SCTP_OVER_UDP_PORT not in (packet.source_port, packet.destination_port):
            return ""
        fault = str(error)
        if len(data) < HEADER_BYTES:
            return f"SCTP ({fault})"
    ports = f"{int.from_bytes(data[:2], 'big')} > {int.from_bytes(data[2:4], 'big')}"
    told = [f"({fault})"] if fault else []
    for chunk in decode_chunks(data):
        told.append(f"({chunk})" if isinstance(chunk, DecodeError) else str(chunk))
    return f"SCTP {ports} tag=0x{data[4:8].hex()}: {'; '.join(told)}"
