"""The numbers IANA keeps for SCTP, and what the two high bits of an unknown type ask for."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

CHUNK_TYPE_BITS: Final = 8
PARAMETER_TYPE_BITS: Final = 16


class ChunkType(IntEnum):
    """Chunk types (§3.2, Table 1, and those of extensions). ECNE (12) and CWR (13) are reserved, so unknown here."""

    DATA = 0
    INIT = 1
    INIT_ACK = 2
    SACK = 3
    HEARTBEAT = 4
    HEARTBEAT_ACK = 5
    ABORT = 6
    SHUTDOWN = 7
    SHUTDOWN_ACK = 8
    ERROR = 9
    COOKIE_ECHO = 10
    COOKIE_ACK = 11
    SHUTDOWN_COMPLETE = 14
    NR_SACK = 0x10  # draft-natarajan-tsvwg-sctp-nrsack
    I_DATA = 0x40  # RFC 8260 §2.1
    RE_CONFIG = 0x82  # RFC 6525 §3
    PAD = 0x84  # RFC 4820 §3
    FORWARD_TSN = 0xC0  # RFC 3758 §3.2
    I_FORWARD_TSN = 0xC2  # RFC 8260 §2.3.1


class ParameterType(IntEnum):
    """Parameter types, unique across all chunks (§3.2.1)."""

    HEARTBEAT_INFO = 1
    IPV4_ADDRESS = 5
    IPV6_ADDRESS = 6
    STATE_COOKIE = 7
    UNRECOGNIZED_PARAMETER = 8
    COOKIE_PRESERVATIVE = 9
    HOST_NAME_ADDRESS = 11
    SUPPORTED_ADDRESS_TYPES = 12
    OUTGOING_SSN_RESET_REQUEST = 13  # RFC 6525 §4, as the following five
    INCOMING_SSN_RESET_REQUEST = 14
    SSN_TSN_RESET_REQUEST = 15
    RECONFIGURATION_RESPONSE = 16
    ADD_OUTGOING_STREAMS_REQUEST = 17
    ADD_INCOMING_STREAMS_REQUEST = 18
    PADDING = 0x8005  # RFC 4820 §4
    SUPPORTED_EXTENSIONS = 0x8008  # RFC 5061 §4.2.7
    FORWARD_TSN_SUPPORTED = 0xC000  # RFC 3758 §3.1
    ADAPTATION_LAYER_INDICATION = 0xC006  # RFC 5061 §4.2.6


class CauseCode(IntEnum):
    """Error causes (§3.3.10, Table 11)."""

    INVALID_STREAM_IDENTIFIER = 1
    MISSING_MANDATORY_PARAMETER = 2
    STALE_COOKIE = 3
    OUT_OF_RESOURCE = 4
    UNRESOLVABLE_ADDRESS = 5
    UNRECOGNIZED_CHUNK_TYPE = 6
    INVALID_MANDATORY_PARAMETER = 7
    UNRECOGNIZED_PARAMETERS = 8
    NO_USER_DATA = 9
    COOKIE_RECEIVED_WHILE_SHUTTING_DOWN = 10
    RESTART_WITH_NEW_ADDRESSES = 11
    USER_INITIATED_ABORT = 12
    PROTOCOL_VIOLATION = 13
    RESTART_WITH_NEW_ENCAPSULATION_PORT = 14  # draft-tuexen-tsvwg-sctp-udp-encaps-cons


class ReconfigurationResult(IntEnum):
    """What became of a re-configuration request (RFC 6525 §4.4, Table 3)."""

    NOTHING_TO_DO = 0
    PERFORMED = 1
    DENIED = 2
    WRONG_SSN = 3
    REQUEST_IN_PROGRESS = 4
    BAD_SEQUENCE_NUMBER = 5
    IN_PROGRESS = 6


def stop_processing(type: int, bits: int = CHUNK_TYPE_BITS) -> bool:
    """Whether an unknown chunk (8 bits) or parameter (16 bits) ends the processing (Tables 2 and 3)."""
    return not type >> (bits - 1) & 1


def report_unrecognized(type: int, bits: int = CHUNK_TYPE_BITS) -> bool:
    """Whether an unknown chunk (8 bits) or parameter (16 bits) is reported (Tables 2 and 3)."""
    return bool(type >> (bits - 2) & 1)
