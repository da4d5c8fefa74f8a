"""A datagram transport over `loop.add_reader` that takes many datagrams and the ICMP errors in one wake-up."""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import Any

from aiosctp.core.icmp import IcmpKind, IcmpMessage
from aiosctp.udp import (
    IP_RECVERR,
    IPV6_RECVERR,
    SockAddr,
    UDPEncapsulation,
    host_of,
    set_dont_fragment,
)

# One wake-up takes no more than this, so that a flood on one socket leaves the loop to others.
MAX_DATAGRAMS_PER_WAKE_UP = 128
MAX_ERRORS_PER_WAKE_UP = 64
MAX_DATAGRAM_BYTES = 65535
# Datagrams that wait for the socket to become writable; beyond, they are dropped as a router would.
MAX_UNSENT_DATAGRAMS = 4096

# linux/errqueue.h, struct sock_extended_err: errno, origin, type, code, padding, info, data.
_EXTENDED_ERROR = struct.Struct("=IBBBBII")
_ORIGIN_LOCAL = 1
_ERROR_ANCILLARY_BYTES = 512
# RFC 792, RFC 4443: what §10 tells apart, by (origin, type) and, where it matters, code.
_ORIGIN_ICMP, _ORIGIN_ICMPV6 = 2, 3
_KINDS = {
    (_ORIGIN_ICMP, 3, 2): IcmpKind.PROTOCOL_UNREACHABLE,
    (_ORIGIN_ICMP, 3, 3): IcmpKind.PORT_UNREACHABLE,
    (_ORIGIN_ICMP, 3, 4): IcmpKind.PACKET_TOO_BIG,
    (_ORIGIN_ICMPV6, 1, 4): IcmpKind.PORT_UNREACHABLE,
    (_ORIGIN_ICMPV6, 2, 0): IcmpKind.PACKET_TOO_BIG,
    (_ORIGIN_ICMPV6, 4, 1): IcmpKind.PROTOCOL_UNREACHABLE,
}
_UNREACHABLE = {(_ORIGIN_ICMP, 3), (_ORIGIN_ICMPV6, 1)}


def batching_carrier(loop: asyncio.AbstractEventLoop, udp_socket: socket.socket, protocol: UDPEncapsulation) -> None:
    """Linux's carrier; needs a loop with `add_reader`."""
    BatchingTransport(loop, udp_socket, protocol)


class BatchingTransport(asyncio.DatagramTransport):
    """Reads until there is nothing left, within a bound, and hands all of it over at once.

    Nothing that the operating system says about a datagram is raised: it is told to the protocol.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, udp_socket: socket.socket, protocol: UDPEncapsulation) -> None:
        super().__init__(extra={"socket": udp_socket, "sockname": udp_socket.getsockname()})
        self._loop = loop
        self._socket = udp_socket
        self._protocol = protocol
        self._unsent: deque[tuple[bytes, SockAddr, bool]] = deque()
        self._is_closing = False
        self._errors_taken = 0
        if udp_socket.family == socket.AF_INET6:
            udp_socket.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
        else:
            udp_socket.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        protocol.connection_made(self)
        loop.add_reader(udp_socket.fileno(), self._readable)

    # -- reading --

    def _readable(self) -> None:
        errors_before = self._errors_taken
        self._drain_errors()
        batch: list[tuple[bytes, SockAddr]] = []
        receive = self._socket.recvfrom
        for _ in range(MAX_DATAGRAMS_PER_WAKE_UP):
            try:
                batch.append(receive(MAX_DATAGRAM_BYTES))
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                continue  # the pending error of a datagram whose message the error queue holds
        had_error = self._errors_taken != errors_before
        if had_error or not batch:
            self._rearm()
        if batch:
            self._protocol.batch_received(batch)

    def _rearm(self) -> None:
        """libuv stops polling a socket whose error queue has made it report POLLERR, and uvloop does not know."""
        self._loop.remove_reader(self._socket.fileno())
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def _drain_errors(self) -> bool:
        """Take the ICMP errors: left there, they would keep the socket readable for ever.

        True when the kernel itself has told one of them the MTU of the interface.
        """
        told_mtu = False
        for _ in range(MAX_ERRORS_PER_WAKE_UP):
            try:
                quoted, ancillary, _, address = self._socket.recvmsg(
                    MAX_DATAGRAM_BYTES, _ERROR_ANCILLARY_BYTES, socket.MSG_ERRQUEUE
                )
            except OSError:
                break
            self._errors_taken += 1
            for level, option, data in ancillary:
                if (level, option) in ((socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)):
                    told_mtu |= self._report(quoted, address, data)
        return told_mtu

    def _report(self, quoted: bytes, address: SockAddr | None, data: bytes) -> bool:
        if not address or len(data) < _EXTENDED_ERROR.size:
            return False
        number, origin, icmp_type, icmp_code, _, info, _ = _EXTENDED_ERROR.unpack_from(data)
        if origin == _ORIGIN_LOCAL:
            # What else the kernel says on its own is what the failing call says.
            kind = IcmpKind.PACKET_TOO_BIG if number == errno.EMSGSIZE and info else None
        else:
            kind = _KINDS.get((origin, icmp_type, icmp_code))
            if kind is None and (origin, icmp_type) in _UNREACHABLE:
                kind = IcmpKind.DESTINATION_UNREACHABLE
        if kind is None:
            return False
        mtu = info if kind is IcmpKind.PACKET_TOO_BIG else 0
        self._protocol.icmp_received(IcmpMessage(kind, quoted, host_of(address), mtu))
        return bool(origin == _ORIGIN_LOCAL)

    # -- writing --

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any | None = None) -> None:
        """Send now, or once the socket takes more. An argument that is no datagram raises; nothing else does."""
        self._send(bytes(data), addr, True)

    def send_fragmentable(self, data: bytes, addr: SockAddr) -> None:
        """The same, with DF off for this datagram (§6.9)."""
        self._send(data, addr, False)

    def _send(self, data: bytes, address: Any, dont_fragment: bool) -> None:
        if self._is_closing:
            return
        if not self._unsent and self._try_to_send(data, address, dont_fragment):
            return
        if len(self._unsent) >= MAX_UNSENT_DATAGRAMS:
            self._protocol.error_received(BlockingIOError("the socket takes nothing, and its queue is full"))
            return
        if not self._unsent:
            self._loop.add_writer(self._socket.fileno(), self._writable)
        self._unsent.append((data, address, dont_fragment))

    def _try_to_send(self, data: bytes, address: SockAddr, dont_fragment: bool) -> bool:
        """Whether the datagram is dealt with: sent, or refused for good."""
        if not dont_fragment:
            set_dont_fragment(self._socket, False)
        try:
            return self._send_now(data, address)
        finally:
            if not dont_fragment:
                set_dont_fragment(self._socket, True)

    def _send_now(self, data: bytes, address: SockAddr) -> bool:
        try:
            self._socket.sendto(data, address)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            # An ICMP error makes the next call fail, whatever that sends: it belongs to no one, so try again.
            told_mtu = self._drain_errors()
            try:
                self._socket.sendto(data, address)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError as error:
                told_mtu |= self._drain_errors()
                if not (told_mtu and error.errno == errno.EMSGSIZE):
                    self._protocol.error_received(error)
        return True

    def _writable(self) -> None:
        while self._unsent:
            if not self._try_to_send(*self._unsent[0]):
                return
            self._unsent.popleft()
        self._loop.remove_writer(self._socket.fileno())
        if self._is_closing:
            self._lose()

    # -- closing --

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        """Close once what waits has been sent."""
        if self._is_closing:
            return
        self._is_closing = True
        self._loop.remove_reader(self._socket.fileno())
        if not self._unsent:
            self._lose()

    def abort(self) -> None:
        """Close now; what waits is dropped."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._unsent.clear()
        self._is_closing = True
        self._lose()

    def _lose(self) -> None:
        self._socket.close()
        with suppress(RuntimeError):  # the loop may be closing down: then nobody waits for it
            self._loop.call_soon(self._protocol.connection_lost, None)
