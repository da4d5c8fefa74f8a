"""Listing 3 of "Introduction to Stream Control Transmission Protocol" (Linux Journal 9748), read_sctp_msg.c.

    python examples/sockets/linux_journal_3_read_message.py

The listing is one function, which reads a message that is longer than its buffer. Here it has a program: a message
that is longer than the receive buffer goes from one socket to another.
"""

from __future__ import annotations

import asyncio
import sys

from aiosctp.socket import (
    AF_INET,
    IPPROTO_SCTP,
    MSG_EOR,
    SO_RCVBUF,
    SO_SNDBUF,
    SOCK_STREAM,
    SOL_SOCKET,
    SCTPSocket,
)

PORT = 2014
MESSAGE = bytes(range(256)) * 8192


async def read_sctp_msg(sockfd: SCTPSocket) -> bytes:
    """A whole message, however many reads it takes; b"" at the end of the association."""
    rcv_buf_size = sockfd.getsockopt(SOL_SOCKET, SO_RCVBUF)
    buf = bytearray()
    reads = 0
    while True:
        data, _peeraddr, _sri, flags = await sockfd.sctp_recvmsg(rcv_buf_size)
        if not data:
            return b""
        buf += data
        reads += 1
        # The part with which the message ends; C trims its buffer here.
        if flags & MSG_EOR:
            print(f"{len(buf)} bytes, in {reads} reads of at most {rcv_buf_size}")
            return bytes(buf)


async def main() -> None:
    async with (
        SCTPSocket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) as listener,
        SCTPSocket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) as sender,
    ):
        listener.bind(("127.0.0.1", PORT))
        listener.listen(1)
        # One send is no longer than the send buffer.
        sender.setsockopt(SOL_SOCKET, SO_SNDBUF, len(MESSAGE))
        await sender.connect(("127.0.0.1", PORT))
        sockfd, _ = await listener.accept()
        async with sockfd:
            _, message = await asyncio.gather(sender.send(MESSAGE), read_sctp_msg(sockfd))
            print("as it was sent" if message == MESSAGE else "not as it was sent")


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
