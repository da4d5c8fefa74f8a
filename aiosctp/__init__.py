"""SCTP (RFC 9260) for asyncio, in user space over UDP (RFC 6951).

    async def echo(association):
        async for message in association:
            await association.send(message.data, stream=message.stream, ppid=message.ppid)

    async def main():
        async with (
            await aiosctp.serve(echo, "127.0.0.1", 7777),
            aiosctp.connect("127.0.0.1", 7777) as association,
        ):
            await association.send(b"hello", stream=3, ppid=46)
            print(await association.receive())

To begin: connect, serve, Server, Association, Stream, Path, Message. Parameters: Config.
With asyncio's own names, for code written for TCP: open_connection, start_server, create_connection, create_server,
which give a StreamTransport for each SCTP stream.
What happens: the classes in events; AssociationState, AssociationStatus, AssociationStatistics, Abandoned, PathState.
What goes wrong: SCTPError, and below it, in exceptions too, AssociationRefused, ConnectTimeout, AssociationLost,
AssociationAborted (with a Cause for each reason), AssociationShutdown, InvalidStream, MessageTooLarge, NotSupported,
RecordLost, RequestDenied, StreamEnded.
Which stream's message goes next: Config.scheduler, and in schedulers how to add one.
Sockets: Stack, with FreeBSD's variables in Stack.sysctl; StackStatistics; privileged_ports, a policy for its SCTP
ports; Network and SystemNetwork, where its sockets and clock come from.
What this SCTP can do, for who asks as a C program asks its headers: features, a set of Feature.
"""

import logging
from importlib import metadata

from aiosctp import events, exceptions, schedulers
from aiosctp.association import Association
from aiosctp.capabilities import Feature, features
from aiosctp.client import connect
from aiosctp.config import Config
from aiosctp.core.messages import Message
from aiosctp.core.states import AssociationState, PathState
from aiosctp.exceptions import (
    AssociationAborted,
    AssociationLost,
    AssociationRefused,
    AssociationShutdown,
    Cause,
    ConnectTimeout,
    InvalidStream,
    MessageTooLarge,
    NotSupported,
    RecordLost,
    RequestDenied,
    SCTPError,
    StreamEnded,
)
from aiosctp.network import Network, SystemNetwork
from aiosctp.path import Path
from aiosctp.port_policy import privileged_ports
from aiosctp.server import Server, serve
from aiosctp.stack import Stack
from aiosctp.status import Abandoned, AssociationStatistics, AssociationStatus, StackStatistics
from aiosctp.stream_client import create_connection, open_connection
from aiosctp.stream_server import create_server, start_server
from aiosctp.stream_transport import StreamTransport
from aiosctp.streams import Stream

logging.getLogger("aiosctp").addHandler(logging.NullHandler())

try:
    __version__ = metadata.version("aiosctp")
except metadata.PackageNotFoundError:  # a checkout that was not installed
    __version__ = "0+unknown"

__all__ = [
    "Abandoned",
    "Association",
    "AssociationAborted",
    "AssociationLost",
    "AssociationRefused",
    "AssociationShutdown",
    "AssociationState",
    "AssociationStatistics",
    "AssociationStatus",
    "Cause",
    "Config",
    "ConnectTimeout",
    "Feature",
    "InvalidStream",
    "Message",
    "MessageTooLarge",
    "Network",
    "NotSupported",
    "Path",
    "PathState",
    "RecordLost",
    "RequestDenied",
    "SCTPError",
    "Server",
    "Stack",
    "StackStatistics",
    "Stream",
    "StreamEnded",
    "StreamTransport",
    "SystemNetwork",
    "connect",
    "create_connection",
    "create_server",
    "events",
    "exceptions",
    "features",
    "open_connection",
    "privileged_ports",
    "schedulers",
    "serve",
    "start_server",
]
