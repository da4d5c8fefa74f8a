"""A datagram transport over `loop.add_reader` that takes and sends many datagrams at once, and reads ICMP errors.

Where the kernel can do it, a run of datagrams of one size goes out in one call (UDP_SEGMENT: GSO) and comes in one
(UDP_GRO). Each socket is asked when its transport is made. What it refuses later it is given one by one: the route may
lead through a device that can't do it, or through one with a smaller MTU.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
from collections import deque
from contextlib import suppress
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from aiosctp.core.datagram import Received, packet_count, segments
from aiosctp.error_queue import ask_for_errors, next_error
from aiosctp.sockets import MAX_DATAGRAM_BYTES, SockAddr, host_of, set_dont_fragment
from aiosctp.udp import UDPEncapsulation

# One wake-up takes no more than this, so that a flood on one socket leaves the loop to others, and the peer hears what
# has come before all of it has.
MAX_READS_PER_WAKE_UP = 128
MAX_BYTES_PER_WAKE_UP = 256 * 1024
MAX_ERRORS_PER_WAKE_UP = 64
# Datagrams that wait for the socket to become writable; beyond, they are dropped as a router would.
MAX_UNSENT_DATAGRAMS = 4096

# linux/udp.h.
SOL_UDP = 17
UDP_SEGMENT = 103
UDP_GRO = 104
_GRO_ANCILLARY_BYTES = socket.CMSG_SPACE(4) if hasattr(socket, "CMSG_SPACE") else 0
# What a run fails with and single datagrams may not: a device that computes no checksums, or a path through IPsec
# (EIO); segments larger than the interface takes, which kernels tell in two ways.
_RUN_REFUSALS = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE})


def batching_carrier(loop: asyncio.AbstractEventLoop, udp_socket: socket.socket, protocol: UDPEncapsulation) -> None:
    """Linux's carrier; needs a loop with `add_reader`."""
    BatchingTransport(loop, udp_socket, protocol)


class _Fate(Enum):
    DONE = auto()
    """Sent, or refused for good."""
    WAITS = auto()
    """The socket takes nothing now."""
    REFUSED_AS_RUN = auto()
    """None of it was sent: its datagrams are to be sent one by one."""


_DONE, _WAITS, _REFUSED_AS_RUN = _Fate


class BatchingTransport(asyncio.DatagramTransport):
    """Reads until there is nothing left, within a bound, and hands all of it over at once.

    Nothing that the operating system says about a datagram is raised: it is told to the protocol.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, udp_socket: socket.socket, protocol: UDPEncapsulation) -> None:
        super().__init__(extra={"socket": udp_socket, "sockname": udp_socket.getsockname()})
        self._loop = loop
        self._socket = udp_socket
        self._protocol = protocol
        self._unsent: deque[tuple[bytes, SockAddr, bool, int]] = deque()
        """Data, address, whether DF is on, and the size of its datagrams when it is a run."""
        self._unsent_packets = 0
        self._is_closing = False
        self._has_taken_errors = False
        """Since the reader was armed."""
        # Kernels that know it take 0 to mean what they do anyhow. An older one would send a run as one datagram.
        self._sends_runs = _takes(udp_socket, UDP_SEGMENT, 0)
        _takes(udp_socket, UDP_GRO, 1)
        ask_for_errors(udp_socket)
        protocol.connection_made(self)
        loop.add_reader(udp_socket.fileno(), self._readable)

    # -- reading --

    def _readable(self) -> None:
        batch = self._read()
        if not batch:
            self._drain_errors()
        if self._has_taken_errors or not batch:
            self._rearm()
        if batch:
            self._protocol.batch_received(batch)

    def _read(self) -> list[Received]:
        batch: list[Received] = []
        receive = self._socket.recvmsg
        last_address: SockAddr | None = None
        host, udp_port, bytes_read = "", 0, 0
        for _ in range(MAX_READS_PER_WAKE_UP):
            try:
                data, ancillary, _, address = receive(MAX_DATAGRAM_BYTES, _GRO_ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                # The pending error of a datagram that we sent; what was sent to us is still there.
                self._drain_errors()
                continue
            if address != last_address:
                last_address = address
                host, udp_port = host_of(address), address[1]
            batch.append(Received(data, host, udp_port, _run_of(data, ancillary) if ancillary else 0))
            bytes_read += len(data)
            if bytes_read >= MAX_BYTES_PER_WAKE_UP:
                break
        return batch

    def _rearm(self) -> None:
        """libuv stops polling a socket whose error queue has made it report POLLERR, and uvloop does not know."""
        self._has_taken_errors = False
        self._loop.remove_reader(self._socket.fileno())
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def _drain_errors(self) -> int:
        """Take the ICMP errors: left there, they would keep the socket readable for ever.

        The MTU of the interface, when the kernel itself has told it of what it was to send just now; else 0.
        """
        told_mtu = 0
        for _ in range(MAX_ERRORS_PER_WAKE_UP):
            error = next_error(self._socket)
            if error is None:
                break
            self._has_taken_errors = True
            told_mtu = error.local_mtu or told_mtu
            if error.message is not None:
                self._protocol.icmp_received(error.message)
        return told_mtu

    # -- writing --

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any | None = None) -> None:
        """Send now, or once the socket takes more. An argument that is no datagram raises; nothing else does."""
        self._send(bytes(data), addr, True, 0)

    def send_fragmentable(self, data: bytes, addr: SockAddr) -> None:
        """The same, with DF off for this datagram (§6.9)."""
        self._send(data, addr, False, 0)

    def send_run(self, data: bytes, addr: SockAddr, segment_bytes: int) -> bool:
        """The same for a run of datagrams, each of this size but the last, which may be smaller: all of it at once.

        False when the socket sends no such run and has sent none of it: its datagrams are to be sent one by one.
        """
        return self._sends_runs and self._send(data, addr, True, segment_bytes)

    def _send(self, data: bytes, address: Any, dont_fragment: bool, segment_bytes: int) -> bool:
        """False when it is a run, and refused as one."""
        if self._is_closing:
            return True
        if not self._unsent:
            send = self._send_now if dont_fragment else self._send_fragmentable_now
            fate = send(data, address, segment_bytes)
            if fate is not _WAITS:
                return fate is _DONE
        self._queue(data, address, dont_fragment, segment_bytes)
        return True

    def _queue(self, data: bytes, address: SockAddr, dont_fragment: bool, segment_bytes: int) -> None:
        packets = packet_count(data, segment_bytes)
        if self._unsent_packets + packets > MAX_UNSENT_DATAGRAMS:
            self._protocol.error_received(BlockingIOError("the socket takes nothing, and its queue is full"))
            return
        if not self._unsent:
            self._loop.add_writer(self._socket.fileno(), self._writable)
        self._unsent.append((data, address, dont_fragment, segment_bytes))
        self._unsent_packets += packets

    def _send_fragmentable_now(self, data: bytes, address: SockAddr, segment_bytes: int) -> _Fate:
        set_dont_fragment(self._socket, False)
        try:
            return self._send_now(data, address, segment_bytes)
        finally:
            set_dont_fragment(self._socket, True)

    def _send_now(self, data: bytes, address: SockAddr, segment_bytes: int) -> _Fate:
        try:
            self._call_socket(data, address, segment_bytes)
        except (BlockingIOError, InterruptedError):
            return _WAITS
        except OSError as error:
            # An ICMP error makes the next call fail, whatever that sends: it belongs to no one, so try again.
            told_mtu = self._drain_errors()
            if segment_bytes and error.errno in _RUN_REFUSALS:
                return self._refused_as_run(error)
            return self._send_again(data, address, segment_bytes, told_mtu)
        return _DONE

    def _send_again(self, data: bytes, address: SockAddr, segment_bytes: int, told_mtu: int) -> _Fate:
        try:
            self._call_socket(data, address, segment_bytes)
        except (BlockingIOError, InterruptedError):
            return _WAITS
        except OSError as error:
            told_mtu = self._drain_errors() or told_mtu
            if segment_bytes and error.errno in _RUN_REFUSALS:
                return self._refused_as_run(error)
            if error.errno == errno.EMSGSIZE:
                self._protocol.was_too_big(told_mtu)
            else:
                self._protocol.error_received(error)
        return _DONE

    def _call_socket(self, data: bytes, address: SockAddr, segment_bytes: int) -> None:
        """The kernel takes all of it, or raises and takes none."""
        if segment_bytes:
            self._socket.sendmsg((data,), _segment_size(segment_bytes), 0, address)
        else:
            self._socket.sendto(data, address)

    def _refused_as_run(self, error: OSError) -> _Fate:
        if error.errno == errno.EIO:
            self._sends_runs = False
        return _REFUSED_AS_RUN

    def _writable(self) -> None:
        while self._unsent:
            data, address, dont_fragment, segment_bytes = self._unsent[0]
            send = self._send_now if dont_fragment else self._send_fragmentable_now
            fate = send(data, address, segment_bytes)
            if fate is _WAITS:
                return
            self._unsent.popleft()
            if fate is _REFUSED_AS_RUN:
                singles = [(each, address, dont_fragment, 0) for each in segments(data, segment_bytes)]
                self._unsent.extendleft(reversed(singles))
            else:
                self._unsent_packets -= packet_count(data, segment_bytes)
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


def _takes(udp_socket: socket.socket, option: int, value: int) -> bool:
    """Whether the kernel knows this option of UDP."""
    try:
        udp_socket.setsockopt(SOL_UDP, option, value)
    except OSError:
        return False
    return True


@lru_cache(maxsize=64)
def _segment_size(segment_bytes: int) -> list[tuple[int, int, bytes]]:
    """The ancillary data that makes a call send a run."""
    return [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", segment_bytes))]


def _run_of(data: bytes, ancillary: list[tuple[int, int, bytes]]) -> int:
    """`Received.segment_bytes`, as UDP_GRO tells it."""
    for level, option, value in ancillary:
        if (level, option) == (SOL_UDP, UDP_GRO):
            segment_bytes = int.from_bytes(value, sys.byteorder)
            return segment_bytes if segment_bytes < len(data) else 0
    return 0
