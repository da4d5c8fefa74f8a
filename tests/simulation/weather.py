"""What lies between two hosts: links drawn at random, calm ones and stormy ones."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from aiosctp.testing import NO_LOSS, BurstLoss, Link, Loss, LossWhere, Packet, RandomLoss
from aiosctp.wire.codepoints import ChunkType
from tests.simulation.character import Character

LOSABLE = (
    ChunkType.INIT_ACK,
    ChunkType.COOKIE_ECHO,
    ChunkType.COOKIE_ACK,
    ChunkType.SACK,
    ChunkType.HEARTBEAT_ACK,
    ChunkType.SHUTDOWN,
    ChunkType.SHUTDOWN_ACK,
    ChunkType.SHUTDOWN_COMPLETE,
)
"""Chunks that a link may have a grudge against: losing just these leads where loss at random seldom does."""


def draw_calm(random: Random, character: Character) -> Link:
    """What lies between two hosts when nothing is wrong, before the storm and after it."""
    choose = random.choice
    delay_s = choose([0.001, 0.01, 0.04])
    if "stale cookies" in character:
        delay_s = choose([0.12, 0.2])
    mtu = choose([1280, 1400, 1492, 1500]) if "narrow links" in character else 1500
    bandwidth_bps = choose([None, None, 2e6, 2e5])
    if "wide links" in character:
        mtu = choose([1500, 2000, 9000, 65535])
        # At 200 kbit/s a packet of 64 KB would take longer than many an RTO.
        bandwidth_bps = choose([None, 2e7])
    return Link(
        delay_s=delay_s,
        jitter_s=choose([0.0, 0.0, 0.005]),
        bandwidth_bps=bandwidth_bps,
        queue_bytes=None if bandwidth_bps is None else choose([None, max(20_000, 2 * mtu)]),
        mtu=mtu,
    )


def draw_stormy(random: Random, calm: Link, character: Character) -> tuple[Link, list[str]]:
    """The same link in a storm, and what is wrong with it."""
    chance, choose = random.random, random.choice
    wrong: list[str] = []
    loss: Loss = NO_LOSS
    kind = chance()
    if kind < 0.35:
        loss = RandomLoss(choose([0.01, 0.05, 0.2, 0.4]))
        wrong.append("random loss")
    elif kind < 0.55:
        loss = BurstLoss(begins=choose([0.01, 0.05]), ends=choose([0.1, 0.4]))
        wrong.append("bursts of loss")
    elif kind < 0.7:
        loss = LossWhere(begins_with(choose(LOSABLE), random.getrandbits(32), choose([0.5, 0.9])))
        wrong.append("loss of one kind of chunk")
    duplication = choose([0.05, 0.3]) if chance() < 0.3 else 0.0
    reordering = choose([0.05, 0.3]) if chance() < 0.4 else 0.0
    corruption = choose([0.01, 0.05]) if chance() < 0.2 else 0.0
    delay_s, jitter_s = calm.delay_s, calm.jitter_s
    if chance() < 0.25:
        jitter_s = choose([0.02, 0.2])
        wrong.append("jitter")
    if "late answers" in character and chance() < 0.5:
        # Longer than many an RTO: what was sent again arrives twice, and what was given up arrives late.
        delay_s, jitter_s = choose([0.4, 1.2]), 0.3
        wrong.append("long delay")
    for name, probability in (("duplication", duplication), ("reordering", reordering), ("corruption", corruption)):
        if probability:
            wrong.append(name)
    link = Link(
        delay_s=delay_s,
        jitter_s=jitter_s,
        bandwidth_bps=calm.bandwidth_bps,
        queue_bytes=calm.queue_bytes,
        mtu=calm.mtu,
        icmp=calm.icmp,
        loss=loss,
        duplication=duplication,
        reordering=reordering,
        corruption=corruption,
    )
    return link, wrong


def begins_with(chunk_type: int, seed: int, probability: float) -> Callable[[Packet], bool]:
    """Packets whose first chunk is of this type, most of them."""
    random = Random(seed)

    def is_lost(packet: Packet) -> bool:
        return packet.data[12] == chunk_type and random.random() < probability

    return is_lost
