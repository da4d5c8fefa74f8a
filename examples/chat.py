"""A chat room on asyncio streams: over TCP, or, with `--sctp`, over SCTP. The program is the same.

    python examples/chat.py serve [--sctp]
    python examples/chat.py join 127.0.0.1 alice [--sctp]

What is typed goes to all who are there; the end of the input (Ctrl-D) leaves the room.
"""

from __future__ import annotations

import asyncio
import sys

import aiosctp

PORT = 7778
MOST_BEHIND_BYTES = 1024 * 1024


class Room:
    def __init__(self) -> None:
        self.writers: set[asyncio.StreamWriter] = set()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One who joins: the first line is their name, the others are what they say."""
        try:
            name = text(await reader.readline())
            self.tell_all(f"{name} is here")
            self.writers.add(writer)
            async for line in reader:
                self.tell_all(f"{name}: {text(line)}")
        except (ConnectionError, ValueError):
            pass  # gone without a word, or a line that never ends
        finally:
            writer.close()
            if writer in self.writers:
                self.writers.remove(writer)
                self.tell_all(f"{name} has left")

    def tell_all(self, news: str) -> None:
        print(news, flush=True)
        for writer in self.writers:
            # Who does not read is put out: the room neither waits for them nor keeps what they miss.
            if writer.transport.get_write_buffer_size() > MOST_BEHIND_BYTES:
                writer.transport.abort()
            else:
                writer.write(f"{news}\n".encode())


def text(line: bytes) -> str:
    return line.decode(errors="replace").strip()


async def serve(network) -> None:
    async with await network.start_server(Room().handle, port=PORT) as server:
        print("the room is open", flush=True)
        await server.serve_forever()


async def join(network, host: str, name: str) -> None:
    reader, writer = await network.open_connection(host, PORT)
    listening = asyncio.create_task(listen(reader))
    writer.write(f"{name}\n".encode())
    async for line in await typed():
        writer.write(line)
        await writer.drain()
    writer.write_eof()  # we have said all, which the room hears; what it has to say still comes
    await listening
    writer.close()
    await writer.wait_closed()


async def listen(reader: asyncio.StreamReader) -> None:
    async for line in reader:
        print(text(line), flush=True)


async def typed() -> asyncio.StreamReader:
    """Standard input, without blocking (which Windows can't)."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def main(*words: str) -> None:
    # Both have start_server and open_connection.
    network = aiosctp if "--sctp" in words else asyncio
    match [word for word in words if word != "--sctp"]:
        case ["serve"]:
            asyncio.run(serve(network))
        case ["join", host, name]:
            asyncio.run(join(network, host, name))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
