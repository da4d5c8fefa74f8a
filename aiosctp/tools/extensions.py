"""The extensions of SCTP by name: what `aiosctp check` offers, and how it names what comes back.

Offering is not supporting: check never gets as far as an association, so it may offer all it can name. The
codepoints of extensions that the library has not are here and not in `wire`.
"""

from __future__ import annotations

from enum import IntEnum

from aiosctp.wire.codepoints import ChunkType, ParameterType
from aiosctp.wire.parameters import (
    AdaptationLayerIndication,
    ForwardTsnSupported,
    Parameter,
    SupportedAddressTypes,
    SupportedExtensions,
    UnknownParameter,
)

IPV4_AND_IPV6 = (5, 6)
RANDOM_BYTES = 32  # RFC 4895 §3.1: "The Random Number ... SHOULD have 32 bytes"


class ExtensionChunk(IntEnum):
    """Chunk types a Supported Extensions parameter may list."""

    AUTH = 0x0F  # RFC 4895
    NR_SACK = 0x10  # draft-tuexen-tsvwg-sctp-multipath
    I_DATA = 0x40  # RFC 8260
    ASCONF_ACK = 0x80  # RFC 5061
    PKTDROP = 0x81  # draft-stewart-sctp-pktdrprep
    RE_CONFIG = 0x82  # RFC 6525
    FORWARD_TSN = 0xC0  # RFC 3758
    ASCONF = 0xC1  # RFC 5061
    I_FORWARD_TSN = 0xC2  # RFC 8260


class ExtensionParameter(IntEnum):
    """Parameters of INIT and INIT ACK that announce an extension."""

    ECN_CAPABLE = 0x8000  # RFC 9260 appendix A
    ZERO_CHECKSUM_ACCEPTABLE = 0x8001  # RFC 9653
    RANDOM = 0x8002  # RFC 4895
    CHUNK_LIST = 0x8003  # RFC 4895
    REQUESTED_HMAC_ALGORITHMS = 0x8004  # RFC 4895
    SUPPORTED_EXTENSIONS = 0x8008  # RFC 5061
    FORWARD_TSN_SUPPORTED = 0xC000  # RFC 3758
    ADAPTATION_LAYER_INDICATION = 0xC006  # RFC 5061


HMACS = {1: "SHA-1", 3: "SHA-256"}  # RFC 4895 §3.3


def offer(random: bytes) -> tuple[Parameter, ...]:
    """The parameters of an INIT that offers every extension; `random` is the 32 bytes of RFC 4895's RANDOM.

    AUTH is offered whole (RANDOM, HMACs, and ASCONF among the chunks to authenticate): Linux drops an INIT with
    half of it, and answers ASCONF without it with ABORT.
    """
    must_be_authenticated = bytes((ExtensionChunk.ASCONF, ExtensionChunk.ASCONF_ACK))
    algorithms = b"".join(number.to_bytes(2) for number in sorted(HMACS, reverse=True))
    return (
        SupportedAddressTypes(IPV4_AND_IPV6),
        UnknownParameter(ExtensionParameter.ECN_CAPABLE, b""),
        ForwardTsnSupported(),
        SupportedExtensions((*ExtensionChunk, ChunkType.PAD)),
        UnknownParameter(ExtensionParameter.RANDOM, random),
        UnknownParameter(ExtensionParameter.CHUNK_LIST, must_be_authenticated),
        UnknownParameter(ExtensionParameter.REQUESTED_HMAC_ALGORITHMS, algorithms),
        AdaptationLayerIndication(0),
    )


def chunk_name(type: int) -> str:
    """The name of a chunk type, or its number."""
    return _name(ExtensionChunk, type, _name(ChunkType, type, f"chunk type {type:#04x}"))


def parameter_name(type: int) -> str:
    """The name of a parameter type, or its number."""
    return _name(ExtensionParameter, type, _name(ParameterType, type, f"parameter {type:#06x}"))


def hmac_names(value: bytes) -> str:
    """The algorithms of a Requested HMAC Algorithm parameter, in its order."""
    numbers = [int.from_bytes(value[i : i + 2]) for i in range(0, len(value) - 1, 2)]
    return ", ".join(HMACS.get(number, f"HMAC {number}") for number in numbers)


def _name(names: type[IntEnum], number: int, otherwise: str) -> str:
    try:
        return names(number).name.replace("_", "-")
    except ValueError:
        return otherwise
