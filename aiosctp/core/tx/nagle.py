"""Small messages that wait for others to fill a packet with (RFC 6458 §8.1.5; RFC 896)."""

from __future__ import annotations

from aiosctp.core.paths import Path
from aiosctp.core.tx.queue import SendQueue
from aiosctp.wire.packet import HEADER_BYTES as PACKET_HEADER_BYTES


def fills_packet(queue: SendQueue, path: Path) -> bool:
    """Whether what waits is enough to fill a packet to this path, with the headers of its chunks."""
    return queue.queued_bytes + queue.messages * queue.format.header_bytes >= path.packet_bytes - PACKET_HEADER_BYTES


def is_urgent(queue: SendQueue) -> bool:
    """Whether any message that waits asks to be acknowledged at once: who asks that does not mean to wait before."""
    return queue.urgent_messages > 0
