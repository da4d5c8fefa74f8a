"""The simulated network: what it delivers, to whom, and when."""

from __future__ import annotations

import aiosctp
from aiosctp.network import current_network
from aiosctp.testing import Link, Network, RandomLoss
from tests.surface.virtual_time import virtual_time

PORT = 7777


async def echo(association: aiosctp.Association) -> None:
    async for message in association:
        await association.send(message.data)


@virtual_time
async def test_connect_and_serve_run_unchanged_on_simulated_hosts_under_loss() -> None:
    network = Network(seed=3, link=Link(delay_s=0.02, loss=RandomLoss(0.1)))
    a, z = network.host("a", "192.0.2.1"), network.host("z", "192.0.2.2")
    with z:
        server = await aiosctp.serve(echo, None, PORT)
    with a:
        association = await aiosctp.connect("z", PORT)
    for number in range(50):
        await association.send(number.to_bytes(2))
    received = [(await association.receive()).data for _ in range(50)]
    assert received == [number.to_bytes(2) for number in range(50)]
    await association.shutdown()
    await association.wait_closed()
    server.close()
    await server.wait_closed()
    counters = network.counters
    assert counters["lost"] > 0
    assert counters["sent"] == counters["delivered"] + counters["lost"]


@virtual_time
async def test_handlers_run_on_the_host_that_serves() -> None:
    """What a handler connects to, it connects to from there, whoever sent the packet that made it run."""
    network = Network()
    met: list[object] = []

    async def note_the_host(association: aiosctp.Association) -> None:
        met.append(current_network.get())
        await association.wait_closed()

    with network.host("z"):
        server = await aiosctp.serve(note_the_host, None, PORT)
    with network.host("a"):
        async with aiosctp.connect("z", PORT):
            pass
    server.close()
    await server.wait_closed()
    assert met == [network.host("z")]
