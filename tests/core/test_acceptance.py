"""The size of an INIT ACK."""

from __future__ import annotations

import pytest

from aiosctp.wire.chunks import InitAck
from aiosctp.wire.parameters import UnknownParameter, UnrecognizedParameter
from tests.core.transcript import Bench, Peer, of_kind


@pytest.mark.parametrize("path_mtu", [576, 1280, 1500])
def test_an_init_ack_fits_the_path_mtu_however_much_there_is_to_report(path_mtu: int) -> None:
    """X26, X12, P04: as many Unrecognized Parameters as fit, and none that is cut."""
    bench = Bench(path_mtu=path_mtu)
    bench.listen()
    unknown = [UnknownParameter(0xC100 + number, bytes(number % 30)) for number in range(60)]
    peer = Peer(bench)
    peer.send(peer.init(*unknown))
    sent = peer.next_packet()
    reported = of_kind(sent.chunk(InitAck).parameters, UnrecognizedParameter)
    assert reported == [UnrecognizedParameter(parameter.encode()) for parameter in unknown[: len(reported)]]
    room = path_mtu - 20 - 8 - len(sent.datagram.data)
    assert 0 <= room < 4 + 4 + 32
    assert sent.datagram.dont_fragment


def test_an_init_ack_with_more_addresses_than_a_packet_takes_may_be_fragmented() -> None:
    """Else it would never arrive."""
    hosts = [f"198.51.100.{number}" for number in range(1, 60)]
    bench = Bench(path_mtu=576, addresses=hosts)
    bench.listen()
    peer = Peer(bench)
    peer.send(peer.init())
    sent = peer.next_packet()
    assert len(sent.datagram.data) > 576
    assert not sent.datagram.dont_fragment
