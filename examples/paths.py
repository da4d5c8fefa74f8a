"""Multi-homing: two addresses a side, what is told of them, and which one is used.

    python examples/paths.py

Both sides are in this program, on 127.0.0.1 and 127.0.0.2. Linux has the second one from the start; macOS has it after
`sudo ifconfig lo0 alias 127.0.0.2`.
"""

from __future__ import annotations

import asyncio
import sys

import aiosctp
from aiosctp.events import PeerAddressChange, PeerAddressChangeKind

HOSTS = ["127.0.0.1", "127.0.0.2"]
PORT = 7777


async def echo(association: aiosctp.Association) -> None:
    async for message in association:
        await association.send(message.data)


async def ask(association: aiosctp.Association) -> None:
    await association.send(b"hello")
    message = await association.receive()
    path = association.primary_path
    print(f"{message.data.decode()} by way of {path.address[0]}, from {path.local_address}")


async def use_both(association: aiosctp.Association) -> None:
    """Ask on the first path, and on the second as soon as that may be used."""
    events = association.events(PeerAddressChange)
    await ask(association)
    # The handshake proved one address; no data goes to the other before a HEARTBEAT there was answered (§5.4).
    async for event in events:
        print(event)
        match event:
            case PeerAddressChange(address, PeerAddressChangeKind.CONFIRMED):
                association.set_primary(address)
            case PeerAddressChange(change=PeerAddressChangeKind.MADE_PRIM):
                break
    await ask(association)
    for path in association.paths:
        print(f"{path.address[0]}: {path.state}, {1000 * await path.heartbeat():.1f} ms there and back")


async def main() -> None:
    # udp_port=0 takes a free UDP port, so this runs beside other programs; the peer has to be told which.
    async with (
        aiosctp.Stack(udp_port=0, local_addresses=HOSTS) as far,
        aiosctp.Stack(udp_port=0, local_addresses=HOSTS) as near,
        await aiosctp.serve(echo, port=PORT, stack=far),
        aiosctp.connect(HOSTS[0], PORT, remote_udp_port=far.udp_port, stack=near, timeout=5) as association,
    ):
        await use_both(association)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
