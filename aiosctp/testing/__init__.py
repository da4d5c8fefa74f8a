"""A simulated network for tests: hosts, links and faults, from one seed, with real protocol code on top.

network = Network(seed=1, link=Link(delay_s=0.02, loss=RandomLoss(0.05)))
with network.host("server", "192.0.2.1"):
    server = await aiosctp.serve(handle, None, 7777)
with network.host("client", "192.0.2.2"):
    association = await aiosctp.connect("server", 7777)
"""

from aiosctp.testing.host import Host, Port
from aiosctp.testing.link import Link
from aiosctp.testing.loss import NO_LOSS, BurstLoss, Loss, LossWhere, RandomLoss
from aiosctp.testing.nat import Nat
from aiosctp.testing.network import Network, Place
from aiosctp.testing.packet import CE, ECT_0, ECT_1, NOT_ECT, Fate, Fault, Packet, Passage

__all__ = [
    "CE",
    "ECT_0",
    "ECT_1",
    "NOT_ECT",
    "NO_LOSS",
    "BurstLoss",
    "Fate",
    "Fault",
    "Host",
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
]
