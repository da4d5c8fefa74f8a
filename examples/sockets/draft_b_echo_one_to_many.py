"""The echo server of draft-ietf-tsvwg-sctpsocket-10, appendix B: one socket for all associations, closed when idle.

    python examples/sockets/draft_b_echo_one_to_many.py
    python examples/sockets/linux_journal_1_echo_client.py 127.0.0.1 7     in another terminal

As in the draft, most of it is the program of appendix A. Nobody accepts: associations come up by themselves, tell of
that by their events, and end after two seconds without a message.
"""

from __future__ import annotations

import asyncio
import sys

from draft_a_echo_one_to_one import PORT, all_events, echo

from aiosctp.socket import AF_INET, IPPROTO_SCTP, SCTP_AUTOCLOSE, SCTP_EVENTS, SOCK_SEQPACKET, SCTPSocket

IDLE_TIME_S = 2


async def main() -> None:
    async with SCTPSocket(AF_INET, SOCK_SEQPACKET, IPPROTO_SCTP) as fd:
        fd.bind(("0.0.0.0", PORT))
        fd.setsockopt(IPPROTO_SCTP, SCTP_EVENTS, all_events())
        fd.setsockopt(IPPROTO_SCTP, SCTP_AUTOCLOSE, IDLE_TIME_S)
        fd.listen(1)
        print(f"listening on port {PORT}")
        while True:
            await echo(fd, one_to_many=True)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
