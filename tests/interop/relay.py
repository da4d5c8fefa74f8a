"""A network between two peers: a UDP relay, with one link for each IP address.

What the first peer sends to (address, port_for_first) arrives at the second on (address, its UDP port), and
comes from (address, port_for_second); and the other way round. So each peer takes the relay's port for the
other's UDP port, and every path of a multi-homed association leads over a link that can fail alone. (The
source address is the link's, for over UDP usrsctp leaves it to the kernel, which always takes 127.0.0.1.)

It loses packets by a seed, per direction, holds them back, or lets an address go dark. In a process of its
own (`python -m tests.interop.relay`) it takes the commands `silence ADDRESS` and `restore ADDRESS`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import socket
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Literal, Self

from tests.interop.namespace import Namespace
from tests.interop.processes import Peer, options

ADDRESSES = ["127.0.0.1", "127.0.0.2"]
READS_PER_WAKE_UP = 128
SOCKET_BUFFER_BYTES = 4 * 2**20

Sender = Literal["first", "second"]
# Asked of every packet that has come: whether it is carried on.
Gate = Callable[[Sender, bytes], bool]


class Side:
    """The sockets, one per address, that face one of the two peers."""

    def __init__(self, addresses: Sequence[str], peer_udp_port: int, loss: float, seed: int) -> None:
        self.peer_udp_port = peer_udp_port
        self.port = 0
        self.sockets: dict[str, socket.socket] = {}
        self.received = 0
        self.lost = 0
        self._loss = loss
        self._random = random.Random(seed)
        for address in addresses:
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.sockets[address] = sock
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER_BYTES)
            sock.bind((address, self.port))
            self.port = sock.getsockname()[1]

    def loses(self) -> bool:
        """Whether the packet that has just come from this side's peer is lost."""
        self.received += 1
        lost = self._random.random() < self._loss
        self.lost += lost
        return lost


class Relay:
    """A relay between two UDP ports, an async context manager."""

    def __init__(
        self,
        first_udp_port: int,
        second_udp_port: int,
        *,
        addresses: Sequence[str] = ("127.0.0.1",),
        loss: float = 0.0,
        seed: int = 1,
        hold: bool = False,
        gate: Gate | None = None,
    ) -> None:
        """`hold` keeps every packet back until both peers have sent one."""
        self._first = Side(addresses, first_udp_port, loss, seed)
        self._second = Side(addresses, second_udp_port, loss, seed + 1)
        self._dark: set[str] = set()
        self._holding = hold
        self._gate = gate
        self._held: list[tuple[Side, str, bytes]] = []

    @property
    def port_for_first(self) -> int:
        """What the first peer must take for the second's UDP port."""
        return self._first.port

    @property
    def port_for_second(self) -> int:
        """What the second peer must take for the first's UDP port."""
        return self._second.port

    @property
    def lost(self) -> int:
        """How many packets the seed has cost, in both directions."""
        return self._first.lost + self._second.lost

    def silence(self, *addresses: str) -> None:
        """Lose everything on the links of these addresses."""
        self._dark.update(addresses)

    def restore(self, *addresses: str) -> None:
        """Carry packets on these links again."""
        self._dark.difference_update(addresses)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        for side, other in ((self._first, self._second), (self._second, self._first)):
            for address, sock in side.sockets.items():
                loop.add_reader(sock, self._drain, side, other, address, sock)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        loop = asyncio.get_running_loop()
        for side in (self._first, self._second):
            for sock in side.sockets.values():
                loop.remove_reader(sock)
                sock.close()

    def _drain(self, side: Side, other: Side, address: str, sock: socket.socket) -> None:
        for _ in range(READS_PER_WAKE_UP):
            try:
                packet = sock.recv(65536)
            except BlockingIOError:
                return
            except ConnectionRefusedError:  # an earlier packet of ours found its port closed
                continue
            if side.loses() or address in self._dark or not self._passes(side, packet):
                continue
            if self._holding:
                self._hold(other, address, packet)
            else:
                _forward(other, address, packet)

    def _passes(self, side: Side, packet: bytes) -> bool:
        return self._gate is None or self._gate("first" if side is self._first else "second", packet)

    def _hold(self, other: Side, address: str, packet: bytes) -> None:
        self._held.append((other, address, packet))
        if self._first.received and self._second.received:
            self._holding = False
            for held in self._held:
                _forward(*held)
            self._held.clear()


def _forward(side: Side, address: str, packet: bytes) -> None:
    """Send to a side's peer over the link. A full buffer or a closed port loses a packet, as networks do."""
    with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
        side.sockets[address].sendto(packet, (address, side.peer_udp_port))


async def start_relay(namespace: Namespace, *, first: int, second: int) -> Peer:
    """A relay of both addresses in a namespace; its event "relaying" tells its ports."""
    arguments = options({"address": ADDRESSES, "first": first, "second": second})
    return await Peer.start(*namespace.prefix, sys.executable, "-m", "tests.interop.relay", *arguments)


async def main(arguments: Sequence[str]) -> None:
    """Run a relay until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", action="append", required=True)
    parser.add_argument("--first", type=int, required=True)
    parser.add_argument("--second", type=int, required=True)
    parsed = parser.parse_args(arguments)
    async with Relay(parsed.first, parsed.second, addresses=parsed.address) as relay:
        ports = {"port_for_first": relay.port_for_first, "port_for_second": relay.port_for_second}
        sys.stdout.write(json.dumps({"event": "relaying"} | ports) + "\n")
        sys.stdout.flush()
        while line := await asyncio.to_thread(sys.stdin.readline):
            command, address = line.split()
            {"silence": relay.silence, "restore": relay.restore}[command](address)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
