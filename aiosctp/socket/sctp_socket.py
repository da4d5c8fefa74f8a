"""`SCTPSocket`: an SCTP socket in either style (RFC 6458 §3, §4)."""

from __future__ import annotations

import asyncio
import errno
import sys
import warnings
from collections import deque
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from aiosctp.arguments import Payload
from aiosctp.changes import Changes
from aiosctp.core.association import AssociationEngine
from aiosctp.socket import binding, opening, options, receiving, sending
from aiosctp.socket.addresses import Address, checked, several
from aiosctp.socket.ancillary import ENOUGH_FOR_ALL, AncillaryItem
from aiosctp.socket.constants import (
    AF_INET,
    AF_INET6,
    IPPROTO_SCTP,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SOCK_SEQPACKET,
    SOCK_STREAM,
)
from aiosctp.socket.errors import check_int, error, would_block
from aiosctp.socket.receiving import Received
from aiosctp.socket.socket_association import SocketAssociation
from aiosctp.socket.socket_state import SocketState
from aiosctp.socket.structures import (
    sctp_authinfo,
    sctp_extrcvinfo,
    sctp_prinfo,
    sctp_sndinfo,
    sctp_sndrcvinfo,
)
from aiosctp.stack import Stack

DEFAULT_BACKLOG = 128

# What sockets that come of this one, by accept or peel-off, begin with.
_INHERITED = (
    "data_io_event",
    "explicit_eor",
    "fragment_interleave",
    "linger",
    "mapped_v4",
    "recvnxtinfo",
    "recvrcvinfo",
    "reuse_address",
    "use_ext_rcvinfo",
)


class SCTPSocket(SocketState):
    """A socket of the API of RFC 6458: what would block there is a coroutine here.

    SOCK_STREAM is the one-to-one style (§4): like TCP, but messages keep their edges. SOCK_SEQPACKET is the one-to-many
    style (§3): one socket with many associations, each with an id.

    An asynchronous context manager, which closes it. The constructor and the options need no event loop; `bind`,
    `listen` and `connect` a running one.

    family: AF_INET, which speaks IPv4 alone, or AF_INET6, which speaks both. proto: IPPROTO_SCTP or 0.
    stack: whose UDP port and addresses it uses; None for the loop's default stacks: the one on UDP port 9899 for a
    socket that is bound or listens, one on a free port for others.

    Raises OSError here and everywhere: EPROTONOSUPPORT for another type or protocol, EAFNOSUPPORT for another family,
    EINVAL for a wrong argument, EBADF once it is closed.

    The API's calls: bind, bindx, listen, accept, connect, connectx, peeloff, shutdown, close; sendv, sendmsg, send,
    sendto; recvv, recvmsg, recv, recvfrom; sctp_sendmsg, sctp_send, sctp_sendx, sctp_recvmsg; setsockopt, getsockopt,
    opt_info, setblocking, getblocking; getpaddrs, getladdrs, getpeername, getsockname. What else there is serves the
    package.
    """

    def __init__(
        self,
        family: int = AF_INET,
        type: int = SOCK_STREAM,
        proto: int = IPPROTO_SCTP,
        *,
        stack: Stack | None = None,
    ) -> None:
        self._is_closed = True  # until it is made
        if family not in (AF_INET, AF_INET6):
            raise error(errno.EAFNOSUPPORT, f"family must be AF_INET or AF_INET6, not {family!r}")
        if type not in (SOCK_STREAM, SOCK_SEQPACKET):
            raise error(errno.EPROTONOSUPPORT, f"type must be SOCK_STREAM or SOCK_SEQPACKET, not {type!r}")
        if proto not in (0, IPPROTO_SCTP):
            raise error(errno.EPROTONOSUPPORT, f"proto must be IPPROTO_SCTP, not {proto!r}")
        if stack is not None and not isinstance(stack, Stack):
            raise error(errno.EINVAL, f"stack must be a Stack, not {stack!r}")
        super().__init__(family, type, stack)
        self._unaccepted: deque[SCTPSocket] = deque()
        self._acceptable = Changes()

    # -- life --

    def bind(self, address: Address | str) -> None:
        """Take a port and an address of this machine, or all of them: "" (§3.1.2, §4.1.2). Port 0 is a free one.

        Raises OSError: EINVAL when the socket is bound, EADDRINUSE, EADDRNOTAVAIL, EPERM as the stack's `port_policy`
        has it.
        """
        self.check_open()
        one = checked(address)
        if self.endpoint is not None or self.peer is not None:
            raise error(errno.EINVAL, "the socket is bound")
        binding.bind(self, [one])

    def bindx(self, addresses: Sequence[Address], flags: int) -> None:
        """Take several addresses, or remove some (§9.1): SCTP_BINDX_ADD_ADDR, SCTP_BINDX_REM_ADDR.

        Raises OSError: EINVAL for addresses with several ports, a wildcard beside others, both flags or none, an
        address to remove that is not bound or is the last; EOPNOTSUPP while there are associations.
        """
        self.check_open()
        binding.bindx(self, several(addresses), flags)

    def listen(self, backlog: int = DEFAULT_BACKLOG) -> None:
        """Take associations that peers open (§3.1.3, §4.1.3); 0 stops that. An unbound socket gets a free port.

        Raises OSError: EADDRINUSE when another listens on a port that it shares (SCTP_REUSE_PORT), EISCONN, EINVAL.

        backlog: how many of a one-to-one socket may wait for `accept`; other peers wait, and ask again.
        """
        self.check_open()
        check_int("backlog", backlog, 0)
        if self.peer is not None:
            raise error(errno.EINVAL, "the socket has an association")
        stack = self.open_stack(listens=True)
        endpoint = binding.endpoint_of(self, stack)
        if endpoint.is_listening and not self._is_listening:
            raise error(errno.EADDRINUSE, "another socket listens on this port")
        if backlog == 0:
            if self._is_listening:
                stack.stop_listening(endpoint)
        else:
            # §3.1.3: of a one-to-many socket it says only that peers may come, for none of them waits for `accept`.
            waiting = sys.maxsize if self.is_one_to_many else backlog
            endpoint.listen(config=self.settings.config, backlog=waiting, max_associations=None, admit=None)
            stack.listen(endpoint, self)
        self._is_listening = backlog > 0
        self._acceptable.tell()

    async def accept(self) -> tuple[SCTPSocket, Address]:
        """Wait for an association that a peer has opened; its socket, and the peer's primary address (§4.1.4).

        Cancelling loses none. Raises OSError: EOPNOTSUPP of a one-to-many socket, EINVAL while it does not listen,
        EAGAIN instead of waiting.
        """
        self.check_open()
        if self.is_one_to_many:
            raise error(errno.EOPNOTSUPP, "a one-to-many socket has its associations without accept")
        while not self._unaccepted:
            if not self._is_listening:
                raise error(errno.EINVAL, "the socket does not listen")
            if not self.blocks:
                raise would_block("accept")
            await self._acceptable.wait()
            self.check_open()
        accepted = self._unaccepted.popleft()
        self._count_unaccepted()
        accepted._is_closed = False
        return accepted, accepted.peer_address()

    async def connect(self, address: Address) -> None:
        """Open an association, and wait for it (§3.1.6, §4.1.5): with `setblocking(False)` send the INIT, then raise
        EINPROGRESS; how it went is in SO_ERROR and the notifications.

        Cancelling gives the attempt up. Raises OSError: ECONNREFUSED, ETIMEDOUT, EISCONN, EALREADY while another
        connect of a one-to-one socket goes on, EOPNOTSUPP when that listens.
        """
        opened = await opening.connect(self, [checked(address)])
        if not self.blocks:
            raise error(errno.EINPROGRESS)
        await opening.establish(opened)

    async def connectx(self, addresses: Sequence[Address]) -> int:
        """As `connect`, with a peer that has several addresses; the association's id (§9.9). With `setblocking(False)`
        it does not wait and returns the id at once."""
        opened = await opening.connect(self, several(addresses))
        if self.blocks:
            await opening.establish(opened)
        return opened.association_id

    def shutdown(self, how: int) -> None:
        """SHUT_WR and SHUT_RDWR begin the graceful end of a one-to-one socket's association; SHUT_RD, and SHUT_RDWR
        too, that nothing is read any more (§4.1.7). Never waits. What arrives after SHUT_WR stays readable.

        Raises OSError: EOPNOTSUPP of a one-to-many socket, ENOTCONN without an association, EINVAL.
        """
        self.check_open()
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            raise error(errno.EINVAL, f"how must be SHUT_RD, SHUT_WR or SHUT_RDWR, not {how!r}")
        if self.is_one_to_many:
            raise error(errno.EOPNOTSUPP, "a one-to-many socket ends its associations one by one, with SCTP_EOF")
        peer = self.connected()
        if how != SHUT_WR:
            self._reads_no_more = True
            self.readable.tell()
        if how != SHUT_RD:
            peer.association.begin_shutdown()
        if how == SHUT_RDWR:
            peer.association.close()

    async def close(self) -> None:
        """Shut all associations of the socket down, in the background (§3.1.5, §4.1.6); what else goes on with it ends
        with EBADF. Closing twice is no error.

        SO_LINGER: with `l_onoff`, `l_linger` 0 ABORTs, more waits for the end for so many seconds at most.
        """
        if self._is_closed:
            return
        self._is_closed = True
        for child in self._unaccepted:
            child._abandon()
        self._unaccepted.clear()
        left = list(self.associations.values())
        for one in left:
            if self.linger.l_onoff and not self.linger.l_linger:
                one.association.abort()
            else:
                one.association.close()
        if self.endpoint is not None:
            binding.release(self, self.choose_stack(listens=True), self.endpoint)
        self.readable.tell()
        self._acceptable.tell()
        for one in left:
            one.changes.tell()
        if self.linger.l_onoff and self.linger.l_linger:
            await self._linger(left)

    async def _linger(self, left: Sequence[SocketAssociation]) -> None:
        """§8.1.4: what is not done by then goes on in the background."""
        try:
            async with asyncio.timeout(self.linger.l_linger):
                for one in left:
                    await one.association.wait_closed()
        except TimeoutError:
            pass

    def _abandon(self) -> None:
        """It was never accepted."""
        assert self.peer is not None
        self.peer.association.abort(b"the socket was closed")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if not self._is_closed and (self.endpoint is not None or self.peer is not None):
            warnings.warn(f"unclosed {self!r}", ResourceWarning, stacklevel=2, source=self)

    def peeloff(self, assoc_id: int) -> SCTPSocket:
        """A one-to-one socket for one association of this one-to-many socket, which then has it no more (§9.2). What
        waits to be read goes with it.

        Raises OSError: EOPNOTSUPP of a one-to-one socket, EINVAL for an id that there is not.
        """
        self.check_open()
        if not self.is_one_to_many:
            raise error(errno.EOPNOTSUPP, "a one-to-one socket has one association, and that is its own")
        peeled = self.association_of(assoc_id)
        branch = self._branch()
        branch._is_closed = False
        branch.take_over(peeled)
        self._remove(peeled)
        self.pass_over(peeled)
        return branch

    # -- sending and receiving --

    async def send(self, data: Payload, flags: int = 0) -> int:
        """`sendv` of a one-to-one socket, as SCTP_DEFAULT_SNDINFO says: on stream 0 unless it does (§7.1)."""
        return await sending.send(self, data, flags)

    async def sendto(self, data: Payload, flags: int, address: Address) -> int:
        """`sendv` to this address, as SCTP_DEFAULT_SNDINFO says (§7.1); no data opens nothing."""
        return await sending.sendto(self, data, flags, address)

    async def sendmsg(
        self,
        buffers: Sequence[Payload],
        ancdata: Sequence[AncillaryItem] = (),
        flags: int = 0,
        address: Address | None = None,
    ) -> int:
        """`sendv` of one message, of all buffers, that the ancillary items say how to send (§3.1.4, §5).

        ancdata: `(IPPROTO_SCTP, SCTP_SNDINFO, sctp_sndinfo(...))`, and so SCTP_PRINFO, SCTP_INIT (for an association
        that this opens), SCTP_DSTADDRV4 and _V6 (a host: more addresses to open it with, on the port of `address`), or
        SCTP_SNDRCV in the place of the first two: in any order, and each once. Those of other levels are ignored.
        """
        return await sending.sendmsg(self, buffers, ancdata, flags, address)

    async def sendv(
        self,
        data: Payload | Sequence[Payload],
        addresses: Sequence[Address] | None = None,
        *,
        sndinfo: sctp_sndinfo | None = None,
        prinfo: sctp_prinfo | None = None,
        authinfo: sctp_authinfo | None = None,
        flags: int = 0,
    ) -> int:
        """Queue one message, and return the number of its bytes (§9.12).

        Waits until there is room for it, with `setblocking(False)` or MSG_DONTWAIT raises EAGAIN instead.
        SO_SNDBUF is the room of all streams, and one may fill it. Returning means queued. Cancelled, or raising,
        nothing was; with SCTP_SENDALL some associations may have it.

        data: one buffer, or several that are one message. addresses: of a one-to-many socket, the peer's, where
        `snd_assoc_id` names none: if there is no association with it this opens one, without waiting for it, and sets
        `snd_assoc_id`; no data does so too. Of a one-to-one socket, those to connect to, or the one of the peer's that
        the message goes to. What sndinfo and prinfo don't say, SCTP_DEFAULT_SNDINFO and SCTP_DEFAULT_PRINFO do.
        `snd_flags` (§5.3.4): SCTP_UNORDERED; SCTP_ADDR_OVER: to the address given; SCTP_SACK_IMMEDIATELY; SCTP_EOR:
        the end of a record (SCTP_EXPLICIT_EOR), as MSG_EOR in `flags`; SCTP_EOF: shut down after it; SCTP_ABORT, with
        the data as the reason; SCTP_SENDALL: to all associations, where those that don't get it tell it by
        SCTP_SEND_FAILED_EVENT.

        Raises OSError: EINVAL for wrong arguments and for an association or stream that there is not, EMSGSIZE beyond
        SO_SNDBUF, ENOTCONN, ESHUTDOWN once either side shuts down, what `connect` raises, and how the association
        ended; EOPNOTSUPP for authinfo, which is planned.
        """
        return await sending.sendv(self, data, addresses, sndinfo, prinfo, authinfo, flags)

    async def recv(self, bufsize: int, flags: int = 0) -> bytes:
        """The next message of a one-to-one socket, or so much of it (§7.1): `recvv`, but notifications are left for
        that. b"" at the end of the association."""
        return await receiving.recv(self, bufsize, flags)

    async def recvfrom(self, bufsize: int) -> tuple[bytes, Address]:
        """`recv`, of either style, and the peer's address."""
        return await receiving.recvfrom(self, bufsize)

    async def recvmsg(
        self, bufsize: int, ancbufsize: int = ENOUGH_FOR_ALL, flags: int = 0
    ) -> tuple[Any, list[AncillaryItem], int, Address | None]:
        """`recvv`, with what is known of the message as ancillary items: data, items, `msg_flags`, address (§5).

        Beside SCTP_RCVINFO and SCTP_NXTINFO there is SCTP_SNDRCV, or SCTP_EXTRCV, with `sctp_data_io_event`. Those that
        ancbufsize has no room for are left out, and MSG_CTRUNC is set.
        """
        return await receiving.recvmsg(self, bufsize, ancbufsize, flags)

    async def recvv(self, bufsize: int, flags: int = 0) -> Received:
        """The next message, a part of one, or a notification (§9.13).

        Waits for it, with `setblocking(False)` or MSG_DONTWAIT raises EAGAIN instead. Cancelling loses nothing. With
        MSG_PEEK it is there for the next read, too. What of a message has no room in `bufsize` bytes is read next;
        MSG_EOR is set with its last part alone. Associations of a one-to-many socket have their turns one after the
        other, and SCTP_FRAGMENT_INTERLEAVE says what may come between the parts of a message.

        At the end of a one-to-one socket's association the data is b"". Raises OSError: ECONNRESET, ETIMEDOUT, as it
        ended; ENOTCONN, or why connecting failed, EINVAL for wrong arguments.
        """
        return await receiving.recvv(self, bufsize, flags)

    async def sctp_sendmsg(
        self,
        data: Payload,
        to: Address | None = None,
        ppid: int = 0,
        flags: int = 0,
        stream_no: int = 0,
        timetolive: int = 0,
        context: int = 0,
    ) -> int:
        """Deprecated (§9.7): `sendv`. timetolive: in milliseconds, 0 for none."""
        return await sending.sctp_sendmsg(self, data, to, ppid, flags, stream_no, timetolive, context)

    async def sctp_recvmsg(
        self, bufsize: int, flags: int = 0
    ) -> tuple[Any, Address | None, sctp_sndrcvinfo | sctp_extrcvinfo | None, int]:
        """Deprecated (§9.8): `recvv`. Data, address, `sinfo`, `msg_flags`; `sinfo` is None unless
        `sctp_data_io_event` of SCTP_EVENTS is on."""
        return await receiving.sctp_recvmsg(self, bufsize, flags)

    async def sctp_send(self, data: Payload, sinfo: sctp_sndrcvinfo | None = None, flags: int = 0) -> int:
        """Deprecated (§9.10): `sendv`."""
        return await sending.sctp_send(self, data, sinfo, flags)

    async def sctp_sendx(
        self, data: Payload, addrs: Sequence[Address], sinfo: sctp_sndrcvinfo | None = None, flags: int = 0
    ) -> int:
        """Deprecated (§9.11): `sendv`."""
        return await sending.sctp_sendx(self, data, addrs, sinfo, flags)

    # -- options --

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        """Set an option, to an int or the structure that it takes (§8): for all whom it names, or for nobody.
        `aiosctp.socket.options` lists them.

        Raises OSError: ENOPROTOOPT for an option that there is not, or that can only be read; EOPNOTSUPP for one that
        is planned, or of the other style; EINVAL for a value of another type or out of range, naming the field, and for
        an association or address that there is not.
        """
        self.check_open()
        options.set_option(self, level, option, value)

    def getsockopt(self, level: int, option: int, value: Any = None) -> Any:
        """The value of an option: an int, or its structure. `aiosctp.socket.options` lists them.

        value: the structure with the fields filled in that name an association, an address or a stream; None names the
        associations to come, or the one that a one-to-one socket has. Raises OSError as `setsockopt` does.
        """
        self.check_open()
        return options.get_option(self, level, option, value)

    def opt_info(self, assoc_id: int, option: int, value: Any = None) -> Any:
        """sctp_opt_info (§9.13): `getsockopt` at the level IPPROTO_SCTP for an association."""
        self.check_open()
        return options.opt_info(self, assoc_id, option, value)

    def setblocking(self, flag: bool) -> None:
        """False: what would wait raises BlockingIOError instead, EAGAIN, or EINPROGRESS of `connect`.

        There is no descriptor to poll. To wait for what was begun, call `setblocking(True)` and read: how connecting
        went is told by SCTP_ASSOC_CHANGE, if that is on, and by the error of the call if it failed.
        """
        self.check_open()
        self.blocks: bool = bool(flag)

    def getblocking(self) -> bool:
        return self.blocks

    # -- looking --

    def getpeername(self) -> Address:
        """The peer's primary address, of a one-to-one socket (§4.1.9)."""
        self.check_open()
        if self.is_one_to_many:
            raise error(errno.EOPNOTSUPP, "a one-to-many socket has many peers: getpaddrs")
        self.connected()
        return self.peer_address()

    def getsockname(self) -> Address:
        """One local address; the wildcard and port 0 of an unbound socket (§7.4)."""
        self.check_open()
        if self.endpoint is not None:
            return self.shown(self.endpoint.local_addresses[0]), self.endpoint.port
        if self.peer is not None:
            host, port = self.peer.association.local_addresses[0]
            return self.shown(host), port
        return ("0.0.0.0" if self.family == AF_INET else "::"), 0

    def getpaddrs(self, assoc_id: int = 0) -> list[Address]:
        """All addresses of the peer of an association (§9.3); none of a one-to-one socket that has no peer."""
        self.check_open()
        if not self.is_one_to_many and self.peer is None:
            return []
        found = self.association_of(assoc_id)
        return [(self.shown(host), port) for host, port in found.association.peer_addresses]

    def getladdrs(self, assoc_id: int = 0) -> list[Address]:
        """The local addresses of an association (§9.5), or, with 0, those the socket is bound to."""
        self.check_open()
        if assoc_id == 0 and self.endpoint is not None:
            return [(self.shown(host), self.endpoint.port) for host in self.endpoint.local_addresses]
        if assoc_id == 0 and self.peer is None:
            return []
        found = self.association_of(assoc_id)
        return [(self.shown(host), port) for host, port in found.association.local_addresses]

    def __repr__(self) -> str:
        style = "one-to-many" if self.is_one_to_many else "one-to-one"
        if self._is_closed:
            return f"<SCTPSocket {style}, closed>"
        if self.endpoint is not None:
            port = f"SCTP port {self.endpoint.port}"
        elif self.peer is not None:
            port = f"SCTP port {self.peer.association.engine.local_port}"
        else:
            port = "unbound"
        count = len(self.associations)
        return f"<SCTPSocket {style}, {port}, {count} association{'' if count == 1 else 's'}>"

    # -- what the stack tells one that listens --

    def engine_accepted(self, engine: AssociationEngine) -> None:
        if self.is_one_to_many:
            accepted = self.add_association(engine, self.settings.copy())
        else:
            child = self._branch()
            accepted = child.add_association(engine, self.settings.copy())
            self._unaccepted.append(child)
            self._count_unaccepted()
            self._acceptable.tell()
        accepted.association.stack.add(accepted.association)

    def stack_closed(self) -> None:
        super().stack_closed()
        self._acceptable.tell()

    def _branch(self) -> SCTPSocket:
        """A one-to-one socket with what this one has set; it is closed until a program has it."""
        branch = SCTPSocket(self.family, SOCK_STREAM, stack=self._stack)
        branch._is_closed = True
        branch.settings = self.settings.copy()
        for name in _INHERITED:
            setattr(branch, name, getattr(self, name))
        return branch

    def _count_unaccepted(self) -> None:
        if self.endpoint is not None:
            self.endpoint.unaccepted = len(self._unaccepted)
