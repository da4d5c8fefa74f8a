"""The client of RFC 6458, appendix A: unordered messages over all streams, to a server that discards them.

    python examples/sockets/rfc6458_b_discard_server.py
    python examples/sockets/rfc6458_a_client.py                            in another terminal

The calls are the RFC's, in its order, and one more: SO_LINGER.
"""

from __future__ import annotations

import asyncio
import sys

from aiosctp.socket import (
    AF_INET,
    IPPROTO_SCTP,
    SCTP_ADAPTATION_LAYER,
    SCTP_INITMSG,
    SCTP_STATUS,
    SCTP_UNORDERED,
    SO_LINGER,
    SOCK_STREAM,
    SOL_SOCKET,
    SCTPSocket,
    linger,
    sctp_initmsg,
    sctp_setadaptation,
    sctp_sndinfo,
)

PORT = 9
ADDR = "127.0.0.1"
SIZE_OF_MESSAGE = 1000
NUMBER_OF_MESSAGES = 10
PPID = 1234


async def main() -> None:
    async with SCTPSocket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) as sd:
        # Ask for 2048 outgoing streams, and tell what the messages are for.
        init = sctp_initmsg(sinit_num_ostreams=2048)
        sd.setsockopt(IPPROTO_SCTP, SCTP_INITMSG, init)
        ind = sctp_setadaptation(ssb_adaptation_ind=0x01020304)
        sd.setsockopt(IPPROTO_SCTP, SCTP_ADAPTATION_LAYER, ind)
        # A kernel sends what is left after close() and after the program's end. Here the association lives in the
        # program: so close() is told to wait, for at most five seconds.
        sd.setsockopt(SOL_SOCKET, SO_LINGER, linger(l_onoff=1, l_linger=5))

        await sd.connect((ADDR, PORT))

        # Use as many streams as the server agreed to.
        status = sd.getsockopt(IPPROTO_SCTP, SCTP_STATUS)
        print(f"{status.sstat_outstrms} streams out")
        info = sctp_sndinfo(snd_ppid=PPID, snd_flags=SCTP_UNORDERED)
        buffer = b"A" * SIZE_OF_MESSAGE
        for i in range(NUMBER_OF_MESSAGES):
            info.snd_sid = i % status.sstat_outstrms
            await sd.sendv(buffer, sndinfo=info)
    # The end of the block is close().


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
