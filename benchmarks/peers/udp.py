"""Bare UDP, the limit: `python -m benchmarks.peers.udp plain|gso WORD...`.

System calls in a loop by the same interpreter, blocking, with no event loop, no protocol and no answer: what the
receiver has no time for is lost. A datagram is a message or, of a larger one, as much as the path MTU takes; with GSO
one call sends as many as the kernel takes, and with GRO one call receives what the kernel has put together.
"""

from __future__ import annotations

import socket
import sys

from benchmarks.peers.buffers import enlarge
from benchmarks.peers.job import HOST, MESSAGES_PER_LOOK, Job, Meter, read_job, tell

UDP_SEGMENT, UDP_GRO = 103, 104  # linux/udp.h
MAX_SEGMENTS = 64
MAX_UDP_BYTES = 65507
_HEADERS_BYTES = 28


def main(way: str, job: Job) -> None:
    """Send or receive until the runner ends it."""
    udp_socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    enlarge(udp_socket)
    udp_socket.bind((HOST, job.udp_port))
    udp_socket.connect((HOST, job.remote_udp_port))
    if job.side == "receiver":
        _receive(udp_socket, job, gro=way == "gso")
    elif way == "gso":
        _send_runs(udp_socket, _datagram_bytes(job))
    else:
        _send(udp_socket, _datagram_bytes(job))


def _datagram_bytes(job: Job) -> int:
    room = job.path_mtu - _HEADERS_BYTES if job.path_mtu else MAX_UDP_BYTES
    return min(job.message_bytes, room)


def _receive(udp_socket: socket.socket, job: Job, *, gro: bool) -> None:
    datagram_bytes = _datagram_bytes(job)
    if gro:
        udp_socket.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
    tell("ready")
    meter = Meter(job)
    receive = udp_socket.recv
    while True:
        size = 0
        for _ in range(MESSAGES_PER_LOOK):
            size += len(receive(MAX_UDP_BYTES))
        meter.add(size // datagram_bytes, size)


def _send(udp_socket: socket.socket, datagram_bytes: int) -> None:
    data = bytes(datagram_bytes)
    send = udp_socket.send
    while True:
        send(data)


def _send_runs(udp_socket: socket.socket, datagram_bytes: int) -> None:
    segments = min(MAX_SEGMENTS, MAX_UDP_BYTES // datagram_bytes)
    udp_socket.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, datagram_bytes)
    _send(udp_socket, segments * datagram_bytes)


if __name__ == "__main__":
    main(sys.argv[1], read_job(sys.argv[2:]))
