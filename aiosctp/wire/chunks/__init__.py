"""The chunks (§3.3; RFC 3758, 4820, 6525, 8260), one dataclass a type, and the table that decodes them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Final, TypeAlias

from aiosctp.wire.chunks.alike import AlikeChunks
from aiosctp.wire.chunks.arrived_fragments import ArrivedFragments
from aiosctp.wire.chunks.bulk import Bulk, data_of, decode_bulk
from aiosctp.wire.chunks.common import TAG_REFLECTED
from aiosctp.wire.chunks.control import (
    Abort,
    CookieAck,
    CookieEcho,
    Error,
    Shutdown,
    ShutdownAck,
    ShutdownComplete,
    UnknownChunk,
)
from aiosctp.wire.chunks.data import Data
from aiosctp.wire.chunks.data_format import (
    DATA_BEGINNING,
    DATA_ENDING,
    DATA_FORMAT,
    DATA_HEADER_START,
    DATA_IMMEDIATE,
    DATA_UNORDERED,
    I_DATA_FORMAT,
    DataFields,
    DataFormat,
    encode_data_header,
)
from aiosctp.wire.chunks.forward_tsn import ForwardTsn, IForwardTsn
from aiosctp.wire.chunks.fragments import Fragments
from aiosctp.wire.chunks.heartbeat import Heartbeat, HeartbeatAck
from aiosctp.wire.chunks.i_data import IData
from aiosctp.wire.chunks.init import Init, InitAck
from aiosctp.wire.chunks.nr_sack import NrSack, encode_nr_sack
from aiosctp.wire.chunks.pad import Pad
from aiosctp.wire.chunks.reconfig import ReConfig
from aiosctp.wire.chunks.sack import Sack, SackFields, decode_sack, encode_sack
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.packet import RawChunk, iter_raw_chunks
from aiosctp.wire.tlv import PADDING

__all__ = [
    "DATA_BEGINNING",
    "DATA_ENDING",
    "DATA_FORMAT",
    "DATA_HEADER_START",
    "DATA_IMMEDIATE",
    "DATA_UNORDERED",
    "I_DATA_FORMAT",
    "PADDING",
    "TAG_REFLECTED",
    "Abort",
    "AlikeChunks",
    "ArrivedFragments",
    "Bulk",
    "Chunk",
    "CookieAck",
    "CookieEcho",
    "Data",
    "DataFields",
    "DataFormat",
    "Error",
    "ForwardTsn",
    "Fragments",
    "Heartbeat",
    "HeartbeatAck",
    "IData",
    "IForwardTsn",
    "Init",
    "InitAck",
    "NrSack",
    "Pad",
    "ReConfig",
    "Sack",
    "SackFields",
    "Shutdown",
    "ShutdownAck",
    "ShutdownComplete",
    "UnknownChunk",
    "UserData",
    "data_of",
    "decode_bulk",
    "decode_chunk",
    "decode_chunks",
    "decode_sack",
    "encode_data_header",
    "encode_nr_sack",
    "encode_sack",
]

UserData: TypeAlias = Data | IData
"""What brings user messages, or parts of them."""

Chunk: TypeAlias = (
    Data
    | Init
    | InitAck
    | Sack
    | Heartbeat
    | HeartbeatAck
    | Abort
    | Shutdown
    | ShutdownAck
    | Error
    | CookieEcho
    | CookieAck
    | ShutdownComplete
    | Pad
    | ReConfig
    | IData
    | ForwardTsn
    | IForwardTsn
    | NrSack
    | UnknownChunk
)

_DECODERS: Final[dict[int, Callable[[int, bytes], Chunk]]] = {
    Data.type: Data.decode,
    Init.type: Init.decode,
    InitAck.type: InitAck.decode,
    Sack.type: Sack.decode,
    Heartbeat.type: Heartbeat.decode,
    HeartbeatAck.type: HeartbeatAck.decode,
    Abort.type: Abort.decode,
    Shutdown.type: Shutdown.decode,
    ShutdownAck.type: ShutdownAck.decode,
    Error.type: Error.decode,
    CookieEcho.type: CookieEcho.decode,
    CookieAck.type: CookieAck.decode,
    ShutdownComplete.type: ShutdownComplete.decode,
    Pad.type: Pad.decode,
    ReConfig.type: ReConfig.decode,
    IData.type: IData.decode,
    ForwardTsn.type: ForwardTsn.decode,
    IForwardTsn.type: IForwardTsn.decode,
    NrSack.type: NrSack.decode,
}


def decode_chunk(raw: RawChunk, not_spoken: Collection[int] = ()) -> Chunk:
    """The chunk as a value, or an UnknownChunk; raises DecodeError with the raw chunk in `chunk`.

    not_spoken: types of extensions that were not negotiated, and so are unknown.
    """
    decode = _DECODERS.get(raw.type)
    if decode is None or raw.type in not_spoken:
        return UnknownChunk(*raw)
    try:
        return decode(raw.flags, raw.value)
    except DecodeError as error:
        error.chunk = raw
        raise


def decode_chunks(datagram: bytes, not_spoken: Collection[int] = ()) -> Iterator[Chunk | DecodeError]:
    """The chunks of a packet in order, each a value or a DecodeError of its own.

    A chunk with a bad body leaves the ones after it to be decoded; where a chunk is not whole, its
    DecodeError is the last thing yielded (`packet.iter_raw_chunks`).
    """
    for raw in iter_raw_chunks(datagram):
        if isinstance(raw, DecodeError):
            yield raw
            continue
        try:
            chunk = decode_chunk(raw, not_spoken)
        except DecodeError as error:
            yield error.with_traceback(None)  # kept by its receiver, a traceback would keep these frames
        else:
            yield chunk
