"""The error causes of ABORT and ERROR (§3.3.10).

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |          Cause Code           |         Cause Length          |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        /                  Cause-Specific Information                   /
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Each class says what its Cause-Specific Information, `data`, holds. `encode()` leaves the padding to
`tlv.join_tlvs`, which knows which cause is the last.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol, Self, TypeAlias

from aiosctp.wire.codepoints import CauseCode
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.parameters import (
    AddressParameter,
    IPv4AddressParameter,
    IPv6AddressParameter,
    decode_parameters,
)
from aiosctp.wire.tlv import encode_tlv, iter_tlvs, join_tlvs

# Each cause may become an event for the user. A chunk has room for 16382 empty ones, but nobody has more than
# a few things to complain of at once; what comes after this many is not looked at.
MAX_CAUSES: Final = 64

_STREAM_AND_RESERVED: Final = struct.Struct("!HH")
_UINT32: Final = struct.Struct("!L")
_TWO_PORTS: Final = struct.Struct("!HH")


class _HasCodeAndData(Protocol):
    @property
    def code(self) -> int: ...
    @property
    def data(self) -> bytes: ...


class _CauseBase:
    __slots__ = ()

    def encode(self: _HasCodeAndData) -> bytes:
        """Code, length and data, without padding."""
        return encode_tlv(self.code, self.data)


@dataclass(frozen=True, slots=True)
class InvalidStreamIdentifier(_CauseBase):
    """A DATA chunk came on a stream that does not exist: its 16 bits, and 16 reserved (§3.3.10.1)."""

    code: ClassVar[CauseCode] = CauseCode.INVALID_STREAM_IDENTIFIER
    stream: int

    @property
    def data(self) -> bytes:
        return _STREAM_AND_RESERVED.pack(self.stream, 0)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        _check_size(data, _STREAM_AND_RESERVED.size)
        stream, _ = _STREAM_AND_RESERVED.unpack(data)
        return cls(stream)


@dataclass(frozen=True, slots=True)
class MissingMandatoryParameter(_CauseBase):
    """An INIT or INIT ACK lacks parameters: their number in 32 bits, then 16 bits for each (§3.3.10.2)."""

    code: ClassVar[CauseCode] = CauseCode.MISSING_MANDATORY_PARAMETER
    parameter_types: tuple[int, ...]

    @property
    def data(self) -> bytes:
        number = len(self.parameter_types)
        return struct.pack(f"!L{number}H", number, *self.parameter_types)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        if len(data) < _UINT32.size:
            raise DecodeError(f"{len(data)} bytes where a number of parameters is wanted")
        (number,) = _UINT32.unpack_from(data)
        _check_size(data, _UINT32.size + 2 * number)
        return cls(struct.unpack_from(f"!{number}H", data, _UINT32.size))


@dataclass(frozen=True, slots=True)
class StaleCookie(_CauseBase):
    """A valid State Cookie has expired; Measure of Staleness: 32 bits, microseconds (§3.3.10.3)."""

    code: ClassVar[CauseCode] = CauseCode.STALE_COOKIE
    measure_of_staleness_us: int

    @property
    def data(self) -> bytes:
        return _UINT32.pack(self.measure_of_staleness_us)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        _check_size(data, _UINT32.size)
        return cls(*_UINT32.unpack(data))


@dataclass(frozen=True, slots=True)
class _EmptyCause(_CauseBase):
    @property
    def data(self) -> bytes:
        return b""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        _check_size(data, 0)
        return cls()


@dataclass(frozen=True, slots=True)
class OutOfResource(_EmptyCause):
    """The sender is out of resource (§3.3.10.4)."""

    code: ClassVar[CauseCode] = CauseCode.OUT_OF_RESOURCE


@dataclass(frozen=True, slots=True)
class UnresolvableAddress(_CauseBase):
    """An address parameter that cannot be used, complete with type and length (§3.3.10.5)."""

    code: ClassVar[CauseCode] = CauseCode.UNRESOLVABLE_ADDRESS
    parameter: bytes

    @property
    def data(self) -> bytes:
        return self.parameter

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(data)


@dataclass(frozen=True, slots=True)
class UnrecognizedChunkType(_CauseBase):
    """A chunk not understood, complete with type, flags and length (§3.3.10.6)."""

    code: ClassVar[CauseCode] = CauseCode.UNRECOGNIZED_CHUNK_TYPE
    chunk: bytes

    @property
    def data(self) -> bytes:
        return self.chunk

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(data)


@dataclass(frozen=True, slots=True)
class InvalidMandatoryParameter(_EmptyCause):
    """A mandatory parameter of an INIT or INIT ACK has an invalid value (§3.3.10.7)."""

    code: ClassVar[CauseCode] = CauseCode.INVALID_MANDATORY_PARAMETER


@dataclass(frozen=True, slots=True)
class UnrecognizedParameters(_CauseBase):
    """Parameters of the INIT ACK not understood, complete with type and length (§3.3.10.8)."""

    code: ClassVar[CauseCode] = CauseCode.UNRECOGNIZED_PARAMETERS
    parameters: bytes

    @property
    def data(self) -> bytes:
        return self.parameters

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(data)


@dataclass(frozen=True, slots=True)
class NoUserData(_CauseBase):
    """A DATA chunk has no user data: its TSN, 32 bits (§3.3.10.9)."""

    code: ClassVar[CauseCode] = CauseCode.NO_USER_DATA
    tsn: int

    @property
    def data(self) -> bytes:
        return _UINT32.pack(self.tsn)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        _check_size(data, _UINT32.size)
        return cls(*_UINT32.unpack(data))


@dataclass(frozen=True, slots=True)
class CookieReceivedWhileShuttingDown(_EmptyCause):
    """A COOKIE ECHO came in SHUTDOWN-ACK-SENT (§3.3.10.10)."""

    code: ClassVar[CauseCode] = CauseCode.COOKIE_RECEIVED_WHILE_SHUTTING_DOWN


@dataclass(frozen=True, slots=True)
class RestartWithNewAddresses(_CauseBase):
    """An INIT on an existing association added addresses: those, as address parameters (§3.3.10.11)."""

    code: ClassVar[CauseCode] = CauseCode.RESTART_WITH_NEW_ADDRESSES
    addresses: tuple[AddressParameter, ...]

    @property
    def data(self) -> bytes:
        return join_tlvs(self.addresses)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        addresses: list[AddressParameter] = []
        for parameter in decode_parameters(data):
            if not isinstance(parameter, IPv4AddressParameter | IPv6AddressParameter):
                raise DecodeError(f"parameter {parameter.type} where an address is wanted")
            addresses.append(parameter)
        return cls(tuple(addresses))


@dataclass(frozen=True, slots=True)
class UserInitiatedAbort(_CauseBase):
    """Upper Layer Abort Reason: bytes of the user's own (§3.3.10.12)."""

    code: ClassVar[CauseCode] = CauseCode.USER_INITIATED_ABORT
    reason: bytes

    @property
    def data(self) -> bytes:
        return self.reason

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(data)


@dataclass(frozen=True, slots=True)
class ProtocolViolation(_CauseBase):
    """A violation no other cause covers; Additional Information in the sender's words (§3.3.10.13)."""

    code: ClassVar[CauseCode] = CauseCode.PROTOCOL_VIOLATION
    information: bytes

    @property
    def data(self) -> bytes:
        return self.information

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(data)


@dataclass(frozen=True, slots=True)
class RestartWithNewEncapsulationPort(_CauseBase):
    """An INIT on an existing association came from another UDP port: the current one and the new one, 16 bits
    each (draft-tuexen-tsvwg-sctp-udp-encaps-cons)."""

    code: ClassVar[CauseCode] = CauseCode.RESTART_WITH_NEW_ENCAPSULATION_PORT
    current_port: int
    new_port: int

    @property
    def data(self) -> bytes:
        return _TWO_PORTS.pack(self.current_port, self.new_port)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        _check_size(data, _TWO_PORTS.size)
        return cls(*_TWO_PORTS.unpack(data))


@dataclass(frozen=True, slots=True)
class UnknownCause(_CauseBase):
    """A cause of a code not known here, or of a known one whose data is not as that code wants; raw."""

    code: int
    data: bytes


Cause: TypeAlias = (
    InvalidStreamIdentifier
    | MissingMandatoryParameter
    | StaleCookie
    | OutOfResource
    | UnresolvableAddress
    | UnrecognizedChunkType
    | InvalidMandatoryParameter
    | UnrecognizedParameters
    | NoUserData
    | CookieReceivedWhileShuttingDown
    | RestartWithNewAddresses
    | UserInitiatedAbort
    | ProtocolViolation
    | RestartWithNewEncapsulationPort
    | UnknownCause
)

_DECODERS: Final[dict[int, Callable[[bytes], Cause]]] = {
    InvalidStreamIdentifier.code: InvalidStreamIdentifier.decode,
    MissingMandatoryParameter.code: MissingMandatoryParameter.decode,
    StaleCookie.code: StaleCookie.decode,
    OutOfResource.code: OutOfResource.decode,
    UnresolvableAddress.code: UnresolvableAddress.decode,
    UnrecognizedChunkType.code: UnrecognizedChunkType.decode,
    InvalidMandatoryParameter.code: InvalidMandatoryParameter.decode,
    UnrecognizedParameters.code: UnrecognizedParameters.decode,
    NoUserData.code: NoUserData.decode,
    CookieReceivedWhileShuttingDown.code: CookieReceivedWhileShuttingDown.decode,
    RestartWithNewAddresses.code: RestartWithNewAddresses.decode,
    UserInitiatedAbort.code: UserInitiatedAbort.decode,
    ProtocolViolation.code: ProtocolViolation.decode,
    RestartWithNewEncapsulationPort.code: RestartWithNewEncapsulationPort.decode,
}


def decode_causes(data: bytes) -> tuple[Cause, ...]:
    """The causes in data, in order, up to MAX_CAUSES; never raises.

    Causes only explain: an ABORT aborts and an ERROR informs whatever they say. So the list ends before a
    cause that is not whole, and a known code with data of the wrong shape is an UnknownCause.
    """
    causes: list[Cause] = []
    try:
        for code, body in iter_tlvs(data):
            if len(causes) == MAX_CAUSES:
                break
            causes.append(_decode_cause(code, body))
    except DecodeError:
        pass
    return tuple(causes)


def _decode_cause(code: int, data: bytes) -> Cause:
    decode = _DECODERS.get(code)
    if decode is None:
        return UnknownCause(code, data)
    try:
        return decode(data)
    except DecodeError:
        return UnknownCause(code, data)


def _check_size(data: bytes, size: int) -> None:
    if len(data) != size:
        raise DecodeError(f"{len(data)} bytes where {size} are right")
