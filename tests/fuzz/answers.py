"""What an engine may say, and how much, whoever asks."""

from __future__ import annotations

from aiosctp.core.datagram import Datagram
from aiosctp.wire.chunks import (
    Chunk,
    Data,
    IData,
    Init,
    InitAck,
    NrSack,
    Pad,
    Sack,
    ShutdownComplete,
    UserData,
    decode_chunks,
)
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import decode_header, encode_packet

_IP_AND_UDP_BYTES = 28
# An INIT ACK with our cookie in it, and what of an INIT is copied back in it.
_LARGEST_UNKNOWN_ANSWER_BYTES = 1000
_ALONE = (Init, InitAck, ShutdownComplete)


def check_packet(datagram: Datagram, mtu: int) -> None:
    """A packet of ours decodes to what it was made of, and is as §6.10 and §7.3 want it."""
    assert len(datagram.data) + _IP_AND_UDP_BYTES <= mtu or not datagram.dont_fragment
    header = decode_header(datagram.data)
    chunks = _chunks(datagram)
    encoded = encode_packet(*header, [chunk.encode() for chunk in chunks])
    assert encoded == datagram.data, "it is not the canonical form of what it says"
    assert len(chunks) == 1 or not any(isinstance(chunk, _ALONE) for chunk in chunks), "what travels alone"
    seen_data = False
    for chunk in chunks:
        assert isinstance(chunk, UserData) or not seen_data, "control chunks come before user data"
        seen_data = isinstance(chunk, UserData)
    assert header.verification_tag or isinstance(chunks[0], Init), "a tag of 0 is for INIT"


def check_answers(received: bytes, datagrams: list[Datagram], *, is_known: bool) -> None:
    """§12.4: no "more than one packet containing chunks other than DATA chunks"; but a SACK may have to go another way
    than the answer to a HEARTBEAT from an address that is not confirmed (§5.4), and a probe of the path MTU is none."""
    kinds = [{type(chunk) for chunk in _chunks(datagram)} - {Data, IData} for datagram in datagrams]
    kinds = [each for each in kinds if Pad not in each]
    assert sum(bool(each) for each in kinds) <= 2, kinds
    assert sum(bool(each - {Sack, NrSack}) for each in kinds) <= 1, kinds
    if not is_known:
        answered_bytes = sum(len(datagram.data) for datagram in datagrams)
        assert answered_bytes <= _LARGEST_UNKNOWN_ANSWER_BYTES + len(received), f"{answered_bytes} bytes to a stranger"


def _chunks(datagram: Datagram) -> list[Chunk]:
    chunks = []
    for chunk in decode_chunks(datagram.data):
        assert not isinstance(chunk, DecodeError), f"we sent what is malformed: {chunk}"
        chunks.append(chunk)
    assert chunks
    return chunks
