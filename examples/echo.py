"""Echo over SCTP, as two programs.

    python examples/echo.py serve
    python examples/echo.py ask 127.0.0.1 hello

The server sends each message back on its stream. The client asks on two streams at once, and an answer on one
does not wait for the other.
"""

from __future__ import annotations

import asyncio
import sys

import aiosctp

PORT = 7777


async def echo(association: aiosctp.Association) -> None:
    host, _ = association.get_extra_info("peername")
    print(f"{host}: {association.inbound_streams} streams in, {association.outbound_streams} out")
    async for message in association:
        await association.send(message.data, stream=message.stream, ppid=message.ppid)
    print(f"{host}: gone")  # gracefully: an abort or a lost peer raises


async def serve() -> None:
    async with await aiosctp.serve(echo, port=PORT) as server:
        print(f"listening on UDP port {server.udp_port}", flush=True)
        await server.serve_forever()


async def ask(host: str, text: str) -> None:
    async with aiosctp.connect(host, PORT, outbound_streams=2, timeout=5) as association:
        for stream in range(2):
            await association.send(text.encode(), stream=stream)
        # Leaving the block shuts down and discards what comes after: take the answers first.
        for _ in range(2):
            message = await association.receive()
            print(f"stream {message.stream}: {message.data.decode()}")


def main() -> None:
    match sys.argv[1:]:
        case ["serve"]:
            asyncio.run(serve())
        case ["ask", host, text]:
            asyncio.run(ask(host, text))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:  # aiosctp.SCTPError is one, and a UDP port that is taken another
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
