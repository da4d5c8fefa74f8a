"""What was cut before the path MTU fell goes out to be fragmented by IP (§6.9)."""

from __future__ import annotations

import pytest

from aiosctp.config import Config
from aiosctp.core.ip_fragmentation import make_fragmentable
from aiosctp.core.packing import OutgoingPacket
from aiosctp.wire.chunks import Data, IData, InitAck, Pad, ReConfig
from aiosctp.wire.parameters import StateCookie
from aiosctp.wire.reconfig import OutgoingSsnResetRequest
from tests.core.mtu_link import BULK, RTT_S, Link, chunks_of, ip_bytes, ipv6_pair, searched


@pytest.mark.parametrize("interleaving", [False, True])
@pytest.mark.parametrize("mtu", [1400, 1280])
@pytest.mark.parametrize("before", [1500, 9000])
def test_over_ipv6_what_was_cut_before_is_made_too_large_for_the_interface_to_be_fragmented(
    before: int, mtu: int, interleaving: bool
) -> None:
    """§6.9, X57: no router fragments, and Linux nothing that its interface takes."""
    link = Link(before, pair=ipv6_pair(before, config_a=Config(interleaving=interleaving)))
    link.search()
    assert link.path.mtu == before
    link.send(BULK)
    link.pair.run_for(RTT_S)
    link.mtu = mtu
    assert link.transfer(BULK, limit_s=60) < 9
    fragmented = [flight for flight in link.sent if not flight.datagram.dont_fragment]
    assert fragmented
    chunk_type = IData if interleaving else Data
    for flight in fragmented:
        assert [type(chunk) for chunk in chunks_of(flight)] in ([chunk_type], [chunk_type, Pad])
        assert before < ip_bytes(flight) <= before + 4


@pytest.mark.parametrize("route_mtu", [None, 1400, 65536], ids=["unknown", "too small already", "takes any"])
def test_over_ipv6_nothing_is_added_where_the_interface_needs_or_allows_none(route_mtu: int | None) -> None:
    link = Link(1500, pair=ipv6_pair(1500))
    link.search()
    link.send(BULK)
    link.pair.run_for(RTT_S)
    link.pair.a.route_mtu = route_mtu
    link.pair.drop = lambda flight: flight.datagram.dont_fragment and ip_bytes(flight) > 1280
    link.transfer(BULK)
    fragmented = [flight for flight in link.sent if not flight.datagram.dont_fragment]
    assert fragmented
    assert {type(chunk) for flight in fragmented for chunk in chunks_of(flight)} == {IData}


def test_what_was_cut_for_a_wider_path_is_fragmented_by_ip() -> None:
    """RFC 8899 §6.2, RFC 9260 §6.9: a chunk can't be cut again."""
    link = searched(9000)
    link.mtu = 1400
    link.transfer()
    fragmented = [flight for flight in link.sent if not flight.datagram.dont_fragment]
    assert fragmented
    for flight in fragmented:
        assert [type(chunk) for chunk in chunks_of(flight)] == [IData]


def test_what_a_peer_has_us_list_is_made_too_large_for_the_interface_and_a_cookie_is_not() -> None:
    """RFC 6525 §5.1.2 A4 copies a list of the peer's, however long it is. §6.10: an INIT ACK is alone in its packet."""
    link = Link(1500, pair=ipv6_pair(1500))
    reset = ReConfig((OutgoingSsnResetRequest(1, 2, 3, (1,) * 640),)).encode()
    init_ack = InitAck(1, 1500, 1, 1, 1, (StateCookie(bytes(1290)),)).encode()
    sizes = []
    for chunk in (reset, init_ack):
        packet = OutgoingPacket(link.path)
        packet.add(chunk)
        assert link.path.packet_bytes < packet.size < 1500 - 40 - 8
        make_fragmentable(packet, link.ours)
        sizes.append(packet.size)
    assert sizes[0] > 1500 - 40 - 8
    assert sizes[1] == 12 + len(init_ack)
