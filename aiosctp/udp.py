"""SCTP in UDP (RFC 6951): the sockets of a stack, one per local address, all on one UDP port."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from aiosctp.core.datagram import Datagram, Received, split
from aiosctp.core.icmp import IcmpMessage
from aiosctp.sockets import SockAddr, host_of, set_dont_fragment, socket_address

# Datagrams kept until a transport that is made asynchronously is there; what is lost beyond is retransmitted.
MAX_EARLY_DATAGRAMS = 256


class DatagramReceiver(Protocol):
    """Who takes what arrives: the stack."""

    def datagrams_received(self, datagrams: Iterable[Received], local_host: str) -> None:
        """Everything that one wake-up found, in order, which came to `local_host`."""

    def icmp_received(self, message: IcmpMessage) -> None:
        """An ICMP message about a datagram of ours."""

    def send_failed(self, datagram: Datagram, *, too_big: bool, mtu: int = 0) -> None:
        """The operating system refused a datagram, as `too_big` for an interface with this MTU, 0 if it did not say.
        Called while the stack sends."""


@runtime_checkable
class SendsRuns(Protocol):
    """A datagram transport that does more than asyncio's, as `BatchingTransport` does."""

    def send_run(self, data: bytes, addr: SockAddr, segment_bytes: int) -> bool: ...

    def send_fragmentable(self, data: bytes, addr: SockAddr) -> None: ...


class UDPEncapsulation(asyncio.DatagramProtocol):
    """One UDP socket of a stack, on whatever transport carries it."""

    def __init__(self, receiver: DatagramReceiver, local_host: str, udp_socket: socket.socket) -> None:
        self.local_host = local_host
        self.udp_port: int = udp_socket.getsockname()[1]
        self._socket = udp_socket
        self._receiver = receiver
        self._transport: asyncio.DatagramTransport | None = None
        self._batching: SendsRuns | None = None
        """The transport, when it is one."""
        self._early: deque[Datagram] = deque(maxlen=MAX_EARLY_DATAGRAMS)
        self._is_closed = False
        self._lost = asyncio.Event()
        self._sending: Datagram | None = None

    # -- what the stack asks for --

    def send(self, datagram: Datagram) -> None:
        """Send, or drop: a datagram has no other fate that its sender could act on."""
        if not datagram.segment_bytes:
            self._send_one(datagram)
        elif not self._send_run(datagram):
            for each in split((datagram,)):
                self._send_one(each)

    def _send_run(self, run: Datagram) -> bool:
        """False when its datagrams are to be sent one by one."""
        transport = self._batching
        if transport is None or not run.dont_fragment:
            return False
        self._sending = run
        try:
            return transport.send_run(run.data, socket_address(run.destination, run.udp_port), run.segment_bytes)
        except OSError as error:
            self.error_received(error)
            return True
        finally:
            self._sending = None

    def _send_one(self, datagram: Datagram) -> None:
        transport = self._transport
        if transport is None:
            self._early.append(datagram)
            return
        self._sending = datagram
        try:
            address = socket_address(datagram.destination, datagram.udp_port)
            if datagram.dont_fragment:
                transport.sendto(datagram.data, address)
            else:
                self._send_fragmentable(transport, datagram.data, address)
        except OSError as error:
            self.error_received(error)
        finally:
            self._sending = None

    def close(self) -> None:
        self._is_closed = True
        self._early.clear()
        if self._transport is not None:
            self._transport.close()

    async def wait_closed(self) -> None:
        """Wait until the socket is closed. Cancelling changes nothing."""
        await self._lost.wait()

    def _send_fragmentable(self, transport: asyncio.DatagramTransport, data: bytes, address: SockAddr) -> None:
        """§6.9: what no longer fits its path goes out with IP fragmentation."""
        if self._batching is not None:
            self._batching.send_fragmentable(data, address)
            return
        # Any other transport sends at once when it can, and else keeps DF on what it queues.
        set_dont_fragment(self._socket, False)
        try:
            transport.sendto(data, address)
        finally:
            set_dont_fragment(self._socket, True)

    @property
    def socket(self) -> socket.socket:
        return self._socket

    # -- asyncio.DatagramProtocol --

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's datagram transport is no subclass of asyncio's.
        self._transport = transport  # type: ignore[assignment]  # see above
        self._batching = transport if isinstance(transport, SendsRuns) else None
        if self._is_closed:
            transport.close()
        while self._early:
            self.send(self._early.popleft())

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closed = True
        self._lost.set()

    def datagram_received(self, data: bytes, addr: SockAddr) -> None:
        self.batch_received([Received(data, host_of(addr), addr[1])])

    def error_received(self, exc: Exception) -> None:
        """Transports call this from within `sendto`, and for pending errors of datagrams sent before."""
        if isinstance(exc, OSError) and exc.errno == errno.EMSGSIZE:
            self.was_too_big(0)
        elif self._sending is not None and isinstance(exc, OSError):
            self._receiver.send_failed(self._sending, too_big=False)

    # -- what the batching transport adds --

    def batch_received(self, batch: Iterable[Received]) -> None:
        """Everything that one wake-up found."""
        if not self._is_closed:
            self._receiver.datagrams_received(batch, self.local_host)

    def was_too_big(self, mtu: int) -> None:
        """What is being sent, for an interface with this MTU, 0 if the kernel did not say."""
        if self._sending is not None:
            self._receiver.send_failed(self._sending, too_big=True, mtu=mtu)

    def icmp_received(self, message: IcmpMessage) -> None:
        if not self._is_closed:
            self._receiver.icmp_received(message)


Carrier = Callable[[asyncio.AbstractEventLoop, socket.socket, UDPEncapsulation], None]
"""What puts a bound socket on the loop under its protocol."""


def endpoint_carrier(loop: asyncio.AbstractEventLoop, udp_socket: socket.socket, protocol: UDPEncapsulation) -> None:
    """`create_datagram_endpoint`: works on every loop, a datagram per loop turn and no ICMP errors."""

    async def attach() -> None:
        try:
            await loop.create_datagram_endpoint(lambda: protocol, sock=udp_socket)
        except BaseException:
            udp_socket.close()
            protocol.connection_lost(None)
            raise

    task = loop.create_task(attach())
    _attaching.add(task)
    task.add_done_callback(_attaching.discard)


# The loop holds tasks weakly.
_attaching: set[asyncio.Task[None]] = set()
