"""The discard server of RFC 6458, appendix B: one IPv6 socket for all associations, which tells what comes.

    python examples/sockets/rfc6458_b_discard_server.py
    python examples/sockets/rfc6458_a_client.py                            in another terminal

The calls are the RFC's, in its order.
"""

from __future__ import annotations

import asyncio
import sys

from aiosctp.socket import (
    AF_INET6,
    IPPROTO_SCTP,
    MSG_NOTIFICATION,
    SCTP_ADAPTATION_INDICATION,
    SCTP_ADDR_ADDED,
    SCTP_ADDR_AVAILABLE,
    SCTP_ADDR_MADE_PRIM,
    SCTP_ADDR_REMOVED,
    SCTP_ADDR_UNREACHABLE,
    SCTP_ASSOC_CHANGE,
    SCTP_AUTOCLOSE,
    SCTP_CANT_STR_ASSOC,
    SCTP_COMM_LOST,
    SCTP_COMM_UP,
    SCTP_EVENT,
    SCTP_FUTURE_ASSOC,
    SCTP_PEER_ADDR_CHANGE,
    SCTP_RECVRCVINFO,
    SCTP_RESTART,
    SCTP_SHUTDOWN_COMP,
    SCTP_SHUTDOWN_EVENT,
    SCTP_UNORDERED,
    SOCK_SEQPACKET,
    SCTPSocket,
    sctp_adaptation_event,
    sctp_assoc_change,
    sctp_event,
    sctp_paddr_change,
    sctp_shutdown_event,
)

BUFFER_SIZE = 1 << 16
PORT = 9
TIMEOUT_S = 5
EVENT_TYPES = (SCTP_ASSOC_CHANGE, SCTP_PEER_ADDR_CHANGE, SCTP_SHUTDOWN_EVENT, SCTP_ADAPTATION_INDICATION)


def print_notification(snp: object) -> None:
    match snp:
        case sctp_assoc_change(sac_state=state) as sac:
            streams = f"{sac.sac_inbound_streams} streams in, {sac.sac_outbound_streams} out"
            if state == SCTP_COMM_UP:
                print(f"event: association up, {streams}")
            elif state == SCTP_COMM_LOST:
                print(f"event: association lost, error {sac.sac_error}")
            elif state == SCTP_RESTART:
                print(f"event: association restarted, {streams}")
            elif state == SCTP_SHUTDOWN_COMP:
                print("event: association shut down")
            elif state == SCTP_CANT_STR_ASSOC:
                print("event: association could not be started")
            else:
                print(f"event: association in state {state}")
        case sctp_paddr_change(spc_state=state) as spc:
            host, _ = spc.spc_aaddr
            states = {
                SCTP_ADDR_AVAILABLE: "available",
                SCTP_ADDR_UNREACHABLE: f"unreachable, error {spc.spc_error}",
                SCTP_ADDR_REMOVED: "removed",
                SCTP_ADDR_ADDED: "added",
                SCTP_ADDR_MADE_PRIM: "the primary one",
            }
            print(f"event: address {host} is {states.get(state, f'in state {state}')}")
        case sctp_shutdown_event():
            print("event: the peer shuts down")
        case sctp_adaptation_event() as sad:
            print(f"event: adaptation indication 0x{sad.sai_adaptation_ind:08x}")
        case _:
            print(f"event: {type(snp).__name__}")


async def main() -> None:
    async with SCTPSocket(AF_INET6, SOCK_SEQPACKET, IPPROTO_SCTP) as sd:
        # The events that are of interest, each by itself.
        event = sctp_event(se_assoc_id=SCTP_FUTURE_ASSOC, se_on=1)
        for se_type in EVENT_TYPES:
            event.se_type = se_type
            sd.setsockopt(IPPROTO_SCTP, SCTP_EVENT, event)

        # An association that carries nothing for so long is shut down.
        sd.setsockopt(IPPROTO_SCTP, SCTP_AUTOCLOSE, TIMEOUT_S)

        # How each message came is told with it.
        sd.setsockopt(IPPROTO_SCTP, SCTP_RECVRCVINFO, 1)

        # All addresses of the machine, of both families.
        sd.bind(("::", PORT))
        sd.listen(1)
        print(f"listening on port {PORT}")

        while True:
            received = await sd.recvv(BUFFER_SIZE)
            if received.msg_flags & MSG_NOTIFICATION:
                print_notification(received.data)
                continue
            host, port = received.address
            line = f"{len(received.data)} bytes from {host}:{port}"
            # C's infotype tells whether there is a structure; here it is None when there is none.
            if (info := received.rcvinfo) is not None:
                order = "unordered" if info.rcv_flags & SCTP_UNORDERED else f"ssn {info.rcv_ssn}"
                line += f", stream {info.rcv_sid}, {order}, tsn {info.rcv_tsn}, ppid {info.rcv_ppid}"
            print(line)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        sys.exit(f"{sys.argv[0]}: {error.strerror or error}")
