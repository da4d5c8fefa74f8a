"""What a call that sends says of its message: as it is checked, and before anything comes of it."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

from aiosctp.arguments import bytes_of
from aiosctp.socket.addresses import Address
from aiosctp.socket.constants import (
    MSG_DONTROUTE,
    MSG_DONTWAIT,
    MSG_EOR,
    MSG_NOSIGNAL,
    SCTP_ABORT,
    SCTP_ADDR_OVER,
    SCTP_EOF,
    SCTP_EOR,
    SCTP_SACK_IMMEDIATELY,
    SCTP_SENDALL,
    SCTP_UNORDERED,
)
from aiosctp.socket.errors import as_socket_errors, error
from aiosctp.socket.options.checking import checked
from aiosctp.socket.send_policies import Policy, of_prinfo, of_sndrcvinfo
from aiosctp.socket.socket_association import SocketAssociation
from aiosctp.socket.structures import sctp_authinfo, sctp_initmsg, sctp_prinfo, sctp_sndinfo, sctp_sndrcvinfo

FLAGS = MSG_DONTROUTE | MSG_DONTWAIT | MSG_EOR | MSG_NOSIGNAL
_SND_FLAGS = SCTP_UNORDERED | SCTP_ADDR_OVER | SCTP_ABORT | SCTP_EOF | SCTP_SENDALL | SCTP_EOR | SCTP_SACK_IMMEDIATELY
_OF_FAILED = 0x0003
"""SCTP_DATA_LAST_FRAG and SCTP_DATA_NOT_FRAG: what SCTP_SEND_FAILED_EVENT gave back may be sent again as it came."""


@dataclass(slots=True)
class Call:
    """What one call asks for, checked."""

    data: bytes
    addresses: Sequence[Address] = ()
    """The peer's: of the association that is meant, or to open it with."""
    info: sctp_sndinfo | None = None
    """A copy. None: the defaults."""
    policy: Policy | None = None
    """None: the default."""
    init: sctp_initmsg | None = None
    flags: int = 0
    may_open_empty: bool = True
    opened: SocketAssociation | None = None
    """The association that this call has opened."""


def bytes_given(data: object) -> bytes:
    if type(data) is bytes:
        return data
    with as_socket_errors:
        return bytes_of("data", data)


def gathered(buffers: object) -> bytes:
    """§5.1: "treated by SCTP as a single user message"."""
    if isinstance(buffers, str | bytes | bytearray | memoryview) or not isinstance(buffers, Sequence):
        raise error(errno.EINVAL, f"buffers must be a list of bytes, not {type(buffers).__name__}")
    with as_socket_errors:
        return b"".join([bytes_of("each of the buffers", buffer) for buffer in buffers])


def say(call: Call, info: sctp_sndinfo | None, prinfo: sctp_prinfo | None, authinfo: sctp_authinfo | None) -> None:
    if info is not None:
        call.info = checked("sndinfo", sctp_sndinfo, info)
        call.info.snd_flags &= ~_OF_FAILED
        _check_snd_flags(call.info.snd_flags)
    if prinfo is not None:
        call.policy = of_prinfo(checked("prinfo", sctp_prinfo, prinfo))
    if authinfo is not None:
        checked("authinfo", sctp_authinfo, authinfo)
        raise error(errno.EOPNOTSUPP, "authentication of chunks (RFC 4895) is planned")


def say_old(call: Call, sinfo: sctp_sndrcvinfo | None) -> None:
    if sinfo is not None:
        call.info, call.policy = of_sndrcvinfo(checked("sinfo", sctp_sndrcvinfo, sinfo))
        _check_snd_flags(call.info.snd_flags)


def _check_snd_flags(flags: int) -> None:
    if flags & ~_SND_FLAGS:
        raise error(errno.EINVAL, f"the flags of the message have unknown bits: {flags & ~_SND_FLAGS:#x}")
