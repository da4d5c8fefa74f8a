"""The notifications (RFC 6458 §6.1, RFC 6525 §6.1), named as there, with all their fields.

As in C each begins with its type, its flags and its length in bytes, with what follows the fixed part; `sn_header` has
these three of any. On a one-to-one socket the association's id is there too, and may be ignored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

from aiosctp.socket.constants import (
    SCTP_ADAPTATION_INDICATION,
    SCTP_ASSOC_CHANGE,
    SCTP_ASSOC_RESET_EVENT,
    SCTP_AUTHENTICATION_EVENT,
    SCTP_NOTIFICATIONS_STOPPED_EVENT,
    SCTP_PARTIAL_DELIVERY_EVENT,
    SCTP_PEER_ADDR_CHANGE,
    SCTP_REMOTE_ERROR,
    SCTP_SEND_FAILED,
    SCTP_SEND_FAILED_EVENT,
    SCTP_SENDER_DRY_EVENT,
    SCTP_SHUTDOWN_EVENT,
    SCTP_STREAM_CHANGE_EVENT,
    SCTP_STREAM_RESET_EVENT,
)
from aiosctp.socket.structures import sctp_assoc_t, sctp_sndinfo, sctp_sndrcvinfo, sockaddr, uint16_t, uint32_t

__all__ = [
    "sctp_adaptation_event",
    "sctp_adaption_event",
    "sctp_assoc_change",
    "sctp_assoc_reset_event",
    "sctp_authkey_event",
    "sctp_notification",
    "sctp_paddr_change",
    "sctp_pdapi_event",
    "sctp_remote_error",
    "sctp_send_failed",
    "sctp_send_failed_event",
    "sctp_sender_dry_event",
    "sctp_shutdown_event",
    "sctp_stream_change_event",
    "sctp_stream_reset_event",
    "sctp_tlv",
]


class sctp_notification:
    """What all notifications are, as C's union."""

    __slots__ = ()
    PREFIX: ClassVar[str]

    @property
    def sn_header(self) -> sctp_tlv:
        """The type, the flags and the length, which each notification has under names of its own."""
        prefix = self.PREFIX
        return sctp_tlv(*(getattr(self, f"{prefix}_{name}") for name in ("type", "flags", "length")))


Notification: TypeAlias = sctp_notification


@dataclass(slots=True)
class sctp_tlv(sctp_notification):
    """SCTP_NOTIFICATIONS_STOPPED_EVENT (§6.1.10), which has no more than this; and the `sn_header` of the others."""

    PREFIX: ClassVar[str] = "sn"
    sn_type: uint16_t = SCTP_NOTIFICATIONS_STOPPED_EVENT
    sn_flags: uint16_t = 0
    sn_length: uint32_t = 8


@dataclass(slots=True)
class sctp_assoc_change(sctp_notification):
    """SCTP_ASSOC_CHANGE (§6.1.1).

    sac_state: SCTP_COMM_UP, _COMM_LOST, _RESTART, _SHUTDOWN_COMP or _CANT_STR_ASSOC. sac_error: a cause code.
    sac_info: the ABORT chunk that ended the association; or, when it came up or the peer restarted, a byte for each
    feature that both sides have: SCTP_ASSOC_SUPPORTS_PR, _AUTH, _ASCONF, _MULTIBUF, _RE_CONFIG, _INTERLEAVING.
    """

    PREFIX: ClassVar[str] = "sac"
    sac_type: uint16_t = SCTP_ASSOC_CHANGE
    sac_flags: uint16_t = 0
    sac_length: uint32_t = 20
    sac_state: uint16_t = 0
    sac_error: uint16_t = 0
    sac_outbound_streams: uint16_t = 0
    sac_inbound_streams: uint16_t = 0
    sac_assoc_id: sctp_assoc_t = 0
    sac_info: bytes = b""


@dataclass(slots=True)
class sctp_paddr_change(sctp_notification):
    """SCTP_PEER_ADDR_CHANGE (§6.1.2). spc_state: SCTP_ADDR_AVAILABLE, _UNREACHABLE, _MADE_PRIM, _CONFIRMED."""

    PREFIX: ClassVar[str] = "spc"
    spc_type: uint16_t = SCTP_PEER_ADDR_CHANGE
    spc_flags: uint16_t = 0
    spc_length: uint32_t = 148
    spc_aaddr: sockaddr = None
    spc_state: uint32_t = 0
    spc_error: uint32_t = 0
    spc_assoc_id: sctp_assoc_t = 0


@dataclass(slots=True)
class sctp_remote_error(sctp_notification):
    """SCTP_REMOTE_ERROR (§6.1.3). sre_error: the code of the first cause, a plain int. sre_data: the ERROR chunk."""

    PREFIX: ClassVar[str] = "sre"
    sre_type: uint16_t = SCTP_REMOTE_ERROR
    sre_flags: uint16_t = 0
    sre_length: uint32_t = 16
    sre_error: uint16_t = 0
    sre_assoc_id: sctp_assoc_t = 0
    sre_data: bytes = b""


@dataclass(slots=True)
class sctp_send_failed(sctp_notification):
    """SCTP_SEND_FAILED (§6.1.4), deprecated: as `sctp_send_failed_event`, but for `ssf_info`."""

    PREFIX: ClassVar[str] = "ssf"
    ssf_type: uint16_t = SCTP_SEND_FAILED
    ssf_flags: uint16_t = 0
    ssf_length: uint32_t = 48
    ssf_error: uint32_t = 0
    ssf_info: sctp_sndrcvinfo = field(default_factory=sctp_sndrcvinfo)
    ssf_assoc_id: sctp_assoc_t = 0
    ssf_data: bytes = b""


@dataclass(slots=True)
class sctp_shutdown_event(sctp_notification):
    """SCTP_SHUTDOWN_EVENT (§6.1.5): the peer takes no more data."""

    PREFIX: ClassVar[str] = "sse"
    sse_type: uint16_t = SCTP_SHUTDOWN_EVENT
    sse_flags: uint16_t = 0
    sse_length: uint32_t = 12
    sse_assoc_id: sctp_assoc_t = 0


@dataclass(slots=True)
class sctp_adaptation_event(sctp_notification):
    """SCTP_ADAPTATION_INDICATION (§6.1.6): what the peer said of its adaptation layer."""

    PREFIX: ClassVar[str] = "sai"
    sai_type: uint16_t = SCTP_ADAPTATION_INDICATION
    sai_flags: uint16_t = 0
    sai_length: uint32_t = 16
    sai_adaptation_ind: uint32_t = 0
    sai_assoc_id: sctp_assoc_t = 0

    @property
    def sai_adaption_ind(self) -> int:
        """The drafts' spelling."""
        return self.sai_adaptation_ind


sctp_adaption_event = sctp_adaptation_event


@dataclass(slots=True)
class sctp_pdapi_event(sctp_notification):
    """SCTP_PARTIAL_DELIVERY_EVENT (§6.1.7): a message of which a part was read goes no further."""

    PREFIX: ClassVar[str] = "pdapi"
    pdapi_type: uint16_t = SCTP_PARTIAL_DELIVERY_EVENT
    pdapi_flags: uint16_t = 0
    pdapi_length: uint32_t = 24
    pdapi_indication: uint32_t = 0
    pdapi_stream: uint32_t = 0
    pdapi_seq: uint32_t = 0
    pdapi_assoc_id: sctp_assoc_t = 0


@dataclass(slots=True)
class sctp_authkey_event(sctp_notification):
    """SCTP_AUTHENTICATION_EVENT (§6.1.8). auth_indication: SCTP_AUTH_NEW_KEY, _NO_AUTH, _FREE_KEY."""

    PREFIX: ClassVar[str] = "auth"
    auth_type: uint16_t = SCTP_AUTHENTICATION_EVENT
    auth_flags: uint16_t = 0
    auth_length: uint32_t = 20
    auth_keynumber: uint16_t = 0
    auth_indication: uint32_t = 0
    auth_assoc_id: sctp_assoc_t = 0
    auth_altkeynumber: uint16_t = 0
    """The drafts', FreeBSD's and Linux's."""


@dataclass(slots=True)
class sctp_sender_dry_event(sctp_notification):
    """SCTP_SENDER_DRY_EVENT (§6.1.9): nothing is left to send or to send again."""

    PREFIX: ClassVar[str] = "sender_dry"
    sender_dry_type: uint16_t = SCTP_SENDER_DRY_EVENT
    sender_dry_flags: uint16_t = 0
    sender_dry_length: uint32_t = 12
    sender_dry_assoc_id: sctp_assoc_t = 0


@dataclass(slots=True)
class sctp_send_failed_event(sctp_notification):
    """SCTP_SEND_FAILED_EVENT (§6.1.11).

    ssfe_flags: SCTP_DATA_SENT when any of it was ever on the wire, else SCTP_DATA_UNSENT. ssfe_error: a cause code.
    ssfe_info: how it was sent; `snd_flags` has SCTP_DATA_NOT_FRAG when `ssfe_data` is a whole message, and
    SCTP_DATA_LAST_FRAG when it is a part of one that was given in parts (§8.1.26).
    """

    PREFIX: ClassVar[str] = "ssfe"
    ssfe_type: uint16_t = SCTP_SEND_FAILED_EVENT
    ssfe_flags: uint16_t = 0
    ssfe_length: uint32_t = 32
    ssfe_error: uint32_t = 0
    ssfe_info: sctp_sndinfo = field(default_factory=sctp_sndinfo)
    ssfe_assoc_id: sctp_assoc_t = 0
    ssfe_data: bytes = b""


@dataclass(slots=True)
class sctp_stream_reset_event(sctp_notification):
    """SCTP_STREAM_RESET_EVENT (RFC 6525 §6.1.1). strreset_flags: SCTP_STREAM_RESET_INCOMING_SSN or _OUTGOING_SSN, with
    _DENIED or _FAILED when it did not come about. strreset_stream_list: () is all streams."""

    PREFIX: ClassVar[str] = "strreset"
    strreset_type: uint16_t = SCTP_STREAM_RESET_EVENT
    strreset_flags: uint16_t = 0
    strreset_length: uint32_t = 12
    strreset_assoc_id: sctp_assoc_t = 0
    strreset_stream_list: Sequence[uint16_t] = ()


@dataclass(slots=True)
class sctp_assoc_reset_event(sctp_notification):
    """SCTP_ASSOC_RESET_EVENT (RFC 6525 §6.1.2): the next TSN of each side."""

    PREFIX: ClassVar[str] = "assocreset"
    assocreset_type: uint16_t = SCTP_ASSOC_RESET_EVENT
    assocreset_flags: uint16_t = 0
    assocreset_length: uint32_t = 20
    assocreset_assoc_id: sctp_assoc_t = 0
    assocreset_local_tsn: uint32_t = 0
    assocreset_remote_tsn: uint32_t = 0


@dataclass(slots=True)
class sctp_stream_change_event(sctp_notification):
    """SCTP_STREAM_CHANGE_EVENT (RFC 6525 §6.1.3): how many streams each side may use now."""

    PREFIX: ClassVar[str] = "strchange"
    strchange_type: uint16_t = SCTP_STREAM_CHANGE_EVENT
    strchange_flags: uint16_t = 0
    strchange_length: uint32_t = 16
    strchange_assoc_id: sctp_assoc_t = 0
    strchange_instrms: uint16_t = 0
    strchange_outstrms: uint16_t = 0
