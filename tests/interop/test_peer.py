"""The usrsctp peer against itself: what the other tests lean on is proved without aiosctp."""

from __future__ import annotations

from tests.interop.debian import start_program
from tests.interop.namespace import Namespace
from tests.interop.relay import ADDRESSES, Relay, start_relay
from tests.interop.tally import Tally
from tests.interop.usrsctp import IMPATIENT, SCTP_PORT, Usrsctp, free_udp_port

MEGABYTE = 1_000_000


def test_tally_is_the_same_for_unordered_messages_in_any_order_but_not_for_duplicates() -> None:
    tallies = [Tally() for _ in range(3)]
    for tally, messages in zip(tallies, ((b"a", b"b"), (b"b", b"a"), (b"a", b"a")), strict=True):
        for data in messages:
            tally.add(1, data, unordered=True)
    assert tallies[0].event("sent") == tallies[1].event("sent") != tallies[2].event("sent")


async def test_peer_hashes_what_it_sends_and_what_it_receives_through_a_lossy_relay(usrsctp: Usrsctp) -> None:
    server_udp_port, client_udp_port = free_udp_port(), free_udp_port()
    async with Relay(client_udp_port, server_udp_port, loss=0.01) as relay:
        server = await usrsctp.server(udp_port=server_udp_port, echo=True)
        client = await usrsctp.client(udp_port=client_udp_port, remote_udp_port=relay.port_for_first)
        await client.event("assoc_change", state="COMM_UP")
        await client.command("source", 2 * MEGABYTE, 30_000, 3)
        await client.command("source", MEGABYTE, 999, 2, "unordered")
        await client.event("sent")
        await client.event("sent")
        echoed = await client.received(3 * MEGABYTE)
        await client.command("shutdown")
        await client.event("assoc_change", state="SHUTDOWN_COMP")
        received = await server.event("received")
        assert relay.lost > 0
    assert received["bytes"] == 3 * MEGABYTE
    assert {key: received[key] for key in ("ordered", "unordered")} == {
        key: echoed[key] for key in ("ordered", "unordered")
    }


async def test_peer_and_tally_agree_on_the_hashes(usrsctp: Usrsctp) -> None:
    udp_port = free_udp_port()
    server = await usrsctp.server(udp_port=udp_port, messages=True)
    client = await usrsctp.client(udp_port=free_udp_port(), remote_udp_port=udp_port)
    await client.event("assoc_change", state="COMM_UP")
    await client.command("send", 1, 100_000, 51)
    message = await server.event("message")
    await client.command("shutdown")
    received = await server.event("received")
    # One ordered message: the stream's hash is the message's.
    assert (message["stream"], message["ppid"], message["size"]) == (1, 51, 100_000)
    assert received["ordered"] == {"1": message["sha256"]}
    assert int(received["unordered"], 16) == 0


async def test_relay_makes_a_simultaneous_open(usrsctp: Usrsctp) -> None:
    ports = free_udp_port(), free_udp_port()
    async with Relay(*ports, hold=True) as relay:
        first = await usrsctp.client(udp_port=ports[0], remote_udp_port=relay.port_for_first, port=SCTP_PORT)
        second = await usrsctp.client(udp_port=ports[1], remote_udp_port=relay.port_for_second, port=SCTP_PORT)
        await first.event("assoc_change", state="COMM_UP")
        await second.event("assoc_change", state="COMM_UP")


async def test_peer_reports_abort_and_restart(usrsctp: Usrsctp) -> None:
    udp_port, client_udp_port = free_udp_port(), free_udp_port()
    server = await usrsctp.server(udp_port=udp_port)
    fixed: dict[str, object] = {"udp_port": client_udp_port, "port": 5000, "remote_udp_port": udp_port}
    client = await usrsctp.client(**fixed)
    await client.event("assoc_change", state="COMM_UP")
    await client.kill()
    client = await usrsctp.client(**fixed)
    await client.event("assoc_change", state="COMM_UP")
    await server.event("assoc_change", state="RESTART")
    await server.command("abort", "enough")
    lost = await client.event("assoc_change", state="COMM_LOST")
    assert b"enough" in bytes.fromhex(lost["abort_chunk"])


async def test_two_paths_through_the_relay_and_one_goes_dark(usrsctp: Usrsctp, namespace: Namespace) -> None:
    async with await start_relay(namespace, first=20001, second=20002) as relay:
        ports = await relay.event("relaying")
        common: dict[str, object] = {"local": ADDRESSES, "sysctl": IMPATIENT}
        server = await usrsctp.server(namespace, udp_port=20002, **common)
        client = await usrsctp.client(namespace, udp_port=20001, remote_udp_port=ports["port_for_first"], **common)
        await client.event("peer_addr_change", state="CONFIRMED", address="127.0.0.2")
        await relay.command("silence", "127.0.0.2")
        await client.event("peer_addr_change", state="UNREACHABLE", address="127.0.0.2")
        await client.command("source", MEGABYTE, 1000, 1)
        sent = await client.event("sent")
        await client.command("shutdown")
        received = await server.event("received")
        assert received["ordered"] == sent["ordered"]


async def test_peer_talks_to_the_echo_server_of_debian(usrsctp: Usrsctp, namespace: Namespace) -> None:
    async with await start_program(namespace, "echo_server", 20001, 20002):
        client = await usrsctp.client(namespace, udp_port=20002, remote_udp_port=20001, remote_port=7, messages=True)
        await client.event("assoc_change", state="COMM_UP")
        await client.command("send", 3, 1000, 46)
        message = await client.event("message")
        assert (message["stream"], message["size"]) == (3, 1000)
