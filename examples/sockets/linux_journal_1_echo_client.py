"""Listing 1 of "Introduction to Stream Control Transmission Protocol" (Linux Journal 9748), echo_client.c.

    python examples/sockets/linux_journal_2_echo_server.py
    python examples/sockets/linux_journal_1_echo_client.py 127.0.0.1       in another terminal

A second argument is another port than the listing's. For read and write, which a Python socket does not have, there
are recv and send.
"""

from __future__ import annotations

import asyncio
import sys

from aiosctp.socket import AF_INET, IPPROTO_SCTP, SO_LINGER, SOCK_STREAM, SOL_SOCKET, SCTPSocket, linger

SIZE = 1024
MSG = b"hello\n"
ECHO_PORT = 2013


async def main(host: str, port: int = ECHO_PORT) -> None:
    # Over TCP, in the listing, the last argument is IPPROTO_TCP, and nothing else differs.
    async with SCTPSocket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) as sockfd:
        # The association lives in the program, and not in a kernel: so close() is to wait until it is shut down.
        sockfd.setsockopt(SOL_SOCKET, SO_LINGER, linger(l_onoff=1, l_linger=5))
        await sockfd.connect((host, port))
        await sockfd.send(MSG)
        buf = await sockfd.recv(SIZE)
        print(buf.decode(), end="")
    # The end of the block is close().


if __name__ == "__main__":
    try:
        match sys.argv[1:]:
            case [host]:
                asyncio.run(main(host))
            case [host, port]:
                asyncio.run(main(host, int(port)))
            case _:
                sys.exit(__doc__)
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
