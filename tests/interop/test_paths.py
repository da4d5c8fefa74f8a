"""Two paths between aiosctp and usrsctp, of which one goes dark (RFC 9260 §8.2)."""

from __future__ import annotations

import pytest

from tests.interop.aiosctp_peer import start_aiosctp
from tests.interop.namespace import Namespace
from tests.interop.pairs import CONNECTORS
from tests.interop.relay import ADDRESSES, start_relay
from tests.interop.usrsctp import IMPATIENT, SCTP_PORT, Usrsctp

OUR_UDP_PORT, PEER_UDP_PORT = 20001, 20002
TOTAL_BYTES = 1_000_000


@pytest.mark.parametrize("dark", ADDRESSES)
@pytest.mark.parametrize("connector", CONNECTORS)
async def test_data_goes_on_when_a_path_goes_dark(
    usrsctp: Usrsctp, namespace: Namespace, connector: str, dark: str
) -> None:
    ours: dict[str, object] = {"udp_port": OUR_UDP_PORT, "local": ADDRESSES}
    theirs: dict[str, object] = {"udp_port": PEER_UDP_PORT, "local": ADDRESSES, "sysctl": IMPATIENT}
    alive = next(address for address in ADDRESSES if address != dark)
    async with await start_relay(namespace, first=OUR_UDP_PORT, second=PEER_UDP_PORT) as relay:
        ports = await relay.event("relaying")
        if connector == "aiosctp":
            peer = await usrsctp.server(namespace, **theirs)
            to_peer = {"remote_port": SCTP_PORT, "remote_udp_port": ports["port_for_first"]}
            starting = start_aiosctp(namespace, "client", **ours, **to_peer)
        else:
            starting = start_aiosctp(namespace, "server", port=SCTP_PORT, **ours)
        async with await starting as us:
            if connector == "usrsctp":
                await us.event("listening")
                peer = await usrsctp.client(namespace, remote_udp_port=ports["port_for_second"], **theirs)
            # The address the association began with is confirmed by the handshake, the other by a HEARTBEAT.
            for side in (us, peer):
                await side.event("peer_addr_change", state="CONFIRMED", address=ADDRESSES[1])
            await relay.command("silence", dark)
            for source, sink in ((us, peer), (peer, us)):
                await source.command("source", TOTAL_BYTES, 10_000, 2)
                sent = await source.event("sent")
                await source.event("peer_addr_change", state="UNREACHABLE", address=dark)
                assert (await sink.received(TOTAL_BYTES))["ordered"] == sent["ordered"]
            await us.command("status")
            states = {path["address"]: path["state"] for path in (await us.event("status"))["paths"]}
            assert states == {alive: "ACTIVE", dark: "INACTIVE"}
            await relay.command("restore", dark)
            for side in (us, peer):
                await side.event("peer_addr_change", state="AVAILABLE", address=dark)
            await us.command("shutdown")
            await peer.event("assoc_change", state="SHUTDOWN_COMP")
