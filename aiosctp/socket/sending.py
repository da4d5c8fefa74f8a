"""Messages of a socket's program on their way out (RFC 6458 §3.1.4, §4.1.8, §5.3.4, §7.1, §7.5, §9.12)."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from aiosctp.arguments import Payload
from aiosctp.core.states import ESTABLISHED
from aiosctp.events import SendFailed
from aiosctp.socket import opening
from aiosctp.socket.addresses import Address, checked, several
from aiosctp.socket.ancillary import AncillaryItem, sent_items
from aiosctp.socket.calls import FLAGS, Call, bytes_given, gathered, say, say_old
from aiosctp.socket.constants import (
    MSG_DONTWAIT,
    MSG_EOR,
    SCTP_ABORT,
    SCTP_ADDR_OVER,
    SCTP_EOF,
    SCTP_EOR,
    SCTP_SACK_IMMEDIATELY,
    SCTP_SEND_FAILED,
    SCTP_SEND_FAILED_EVENT,
    SCTP_SENDALL,
    SCTP_UNORDERED,
)
from aiosctp.socket.errors import as_socket_errors, check_flags, error, would_block
from aiosctp.socket.send_policies import RELIABLE, of_default
from aiosctp.socket.socket_association import SocketAssociation
from aiosctp.socket.structures import sctp_authinfo, sctp_prinfo, sctp_sndinfo, sctp_sndrcvinfo

if TYPE_CHECKING:
    from aiosctp.socket.socket_state import SocketState


async def send(sock: SocketState, data: Payload, flags: int) -> int:
    sock.check_open()
    if sock.is_one_to_many:
        raise error(errno.EOPNOTSUPP, "send does not tell to whom: sendto, sendmsg and sendv do")
    return await _perform(sock, Call(bytes_given(data), flags=flags, may_open_empty=False))


async def sendto(sock: SocketState, data: Payload, flags: int, address: Address) -> int:
    sock.check_open()
    return await _perform(sock, Call(bytes_given(data), [checked(address)], flags=flags, may_open_empty=False))


async def sendmsg(
    sock: SocketState,
    buffers: Sequence[Payload],
    ancdata: Sequence[AncillaryItem],
    flags: int,
    address: Address | None,
) -> int:
    sock.check_open()
    items = sent_items(ancdata)
    addresses = [] if address is None else [checked(address)]
    if items.hosts:
        if address is None:
            raise error(errno.EINVAL, "SCTP_DSTADDRV4 and SCTP_DSTADDRV6 have no port: the address has it")
        addresses += [(host, address[1]) for host in items.hosts]
    call = Call(gathered(buffers), addresses, init=items.init, flags=flags)
    if items.sndrcv is not None:
        say_old(call, items.sndrcv)
    else:
        say(call, items.sndinfo, items.prinfo, items.authinfo)
    return await _perform(sock, call)


async def sendv(
    sock: SocketState,
    data: Payload | Sequence[Payload],
    addresses: Sequence[Address] | None,
    sndinfo: sctp_sndinfo | None,
    prinfo: sctp_prinfo | None,
    authinfo: sctp_authinfo | None,
    flags: int,
) -> int:
    sock.check_open()
    is_one = isinstance(data, bytes | bytearray | memoryview) or not isinstance(data, Sequence)
    call = Call(bytes_given(data) if is_one else gathered(data), flags=flags)
    if addresses is not None:
        call.addresses = several(addresses)
    say(call, sndinfo, prinfo, authinfo)
    count = await _perform(sock, call)
    if sndinfo is not None and call.opened is not None:
        # §9.12: "the snd_assoc_id field will contain the association identifier of the newly established association".
        sndinfo.snd_assoc_id = call.opened.association_id
    return count


async def sctp_sendmsg(
    sock: SocketState,
    data: Payload,
    to: Address | None,
    ppid: int,
    flags: int,
    stream_no: int,
    timetolive: int,
    context: int,
) -> int:
    sock.check_open()
    call = Call(bytes_given(data), [] if to is None else [checked(to)])
    say_old(call, sctp_sndrcvinfo(stream_no, 0, flags, ppid, context, timetolive))
    return await _perform(sock, call)


async def sctp_send(sock: SocketState, data: Payload, sinfo: sctp_sndrcvinfo | None, flags: int) -> int:
    sock.check_open()
    call = Call(bytes_given(data), flags=flags)
    say_old(call, sinfo)
    return await _perform(sock, call)


async def sctp_sendx(
    sock: SocketState, data: Payload, addrs: Sequence[Address], sinfo: sctp_sndrcvinfo | None, flags: int
) -> int:
    sock.check_open()
    call = Call(bytes_given(data), several(addrs), flags=flags)
    say_old(call, sinfo)
    count = await _perform(sock, call)
    if sinfo is not None and call.opened is not None:
        sinfo.sinfo_assoc_id = call.opened.association_id
    return count


# -- doing it --


async def _perform(sock: SocketState, call: Call) -> int:
    check_flags(call.flags, FLAGS)
    if call.addresses:
        hosts, port = await opening.hosts_of(sock, call.addresses)
        sock.check_open()
        call.addresses = [(host, port) for host in hosts]
    found = _find(sock, call)
    info = call.info or (sock if found is None else found).settings.sndinfo
    if call.flags & MSG_EOR:
        info = replace(info, snd_flags=info.snd_flags | SCTP_EOR)
    if info.snd_flags & SCTP_SENDALL and sock.is_one_to_many:
        await _send_to_all(sock, call, info)
    elif found is not None:
        await _send_to(sock, found, call, info)
    else:
        await _open_and_send(sock, call, info)
    return len(call.data)


def _find(sock: SocketState, call: Call) -> SocketAssociation | None:
    """The association that is meant; None where there is none yet, or all are."""
    if not sock.is_one_to_many:
        return sock.connected() if _has_association(sock) or not call.addresses else None
    named = 0 if call.info is None else call.info.snd_assoc_id
    if named:
        return sock.association_of(named)
    if not call.addresses and not (call.info or sock.settings.sndinfo).snd_flags & SCTP_SENDALL:
        raise error(errno.ENOTCONN, "no association is named, and no address to open one with")
    return next(filter(None, (sock.association_at(host, port) for host, port in call.addresses)), None)


def _has_association(sock: SocketState) -> bool:
    return sock.peer is not None and (sock.peer.ending is None or sock.peer.came_up)


async def _open_and_send(sock: SocketState, call: Call, info: sctp_sndinfo) -> None:
    """§7.5: the first message opens the association, and goes with the COOKIE ECHO."""
    if info.snd_flags & (SCTP_EOF | SCTP_ABORT):
        raise error(errno.EINVAL, "SCTP_EOF and SCTP_ABORT end an association, and there is none")
    if not call.data and not call.may_open_empty:
        raise _empty()
    hosts, (_, port) = [host for host, _ in call.addresses], call.addresses[0]
    call.opened = opening.begin(sock, hosts, port, call.init)
    try:
        if call.data:
            _give_nowait(call.opened, call, info)
    except BaseException:
        opening.take_back(call.opened)
        raise


async def _send_to(sock: SocketState, association: SocketAssociation, call: Call, info: sctp_sndinfo) -> None:
    if info.snd_flags & SCTP_ABORT:
        _abort(association, call.data)
        return
    if not call.data and not info.snd_flags & SCTP_EOF:
        raise _empty()
    if call.data:
        if not sock.is_one_to_many and call.addresses and not _is_peers(association, call.addresses[0]):
            _tell_failed(association, call, info)
            return
        if sock.blocks and not call.flags & MSG_DONTWAIT:
            await _give(sock, association, call, info)
        else:
            _give_nowait(association, call, info)
    if info.snd_flags & SCTP_EOF:
        # §5.3.4: "all data queued by both endpoints is successfully transmitted before closing the association".
        association.association.begin_shutdown()


async def _send_to_all(sock: SocketState, call: Call, info: sctp_sndinfo) -> None:
    """§5.3.4: "all associations that are currently established on this socket". One that is full keeps no other
    waiting; what does not get to one that has ended meanwhile, or is full where this must not wait, comes back from it
    as failed (§6.1.11). Cancelled, some have it."""
    if not call.data and not info.snd_flags & (SCTP_EOF | SCTP_ABORT):
        raise _empty()
    members = [one for one in sock.associations.values() if one.association.state is ESTABLISHED]
    if members and len(call.data) > members[0].association.stack.sysctl["net.inet.sctp.sendall_limit"]:
        raise error(errno.EMSGSIZE, "the message is larger than what net.inet.sctp.sendall_limit allows for all")
    refusals: dict[SocketAssociation, OSError] = {}
    for one in members:
        try:
            await _send_to(sock, one, replace(call, flags=call.flags | MSG_DONTWAIT, addresses=()), info)
        except OSError as refusal:
            refusals[one] = refusal
    full = [one for one, refusal in refusals.items() if isinstance(refusal, BlockingIOError)]
    if full and sock.blocks and not call.flags & MSG_DONTWAIT:
        async with asyncio.TaskGroup() as group:
            for one in full:
                group.create_task(_send_later(sock, one, call, info))
        sock.check_open()
    elif refusals and len(refusals) == len(members):
        raise refusals[members[0]]
    else:
        full = []
    for one in refusals:
        if one not in full:
            one.tell(_failed(call, info))


async def _send_later(sock: SocketState, association: SocketAssociation, call: Call, info: sctp_sndinfo) -> None:
    try:
        await _send_to(sock, association, replace(call, addresses=()), info)
    except OSError:
        # It has ended, which must not keep the others from getting theirs. That the socket was closed the caller sees.
        association.tell(_failed(call, info))


def _abort(association: SocketAssociation, reason: bytes) -> None:
    """§5.3.4: "The cause-specific information of this error cause is provided in msg_iov"."""
    try:
        association.association.abort(reason)
    except ValueError as wrong:
        raise error(errno.EMSGSIZE, str(wrong)) from None


def _empty() -> OSError:
    return error(errno.EINVAL, "data must not be empty: SCTP has no empty messages (RFC 9260 §3.3.1)")


# -- an address beside an association --


def _is_peers(association: SocketAssociation, address: Address) -> bool:
    host, port = address
    engine = association.association.engine
    return engine.peer_port == port and engine.paths.get(host) is not None


def _tell_failed(association: SocketAssociation, call: Call, info: sctp_sndinfo) -> None:
    """§4.1.8: "if ... the transport address given is not part of the current association, the data will not be sent,
    and an SCTP_SEND_FAILED_EVENT event will be delivered". To who has not asked for that the call tells it."""
    if not association.settings.events & {SCTP_SEND_FAILED, SCTP_SEND_FAILED_EVENT}:
        raise error(errno.EINVAL, f"{call.addresses[0]!r} is no address of the peer")
    association.tell(_failed(call, info))


def _failed(call: Call, info: sctp_sndinfo) -> SendFailed:
    return SendFailed(
        data=call.data,
        stream=info.snd_sid,
        ppid=info.snd_ppid,
        context=info.snd_context,
        unordered=bool(info.snd_flags & SCTP_UNORDERED),
        was_sent=False,
        error=0,
    )


def _destination(association: SocketAssociation, call: Call, info: sctp_sndinfo) -> str | None:
    """Where it is first sent to, if not to the primary address: on a one-to-many socket what SCTP_ADDR_OVER says
    (§5.3.4); on a one-to-one socket the address itself does (§4.1.8), of which that is no more than a wish."""
    is_told = bool(info.snd_flags & SCTP_ADDR_OVER)
    if call.opened is association or not (is_told or not association.socket.is_one_to_many):
        return None
    if not call.addresses:
        if is_told:
            raise error(errno.EINVAL, "SCTP_ADDR_OVER takes an address")
        return None
    host, _ = call.addresses[0]
    if not _is_peers(association, call.addresses[0]):
        raise error(errno.EINVAL, f"{call.addresses[0]!r} is no address of the peer")
    paths = association.association.engine.paths
    path = paths.get(host)
    assert path is not None
    if not is_told and (path is paths.primary or not path.is_confirmed):
        return None
    return host


# -- giving it to the plain API --


async def _give(sock: SocketState, association: SocketAssociation, call: Call, info: sctp_sndinfo) -> None:
    """Waits until there is room. Cancelling leaves nothing queued."""
    arguments = _arguments(association, call, info)
    try:
        with as_socket_errors:
            await association.association.send(call.data, **arguments)
    except OSError:
        sock.check_open()
        raise


def _give_nowait(association: SocketAssociation, call: Call, info: sctp_sndinfo) -> None:
    arguments = _arguments(association, call, info)
    try:
        with as_socket_errors:
            association.association.send_nowait(call.data, **arguments)
    except BlockingIOError:
        raise would_block("send") from None


def _arguments(association: SocketAssociation, call: Call, info: sctp_sndinfo) -> dict[str, Any]:
    """Those of `Association.send`. Raises OSError."""
    flags = info.snd_flags
    most = association.association.engine.config.send_buffer_bytes
    if len(call.data) > most:
        # §8.1.7: it "bounds the maximum size of data that can be sent in a single send call".
        raise error(errno.EMSGSIZE, f"data must be at most SO_SNDBUF, {most}, not {len(call.data)} bytes")
    end_of_record = not association.socket.explicit_eor or bool(flags & SCTP_EOR)
    is_part = _is_part(association, info.snd_sid, end_of_record=end_of_record)
    policy = of_default(association.settings.prinfo) if call.policy is None else call.policy
    if is_part and (call.policy is None or policy == RELIABLE):
        # A record that is given in parts is reliable: defaults don't apply to it, nor may a policy be named.
        policy = {}
    return {
        "stream": info.snd_sid,
        "ppid": info.snd_ppid,
        "unordered": bool(flags & SCTP_UNORDERED),
        "context": info.snd_context,
        "sack_immediately": bool(flags & SCTP_SACK_IMMEDIATELY),
        "end_of_record": end_of_record,
        "address": _destination(association, call, info),
        **policy,
    }


def _is_part(association: SocketAssociation, stream: int, *, end_of_record: bool) -> bool:
    """Of a record (§8.1.26). With DATA what comes after it waits for its end, which the program may not know: there is
    one at a time."""
    records = association.association.engine.sender.queue.records
    begun = () if records is None else records.open
    if begun and stream not in begun and "idata" not in association.association.negotiated:
        raise error(errno.EINVAL, f"the record of stream {next(iter(begun))} has not ended: SCTP_EOR ends it")
    return stream in begun or not end_of_record
