"""How an association with usrsctp begins (RFC 9260 §5)."""

from __future__ import annotations

import pytest

import aiosctp
from aiosctp.exceptions import AssociationRefused
from tests.interop.pairs import CONFIG, CONNECT_TIMEOUT_S, CONNECTORS, accepting, associated
from tests.interop.relay import Relay
from tests.interop.usrsctp import SCTP_PORT, Usrsctp, free_udp_port

# What usrsctp names in COMM_UP, and what we name it.
FEATURES = {"PR": "pr", "AUTH": "auth", "ASCONF": "asconf", "RE_CONFIG": "reconfig", "INTERLEAVING": "idata"}


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_handshake_agrees_on_streams_and_extensions(usrsctp: Usrsctp, connector: str) -> None:
    async with associated(usrsctp, connector, streams=17) as (association, peer, _):
        up = await peer.event("assoc_change", state="COMM_UP")
        assert association.inbound_streams == up["outbound_streams"] == 17
        assert association.outbound_streams == up["inbound_streams"]
        common = {FEATURES[name] for name in up["supports"] if name in FEATURES}
        assert association.negotiated & set(FEATURES.values()) == common
        assert association.state == "ESTABLISHED"


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_handshake_survives_a_lossy_network(usrsctp: Usrsctp, connector: str) -> None:
    config = CONFIG.replace(rto_initial_s=0.2, rto_min_s=0.2, rto_max_s=0.5)
    timing = [f"sctp_rto_{name}_default={ms}" for name, ms in (("initial", 200), ("min", 200), ("max", 500))]
    async with associated(usrsctp, connector, config=config, loss=0.3, sysctl=timing) as (_, peer, _):
        await peer.event("assoc_change", state="COMM_UP")


async def test_simultaneous_open_makes_one_association(usrsctp: Usrsctp) -> None:
    """Both INITs cross (§5.2.1)."""
    our_udp_port, peer_udp_port = free_udp_port(), free_udp_port()
    async with Relay(our_udp_port, peer_udp_port, hold=True) as relay:
        peer = await usrsctp.client(
            udp_port=peer_udp_port, remote_udp_port=relay.port_for_second, port=SCTP_PORT, echo=True
        )
        async with aiosctp.connect(
            "127.0.0.1",
            SCTP_PORT,
            local_port=SCTP_PORT,
            udp_port=our_udp_port,
            remote_udp_port=relay.port_for_first,
            timeout=CONNECT_TIMEOUT_S,
            config=CONFIG,
        ) as association:
            await peer.event("assoc_change", state="COMM_UP")
            await association.send(b"hello", stream=1)
            assert (await association.receive()).data == b"hello"
            assert not peer.seen("assoc_change")


async def test_port_nobody_listens_on_refuses_us(usrsctp: Usrsctp) -> None:
    peer_udp_port = free_udp_port()
    await usrsctp.server(udp_port=peer_udp_port)
    with pytest.raises(AssociationRefused):
        await aiosctp.connect(
            "127.0.0.1",
            SCTP_PORT + 1,
            udp_port=free_udp_port(),
            remote_udp_port=peer_udp_port,
            timeout=CONNECT_TIMEOUT_S,
        )


async def test_port_nobody_listens_on_refuses_usrsctp(usrsctp: Usrsctp) -> None:
    our_udp_port = free_udp_port()
    async with accepting(our_udp_port, CONFIG):
        peer = await usrsctp.client(udp_port=free_udp_port(), remote_udp_port=our_udp_port, remote_port=SCTP_PORT + 1)
        await peer.event("error", call="connect", error="Connection refused")


@pytest.mark.parametrize("connector", CONNECTORS)
async def test_association_over_ipv6(usrsctp: Usrsctp, connector: str) -> None:
    our_udp_port, peer_udp_port = free_udp_port(), free_udp_port()
    if connector == "aiosctp":
        await usrsctp.server(udp_port=peer_udp_port, local="::1", echo=True)
        connecting = aiosctp.connect(
            "::1", SCTP_PORT, udp_port=our_udp_port, remote_udp_port=peer_udp_port, config=CONFIG
        )
        async with connecting as association:
            await association.send(b"six")
            assert (await association.receive()).data == b"six"
    else:
        async with accepting(our_udp_port, CONFIG, host="::1") as accepted:
            await usrsctp.client(
                udp_port=peer_udp_port, remote_udp_port=our_udp_port, local="::1", remote="::1", echo=True
            )
            association = await accepted
            await association.send(b"six")
            assert (await association.receive()).data == b"six"
