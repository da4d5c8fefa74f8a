"""The echo server of draft-ietf-tsvwg-sctpsocket-10, appendix A: one association after the other, all events on.

    python examples/sockets/draft_a_echo_one_to_one.py
    python examples/sockets/linux_journal_1_echo_client.py 127.0.0.1 7     in another terminal

Its functions and calls are the draft's, in the draft's order. What C needs and Python does not is gone: buffers,
families and byte orders of addresses, `perror` (a call that fails raises OSError). What differs is said where it does.
"""

from __future__ import annotations

import asyncio
import sys

from aiosctp.socket import (
    AF_INET,
    IPPROTO_SCTP,
    MSG_EOR,
    MSG_NOTIFICATION,
    SCTP_EVENTS,
    SOCK_STREAM,
    SCTPSocket,
    sctp_assoc_change,
    sctp_event_subscribe,
    sctp_paddr_change,
    sctp_remote_error,
    sctp_send_failed,
    sctp_shutdown_event,
)

BUFLEN = 100
PORT = 7


def handle_event(snp: object) -> None:
    # The union of C is a dataclass for each type of notification here.
    match snp:
        case sctp_assoc_change() as sac:
            streams = f"{sac.sac_inbound_streams} streams in, {sac.sac_outbound_streams} out"
            print(f"event: association in state {sac.sac_state}, error {sac.sac_error}, {streams}")
        case sctp_send_failed() as ssf:
            print(f"event: a message was not sent, error {ssf.ssf_error}: {len(ssf.ssf_data)} bytes")
        case sctp_paddr_change() as spc:
            host, _ = spc.spc_aaddr
            print(f"event: address {host} in state {spc.spc_state}, error {spc.spc_error}")
        case sctp_remote_error() as sre:
            print(f"event: the peer reports error {sre.sre_error}: {len(sre.sre_data)} bytes")
        case sctp_shutdown_event():
            print("event: the peer shuts down")
        case _:
            print(f"event: {type(snp).__name__}")


async def mysctp_recvmsg(fd: SCTPSocket, begun: dict[int, bytearray]):
    """A whole message or a notification, with its ancillary data and flags; None at the end of the association.

    Between two parts of a message that is longer than the buffer, a one-to-many socket may give messages of other
    associations (RFC 6458 §8.1.20). So what has come of each is kept in `begun`, by association.
    """
    buflen = BUFLEN
    while True:
        data, ancdata, msg_flags, _ = await fd.recvmsg(buflen)
        if msg_flags & MSG_NOTIFICATION:
            return data, ancdata, msg_flags
        if not data:
            return None
        # With the data_io event on there is one item, the structure of C's SCTP_SNDRCV.
        ((_, _, sri),) = ancdata
        buf = begun.setdefault(sri.sinfo_assoc_id, bytearray())
        buf += data
        if msg_flags & MSG_EOR:
            return bytes(begun.pop(sri.sinfo_assoc_id)), ancdata, msg_flags
        buflen *= 2


async def echo(fd: SCTPSocket, one_to_many: bool) -> None:
    begun: dict[int, bytearray] = {}
    # An association that is aborted ends its service; the draft's program ends itself.
    try:
        while received := await mysctp_recvmsg(fd, begun):
            buf, ancdata, msg_flags = received
            if msg_flags & MSG_NOTIFICATION:
                handle_event(buf)
                continue
            ((_, _, sri),) = ancdata
            print(f"{len(buf)} bytes on stream {sri.sinfo_stream}: {buf.decode(errors='replace').rstrip()}")
            # Back it goes by the same structure: its stream, its protocol identifier, its association.
            await fd.sendmsg([buf], ancdata)
    except OSError as error:
        print(f"recvmsg or sendmsg: {error.strerror or error}")
    if not one_to_many:
        await fd.close()


def all_events() -> sctp_event_subscribe:
    return sctp_event_subscribe(
        sctp_data_io_event=1,
        sctp_association_event=1,
        sctp_address_event=1,
        sctp_send_failure_event=1,
        sctp_peer_error_event=1,
        sctp_shutdown_event=1,
        sctp_partial_delivery_event=1,
        sctp_adaptation_layer_event=1,
    )


async def main() -> None:
    async with SCTPSocket(AF_INET, SOCK_STREAM, IPPROTO_SCTP) as lfd:
        lfd.bind(("0.0.0.0", PORT))
        lfd.listen(1)
        print(f"listening on port {PORT}")
        while True:
            cfd, _ = await lfd.accept()
            cfd.setsockopt(IPPROTO_SCTP, SCTP_EVENTS, all_events())
            # Back any and all data goes; who comes meanwhile waits in the backlog.
            await echo(cfd, one_to_many=False)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
