"""The parameters of INIT, INIT ACK, HEARTBEAT and HEARTBEAT ACK (§3.2.1, §3.3.2.1, §3.3.3.1, §3.3.5).

         0                   1                   2                   3
         0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        |        Parameter Type         |       Parameter Length        |
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
        /                        Parameter Value                        /
        +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+

Each class says what its Parameter Value, `body`, holds. `encode()` leaves the padding to `tlv.join_tlvs`,
which knows which parameter is the last. A `host` is text as `ipaddress` writes it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar, Final, Protocol, Self, TypeAlias

from aiosctp.wire.codepoints import PARAMETER_TYPE_BITS, ParameterType, report_unrecognized, stop_processing
from aiosctp.wire.errors import DecodeError
from aiosctp.wire.tlv import encode_tlv, iter_tlvs

_UINT32: Final = struct.Struct("!L")


class _HasTypeAndBody(Protocol):
    @property
    def type(self) -> int: ...
    @property
    def body(self) -> bytes: ...


class ParameterBase:
    """Encodes `type` and `body`."""

    __slots__ = ()

    def encode(self: _HasTypeAndBody) -> bytes:
        """Type, length and body, without padding."""
        return encode_tlv(self.type, self.body)


@dataclass(frozen=True, slots=True)
class HeartbeatInfo(ParameterBase):
    """Sender-Specific Heartbeat Info: opaque to everyone but its sender (§3.3.5)."""

    type: ClassVar[ParameterType] = ParameterType.HEARTBEAT_INFO
    info: bytes

    @property
    def body(self) -> bytes:
        return self.info

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(body)


@dataclass(frozen=True, slots=True)
class IPv4AddressParameter(ParameterBase):
    """An IPv4 address of the sending endpoint: 32 bits (§3.3.2.1.1)."""

    type: ClassVar[ParameterType] = ParameterType.IPV4_ADDRESS
    host: str

    @property
    def body(self) -> bytes:
        return IPv4Address(self.host).packed

    @classmethod
    def decode(cls, body: bytes) -> Self:
        _check_size(body, 4, cls.type)
        return cls(str(IPv4Address(body)))


@dataclass(frozen=True, slots=True)
class IPv6AddressParameter(ParameterBase):
    """An IPv6 address of the sending endpoint: 128 bits (§3.3.2.1.2).

    A scope in `host` names an interface of this host and does not travel. That a sender MUST NOT use an
    IPv4-mapped address is for the core: this only writes and reads.
    """

    type: ClassVar[ParameterType] = ParameterType.IPV6_ADDRESS
    host: str

    @property
    def body(self) -> bytes:
        return IPv6Address(self.host).packed

    @classmethod
    def decode(cls, body: bytes) -> Self:
        _check_size(body, 16, cls.type)
        return cls(str(IPv6Address(body)))


@dataclass(frozen=True, slots=True)
class StateCookie(ParameterBase):
    """The State Cookie, opaque to who receives it, of any length (§3.3.3.1.1)."""

    type: ClassVar[ParameterType] = ParameterType.STATE_COOKIE
    cookie: bytes

    @property
    def body(self) -> bytes:
        return self.cookie

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(body)


@dataclass(frozen=True, slots=True)
class UnrecognizedParameter(ParameterBase):
    """A parameter of the INIT copied back complete with type, length and value (§3.3.3.1.2).

    Kept raw: looking into it would be recursion at the peer's will.
    """

    type: ClassVar[ParameterType] = ParameterType.UNRECOGNIZED_PARAMETER
    parameter: bytes

    @property
    def body(self) -> bytes:
        return self.parameter

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(body)


@dataclass(frozen=True, slots=True)
class CookiePreservative(ParameterBase):
    """Suggested Cookie Life-Span Increment: 32 bits, milliseconds (§3.3.2.1.3)."""

    type: ClassVar[ParameterType] = ParameterType.COOKIE_PRESERVATIVE
    increment_ms: int

    @property
    def body(self) -> bytes:
        return _UINT32.pack(self.increment_ms)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        _check_size(body, _UINT32.size, cls.type)
        return cls(*_UINT32.unpack(body))


@dataclass(frozen=True, slots=True)
class HostNameAddress(ParameterBase):
    """A host name with its null terminator; deprecated, and answered with an ABORT (§3.3.2.1.4)."""

    type: ClassVar[ParameterType] = ParameterType.HOST_NAME_ADDRESS
    name: bytes

    @property
    def body(self) -> bytes:
        return self.name

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(body)


@dataclass(frozen=True, slots=True)
class SupportedAddressTypes(ParameterBase):
    """The address types the sender of the INIT can use, 16 bits each: 5 is IPv4, 6 is IPv6 (§3.3.2.1.5)."""

    type: ClassVar[ParameterType] = ParameterType.SUPPORTED_ADDRESS_TYPES
    types: tuple[int, ...]

    @property
    def body(self) -> bytes:
        return struct.pack(f"!{len(self.types)}H", *self.types)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        if len(body) & 1:
            raise DecodeError(f"{cls.type.name} of {len(body)} bytes", parameter_type=cls.type)
        return cls(struct.unpack(f"!{len(body) // 2}H", body))


@dataclass(frozen=True, slots=True)
class Padding(ParameterBase):
    """Makes an INIT larger, and says nothing (RFC 4820 §4)."""

    type: ClassVar[ParameterType] = ParameterType.PADDING
    data: bytes

    @property
    def body(self) -> bytes:
        return self.data

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(body)


@dataclass(frozen=True, slots=True)
class SupportedExtensions(ParameterBase):
    """The chunk types of the extensions the sender supports, 8 bits each (RFC 5061 §4.2.7)."""

    type: ClassVar[ParameterType] = ParameterType.SUPPORTED_EXTENSIONS
    chunk_types: tuple[int, ...]

    @property
    def body(self) -> bytes:
        return bytes(self.chunk_types)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(tuple(body))


@dataclass(frozen=True, slots=True)
class ForwardTsnSupported(ParameterBase):
    """The sender understands FORWARD TSN: no value (RFC 3758 §3.1)."""

    type: ClassVar[ParameterType] = ParameterType.FORWARD_TSN_SUPPORTED

    @property
    def body(self) -> bytes:
        return b""

    @classmethod
    def decode(cls, body: bytes) -> Self:
        _check_size(body, 0, cls.type)
        return cls()


@dataclass(frozen=True, slots=True)
class AdaptationLayerIndication(ParameterBase):
    """Adaptation Code point: 32 bits for the upper layer (RFC 5061 §4.2.6)."""

    type: ClassVar[ParameterType] = ParameterType.ADAPTATION_LAYER_INDICATION
    value: int

    @property
    def body(self) -> bytes:
        return _UINT32.pack(self.value)

    @classmethod
    def decode(cls, body: bytes) -> Self:
        _check_size(body, _UINT32.size, cls.type)
        return cls(*_UINT32.unpack(body))


@dataclass(frozen=True, slots=True)
class UnknownParameter(ParameterBase):
    """A parameter of a type not known here, raw; its two high bits say what to do (§3.2.1, Table 3)."""

    type: int
    value: bytes

    @property
    def body(self) -> bytes:
        return self.value

    @property
    def stop_processing(self) -> bool:
        """Whether the parameters after this one are not processed."""
        return stop_processing(self.type, PARAMETER_TYPE_BITS)

    @property
    def report(self) -> bool:
        """Whether this parameter is reported to its sender (§3.2.2)."""
        return report_unrecognized(self.type, PARAMETER_TYPE_BITS)


AddressParameter: TypeAlias = IPv4AddressParameter | IPv6AddressParameter

Parameter: TypeAlias = (
    HeartbeatInfo
    | IPv4AddressParameter
    | IPv6AddressParameter
    | StateCookie
    | UnrecognizedParameter
    | CookiePreservative
    | HostNameAddress
    | SupportedAddressTypes
    | Padding
    | SupportedExtensions
    | ForwardTsnSupported
    | AdaptationLayerIndication
    | UnknownParameter
)

_DECODERS: Final[dict[int, Callable[[bytes], Parameter]]] = {
    HeartbeatInfo.type: HeartbeatInfo.decode,
    IPv4AddressParameter.type: IPv4AddressParameter.decode,
    IPv6AddressParameter.type: IPv6AddressParameter.decode,
    StateCookie.type: StateCookie.decode,
    UnrecognizedParameter.type: UnrecognizedParameter.decode,
    CookiePreservative.type: CookiePreservative.decode,
    HostNameAddress.type: HostNameAddress.decode,
    SupportedAddressTypes.type: SupportedAddressTypes.decode,
    Padding.type: Padding.decode,
    SupportedExtensions.type: SupportedExtensions.decode,
    ForwardTsnSupported.type: ForwardTsnSupported.decode,
    AdaptationLayerIndication.type: AdaptationLayerIndication.decode,
}


def decode_parameters(data: bytes) -> tuple[Parameter, ...]:
    """All parameters in data, in order, one level deep.

    Raises DecodeError, with those before the fault in `decoded`, when a TLV is not whole or the value of a
    known type has the wrong size. Parameters after an unknown one that says "stop" are decoded too: whether
    a type counts as known depends on what was negotiated, so stopping is for the core.
    """
    parameters: list[Parameter] = []
    try:
        for type, body in iter_tlvs(data):
            decode = _DECODERS.get(type)
            parameters.append(UnknownParameter(type, body) if decode is None else decode(body))
    except DecodeError as error:
        error.decoded = tuple(parameters)
        raise
    return tuple(parameters)


def _check_size(body: bytes, size: int, type: ParameterType) -> None:
    if len(body) != size:
        raise DecodeError(f"{type.name} of {len(body)} bytes where {size} are right", parameter_type=type)
