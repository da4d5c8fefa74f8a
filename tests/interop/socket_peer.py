"""aiosctp.socket behind the command line and the events of the usrsctp peer, to run in a network namespace.

`python -m tests.interop.socket_peer server|client --style one_to_one|one_to_many --port … --udp-port …`, with the
options, commands and events of aiosctp_peer.py, as far as the tests use them.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
from collections.abc import Sequence

import aiosctp
from aiosctp.socket import (
    AF_INET,
    IPPROTO_SCTP,
    MSG_NOTIFICATION,
    SCTP_ASSOC_CHANGE,
    SCTP_CANT_STR_ASSOC,
    SCTP_COMM_LOST,
    SCTP_COMM_UP,
    SCTP_EOF,
    SCTP_RESTART,
    SCTP_SHUTDOWN_COMP,
    SCTP_SHUTDOWN_EVENT,
    SCTP_UNORDERED,
    SHUT_WR,
    SOCK_SEQPACKET,
    SOCK_STREAM,
    Received,
    SCTPSocket,
    sctp_assoc_change,
    sctp_shutdown_event,
    sctp_sndinfo,
)
from tests.interop.aiosctp_peer import emit
from tests.interop.namespace import Namespace
from tests.interop.processes import Peer, options
from tests.interop.socket_pairs import peer_is_at, set_up

HOST = "127.0.0.1"
STATES = {
    SCTP_COMM_UP: "COMM_UP",
    SCTP_COMM_LOST: "COMM_LOST",
    SCTP_RESTART: "RESTART",
    SCTP_SHUTDOWN_COMP: "SHUTDOWN_COMP",
    SCTP_CANT_STR_ASSOC: "CANT_STR_ASSOC",
}
ENDINGS = (SCTP_COMM_LOST, SCTP_SHUTDOWN_COMP, SCTP_CANT_STR_ASSOC)


async def start_sockets(namespace: Namespace, style: str, role: str, **arguments: object) -> Peer:
    """Run this module in a namespace."""
    command = (sys.executable, "-m", "tests.interop.socket_peer", role, f"--style={style}", *options(arguments))
    return await Peer.start(*namespace.prefix, *command)


class Program:
    """Tells what comes from a socket, and sends what standard input says: to the association that came up last."""

    def __init__(self, sock: SCTPSocket) -> None:
        self._socket = sock
        self._association_id = 0

    async def receive(self) -> None:
        """Until the association has ended."""
        while True:
            received = await self._socket.recvv(2**18)
            if received.msg_flags & MSG_NOTIFICATION:
                if self._tell(received.data):
                    break
            elif received.data:
                self._tell_message(received)
            else:
                break
        emit({"event": "closed"})

    def _tell(self, notification: object) -> bool:
        """Whether it is the end."""
        match notification:
            case sctp_assoc_change(sac_state=state):
                emit({"event": "assoc_change", "state": STATES[state]})
                self._association_id = notification.sac_assoc_id
                return state in ENDINGS
            case sctp_shutdown_event():
                emit({"event": "shutdown_event"})
        return False

    def _tell_message(self, received: Received) -> None:
        info = received.rcvinfo
        assert info is not None
        unordered = bool(info.rcv_flags & SCTP_UNORDERED)
        fields = {"stream": info.rcv_sid, "ppid": info.rcv_ppid, "size": len(received.data)}
        emit({"event": "message", "unordered": unordered} | fields)

    async def obey(self) -> None:
        while line := await asyncio.to_thread(sys.stdin.readline):
            match line.split():
                case ["send", stream, size, ppid]:
                    info = sctp_sndinfo(snd_sid=int(stream), snd_ppid=int(ppid), snd_assoc_id=self._association_id)
                    await self._socket.sendv(random.Random(size).randbytes(int(size)), sndinfo=info)
                case ["shutdown"] if self._socket.type == SOCK_STREAM:
                    self._socket.shutdown(SHUT_WR)
                case ["shutdown"]:
                    info = sctp_sndinfo(snd_assoc_id=self._association_id, snd_flags=SCTP_EOF)
                    await self._socket.sendv(b"", sndinfo=info)


async def run(arguments: argparse.Namespace) -> None:
    style = SOCK_STREAM if arguments.style == "one_to_one" else SOCK_SEQPACKET
    async with (
        aiosctp.Stack(udp_port=arguments.udp_port) as stack,
        SCTPSocket(AF_INET, style, IPPROTO_SCTP, stack=stack) as sock,
    ):
        set_up(sock, SCTP_ASSOC_CHANGE, SCTP_SHUTDOWN_EVENT)
        if arguments.port:
            sock.bind((HOST, arguments.port))
        if arguments.role == "server":
            sock.listen(1)
            emit({"event": "listening"})
            if style == SOCK_STREAM:
                sock, _ = await sock.accept()
        else:
            peer_is_at(sock, arguments.remote_udp_port)
            emit({"event": "connecting"})
            await sock.connect((HOST, arguments.remote_port))
        program = Program(sock)
        async with asyncio.TaskGroup() as tasks, sock:
            tasks.create_task(program.obey())
            await program.receive()


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("--style", choices=["one_to_one", "one_to_many"], required=True)
    for port in ("--port", "--udp-port", "--remote-port", "--remote-udp-port"):
        parser.add_argument(port, type=int, default=0)
    asyncio.run(run(parser.parse_args(argv)))


if __name__ == "__main__":
    main(sys.argv[1:])
