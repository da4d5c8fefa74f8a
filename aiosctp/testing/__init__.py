"""A program on a bad network, in virtual time: hosts, links and faults, all from one seed.

    import aiosctp
    from aiosctp.testing import Link, Network, RandomLoss, run

    async def echo(association):
        async for message in association:
            await association.send(message.data)

    async def main():
        network = Network(seed=20, link=Link(delay_s=0.05, loss=RandomLoss(0.2)))
        with network.host("server"):
            server = await aiosctp.serve(echo, None, 7777)
        with network.host("client"):
            async with aiosctp.connect("server", 7777) as association:
                await association.send(b"hello")
                print((await association.receive()).data)
        server.close()
        await server.wait_closed()
        print(network.trace)

    run(main())

With this seed the I-DATA chunk is lost, and arrives when T3-rtx has expired.

A `Network` has hosts, and between any two of their addresses a `Link`: delay, bandwidth, a queue, an MTU, loss and
other faults. `partition` and `heal`, `Host.add_address`, `remove_address` and `crash`, and `nat` change it at any
time. A `Host` is a context: what runs in it, aiosctp and any other datagram protocol of asyncio, speaks from that
host. Time is the loop's: `run` and `VirtualTimeLoop` let it pass at once, `run` no more than an hour of it unless
told otherwise. The same program with the same seed sends the same packets at the same instants, byte for byte.
"""

from aiosctp.testing.host import Host, Port
from aiosctp.testing.link import Link
from aiosctp.testing.loop import Deadlock, VirtualTimeLoop, run
from aiosctp.testing.loss import NO_LOSS, BurstLoss, IsLost, Loss, LossWhere, RandomLoss
from aiosctp.testing.nat import Nat
from aiosctp.testing.network import Network, Place
from aiosctp.testing.packet import CE, ECT_0, ECT_1, NOT_ECT, Fate, Fault, Packet, Passage
from aiosctp.testing.trace import Trace

__all__ = [
    "CE",
    "ECT_0",
    "ECT_1",
    "NOT_ECT",
    "NO_LOSS",
    "BurstLoss",
    "Deadlock",
    "Fate",
    "Fault",
    "Host",
    "IsLost",
    "Link",
    "Loss",
    "LossWhere",
    "Nat",
    "Network",
    "Packet",
    "Passage",
    "Place",
    "Port",
    "RandomLoss",
    "Trace",
    "VirtualTimeLoop",
    "run",
]
