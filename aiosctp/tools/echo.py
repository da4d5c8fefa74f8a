"""`aiosctp echo`: the echo service (RFC 862) over SCTP, and a client for it."""

from __future__ import annotations

import argparse
import sys

import aiosctp
from aiosctp.association import Association
from aiosctp.tools import stdin
from aiosctp.tools.console import say
from aiosctp.tools.notifications import watch
from aiosctp.tools.options import (
    ECHO_PORT,
    ENCAPSULATION_PORT,
    MAX_PORT,
    Commands,
    add_command,
    add_number,
    host_name,
    port,
    seconds,
    whole,
)
from aiosctp.tools.runner import deadline, stop_signal
from aiosctp.tools.runner import run as run_loop

MAX_STREAMS = 65535
MISUSED = 2
SHUTDOWN_TIMEOUT_S = 10.0

DESCRIPTION = """\
Serve echo, or talk to an echo server.

Without --client: sends each message back as it came: on its stream, with its
payload protocol identifier, ordered or unordered. Each association's
notifications are shown, named by the peer's address. Ctrl-C or SIGTERM shuts
every association down gracefully; a second one ends at once.

With --client HOST: sends a line of standard input as one message, writes what
comes back to standard output, byte for byte, and goes on with the next line.
Notifications go to standard error. The end of the input shuts the association
down gracefully.

    aiosctp echo --udp-port 9899 &
    echo hello | aiosctp echo --client 127.0.0.1

exit status: 0; 1 when there is no association or no echo"""


def add_parser(commands: Commands) -> None:
    """Add the subcommand."""
    parser = add_command(commands, "echo", run, help="serve echo, or talk to an echo server", description=DESCRIPTION)
    parser.add_argument("--client", type=host_name, metavar="HOST", help="be the client of the server at HOST")
    parser.add_argument(
        "--host", type=host_name, action="append", help="server: offer this address only; may be repeated"
    )
    add_number(parser, "--port", type=port, default=ECHO_PORT, help="the server's SCTP port", metavar="N")
    add_number(
        parser,
        "--udp-port",
        type=whole(0, MAX_PORT),
        default=ENCAPSULATION_PORT,
        help="the server's UDP port; a server given 0 takes a free one",
        metavar="N",
    )
    add_number(
        parser, "--stream", type=whole(0, MAX_STREAMS - 1), default=0, help="client: send on this stream", metavar="N"
    )
    add_number(
        parser, "--timeout", type=seconds, default=10.0, help="client: how long to wait for an answer", metavar="S"
    )


def run(arguments: argparse.Namespace) -> int:
    """Serve until interrupted, or be the client until the end of the input."""
    if arguments.client is None:
        return run_loop(_serve(arguments))
    if arguments.udp_port == 0:
        print("aiosctp echo: a client needs the server's UDP port, which is not 0", file=sys.stderr)
        return MISUSED
    return run_loop(_talk(arguments))


async def _serve(arguments: argparse.Namespace) -> int:
    server = await aiosctp.serve(
        _echo,
        arguments.host,
        arguments.port,
        udp_port=arguments.udp_port,
        outbound_streams=MAX_STREAMS,
        config=aiosctp.Config(shutdown_timeout_s=SHUTDOWN_TIMEOUT_S),
    )
    async with server:
        hosts = ", ".join(sorted({host for host, _ in server.addresses}))
        say("listening", f"on {hosts}, SCTP port {server.port}, UDP port {server.udp_port}")
        await stop_signal()
    return 0


async def _echo(association: Association) -> None:
    host, _ = association.get_extra_info("peername")
    watch(association, lambda text: say(host, text))
    async for message in association:
        # A peer may send on more streams than it takes.
        stream = message.stream if message.stream < association.outbound_streams else 0
        await association.send(message.data, stream=stream, ppid=message.ppid, unordered=message.unordered)


async def _talk(arguments: argparse.Namespace) -> int:
    try:
        connecting = aiosctp.connect(
            arguments.client, arguments.port, remote_udp_port=arguments.udp_port, timeout=arguments.timeout
        )
    except ValueError as error:  # an address that is nobody's, such as 0.0.0.0
        print(f"aiosctp echo: {error}", file=sys.stderr)
        return MISUSED
    async with connecting as association:
        notifications = watch(association, _tell)
        async for line in stdin.lines():
            async with deadline(arguments.timeout, "the echo"):
                await association.send(line, stream=arguments.stream)
                await _print_echo(association, len(line))
    await notifications
    return 0


async def _print_echo(association: Association, size: int) -> None:
    """Write what comes until `size` bytes have come: some servers give a message back in parts."""
    while size > 0:
        message = await association.receive()
        sys.stdout.buffer.write(message.data)
        sys.stdout.buffer.flush()
        size -= len(message.data)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
