"""The buffers of a UDP socket: the same for every peer."""

from __future__ import annotations

import contextlib
import socket

from benchmarks.peers.job import UDP_BUFFER_BYTES

SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33  # asm-generic/socket.h


def enlarge(udp_socket: socket.socket) -> None:
    """Past net.core.rmem_max and wmem_max where that is permitted; elsewhere as far as the kernel allows."""
    for option, force_option in ((socket.SO_RCVBUF, SO_RCVBUFFORCE), (socket.SO_SNDBUF, SO_SNDBUFFORCE)):
        udp_socket.setsockopt(socket.SOL_SOCKET, option, UDP_BUFFER_BYTES)
        with contextlib.suppress(OSError):
            udp_socket.setsockopt(socket.SOL_SOCKET, force_option, UDP_BUFFER_BYTES)
