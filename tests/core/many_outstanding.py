"""An association with as much outstanding as a test wants, whatever cwnd and the peer's window would say."""

from __future__ import annotations

from aiosctp.config import Config
from tests.core.scripted import Peer

LARGE_WINDOW = Config(
    receive_window_bytes=2**31 - 1, max_burst=65535, heartbeat=False, send_buffer_bytes=2**40, error_answers_per_s=1e9
)


def open_peer(config: Config = LARGE_WINDOW) -> Peer:
    peer = Peer(config)
    peer.established()
    return peer


def with_outstanding(count: int) -> Peer:
    """Z has sent so many chunks of one byte, and the peer has acknowledged none."""
    peer = open_peer()
    peer.path("192.0.2.1").congestion.cwnd = 2**30
    sender = peer.association.sender
    sender.peer_window_advertised(2**31)
    peer.user_sends(*[b"x"] * count)
    assert len(sender.outstanding) == count
    return peer


def z_tsn(peer: Peer, n: int) -> int:
    """Z's n-th TSN."""
    return (peer.z_initial_tsn + n) & 0xFFFF_FFFF
