"""Listing 2 of "Introduction to Stream Control Transmission Protocol" (Linux Journal 9748), echo_server.c.

    python examples/sockets/linux_journal_2_echo_server.py
    python examples/sockets/linux_journal_1_echo_client.py 127.0.0.1       in another terminal

It sends the first message of each client back, one client after the other.
"""

from __future__ import annotations

import asyncio
import sys

from aiosctp.socket import AF_INET, IPPROTO_SCTP, SOCK_STREAM, SCTPSocket

SIZE = 1024
ECHO_PORT = 2013


async def main() -> None:
    # Over TCP, in the listing, the last argument is IPPROTO_TCP, and nothing else differs.
    async with SCTPSocket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) as sockfd:
        sockfd.bind(("0.0.0.0", ECHO_PORT))
        sockfd.listen(5)
        print(f"listening on port {ECHO_PORT}")
        while True:
            client_sockfd, _client_addr = await sockfd.accept()
            async with client_sockfd:
                try:
                    buf = await client_sockfd.recv(SIZE)
                    print(buf.decode(errors="replace"), end="")
                    if buf:  # it may have come and gone without a word
                        await client_sockfd.send(buf)
                except OSError as error:  # this client is lost; the next one is served
                    print(f"recv or send: {error.strerror or error}")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
