"""aiosctp behind the command line and the events of the usrsctp peer, to run in a network namespace.

`python -m tests.interop.aiosctp_peer server|client --local … --port … --udp-port …`, with the same options
and the same commands on standard input as peer/usrsctp_peer.c, as far as the tests use them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Sequence

import aiosctp
from aiosctp.events import AssociationChange, PeerAddressChange, RemoteError, ShutdownEvent
from aiosctp.exceptions import SCTPError
from tests.interop.namespace import Namespace
from tests.interop.processes import Peer, options
from tests.interop.tally import Tally

SOURCE_PPID = 46

# The counterpart of usrsctp.IMPATIENT.
CONFIG = aiosctp.Config(
    rto_initial_s=0.1,
    rto_min_s=0.1,
    rto_max_s=0.2,
    path_max_retrans=1,
    hb_interval_s=0.2,
    shutdown_timeout_s=5.0,
)


async def start_aiosctp(namespace: Namespace, role: str, **arguments: object) -> Peer:
    """Run this module in a namespace."""
    module = "tests.interop.aiosctp_peer"
    return await Peer.start(*namespace.prefix, sys.executable, "-m", module, role, *options(arguments))


def emit(event: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Connected:
    """One association: tells what happens to it, and does what standard input says."""

    def __init__(self, association: aiosctp.Association, arguments: argparse.Namespace) -> None:
        self._association = association
        self._arguments = arguments
        self._received = Tally()
        self._sources: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(self._watch())
            commands = tasks.create_task(self._obey())
            await self._receive()
            await watch
            emit(self._received.event("received"))
            emit({"event": "closed"})
            await commands

    async def _receive(self) -> None:
        try:
            async for message in self._association:
                self._received.add(message.stream, message.data, unordered=message.unordered)
                if self._arguments.messages:
                    fields = {"stream": message.stream, "ppid": message.ppid, "size": len(message.data)}
                    emit({"event": "message", "unordered": message.unordered} | fields)
                if self._arguments.echo:
                    await self._association.send(
                        message.data, stream=message.stream, ppid=message.ppid, unordered=message.unordered
                    )
        except SCTPError as error:
            emit({"event": "error", "call": "receive", "error": type(error).__name__})

    async def _watch(self) -> None:
        async for event in self._association.events(AssociationChange, PeerAddressChange, RemoteError, ShutdownEvent):
            match event:
                case AssociationChange():
                    emit({"event": "assoc_change", "state": event.change.value})
                case PeerAddressChange():
                    host = event.address[0]
                    emit({"event": "peer_addr_change", "state": event.change.value, "address": host})
                case RemoteError():
                    emit({"event": "remote_error", "error": event.error})
                case ShutdownEvent():
                    emit({"event": "shutdown_event"})

    async def _obey(self) -> None:
        while line := await asyncio.to_thread(sys.stdin.readline):
            match line.split():
                case ["send", stream, size, ppid, *unordered]:
                    data = random.Random(size).randbytes(int(size))
                    await self._association.send(data, stream=int(stream), ppid=int(ppid), unordered=bool(unordered))
                case ["source", total, size, streams]:
                    source = asyncio.create_task(self._source(int(total), int(size), int(streams)))
                    self._sources.add(source)
                    source.add_done_callback(self._sources.discard)
                case ["report"]:
                    emit(self._received.event("received"))
                case ["status"]:
                    paths = [{"address": path.address[0], "state": path.state.name} for path in self._association.paths]
                    emit({"event": "status", "paths": paths})
                case ["shutdown"]:
                    await self._association.shutdown()
                case ["abort", *reason]:
                    self._association.abort(" ".join(reason).encode())

    async def _source(self, total: int, size: int, streams: int) -> None:
        sent = Tally()
        while sent.bytes < total:
            data = random.Random(sent.messages).randbytes(min(size, total - sent.bytes))
            stream = sent.messages % streams
            await self._association.send(data, stream=stream, ppid=SOURCE_PPID)
            sent.add(stream, data)
        emit(sent.event("sent"))


async def main(argv: Sequence[str]) -> None:
    """Serve or connect, until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["server", "client"])
    parser.add_argument("--local", action="append")
    parser.add_argument("--remote", default="127.0.0.1")
    for port in ("--port", "--udp-port", "--remote-port", "--remote-udp-port"):
        parser.add_argument(port, type=int, default=0)
    for flag in ("--echo", "--messages", "--patient"):
        parser.add_argument(flag, action="store_true")
    arguments = parser.parse_args(argv)
    config = aiosctp.Config() if arguments.patient else CONFIG
    if arguments.role == "server":
        await serve(arguments, config)
    else:
        await connect(arguments, config)


async def serve(arguments: argparse.Namespace, config: aiosctp.Config) -> None:
    async def handle(association: aiosctp.Association) -> None:
        await Connected(association, arguments).run()

    server = await aiosctp.serve(handle, arguments.local, arguments.port, udp_port=arguments.udp_port, config=config)
    async with server:
        emit({"event": "listening"})
        await server.serve_forever()


async def connect(arguments: argparse.Namespace, config: aiosctp.Config) -> None:
    emit({"event": "connecting"})
    connecting = aiosctp.connect(
        arguments.remote,
        arguments.remote_port,
        remote_udp_port=arguments.remote_udp_port,
        udp_port=arguments.udp_port,
        local_addresses=arguments.local,
        local_port=arguments.port,
        config=config,
    )
    async with connecting as association:
        emit({"event": "assoc_change", "state": "COMM_UP"})
        await Connected(association, arguments).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
