"""Files over HTTP/1.1 on asyncio streams: over TCP, or, with `--sctp`, over SCTP. The program is the same.

    python examples/files.py serve DIRECTORY [--sctp]
    python examples/files.py get 127.0.0.1 /some/file /another [--sctp]

Over TCP, any browser can ask: http://127.0.0.1:7779/some/file. Several files are asked for on one connection.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from urllib.parse import quote, unquote

import aiosctp

PORT = 7779
PART_BYTES = 64 * 1024
IDLE_S = 60

# -- the server --


class FileServer:
    def __init__(self, directory: Path) -> None:
        self.root = directory.resolve()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self.answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
            pass  # no further request, which is how most connections end
        except (asyncio.LimitOverrunError, ValueError):
            writer.write(head("400 Bad Request", 0))
        finally:
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request. Whether there may be another one after it."""
        async with asyncio.timeout(IDLE_S):
            request, fields = await read_head(reader)
        method, target, version = request.split(" ")
        path = self.find(target)
        if method not in ("GET", "HEAD"):
            writer.write(head("405 Method Not Allowed", 0))
        elif path is None:
            writer.write(head("404 Not Found", 0))
        else:
            await send_file(path, writer, with_body=method == "GET")
        await writer.drain()
        # A body is not expected and not read: what follows it would be taken for a request.
        has_body = "content-length" in fields or "transfer-encoding" in fields
        return version == "HTTP/1.1" and fields.get("connection", "").lower() != "close" and not has_body

    def find(self, target: str) -> Path | None:
        """The file that is meant. None if there is none, also outside the directory, wherever `..` or a link leads."""
        path = (self.root / unquote(target.partition("?")[0]).lstrip("/")).resolve()
        is_ours = path.is_relative_to(self.root) and os.access(path, os.R_OK) and path.is_file()
        return path if is_ours else None


def head(status: str, size: int) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n\r\n".encode()


async def send_file(path: Path, writer: asyncio.StreamWriter, *, with_body: bool) -> None:
    with path.open("rb") as file:
        left = os.fstat(file.fileno()).st_size
        writer.write(head("200 OK", left))
        while with_body and left:
            part = file.read(min(left, PART_BYTES))
            if not part:
                writer.transport.abort()  # shorter than was said
                return
            writer.write(part)
            await writer.drain()
            left -= len(part)


async def serve(network, directory: str) -> None:
    async with await network.start_server(FileServer(Path(directory)).handle, port=PORT) as server:
        print("serving", flush=True)
        await server.serve_forever()


# -- the client --


async def get(network, host: str, paths: list[str]) -> None:
    """Write the files to the standard output, one after the other."""
    reader, writer = await network.open_connection(host, PORT)
    for path in paths:
        writer.write(f"GET {quote(path)} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        status, fields = await read_head(reader)
        left = int(fields["content-length"])
        while left:
            part = await reader.readexactly(min(left, PART_BYTES))
            sys.stdout.buffer.write(part)
            left -= len(part)
        if " 200 " not in status:
            sys.exit(f"{path}: {status}")
    writer.close()
    await writer.wait_closed()


# -- both --


async def read_head(reader: asyncio.StreamReader) -> tuple[str, dict[str, str]]:
    """The first line of a request or an answer, and its fields by their names in lower case."""
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
    return first, {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def main(*words: str) -> None:
    # Both have start_server and open_connection.
    network = aiosctp if "--sctp" in words else asyncio
    match [word for word in words if word != "--sctp"]:
        case ["serve", directory]:
            asyncio.run(serve(network, directory))
        case ["get", host, *paths]:
            asyncio.run(get(network, host, paths))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit(130)
    except (asyncio.IncompleteReadError, OSError) as error:
        sys.exit(f"{sys.argv[0]}: {error}")
