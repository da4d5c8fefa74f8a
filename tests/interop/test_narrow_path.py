"""A path of the machine's own kernel that becomes narrower, with nobody to say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.aiosctp_peer import start_aiosctp
from tests.interop.namespace import Namespace, connect

OURS, THEIRS = "fd77::1", "fd77::2"
INTERFACE = "narrowing"
TOTAL_BYTES = 50_000_000


@pytest.fixture
def hosts() -> Iterator[tuple[Namespace, Namespace]]:
    """Two, with a cable between them."""
    with Namespace() as here, Namespace() as there:
        connect(here, there, INTERFACE, (f"{OURS}/64", f"{THEIRS}/64"))
        yield here, there


async def test_over_ipv6_what_was_cut_for_a_wider_path_gets_through(hosts: tuple[Namespace, Namespace]) -> None:
    """§6.9, X57: RFC 8200 §4.5: no router fragments; ours has to, though its interface takes the whole packet."""
    here, there = hosts
    server = start_aiosctp(there, "server", local=[THEIRS], port=7777, udp_port=9899, patient=True)
    async with await server as sink:
        await sink.event("listening")
        to_server = {"remote": THEIRS, "remote_port": 7777, "remote_udp_port": 9899}
        async with await start_aiosctp(
            here, "client", local=[OURS], udp_port=9899, patient=True, **to_server
        ) as source:
            await source.event("assoc_change", state="COMM_UP")
            await source.command("source", TOTAL_BYTES, 100_000, 1)
            await sink.received(TOTAL_BYTES // 4)
            # What the interface doesn't take it drops.
            there.run("ip", "link", "set", INTERFACE, "mtu", "1280")
            sent = await source.event("sent", timeout_s=20)
            assert (await sink.received(TOTAL_BYTES))["ordered"] == sent["ordered"]
            await source.command("shutdown")
