"""The parameters of RE-CONFIG (RFC 6525 §4). They "MUST NOT appear in any other chunk type".

Each class says what its Parameter Value, `body`, holds; the header before it is every parameter's (`parameters.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Self, TypeAlias

from aiosctp.wire.codepoints import ParameterType
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.parameters import ParameterBase, UnknownParameter
from aiosctp.wire.tlv import iter_tlvs

_OUTGOING: Final = struct.Struct("!LLL")
_NUMBER: Final = struct.Struct("!L")
_RESPONSE: Final = struct.Struct("!LL")
_NEXT_TSNS: Final = struct.Struct("!LL")
_ADD: Final = struct.Struct("!LHH")


@dataclass(frozen=True, slots=True)
class OutgoingSsnResetRequest(ParameterBase):
    """Resets some of its sender's outgoing streams, or all when none is listed (RFC 6525 §4.1).

    Request number, response number, the sender's last assigned TSN: 32 bits each; then 16 bits for each stream.
    """

    type: ClassVar[ParameterType] = ParameterType.OUTGOING_SSN_RESET_REQUEST
    request_sequence_number: int
    response_sequence_number: int
    last_assigned_tsn: int
    streams: tuple[int, ...] = ()

    @property
    def body(self) -> bytes:
        numbers = self.request_sequence_number, self.response_sequence_number, self.last_assigned_tsn
        return _OUTGOING.pack(*numbers) + _encode_streams(self.streams)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        streams = _decode_streams(body, _OUTGOING.size, cls.type)
        request, response, last_assigned_tsn = _OUTGOING.unpack_from(body)
        return cls(request, response, last_assigned_tsn, streams)

    def __str__(self) -> str:
        return (
            f"out req={self.request_sequence_number} resp={self.response_sequence_number} "
            f"last_tsn={self.last_assigned_tsn} streams={_listed(self.streams)}"
        )


@dataclass(frozen=True, slots=True)
class IncomingSsnResetRequest(ParameterBase):
    """Asks the peer to reset some of its outgoing streams, or all when none is listed (RFC 6525 §4.2).

    Request number: 32 bits; then 16 bits for each stream.
    """

    type: ClassVar[ParameterType] = ParameterType.INCOMING_SSN_RESET_REQUEST
    request_sequence_number: int
    streams: tuple[int, ...] = ()

    @property
    def body(self) -> bytes:
        return _NUMBER.pack(self.request_sequence_number) + _encode_streams(self.streams)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        streams = _decode_streams(body, _NUMBER.size, cls.type)
        (request,) = _NUMBER.unpack_from(body)
        return cls(request, streams)

    def __str__(self) -> str:
        return f"in req={self.request_sequence_number} streams={_listed(self.streams)}"


@dataclass(frozen=True, slots=True)
class SsnTsnResetRequest(ParameterBase):
    """Asks to begin the TSNs, and the SSNs of all streams both ways, anew (RFC 6525 §4.3). Request number: 32 bits."""

    type: ClassVar[ParameterType] = ParameterType.SSN_TSN_RESET_REQUEST
    request_sequence_number: int

    @property
    def body(self) -> bytes:
        return _NUMBER.pack(self.request_sequence_number)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        _check_size(body, cls.type, _NUMBER.size)
        return cls(*_NUMBER.unpack(body))

    def __str__(self) -> str:
        return f"ssn_tsn req={self.request_sequence_number}"


@dataclass(frozen=True, slots=True)
class ReconfigurationResponse(ParameterBase):
    """What became of a request (RFC 6525 §4.4).

    Response number (that of the request) and result: 32 bits each. In the response to an SSN/TSN reset also the TSN
    that its sender, and the one that its receiver will send next: "Either both optional fields ... MUST be present, or
    no field". result: a `ReconfigurationResult`, or another number that the peer sent.
    """

    type: ClassVar[ParameterType] = ParameterType.RECONFIGURATION_RESPONSE
    response_sequence_number: int
    result: int
    sender_next_tsn: int | None = None
    receiver_next_tsn: int | None = None

    @property
    def body(self) -> bytes:
        fixed = _RESPONSE.pack(self.response_sequence_number, self.result)
        if self.sender_next_tsn is None or self.receiver_next_tsn is None:
            return fixed
        return fixed + _NEXT_TSNS.pack(self.sender_next_tsn, self.receiver_next_tsn)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        _check_size(body, cls.type, _RESPONSE.size, _RESPONSE.size + _NEXT_TSNS.size)
        if len(body) == _RESPONSE.size:
            return cls(*_RESPONSE.unpack(body))
        return cls(*_RESPONSE.unpack_from(body), *_NEXT_TSNS.unpack_from(body, _RESPONSE.size))

    def __str__(self) -> str:
        tsns = "" if self.sender_next_tsn is None else f" tsns={self.sender_next_tsn},{self.receiver_next_tsn}"
        return f"resp={self.response_sequence_number} result={self.result}{tsns}"


@dataclass(frozen=True, slots=True)
class _AddStreamsRequest(ParameterBase):
    """Request number: 32 bits; how many: 16 bits; 16 more are reserved."""

    type: ClassVar[ParameterType]
    request_sequence_number: int
    new_streams: int

    @property
    def body(self) -> bytes:
        return _ADD.pack(self.request_sequence_number, self.new_streams, 0)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        _check_size(body, cls.type, _ADD.size)
        return cls(*_ADD.unpack(body)[:2])


@dataclass(frozen=True, slots=True)
class AddOutgoingStreamsRequest(_AddStreamsRequest):
    """Adds so many outgoing streams of its sender's (RFC 6525 §4.5)."""

    type: ClassVar[ParameterType] = ParameterType.ADD_OUTGOING_STREAMS_REQUEST

    def __str__(self) -> str:
        return f"add_out req={self.request_sequence_number} new={self.new_streams}"


@dataclass(frozen=True, slots=True)
class AddIncomingStreamsRequest(_AddStreamsRequest):
    """Asks the peer to add so many outgoing streams (RFC 6525 §4.6)."""

    type: ClassVar[ParameterType] = ParameterType.ADD_INCOMING_STREAMS_REQUEST

    def __str__(self) -> str:
        return f"add_in req={self.request_sequence_number} new={self.new_streams}"


ReconfigurationRequest: TypeAlias = (
    OutgoingSsnResetRequest
    | IncomingSsnResetRequest
    | SsnTsnResetRequest
    | AddOutgoingStreamsRequest
    | AddIncomingStreamsRequest
)

ReconfigurationParameter: TypeAlias = ReconfigurationRequest | ReconfigurationResponse

_DECODERS: Final[dict[int, Callable[[bytes], ReconfigurationParameter]]] = {
    OutgoingSsnResetRequest.type: OutgoingSsnResetRequest.decode,
    IncomingSsnResetRequest.type: IncomingSsnResetRequest.decode,
    SsnTsnResetRequest.type: SsnTsnResetRequest.decode,
    ReconfigurationResponse.type: ReconfigurationResponse.decode,
    AddOutgoingStreamsRequest.type: AddOutgoingStreamsRequest.decode,
    AddIncomingStreamsRequest.type: AddIncomingStreamsRequest.decode,
}


def decode_reconfiguration(data: bytes) -> tuple[ReconfigurationParameter | UnknownParameter, ...]:
    """All parameters in data, in order. Raises DecodeError when one is not whole, or of a wrong size.

    One of a type not known here is kept, and so is what follows it: where the processing stops is for the core.
    """
    parameters: list[ReconfigurationParameter | UnknownParameter] = []
    for type, body in iter_tlvs(data):
        decode = _DECODERS.get(type)
        parameters.append(UnknownParameter(type, body) if decode is None else decode(body))
    return tuple(parameters)


def _encode_streams(streams: tuple[int, ...]) -> bytes:
    return struct.pack(f"!{len(streams)}H", *streams)


def _decode_streams(body: bytes, offset: int, type: ParameterType) -> tuple[int, ...]:
    """RFC 6525 §4.1, §4.2: the length "MUST be" that of the fixed fields and "2 * N"."""
    if len(body) < offset or len(body) & 1:
        raise DecodeError(f"{type.name} of {len(body)} bytes", parameter_type=type)
    return struct.unpack_from(f"!{(len(body) - offset) // 2}H", body, offset)


def _check_size(body: bytes, type: ParameterType, *sizes: int) -> None:
    if len(body) not in sizes:
        raise DecodeError(f"{type.name} of {len(body)} bytes", parameter_type=type)


def _listed(streams: tuple[int, ...]) -> str:
    return ",".join(map(str, streams)) or "all"
