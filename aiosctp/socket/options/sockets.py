"""Options of a socket as a whole: those of SOL_SOCKET, and what reading gives (RFC 6458 §8.1.4 to §8.1.7, §8.1.15,
§8.1.20, §8.1.22, §8.1.26, §8.1.27, §8.1.29, §8.1.30, §8.2.5, §8.2.6)."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import Any, Final

from aiosctp.socket.constants import (
    AF_INET,
    SCTP_EXPLICIT_EOR,
    SCTP_FRAG_LEVEL_0,
    SCTP_FRAG_LEVEL_2,
    SCTP_FRAGMENT_INTERLEAVE,
    SCTP_GET_ASSOC_ID_LIST,
    SCTP_GET_ASSOC_NUMBER,
    SCTP_I_WANT_MAPPED_V4_ADDR,
    SCTP_RECVNXTINFO,
    SCTP_RECVRCVINFO,
    SCTP_REUSE_PORT,
    SCTP_USE_EXT_RCVINFO,
    SO_ACCEPTCONN,
    SO_DOMAIN,
    SO_ERROR,
    SO_LINGER,
    SO_PROTOCOL,
    SO_RCVBUF,
    SO_REUSEADDR,
    SO_SNDBUF,
    SO_TYPE,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    SOL_SOCKET,
)
from aiosctp.socket.errors import error
from aiosctp.socket.options.table import Option, Scope, number, switch
from aiosctp.socket.options.target import Commit, Target, nothing
from aiosctp.socket.structures import linger, sctp_assoc_ids


def _set(target: Target, attribute: str, value: Any) -> Commit:
    return lambda: setattr(target.socket, attribute, value)


def _attribute(name: str, number: int, attribute: str, **rest: Any) -> Option:
    """A switch that is an attribute of the socket."""
    return switch(
        name,
        number,
        lambda target: getattr(target.socket, attribute),
        lambda target, on: _set(target, attribute, on),
        **rest,
    )


def _told(name: str, number: int, attribute: str) -> Option:
    """What a socket is, of SOL_SOCKET."""
    return Option(
        name=name, number=number, level=SOL_SOCKET, read=lambda target, _: int(getattr(target.socket, attribute))
    )


def _set_linger(target: Target, value: linger) -> Commit:
    if value.l_linger < 0:
        raise error(errno.EINVAL, f"l_linger must not be negative: {value.l_linger}")
    return _set(target, "linger", value)


def _set_receive_buffer(target: Target, size: int) -> Commit:
    """RFC 9260 §3.3.2: "During the life of the association, this buffer space SHOULD NOT be reduced". It is of those to
    come then, where there can be any."""
    if target.member is not None and size < target.config.receive_window_bytes:
        if not target.socket.is_one_to_many:
            raise error(errno.EINVAL, "SO_RCVBUF can't be reduced while there is an association")
        return nothing
    return target.change(receive_window_bytes=size)


def _read_mapped_v4(target: Target) -> bool:
    _check_ipv6(target)
    return target.socket.mapped_v4


def _set_mapped_v4(target: Target, on: bool) -> Commit:
    _check_ipv6(target)
    return _set(target, "mapped_v4", on)


def _check_ipv6(target: Target) -> None:
    if target.socket.family == AF_INET:
        raise error(errno.EINVAL, "SCTP_I_WANT_MAPPED_V4_ADDR is of IPv6 sockets")


def _set_reuse_port(target: Target, on: bool) -> Commit:
    """§8.1.27: it "must not be used after calling bind() or sctp_bindx()"."""
    if target.socket.endpoint is not None:
        raise error(errno.EINVAL, "SCTP_REUSE_PORT is to be set before the socket is bound")
    return _set(target, "reuse_port", on)


def _set_fragment_interleave(target: Target, level: int) -> Commit:
    """§8.1.20: the highest level takes a program that looks at the stream. RFC 8260 §4.3.1: I-DATA takes that level,
    for one message that is not read would keep those of other streams waiting, which fill the window meanwhile."""
    sock = target.socket
    if not SCTP_FRAG_LEVEL_0 <= level <= SCTP_FRAG_LEVEL_2:
        raise error(errno.EINVAL, f"SCTP_FRAGMENT_INTERLEAVE is 0, 1 or 2, not {level}")
    if level == SCTP_FRAG_LEVEL_2 and not (sock.recvrcvinfo or sock.data_io_event):
        raise error(errno.EINVAL, "level 2 tells messages apart by their stream: set SCTP_RECVRCVINFO before")
    if level != SCTP_FRAG_LEVEL_2 and target.config.interleaving:
        raise error(errno.EINVAL, "SCTP_INTERLEAVING_SUPPORTED is on and takes level 2: set it off before")
    return _set(target, "fragment_interleave", level)


def _association_ids(target: Target, _: object) -> sctp_assoc_ids:
    ids = tuple(target.socket.associations)
    return sctp_assoc_ids(gaids_number_of_ids=len(ids), gaids_assoc_id=ids)


OPTIONS: Final = (
    Option(
        name="SO_LINGER",
        number=SO_LINGER,
        level=SOL_SOCKET,
        structure=linger,
        read=lambda target, _: replace(target.socket.linger),
        write=_set_linger,
    ),
    number(
        "SO_RCVBUF",
        SO_RCVBUF,
        lambda target: target.config.receive_window_bytes,
        _set_receive_buffer,
        level=SOL_SOCKET,
        scope=Scope.EVERYONE,
    ),
    number(
        "SO_SNDBUF",
        SO_SNDBUF,
        lambda target: target.config.send_buffer_bytes,
        # One number says what waits at most, whatever the stream.
        lambda target, size: target.change(send_buffer_bytes=size, stream_send_buffer_bytes=size),
        level=SOL_SOCKET,
        scope=Scope.EVERYONE,
    ),
    # What it asks for is always so: neither a socket that is closed nor its associations keep a port.
    _attribute("SO_REUSEADDR", SO_REUSEADDR, "reuse_address", level=SOL_SOCKET),
    _told("SO_TYPE", SO_TYPE, "type"),
    _told("SO_PROTOCOL", SO_PROTOCOL, "proto"),
    _told("SO_DOMAIN", SO_DOMAIN, "family"),
    _told("SO_ACCEPTCONN", SO_ACCEPTCONN, "is_listening"),
    Option(
        name="SO_ERROR",
        number=SO_ERROR,
        level=SOL_SOCKET,
        read=lambda target, _: target.socket.take_pending_errno(),
    ),
    switch(
        "SCTP_I_WANT_MAPPED_V4_ADDR",
        SCTP_I_WANT_MAPPED_V4_ADDR,
        _read_mapped_v4,
        _set_mapped_v4,
    ),
    number(
        "SCTP_FRAGMENT_INTERLEAVE",
        SCTP_FRAGMENT_INTERLEAVE,
        lambda target: target.socket.fragment_interleave,
        _set_fragment_interleave,
    ),
    _attribute("SCTP_USE_EXT_RCVINFO", SCTP_USE_EXT_RCVINFO, "use_ext_rcvinfo"),
    _attribute("SCTP_EXPLICIT_EOR", SCTP_EXPLICIT_EOR, "explicit_eor"),
    switch(
        "SCTP_REUSE_PORT",
        SCTP_REUSE_PORT,
        lambda target: target.socket.reuse_port,
        _set_reuse_port,
        socket_type=SOCK_STREAM,
    ),
    _attribute("SCTP_RECVRCVINFO", SCTP_RECVRCVINFO, "recvrcvinfo"),
    _attribute("SCTP_RECVNXTINFO", SCTP_RECVNXTINFO, "recvnxtinfo"),
    Option(
        name="SCTP_GET_ASSOC_NUMBER",
        number=SCTP_GET_ASSOC_NUMBER,
        socket_type=SOCK_SEQPACKET,
        read=lambda target, _: len(target.socket.associations),
    ),
    Option(
        name="SCTP_GET_ASSOC_ID_LIST",
        number=SCTP_GET_ASSOC_ID_LIST,
        structure=sctp_assoc_ids,
        socket_type=SOCK_SEQPACKET,
        read=_association_ids,
    ),
)
